"""The report of a database that others use meanwhile, and of the versions in a store."""

from __future__ import annotations

import csv
import datetime as dt
import io
import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from almanac.config_contacts import ContactColumns
from almanac.database.scanning import Scan
from almanac.planning.brief import RunContext
from almanac.progress import Progress
from almanac.report.page_data import Numbers
from almanac.statistics import file_report, steady
from almanac.statistics.database_counts import survey
from almanac.statistics.file_report import numbers_of
from almanac.storage import layout
from tests.support import agencies
from tests.support.agreement import run
from tests.support.cli_calls import almanac, state_of
from tests.support.clouds import NOW, Cloud, query
from tests.support.tiny import Agency

AS_OF = dt.date(2027, 3, 1)


def of_file(path: Path) -> Numbers:
    return numbers_of(path, lambda step, done, total: None)


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("planned") / "agency.sqlite3"
    agencies.build(path, 4, 60, as_of=AS_OF, config={})
    run(path, AS_OF, AS_OF, {})
    return path


@pytest.fixture
def path(planned: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(planned, tmp_path / "agency.sqlite3"))


@pytest.mark.slow
@pytest.mark.parametrize("journal", ["wal", "delete"])
def test_worker_processes_read_the_same_of_a_file_in_use_and_leave_nothing_there(
    path: Path, journal: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = of_file(path)
    monkeypatch.setattr(steady, "SMALL", 0)
    with closing(apsw.Connection(str(path))) as other:
        other.execute(f"PRAGMA journal_mode = {journal}").fetchall()
        other.execute("UPDATE email_schedules SET priority = 99 WHERE status = 'skipped'")
        names = [each.name for each in path.parent.iterdir()]
        other.execute("BEGIN IMMEDIATE")
        other.execute("DELETE FROM email_schedules WHERE status = 'pre-scheduled'")
        assert of_file(path) == expected
        other.execute("ROLLBACK")
        assert [each.name for each in path.parent.iterdir()] == names
    before = state_of(path.parent)
    assert of_file(path) == expected
    assert state_of(path.parent) == before


def test_a_reason_may_have_any_character_in_it(path: Path) -> None:
    found = []
    for text in ("'gone ' || char(31) || ' away'", "'gone - away'"):
        with closing(apsw.Connection(str(path))) as connection:
            connection.execute(
                f"UPDATE email_schedules SET skip_reason = {text} WHERE status = 'skipped'"
            )
        found.append(repr(of_file(path)))
    assert found[0].replace("\\x1f", "-") == found[1] != found[0]


@pytest.mark.parametrize("ids", [[], [5], [-7, 0, 1, 2, 3, 9, 10], [-(2**63), 0, 1, 2, 2**63 - 1]])
def test_contacts_are_read_in_ranges_of_their_ids_however_far_apart(
    tmp_path: Path, ids: list[int]
) -> None:
    file = tmp_path / "agency.sqlite3"
    with closing(apsw.Connection(str(file))) as connection:
        connection.execute("CREATE TABLE contacts (id INTEGER, email)")
        connection.executemany("INSERT INTO contacts VALUES (?, '')", [(each,) for each in ids])
    with Scan(file) as scan:
        ranges = scan.contact_ranges(2, ContactColumns())
        read = [
            scan.who(each, ContactColumns(), carriers=False)["id"].to_pylist() for each in ranges
        ]
    assert [each for some in read for each in some] == ids
    assert all(len(each) <= 2 for each in read)


@pytest.mark.parametrize("writes", [1, 1000])
def test_what_was_read_while_somebody_wrote_is_read_again(
    path: Path, monkeypatch: pytest.MonkeyPatch, writes: int
) -> None:
    ids = Agency.__new__(Agency)
    ids.path = path
    done = 0

    def disturbed(file: Path, context: RunContext, progress: Progress) -> Numbers:
        nonlocal done
        with Scan(Path(shutil.copy(file, f"{file}-copy"))) as scan:
            found = survey(scan, context, progress)
        if done < writes:
            done += 1
            ids.query(
                "DELETE FROM email_schedules WHERE id = "
                "(SELECT max(id) FROM email_schedules WHERE status = 'pre-scheduled')"
            )
        return found

    before = of_file(path)
    monkeypatch.setattr(steady, "SMALL", 0)
    monkeypatch.setattr(file_report, "survey_live", disturbed)
    found = of_file(path)
    assert done == min(writes, steady.ATTEMPTS)
    monkeypatch.undo()
    assert found == of_file(path) != before


def test_a_page_of_a_run_over_some_contacts_shows_the_whole_file(path: Path) -> None:
    page, tables = path.with_name("page.html"), path.with_name("page-tables")
    ((first,),) = query(path, "SELECT min(id) FROM contacts")
    some = f"{first}-{first + 9}"
    answer = almanac("run", path, "--as-of", AS_OF, "--contacts", some, "--report", page)
    assert answer.code == 0
    rows = list(csv.reader((tables / "messages.csv").read_text("utf-8").splitlines()))
    assert sum(int(row[-1]) for row in rows[1:]) == messages(of_file(path))
    assert "all numbers except the changes are those of the whole database" in page.read_text(
        "utf-8"
    )


def messages(found: Numbers) -> int:
    return sum(line.count for line in found.messages)


# In a store


@pytest.fixture
def cloud(folder: Path) -> Iterator[Cloud]:
    """A campaign of some contacts, planned."""
    agency = Agency(folder / "agency.sqlite3")
    for n in range(1, 25):
        agency.contact(n, ("TX", "CA")[n % 2], birth_date=f"1960-{n % 12 + 1:02}-11")
    agency.campaign(1, "promo", active_start_date="2027-03-01")
    for n in range(1, 6):
        agency.target(1, f"2027-04-{n:02}", n)
    made = Cloud(folder)
    made.push("206", agency.path)
    made.ask("206")
    made.run()
    yield made
    made.close()


def table(cloud: Cloud, name: str) -> list[list[str]]:
    """A table of the page of the version in force."""
    at = f"{cloud.version('206').folder}/{layout.REPORT_TABLES}/{name}.csv"
    return list(csv.reader(io.StringIO(cloud.store.read(at).data.decode(), newline="")))[1:]


def test_a_version_made_for_a_change_has_a_page_about_all_contacts(cloud: Cloud) -> None:
    daily = messages(of_file(cloud.pull("206")))
    assert daily == sum(int(row[-1]) for row in table(cloud, "messages")) > 24
    cloud.change("206", "e", 1, target_states="CA")
    cloud.run()
    found = of_file(cloud.pull("206"))
    assert messages(found) == sum(int(row[-1]) for row in table(cloud, "messages")) == daily
    (campaign,) = found.campaigns
    assert campaign.reach == 3
    assert campaign.skipped["Outside campaign targeting"] == 2
    changes = {(row[0], row[1]): row[3] for row in table(cloud, "changes")}
    assert changes[("skipped anew", "Outside campaign targeting")] == "2"
    facts = dict(row[:2] for row in table(cloud, "facts"))
    assert facts["Version"] == "3, made from version 2"
    assert facts["In this run"] == "5"
    assert facts["Contacts in the database"] == "24"
    assert facts["Run"] == f"{NOW.date()}-change-e"


def test_the_page_of_a_daily_version_has_the_numbers_of_its_database(cloud: Cloud) -> None:
    found = of_file(cloud.pull("206"))
    lines = [
        [x.email_type, x.state, "skipped" if x.reason else "planned", x.reason, str(x.count)]
        for x in found.messages
    ]
    assert sorted(table(cloud, "messages")) == sorted(lines)
