"""Rows that planning leaves out because it cannot read them: their number, and examples."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pyarrow as pa

from almanac.config_contacts import ContactColumns
from almanac.database.sql import Columns, civil_date, trimmed
from almanac.database.tables import Tables

EXAMPLES = 5
LONGEST = 40  # characters of an example


@dataclass(frozen=True)
class Sample:
    """Rows of one kind: how many there are, and the first of them."""

    count: int = 0
    examples: tuple[str, ...] = ()


@dataclass(frozen=True)
class Oddities:
    """What cannot be read, of a whole database; all samples are empty if it is in order."""

    invalid_ids: Sample  # contacts whose id is no whole number; examples: their ids
    unreadable_targets: Sample  # a trigger date that is no date; examples: ids of the targets
    odd_target_metadata: Sample  # not a JSON object; likewise


def read_oddities(tables: Tables, settings: ContactColumns) -> Oddities:
    """Return what cannot be read; raise DatabaseError if the database cannot be."""
    return Oddities(invalid_ids(tables, settings), *_targets(tables))


def invalid_ids(tables: Tables, settings: ContactColumns) -> Sample:
    """Return the contacts without a usable id."""
    columns = tables.contacts(settings)
    if columns.table is None or columns.is_rowid("id"):
        return Sample()
    return _sample(tables, "contacts", f"{columns.whole('id')} IS NULL", _quoted(columns, "id"))


def count_unknown_targets(tables: Tables, settings: ContactColumns) -> int:
    """Return the number of targets without a contact."""
    columns = tables.columns("contact_campaigns")
    if not columns.has("contact_id"):
        return 0
    named = replace(columns, alias="target").whole("contact_id")
    contacts = tables.contacts(settings).all_whole("id")
    rows = f"contact_campaigns AS target LEFT JOIN {contacts} ON known = {named}"
    return tables.number(f"SELECT count(*) FROM {rows} WHERE known IS NULL")


def _targets(tables: Tables) -> tuple[Sample, Sample]:
    """Return the targets that are not sent yet and have an odd date, or odd metadata."""
    table = "contact_campaigns"
    columns = tables.columns(table)
    if not columns.has("contact_id", "campaign_instance_id"):
        return Sample(), Sample()
    unsent = f"lower({trimmed(columns.text('status'))}) <> 'sent'"
    date, metadata = columns.text("trigger_date"), columns.text("metadata")
    text = trimmed(metadata)
    # nearly all rows are in order: the first tests, which are quick, decide those
    no_date = (
        f"CASE WHEN {date} = '' THEN 0 WHEN {date} >= '0001' AND date({date}) = {date} THEN 0 "
        f"WHEN {civil_date(date)} IS NOT NULL THEN 0 "
        f"ELSE {trimmed(date)} <> '' AND {unsent} END"
    )
    no_object = (
        f"CASE WHEN {metadata} = '' THEN 0 WHEN {_is_object(metadata)} THEN 0 "
        f"WHEN {_is_object(text)} THEN 0 ELSE {text} <> '' AND {unsent} END"
    )
    return (
        _sample(tables, table, no_date, f"CAST({columns.row_id()} AS TEXT)"),
        _sample(tables, table, no_object, f"CAST({columns.row_id()} AS TEXT)"),
    )


def _is_object(text: str) -> str:
    return f"CASE WHEN json_valid({text}) THEN json_type({text}) = 'object' ELSE 0 END"


def _quoted(columns: Columns, name: str) -> str:
    """Return SQL of a value as text, with quotes around a text."""
    text = columns.text(name)
    quoted = f"WHEN 'null' THEN 'NULL' WHEN 'text' THEN quote({text})"
    return f"CASE typeof({columns.raw(name)}) {quoted} ELSE {text} END"


def _sample(tables: Tables, table: str, where: str, example: str) -> Sample:
    count = tables.number(f"SELECT count(*) FROM {table} WHERE {where}")
    if not count:
        return Sample()
    sql = f"SELECT substr({example}, 1, {LONGEST}) FROM {table} WHERE {where} LIMIT {EXAMPLES}"
    found = tables.read(sql, (), pa.schema({"example": pa.string()}))
    return Sample(count, tuple(found["example"].to_pylist()))
