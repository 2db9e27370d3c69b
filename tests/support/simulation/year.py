"""A year in the life of an agency: each day something happens, a run plans, a sender sends."""

from __future__ import annotations

import datetime as dt
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from almanac.config import load_config
from almanac.contact_ranges import ContactRange
from almanac.runs.local import run_file
from almanac.runs.run_options import RunOptions
from tests import oracle
from tests.oracle.settings import Config
from tests.support import agencies
from tests.support.agreement import differences, expected_rows, planned_rows
from tests.support.outside import schedules
from tests.support.simulation.ledger import Ledger, Look, Rows
from tests.support.simulation.life import Life, add_arms, contact_records, found
from tests.support.simulation.sender import Sender

STEPS = [  # where a run can be stopped: before anything is decided, and until the commit
    ("plan contacts", 0),
    ("plan contacts", 1),
    ("read fragments", 1),
    ("balance", 1),
    ("write", 1),
    ("index", 0),
    ("index", 1),
]


TIGHT = {
    "load_balancing": {"daily_send_percentage_cap": 0.02, "overage_threshold": 1.1},
    "frequency": {"max_emails": 2, "period_days": 30},
}


class Sabotage(Exception):
    """What stops a run that is to fail."""


@dataclass(frozen=True)
class Plan:
    """What kind of year it is."""

    seed: int
    contacts: int
    days: int = 400
    schema: str = "old"
    failures: bool = False
    compare_every: int = 1  # days
    closed: Sequence[str] = ()  # weekdays
    new_rule: bool = False  # a state gets a rule that is law from the middle of the year on
    tight: bool = False  # little room, and a campaign in arms with several dates a contact

    @property
    def start(self) -> dt.date:
        return agencies.as_of_for(self.seed)


@dataclass
class Year:
    """One agency's year while it goes by."""

    plan: Plan
    path: Path
    ledger: Ledger = field(default_factory=Ledger)
    happened: Counter[str] = field(default_factory=Counter)

    def live(self) -> None:
        """Let it go by; whatever breaks a promise fails."""
        plan = self.plan
        self.ledger.daily = plan.compare_every == 1
        self._rng = random.Random(f"year:{plan.seed}")
        self._configure(found(self.path, plan.seed, plan.contacts, plan.schema, plan.start))
        if plan.tight:
            add_arms(self.path, plan.start)
        self.life, self.sender = Life(self.path, plan.seed), Sender(self.path, plan.seed)
        for number in range(plan.days):
            self._day(plan.start + dt.timedelta(days=number), number)
        # the last word on everything that is over: a run on a day on which all goes well
        self._run(plan.start + dt.timedelta(days=plan.days), late=False, compare=True)

    def _day(self, day: dt.date, number: int) -> None:
        compare = number % self.plan.compare_every == 0
        news = self.life.morning(day)
        self.ledger.news.merge(news)
        self.ledger.news.mails |= self.sender.finish(day)
        if number == 200:  # the operator thinks again
            self._configure(agencies.config_for(self.plan.seed + 1))
            self.ledger.news.rules = True
        planned = not self._one_in(9) or not self.plan.failures
        if planned:
            self._run(day, late=False, compare=compare)
            if news.campaigns and news.contacts:
                self._run(day, late=False, compare=compare, scope=news.contacts)
        elif self._one_in(3):
            self.happened["days without a run"] += 1
        else:
            self._fail(day)
        self._send(day, planned)
        if self._one_in(25):
            self.happened["evening runs"] += 1
            self.ledger.evenings.add(day)
            self._run(day, late=True, compare=compare)
        self.ledger.news.merge(self.life.evening(day))

    def _configure(self, config: Config) -> None:
        if self.plan.tight:
            config = config | TIGHT
        if self.plan.closed:
            closed = {"closed": {"weekdays": list(self.plan.closed)}}
            config = config | {"load_balancing": config.get("load_balancing", {}) | closed}
        if self.plan.new_rule:
            middle = self.plan.start + dt.timedelta(days=self.plan.days // 2)
            rule = {"kind": "birthday_window", "before": 10, "after": 20, "valid_from": str(middle)}
            config = config | {"state_rules": config.get("state_rules", {}) | {"TX": rule}}
        self.config = config
        self._loaded = load_config(yaml.safe_dump(config))

    def _one_in(self, n: int) -> bool:
        return self._rng.randrange(n) == 0

    def _send(self, day: dt.date, planned: bool) -> None:
        share = 1.0
        if self.plan.failures and self._one_in(10):
            share = self._rng.choice([0.0, 0.0, 0.5])
            self.happened["days on which the sender failed"] += 1
            self.ledger.broken.add(day)
        done = self.sender.send(day, share)
        assert not done or f"{day:%a}".lower() not in self.plan.closed
        stands = by_id(self.path)
        for row in done:
            self.happened["sent"] += 1
            self.ledger.was_sent(day, row, stands, planned_today=planned)

    def _options(self, day: dt.date, late: bool, scope: set[int] | None) -> RunOptions:
        return RunOptions(
            as_of=day,
            now=dt.datetime.combine(day, dt.time(23, 59)) if late else None,
            shards=3 if self._one_in(10) else 1,
            workers=1,
            scope=None if scope is None else [ContactRange(one, one) for one in sorted(scope)],
        )

    def _run(self, day: dt.date, late: bool, compare: bool, scope: set[int] | None = None) -> None:
        """A run, compared with the oracle's plan, and entered in the ledger."""
        found = self._look(day, late, compare, scope)
        options = self._options(day, late, scope)

        def progress(step: str, done: int, total: int) -> None:
            """In the middle of it another program may write: then the run has to look again."""
            nonlocal found
            if (step, done) == ("balance", 1) and intruder.pop():
                self.happened["runs disturbed"] += 1
                self.ledger.news.merge(self.life.noon(day))
                found = self._look(day, late, compare, scope)

        intruder = [False, False, False, self.plan.failures and self._one_in(15)]
        run_file(self.path, self._loaded, options, progress)
        self.happened["runs"] += 1
        look, before, expected = found
        if expected is None:
            self.ledger.look = look
            return
        wanted = expected_rows(expected)
        there = {key: row for key, row in planned_rows(self.path).items() if key in wanted}
        wrong = differences(there, wanted)
        assert not wrong, (day, wrong[:3])
        self.ledger.planned(expected, look, before, by_id(self.path))

    def _look(
        self, day: dt.date, late: bool, compare: bool, scope: set[int] | None
    ) -> tuple[Look, Rows, oracle.Plan | None]:
        """What a run finds, and what it should come to."""
        t0 = day + dt.timedelta(days=late)
        expected = oracle.plan(self.path, day, t0, self.config, scope) if compare else None
        look = Look(day, oracle.merged(self.config), contact_records(self.path))
        return look, by_id(self.path), expected

    def _fail(self, day: dt.date) -> None:
        """A run that is stopped on its way leaves the file as it was, and nothing beside it."""
        self.happened["days on which the run failed"] += 1
        stop = self._rng.choice(STEPS)

        def progress(step: str, done: int, total: int) -> None:
            if (step, done) == stop:
                raise Sabotage(f"{step} {done}")

        options = self._options(day, False, None)
        before = self.path.read_bytes()
        try:
            run_file(self.path, self._loaded, options, progress)
        except Sabotage:
            pass
        else:
            raise AssertionError(f"the run went on after {stop}")
        assert self.path.read_bytes() == before
        assert [one.name for one in self.path.parent.iterdir()] == [self.path.name]


def by_id(path: Path) -> Rows:
    """All rows of email_schedules by id."""
    return {row["id"]: row for row in schedules(path)}
