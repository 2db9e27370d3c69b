"""Why a planned row is no longer planned, as far as it can be told from the contact's shard."""

from __future__ import annotations

import numpy as np

from almanac.frames import NO_DAY, Codes, Days, Ids, Index, Mask, Small
from almanac.planning.brief import Brief
from almanac.planning.contacts import ContactBatch
from almanac.planning.drafts import Drafts
from almanac.planning.history import ANNIVERSARY_DAYS, TYPE_CODES, History
from almanac.planning.kinds import Vocabulary
from almanac.planning.lookup import positions
from almanac.rules.windows import FAR

NOT_DUE, NO_MESSAGES, OLDER, NO_PART, SENT, OTHER_FOLLOWUP = range(6)
WHYS = (
    "it is no longer due: dates, targets or settings have changed",
    "the contact can get no messages any more",
    "an older scheduler had planned it",
    "its campaign or type takes no part any more",
    "the sender has one of its kind already",
    "another follow-up takes its place",
)


class WhyRemoved:
    """Judges rows that no candidate claims; the first of the reasons that holds."""

    def __init__(
        self, batch: ContactBatch, history: History, drafts: Drafts, brief: Brief, words: Vocabulary
    ) -> None:
        self._ids = batch.contacts.id
        self._history = history
        self._brief = brief
        self._words = words
        self._followed = np.unique(drafts.contact[words.is_followup[drafts.kind]])

    def __call__(self, contact_id: Ids, kind: Codes, event: Days, ideal: Days) -> Small:
        """A code of WHYS for each row; kind -1 and NO_DAY as `planning.previous` reads them."""
        why = np.full(len(kind), NOT_DUE, np.int8)
        if len(why) == 0:
            return why
        contact = positions(self._ids, contact_id)
        why[contact < 0] = NO_MESSAGES
        why[(why == NOT_DUE) & (ideal == NO_DAY)] = OLDER
        why[(why == NOT_DUE) & self._takes_no_part()[kind]] = NO_PART
        rest = np.flatnonzero(why == NOT_DUE)
        sent = self._sent(contact[rest], kind[rest], event[rest], ideal[rest])
        why[rest[sent]] = SENT
        rest = rest[~sent & self._words.is_followup[kind[rest]]]
        why[rest[np.isin(contact[rest], self._followed)]] = OTHER_FOLLOWUP
        return why

    def _takes_no_part(self) -> Mask:
        """By kind; the last is that of kinds that the run does not have, which -1 finds."""
        config, words = self._brief.config, self._words
        idle = np.zeros(len(words.kinds) + 1, np.bool_)
        idle[-1] = True
        idle[words.kind("aep")] = self._brief.aep_replaced or not config.aep.enabled
        idle[words.kind("post_window")] = not config.organization.enable_post_window_emails
        for instance in self._brief.instances:
            if instance.understood and not instance.takes_part:
                idle[words.kind(instance.email_type, instance.id)] = True
        return idle

    def _sent(self, contact: Index, kind: Codes, event: Days, ideal: Days) -> Mask:
        """Whether a committed row handles what the row was for."""
        words, history = self._words, self._history
        sent = np.zeros(len(kind), np.bool_)
        for name, code in TYPE_CODES.items():
            rows = np.flatnonzero(kind == words.kind(name))
            sent[rows] = history.has_type_near(code, contact[rows], ideal[rows], ANNIVERSARY_DAYS)
        for position, instance in enumerate(self._brief.instances):
            if instance.understood:
                code = words.kind(instance.email_type, instance.id)
                rows = np.flatnonzero(kind == code)
                sent[rows] = history.has_campaign(contact[rows], position, event[rows], ideal[rows])
        rows = np.flatnonzero(words.is_followup[kind])
        parent_sent = ideal[rows] - np.int32(self._brief.config.timing.followup_delay_days)
        sent[rows] = history.followups.any_between(
            contact[rows], parent_sent + np.int32(1), np.full(len(rows), FAR, np.int32)
        )
        return sent
