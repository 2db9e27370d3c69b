"""What came of messages, as SQL reads it: rows in table order with few columns, for counting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pyarrow as pa

from almanac import civil
from almanac.config_contacts import ContactColumns
from almanac.contact_ranges import ContactRange
from almanac.database import selects
from almanac.database.activity import MESSAGE
from almanac.database.columnar import CODES
from almanac.database.range_tables import ANSWERED, contacts_table
from almanac.database.scanning import Scan
from almanac.database.sql import SEPARATED, SEPARATOR, Columns, civil_date, trimmed
from almanac.database.suppressions import SMS, address
from almanac.database.tables import listed
from almanac.schedule_status import COMPLAINT, Status

# the parts of a message's kind, joined by SEPARATED; instance: '' for none, day: on which it was
# sent if that can be read, else on which it is scheduled
PARTS = ("status", "instance", "day", "email_type", "template", "parent")
LEFT = (Status.SENT, Status.DELIVERED, Status.BOUNCED)
MESSAGES_SCHEMA = pa.schema({"id": pa.int64(), "contact_id": pa.int64(), "kind": CODES})
PEOPLE_SCHEMA = pa.schema({"id": pa.int64(), "state": CODES, "zip_code": CODES, "carrier": CODES})
# named: the message that the row's metadata names, 0 for none, -1 for one that cannot be read
CLICKS_SCHEMA = pa.schema({"contact_id": pa.int64(), "at": pa.string(), "named": pa.int64()})
ANSWERS_SCHEMA = pa.schema([*CLICKS_SCHEMA, ("yes", pa.int8()), ("odd", pa.int8())])
COMPLAINTS_SCHEMA = pa.schema({"schedule_id": pa.int64()})
UNSUBSCRIBED_SCHEMA = pa.schema(
    {"number": pa.int64(), "contact_id": pa.int64(), "since": pa.string()}
)
ADDRESSED_SCHEMA = pa.schema({"number": pa.int64(), "contact_id": pa.int64()})
TARGETED_SCHEMA = pa.schema({"contact_id": pa.int64(), "instance": pa.int64()})

NAMES_A_MESSAGE = (MESSAGE, "schedule_id", "almanac_id")  # keys of metadata, the first counts
_DATE_AND_BEHIND = 11  # characters: the date, and what decides whether it is one


class ResultRows(Scan):
    """A database with what came of its messages; any table or column may be missing."""

    def messages(self, rows: ContactRange, first_day: str, last_day: str) -> pa.Table:
        """Return MESSAGES_SCHEMA: the rows in a range of `row_ranges` that are not skipped.

        Of PRE_SCHEDULED rows those between the ISO dates, and those whose date is none.
        """
        columns = self._tables.columns("email_schedules")
        if columns.table is None:
            return MESSAGES_SCHEMA.empty_table()
        where = "1"
        if columns.has("status", "scheduled_send_date"):
            where = _wanted(columns)
        by = "NOT INDEXED" if columns.table.kind == "table" else ""
        within = "rowid BETWEEN ? AND ?" if columns.table.has_rowid else "? = ?"
        tail = f"FROM email_schedules {by} WHERE {within} AND {where}"
        ids = f"SELECT {columns.row_id()}, {columns.id_or_zero('contact_id')}"
        values = (*rows, first_day, last_day) if where != "1" else tuple(rows)
        found = self._tables.read(f"{ids}, {_kind(columns)} {tail}", values, MESSAGES_SCHEMA)
        kinds = found["kind"].chunk(0).dictionary.to_pylist() if len(found) else []
        if not all(_is_plain(kind.split(SEPARATED)) for kind in kinds):
            kind = _kind(columns, careful=True)
            found = self._tables.read(f"{ids}, {kind} {tail}", values, MESSAGES_SCHEMA)
        return found

    def people(self, contacts: ContactRange, settings: ContactColumns, carriers: bool) -> pa.Table:
        """Return PEOPLE_SCHEMA, by id; carriers: whether that column is there."""
        select = selects.contact_columns(self._tables.contacts(settings), settings)
        schema = pa.schema([each for each in PEOPLE_SCHEMA if carriers or each.name != "carrier"])
        chosen = {name: select[name] for name in schema.names}
        what = replace(contacts_table(settings), schema=schema, select=lambda _: chosen)
        return self.read(what, contacts)

    def clicks(self) -> pa.Table:
        """Return CLICKS_SCHEMA."""
        columns = self._tables.columns("tracking_clicks")
        if not columns.has("contact_id", "clicked_at"):
            return CLICKS_SCHEMA.empty_table()
        select = _activity(columns, "clicked_at")
        return self._tables.read(f"SELECT {select} FROM tracking_clicks", (), CLICKS_SCHEMA)

    def answers(self) -> pa.Table:
        """Return ANSWERS_SCHEMA: eligibility answers; odd: the metadata is no JSON."""
        columns = self._tables.columns("contact_events")
        if not columns.has("contact_id", "event_type", "created_at"):
            return ANSWERS_SCHEMA.empty_table()
        judged, metadata = selects.answer_columns(columns), trimmed(columns.text("metadata"))
        yes = f"({judged['yes']}) OR ({judged['medical_conditions']})"
        odd = f"{metadata} <> '' AND NOT json_valid({metadata})"
        select = f"{_activity(columns, 'created_at')}, {yes}, {odd}"
        return self._tables.read(
            f"SELECT {select} FROM contact_events WHERE event_type = '{ANSWERED}'",
            (),
            ANSWERS_SCHEMA,
        )

    def mark_ranges(self) -> list[ContactRange]:
        """Return the ranges of row ids that are all marks."""
        return self._tables.parts("message_deliveries")

    def complaints(self, marks: ContactRange) -> pa.Table:
        """Return COMPLAINTS_SCHEMA: the messages that marks in a range of `mark_ranges` say so of,
        each once; 0 for no id."""
        columns = self._tables.columns("message_deliveries")
        if columns.table is None or not columns.has("schedule_id", "status"):
            return COMPLAINTS_SCHEMA.empty_table()
        by = "NOT INDEXED" if columns.table.kind == "table" else ""
        within = "rowid BETWEEN ? AND ?" if columns.table.has_rowid else "? <= ?"
        sql = f"""SELECT DISTINCT {columns.id_or_zero("schedule_id")} FROM message_deliveries {by}
            WHERE {within} AND status = '{COMPLAINT}'"""
        return self._tables.read(sql, tuple(marks), COMPLAINTS_SCHEMA)

    def unsubscribed(self, reasons: Sequence[str]) -> pa.Table:
        """Return UNSUBSCRIBED_SCHEMA: suppressions of e-mails for one of the reasons, with the
        contact that they name, 0 for none."""
        columns = self._tables.columns("suppressions")
        if columns.table is None or not reasons:
            return UNSUBSCRIBED_SCHEMA.empty_table()
        select = f"{columns.id_or_zero('contact_id')}, {columns.text('since')}"
        where = _of_emails(columns, reasons)
        sql = f"SELECT {_number(columns)}, {select} FROM suppressions WHERE {where}"
        return self._tables.read(sql, tuple(reasons), UNSUBSCRIBED_SCHEMA)

    def addressed(self, reasons: Sequence[str], settings: ContactColumns) -> pa.Table:
        """Return ADDRESSED_SCHEMA: the contacts whose address such a suppression names."""
        columns = self._tables.columns("suppressions")
        if not columns.has("email") or not reasons:
            return ADDRESSED_SCHEMA.empty_table()
        held = f"""SELECT number, address FROM (
            SELECT {_number(columns)} AS number, {address(columns)} AS address
            FROM suppressions WHERE {_of_emails(columns, reasons)}) WHERE address <> ''"""
        schema = pa.schema({"rows": pa.int64()})
        counted = self._tables.read(f"SELECT count(*) FROM ({held})", tuple(reasons), schema)
        if not counted["rows"][0].as_py():
            return ADDRESSED_SCHEMA.empty_table()
        contacts = self._tables.contacts(settings)
        whole, form, email = contacts.whole("id"), address(contacts), contacts.raw("email")
        found, others = "", "1"
        if contacts.has("email") and self._has_index_of(contacts.column("email")):
            # most addresses are in the form in which they are compared: these are looked up
            found = f"""SELECT number, {whole} FROM held CROSS JOIN contacts
                ON {email} = held.address COLLATE BINARY WHERE {whole} IS NOT NULL UNION ALL"""
            others = f"{form} IS NOT {email} COLLATE BINARY"
        # for each contact a look-up among the few addresses, by an index of SQLite's own
        sql = f"""WITH held AS MATERIALIZED ({held}),
            person AS (SELECT +({whole}) AS id, {form} AS address
                FROM contacts WHERE {whole} IS NOT NULL AND {others})
            {found} SELECT number, person.id FROM person CROSS JOIN held
            ON held.address = person.address"""
        return self._tables.read(sql, tuple(reasons), ADDRESSED_SCHEMA)

    def _has_index_of(self, column: str) -> bool:
        """Return whether contacts are found by a text in a column, given in lower case."""
        sql = """SELECT count(*) FROM pragma_index_list('contacts') AS i, pragma_index_xinfo(i.name)
            WHERE NOT i.partial AND seqno = 0 AND lower(pragma_index_xinfo.name) = ?
            AND coll = 'BINARY'"""
        found = self._tables.read(sql, (column,), pa.schema({"indexes": pa.int64()}))
        return bool(found["indexes"][0].as_py())

    def targeted(self, instances: Sequence[int]) -> pa.Table:
        """Return TARGETED_SCHEMA: the contacts that campaign instances list, of any status."""
        columns = self._tables.columns("contact_campaigns")
        if not columns.has("contact_id", "campaign_instance_id") or not instances:
            return TARGETED_SCHEMA.empty_table()
        instance = columns.id_or_zero("campaign_instance_id")
        select = f"SELECT {columns.id_or_zero('contact_id')}, {instance} FROM contact_campaigns"
        sql = f"{select} WHERE {instance} IN ({', '.join('?' * len(instances))})"
        return self._tables.read(sql, tuple(instances), TARGETED_SCHEMA)


def _wanted(columns: Columns) -> str:
    """Return the condition of rows that are not skipped; of planned ones those between two days,
    and those without a day. Most rows of a database are later ones, so it is quick for them."""
    status, day = columns.raw("status"), columns.raw("scheduled_send_date")
    digits = "-".join("[0-9]" * n for n in (4, 2, 2))
    # one call for most rows; three for those that begin with a date, or with what looks like one
    plain = f"date({day}) IS {day}"
    unreadable = f"{day} NOT GLOB '{digits}*' OR date(substr({day}, 1, 10)) IS NULL"
    return (
        f"{status} IS NOT '{Status.SKIPPED}' AND ({status} IS NOT '{Status.PRE_SCHEDULED}' "
        f"OR {day} BETWEEN ? AND ? || 'Z' OR NOT ({plain}) AND COALESCE({unreadable}, 1))"
    )


def _kind(columns: Columns, *, careful: bool = False) -> str:
    """Return SQL of a message's kind. It takes it that no text contains the separator, and that the
    time of each message that left can be read; careful: also for others, which takes longer."""
    parts = _parts(columns)
    if careful:
        actual = columns.text("actual_send_datetime")
        is_date = f"{_left(columns)} AND {civil_date(actual)} IS NOT NULL"
        day = columns.text("scheduled_send_date")
        parts["day"] = f"substr(CASE WHEN {is_date} THEN {actual} ELSE {day} END, 1, 11)"
        parts = {name: f"replace({part}, {SEPARATOR}, ' ')" for name, part in parts.items()}
    return f"concat_ws({SEPARATOR}, {', '.join(parts.values())})"


def _is_plain(kind: Sequence[str]) -> bool:
    """Return whether the parts of a kind, read without care, are what they are with it."""
    if len(kind) != len(PARTS):
        return False
    return kind[0] not in LEFT or civil.parse_date(kind[2]) is not None


def _parts(columns: Columns) -> dict[str, str]:
    """Return SQL of the parts of a message's kind, none of them NULL; joined they become texts."""
    kind, metadata = columns.text("email_type"), columns.text("metadata")
    parent = "''"
    if columns.has("metadata"):
        found = f"COALESCE(CAST(json_extract({metadata}, '$.initial_email_type') AS TEXT), '')"
        is_parent = f"{kind} LIKE 'followup%' AND json_valid({metadata})"
        # of most rows there is none
        is_there = f"{columns.raw('metadata')} IS NOT NULL AND {is_parent}"
        parent = f"CASE WHEN {is_there} THEN {found} ELSE '' END"
    status = _joined(columns, "status") if columns.has("status") else f"'{Status.PRE_SCHEDULED}'"
    day = _joined(columns, "scheduled_send_date", _DATE_AND_BEHIND)
    if columns.has("actual_send_datetime"):
        actual = columns.raw("actual_send_datetime")
        begins = f"substr({actual}, 1, {_DATE_AND_BEHIND})"
        day = f"CASE WHEN {actual} > '' AND {_left(columns)} THEN {begins} ELSE {day} END"
    return {
        "status": status,
        "instance": f"COALESCE({columns.whole('campaign_instance_id')}, '')",
        "day": day,
        "email_type": _joined(columns, "email_type"),
        "template": _joined(columns, "email_template"),
        "parent": parent,
    }


