"""`almanac campaign list, show, add and set`: in a file and in a store."""

from __future__ import annotations

import datetime as dt
import json
import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from almanac.campaigns.change_request import ChangeRequest
from almanac.campaigns.edit import (
    commit_instance_change,
    preview_instance_change,
    preview_type_change,
)
from almanac.campaigns.model import ChangeResult
from almanac.campaigns.queries import list_campaigns, show_campaign
from almanac.config import Config
from almanac.contact_ranges import ContactRange
from almanac.database.changes import is_logged
from almanac.errors import ConfigError, RequestError, Superseded
from almanac.messaging.messages import CampaignChange, parse
from almanac.messaging.topics import Topics
from almanac.organizations.agency_database import FileDatabase, StoreDatabase
from almanac.runs.local import run_file
from almanac.runs.run_options import RunOptions
from almanac.storage.folder import FolderStore
from almanac.storage.memory import MemoryStore
from tests.support.campaign_calls import NOW, ORG, TODAY, put, version
from tests.support.cli_calls import almanac, record_requests
from tests.support.clouds import Cloud, plan_in, query
from tests.support.sampling import sampled
from tests.support.storage_stores import cloud_store
from tests.support.tiny import Agency

AS_OF = ("--as-of", str(TODAY))
PROMO, NEWS, BROKEN = 1, 2, 3
STATES = ("TX", "FL", "CA")
COMMANDS = ("list", "show", "add", "add-type", "set", "set-type", "import")
LOG = """SELECT event_id, campaign_instance_id, field_changed, old_value, new_value, changed_by
    FROM campaign_change_log ORDER BY id"""


def in_state(*states: str) -> set[int]:
    return {n for n in range(1, 25) if STATES[n % 3] in states}


