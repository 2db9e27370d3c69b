"""What came of an agency's messages (docs/results.md)."""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter
from dataclasses import dataclass

import numpy as np

from almanac import civil
from almanac.config import Config
from almanac.database.result_rows import ResultRows
from almanac.database.sources import Source
from almanac.errors import InputError
from almanac.frames import NO_DAY, Ids, Index
from almanac.joins import positions
from almanac.organizations.agency_database import AgencyDatabase, FileDatabase
from almanac.planning.brief import Instance, make_run_context
from almanac.progress import Progress
from almanac.report.results import Note, Results
from almanac.results import counting
from almanac.results.attribution import (
    Attributed,
    Period,
    SentIndex,
    attribute,
    last_for_each,
)
from almanac.results.collect import (
    Asked,
    Collected,
    ContactActivity,
    activity_of,
    collect,
    collect_live,
)
from almanac.results.deliverability import warnings_of
from almanac.results.messages import SentOrPlanned, read_messages, status_notes
from almanac.results.split_groups import split_groups
from almanac.statistics.steady import read_steadily

DAYS = 365  # by default
WITHIN = 7
LONGEST = 366  # days after a message
_UNSUBSCRIBES = re.compile(r"unsubscri|opt(ed)?out")


@dataclass(frozen=True)
class ResultsRequest:
    """Which messages are counted: those of the days from first to last."""

    first: dt.date
    last: dt.date
    within: int = WITHIN  # days after a message on which what a contact does counts for it

    def check(self) -> None:
        """Raise InputError for days that cannot be."""
        if self.first > self.last:
            raise InputError(f"--from: {self.first} is after --to, {self.last}")


def days_until(last: dt.date) -> ResultsRequest:
    """Return the request for the DAYS days that end on a day."""
    return ResultsRequest(last - dt.timedelta(days=DAYS - 1), last)


def results_of(
    agency: AgencyDatabase, config: Config, request: ResultsRequest, progress: Progress
) -> Results:
    """Return what came of the messages. Raises as `AgencyDatabase.open`, and InputError."""
    request.check()
    if isinstance(agency, FileDatabase):
        return read_steadily(
            agency.path,
            lambda source: _read(source, config, request, progress, live=True),
            lambda source: _read(source, config, request, progress, live=False),
        )
    with agency.open(whole=True) as source:
        return _read(source, config, request, progress, live=False)


def _read(
    source: Source, config: Config, request: ResultsRequest, progress: Progress, *, live: bool
) -> Results:
    rows = ResultRows(source)
    instances = _instances(rows, config, request.last)
    splits = [each for each in instances if each.split is not None]
    reasons = Counter(rows.suppressions()["reason"].to_pylist())
    asked = Asked(
        first=str(request.first),
        last=str(request.last),
        settings=config.contacts,
        carriers=any(each.target_carriers is not None for each in splits),
        reasons=tuple(sorted(reason for reason in reasons if _unsubscribes(reason))),
        listed=tuple(each.id for each in splits if not each.target_all_contacts),
    )
    if live:
        collected = collect_live(source.path, rows, asked, progress)
    else:
        collected = collect(rows, asked, progress)
    other = [
        Note(what=f"suppressions for {reason[:40]!r}: not counted as unsubscribed", rows=count)
        for reason, count in sorted(reasons.items())
        if not _unsubscribes(reason)
    ]
    found = _results(collected, instances, request)
    warnings = warnings_of(found, config.deliverability)
    return found.model_copy(update={"notes": [*found.notes, *other], "warnings": warnings})


def _instances(rows: ResultRows, config: Config, as_of: dt.date) -> list[Instance]:
    context = make_run_context(
        as_of=as_of,
        t0=as_of,
        config=config,
        campaign_types=rows.campaign_types(),
        campaign_instances=rows.campaign_instances(),
    )
    return context.instances


def _unsubscribes(reason: str) -> bool:
    """Return whether a suppression for the reason is a contact's own wish."""
    return _UNSUBSCRIBES.match(re.sub(r"[\W_]", "", reason.lower())) is not None


