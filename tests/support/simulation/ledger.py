"""The book of every live event: what became of it, and whether that is as promised."""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

from tests import oracle
from tests.oracle import parse_date
from tests.oracle.candidates import ANNIVERSARY_DAYS, CAMPAIGN_DAYS
from tests.oracle.contacts import FIVE_ZIPS, read_contact
from tests.support.outside import (
    Record,
    counts,
    date_of,
    identity,
    is_campaign,
    is_followup,
    is_planned,
)
from tests.support.promises import Identity
from tests.support.simulation.life import News

EXPIRED = "Not sent by its deadline"
Rows = dict[int, Record]


@dataclass(frozen=True)
class Look:
    """What a run knew: the contacts, and the configuration."""

    as_of: dt.date
    config: dict[str, Any]
    contacts: dict[int, Record]
    suppressions: list[Record] = field(default_factory=list)

    def excluded(self, contact_id: int, day: dt.date) -> str | None:
        """Why an exclusion keeps a day free of emails to a contact."""
        record = self.contacts[contact_id]
        return read_contact(record, self.config, self.as_of, [], FIVE_ZIPS)[0].excluded(day)


@dataclass
class Ledger:
    """All live events (candidates of the oracle), from the day that each is first seen.

    An event is over when it is no candidate any more. Then it has been sent, or its row says why
    it was not, or it was withdrawn since the agency is no longer what it was.
    """

    daily: bool = True  # compared after every run: what is live is never out of date
    live: dict[Identity, oracle.Row] = field(default_factory=dict)
    over: Counter[str] = field(default_factory=Counter)  # how events ended, and how often
    seen: set[Identity] = field(default_factory=set)
    sent: dict[tuple[Any, ...], dt.date] = field(default_factory=dict)
    look: Look | None = None  # of the last run
    news: News = field(default_factory=News)  # since the last comparison
    evenings: set[dt.date] = field(default_factory=set)  # days of runs after the send time
    broken: set[dt.date] = field(default_factory=set)  # days on which the sender failed
    waited: set[Identity] = field(default_factory=set)  # for the frequency limit, beyond the ideal

    def planned(self, plan: oracle.Plan, look: Look, before: Rows, after: Rows) -> None:
        """A run is over: its rows against the last run's and against the rules."""
        self._check_committed(before, after)
        expected = {
            (row.contact_id, row.email_type, row.campaign_instance_id or 0, row.event_date): row
            for row in plan.rows
        }
        in_scope = [row for row in after.values() if row["contact_id"] in plan.scope]
        self._check_dates(in_scope, expected, plan)
        gone = {
            key: row
            for key, row in self.live.items()
            if key not in expected and (key[0] in plan.scope or key[0] not in look.contacts)
        }
        rows = {identity(row): row for row in in_scope if row.get("ideal_send_date")}
        committed: dict[int, list[Record]] = defaultdict(list)
        for row in after.values():
            if not is_planned(row):
                committed[row["contact_id"]].append(row)
        for key, last in gone.items():
            end = self._end(key, last, plan, rows.get(key), committed[key[0]], gone)
            self.over[end] += 1
            del self.live[key]
        self.live |= expected
        self.seen |= expected.keys()
        self.waited |= {
            key
            for key, row in expected.items()
            if row.lo is not None and row.lo > row.ideal_send_date
        }
        self.look = look
        if plan.scope >= look.contacts.keys():
            self.news = News()

    def _check_committed(self, before: Rows, after: Rows) -> None:
        """The sender's rows are what they were, and no others have become the sender's."""
        stood = {key: row for key, row in before.items() if not is_planned(row)}
        stands = {key: row for key, row in after.items() if not is_planned(row)}
        assert stands.keys() == stood.keys()
        for key, row in stood.items():
            assert {name: stands[key][name] for name in row} == row

    def _check_dates(
        self, rows: list[Record], expected: dict[Identity, oracle.Row], plan: oracle.Plan
    ) -> None:
        """Nothing is put off behind its deadline, and nothing that is late is still planned."""
        campaigns: Counter[tuple[int, dt.date]] = Counter()
        for row in rows:
            if row["status"] != "pre-scheduled":
                continue
            send = date_of(row)
            assert send is not None
            assert plan.t0 <= send <= expected[identity(row)].deadline, row
            if is_campaign(row):
                campaigns[row["contact_id"], send] += 1
        assert not campaigns or max(campaigns.values()) == 1

    def _end(
        self,
        key: Identity,
        last: oracle.Row,
        plan: oracle.Plan,
        row: Record | None,
        committed: list[Record],
        gone: dict[Identity, oracle.Row],
    ) -> str:
        """How an event ended; one that ended without a word fails the test."""
        if key in self.sent:
            return "sent"
        reason = self._withdrawal(key, last, committed, gone)
        if last.deadline < plan.t0 and (self.daily or row is not None or reason is None):
            if row is None and self._went_unsaid(last, plan):
                return self._unsaid(last)
            assert row is not None, f"{last} is over and has vanished"
            assert row["status"] == "skipped", row
            assert row["skip_reason"], row
            if row["skip_reason"] == EXPIRED:
                self._check_broken(last)
            return f"skipped: {row['skip_reason']}"
        assert reason is not None, f"{last} was wanted until {last.deadline} and has vanished"
        return f"withdrawn: {reason}"

    def _went_unsaid(self, last: oracle.Row, plan: oracle.Plan) -> bool:
        """Whether the row went without a trace, as the rules have it (semantics: Writing): no
        longer planned, and dated on as_of or later, it is no history yet. So goes what was due on
        as_of when the run begins after the send time, and what its campaign did not live to see.
        """
        if self.daily:
            return last.scheduled_send_date >= plan.as_of
        return last.scheduled_send_date in self.evenings or last.ideal_send_date > last.deadline

    def _unsaid(self, last: oracle.Row) -> str:
        """How such an event ended."""
        if last.status == "skipped":
            return "skipped: over early"
        self._check_broken(last)
        return "unsent: due today"

    def _check_broken(self, last: oracle.Row) -> None:
        """Only a sender that failed on the day leaves an email unsent."""
        assert not self.daily or last.scheduled_send_date in self.broken, last

    def _withdrawal(
        self,
        key: Identity,
        last: oracle.Row,
        committed: list[Record],
        gone: dict[Identity, oracle.Row],
    ) -> str | None:
        """What has changed so that the rules no longer want the event."""
        contact_id, email_type = key[:2]
        if self.news.rules:
            return "the rules are others"
        if contact_id in self.news.contacts:
            return "the contact is another"
        if email_type.startswith("followup_") and contact_id in self.news.mails:
            return "the contact did something"
        if email_type.startswith("followup_") and any(self._since(row) for row in committed):
            return "another email came later"
        if any(_handles(row, last) for row in committed):
            return "sent for another event"
        if self.news.campaigns and not email_type.startswith(("birthday", "effective_date")):
            return "the campaign is another"
        if email_type == "post_window" and any(
            other[0] == contact_id and other[1].startswith("campaign_") for other in gone
        ):
            return "the campaign that it made up for is over"
        return None

    def _since(self, row: Record) -> bool:
        """Whether a row was sent after the last run, whenever that was written down."""
        assert self.look is not None
        sent = _sent_on(row)
        return sent is not None and sent > self.look.as_of

    def was_sent(self, day: dt.date, row: Record, stands: Rows, *, planned_today: bool) -> None:
        """The sender sent a row on a day: lawfully, in time, once, and not too often."""
        if self.look is None:
            return  # there was no run yet: an older scheduler planned it
        key = identity(row)
        once = _once(key, row)
        if once in self.sent:
            first = self.sent[once]
            assert self._went_with_its_parent(row, stands, first), f"{row} was sent on {first}"
        self.sent[once] = day
        self.sent[key] = day
        event = self.live.get(key)
        contact_id = key[0]
        self.news.mails.add(contact_id)
        if event is None:  # it came after the last comparison with the oracle
            return
        if not (self.news.campaigns or self.news.rules):
            if event.respects_windows:
                assert self.look.excluded(contact_id, day) is None, row
            assert day <= event.deadline, row
        others = [
            other
            for other in stands.values()
            if other["contact_id"] == contact_id
            and other["id"] != row["id"]
            and not is_planned(other)
        ]
        if planned_today:
            assert not any(_handles(other, event, surely=True) for other in others), row
        if contact_id not in self.news.contacts:
            self._check_frequency(day, row, others)

    def _went_with_its_parent(self, row: Record, stands: Rows, first: dt.date) -> bool:
        """The one follow-up that the rules send again: without a delay, the first may go out on
        the day of the email that it follows, and only what is sent after that day counts.
        """
        assert self.look is not None
        if not is_followup(row) or self.look.config["timing"]["followup_delay_days"]:
            return False
        return _sent_on(stands[_parent(row)]) == first

    def _check_frequency(self, day: dt.date, row: Record, others: list[Record]) -> None:
        assert self.look is not None
        limit = self.look.config["frequency"]
        if is_followup(row):
            return
        days = [send for other in others if counts(other) and (send := date_of(other))]
        days = sorted([*days, day])
        most = limit["max_emails"]
        for some in (days[i : i + most + 1] for i in range(len(days) - most)):
            crowded = (some[-1] - some[0]).days < limit["period_days"]
            assert not (crowded and day in some), (row, days)


