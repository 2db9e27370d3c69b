"""What `almanac campaign list` and `show` return: campaigns, their reach and their messages."""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict

import numpy as np

from almanac.campaigns.model import (
    CampaignList,
    CampaignShown,
    Field,
    InstanceLine,
    LoggedChange,
    Reach,
    TypeLine,
)
from almanac.campaigns.repository import Campaigns
from almanac.config import Config
from almanac.contact_ranges import cut
from almanac.database import range_tables
from almanac.database.campaigns import (
    campaign_messages,
    last_changes,
    target_counts,
    targets_of,
)
from almanac.database.opening import map_errors
from almanac.database.reading import Snapshot
from almanac.database.sources import Source
from almanac.frames import Ids
from almanac.organizations.agency_database import AgencyDatabase
from almanac.organizations.brief import run_context_of
from almanac.planning.brief import Instance, RunContext
from almanac.planning.campaigns import reached, targeted
from almanac.planning.contacts import read_contacts
from almanac.planning.history import CAMPAIGN, FOLLOWUP, classify, instance_named
from almanac.planning.instance_fields import TYPE_DEFAULTS, overrides_of, type_fields
from almanac.planning.kinds import KindTable
from almanac.planning.split import in_split
from almanac.progress import Progress
from almanac.report.lines import UNKNOWN
from almanac.rules.states import USPS_STATES
from almanac.schedule_status import SENT_STATUSES, Status

CONTACTS_PER_BATCH = 100_000
DAYS_SHOWN = 10
CHANGES_SHOWN = 10
COLUMNS = (
    "email_template",
    "sms_template",
    "active_start_date",
    "active_end_date",
    "spread_start_date",
    "spread_end_date",
    "target_states",
    "target_carriers",
    "metadata",
    "created_at",
    "updated_at",
)


def list_campaigns(
    agency: AgencyDatabase, as_of: dt.date, counted: bool, progress: Progress
) -> CampaignList:
    """Return all types and instances; `counted`: with counts of targets and messages."""
    with agency.open(whole=counted, steady=False) as source, map_errors(source.path):
        found = Campaigns.read(source.connection)
        lines = _lines(found, as_of)
        if counted:
            _count(source, lines, found.instances(as_of), as_of, progress)
    return CampaignList(
        database=agency.name,
        as_of=as_of,
        counted=counted,
        types=[_type_line(found, row) for row in found.types],
        instances=list(lines.values()),
    )


def show_campaign(
    agency: AgencyDatabase, which: str, as_of: dt.date, progress: Progress, *, counted: bool = True
) -> CampaignShown:
    """Return one instance, by id or name, in full. Raises RequestError for an unknown one.

    Unless it is counted, its messages and its reach are not: that reads all rows.
    """
    with agency.open(whole=counted, steady=False) as source, map_errors(source.path):
        found = Campaigns.read(source.connection)
        row = found.instance(which)
        instance = next(each for each in found.instances(as_of) if each.id == row["id"])
        line = _lines(found, as_of)[instance.id]
        days: Counter[str] = Counter()
        reach = None
        if counted:
            days, reach = _counts(source, line, agency.config(), as_of, progress)
        logged = last_changes(source.connection, instance.id, CHANGES_SHOWN)
    busiest = sorted(days.items(), key=lambda pair: (-pair[1], pair[0]))[:DAYS_SHOWN]
    return CampaignShown(
        database=agency.name,
        as_of=as_of,
        instance=line,
        columns={name: _text(row.get(name)) for name in COLUMNS},
        fields=_fields(found, row) if instance.understood else [],
        reach=reach,
        busiest_days=dict(busiest),
        first_day=min(days, default=None),
        last_day=max(days, default=None),
        changes=[
            LoggedChange(
                changed_at=_text(each.get("changed_at")),
                changed_by=_text(each.get("changed_by")),
                field=_text(each.get("field_changed")),
                old=_text(each.get("old_value")),
                new=_text(each.get("new_value")),
            )
            for each in logged
        ],
    )


def _lines(found: Campaigns, as_of: dt.date) -> dict[int, InstanceLine]:
    return {each.id: found.line(each, as_of) for each in found.instances(as_of)}


def _type_line(found: Campaigns, row: dict[str, object]) -> TypeLine:
    name = str(row["name"])
    line = TypeLine(name=name, instances=len(found.of_type(name)))
    try:
        return line.model_copy(update={"fields": type_fields(row)})
    except ValueError as error:
        return line.model_copy(update={"problem": str(error)})