def _left(columns: Columns) -> str:
    """Return the condition of messages that left. Comparisons, since IN takes longer."""
    status = columns.raw("status")
    is_one = " OR ".join(f"{status} = '{each}'" for each in LEFT)
    return f"({is_one})" if columns.has("status") else "0"


def _joined(columns: Columns, name: str, length: int = 0) -> str:
    """Return SQL of a column, or of its first characters, that becomes a text when it is joined:
    a CAST would copy it, which takes longer than to join it. '' for NULL."""
    if not columns.has(name):
        return "''"
    column = columns.raw(name)
    return f"COALESCE({f'substr({column}, 1, {length})' if length else column}, '')"


def _activity(columns: Columns, at: str) -> str:
    """Return SQL of the columns of CLICKS_SCHEMA."""
    return f"{listed({'c': columns.id_or_zero('contact_id'), 'a': columns.text(at)})}, " + _named(
        columns
    )


def _named(columns: Columns) -> str:
    """Return SQL of the message that metadata names."""
    if not columns.has("metadata"):
        return "0"
    metadata = columns.text("metadata")
    keys = ", ".join(f"json_extract({metadata}, '$.{key}')" for key in NAMES_A_MESSAGE)
    text = f"CAST(COALESCE({keys}) AS TEXT)"
    number = f"length({text}) BETWEEN 1 AND 18 AND {text} NOT GLOB '*[^0-9]*'"
    found = (
        f"CASE WHEN {text} IS NULL THEN 0 WHEN {number} THEN CAST({text} AS INTEGER) ELSE -1 END"
    )
    return (
        f"CASE WHEN json_valid({metadata}) AND json_type({metadata}) = 'object' THEN {found} "
        "ELSE 0 END"
    )


def _number(columns: Columns) -> str:
    """Return SQL of what numbers the rows of suppressions."""
    has_rowid = columns.table is not None and columns.table.has_rowid
    return "rowid" if has_rowid else "row_number() OVER ()"


def _of_emails(columns: Columns, reasons: Sequence[str]) -> str:
    """Return the condition of suppressions of e-mails for one of the reasons."""
    return (
        f"lower({trimmed(columns.text('channel'))}) <> '{SMS}' "
        f"AND {trimmed(columns.text('phone'))} = '' "
        f"AND {columns.text('reason')} IN ({', '.join('?' * len(reasons))})"
    )
