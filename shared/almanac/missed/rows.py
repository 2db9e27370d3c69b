"""Messages that are missed, as columns: who, what, why, and what the sentence depends on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from almanac.frames import NO_DAY, Codes, Days, Frame, Ids, Index, Mask, Small
from almanac.planning.kinds import KindTable

# what says why: `explain`'s words about the contact, a candidate, a type or a campaign without
# one, or a target without one
CONTACT, CANDIDATE, TYPE, CAMPAIGN, TARGET = range(5)
FACTS = 5

NOT_PLANNED = "Not planned yet"
NOT_ACTIVE = "Contact does not take part by its status"
NO_ADDRESS = "No valid e-mail address"
NO_STATE = "State unknown"
NO_BIRTH_DATE = "No usable birth date"
NO_EFFECTIVE_DATE = "No usable effective date"
NOT_DUE = "Not due up to the horizon"
PAST = "Past its deadline"
UNREADABLE = "Target's trigger_date is no date"
NOT_SENT = "Its row was not sent"
DISABLED = "Disabled, or replaced by a campaign"
NO_WINDOW = "No window to make up for"
NOTHING_SENT = "Nothing to follow up"
LEFT_OUT = "Campaign is left out"
INACTIVE = "Campaign takes no part"
NO_TRIGGER = "No created_at after the campaign's begin"
OTHER_REASONS = (
    *(NOT_PLANNED, NOT_ACTIVE, NO_ADDRESS, NO_STATE, NO_BIRTH_DATE, NO_EFFECTIVE_DATE),
    *(NOT_DUE, PAST, UNREADABLE, NOT_SENT, DISABLED, NO_WINDOW, NOTHING_SENT, LEFT_OUT),
    *(INACTIVE, NO_TRIGGER),
)


@dataclass(frozen=True)
class Missing(Frame):
    """Missed messages; two with equal `what`, `subject`, `reason` and facts have one sentence."""

    contact_id: Ids
    what: Small  # CONTACT .. TARGET
    at: Index  # the candidate, the position of the contact (TYPE, CAMPAIGN), or the target's row
    subject: Codes  # which of `MissedQuestion.subjects`
    event: Days  # NO_DAY if it is not known
    reason: Codes  # index into `Reasons.texts`
    alone: Mask  # the sentence is of this contact only
    judge: Mask  # the sentence says whether it is missed: a row may be on its way
    fact_1: Ids
    fact_2: Ids
    fact_3: Ids
    fact_4: Ids
    fact_5: Ids


Facts = npt.NDArray[Any] | int


def missing(
    contact_id: Ids,
    what: int,
    at: Index,
    subject: int | Codes,
    reason: int | Codes,
    *facts: Facts,
    event: Days | int = NO_DAY,
    alone: Mask | bool = False,
    judge: Mask | bool = False,
) -> Missing:
    """Return missed messages, from columns or from values for all rows."""
    size = len(contact_id)

    def column(values: Facts | bool, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
        return np.broadcast_to(np.asarray(values).astype(dtype), (size,)).copy()

    given = [*facts, *(0,) * (FACTS - len(facts))]
    columns = {f"fact_{n}": column(fact, np.int64) for n, fact in enumerate(given, start=1)}
    return Missing(
        contact_id=contact_id,
        what=column(what, np.int8),
        at=np.asarray(at, np.intp),
        subject=column(subject, np.int32),
        event=column(event, np.int32),
        reason=column(reason, np.int32),
        alone=column(alone, np.bool_),
        judge=column(judge, np.bool_),
        **columns,
    )


class Reasons:
    """The reasons by code: skip reasons as the run numbers them, then OTHER_REASONS."""

    def __init__(self, kind_table: KindTable) -> None:
        self.texts = [*kind_table.reasons, *OTHER_REASONS]
        self.skips = [*kind_table.skip_reasons, *(None,) * len(OTHER_REASONS)]
        first = len(kind_table.reasons)
        self._codes = {text: first + n for n, text in enumerate(OTHER_REASONS)}

    def code(self, text: str) -> int:
        """Return the code of one of OTHER_REASONS."""
        return self._codes[text]
