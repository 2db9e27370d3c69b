"""Why one contact gets what it gets: the rules of a run, applied to its rows alone.

The contact's rows are copied out of the database, whatever its size and wherever it is, and planned
by the same code as in a run; what only a whole run can decide, the day, is read from the row that
the last run wrote.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pyarrow as pa

from almanac import civil
from almanac.balancing.load import Limits as DayLimits
from almanac.config import Config, first_send_date
from almanac.contact_ranges import MAX_ID, MIN_ID, ContactRange
from almanac.database.aggregates import total_contacts
from almanac.database.extract import Extract, extract_contact, ids_with_address, nearest_ids
from almanac.database.occupancy import DayOccupancy
from almanac.database.opening import map_errors
from almanac.database.reading import Snapshot
from almanac.database.sources import Source
from almanac.errors import RequestError
from almanac.explain.absences import absences
from almanac.explain.case import Case, date_or_none
from almanac.explain.contact_facts import contact_facts
from almanac.explain.messages import message
from almanac.explain.model import CommittedMessage, Explanation, Limits, PlannedRow
from almanac.explain.verdicts import day_verdict, notes, verdict
from almanac.explain.why_not_on import on_day
from almanac.explain.windows import excluded_spans, window_spans
from almanac.names import date_of_run
from almanac.organizations.agency_database import AgencyDatabase, StoreDatabase
from almanac.organizations.brief import run_context_of
from almanac.organizations.organizations import census_of
from almanac.organizations.recorded_config import recorded_config
from almanac.planning.kinds import KindTable
from almanac.planning.plan import hold_against_snapshot, plan_contacts
from almanac.runs.shard import read_range
from almanac.schedule_status import Status
from almanac.storage import layout
from almanac.storage.versions import Manifest, manifest_of

YEAR_BEFORE = dt.timedelta(weeks=6)  # of what was sent, in the year that is shown
ADDRESSES_SHOWN = 10


@dataclass(frozen=True)
class Question:
    """What is asked of a contact; what is not given is as `explain_contact` says."""

    config: Config | None = None
    as_of: dt.date | None = None
    now: dt.datetime | None = None
    on: dt.date | None = None  # why not on this day
    email_type: str | None = None  # only messages of this type on that day


@dataclass(frozen=True)
class Moment:
    """Which day, and with which configuration, a contact is explained for."""

    as_of: dt.date
    as_of_from: str  # in words
    t0: dt.date
    config: Config
    configuration: str  # in words: where the configuration comes from
    last_run: str | None


@dataclass(frozen=True)
class _Open:
    """An agency database that is open, with what is known of it besides."""

    agency: AgencyDatabase
    source: Source
    manifest: Manifest | None  # of a version in a store

    @property
    def name(self) -> str:
        version = f", version {self.manifest.version}" if self.manifest else ""
        return f"{self.agency.name}{version}"

    def total_contacts(self) -> int:
        """All rows of contacts; a manifest knows without reading them."""
        census = census_of(self.manifest) if self.manifest else None
        if census is not None:
            return census.contacts
        with map_errors(self.source.path):
            return total_contacts(self.source.connection)


def explain_contact(
    agency: AgencyDatabase, contact: int | str, question: Question | None = None
) -> Explanation:
    """Every candidate of the contact, by id or e-mail address, and the steps that decided on each.

    By default the configuration is that of the organization in the store, else the one that the
    last run recorded, else the defaults; as_of is that of the last run, else today; and T0 is
    as_of unless `now` is past its send time, or the version in force was planned from the day
    after on. The database is only read; of one in a store a few pages are fetched. RequestError
    names the nearest ids where there is no such contact, and all where an address has several;
    others as `AgencyDatabase.open` raises them.
    """
    question = question or Question()
    with _opened(agency) as there:
        contact_id = contact if isinstance(contact, int) else _contact_with(there, contact)
        if not MIN_ID <= contact_id <= MAX_ID:
            raise RequestError(f"contact {contact_id}: ids are whole numbers of at most 64 bits")
        with map_errors(there.source.path):
            extract = extract_contact(there.source, contact_id)
        with Snapshot(extract.source) as snapshot:
            if not extract.found:
                raise _unknown(there, contact_id)
            moment = _moment(there, snapshot, question)
            return _explain(there, snapshot, extract, moment, contact_id, question)


@contextmanager
def _opened(agency: AgencyDatabase) -> Iterator[_Open]:
    if isinstance(agency, StoreDatabase):
        version = agency.version()[0]
        manifest = manifest_of(agency.store, version.folder)
        with agency.open_version(version) as source:
            yield _Open(agency, source, manifest)
    else:
        with agency.open() as source:
            yield _Open(agency, source, None)


def _contact_with(there: _Open, address: str) -> int:
    with map_errors(there.source.path):
        ids = ids_with_address(there.source.connection, address)
    if not ids:
        raise RequestError(f"{there.name}: no contact has the e-mail address {address!r}")
    if len(ids) > 1:
        named = ", ".join(map(str, ids[:ADDRESSES_SHOWN]))
        more = f" and {len(ids) - ADDRESSES_SHOWN:,} more" if len(ids) > ADDRESSES_SHOWN else ""
        raise RequestError(
            f"{there.name}: {len(ids):,} contacts have the e-mail address {address!r}: "
            f"{named}{more}; ask for one of them with --contact"
        )
    return ids[0]


def _unknown(there: _Open, contact_id: int) -> RequestError:
    with map_errors(there.source.path):
        near = ", ".join(map(str, nearest_ids(there.source.connection, contact_id)))
    hint = f"the nearest ids are {near}" if near else "the table is empty"
    return RequestError(f"contact {contact_id}: {there.name} has none with this id; {hint}")


def _moment(there: _Open, snapshot: Snapshot, question: Question) -> Moment:
    config, kind_table = _configuration(there, snapshot, question)
    run = snapshot.last_run()
    last_run = str(run["scheduler_run_id"]) if run and run.get("scheduler_run_id") else None
    as_of, now, came_from = question.as_of, question.now, "the day given"
    if now is not None and now.tzinfo is None:
        now = now.replace(tzinfo=config.zone)
    if as_of is None and now is None:
        as_of, came_from = date_of_run(last_run), "the day of the last run"
    if as_of is None:
        came_from = "the day of the time given" if now else "today"
        as_of = (now or dt.datetime.now(dt.UTC)).astimezone(config.zone).date()
    t0, manifest = as_of, there.manifest
    if now is not None:
        t0 = first_send_date(as_of, now, config)
    elif manifest is not None and manifest.t0 is not None and manifest.as_of == as_of:
        t0 = manifest.t0
    return Moment(as_of, came_from, t0, config, kind_table, last_run)


def _configuration(there: _Open, snapshot: Snapshot, question: Question) -> tuple[Config, str]:
    """The configuration to explain by, and where it comes from."""
    if question.config is not None:
        return question.config, "the one given"
    agency = there.agency
    if (
        isinstance(agency, StoreDatabase)
        and agency.store.stat(layout.config(agency.org)) is not None
    ):
        return agency.config(), "that of the organization"
    recorded = recorded_config(snapshot, there.name)
    if recorded is not None:
        return recorded, "the one recorded by the last run"
    return Config(), "the defaults"


def _explain(
    there: _Open,
    snapshot: Snapshot,
    extract: Extract,
    moment: Moment,
    contact_id: int,
    question: Question,
) -> Explanation:
    context = run_context_of(snapshot, moment.config, moment.as_of, moment.t0)
    kind_table = KindTable(context)
    data = read_range(snapshot, context, None, ContactRange(contact_id, contact_id))
    plan = plan_contacts(data, context, kind_table)
    limits = DayLimits.of(
        context.config, civil.day_of(moment.t0), there.total_contacts(), kind_table.kinds
    )
    _, match = hold_against_snapshot(data, plan, context, kind_table)
    rows = _planned_rows(data.planned, extract.run_ids)
    near = not isinstance(there.agency, StoreDatabase)
    case = Case(
        context=context,
        kind_table=kind_table,
        plan=plan,
        data=data,
        limits=limits,
        loads=DayOccupancy(there.source.connection, there.source.path, near=near),
        suppressions=extract.suppressions,
        rows=[rows.get(int(row)) for row in match.columns["previous_id"]],
    )
    messages = [message(case, row) for row in range(len(plan.drafts))]
    claimed = {int(row) for row in match.columns["previous_id"]}
    committed, absent = _committed(case), absences(case)
    year = (moment.as_of - YEAR_BEFORE, context.horizon)
    asked = None
    if question.on is not None:
        asked = on_day(case, question.on, question.email_type, messages, committed, absent)
    result = Explanation(
        contact_id=contact_id,
        database=there.name,
        as_of=moment.as_of,
        as_of_from=moment.as_of_from,
        first_send_date=moment.t0,
        horizon=context.horizon,
        configuration=moment.configuration,
        last_run=moment.last_run,
        verdict="",
        contact=contact_facts(case),
        year=year,
        excluded=excluded_spans(case, *year),
        windows=window_spans(case),
        committed=committed,
        messages=sorted(
            messages, key=lambda m: (m.outcome == "skipped", m.day or m.ideal_date, m.email_type)
        ),
        absent=absent,
        other_rows=[row for row in rows.values() if row.row_id not in claimed],
        limits=Limits(
            daily_cap=limits.cap,
            ceiling=limits.ceiling,
            effective_date_limit=limits.effective_date_limit,
            max_emails=context.config.frequency.max_emails,
            period_days=context.config.frequency.period_days,
        ),
    )
    result.verdict, result.notes = verdict(result), notes(result)
    if asked is not None:
        asked.verdict = day_verdict(result, asked, question.email_type)
        result.on = asked
    return result


def _planned_rows(table: pa.Table, run_ids: dict[int, str]) -> dict[int, PlannedRow]:
    days = civil.parse_dates(table["scheduled_send_date"])
    return {
        row["id"]: PlannedRow(
            row_id=row["id"],
            email_type=row["email_type"],
            campaign_instance_id=row["campaign_instance_id"] or None,
            status=Status.PRE_SCHEDULED if row["scheduled"] else Status.SKIPPED,
            scheduled_send_date=date_or_none(int(day)),
            skip_reason=row["skip_reason"] or None,
            scheduler_run_id=run_ids.get(row["id"]) or None,
        )
        for row, day in zip(table.to_pylist(), days, strict=True)
    }


def _committed(case: Case) -> list[CommittedMessage]:
    """The rows that the sender owns, oldest first."""
    table = case.data.committed
    days = civil.parse_dates(table["scheduled_send_date"])
    actual = civil.parse_dates(table["actual_send_datetime"])
    history = case.plan.history.rows
    counted = set(history.row_id[history.counted].tolist())
    messages = [
        CommittedMessage(
            row_id=row["id"],
            email_type=row["email_type"],
            campaign_instance_id=row["campaign_instance_id"] or None,
            status=row["status"],
            scheduled_send_date=date_or_none(int(day)),
            sent_date=date_or_none(int(sent)),
            counted=row["id"] in counted,
        )
        for row, day, sent in zip(case.committed, days, actual, strict=True)
    ]
    return sorted(messages, key=lambda m: (m.scheduled_send_date or dt.date.min, m.row_id))
