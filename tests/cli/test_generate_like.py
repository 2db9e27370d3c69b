"""`almanac generate --like`: the shape of a real agency, and none of its people."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import apsw
import pytest

from almanac.generation import generate
from almanac.statistics.agency_shape import agency_shape
from tests.support.agency_tables import CONTACTS, SCHEMAS
from tests.support.cli_calls import AS_OF, almanac

CONTACT_COUNT = 400
MARK = "zqplant"
# one group of 9 contacts, which is too small, and one of 12
SHAPING = (
    "ALTER TABLE contacts ADD COLUMN do_not_contact TEXT",
    "ALTER TABLE contacts ADD COLUMN shoe_size REAL",
    "DROP INDEX idx_contacts_email",
    "UPDATE contacts SET state = CASE WHEN id <= 9 THEN 'VT' ELSE 'FL' END",
    "UPDATE contacts SET state = 'tx' WHERE id BETWEEN 10 AND 100",
    "UPDATE contacts SET current_carrier = CASE WHEN id <= 9 THEN 'Nine Lives' ELSE 'Ten Up' END",
    "UPDATE contacts SET birth_date = '1899-03-0' || id WHERE id <= 9",
    "UPDATE contacts SET birth_date = '1956-02-29' WHERE id BETWEEN 10 AND 49",
    "UPDATE contacts SET birth_date = '' WHERE id BETWEEN 50 AND 149",
    "UPDATE contacts SET effective_date = 'soon' WHERE id BETWEEN 50 AND 149",
    "UPDATE contacts SET zip_code = '60601' WHERE id <= 200",
    "UPDATE contacts SET do_not_contact = 'yes', shoe_size = 43.5 WHERE id <= 40",
    "UPDATE contacts SET email = 'one@zqplant.com' WHERE id BETWEEN 150 AND 189",
    "UPDATE contacts SET status = 'ACTIVE' WHERE id <= 80",
)
# of all contacts, in the one as in the other
ALIKE = (
    "upper(state) = 'TX'",
    "state <> upper(state)",
    "state = 'VT'",
    "current_carrier = 'Ten Up'",
    "birth_date LIKE '%-02-29'",
    "birth_date = ''",
    "effective_date NOT GLOB '[0-9]*'",
    "do_not_contact IN ('yes', 1)",
    "shoe_size IS NOT NULL",
    "status = 'ACTIVE'",
    "rowid NOT IN (SELECT min(rowid) FROM contacts GROUP BY email)",
    "id IN (SELECT contact_id FROM email_schedules WHERE status IN ('sent', 'delivered'))",
    "id IN (SELECT contact_id FROM contact_campaigns)",
    "julianday('2026-11-21') - julianday(birth_date) > 70 * 365.25",
)


def plant(path: Path) -> None:
    """Write a mark of its own into every text of every second row, whatever table it is in."""
    connection = apsw.Connection(str(path))
    connection.execute("PRAGMA ignore_check_constraints = ON")
    tables = [t for (t,) in connection.execute("SELECT name FROM sqlite_schema WHERE type='table'")]
    for table in (t for t in tables if not t.startswith("sqlite_")):
        about = list(connection.execute("SELECT name, type FROM pragma_table_info(?)", (table,)))
        texts = [name for name, kind in about if kind not in ("INTEGER", "REAL", "BOOLEAN")]
        marks = (f"{c} = '{MARK}-{table}-{c}-' || rowid" for c in texts)
        connection.execute(f"UPDATE {table} SET {', '.join(marks)} WHERE rowid % 2 = 0")
    connection.execute(f"INSERT INTO campaign_types (name) VALUES ('{MARK}')")
    connection.close()


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An agency with groups of few contacts and of many."""
    path = tmp_path_factory.mktemp("real") / "real.sqlite3"
    generate(path, CONTACT_COUNT, 3, dt.date.fromisoformat(AS_OF))
    connection = apsw.Connection(str(path))
    with connection:
        for statement in SHAPING:
            connection.execute(statement)
    connection.close()
    return path


