"""Compare a configuration with the statutory rules, and count whom that concerns."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from almanac import civil
from almanac.config import Config
from almanac.config_rules import StateRule
from almanac.contact_ranges import ContactRange
from almanac.database.range_tables import PLANNED
from almanac.database.scanning import Scan
from almanac.frames import Codes, Days
from almanac.joins import positions
from almanac.organizations.brief import run_context_of
from almanac.planning.brief import RunContext
from almanac.planning.contacts import read_contacts
from almanac.planning.kinds import KindTable
from almanac.planning.rule_text import one_rule_in_words, rule_with_limits
from almanac.progress import Progress, silent
from almanac.rulebook.model import ChangingRule, Lack, OldSource, RulesCheck
from almanac.rules.gaps import (
    RuleEvent,
    days_of,
    not_verified,
    rule_events,
    statutory,
    unprotected_days,
)
from almanac.rules.protected import distinct_contacts, protection
from almanac.rules.rule_table import RuleTable
from almanac.rules.states import USPS_STATES
from almanac.rules.windows import causes

CONTACTS = 100_000  # read at a time


@dataclass
class Concerned:
    """Counts by state of the contacts who can get messages, and of their planned ones that respect
    windows."""

    contacts: Counter[str] = field(default_factory=Counter)
    lacking: Counter[str] = field(default_factory=Counter)  # those who lack protected days
    exposed: Counter[str] = field(default_factory=Counter)  # messages on such days
    messages: Counter[tuple[str, int]] = field(default_factory=Counter)  # by state and day

    def messages_from(self, state: str, day: int) -> int:
        """Return the messages to a state's contacts from a day on."""
        return sum(
            n for (where, when), n in self.messages.items() if where == state and when >= day
        )


def check_rules(
    config: Config,
    configuration: str,
    as_of: dt.date,
    database: tuple[str, Scan] | None = None,
    progress: Progress = silent,
) -> RulesCheck:
    """Return what the configuration lacks of the statutory rules until the horizon, which rules
    change, and which sources are old.

    database: its name and what it is read from, for the counts of contacts and messages.
    """
    horizon = as_of + dt.timedelta(days=config.horizon_days)
    lacks = unprotected_days(config, as_of, horizon)
    found = None
    if database is not None:
        context = run_context_of(database[1], config, as_of, as_of, rate_increases=False)
        found = _count(database[1], context, lacks, progress)
    return RulesCheck(
        database=database[0] if database else None,
        configuration=configuration,
        rule_set=config.rule_set,
        as_of=as_of,
        horizon=horizon,
        lacks=[
            Lack(
                state=state,
                days=days,
                statutory=[rule_with_limits(rule) for rule in statutory().rules[state]],
                configured=[rule_with_limits(rule) for rule in config.rules.get(state, ())],
                contacts=found.lacking[state] if found else None,
                messages=found.exposed[state] if found else None,
            )
            for state, days in sorted(lacks.items())
        ],
        changes=[_change(event, name, found) for event, name in _events(config, as_of, horizon)],
        old_sources=[_old(state, rule, found) for state, rule in _old_rules(config, as_of)],
    )


def _events(config: Config, as_of: dt.date, horizon: dt.date) -> list[tuple[RuleEvent, str]]:
    """Return the changes of the configuration's rules, and of statutory ones that it lacks."""
    own = rule_events(config, as_of, horizon)
    others = [event for event in rule_events(statutory(), as_of, horizon) if event not in own]
    named = [(event, "configured") for event in own] + [(event, "statutory") for event in others]
    return sorted(named, key=lambda pair: (pair[0].day, pair[0].state))


def _change(event: RuleEvent, rule_set: str, found: Concerned | None) -> ChangingRule:
    return ChangingRule(
        day=event.day,
        state=event.state,
        words=event.in_words(one_rule_in_words(event.rule)),
        rule_set=rule_set,
        contacts=found.contacts[event.state] if found else None,
        messages=found.messages_from(event.state, civil.day_of(event.day)) if found else None,
    )


def _old_rules(config: Config, as_of: dt.date) -> list[tuple[str, StateRule]]:
    own = not_verified(config, as_of)
    return own + [each for each in not_verified(statutory(), as_of) if each not in own]