def quietly(step: str, done: int, total: int) -> None:
    """Nobody looks at the progress."""


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 contacts in three states, planned; a campaign of some, one of a state, a broken one."""
    made = Agency(tmp_path_factory.mktemp("agency") / "agency.sqlite3")
    for n in range(1, 25):
        made.contact(n, STATES[n % 3], birth_date=f"1960-{n % 12 + 1:02}-11", zip_code="")
    made.insert("contacts", id=99, email="nobody", state="TX")
    made.campaign(PROMO, "promo", priority=5, days_before_event=3, email_template="promo_mail")
    for n in range(1, 6):
        made.target(PROMO, f"2027-04-{n:02}", n)
    made.target(PROMO, "2027-04-09", 99)
    made.target(PROMO, "2027-02-01", 7, status="sent")
    made.sent("campaign_promo_1", "2027-01-29", 7)
    made.campaign(
        NEWS,
        "news",
        priority=25,
        target_all_contacts=1,
        target_states="TX",
        active_start_date="2027-02-20",
        active_end_date="2027-06-30",
        metadata='{"priority": 20, "color": "red"}',
    )
    made.campaign(BROKEN, "lost", metadata="no JSON")
    made.query("DELETE FROM campaign_types WHERE name = 'lost'")
    run_file(made.path, Config(), RunOptions(as_of=TODAY, workers=1))
    return made.path


@pytest.fixture
def path(planned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ALMANAC_STORE", str(tmp_path / "store"))
    monkeypatch.delenv("ALMANAC_PROJECT", raising=False)
    return Path(shutil.copy(planned, tmp_path / "agency.sqlite3"))


def change(path: Path, sql: str) -> None:
    """What somebody else writes into the file."""
    made = Agency.__new__(Agency)
    made.path = path
    made.query(sql)


def told(*arguments: object) -> dict[str, Any]:
    """What a command says in --json."""
    answer = almanac(*arguments, "--json")
    assert (answer.code, answer.err) == (0, "")
    found: dict[str, Any] = json.loads(answer.out)
    return found


def refused(*arguments: object) -> str:
    answer = almanac(*arguments)
    assert (answer.code, answer.out) == (2, "")
    return answer.err


def request(event_id: str = "e1") -> ChangeRequest:
    return ChangeRequest(event_id, "tester", TODAY, NOW)


# --- help -----------------------------------------------------------------------------------------


def test_help_names_every_command() -> None:
    for arguments in (["campaign"], ["campaign", "--help"]):
        answer = almanac(*arguments)
        assert (answer.code, answer.err) == (0, "")
        assert all(re.search(rf"^  {name} ", answer.out, re.MULTILINE) for name in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_example_of_a_commands_help_works(command: str, path: Path) -> None:
    change(path, "UPDATE campaign_types SET name = 'newsletter' WHERE name = 'news'")
    change(path, "UPDATE campaign_instances SET campaign_type = 'newsletter' WHERE id = 2")
    Path("targets.csv").write_text("contact_id\n1\n")
    text = almanac("campaign", command, "--help").out
    found = re.search(r"Example: almanac ([^\n]+(?:\n  \S[^\n]*)*)", text)
    assert found is not None
    arguments = shlex.split(found[1])
    assert arguments[:2] == ["campaign", command]
    answer = almanac(*arguments)
    assert (answer.code, answer.err) == (0, "")
    assert answer.out


# --- list -----------------------------------------------------------------------------------------


def test_the_list_has_types_and_instances_and_what_comes_of_them(path: Path) -> None:
    found = told("campaign", "list", path, *AS_OF)
    types = {each["name"]: each for each in found["types"]}
    assert types["promo"]["fields"] == {
        "respect_exclusion_windows": True,
        "enable_followups": True,
        "days_before_event": 3,
        "target_all_contacts": False,
        "priority": 5,
        "active": True,
        "spread_evenly": False,
        "skip_failed_underwriting": False,
    }
    assert (types["news"]["instances"], types["news"]["fields"]["target_all_contacts"]) == (1, True)
    promo, news, broken = found["instances"]
    counts = query(
        path,
        "SELECT campaign_instance_id, sum(status = 'pre-scheduled'), sum(status = 'skipped') "
        "FROM email_schedules WHERE email_type LIKE 'campaign%' AND campaign_instance_id > 0 "
        "GROUP BY 1 ORDER BY 1",
    )
    assert [
        (each["instance_id"], each["planned"], sum(each["skipped"].values()))
        for each in (promo, news)
    ] == counts
    assert promo["targets"] == {"pending": 1, "scheduled": 3, "sent": 1, "skipped": 2}
    assert promo["followups"] == 1
    assert promo["sent"] == 1, "of a row that names its instance by its type only"
    assert (promo["state"], news["state"], broken["state"]) == ("active", "active", "left out")
    assert "'lost' is not in campaign_types" in broken["problem"]


@pytest.mark.parametrize(
    ("day", "sql", "state"),
    [
        ("2027-02-19", "", "begins 2027-02-20"),
        ("2027-02-20", "", "active"),
        ("2027-06-30", "", "active"),
        ("2027-07-01", "", "ended 2027-06-30"),
        ("2027-03-01", "UPDATE campaign_types SET active = 0", "type is inactive"),
    ],
)
def test_the_state_is_that_of_the_day(path: Path, day: str, sql: str, state: str) -> None:
    change(path, sql or "SELECT 1")
    answer = almanac("campaign", "list", path, "--as-of", day)
    assert re.search(rf"2  news 2 +news +2027-02-20 +2027-06-30 +{state}\n", answer.out)


def test_a_quick_list_counts_nothing(path: Path) -> None:
    found = told("campaign", "list", path, "--quick", *AS_OF)
    assert [each["planned"] for each in found["instances"]] == [0, 0, 0]
    assert not found["counted"]
    assert "Messages" not in almanac("campaign", "list", path, "--quick").out


def test_a_database_without_campaigns_says_so(path: Path) -> None:
    for table in ("campaign_types", "campaign_instances", "contact_campaigns"):
        change(path, f"DROP TABLE {table}")
    assert "no campaigns yet" in " ".join(almanac("campaign", "list", path).out.split())


def test_names_that_steer_a_terminal_are_harmless(path: Path) -> None:
    change(
        path, "UPDATE campaign_instances SET instance_name = char(27) || '[2J[red]x' WHERE id = 2"
    )
    change(path, "UPDATE campaign_instances SET metadata = char(10, 27) || '{}' WHERE id = 2")
    for arguments in (["list", path], ["show", path, 2], ["set", path, 2, "target_states=CA"]):
        answer = almanac("campaign", *arguments)
        assert answer.code == 0
        assert "\x1b" not in answer.out
        assert "[red]x" in answer.out


# --- show -----------------------------------------------------------------------------------------


def test_an_instance_is_shown_by_id_and_by_name(path: Path) -> None:
    found = told("campaign", "show", path, NEWS, *AS_OF)
    assert found == told("campaign", "show", path, "news 2", *AS_OF)
    assert found["reach"] == {
        "contacts": 8,
        "suppressed": 0,
        "outside_split": 0,
        "by_state": {"TX": 8},
    }
    fields = {each["name"]: each for each in found["fields"]}
    assert fields["priority"] == {"name": "priority", "of_type": 25, "override": 20}
    assert fields["active"]["override"] is None
    days = query(
        path,
        "SELECT scheduled_send_date, count(*) FROM email_schedules WHERE campaign_instance_id = 2 "
        "AND status = 'pre-scheduled' GROUP BY 1",
    )
    assert found["busiest_days"] == dict(days)
    assert "8 contacts that can get messages" in almanac("campaign", "show", path, NEWS, *AS_OF).out


def test_the_reach_of_targets_is_that_of_contacts_who_can_get_messages_sent_to_or_not(
    path: Path,
) -> None:
    found = told("campaign", "show", path, PROMO, *AS_OF)
    assert found["reach"]["contacts"] == 6, "all but the one without an address"
    change(path, "INSERT INTO suppressions (contact_id, reason) VALUES (3, 'bounce')")
    assert told("campaign", "show", path, PROMO, *AS_OF)["reach"]["suppressed"] == 1


def test_an_instance_that_is_left_out_is_shown_with_why(path: Path) -> None:
    answer = almanac("campaign", "show", path, BROKEN, *AS_OF)
    assert "It takes no part: its type 'lost' is not in campaign_types" in answer.out
    assert "no contact, since it is left out" in answer.out


def test_the_last_changes_are_shown(path: Path) -> None:
    almanac("campaign", "set", path, NEWS, "target_states=CA", "--changed-by", "ann", *AS_OF)
    (logged,) = told("campaign", "show", path, NEWS, *AS_OF)["changes"]
    assert (logged["field"], logged["old"], logged["new"]) == ("target_states", "TX", "CA")
    assert logged["changed_by"] == "ann"


def test_two_instances_of_one_name_are_told_apart_by_id(path: Path) -> None:
    change(path, "UPDATE campaign_instances SET instance_name = 'spring'")
    assert "several have this name: 1 (promo), 2 (news), 3" in refused(
        "campaign", "show", path, "spring"
    )


# --- add ------------------------------------------------------------------------------------------


def test_a_type_and_an_instance_are_added_and_planned(path: Path) -> None:
    done = told("campaign", "add-type", path, "webinar", "priority=2", "target_all_contacts=yes")
    assert done["outcome"] == "written"
    assert query(
        path,
        "SELECT priority, target_all_contacts, active, days_before_event FROM campaign_types "
        "WHERE name = 'webinar'",
    ) == [(2, 1, 1, 0)]
    made = told(
        *("campaign", "add", path, "webinar", "spring", "active_start_date=2027-03-09"),
        *("active_end_date=2027-03-31", "target_states=CA", "email_template=web"),
        *(*AS_OF, "--as-of", "2027-03-09", "--replan"),
    )
    assert made["replanned"]["contacts"] == 8
    assert query(
        path,
        "SELECT count(*) FROM email_schedules WHERE email_type = 'campaign_webinar' "
        "AND campaign_instance_id = ? AND email_template = 'web'",
        made["instance_id"],
    ) == [(8,)]


def test_missing_tables_are_made_as_a_run_makes_them(path: Path) -> None:
    for table in ("campaign_types", "campaign_instances", "contact_campaigns"):
        change(path, f"DROP TABLE {table}")
    change(path, "DROP TABLE campaign_change_log")
    assert almanac("campaign", "add-type", path, "webinar").code == 0
    assert almanac("campaign", "add", path, "webinar", "spring").code == 0
    sql = "SELECT name FROM pragma_table_info('campaign_instances')"
    assert ("metadata",) in query(path, sql)
    assert query(path, "SELECT count(*) FROM campaign_change_log") == [(0,)]


def test_a_dry_run_adds_nothing(path: Path) -> None:
    before = path.read_bytes()
    assert told("campaign", "add", path, "news", "spring", "--dry-run")["outcome"] == "dry run"
    assert told("campaign", "add-type", path, "x", "--dry-run")["outcome"] == "dry run"
    assert path.read_bytes() == before


NEWS_2 = ("news", "spring")


@pytest.mark.parametrize(
    ("arguments", "error"),
    sampled(
        [
            (("add", "newz", "spring"), "'newz': there is no such type; did you mean news?"),
            (("add", "news", "news 2"), "has one of this name already: 2"),
            (("add", "news", "12"), "would be taken for an id"),
            (("add", "news", "a\x1bb"), "printable"),
            (("add", "news"), "NAME: is missing"),
            (("add", *NEWS_2, "active_start_date=2027-02-30"), "'2027-02-30' is not a date"),
            (
                ("add", *NEWS_2, "active_start_date=2027-03-02", "active_end_date=2027-03-01"),
                "active_end_date: 2027-03-01 is before active_start_date, 2027-03-02",
            ),
            (("add", *NEWS_2, "spread_start_date=2027-03-02"), "spread_end_date: is missing"),
            (
                ("add", *NEWS_2, "spread_start_date=2027-03-02", "spread_end_date=2027-03-01"),
                "spread_end_date: 2027-03-01 is before",
            ),
            (("add", *NEWS_2, "target_states=TX, Texas"), "'TEXAS' is no USPS state code"),
            (("add", *NEWS_2, "metadata={priority: 1}"), "is not a JSON object"),
            (
                ("add", *NEWS_2, 'metadata={"priority": "high"}'),
                "expected a whole number, found 'high'",
            ),
            (("add", *NEWS_2, "states=TX"), "did you mean target_states?"),
            (("add", *NEWS_2, "target_states"), "is not FIELD=VALUE"),
            (("add", *NEWS_2, "target_states=TX", "target_states=FL"), "is given twice"),
            (("add-type", "NEWS"), "there is one already: news"),
            (("add-type", "new s"), "expected letters, digits"),
            (("add-type", "x", "priority=high"), "priority: 'high' is not a whole number"),
            (("add-type", "x", "priority=9999999"), "out of range"),
            (("add-type", "x", "active=maybe"), "active: 'maybe' is neither true nor false"),
            (("add-type", "x", "colour=red"), "'colour' is not a field"),
            (("set", "spring", "target_states=TX"), "no instance has this id or name; there are"),
            (("set", "news2", "target_states=TX"), "did you mean news 2?"),
            (("set", "2"), "FIELD=VALUE: is missing"),
            (("set", "2", "active_end_date=2027-01-01"), "is before active_start_date, 2027-02-20"),
            (("set", "2", "spread_end_date=2027-05-01"), "spread_start_date: is missing"),
            (("set", "2", "instance_name=x"), "'instance_name' is not a field"),
            (("set", "2", "target_states=TX", "--direct"), "--direct: is for an organization"),
            (
                ("set", "2", "target_states=TX", "--event-id", "a b"),
                "event_id: 'a b' does not match",
            ),
            (("set-type", "news"), "FIELD=VALUE: is missing"),
            (("set-type", "newz", "priority=1"), "did you mean news?"),
            (("set-type", "news", "priority="), None),
            (("show",), "INSTANCE: is missing"),
            (("show", "2", "3"), "'3': one argument too many"),
            (("list", "2"), "'2': one argument too many"),
            (("list", "--org", "206"), "one argument too many"),
            (("list", "--as-of", "tomorrow"), "is not a date"),
        ],
        12,
    ),
)
def test_a_mistake_is_named_and_changes_nothing(
    path: Path, arguments: tuple[str, ...], error: str | None
) -> None:
    before = path.read_bytes()
    command, *rest = arguments
    answer = almanac("campaign", command, path, *rest)
    if error is None:
        assert answer.code == 0
        return
    assert (answer.code, answer.out) == (2, "")
    assert error in answer.err
    assert answer.err.count("\n") == 1
    assert path.read_bytes() == before


def test_a_database_is_named_or_an_organization() -> None:
    assert "expected DATABASE" in refused("campaign", "list")
    assert "none.sqlite3: no such file" in refused("campaign", "list", "none.sqlite3")
    assert "organization 9: has no version" in refused(
        "campaign", "list", "--org", "9", "--store", "store"
    )


# --- set, in a file -------------------------------------------------------------------------------


def test_a_change_is_logged_with_old_and_new_values_and_says_whom_it_concerns(path: Path) -> None:
    arguments = ("campaign", "set", path, NEWS, "target_states=TX,FL", "active_end_date=", *AS_OF)
    dry = told(*arguments, "--dry-run")
    assert dry["outcome"] == "dry run"
    assert query(path, LOG) == []
    done = told(*arguments, "--event-id", "e1", "--changed-by", "ann")
    assert done["changes"] == dry["changes"]
    assert done["affected"] == dry["affected"]
    rows = query(
        path,
        "SELECT count(*) FROM email_schedules JOIN contacts ON contacts.id = contact_id "
        "WHERE state IN ('TX', 'FL') AND email_schedules.status IN ('pre-scheduled', 'skipped')",
    )
    assert done["affected"] == {"contacts": 16, "planned_rows": rows[0][0]}
    assert query(path, LOG) == [
        ("e1", NEWS, "active_end_date", "2027-06-30", None, "ann"),
        ("e1", NEWS, "target_states", "TX", "TX,FL", "ann"),
    ]


def test_an_event_is_applied_once(path: Path) -> None:
    for states, outcome in (("CA", "written"), ("FL", "done before")):
        done = told("campaign", "set", path, NEWS, f"target_states={states}", "--event-id", "e1")
        assert done["outcome"] == outcome
    assert told("campaign", "set", path, NEWS, "--replan", "--event-id", "e1")["replanned"] is None
    assert len(query(path, LOG)) == 1
    sql = "SELECT target_states FROM campaign_instances WHERE id = 2"
    assert query(path, sql) == [("CA",)]


def test_a_change_of_a_type_that_died_before_it_was_planned_is_planned_when_it_comes_again(
    path: Path,
) -> None:
    arguments = ("campaign", "set-type", path, "news", "priority=3", "--event-id", "e1", *AS_OF)
    assert told(*arguments)["outcome"] == "written"
    again = told(*arguments, "--replan")
    assert again["outcome"] == "done before"
    assert again["replanned"]["contacts"] == len(in_state("TX"))
    once_more = told(*arguments, "--replan")["replanned"]["changes"]
    assert once_more.keys() == {"unchanged"}
    assert "was made before, and it is replanned." in almanac(*arguments, "--replan").out


def test_what_is_so_already_is_neither_written_nor_logged(path: Path) -> None:
    before = path.read_bytes()
    done = told("campaign", "set", path, NEWS, "target_states=TX", "email_template=", *AS_OF)
    assert done["outcome"] == "nothing to change"
    assert path.read_bytes() == before


def test_replan_plans_those_whom_it_concerns_and_no_others(path: Path, tmp_path: Path) -> None:
    by_hand = Path(shutil.copy(path, tmp_path / "by-hand.sqlite3"))
    change(by_hand, "UPDATE campaign_instances SET target_states = 'FL' WHERE id = 2")
    scope = [ContactRange(n, n) for n in sorted(in_state("TX", "FL"))]
    run_file(by_hand, Config(), RunOptions(as_of=TODAY, workers=1, scope=scope))
    done = told("campaign", "set", path, NEWS, "target_states=FL", "--replan", *AS_OF)
    assert done["replanned"]["contacts"] == done["affected"]["contacts"] == 16
    assert plan_in(path) == plan_in(by_hand)
    assert [row[2:5] for row in query(path, LOG)] == [("target_states", "TX", "FL")]
    assert told("campaign", "set", path, NEWS, "--replan", *AS_OF)["replanned"]["contacts"] == 8


def test_replan_takes_the_configuration_of_the_last_run(path: Path) -> None:
    config = Path("config.yaml")
    config.write_text("send_time: '07:15'\n")
    assert almanac("run", path, "--config", config, *AS_OF).code == 0
    told("campaign", "set", path, NEWS, "target_states=FL", "--replan", *AS_OF)
    assert query(
        path,
        "SELECT DISTINCT scheduled_send_time FROM email_schedules WHERE status = 'pre-scheduled'",
    ) == [("07:15:00",)]


def test_a_type_is_changed_for_all_its_instances(path: Path) -> None:
    done = told(
        *("campaign", "set-type", path, "news", "priority=3", "target_all_contacts=0"),
        *("--event-id", "e1", "--changed-by", "ann", "--replan", *AS_OF),
    )
    assert done["affected"]["contacts"] == done["replanned"]["contacts"] == 8
    assert query(path, LOG) == [
        ("e1", None, "campaign_types.news.priority", "25", "3", "ann"),
        ("e1", None, "campaign_types.news.target_all_contacts", "1", "0", "ann"),
        ("e1.2", NEWS, None, None, None, "ann"),
    ]
    rows = "SELECT count(*) FROM email_schedules WHERE campaign_instance_id = 2"
    assert query(path, rows) == [(0,)]


def test_another_writer_between_look_and_change_is_heeded(path: Path) -> None:
    place = FileDatabase(path)
    looked = preview_instance_change(place, "2", {"target_states": "FL"}, request(), quietly)
    change(path, "UPDATE campaign_instances SET target_states = 'CA' WHERE id = 2")
    done = commit_instance_change(place, looked, request(), quietly)
    assert [(each.old, each.new) for each in done.changes] == [("CA", "FL")]
    assert query(path, LOG) == [("e1", NEWS, "target_states", "CA", "FL", "tester")]


# --- in a store -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["memory", "cloud"])
def test_a_store_shows_what_a_file_shows(path: Path, kind: str) -> None:
    store = MemoryStore() if kind == "memory" else cloud_store()
    put(store, path)
    places = FileDatabase(path), StoreDatabase(store, ORG)
    looks: tuple[Callable[[Any], Any], ...] = (
        lambda place: list_campaigns(place, TODAY, True, quietly),
        lambda place: show_campaign(place, "news 2", TODAY, quietly),
        lambda place: show_campaign(place, "1", TODAY, quietly),
        lambda place: preview_instance_change(
            place, "2", {"target_states": "FL"}, request(), quietly
        ),
        lambda place: preview_type_change(place, "news", {"priority": "3"}, request(), quietly)[0],
    )
    for look in looks:
        here, there = (look(place).model_dump(exclude={"database"}) for place in places)
        assert here == there


def test_a_direct_change_is_the_next_version(path: Path) -> None:
    store = FolderStore(Path("store"))
    put(store, path)
    arguments = ("campaign", "set", "--org", ORG, NEWS, "target_states=FL", "--direct", *AS_OF)
    assert told(*arguments)["outcome"] == "written"
    assert version(store) == 2
    assert told(*arguments)["outcome"] == "nothing to change"
    assert version(store) == 2
    logged = told("campaign", "show", "--org", ORG, NEWS, *AS_OF)["changes"]
    assert [(each["old"], each["new"]) for each in logged] == [("TX", "FL")]
    assert told("campaign", "add", "--org", ORG, "news", "spring")["instance_id"] == 4
    assert told("campaign", "set-type", "--org", ORG, "news", "priority=3")["outcome"] == "written"
    assert version(store) == 4


def test_a_version_that_another_writer_publishes_meanwhile_is_changed_too(path: Path) -> None:
    store = MemoryStore()
    put(store, path)
    place = StoreDatabase(store, ORG)
    looked = preview_instance_change(place, "2", {"target_states": "FL"}, request(), quietly)

    def interfere(step: str, done: int, total: int) -> None:
        if (step, done) == ("check", 1) and version(store) == 1:
            change(path, "UPDATE campaign_instances SET sms_template = 'theirs' WHERE id = 2")
            put(store, path, NOW + dt.timedelta(microseconds=1))

    assert commit_instance_change(place, looked, request(), interfere).outcome == "written"
    assert version(store) == 3
    with place.open() as source:
        sql = "SELECT sms_template, target_states FROM campaign_instances WHERE id = 2"
        assert source.connection.execute(sql).fetchall() == [("theirs", "FL")]
        assert is_logged(source.connection, "e1")


def test_writers_who_are_always_first_leave_everything_as_it_is(path: Path) -> None:
    store = MemoryStore()
    put(store, path)
    looked = preview_instance_change(
        StoreDatabase(store, ORG), "2", {"target_states": "FL"}, request(), quietly
    )

    def interfere(step: str, done: int, total: int) -> None:
        if (step, done) == ("check", 1):
            put(store, path, NOW + dt.timedelta(microseconds=version(store)))

    with pytest.raises(Superseded, match="nothing was changed"):
        commit_instance_change(StoreDatabase(store, ORG), looked, request(), interfere)
    with StoreDatabase(store, ORG).open() as source:
        assert not is_logged(source.connection, "e1")


SET_STATES = ("campaign", "set", "--org", ORG, "2", "target_states=FL", "--event-id", "e1", *AS_OF)


def test_in_a_store_a_change_is_asked_for(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, bus = FolderStore(Path("store")), record_requests(monkeypatch)
    put(store, path)
    found = told(*SET_STATES, "--changed-by", "ann", "--dry-run")
    assert found["affected"]["contacts"] == 16
    assert bus.published == []
    done = ChangeResult.model_validate(told(*SET_STATES, "--changed-by", "ann"))
    ((topic, data, _),) = bus.published
    assert topic == Topics().campaign_changes
    assert parse(CampaignChange, data) == CampaignChange(
        event_id="e1",
        org_id=ORG,
        campaign_instance_id=NEWS,
        changes={"target_states": "FL"},
        changed_by="ann",
    )
    assert done.outcome == "published"
    assert [run.partition("-change-")[2] for run in done.run_ids] == ["e1"]
    assert version(store) == 1


def test_what_was_written_directly_is_planned_by_a_change_without_changes(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, bus = FolderStore(Path("store")), record_requests(monkeypatch)
    put(store, path)
    told(*SET_STATES, "--direct", "--replan")
    told("campaign", "set-type", "--org", ORG, "news", "priority=3", "--replan", *AS_OF)
    told("campaign", "add", "--org", ORG, "news", "spring", "--replan", *AS_OF)
    assert version(store) == 4
    changes = [parse(CampaignChange, data) for _, data, _ in bus.published]
    assert [(each.campaign_instance_id, dict(each.changes)) for each in changes] == [
        (2, {}),
        (2, {}),
        (4, {}),
    ]
    assert changes[0].event_id == "e1.2"
    # as if it had died in between
    told(*SET_STATES, "--direct", "--replan")
    assert bus.published[3][1] == bus.published[0][1]
    assert version(store) == 4


def test_without_a_project_nothing_is_written_that_could_not_be_planned(path: Path) -> None:
    store = FolderStore(Path("store"))
    put(store, path)
    for arguments in (
        ("set", "--org", ORG, "2", "target_states=FL"),
        ("set", "--org", ORG, "2", "target_states=FL", "--direct", "--replan"),
        ("add", "--org", ORG, "news", "spring", "--replan"),
    ):
        assert "ALMANAC_PROJECT" in refused("campaign", *arguments)
    assert version(store) == 1


def test_the_cloud_does_what_the_command_asks_for(
    path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud = Cloud(folder)
    cloud.push(ORG, path)
    monkeypatch.setattr("almanac.commands.agency_arguments.open_store", lambda url: cloud.store)
    monkeypatch.setattr("almanac.runs.file_change.request_bus", lambda settings: cloud.bus)
    assert told(*SET_STATES)["outcome"] == "published"
    cloud.run()
    after = cloud.pull(ORG)
    assert query(after, "SELECT target_states FROM campaign_instances WHERE id = 2") == [("FL",)]
    assert len(query(after, LOG)) == 1
    assert told(*SET_STATES)["outcome"] == "done before"
    cloud.close()


def test_a_broken_configuration_of_the_organization_is_named(path: Path) -> None:
    store = MemoryStore()
    put(store, path)
    store.write(f"orgs/{ORG}/config.yaml", b"horizon: 3", None)
    with pytest.raises(ConfigError, match="horizon"):
        show_campaign(StoreDatabase(store, ORG), "2", TODAY, quietly)
    with pytest.raises(RequestError, match="has no version"):
        list_campaigns(StoreDatabase(MemoryStore(), ORG), TODAY, True, quietly)