def _results(collected: Collected, instances: list[Instance], request: ResultsRequest) -> Results:
    messages, kinds, notes = read_messages(collected.messages, instances)
    first, last = civil.day_of(request.first), civil.day_of(request.last)
    period = Period(first, last, request.within)
    index = SentIndex(messages, _active(collected))
    answers = activity_of(collected.answers)
    yes = collected.answers["yes"].to_numpy() != 0
    clicked, of_clicks = attribute(index, messages, collected.clicks, period, "clicks")
    answered, of_answers = attribute(index, messages, answers, period, "answers")
    left, of_left, leavers = _unsubscribed(collected, index, messages, period)
    complaints, of_complaints = _complaints(collected, index)
    followed: dict[str, Index] = {
        "complaints": complaints,
        "clicked": clicked.message,
        "answered": answered.message,
        "yes": answered.message[yes[answered.row]],
        "unsubscribed": left.message,
    }
    of_period = period.has(messages.day)
    found = counting.outcomes(messages, of_period, followed)
    of_kind = found.by(messages.kind, len(kinds))
    odd = int(collected.answers["odd"].to_numpy().sum())
    activities = {
        "answered": answers,
        "yes": ContactActivity(answers.contact[yes], answers.day[yes], answers.named[yes]),
        "unsubscribed": leavers,
    }
    notes += [
        *status_notes(of_kind["planned"], kinds),
        *of_complaints,
        *of_clicks,
        *of_answers,
        Note(what="answers whose metadata is no JSON: counted as no", rows=odd),
        *of_left,
    ]
    return Results(
        first=request.first,
        last=request.last,
        within_days=request.within,
        total=counting.total(of_kind),
        by=counting.count_all(found, of_kind, kinds, collected.people, instances),
        groups=split_groups(
            instances,
            messages,
            kinds,
            followed,
            activities,
            collected.people,
            collected.targeted,
            period,
        ),
        notes=[note for note in notes if note.rows],
    )


def _active(collected: Collected) -> Ids:
    """Return the contacts that did something which may belong to a message."""
    tables = (collected.answers, collected.unsubscribed, collected.addressed)
    others = [table["contact_id"].to_numpy() for table in tables]
    return np.concatenate([collected.clicks.contact, *others])


def _complaints(collected: Collected, index: SentIndex) -> tuple[Index, list[Note]]:
    """Return the sent messages that are marked so, and how many others are."""
    message = index.with_id(collected.complaints)
    what = "complaints about messages that are not sent, or do not exist: not counted"
    return message[message >= 0], [Note(what=what, rows=int((message < 0).sum()))]


def _unsubscribed(
    collected: Collected, index: SentIndex, messages: SentOrPlanned, period: Period
) -> tuple[Attributed, list[Note], ContactActivity]:
    """Return the suppressions that count as unsubscribed, each once, and who unsubscribed when."""
    rows, addressed = collected.unsubscribed, collected.addressed
    numbers, days = rows["number"].to_numpy(), civil.parse_dates(rows["since"])
    order = np.argsort(numbers, kind="stable")
    place = order[positions(numbers[order], addressed["number"].to_numpy())]
    named = np.flatnonzero(rows["contact_id"].to_numpy() != 0)
    contact = np.concatenate(
        [rows["contact_id"].to_numpy()[named], addressed["contact_id"].to_numpy()]
    )
    source = np.concatenate([named, place])
    missing = np.setdiff1d(np.arange(len(numbers)), source)
    source = np.concatenate([source, missing])
    contact = np.concatenate([contact, np.zeros(len(missing), np.int64)])
    every = ContactActivity(contact, days[source], np.zeros(len(source), np.int64))
    chosen = last_for_each(numbers[source], messages, index.message_of(every)[0])
    mine = ContactActivity(every.contact[chosen], every.day[chosen], every.named[chosen])
    found, notes = attribute(index, messages, mine, period, "unsubscriptions")
    known = every.day != NO_DAY
    return found, notes, ContactActivity(every.contact[known], every.day[known], every.named[known])
