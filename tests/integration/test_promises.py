"""What always holds (semantics: Promises), each promise seen from outside.

Promise 9, a year in the life, is in tests/simulation.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
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
    check_candidates,
    check_ceiling,
    check_dates,
    check_excluded_days,
    check_frequency,
    check_others,
    check_what_is_not_ours,
    ran,
)

# an agency that fails is not made smaller first: that would take as long as many more agencies
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
FEW = settings(max_examples=12, phases=PHASES)
FEWER = settings(max_examples=6, phases=PHASES)
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
PARTS = cases.map(lambda case: replace(case, part=True))
STAMPS = ("scheduler_run_id", "batch_id", "created_at", "updated_at")
NO_ROOM = {"Daily volume cap", "Campaign priority conflict"}


@FEW
@given(cases)
def test_no_mail_that_respects_windows_is_planned_on_an_excluded_day(case: Case) -> None:
    with ran(case) as one:
        check_excluded_days(one)


@FEW
@given(cases)
def test_nothing_is_planned_before_the_first_send_date_or_after_its_deadline(case: Case) -> None:
    with ran(case) as one:
        check_dates(one)


@FEW
@given(cases)
def test_no_contact_gets_more_than_the_frequency_limit_or_two_campaigns_a_day(case: Case) -> None:
    with ran(case) as one:
        check_frequency(one)


@FEW
@given(cases)
def test_no_day_is_above_the_ceiling_but_by_what_the_run_cannot_move(case: Case) -> None:
    with ran(case) as one:
        check_ceiling(one)


@FEW
@given(cases)
def test_committed_rows_and_other_tables_stay_byte_for_byte_what_they_were(case: Case) -> None:
    with ran(case) as one:
        check_what_is_not_ours(one)


@FEWER
@given(cases)
def test_the_number_of_shards_changes_no_row(case: Case) -> None:
    check_same_rows(case, [{"shards": 1}, {"shards": 2}, {"shards": 7}])


@pytest.mark.parametrize("seed", [3, 4])
def test_the_number_of_worker_processes_changes_no_row(seed: int) -> None:
    case = Case(seed, 40, "new", late=False, earlier=None, part=False, shards=2)
    check_same_rows(case, [{"workers": 1}, {"workers": 2}])


@FEWER
@given(cases, st.randoms(use_true_random=False))
def test_the_order_of_rows_and_columns_in_the_file_changes_no_row(
    case: Case, rng: random.Random
) -> None:
    check_same_rows_in_any_order(case, rng)


@FEW
@given(cases)
def test_a_second_run_changes_no_row(case: Case) -> None:
    with ran(case) as one:
        check_second_run(one)


@FEW
@given(cases)
def test_every_candidate_ends_as_exactly_one_row(case: Case) -> None:
    with ran(case) as one:
        check_candidates(one)


@FEW
@given(PARTS)
def test_a_run_over_some_contacts_leaves_all_others_untouched(case: Case) -> None:
    with ran(case) as one:
        check_others(one)


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
    found = [_outcome(case, lambda path: None, **how) for how in ways]
    for other in found[1:]:
        assert _rows(other) == _rows(found[0])
        assert _said(other) == _said(found[0])


def check_same_rows_in_any_order(case: Case, rng: random.Random) -> None:
    """Promise 6: how a file lays out what it says does not matter."""
    straight = _outcome(case, lambda path: None)
    mixed = _outcome(case, lambda path: _mix(path, rng))
    assert _rows(mixed) == _rows(straight)
    assert _said(mixed) == _said(straight)


def _outcome(case: Case, change: Callable[[Path], None], **how: int) -> Photograph:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "agency.sqlite3"
        case.build(path)
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
    """Whether the run looked for a day for a row only after its ideal date, and days are full."""
    expected = one.expected[identity(row)]
    was = one.before.scheduled.get(row["id"])
    planned_before = was is not None and was["status"] == "pre-scheduled"
    moved = expected.ideal_send_date >= one.case.t0 and expected.target != expected.ideal_send_date
    stands = Counter(
        date_of(other) for other in one.after.scheduled.values() if other["status"] != "skipped"
    )
    return (planned_before or moved) and max(stands.values()) >= one.plan.X
