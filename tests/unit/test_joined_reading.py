"""Rows whose columns are joined when they are read: the same as value by value."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import apsw
import pyarrow as pa
import pytest

from almanac.contact_ranges import EVERYONE
from almanac.database import joined
from almanac.database.columnar import CODES, ColumnarReader
from almanac.database.migrations import create_indexes
from almanac.database.range_tables import COMMITTED, LEGACY, PLANNED, RangeTable
from almanac.database.reading import Snapshot
from almanac.database.schema import EMAIL_SCHEDULES
from almanac.database.sources import Source
from tests.support.database_agencies import make, over_ranges

KINDS = (PLANNED, COMMITTED, LEGACY)
USUAL: dict[str, list[Any]] = {
    "contact_id": [1, 7, 7, 8],
    "email_type": ["birthday", "scheduled_rate_increase"],
    "scheduled_send_date": ["2026-11-21", "2026-12-01"],
    "scheduled_send_time": ["08:30:00"],
    "status": ["pre-scheduled", "skipped", "sent"],
    "skip_reason": [None, "Suppressed: complaint"],
    "priority": [10, None],
    "campaign_instance_id": [None, 3],
    "email_template": ["birthday_template"],
    "sms_template": [None, "birthday_sms"],
    "event_year": [2026],
    "event_month": [1, 12],
    "event_day": list(range(1, 29)),
    "ideal_send_date": ["2026-11-21", None],
    "metadata": [None, '{"target": {"a": 1}}'],
    "actual_send_datetime": [None, "2026-11-21 13:30:00"],
}
INVALID = object()  # a text that is no UTF-8
ODD = [
    *("", "none", "2026", " 7 ", "7.0", "-3", "2026-11-21T08:30", "12 days", "[1, null]", INVALID),
    *('a "quoted" \\ text', "a\x1fb", "a\x1eb", "a\0b", "line\nline", "\u2028é", "Pre-Scheduled"),
    *(0, -3, 7, 99999, 2**40, 2.5, 7.0, 1e300, b"", b"2026", b"\xff"),
]


def schedules(path: Path, seed: int) -> Path:
    """A database in which some columns have odd values."""
    pick = random.Random(seed)
    names = list(USUAL)
    create = EMAIL_SCHEDULES.create_sql().replace(" NOT NULL", "")
    if seed % 3 == 0:
        create = f"CREATE TABLE email_schedules ({', '.join(['id', *pick.sample(names, 14)])})"
    if seed % 3 == 1:
        create = create.replace("status TEXT", "status TEXT COLLATE NOCASE")
    make(path, create)
    connection = apsw.Connection(str(path))
    there = [row[1] for row in connection.execute("PRAGMA table_info(email_schedules)")]
    names = [name for name in names if name in there]
    odd = {name: pick.sample(ODD, 2) for name in pick.sample(names, seed % 5)}
    with connection:
        if seed % 3 and seed % 2:
            create_indexes(connection)
        for row in range(30):
            values = [pick.choice(USUAL[name] * 4 + odd.get(name, [])) for name in names]
            sql = ", ".join("CAST(x'61e282' AS TEXT)" if v is INVALID else "?" for v in values)
            connection.execute(
                f"INSERT OR IGNORE INTO email_schedules (id, {', '.join(names)})"
                f" VALUES ({row + 1}, {sql})",
                [value for value in values if value is not INVALID],
            )
    connection.close()
    return path


def rows_of(snapshot: Snapshot, what: RangeTable) -> list[dict[str, Any]]:
    table = snapshot.read(what, EVERYONE)
    assert table.schema == what.schema
    table.validate(full=True)
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows


def by_row(*_: object) -> None:
    """Stands for `ColumnarReader._read_together` where it cannot read rows together."""


def test_odd_tables_read_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(30):
        path = schedules(tmp_path / f"{seed}.sqlite3", seed)
        with Snapshot(path) as file, over_ranges(path) as ranges:
            for what in KINDS:
                with monkeypatch.context() as patch:
                    patch.setattr(ColumnarReader, "_read_together", by_row)
                    expected = rows_of(file, replace(what, joined=None))
                assert rows_of(file, replace(what, joined=None)) == expected, (seed, what.where)
                assert rows_of(file, what) == rows_of(ranges, what) == expected, (seed, what.where)


@pytest.mark.parametrize("encoding", ["UTF-8", "UTF-16le", "UTF-16be"])
def test_no_text_ends_where_another_begins(tmp_path: Path, encoding: str) -> None:
    texts = ["", "\x1e", "a\x1eb", "a", "", "é\0ü", "\N{GRINNING FACE}", "\n"]
    schema = pa.schema({"plain": pa.string(), "coded": CODES, "length": pa.int8()})
    connection = apsw.Connection(str(tmp_path / "some.sqlite3"))
    connection.execute(f"PRAGMA encoding = '{encoding}'; CREATE TABLE texts (text TEXT)")
    reader = ColumnarReader(tmp_path / "some.sqlite3", connection)
    for some in ([], [""], texts, [text for text in texts if "\x1e" not in text]):
        connection.execute("DELETE FROM texts")
        connection.executemany("INSERT INTO texts VALUES (?)", [(text,) for text in some])
        found = reader.read("SELECT text, text, octet_length(text) FROM texts", (), schema)
        assert found.schema == schema
        assert found["plain"].to_pylist() == found["coded"].to_pylist() == some
    connection.close()


def test_text_too_long_for_one_value_is_read(tmp_path: Path) -> None:
    connection = apsw.Connection(str(tmp_path / "some.sqlite3"))
    connection.limit(apsw.SQLITE_LIMIT_LENGTH, 100_000)
    connection.execute("CREATE TABLE texts (text TEXT)")
    connection.executemany("INSERT INTO texts VALUES (?)", [("x" * 30_000,)] * 4)
    reader = ColumnarReader(tmp_path / "some.sqlite3", connection)
    found = reader.read("SELECT text FROM texts", (), pa.schema({"text": pa.string()}))
    assert found["text"].to_pylist() == ["x" * 30_000] * 4
    connection.close()


@pytest.fixture
def widths(tmp_path: Path) -> Iterator[tuple[Snapshot, list[int]]]:
    """A snapshot of a usual table, and how many values of a row each query has read."""
    path = schedules(tmp_path / "usual.sqlite3", 5)
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    found: list[int] = []

    class Counting(ColumnarReader):
        def read(self, sql: str, values: Any, schema: pa.Schema) -> pa.Table:
            found.append(len(schema))
            return super().read(sql, values, schema)

    source = Source(path, connection, Counting(path, connection), connection.close)
    with Snapshot(source) as snapshot:
        yield snapshot, found


def test_a_usual_row_is_read_as_few_values(widths: tuple[Snapshot, list[int]]) -> None:
    snapshot, found = widths
    assert snapshot.read(PLANNED, EVERYONE).num_rows > 10
    assert set(found) == {5}


def test_many_different_texts_are_not_joined_again(
    widths: tuple[Snapshot, list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot, found = widths
    monkeypatch.setattr(joined, "MOST", 3)
    first, second = (snapshot.read(PLANNED, EVERYONE).to_pylist() for _ in range(2))
    assert first == second
    assert found[-1] == len(PLANNED.schema)
    assert found.count(5) == found.count(len(PLANNED.schema)) // 2
