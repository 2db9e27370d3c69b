"""The planned rows that a version keeps in columns: those of its database, after every run."""

from __future__ import annotations

import datetime as dt

import apsw
import pytest

from almanac.database.undo.entries import WritingCommand
from almanac.intake import inbox
from almanac.intake.inbox import Received
from almanac.organizations.agency_database import StoreDatabase
from almanac.runs.run_plan import read_plan
from almanac.storage import layout
from tests.support.clouds import NOW, Cloud, plan_in, query
from tests.support.kept_columns import Rows, in_columns, in_database, noted_ranges

ORG = "206"
DAY = dt.timedelta(days=1)
DAILY = "2027-03-01-daily"


@pytest.fixture(scope="module")
def planned(unplanned: Cloud) -> Cloud:
    """The agency after yesterday's run."""
    claim(unplanned, 987654321)  # refused, but from now on the tables of events are there
    unplanned.ask(ORG)
    unplanned.run()
    unplanned.now = NOW
    return unplanned


def kept(cloud: Cloud) -> Rows | None:
    return in_columns(cloud.store, ORG)


def stored(cloud: Cloud) -> Rows:
    return in_database(cloud.store, ORG, cloud.folder)


def planned_ids(cloud: Cloud, count: int) -> list[int]:
    sql = "SELECT id FROM email_schedules WHERE status = 'pre-scheduled' ORDER BY id LIMIT ?"
    return [row for (row,) in query(cloud.pull(ORG), sql, count)]


def claim(cloud: Cloud, *rows: int) -> None:
    """The sender has sent messages."""
    entries = [{"id": row, "status": "sent"} for row in rows]
    event = {"event_id": f"sent-{rows[0]}", "org_id": ORG, "entries": entries}
    received = Received(kind="deliveries", event=event, received=cloud.now, source="http")
    inbox.put(cloud.store, ORG, [received])


@pytest.fixture
def ranges_read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    return noted_ranges(monkeypatch)


def test_every_version_of_a_run_has_the_planned_rows_of_its_database(
    cloud: Cloud, ranges_read: list[str]
) -> None:
    claim(cloud, *planned_ids(cloud, 3))
    cloud.ask(ORG)
    cloud.run()
    assert "contacts" in ranges_read
    assert "planned rows" not in ranges_read
    assert kept(cloud) == stored(cloud) != []


@pytest.mark.slow
def test_a_run_over_some_contacts_takes_the_columns_over(
    cloud: Cloud, ranges_read: list[str]
) -> None:
    instance = query(cloud.pull(ORG), "SELECT min(id) FROM campaign_instances")[0][0]
    cloud.change(ORG, "event-1", instance, active_end_date="2027-04-01")
    ranges_read.clear()
    cloud.run()
    assert cloud.version(ORG).run_id.endswith("change-event-1")
    assert "contacts" in ranges_read
    assert "planned rows" not in ranges_read
    assert kept(cloud) == stored(cloud)


@pytest.mark.slow
@pytest.mark.parametrize("name", [layout.PLANNED_INDEX, layout.PLANNED_PIECES])
@pytest.mark.parametrize("wrong", ["gone", "other", "empty"])
def test_columns_that_are_damaged_cost_no_run(cloud: Cloud, name: str, wrong: str) -> None:
    other = Cloud(cloud.folder, like=cloud)
    for each in (cloud, other):
        claim(each, *planned_ids(each, 3))
    path = f"{cloud.version(ORG).folder}/{name}"
    data = b"" if wrong == "empty" else cloud.store.read(path).data[::-1]
    cloud.store.delete(path, None) if wrong == "gone" else cloud.overwrite(path, data)
    for each in (cloud, other):
        each.ask(ORG)
        each.run()
        assert each.result(ORG, DAILY).state == "committed"
    assert plan_in(cloud.pull(ORG)) == plan_in(other.pull(ORG))
    assert kept(cloud) == stored(cloud)
    other.close()


@pytest.mark.slow
def test_a_pushed_file_has_no_columns_and_the_run_after_it_makes_them(cloud: Cloud) -> None:
    cloud.push(ORG, cloud.pull(ORG))
    assert kept(cloud) is None
    cloud.ask(ORG)
    cloud.run()
    assert read_plan(cloud.store, ORG, DAILY).snapshot.planned is None
    assert kept(cloud) == stored(cloud)


@pytest.mark.slow
@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE campaign_instances SET email_template = 'other'",
        "UPDATE email_schedules SET status = 'sent' WHERE id % 5 = 0",
    ],
)
def test_a_version_of_a_command_takes_the_columns_over(
    cloud: Cloud, ranges_read: list[str], sql: str
) -> None:
    place = StoreDatabase(cloud.store, ORG)
    before = cloud.version(ORG).version

    def change(connection: apsw.Connection) -> None:
        connection.execute(sql)

    place.edit(change, WritingCommand.MARK, cloud.now, lambda *_: None)
    assert cloud.version(ORG).version == before + 1
    assert "planned rows" not in ranges_read
    assert kept(cloud) == stored(cloud) != []
