"""What a merge asks of the whole database."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import pyarrow as pa

from almanac.config_contacts import ContactColumns
from almanac.contact_ranges import EVERYONE
from almanac.database.contact_columns import unknown_flags
from almanac.database.occupancy import CountedDays
from almanac.database.oddities import Oddities
from almanac.database.range_tables import LEGACY
from almanac.database.reading import Snapshot
from almanac.database.suppressions import Scope
from almanac.frames import NO_DAY, Ids
from almanac.joins import positions
from almanac.planning.campaigns import legacy_triggers
from almanac.report.lines import SharedAddresses
from almanac.runs.questions import Ask
from almanac.runs.run_plan import RunPlan
from almanac.statistics.breakdowns import entries_in_force
from almanac.statistics.change_reasons import PlanBefore, plan_before
from almanac.statistics.shared_addresses import shared_addresses_of


@dataclass(frozen=True)
class DatabaseFacts:
    """What the summary and the last check of a run need to know of the whole database."""

    before: PlanBefore
    suppressions: Counter[str]  # entries in force on as_of, by skip reason
    suppressed: dict[Scope, Ids]  # see `suppressed_contacts.by_scope`
    unknown_targets: int
    oddities: Oddities
    shared_addresses: SharedAddresses | None  # of a run over all contacts
    scheduled_by_others: int  # rows of older schedulers that block their events
    unknown_flags: list[str]  # configured opt-out and consent columns that do not exist, in words
    likely_columns: dict[str, str]  # see `almanac.database.likely_columns`


@dataclass(frozen=True)
class Questions:
    """What has been asked; each function waits for its answer."""

    counted: Callable[[], CountedDays]  # from as_of on
    campaigns: Callable[[], pa.Table]  # COMMITTED_CAMPAIGNS_SCHEMA, from T0 on
    facts: Callable[[], DatabaseFacts]


def ask_database(ask: Ask, plan: RunPlan) -> Questions:
    """Ask what balancing needs first, and then the facts."""
    as_of, t0 = plan.as_of.isoformat(), plan.t0.isoformat()
    return Questions(
        counted=ask(lambda snapshot: snapshot.counted_days(as_of)),
        campaigns=ask(lambda snapshot: snapshot.committed_campaigns(t0)),
        facts=_ask_for_facts(ask, plan),
    )


def _ask_for_facts(ask: Ask, plan: RunPlan) -> Callable[[], DatabaseFacts]:
    """Return what waits for the facts; each is a question of its own, the long ones first."""
    settings = plan.context.config.contacts
    day = plan.as_of.isoformat()
    addresses = shared_addresses_of if plan.of_all_contacts else lambda snapshot, settings: None
    legacy = plan.context.legacy_instance is not None
    shared = ask(lambda snapshot: addresses(snapshot, settings))
    suppressed = ask(lambda snapshot: snapshot.suppressed(day, settings))
    before = ask(lambda snapshot: plan_before(snapshot, plan.total_contacts))
    entries = ask(lambda snapshot: entries_in_force(snapshot.suppressions(), plan.as_of))
    targets = ask(lambda snapshot: snapshot.unknown_targets(settings))
    converted = ask(lambda snapshot: _converted(snapshot, settings) if legacy else 0)
    oddities = ask(lambda snapshot: snapshot.oddities(settings))
    by_others = ask(lambda snapshot: snapshot.scheduled_by_others(day, settings))
    flags = ask(lambda snapshot: unknown_flags(snapshot.contact_columns(settings), settings))
    likely = ask(lambda snapshot: snapshot.likely_columns(settings))
    return lambda: DatabaseFacts(
        before=before(),
        suppressions=entries(),
        suppressed=suppressed(),
        unknown_targets=targets() + converted(),
        oddities=oddities(),
        shared_addresses=shared(),
        scheduled_by_others=by_others(),
        unknown_flags=flags(),
        likely_columns=likely(),
    )


def _converted(snapshot: Snapshot, settings: ContactColumns) -> int:
    """Count the old rate increases of unknown contacts, which the migration makes targets."""
    legacy = snapshot.read(LEGACY, EVERYONE)
    trigger = legacy_triggers(legacy)
    if not (trigger != NO_DAY).any():
        return 0
    ids = snapshot.contact_ids(settings)
    known = positions(ids, legacy["contact_id"].to_numpy()) >= 0
    lost = (trigger != NO_DAY) & ~known
    contacts = legacy["contact_id"].to_numpy()[lost]
    return len(set(zip(contacts.tolist(), trigger[lost].tolist(), strict=True)))
