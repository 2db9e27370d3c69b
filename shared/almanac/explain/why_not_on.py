"""Why not on this day: for each message, the first rule that prevents it from being sent on the day
(semantics: Contacts, Windows, Sifting, Target, Daily cap)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from typing import Literal

from almanac import civil
from almanac.errors import RequestError
from almanac.explain.case import Case, lowered
from almanac.explain.chosen_day import caps_of, closed_on
from almanac.explain.frequency import limits_of, sets_hi, waits
from almanac.explain.model import (
    Absence,
    CommittedMessage,
    DayAnswer,
    DayExplanation,
    Decision,
    ExplainedMessage,
    Input,
)
from almanac.explain.windows import excluded_day, excluded_inputs
from almanac.plurals import plural
from almanac.rules.windows import exclusion_reason
from almanac.schedule_status import SkipCode

Answer = tuple[Literal["planned", "allowed", "no room", "not allowed"], Decision]
NEAREST_FIRST = ("planned", "allowed", "no room", "not allowed")


def on_day(
    case: Case,
    date: dt.date,
    email_type: str | None,
    messages: Sequence[ExplainedMessage],
    committed: Sequence[CommittedMessage],
    absent: Sequence[Absence],
) -> DayExplanation:
    """Return what the contact gets on the day and what not, the nearest first; without a verdict.

    `messages` are in the order of the plan's drafts. `email_type` selects those of one type;
    RequestError if no such type exists.
    """
    if email_type is not None:
        _check_type(case, email_type, absent)
    answers: list[tuple[int, DayAnswer]] = []
    for row, message in enumerate(messages):
        if email_type in (None, message.email_type):
            answer, decision = _answer(case, row, message, date, messages)
            found = DayAnswer(
                **dict(decision),
                email_type=message.email_type,
                name=message.name,
                event_date=message.event_date,
                answer=answer,
            )
            answers.append((abs((message.ideal_date - date).days), found))
    answers.sort(key=lambda pair: (NEAREST_FIRST.index(pair[1].answer), pair[0]))
    return DayExplanation(
        day=date,
        verdict="",
        excluded=_excluded(case, civil.day_of(date)),
        closed=closed_on(case, civil.day_of(date)),
        load=case.occupancy.on(str(date)),
        committed=[
            row
            for row in committed
            if date in (row.scheduled_send_date, row.sent_date)
            and row.email_type.lower().startswith(email_type or "")
        ],
        messages=[answer for _, answer in answers],
        absent=[each for each in absent if _is_of(each, email_type)],
    )


def _excluded(case: Case, day: int) -> Decision | None:
    """Return why the rules exclude the day for messages that respect windows, if they do."""
    cause = case.cause(day) if case.eligible else 0
    if not cause:
        return None
    reason: dict[str, Input] = {"reason": exclusion_reason(cause, case.state or "").text}
    return Decision(
        step="Exclusion",
        section="Windows",
        why=excluded_day(case, day),
        inputs=reason | excluded_inputs(case, day),
    )


def _check_type(case: Case, email_type: str, absent: Sequence[Absence]) -> None:
    known = sorted(
        {kind.email_type for kind in case.kind_table.kinds} | {a.email_type for a in absent}
    )
    if email_type not in known:
        raise RequestError(
            f"--type: {email_type!r} is not a message type here; expected one of {', '.join(known)}"
        )


def _is_of(absence: Absence, email_type: str | None) -> bool:
    followup = absence.email_type == "followup" and (email_type or "").startswith("followup")
    return email_type in (None, absence.email_type) or followup


def _answer(
    case: Case,
    row: int,
    message: ExplainedMessage,
    date: dt.date,
    messages: Sequence[ExplainedMessage],
) -> Answer:
    if message.day == date:
        return "planned", message.last
    for found in _obstacles(case, row, message, date, messages):
        return "not allowed", found
    return _allowed(case, message, date)


def _obstacles(
    case: Case,
    row: int,
    message: ExplainedMessage,
    date: dt.date,
    messages: Sequence[ExplainedMessage],
) -> Iterator[Decision]:
    """Yield the rules that prevent the message on the day, in their order."""
    day, sifted = civil.day_of(date), case.plan.sifted
    deadline = int(case.plan.drafts.deadline[row])
    if case.skip_code(row) is SkipCode.SUPPRESSED:
        yield message.last
    if day < case.limits.t0:
        first = civil.date_of(case.limits.t0)
        why = f"The day is past: the first send date is {first}."
        yield Decision(step="T0", section="Sifting", why=why, inputs={"T0": first})
    if day > deadline:
        last = civil.date_of(deadline)
        why = f"The day is after its deadline, {last}."
        yield Decision(step="Deadline", section="Candidates", why=why, inputs={"deadline": last})
    if case.reason(row):
        why = f"It is skipped on every day: {lowered(message.last.why)}"
        yield message.last.model_copy(update={"why": why})
    respects = case.respects_windows(row)
    if respects and case.cause(day):
        yield Decision(
            step="Exclusion",
            section="Windows",
            why=f"It is not sent on that day: {excluded_day(case, day)}.",
            inputs=excluded_inputs(case, day),
        )
    start, latest, lo = int(sifted.start[row]), int(sifted.latest[row]), int(sifted.lo[row])
    if day > latest:
        yield _between(case, latest + 1, start, day)
    if day < lo:
        yield _too_early(case, row, lo)
    if day < sifted.floor[row]:
        yield _between(case, _excluded_before(case, day, start), start, day)
    if day > sifted.hi[row]:
        yield _after_hi(case, row)
    closed = closed_on(case, day)
    if closed is not None:
        yield closed
    other = _other_campaign(case, row, date, messages)
    if other is not None:
        yield other
    load = case.occupancy.on(str(date))
    if load is not None and load >= case.limits.ceiling:
        yield Decision(
            step="Daily cap",
            section="Daily cap",
            why=f"The day is full: it has {plural(load, 'message')}, and the ceiling is "
            f"{case.limits.ceiling:,}.",
            inputs=caps_of(case) | {"load now": load},
        )


def _excluded_before(case: Case, day: int, start: int) -> int:
    """Return the last excluded day between a day and the start, which is later."""
    return next((each for each in range(start - 1, day, -1) if case.cause(each)), day)


def _between(case: Case, excluded: int, start: int, day: int) -> Decision:
    first, last = civil.text_of(min(start, day)), civil.text_of(max(start, day))
    return Decision(
        step="Exclusion between",
        section="Sifting",
        why=f"Excluded days lie between {first} and {last}: {excluded_day(case, excluded)}, and a "
        "message is not moved across such days.",
        inputs={**excluded_inputs(case, excluded), "start": civil.date_of(start)},
    )


def _too_early(case: Case, row: int, lo: int) -> Decision:
    ideal = civil.date_of(case.plan.drafts.ideal[row])
    why = f"It is due on {ideal}, and not sent earlier."
    if civil.date_of(lo) < ideal:
        why = f"It is due on {ideal}, and not sent earlier than {civil.date_of(lo)}."
    if waits(case, row):
        why = f"It is due on {ideal}, and waits for the frequency limit until {civil.date_of(lo)}."
    return Decision(
        step="Range",
        section="Sifting",
        why=why,
        inputs={"ideal date": ideal, "lo": civil.date_of(lo)},
    )


def _after_hi(case: Case, row: int) -> Decision:
    hi, later = civil.date_of(case.plan.sifted.hi[row]), sets_hi(case, row)
    limits, inputs = case.context.config.frequency, limits_of(case) | {"hi": hi}
    why = f"It must be sent by {hi}"
    if later is not None:
        why += (
            f", to leave room for {later.message.message}, due on {later.message.day}: at most "
            f"{plural(limits.max_emails, 'message')} in {plural(limits.period_days, 'day')}"
        )
        inputs["hi set by"] = [later.message]
    return Decision(step="Range", section="Sifting", why=f"{why}.", inputs=inputs)


def _other_campaign(
    case: Case, row: int, date: dt.date, messages: Sequence[ExplainedMessage]
) -> Decision | None:
    """Return that another campaign message of the contact is on the day, if this is one."""
    if not case.kind(row).is_campaign:
        return None
    names = [
        f"{each['email_type']} (row {each['id']}, {each['status'] or 'no status'})"
        for each in case.committed
        if each["email_type"].lower().startswith("campaign_")
        and civil.parse_date(each["scheduled_send_date"]) == date
    ]
    names += [
        other.name
        for at, other in enumerate(messages)
        if at != row and case.kind(at).is_campaign and other.day == date
    ]
    if not names:
        return None
    inputs: dict[str, Input] = {"on that day": ", ".join(names)}
    return Decision(
        step="Campaigns on one day",
        section="Daily cap",
        why=f"{names[0]} is on that day, and two campaign messages of a contact never share a day.",
        inputs=inputs,
    )


def _allowed(case: Case, message: ExplainedMessage, date: dt.date) -> Answer:
    """Return why a message that may be sent on the day is on another, or on none."""
    load = case.occupancy.on(str(date))
    inputs: dict[str, Input] = {**caps_of(case), "load now": load}
    last = message.last.model_copy(update={"inputs": message.last.inputs | inputs})
    if message.day is not None:
        chosen = f"the run chose {message.day}. {message.last.why}"
    elif message.outcome == "skipped":
        chosen = f"the last run found no day for it. {message.last.why}"
    else:
        chosen = "the next run chooses the day."
    if load is not None and load >= case.limits.cap:
        why = (
            f"There is no room on that day: it has {plural(load, 'message')}, and the daily cap is "
            f"{case.limits.cap:,}; {chosen}"
        )
        update = {"why": why, "step": "Daily cap", "section": "Daily cap"}
        return "no room", last.model_copy(update=update)
    return "allowed", last.model_copy(update={"why": f"It could be sent on that day; {chosen}"})
