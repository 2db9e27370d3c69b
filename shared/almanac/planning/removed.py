"""Why a planned row is no longer planned, as far as the contact's shard shows it."""

from __future__ import annotations

import numpy as np

from almanac.frames import NO_DAY, Codes, Days, Ids, Index, Mask, Small
from almanac.joins import positions
from almanac.planning.brief import RunContext
from almanac.planning.contacts import ContactBatch
from almanac.planning.drafts import Drafts
from almanac.planning.history import ANNIVERSARY_DAYS, TYPE_CODES, History
from almanac.planning.kinds import KindTable
from almanac.rules.windows import FAR

NOT_DUE, NO_MESSAGES, OLDER, NO_PART, SENT, OTHER_FOLLOWUP = range(6)
WHYS = (
    "it is no longer due: dates, targets or settings have changed",
    "the contact can no longer get messages",
    "an older scheduler planned it",
    "its campaign or type no longer takes part",
    "the sender already has a message of its kind",
    "another follow-up replaces it",
)


class WhyRemoved:
    """Finds why a planned row has no candidate: the first reason that applies."""

    def __init__(
        self,
        batch: ContactBatch,
        history: History,
        drafts: Drafts,
        context: RunContext,
        kind_table: KindTable,
    ) -> None:
        self._ids = batch.contacts.id
        self._history = history
        self._context = context
        self._kind_table = kind_table
        self._followed = np.unique(drafts.contact[kind_table.is_followup[drafts.kind]])

    def __call__(self, contact_id: Ids, kind: Codes, event: Days, ideal: Days) -> Small:
        """Return a code of WHYS for each row; kind -1 and NO_DAY as in `planning.previous`."""
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
        rest = rest[~sent & self._kind_table.is_followup[kind[rest]]]
        why[rest[np.isin(contact[rest], self._followed)]] = OTHER_FOLLOWUP
        return why

    def _takes_no_part(self) -> Mask:
        """Return by kind whether it takes no part; the last entry, index -1, is for other kinds."""
        config, kind_table = self._context.config, self._kind_table
        idle = np.zeros(len(kind_table.kinds) + 1, np.bool_)
        idle[-1] = True
        idle[kind_table.kind("aep")] = self._context.aep_replaced or not config.aep.enabled
        idle[kind_table.kind("post_window")] = not config.organization.enable_post_window_emails
        for instance in self._context.instances:
            if instance.understood and not instance.takes_part:
                idle[kind_table.kind(instance.email_type, instance.id)] = True
        return idle

    def _sent(self, contact: Index, kind: Codes, event: Days, ideal: Days) -> Mask:
        """Return whether a committed row handles what each row was for."""
        kind_table, history = self._kind_table, self._history
        sent = np.zeros(len(kind), np.bool_)
        for name, code in TYPE_CODES.items():
            rows = np.flatnonzero(kind == kind_table.kind(name))
            sent[rows] = history.has_type_near(code, contact[rows], ideal[rows], ANNIVERSARY_DAYS)
        for position, instance in enumerate(self._context.instances):
            if instance.understood:
                code = kind_table.kind(instance.email_type, instance.id)
                rows = np.flatnonzero(kind == code)
                named = np.full(len(rows), not instance.target_all_contacts)
                sent[rows] = history.has_campaign(
                    contact[rows], position, event[rows], ideal[rows], named
                )
        rows = np.flatnonzero(kind_table.is_followup[kind])
        parent_sent = ideal[rows] - np.int32(self._context.config.timing.followup_delay_days)
        sent[rows] = history.followups.any_between(
            contact[rows], parent_sent + np.int32(1), np.full(len(rows), FAR, np.int32)
        )
        return sent
