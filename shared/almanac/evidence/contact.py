"""The evidence of one contact: what was planned, sent or withheld in a period, and why."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from almanac.config import Config
from almanac.database.catalog import Record, scalar
from almanac.database.extract import Extract
from almanac.database.keyed import keyed_records
from almanac.database.opening import map_errors
from almanac.database.reading import Snapshot
from almanac.evidence.messages import DATES, ContactMessages, in_period
from almanac.evidence.model import (
    ContactEvidence,
    DatabaseState,
    StateRules,
    SuppressionState,
    TextConsent,
)
from almanac.evidence.records import Period, RunHistory, config_in, state_rules
from almanac.explain.absences import absences
from almanac.explain.case import Case, plan_case
from almanac.explain.contact_facts import contact_facts
from almanac.explain.history import AS_NOW, UNRECORDED
from almanac.explain.lookup import (
    Basis,
    Meant,
    OpenDatabase,
    Question,
    basis_of,
    configuration_of,
    open_database,
)
from almanac.explain.messages import message
from almanac.explain.suppression import rows_concerning
from almanac.names import date_of_run
from almanac.organizations.agency_database import AgencyDatabase

HOLDS = (
    "Only rows that concern this contact: no row, name or address of another. Of all contacts "
    "there are counts of messages by day, where they decided, and the agency's configuration."
)


def contact_evidence(
    agency: AgencyDatabase, contact: Meant, period: Period
) -> tuple[ContactEvidence, DatabaseState]:
    """Return the evidence of a contact in a period, and the state of the database it is from.

    The database is only read, in one state. Raises as `explain_contact`.
    """
    with open_database(agency) as database:
        config, config_from = configuration_of(database, Question())
        contact_id = database.contact_meant(contact.text, config.contacts)
        extract = database.extract(contact_id, config.contacts)
        with Snapshot(extract.source) as snapshot:
            if not extract.found:
                raise database.unknown(contact_id, config.contacts)
            last = snapshot.last_run()
            run = date_of_run(str(last.get("scheduler_run_id"))) if last else None
            question = Question(as_of=run or period[1])
            basis = basis_of(database, snapshot, question, config, config_from)
            found = _Contact(database, extract, snapshot, basis, contact_id, period).evidence()
            return found, state_of(database, snapshot)


def state_of(database: OpenDatabase, snapshot: Snapshot) -> DatabaseState:
    """Return which state of the database is open. snapshot: of its runs."""
    last, manifest, source = snapshot.last_run() or {}, database.manifest, database.source
    run = last.get("scheduler_run_id")
    checksums = {
        "contacts_checksum": last.get("contacts_checksum"),
        "schedules_checksum": last.get("schedules_after_checksum"),
    }
    if manifest is not None:
        return DatabaseState(
            name=database.agency.name,
            version=manifest.version,
            crc32c=manifest.crc32c,
            committed_at=manifest.created_at,
            size=manifest.size,
            last_run=run,
            **checksums,
        )
    with map_errors(source.path):
        pages, size = (
            int(scalar(source.connection, f"PRAGMA {name}")) for name in ("page_count", "page_size")
        )
        counter = source.connection.read("main", 0, 24, 4)[1]
    return DatabaseState(
        name=Path(source.path).name,
        size=pages * size,
        changes=int.from_bytes(counter, "big"),
        last_run=run,
        **checksums,
    )


class _Contact:
    """A contact's rows and its plan as of the last run."""

    def __init__(
        self,
        database: OpenDatabase,
        extract: Extract,
        snapshot: Snapshot,
        basis: Basis,
        contact_id: int,
        period: Period,
    ) -> None:
        self._database, self._extract, self._snapshot = database, extract, snapshot
        self._basis, self._id, self._period = basis, contact_id, period
        self._case = self._planned(basis)
        self._history = RunHistory.read(snapshot)

    def evidence(self) -> ContactEvidence:
        """Return all that concerns the contact in the period."""
        case, facts, period = self._case, contact_facts(self._case), self._period
        describer = ContactMessages(
            self._database.source.connection,
            self._history,
            self._as_of,
            facts.state,
            self._basis.as_of,
        )
        with map_errors(self._database.source.path):
            messages = [describer.describe(row) for row in self._rows("email_schedules", DATES)]
        messages.sort(key=lambda each: (each.day or dt.date.min, each.row["id"]))
        runs = self._history.runs_of(period, [each.run for each in messages])
        configurations = self._history.configurations_of(period, runs)
        current = [message(case, row) for row in range(len(case.plan.drafts))]
        return ContactEvidence(
            contact_id=self._id,
            first=period[0],
            last=period[1],
            as_of=self._basis.as_of,
            holds=HOLDS,
            contact=facts,
            text_consent=self._text_consent(),
            suppressions=[
                SuppressionState(
                    in_force=holds, takes=row.takes, words=row.in_words, row=row.record
                )
                for row, holds in rows_concerning(case)
            ],
            targets=self._rows("contact_campaigns", ()),
            messages=messages,
            not_planned=[
                each
                for each in current
                if each.row is None and period[0] <= each.ideal_date <= period[1]
            ],
            not_due=absences(case),
            clicks=self._rows("tracking_clicks", ("clicked_at",)),
            events=self._rows("contact_events", ("created_at",)),
            rules=self._rules([each.digest for each in configurations], facts.state),
            configurations=configurations,
            runs=runs,
            unknown=[UNRECORDED, AS_NOW],
        )

    def _text_consent(self) -> TextConsent:
        settings = self._basis.config.contacts
        there = self._snapshot.contact_columns(settings)
        return TextConsent(
            agreed=bool(self._case.data.contacts["consents"][0].as_py()),
            columns=[name for name in settings.sms_consent_columns if there.has(name)],
        )

    def _rules(self, digests: list[str], state: str | None) -> list[StateRules]:
        states = [state] if state else []
        found = {None: self._basis.config} | {
            digest: config_in(self._history.configuration(digest)) for digest in digests
        }
        return [
            state_rules(digest, config, states, self._period)
            for digest, config in found.items()
            if config is not None
        ]

    def _as_of(self, config: Config, as_of: dt.date) -> Case:
        words = "the one of the run"
        return self._planned(
            Basis(as_of, "the day of the run", as_of, config, words, self._basis.last_run)
        )

    def _planned(self, basis: Basis) -> Case:
        return plan_case(self._database, self._snapshot, self._extract, basis, self._id)

    def _rows(self, name: str, dates: tuple[str, ...]) -> list[Record]:
        """Return the contact's rows of a table as they are, those that have a date in the period.

        Rows whose dates cannot be read count as in the period.
        """
        rows = keyed_records(self._extract.source.connection, name)
        return [row for row in rows if in_period(row, dates, self._period)]
