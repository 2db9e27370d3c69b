"""Explain why one contact gets the messages that it gets.

The contact's rows are copied out of the database, wherever that is, and planned by the same code
as in a run. The day of a message depends on all contacts, so it is read from the row that the last
run wrote. The way of a question:

    open_database -> configuration_of -> extract the contact's rows -> basis_of (date)
        -> plan_case (the plan by the rules) -> one section of the explanation after the other
"""

from __future__ import annotations

import datetime as dt

from almanac.config_contacts import ContactColumns
from almanac.database.opening import map_errors
from almanac.database.reading import Snapshot
from almanac.explain.absences import absences
from almanac.explain.case import Case, committed_messages, plan_case
from almanac.explain.contact_facts import contact_facts
from almanac.explain.history import day_history
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
from almanac.explain.model import DayExplanation, DayHistory, Explanation, SendLimits
from almanac.explain.verdicts import day_verdict, notes, verdict
from almanac.explain.why_not_on import on_day
from almanac.explain.windows import excluded_spans, window_spans
from almanac.organizations.agency_database import AgencyDatabase

YEAR_BEFORE = dt.timedelta(weeks=6)  # of sent messages, in the year that is shown


def explain_contact(
    agency: AgencyDatabase, contact: int | str | Meant, question: Question | None = None
) -> Explanation:
    """Return every candidate of a contact and the decisions on it; find it by id, by its whole
    address, or by a text that means one contact.

    The database is only read; of one in a store a few pages are fetched. Raises RequestError with
    the nearest ids if the contact does not exist, or with the ids if several have the address;
    SeveralContacts if the text means several; other errors as `AgencyDatabase.open`.
    """
    question = question or Question()
    with open_database(agency) as database:
        config, config_from = configuration_of(database, question)
        settings = config.contacts
        contact_id = _contact_id(database, contact, settings)
        extract = database.extract(contact_id, settings)
        with Snapshot(extract.source) as snapshot:
            if not extract.found:
                raise database.unknown(contact_id, settings)
            basis = basis_of(database, snapshot, question, config, config_from)
            case = plan_case(database, snapshot, extract, basis, contact_id)
            result = _explanation(case, basis, database.name, question)
            if result.on is not None and result.on.day < basis.t0:
                result.on.history = _history(case, database, snapshot, result.on, question)
            if result.on is not None:
                result.on.verdict = day_verdict(result, result.on, question.email_type)
            return result


def _history(
    case: Case, database: OpenDatabase, snapshot: Snapshot, on: DayExplanation, question: Question
) -> DayHistory:
    records = (snapshot.runs(), snapshot.configs())
    with map_errors(database.source.path):
        return day_history(case, on, question.email_type, database.source.connection, *records)


def _contact_id(
    database: OpenDatabase, contact: int | str | Meant, settings: ContactColumns
) -> int:
    if isinstance(contact, Meant):
        return database.contact_meant(contact.text, settings)
    return contact if isinstance(contact, int) else database.contact_with(contact, settings)


def _explanation(case: Case, basis: Basis, database: str, question: Question) -> Explanation:
    messages = [message(case, row) for row in range(len(case.plan.drafts))]
    year = (basis.as_of - YEAR_BEFORE, case.context.horizon)
    result = Explanation(
        contact_id=case.contact_id,
        database=database,
        as_of=basis.as_of,
        as_of_from=basis.as_of_from,
        first_send_date=basis.t0,
        horizon=case.context.horizon,
        configuration=basis.config_from,
        last_run=basis.last_run,
        verdict="",
        contact=contact_facts(case),
        year=year,
        excluded=excluded_spans(case, *year),
        windows=window_spans(case),
        committed=committed_messages(case),
        messages=sorted(
            messages, key=lambda m: (m.outcome == "skipped", m.day or m.ideal_date, m.email_type)
        ),
        absent=absences(case),
        other_rows=case.other_rows,
        limits=_limits(case),
    )
    result.verdict, result.notes = verdict(result), notes(result)
    if question.on is not None:
        result.on = on_day(
            case, question.on, question.email_type, messages, result.committed, result.absent
        )
    return result


def _limits(case: Case) -> SendLimits:
    frequency = case.context.config.frequency
    return SendLimits(
        daily_cap=case.limits.cap,
        ceiling=case.limits.ceiling,
        effective_date_limit=case.limits.effective_date_limit,
        max_emails=frequency.max_emails,
        period_days=frequency.period_days,
    )
