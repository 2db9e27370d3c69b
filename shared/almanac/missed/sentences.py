"""The sentence of each missed message: that of `explain` for the first that has these facts."""

from __future__ import annotations

import numpy as np

from almanac import civil
from almanac.explain.absences import WHY_ABSENT
from almanac.explain.campaign_absences import why_no_candidate, why_no_message
from almanac.explain.case import Case
from almanac.explain.contact_facts import why_not
from almanac.explain.handled import HANDLED
from almanac.explain.messages import outcome_of
from almanac.explain.model import Decision, IssueNote
from almanac.explain.suppression import SuppressionRow, suppressed_by
from almanac.explain.targets import targets_of
from almanac.explain.windows import all_year, in_window
from almanac.missed.asked import MissedQuestion
from almanac.missed.block import ON_THE_WAY, Block
from almanac.missed.candidates import WINDOWS
from almanac.missed.rows import (
    CAMPAIGN,
    CANDIDATE,
    CONTACT,
    FACTS,
    NO_ADDRESS,
    NOT_SENT,
    TYPE,
    Missing,
    Reasons,
)
from almanac.planning.contacts import INVALID_EMAIL
from almanac.planning.suppressions import NONE
from almanac.schedule_status import SkipCode

_NAMES = ("what", "subject", "reason", *(f"fact_{n}" for n in range(1, FACTS + 1)))


class Sentences:
    """The sentences that were said already, by what they depend on."""

    def __init__(self, asked: MissedQuestion, reasons: Reasons) -> None:
        self._asked = asked
        self._reasons = reasons
        self._said: dict[tuple[int, ...], str] = {}
        self._case: tuple[Block, int, Case] | None = None  # the last one

    def judged(self, block: Block, found: Missing) -> Missing:
        """Return those that are missed, where the contact's own rows decide it."""
        on_their_way, reason = np.zeros(len(found), np.bool_), found.reason.copy()
        for row in np.flatnonzero(found.judge).tolist():
            decision = self._decision(block, found, row)
            if decision.step == HANDLED:
                on_their_way[row] = decision.inputs.get("status") in ON_THE_WAY
                reason[row] = self._reasons.code(NOT_SENT)
        found.reason[:] = reason
        return found.take(~on_their_way)

    def of(self, block: Block, found: Missing) -> list[str]:
        """Return the sentence of each message."""
        facts = np.stack([getattr(found, name).astype(np.int64) for name in _NAMES])
        alone = np.where(found.alone, np.arange(len(found)), -1)
        keys, first, each = np.unique(
            np.vstack([facts, alone]), axis=1, return_index=True, return_inverse=True
        )
        texts = []
        for key, row in zip(keys.T.tolist(), first.tolist(), strict=True):
            if key[-1] >= 0:
                texts.append(self._sentence(block, found, row))
            else:
                known = tuple(key)
                if known not in self._said:
                    self._said[known] = self._sentence(block, found, row)
                texts.append(self._said[known])
        return [texts[at] for at in each.ravel().tolist()]

    def _sentence(self, block: Block, found: Missing, row: int) -> str:
        if found.what[row] == CONTACT:
            reason = self._reasons.texts[found.reason[row]]
            issues = [INVALID_EMAIL] if reason == NO_ADDRESS else []
            notes = [IssueNote(issue=issue, detail="", advice="") for issue in issues]
            table = block.row_of(int(found.contact_id[row]))
            return why_not(table, block.basis.context, notes)
        if found.what[row] == CANDIDATE and not found.alone[row]:
            said = self._by_facts(block, found, row)
            if said is not None:
                return said
        return self._decision(block, found, row).why

    def _by_facts(self, block: Block, found: Missing, row: int) -> str | None:
        """Return the sentence of a suppression or an excluded day, without the contact's case:
        there are thousands."""
        skip = self._reasons.skips[found.reason[row]]
        if skip is not None and skip.code is SkipCode.SUPPRESSED:
            at, kind = int(found.fact_1[row]), block.basis.kind_table.kinds[found.fact_2[row]]
            by = None if at == NONE else SuppressionRow(block.basis.suppressions[at])
            return suppressed_by(by, skip, kind.email_type).why
        if skip is None or skip.code not in (SkipCode.YEAR_ROUND, *WINDOWS):
            return None
        day = civil.text_of(int(found.fact_2[row]))
        if skip.code is SkipCode.YEAR_ROUND:
            return f"{all_year(skip.detail, day)}."
        return in_window(
            block.basis.context,
            skip.detail,
            "ideal date" if found.fact_1[row] else "first possible day",
            day,
            (civil.date_of(int(found.fact_3[row])), civil.date_of(int(found.fact_4[row]))),
            made_up=bool(found.fact_5[row]),
        )

    def _decision(self, block: Block, found: Missing, row: int) -> Decision:
        """Return what decides about a message of a contact that can get messages."""
        case, at = self._case_of(block, int(found.contact_id[row])), int(found.at[row])
        subject = self._asked.subjects[found.subject[row]]
        what = found.what[row]
        if what == CANDIDATE:
            first = int(np.searchsorted(block.plan.drafts.contact, block.plan.drafts.contact[at]))
            return outcome_of(case, at - first)[2]
        if what == TYPE:
            return WHY_ABSENT[subject.email_type](case)
        assert subject.instance is not None, "targets are of campaigns"
        if what == CAMPAIGN:
            return why_no_candidate(case, subject.instance)
        row_id = block.data.targets["id"][at].as_py()
        target = next(t for t in targets_of(case, subject.instance) if t.row_id == row_id)
        return why_no_message(case, subject.instance, target)

    def _case_of(self, block: Block, contact_id: int) -> Case:
        last = self._case
        if last is None or last[0] is not block or last[1] != contact_id:
            position = int(block.positions(np.array([contact_id], np.int64))[0])
            last = self._case = (block, contact_id, block.case(position))
        return last[2]