def _once(key: Identity, row: Record) -> tuple[Any, ...]:
    """What is never sent twice: an event's email; of a follow-up, any to the same email."""
    if is_followup(row):
        return "followup to", _parent(row)
    return key


def _parent(row: Record) -> int:
    """The email that a follow-up follows."""
    parent: int = json.loads(row["metadata"])["initial_comm_log_id"]
    return parent


def _sent_on(row: Record) -> dt.date | None:
    return parse_date(row["actual_send_datetime"]) or date_of(row)


def _handles(row: Record, event: oracle.Row, *, surely: bool = False) -> bool:
    """Whether a committed row is the event's email, or one like it at that time.

    surely: whatever gave the trigger date. One of the target's own is handled by another email of
    its instance only if an older scheduler planned that.
    """
    send = date_of(row)
    kind = str(row["email_type"]).lower()
    if event.email_type.startswith("campaign_"):
        same = (row["event_year"], row["event_month"], row["event_day"]) == (
            event.event_date.year,
            event.event_date.month,
            event.event_date.day,
        )
        near = send is not None and abs((send - event.ideal_send_date).days) <= CAMPAIGN_DAYS
        near = near and not (surely and row.get("ideal_send_date"))
        mine = row["campaign_instance_id"] == event.campaign_instance_id
        return kind.startswith("campaign_") and mine and (same or near)
    near = send is not None and abs((send - event.ideal_send_date).days) <= ANNIVERSARY_DAYS
    return kind.startswith(event.email_type) and near and not is_followup(row)
