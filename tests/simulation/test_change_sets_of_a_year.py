"""A year of daily versions: all their change sets on the first one give the last one."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import apsw
import pytest

from tests.support.cli_calls import agency, almanac
from tests.support.undo_calls import tables

FIRST = dt.date(2026, 11, 21)


def rowids(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """The rowids of each table, in order."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        names = connection.execute(
            "SELECT name FROM pragma_table_list WHERE NOT wr AND type='table'"
        )
        found = [str(name) for (name,) in names if not str(name).startswith("sqlite_")]
        return {n: connection.execute(f'SELECT rowid FROM "{n}"').fetchall() for n in found}
    finally:
        connection.close()


# what the generated table requires besides
REQUIRED: dict[str, object] = {
    "first_name": "Ann",
    "last_name": "Lee",
    "current_carrier": "Aetna",
    "plan_type": "G",
}
REQUIRED |= {"effective_date": "2020-05-01", "tobacco_user": 0, "gender": "F", "zip_code": "89101"}


def event(day: int) -> str:
    """What happens before a day's run."""
    person = {"email": f"new{day}@example.com", "state": "NV", "birth_date": "1950-02-03"}
    entries = {
        "contacts": REQUIRED | person,
        "suppressions": {"contact_id": day + 1, "reason": "asked"},
    }
    return "".join(
        json.dumps({"kind": kind, "entries": [entry]}) + "\n" for kind, entry in entries.items()
    )


@pytest.mark.slow
@pytest.mark.parametrize("days", [10, 365])
def test_the_change_sets_of_all_days_give_the_last_version(tmp_path: Path, days: int) -> None:
    at, events = ("--store", tmp_path / "store"), tmp_path / "events.jsonl"
    almanac("store", "push", "206", agency(tmp_path / "agency.sqlite3", 2000), *at)
    for day in range(days + 2):
        events.write_text(event(day))
        assert almanac("intake", "--org", "206", events, *at).code == 0
        as_of = FIRST + dt.timedelta(day)
        answer = almanac("run", "--org", "206", "--as-of", as_of, *at)
        assert answer.code == 0, answer.err
    first, last, out = (tmp_path / name for name in ("first", "last", "changes"))
    almanac("store", "pull", "206", "--version", "2", "--out", first, *at)
    almanac("store", "pull", "206", "--out", last, *at)
    answer = almanac("store", "changes", "206", "--from", "2", "--out", out, *at)
    assert answer.code == 0, answer.err
    answer = almanac("apply", first, out)
    assert answer.code == 0, answer.err
    # from the first version's events on, one contact a day
    assert len(rowids(first)["contacts"]) == 2000 + days + 2
    assert tables(first) == tables(last)
    keyless = rowids(first)
    keyless.pop("almanac_undo")
    assert keyless == rowids(last)
