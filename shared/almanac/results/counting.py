"""Counts of messages by what they have in common."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from almanac import civil
from almanac.frames import Codes, Ids, Index, Mask
from almanac.joins import positions
from almanac.planning.brief import Instance
from almanac.report.results import COUNTS, DIMENSIONS, MessageCounts
from almanac.results.collect import People
from almanac.results.messages import (
    BOUNCED,
    DELIVERED,
    FAILED,
    OUTCOMES,
    SENT,
    MessageKind,
    SentOrPlanned,
)
from almanac.rules.states import USPS_STATES

UNKNOWN_STATE, NO_CONTACT = "unknown", "no such contact"
STATES = (*USPS_STATES, UNKNOWN_STATE, NO_CONTACT)

Key = tuple[str, ...]
# of a kind: its key in a dimension; None where it does not belong there
KeyOf = Callable[[MessageKind], Key | None]
Counts = dict[str, Ids]  # by the names of COUNTS: for each code or key


@dataclass(frozen=True)
class MessageOutcomes:
    """What came of the messages of the period."""

    messages: SentOrPlanned
    rows: Index  # of those of the period
    followed: dict[str, Index]  # by the name of a count: after which of them a contact did that

    def by(self, code: Codes, size: int) -> Counts:
        """Return by the names of COUNTS how many messages have each code below `size`.

        code: by row of `messages`; those of other messages do not matter.
        """
        outcome = code[self.rows] * len(OUTCOMES) + self.messages.outcome[self.rows]
        counts = np.bincount(outcome, minlength=size * len(OUTCOMES)).reshape(size, len(OUTCOMES))
        return {
            "planned": counts.sum(axis=1),
            "sent": counts[:, SENT : BOUNCED + 1].sum(axis=1),
            "delivered": counts[:, DELIVERED],
            "failed": counts[:, FAILED],
            "bounced": counts[:, BOUNCED],
            **{name: np.bincount(code[r], minlength=size) for name, r in self.followed.items()},
        }


def outcomes(
    messages: SentOrPlanned, of_period: Mask, followed: dict[str, Index]
) -> MessageOutcomes:
    """Return what came of the messages of the period.

    followed: by the name of a count, the rows of messages after which a contact did that.
    """
    mine = {}
    for name, done in followed.items():
        mask = np.zeros(len(messages), np.bool_)
        mask[done] = True
        mine[name] = np.flatnonzero(mask & of_period)
    return MessageOutcomes(messages, np.flatnonzero(of_period), mine)


def count_all(
    found: MessageOutcomes,
    of_kind: Counts,
    kinds: Sequence[MessageKind],
    people: People,
    instances: Sequence[Instance],
) -> dict[str, list[MessageCounts]]:
    """Return the counts by the names of DIMENSIONS, in the order of their keys.

    of_kind: the counts by kind.
    """
    names = {each.id: each.name for each in instances}
    by_kind: dict[str, KeyOf] = {
        "email-type": lambda kind: (kind.email_type,),
        "campaign-type": lambda kind: (kind.campaign_type,) if kind.is_campaign else None,
        "instance": lambda kind: _instance(kind, names),
        "template": lambda kind: (kind.template,),
        "followup": lambda kind: (kind.parent, kind.email_type) if kind.parent else None,
    }
    result = {name: _by_key(of_kind, kinds, key) for name, key in by_kind.items()}
    result["day"] = _by_day(found)
    of_state = found.by(_states(found.messages.contact, people), len(STATES))
    result["state"] = _lines([(name,) for name in STATES], of_state)
    return {name: result[name] for name in DIMENSIONS}


def total(of_kind: Counts) -> MessageCounts:
    """Return the counts of all messages, from those by kind."""
    return MessageCounts(**{name: int(of_kind[name].sum()) for name in COUNTS})


def _instance(kind: MessageKind, names: dict[int, str]) -> Key | None:
    if not kind.is_campaign:
        return None
    return str(kind.instance or ""), names.get(kind.instance, "")


def _by_day(found: MessageOutcomes) -> list[MessageCounts]:
    days = found.messages.day[found.rows]
    if not len(days):
        return []
    first, last = int(days.min()), int(days.max())
    keys = [(civil.text_of(day),) for day in range(first, last + 1)]
    return _lines(keys, found.by(found.messages.day - first, len(keys)))


def _by_key(of_kind: Counts, kinds: Sequence[MessageKind], key_of: KeyOf) -> list[MessageCounts]:
    """Return the counts of the keys of kinds, from those of the kinds."""
    index: dict[Key, int] = {}
    there, codes = [], []
    for n in np.flatnonzero(of_kind["planned"]).tolist():
        if (key := key_of(kinds[n])) is not None:
            there.append(n)
            codes.append(index.setdefault(key, len(index)))
    counts = {name: np.zeros(len(index), np.int64) for name in COUNTS}
    for name, sums in counts.items():
        np.add.at(sums, np.array(codes, np.intp), of_kind[name][np.array(there, np.intp)])
    return _lines(list(index), counts)


def _states(contact: Ids, people: People) -> Codes:
    """Return the state of each message's contact, as an index into STATES."""
    place = positions(people.ids, contact)
    if not len(people.ids):
        return np.full(len(contact), STATES.index(NO_CONTACT), np.int32)
    state = people.states[np.maximum(place, 0)].astype(np.int32)
    known = np.where(state < 0, STATES.index(UNKNOWN_STATE), state)
    return np.where(place < 0, STATES.index(NO_CONTACT), known).astype(np.int32)


def _lines(keys: Sequence[Key], counts: Counts) -> list[MessageCounts]:
    """Return the counts of the keys that have any, in their order."""
    order = sorted(range(len(keys)), key=lambda n: _in_order(keys[n]))
    return [
        MessageCounts(key=keys[n], **{name: int(counts[name][n]) for name in COUNTS})
        for n in order
        if counts["planned"][n]
    ]


def _in_order(key: Key) -> tuple[tuple[int, str], ...]:
    """Return what sorts keys: numbers as numbers."""
    return tuple((int(part) if part.isdecimal() else -1, part) for part in key)