def share(path: Path, condition: str) -> float:
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    ((found,),) = connection.execute(f"SELECT avg({condition}) FROM contacts")
    connection.close()
    return float(found or 0)


def test_no_value_of_a_person_is_in_what_is_written(real: Path, tmp_path: Path) -> None:
    planted = tmp_path / "planted.sqlite3"
    planted.write_bytes(real.read_bytes())
    plant(planted)
    before = planted.read_bytes()
    out, shape = tmp_path / "out.sqlite3", tmp_path / "shape.json"
    answer = almanac(
        *("generate", out, "--like", planted, "--as-of", AS_OF, "--seed", 8, "--shape-out", shape)
    )
    assert answer.code == 0, answer.err
    assert planted.read_bytes() == before
    written = out.read_bytes() + shape.read_bytes()
    connection = apsw.Connection(str(planted))
    people = connection.execute("SELECT email, created_at, updated_at FROM contacts").fetchall()
    connection.close()
    values = {str(value) for row in people for value in row}
    assert len(values) > 2 * CONTACT_COUNT
    found = [value for value in values if value.encode() in written]
    assert (found, MARK.encode() in written.lower()) == ([], False)
    for few in (b"Nine Lives", b"1899-", b"60601", b"43.5"):
        assert few not in written


def test_what_is_generated_has_the_shares_of_the_real_agency(real: Path, tmp_path: Path) -> None:
    out, shape = tmp_path / "out.sqlite3", tmp_path / "shape.json"
    almanac(
        *("generate", out, "--like", real, "--contacts", 3000, "--as-of", AS_OF),
        *("--shape-out", shape),
    )
    different = [
        (condition, share(real, condition), share(out, condition))
        for condition in ALIKE
        if abs(share(real, condition) - share(out, condition)) > 0.04
    ]
    assert different == []
    assert share(out, "state = 'VT'") == 0
    again = tmp_path / "again.sqlite3"
    almanac("generate", again, "--like", shape, "--contacts", 3000, "--as-of", AS_OF)
    assert again.read_bytes() == out.read_bytes()


@pytest.mark.parametrize("schema", SCHEMAS)
def test_any_schema_has_a_shape(tmp_path: Path, schema: str) -> None:
    path = tmp_path / "agency.sqlite3"
    connection = apsw.Connection(str(path))
    connection.execute(CONTACTS[schema])
    number = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 12)"
    connection.execute(f"{number} INSERT INTO contacts (id, email) SELECT i, i || '@a.com' FROM n")
    connection.execute("UPDATE contacts SET email = CAST(x'ff' AS TEXT) WHERE id = 5")
    connection.close()
    shape = agency_shape(path, dt.date.fromisoformat(AS_OF))
    assert shape.contacts == 12
    assert {"births", "states"} & shape.measured == set()


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ([], "--contacts"),
        (["--like", "few.sqlite3"], "too few contacts"),
        (["--like", "none.sqlite3"], "none.sqlite3: no such file"),
        (["--like", "none.json"], "none.json: cannot be read"),
        (["--like", "other.json"], "states"),
        (["--like", "odd.json"], "oddities"),
        (["--contacts", "5", "--shape-out", "s.json"], "--like"),
        (["--like", "few.sqlite3", "--shape-out", "few.sqlite3"], "--shape-out"),
        (["--like", "few.sqlite3", "--shape-out", "new.sqlite3"], "is DATABASE"),
    ],
)
def test_a_mistake_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], named: str
) -> None:
    monkeypatch.chdir(tmp_path)
    apsw.Connection("few.sqlite3").execute(CONTACTS["bare"])
    Path("other.json").write_text(json.dumps({"states": {"TX": -1}}))
    Path("odd.json").write_text(json.dumps({"oddities": [[["email", "DROP TABLE", 0.5]]]}))
    answer = almanac("generate", "new.sqlite3", *arguments)
    assert (answer.code, answer.err.count("\n")) == (2, 1)
    assert named in answer.err
    assert not Path("new.sqlite3").exists()
