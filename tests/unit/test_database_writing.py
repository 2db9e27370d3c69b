"""The change-only write of rows, issues, statuses, configuration and checkpoints."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from almanac.civil import day_of
from almanac.contact_ranges import EVERYONE
from almanac.database import range_tables, run_records, shape_tables, writing
from almanac.database.config_versions import record_config
from almanac.database.migrations import create_indexes, migrate
from almanac.database.reading import Snapshot
from almanac.database.run_records import (
    settle_new_targets,
    write_checkpoint,
    write_issues,
    write_target_statuses,
)
from almanac.database.writing import (
    ScheduleWriter,
)
from almanac.errors import SnapshotMoved
from almanac.frames import NO_DAY, Kind, ScheduleRows
from almanac.schedule_status import SkipCode
from tests.support.database_agencies import OLD_SCHEDULES, make

KINDS = [
    Kind("aep", 0, 30, "aep_template", "aep_sms"),
    Kind("birthday", 0, 10, "birthday_template", "birthday_sms"),
    Kind("campaign_o'x\x1f", 4, 3, None, None),
    Kind("followup_1_cold", 4, 50, "cold", "cold_sms"),
]
REASONS = ["", "Frequency limit exceeded", "Suppressed: it's \x1f odd"]
RUN, NOW = "2026-11-21-daily", "2026-11-21 10:00:00"
LATER = "2026-11-22 10:00:00"
WIDE = (-(2**63), 2**63 - 1)


def day(text: str) -> int:
    return day_of(dt.date.fromisoformat(text))


def put(into: ScheduleWriter, rows: ScheduleRows, details: Any = ()) -> None:
    into.write(into.prepared(rows, details))


def row(contact: int, **more: int) -> dict[str, int]:
    """One schedule row of a birthday email, with what differs."""
    usual = {
        "row_id": 0,
        "contact_id": contact,
        "kind": 1,
        "event": day("2027-02-28"),
        "ideal": day("2027-02-14"),
        "day": day("2027-02-15"),
        "reason": 0,
        "sms": 1,
        "details": -1,
    }
    return usual | more


def frame(*rows: dict[str, int]) -> ScheduleRows:
    schema = ScheduleRows.schema()
    columns = {f.name: pa.array([r[f.name] for r in rows]).cast(f.type) for f in schema}
    return ScheduleRows.from_arrow(pa.table(columns))


def writer(connection: apsw.Connection, run: str = RUN, now: str = NOW) -> ScheduleWriter:
    return ScheduleWriter(connection, KINDS, REASONS, "08:30", run, now)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return make(tmp_path / "agency.sqlite3", OLD_SCHEDULES)


@pytest.fixture
def connection(path: Path) -> Iterator[apsw.Connection]:
    """A migrated database with the trigger of old ones."""
    opened = apsw.Connection(str(path))
    opened.execute("PRAGMA synchronous = OFF")
    migrate(opened)
    create_indexes(opened)
    yield opened
    opened.close()


def stored(connection: apsw.Connection) -> list[dict[str, Any]]:
    cursor = connection.execute("SELECT * FROM email_schedules ORDER BY id")
    return [
        {c[0]: v for c, v in zip(cursor.get_description(), values, strict=True)}
        for values in cursor
    ]


def test_a_new_row_has_every_column(connection: apsw.Connection) -> None:
    put(writer(connection), frame(row(7, details=1)), ["no", '{"a": 1}'])
    (found,) = stored(connection)
    assert found == {
        "id": 1,
        "contact_id": 7,
        "email_type": "birthday",
        "scheduled_send_date": "2027-02-15",
        "scheduled_send_time": "08:30",
        "status": "pre-scheduled",
        "skip_reason": None,
        "priority": 10,
        "campaign_instance_id": None,
        "email_template": "birthday_template",
        "sms_template": "birthday_sms",
        "scheduler_run_id": RUN,
        "batch_id": RUN,
        "event_year": 2027,
        "event_month": 2,
        "event_day": 28,
        "ideal_send_date": "2027-02-14",
        "metadata": '{"a": 1}',
        "created_at": NOW,
        "updated_at": NOW,
        "actual_send_datetime": None,
        "catchup_note": None,
    }


def test_a_skipped_row_has_its_reason(connection: apsw.Connection) -> None:
    put(writer(connection), frame(row(7, reason=2)))
    (found,) = stored(connection)
    assert (found["status"], found["skip_reason"]) == ("skipped", REASONS[2])


def test_a_campaign_row_has_its_instance_and_may_lack_templates(
    connection: apsw.Connection,
) -> None:
    put(writer(connection), frame(row(7, kind=2)))
    (found,) = stored(connection)
    assert (found["email_type"], found["campaign_instance_id"]) == (KINDS[2].email_type, 4)
    assert (found["email_template"], found["sms_template"]) == (None, None)


def test_without_a_phone_there_is_no_sms(connection: apsw.Connection) -> None:
    put(writer(connection), frame(row(1, sms=0), row(7, sms=1)))
    assert [r["sms_template"] for r in stored(connection)] == [None, "birthday_sms"]


def test_rows_get_their_ids_in_the_order_given_however_they_are_cut(
    connection: apsw.Connection,
) -> None:
    contacts = [5, 3, WIDE[1], 4, WIDE[0], 0, -1, 2]
    many = writer(connection)
    put(many, frame(*(row(c, details=n % 2 - 1) for n, c in enumerate(contacts[:5]))), ["x"])
    put(many, frame(*(row(c) for c in contacts[5:])))
    found = stored(connection)
    assert [r["id"] for r in found] == list(range(1, 9))
    assert [r["contact_id"] for r in found] == contacts
    assert [r["metadata"] for r in found] == [None, "x", None, "x", None, None, None, None]


def test_shapes_of_too_many_dates_for_one_integer_are_unpacked_in_parts(
    connection: apsw.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [row(n, day=20_000 + n, reason=n % 2, kind=n % 2) for n in range(9)]
    put(writer(connection), frame(*rows))
    monkeypatch.setattr(shape_tables, "PACKED_BITS", 6)
    again = [each | {"contact_id": each["contact_id"] + 100} for each in rows]
    put(writer(connection), frame(*again))
    found = [{**r, "id": 0, "contact_id": r["contact_id"] % 100} for r in stored(connection)]
    assert found[9:] == found[:9]
    assert len({r["scheduled_send_date"] for r in found}) == 9


def test_metadata_may_come_as_an_arrow_array(connection: apsw.Connection) -> None:
    details = pa.array(["one", "it's \x1f two"])
    put(writer(connection), frame(row(1, details=1), row(2), row(3, details=0)), details)
    assert [r["metadata"] for r in stored(connection)] == ["it's \x1f two", None, "one"]


def test_a_changed_row_is_updated_in_place_and_no_other(connection: apsw.Connection) -> None:
    connection.execute("DROP TRIGGER touched")
    put(writer(connection), frame(row(1), row(7)))
    connection.execute("UPDATE email_schedules SET catchup_note = 'mine'")
    before = stored(connection)
    changed = row(7, row_id=2, day=day("2027-02-20"), reason=1, sms=0, details=0)
    put(writer(connection, "next", LATER), frame(changed), ["{}"])
    expected = before[1] | {
        "scheduled_send_date": "2027-02-20",
        "status": "skipped",
        "skip_reason": REASONS[1],
        "sms_template": None,
        "metadata": "{}",
        "scheduler_run_id": "next",
        "batch_id": "next",
        "updated_at": LATER,
    }
    assert stored(connection) == [before[0], expected]


def test_new_and_changed_rows_may_come_together(connection: apsw.Connection) -> None:
    put(writer(connection), frame(row(1), row(7)))
    rows = frame(row(7, row_id=2, kind=1, reason=1), row(3), row(1, row_id=1, ideal=NO_DAY), row(9))
    put(writer(connection), rows)
    found = [(r["id"], r["contact_id"], r["skip_reason"]) for r in stored(connection)]
    assert found == [(1, 1, None), (2, 7, REASONS[1]), (3, 3, None), (4, 9, None)]
    assert stored(connection)[0]["ideal_send_date"] is None


def test_the_trigger_of_old_databases_does_no_harm(connection: apsw.Connection) -> None:
    put(writer(connection), frame(row(1), row(7)))
    put(writer(connection), frame(row(7, row_id=2, reason=1)))
    writer(connection).expire(np.array([1]))
    assert [r["status"] for r in stored(connection)] == ["skipped", "skipped"]


def test_a_trigger_on_new_rows_does_no_harm(connection: apsw.Connection) -> None:
    connection.execute(
        """CREATE TABLE log (contact_id); CREATE TRIGGER added AFTER INSERT ON email_schedules
        BEGIN INSERT INTO log VALUES (NEW.contact_id), (NEW.contact_id); END;
        CREATE TRIGGER gone AFTER DELETE ON email_schedules BEGIN DELETE FROM log; END"""
    )
    put(writer(connection), frame(row(1), row(7)))
    assert connection.execute("SELECT count(*) FROM log").fetchall() == [(4,)]
    writer(connection).remove(np.array([1, 2]))
    assert stored(connection) == []


def test_a_committed_row_is_never_changed(connection: apsw.Connection) -> None:
    put(writer(connection), frame(row(1)))
    connection.execute("UPDATE email_schedules SET status = 'sent'")
    before = stored(connection)
    again = writer(connection)
    with pytest.raises(SnapshotMoved):
        put(again, frame(row(1, row_id=1, reason=1)))
    with pytest.raises(SnapshotMoved):
        again.remove(np.array([1]))
    with pytest.raises(SnapshotMoved):
        again.expire(np.array([1]))
    assert stored(connection) == before


def test_a_row_that_is_gone_is_noticed(connection: apsw.Connection) -> None:
    with pytest.raises(SnapshotMoved, match="0 of 1"):
        put(writer(connection), frame(row(1, row_id=5)))


def test_rows_are_removed_by_id(connection: apsw.Connection) -> None:
    many = writer(connection)
    put(many, frame(row(1), row(7), row(8)))
    many.remove(np.array([1, 3], np.int64))
    assert [r["id"] for r in stored(connection)] == [2]


def test_history_expires_with_its_reason_and_nothing_else_changes(
    connection: apsw.Connection,
) -> None:
    connection.execute("DROP TRIGGER touched")
    put(writer(connection), frame(row(1), row(7)))
    before = stored(connection)
    writer(connection, "next", LATER).expire(np.array([2], np.int64))
    expected = before[1] | {
        "status": "skipped",
        "skip_reason": SkipCode.NOT_SENT.value,
        "scheduler_run_id": "next",
        "batch_id": "next",
        "updated_at": LATER,
    }
    assert stored(connection) == [before[0], expected]


def test_nothing_to_do_does_nothing(connection: apsw.Connection) -> None:
    many = writer(connection)
    none = np.empty(0, np.int64)
    put(many, ScheduleRows.empty())
    many.remove(none)
    many.expire(none)
    assert stored(connection) == []


def test_a_second_writer_may_follow_and_close_leaves_nothing(connection: apsw.Connection) -> None:
    writer(connection)
    again = writer(connection)
    put(again, frame(row(1)))
    again.close()
    assert connection.execute("SELECT name FROM sqlite_temp_schema").fetchall() == []


def test_all_of_it_is_undone_with_the_transaction(connection: apsw.Connection) -> None:
    connection.execute("BEGIN")
    put(writer(connection), frame(row(1)))
    connection.execute("ROLLBACK")
    assert stored(connection) == []
    put(writer(connection), frame(row(1)))
    assert len(stored(connection)) == 1


dates = st.one_of(
    st.integers(day("2026-01-01"), day("2028-12-31")),
    st.integers(day("0001-01-01"), day("9999-12-31")),
)
ids = st.one_of(st.integers(1, 50), st.integers(*WIDE))


@st.composite
def schedule_rows(draw: st.DrawFn) -> list[dict[str, int]]:
    identities = draw(
        st.lists(st.tuples(ids, st.integers(0, 3), dates), min_size=1, max_size=30, unique=True)
    )
    return [
        row(
            contact,
            kind=kind,
            event=event,
            ideal=draw(dates),
            day=draw(dates),
            reason=draw(st.integers(0, 2)),
            sms=draw(st.integers(0, 1)),
            details=draw(st.integers(-1, 1)),
        )
        for contact, kind, event in identities
    ]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=schedule_rows(), updated=st.booleans())
def test_what_is_written_is_what_is_read(
    connection: apsw.Connection, path: Path, rows: list[dict[str, int]], updated: bool
) -> None:
    connection.execute("DELETE FROM email_schedules; DELETE FROM sqlite_sequence")
    many = writer(connection)
    if updated:
        before = [r | {"day": 0, "ideal": 0, "reason": 1, "sms": 0, "details": -1} for r in rows]
        put(many, frame(*before))
        rows = [r | {"row_id": n} for n, r in enumerate(rows, 1)]
    put(many, frame(*rows), ["{}", "[1]"])
    with Snapshot(path) as snapshot:
        found = snapshot.read(range_tables.PLANNED, EVERYONE).to_pylist()
    expected = [
        {
            "id": n,
            "contact_id": r["contact_id"],
            "email_type": KINDS[r["kind"]].email_type,
            "campaign_instance_id": KINDS[r["kind"]].instance,
            "event_year": date(r["event"]).year,
            "event_month": date(r["event"]).month,
            "event_day": date(r["event"]).day,
            "scheduled_send_date": date(r["day"]).isoformat(),
            "ideal_send_date": date(r["ideal"]).isoformat(),
            "scheduled": int(r["reason"] == 0),
            "skip_reason": REASONS[r["reason"]],
            "content": KINDS[r["kind"]].content("08:30", bool(r["sms"])),
            "metadata": ["{}", "[1]", ""][r["details"]],
        }
        for n, r in enumerate(rows, 1)
    ]
    assert sorted(found, key=lambda r: r["id"]) == expected
    assert [r["contact_id"] for r in found] == sorted(r["contact_id"] for r in rows)


def date(number: int) -> dt.date:
    return dt.date(1970, 1, 1) + dt.timedelta(days=number)


# Issues


def issue_table(*rows: tuple[int, str, str]) -> pa.Table:
    ids, *texts = zip(*rows, strict=True) if rows else ((), (), ())
    columns = [pa.array(ids, pa.int64()), *(pa.array(each, pa.string()) for each in texts)]
    return pa.table(columns, names=["contact_id", "issue", "detail"])


def write(
    connection: apsw.Connection, gone: list[tuple[int, str]], rows: list[Any], now: str
) -> None:
    keys = issue_table(*((contact, issue, "") for contact, issue in gone)).drop_columns("detail")
    write_issues(connection, keys, issue_table(*rows), now)


def issues(connection: apsw.Connection) -> list[tuple[Any, ...]]:
    return connection.execute("SELECT * FROM contact_issues ORDER BY 1, 2").fetchall()


def test_an_issue_that_stays_keeps_when_it_was_first_seen(connection: apsw.Connection) -> None:
    write(connection, [], [(1, "invalid_zip", "abc"), (7, "invalid_email", "x")], NOW)
    write(connection, [], [(1, "invalid_zip", "def"), (1, "invalid_email", "'")], LATER)
    assert issues(connection) == [
        (1, "invalid_email", "'", LATER),
        (1, "invalid_zip", "def", NOW),
        (7, "invalid_email", "x", NOW),
    ]


def test_an_issue_that_went_is_removed(connection: apsw.Connection) -> None:
    write(connection, [], [(1, "invalid_zip", "abc"), (1, "invalid_email", "x")], NOW)
    write(connection, [(1, "invalid_zip"), (9, "invalid_zip")], [], LATER)
    assert issues(connection) == [(1, "invalid_email", "x", NOW)]


# Statuses of targets

TARGET = (
    "INSERT INTO contact_campaigns (contact_id, campaign_instance_id, status, updated_at) VALUES"
)


def test_only_statuses_that_differ_are_written(connection: apsw.Connection) -> None:
    connection.execute(
        f"{TARGET} (1, 1, 'pending', 'x'), (2, 1, 'scheduled', 'x'), (3, 1, NULL, 'x')"
    )
    targets = {"scheduled": np.array([1, 2]), "it's": np.array([3])}
    write_target_statuses(connection, targets, NOW)
    found = connection.execute("SELECT id, status, updated_at FROM contact_campaigns").fetchall()
    assert found == [(1, "scheduled", NOW), (2, "scheduled", "x"), (3, "it's", NOW)]


def test_no_statuses_are_no_change(connection: apsw.Connection) -> None:
    write_target_statuses(connection, {}, NOW)


def test_new_targets_get_the_status_of_their_plan(connection: apsw.Connection) -> None:
    kinds = [Kind("campaign_rate_increase", 4, 1, None, None), Kind("campaign_x", 4, 1, None, None)]
    rows = [
        row(1, kind=0, event=day("2026-12-15")),
        row(2, kind=0, event=day("2026-12-15"), reason=1),
        row(3, kind=1, event=day("2026-12-15")),
        row(4, kind=0, event=day("2026-12-16")),
    ]
    put(ScheduleWriter(connection, kinds, REASONS, "08:30", RUN, NOW), frame(*rows))
    names = "contact_id, campaign_instance_id, trigger_date, status, updated_at"
    for contact in (1, 2, 3, 4):
        sql = f"INSERT INTO contact_campaigns ({names}) VALUES (?, 4, '2026-12-15', 'pending', 'x')"
        connection.execute(sql, (contact,))
    connection.execute(
        f"INSERT INTO contact_campaigns ({names}) VALUES (1, 5, '2026-12-15', '', 'x')"
    )
    settle_new_targets(connection, 4, NOW)
    found = connection.execute("SELECT contact_id, status, updated_at FROM contact_campaigns")
    assert found.fetchall() == [
        (1, "scheduled", NOW),
        (2, "skipped", NOW),
        (3, "pending", "x"),
        (4, "pending", "x"),
        (1, "", "x"),
    ]


@pytest.mark.parametrize("statement", ["_UPDATE", "_DELETE", "_EXPIRE", "_SETTLE", "_INSERT"])
def test_no_statement_looks_at_more_rows_than_it_changes(
    connection: apsw.Connection, statement: str
) -> None:
    writer(connection)
    array = apsw.carray(np.array([1]))
    named = dict.fromkeys(("base", "bits", "mask", "send_time", "run", "now"), 1)
    values: Any = (1, NOW) if statement == "_SETTLE" else named | {"words": array, "ids": array}
    sql = "EXPLAIN QUERY PLAN " + getattr(
        run_records if statement == "_SETTLE" else writing, statement
    )
    plan = [str(step[3]) for step in connection.execute(sql, values)]
    assert not any("status_date" in step or "SCAN row" in step for step in plan)
    assert not any(step.startswith("SCAN email_schedules") for step in plan)


# Configuration and checkpoints


def test_a_configuration_is_recorded_when_it_differs(connection: apsw.Connection) -> None:
    assert record_config(connection, '{"a": 1}', NOW)
    assert not record_config(connection, '{"a": 1}', LATER)
    assert record_config(connection, '{"a": 2}', LATER)
    columns = "config_type, config_data, valid_from, valid_to, created_at"
    assert connection.execute(f"SELECT {columns} FROM config_versions").fetchall() == [
        ("organization", '{"a": 1}', NOW, LATER, NOW),
        ("organization", '{"a": 2}', LATER, None, LATER),
    ]


def test_other_kinds_of_configuration_are_left_alone(connection: apsw.Connection) -> None:
    connection.execute("INSERT INTO config_versions (config_type, config_data) VALUES ('ui', '{}')")
    assert record_config(connection, "{}", NOW)
    sql = "SELECT valid_to FROM config_versions WHERE config_type = 'ui'"
    assert connection.execute(sql).fetchall() == [(None,)]


def test_what_is_recorded_is_read_back(connection: apsw.Connection, path: Path) -> None:
    record_config(connection, '{"a": 1}', NOW)
    write_checkpoint(connection, scheduler_run_id=RUN, status="completed", contacts_processed=2)
    with Snapshot(path) as snapshot:
        assert snapshot.last_config() == '{"a": 1}'
        last = snapshot.last_run()
    assert last is not None
    assert (last["scheduler_run_id"], last["contacts_processed"]) == (RUN, 2)
    assert last["error_message"] is None


def test_a_run_has_one_checkpoint_however_often_it_was_tried(connection: apsw.Connection) -> None:
    write_checkpoint(connection, scheduler_run_id=RUN, status="failed", error_message="x")
    write_checkpoint(connection, scheduler_run_id="other", status="completed")
    write_checkpoint(connection, scheduler_run_id=RUN, status="completed")
    columns = "scheduler_run_id, status, error_message"
    found = connection.execute(f"SELECT {columns} FROM scheduler_checkpoints").fetchall()
    assert sorted(found) == [(RUN, "completed", None), ("other", "completed", None)]


@pytest.mark.parametrize("columns", [{"status": "completed"}, {"scheduler_run_id": RUN, "no": 1}])
def test_a_checkpoint_of_unknown_columns_is_a_mistake(
    connection: apsw.Connection, columns: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match="not a checkpoint"):
        write_checkpoint(connection, **columns)
