"""What always holds (semantics: Promises), each promise seen from outside.

Promise 9, a year in the life, is in tests/simulation.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.support.outside import Photograph, Record, date_of, identity, opened, photograph
from tests.support.promises import (
    CHECKS,
    Case,
    Ran,
    ran,
)
from tests.support.sampling import sampled

# an agency that fails is not made smaller first: that would take as long as many more agencies
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
MANY = settings(max_examples=1000, phases=PHASES, suppress_health_check=[HealthCheck.too_slow])
SEVERAL = settings(MANY, max_examples=150)
cases = st.builds(
    Case,
    seed=st.integers(0, 2**31),
    size=st.sampled_from([8, 25, 40]),
    schema=st.sampled_from(["old", "new", "new", "minimal", "bare"]),
    late=st.booleans(),
    earlier=st.sampled_from([None, None, 0, 1, 9]),
    part=st.sampled_from([False, False, True]),
    shards=st.sampled_from([1, 1, 2, 7]),
)
STAMPS = ("scheduler_run_id", "batch_id", "created_at", "updated_at")
NO_ROOM = {"Daily volume cap", "No sending day", "Campaign priority conflict"}


def chosen(seed: int, schema: str, **how: Any) -> Case:
    plain = {"size": 20, "late": False, "earlier": None, "part": False, "shards": 1}
    return Case(seed=seed, schema=schema, **plain | how)


# what the quick tests look at: every kind of agency, run and earlier run at least once
CHOSEN = [
    chosen(1, "new", size=28),
    chosen(2, "old", late=True, earlier=1, shards=2),
    chosen(3, "new", size=28, earlier=9, part=True, shards=2),
    chosen(4, "minimal", earlier=0),
    chosen(5, "bare", late=True, shards=7),
    chosen(6, "new", late=True, earlier=0, part=True, shards=7),
    chosen(7, "old", size=28, earlier=9),
    chosen(8, "new", size=8, earlier=1, shards=2),
]


@pytest.fixture(scope="module")
def runs() -> Iterator[list[Ran]]:
    """The chosen cases after their runs; tests that write to a file copy it."""
    with ExitStack() as stack:
        yield [stack.enter_context(ran(case)) for case in CHOSEN]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_what_is_promised_of_a_run_holds(runs: list[Ran], check: Callable[[Ran], None]) -> None:
    for one in runs:
        check(one)


@pytest.mark.parametrize("case", sampled([CHOSEN[2], CHOSEN[1]], 1))
def test_the_number_of_shards_changes_no_row(case: Case) -> None:
    check_same_rows(case, [{"shards": 1}, {"shards": 5}])


@pytest.mark.parametrize("seed", sampled([3, 4], 1))
def test_the_number_of_worker_processes_changes_no_row(seed: int) -> None:
    case = Case(seed, 20, "new", late=False, earlier=None, part=False, shards=2)
    check_same_rows(case, [{"workers": 1}, {"workers": 2}])


@pytest.mark.parametrize("case", sampled([CHOSEN[2], CHOSEN[1]], 1))
def test_the_order_of_rows_and_columns_in_the_file_changes_no_row(case: Case) -> None:
    check_same_rows_in_any_order(case, random.Random(case.seed))


@pytest.mark.parametrize("number", sampled(range(6), 3))
def test_a_second_run_changes_no_row(runs: list[Ran], folder: Path, number: int) -> None:
    one = runs[number]
    path = folder / "agency.sqlite3"
    path.write_bytes(one.path.read_bytes())
    check_second_run(replace(one, path=path))


@pytest.mark.slow
@MANY
@given(cases)
def test_every_promise_holds_for_many_more_agencies(case: Case) -> None:
    with ran(case) as one:
        for check in (*CHECKS, check_second_run):
            check(one)


@pytest.mark.slow
@SEVERAL
@given(cases, st.randoms(use_true_random=False))
def test_neither_shards_nor_order_matter_in_many_more_agencies(
    case: Case, rng: random.Random
) -> None:
    check_same_rows(case, [{"shards": 1}, {"shards": 2}, {"shards": 7}])
    check_same_rows_in_any_order(case, rng)


def check_same_rows(case: Case, ways: list[dict[str, int]]) -> None:
    """Promise 6: however the work is cut up, the same file comes out."""
    with TemporaryDirectory() as folder:
        built = _built(case, folder)
        found = [_outcome(case, built, lambda path: None, **how) for how in ways]
    for other in found[1:]:
        assert _rows(other) == _rows(found[0])
        assert _said(other) == _said(found[0])


def check_same_rows_in_any_order(case: Case, rng: random.Random) -> None:
    """Promise 6: how a file lays out what it says does not matter."""
    with TemporaryDirectory() as folder:
        built = _built(case, folder)
        straight = _outcome(case, built, lambda path: None)
        mixed = _outcome(case, built, lambda path: _mix(path, rng))
    assert _rows(mixed) == _rows(straight)
    assert _said(mixed) == _said(straight)


def _built(case: Case, folder: str) -> Path:
    path = Path(folder) / "built.sqlite3"
    case.build(path)
    return path


def _outcome(case: Case, built: Path, change: Callable[[Path], None], **how: int) -> Photograph:
    """What a run makes of a copy of the file, changed before."""
    path = built.with_name("agency.sqlite3")
    path.write_bytes(built.read_bytes())
    change(path)
    case.plan(path, case.scope(path), **how)
    return photograph(path)


def _rows(look: Photograph) -> dict[int, Record]:
    """All rows of email_schedules by id, without the times and names of runs."""
    return {
        key: {name: value for name, value in row.items() if name not in STAMPS}
        for key, row in look.scheduled.items()
    }


def _said(look: Photograph) -> list[set[tuple[Any, ...]]]:
    """What else the run said: issues, and what became of campaign targets."""
    columns = {
        "contact_issues": ("contact_id", "issue", "detail"),
        "contact_campaigns": ("contact_id", "campaign_instance_id", "trigger_date", "status"),
    }
    return [
        set(look.tables[name].only(chosen, lambda _: True).values())
        for name, chosen in columns.items()
    ]


def _mix(path: Path, rng: random.Random) -> None:
    """Write the tables anew: rows in another order, under other ids, columns the other way round.

    Only where that says the same: of a contact's suppressions the first counts, and a campaign
    and a scheduled row are known by their ids.
    """
    with opened(path) as connection:
        there = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
        for name in {"tracking_clicks", "contact_events", "contact_campaigns"} & there:
            ids = [one for (one,) in connection.execute(f"SELECT id FROM {name}")]
            rng.shuffle(ids)
            # by way of negative ids, so that no two are ever the same
            connection.execute(f"UPDATE {name} SET id = -id")
            sql = f"UPDATE {name} SET id = ? WHERE id = (SELECT min(id) FROM {name})"
            connection.executemany(sql, [(one,) for one in ids])
        columns = [row[1] for row in connection.execute("PRAGMA table_info(contacts)")][::-1]
        rows = list(connection.execute(f"SELECT {', '.join(columns)} FROM contacts"))
        rng.shuffle(rows)
        connection.execute("DROP TABLE contacts")
        connection.execute(f"CREATE TABLE contacts ({', '.join(columns)})")
        marks = ", ".join("?" * len(columns))
        connection.executemany(f"INSERT INTO contacts VALUES ({marks})", rows)


def check_second_run(one: Ran) -> None:
    """Promise 7, with the one exception that the rules themselves make.

    What finds no day in the whole calendar is looked at again for the days from its target on, and
    skipped if none has room. That target is not its ideal date if it was kept from an earlier plan
    but found its day full, or if it was smoothed. To the next run it is new and may look from its
    ideal date on, where there may be room after all. So such a row, and no other, may come back;
    it may take the last room that another skipped one did not get, whose reason then changes.
    """
    one.case.plan(one.path, one.scope)
    table = one.after.tables["email_schedules"]
    again = photograph(one.path).tables["email_schedules"]
    assert again.columns == table.columns
    assert again.rows.keys() == table.rows.keys()
    changed = [one.after.scheduled[key] for key in table.rows if again.rows[key] != table.rows[key]]
    for row in changed:
        assert row["status"] == "skipped", row
        assert row["skip_reason"] in NO_ROOM, row
    assert not changed or any(_looked_late(one, row) for row in changed), changed


def _looked_late(one: Ran, row: Record) -> bool:
    """Whether the run looked for a day for a row only after its ideal date, and days are full or
    closed."""
    expected = one.expected[identity(row)]
    was = one.before.scheduled.get(row["id"])
    planned_before = was is not None and was["status"] == "pre-scheduled"
    moved = expected.ideal_send_date >= one.case.t0 and expected.target != expected.ideal_send_date
    stands = Counter(
        date_of(other) for other in one.after.scheduled.values() if other["status"] != "skipped"
    )
    full = max(stands.values()) >= one.plan.X or row["skip_reason"] == "No sending day"
    return (planned_before or moved) and full