def _fields(found: Campaigns, row: dict[str, object]) -> list[Field]:
    of_type = type_fields(found.type(str(row["campaign_type"])))
    overrides = overrides_of(row.get("metadata"))
    if overrides.pop("when_created", False):
        overrides["trigger"] = "contact_created"
    if (split := overrides.get("split")) is not None:
        overrides["split"] = f"{split.group} {split.first} to {split.end}"
    names = [*TYPE_DEFAULTS, *(name for name in overrides if name not in TYPE_DEFAULTS)]
    return [
        Field(name=name, of_type=of_type.get(name), override=overrides.get(name))
        for name in names
        if name in of_type or overrides.get(name) is not None
    ]


def _count(
    source: Source,
    lines: dict[int, InstanceLine],
    instances: list[Instance],
    as_of: dt.date,
    progress: Progress,
) -> Counter[str]:
    """Fill in the counts of the lines; return the planned messages by day.

    Of a single line only its messages are read.
    """
    for number, counts in target_counts(source.connection).items():
        if number in lines:
            lines[number].targets = dict(sorted(counts.items()))
    days: Counter[str] = Counter()
    skipped: dict[int, Counter[str]] = defaultdict(Counter)
    only = next(iter(lines)) if len(lines) == 1 else None
    for group in campaign_messages(source.connection, as_of.isoformat(), progress, only):
        code, name = classify(group.email_type)
        number = group.instance
        if not number and code == CAMPAIGN and (at := instance_named(name, instances)) >= 0:
            number = instances[at].id
        line = lines.get(number)
        if line is None or code not in (CAMPAIGN, FOLLOWUP):
            continue
        if group.status == Status.PRE_SCHEDULED:
            days[group.day] += group.count
        if code == FOLLOWUP:
            line.followups += group.count if group.status == Status.PRE_SCHEDULED else 0
        elif group.status == Status.PRE_SCHEDULED:
            line.planned += group.count
        elif group.status == Status.SKIPPED:
            skipped[number][group.reason] += group.count
        elif group.status in SENT_STATUSES:
            line.sent += group.count
    for number, reasons in skipped.items():
        lines[number].skipped = dict(reasons.most_common())
    return days


def _counts(
    source: Source, line: InstanceLine, config: Config, as_of: dt.date, progress: Progress
) -> tuple[Counter[str], Reach | None]:
    """Fill in the counts of an instance; return its planned messages by day, and its reach."""
    with Snapshot(source) as snapshot:
        context = run_context_of(snapshot, config, as_of, as_of)
        instance = next(each for each in context.instances if each.id == line.instance_id)
        days = _count(source, {instance.id: line}, context.instances, as_of, progress)
        if not instance.understood or instance.silent_aep:
            return days, None
        return days, _reach(source, snapshot, context, instance, progress)


def _reach(
    source: Source, snapshot: Snapshot, context: RunContext, instance: Instance, progress: Progress
) -> Reach:
    """Count the contacts that the instance reaches, as planning does (semantics: Campaigns)."""
    kind_table, suppressions = KindTable(context), snapshot.suppressions()
    ids = snapshot.contact_ids(context.config.contacts)
    targets = None if instance.target_all_contacts else _target_contacts(source, instance.id)
    states: Counter[int] = Counter()  # reached contacts by the number of their state
    suppressed = outside = 0
    ranges = cut(ids, len(ids), CONTACTS_PER_BATCH, None)
    for done, each in enumerate(ranges):
        progress("reach", done, len(ranges))
        if targets is not None and not _any_between(targets, *each):
            continue
        batch = read_contacts(
            snapshot.read(range_tables.contacts_table(context.config.contacts), each),
            suppressions,
            context,
            kind_table,
        )
        chosen, matching = reached(batch, instance), targeted(batch, instance)
        if targets is not None:
            listed = np.isin(batch.contacts.id, targets)
            chosen, matching = chosen & listed, matching & listed
        codes, counts = np.unique(batch.contacts.state[chosen], return_counts=True)
        states.update(dict(zip(codes.tolist(), counts.tolist(), strict=True)))
        suppressed += int(np.count_nonzero(batch.contacts.suppressed[chosen]))
        outside += int(np.count_nonzero(matching & ~in_split(batch.contacts.id, instance)))
    progress("reach", len(ranges), len(ranges))
    by_state = {USPS_STATES[code] if code >= 0 else UNKNOWN: n for code, n in states.items()}
    return Reach(
        contacts=states.total(),
        suppressed=suppressed,
        outside_split=outside,
        by_state=dict(sorted(by_state.items(), key=lambda pair: (-pair[1], pair[0]))),
    )


def _target_contacts(source: Source, instance: int) -> Ids:
    """Return the ids of the contacts with targets of the instance, in any status, sorted."""
    rows = targets_of(source, np.array([instance], np.int64))
    ids: Ids = np.unique(rows["contact_id"].to_numpy())
    return ids


def _any_between(ids: Ids, first: int, last: int) -> bool:
    return bool(np.searchsorted(ids, first) < np.searchsorted(ids, last, side="right"))


def _text(value: object) -> str | None:
    return None if value is None else str(value)