def _old(state: str, rule: StateRule, found: Concerned | None) -> OldSource:
    assert rule.source is not None
    assert rule.source.verified is not None
    return OldSource(
        state=state,
        id=rule.id,
        cite=rule.source.cite,
        verified=rule.source.verified,
        contacts=found.contacts[state] if found else None,
        messages=found.messages_from(state, 0) if found else None,
    )


def _count(
    scan: Scan, context: RunContext, lacks: Sequence[str] | dict[str, int], progress: Progress
) -> Concerned:
    found, kind_table = Concerned(), KindTable(context)
    lacking = np.zeros(len(USPS_STATES) + 1, np.bool_)
    lacking[[USPS_STATES.index(state) for state in lacks]] = True
    ranges = scan.contact_ranges(CONTACTS, context.config.contacts)
    for done, each in enumerate(ranges):
        progress("contacts", done, len(ranges))
        table = scan.who(each, context.config.contacts, carriers=False)
        contacts = read_contacts(table, scan.suppressions(), context, kind_table).contacts
        found.contacts.update(_by_state(contacts.state))
        some = contacts.take(lacking[contacts.state])
        found.lacking.update(_lacking(context, some.state, some.birth, some.effective))
        contact, day = _messages(scan, each, contacts.id, context, kind_table)
        state = contacts.state[contact]
        pairs, counts = np.unique(np.stack([state, day]), axis=1, return_counts=True)
        for (code, when), count in zip(pairs.T.tolist(), counts.tolist(), strict=True):
            found.messages[_name(code), when] += count
        at = lacking[state]
        contact, day, state = contact[at], day[at], state[at]
        dates = state, contacts.birth[contact], contacts.effective[contact]
        law, own = (
            causes(RuleTable(config).exclusions(*dates), day) != 0
            for config in (statutory(), context.config)
        )
        found.exposed.update(_by_state(state[law & ~own]))
    progress("contacts", len(ranges), len(ranges))
    return found


def _lacking(context: RunContext, state: Codes, birth: Days, effective: Days) -> Counter[str]:
    """Count by state the contacts who lack protected days until the horizon."""
    configs = (statutory(), context.config)
    rows, group = distinct_contacts(configs, state, birth, effective)
    days = days_of(context.as_of, context.horizon)
    law, own = (
        protection(config, state[rows], birth[rows], effective[rows], days) for config in configs
    )
    lacks = np.flatnonzero((law & ~own).any(axis=0))
    return _by_state(state[np.isin(group, lacks)])


def _messages(
    scan: Scan, contacts: ContactRange, ids: np.ndarray, context: RunContext, kinds: KindTable
) -> tuple[np.ndarray, Days]:
    """Return contact (position in ids) and day of the planned messages that respect windows, from
    as_of on."""
    planned = scan.read(PLANNED, contacts)
    day = civil.parse_dates(planned["scheduled_send_date"])
    contact = positions(ids, planned["contact_id"].to_numpy())
    types = planned["email_type"].combine_chunks()
    codes = types.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    instances = planned["campaign_instance_id"].to_numpy()
    pairs, which = np.unique(np.stack([codes, instances]), axis=1, return_inverse=True)
    names = types.dictionary.to_pylist()
    respects = np.array(
        [_respects(kinds, names[code], instance) for code, instance in pairs.T.tolist()], np.bool_
    )
    rows = np.flatnonzero(
        (planned["scheduled"].to_numpy() != 0)
        & (contact >= 0)
        & (day >= civil.day_of(context.as_of))
    )
    rows = rows[respects[which.reshape(-1)[rows]]]
    return contact[rows], day[rows]


def _respects(kinds: KindTable, email_type: str, instance: int) -> bool:
    code = kinds.kind(email_type, instance)
    return code < 0 or kinds.kinds[code].respects_windows


def _by_state(state: Codes) -> Counter[str]:
    counts = np.bincount(state + 1, minlength=len(USPS_STATES) + 1).tolist()
    return +Counter({_name(code - 1): count for code, count in enumerate(counts)})


def _name(code: int) -> str:
    return USPS_STATES[code] if code >= 0 else ""
