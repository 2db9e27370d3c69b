"""Campaign changes in a store: applied once, with the new plan of those whom they concern."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from almanac.config import Config
from almanac.contact_ranges import ContactRange
from almanac.runs.local import run_file
from almanac.runs.results import RunResult
from almanac.runs.run_options import RunOptions
from almanac.storage import layout
from almanac.storage.history import list_versions
from almanac.storage.versions import manifest_of
from tests.support.agency_runs import seeded
from tests.support.clouds import NOW, TOPICS, Cloud, all_rows, met_faults, plan_in, query
from tests.support.perils import FAULTS, Fault
from tests.support.sampling import sampled, shares
from tests.support.tiny import Agency

ORG = "206"
DAY = dt.timedelta(days=1)
PROMO, NEWS, OLD = 1, 2, 7  # campaign instances: of some contacts, of a state, of old increases
STATES = ("TX", "FL", "CA")
LOG = """
    SELECT event_id, campaign_instance_id, field_changed, old_value, new_value, changed_by
    FROM campaign_change_log ORDER BY id
"""


def in_state(*states: str) -> set[int]:
    return {n for n in range(1, 25) if STATES[n % 3] in states}


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 contacts, three campaigns."""
    made = Agency(tmp_path_factory.mktemp("agency") / "agency.sqlite3")
    for n in range(1, 25):
        made.contact(n, STATES[n % 3], birth_date=f"1960-{n % 12 + 1:02}-11", zip_code="")
    made.campaign(PROMO, "promo", priority=5, days_before_event=3, email_template="promo_mail")
    made.campaign(
        NEWS,
        "news",
        priority=25,
        target_all_contacts=1,
        target_states="TX",
        email_template="news_mail",
        active_start_date="2027-03-10",
    )
    made.campaign(OLD, "rate_increase", instance_name="legacy_rate_increase")
    made.query("UPDATE campaign_instances SET active_start_date = '2027-02-01'")
    for n in range(1, 6):
        made.target(PROMO, f"2027-04-{n:02}", n)
    # a follow-up of the campaign will be planned
    made.sent("campaign_promo", "2027-02-28", 9, campaign_instance_id=PROMO, event_year=2027)
    made.target(PROMO, "2027-03-03", 9, status="sent")
    for n in (20, 21):
        made.insert(
            "email_schedules",
            contact_id=n,
            email_type="scheduled_rate_increase",
            scheduled_send_date="2027-05-01",
            status="pre-scheduled",
        )
    return made.path


@pytest.fixture
def fresh(folder: Path, database: Path) -> Iterator[Cloud]:
    """A cloud with the organization, of which nothing is planned yet."""
    made = Cloud(folder)
    made.push(ORG, database)
    yield made
    made.close()


@pytest.fixture(scope="module")
def planned(database: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """The same after its first daily run."""
    made = Cloud(tmp_path_factory.mktemp("planned"))
    made.push(ORG, database)
    made.ask(ORG)
    made.run()
    assert made.result(ORG, "2027-03-01-daily").state == "committed"
    yield made
    made.close()


def result_of(cloud: Cloud, event: str) -> RunResult:
    """How the last attempt at a change ended."""
    base = f"2027-03-01-change-{event}"
    runs = [run for run in cloud.store.subfolders(layout.runs(ORG)) if run.split("~")[0] == base]
    return cloud.result(ORG, max(runs, key=lambda run: int([*run.split("~"), "1"][1])))


def rows_of(path: Path, without: set[int]) -> list[tuple[Any, ...]]:
    """All columns of the rows of all other contacts."""
    listed = ", ".join(map(str, sorted(without)))
    sql = f"SELECT * FROM email_schedules WHERE contact_id NOT IN ({listed}) ORDER BY id"
    return query(path, sql)


def changed_by_hand(path: Path, folder: Path, instance: int, **changes: str | None) -> Path:
    """A copy of the database with other values in the instance's row."""
    copy = folder / "by-hand.sqlite3"
    copy.write_bytes(path.read_bytes())
    agency = Agency.__new__(Agency)
    agency.path = copy
    for field, value in changes.items():
        sql = f"UPDATE campaign_instances SET {field} = ? WHERE id = ?"
        agency.query(sql, value, instance)
    return copy


def edit(cloud: Cloud, folder: Path, *statements: str) -> Path:
    """Push the version in force with something changed in it."""
    copy = changed_by_hand(cloud.pull(ORG), folder, PROMO)
    agency = Agency.__new__(Agency)
    agency.path = copy
    for sql in statements:
        agency.query(sql)
    cloud.push(ORG, copy, f"push-{cloud.version(ORG).version}")
    return copy


def check_scope(
    cloud: Cloud,
    folder: Path,
    before: Path,
    instance: int,
    contacts: set[int],
    **changes: str | None,
) -> Path:
    """The change "e" has planned these contacts, as a run over them would, and no others."""
    assert result_of(cloud, "e").state == "committed"
    after = cloud.pull(ORG)
    ((scope,),) = query(
        after,
        "SELECT contacts_processed FROM scheduler_checkpoints WHERE scheduler_run_id = ?",
        "2027-03-01-change-e",
    )
    assert scope == len(contacts)
    assert rows_of(after, contacts) == rows_of(before, contacts)
    by_hand = changed_by_hand(before, folder, instance, **changes)
    ranges = [ContactRange(n, n) for n in sorted(contacts)]
    run_file(by_hand, Config(), RunOptions(now=NOW, workers=1, scope=ranges))
    assert plan_in(after) == plan_in(by_hand)
    return after


# Whom a change concerns


Case = tuple[int, dict[str, str | None], set[int]]
CASES: dict[str, Case] = {
    "targets of contact_campaigns, and a follow-up": (
        PROMO,
        {"active_end_date": "2027-03-30", "email_template": "new_mail"},
        {1, 2, 3, 4, 5, 9},
    ),
    "all contacts of a state": (NEWS, {"active_start_date": "2027-03-01"}, in_state("TX")),
    "from one state to another": (NEWS, {"target_states": "FL"}, in_state("TX", "FL")),
    "to every state": (NEWS, {"target_states": None}, in_state(*STATES)),
    "to a carrier that nobody has": (NEWS, {"target_carriers": "none"}, in_state("TX")),
    "over before it began": (NEWS, {"active_end_date": "2027-02-28"}, in_state("TX")),
    "to what cannot be understood": (NEWS, {"metadata": '{"priority": "x"}'}, in_state("TX")),
    "old rate increases, now targets": (OLD, {"email_template": "rate_mail"}, {20, 21}),
    "nothing that matters": (PROMO, {"active_end_date": None}, {1, 2, 3, 4, 5, 9}),
}


@pytest.mark.parametrize(
    ("instance", "changes", "contacts"), sampled(CASES.values(), 2), ids=CASES.keys()
)
@pytest.mark.parametrize(
    "shard_contacts", [12, *(pytest.param(n, marks=pytest.mark.slow) for n in (5, 24))]
)
def test_those_whom_a_change_concerns_are_planned_anew_and_nobody_else(
    cloud: Cloud,
    folder: Path,
    instance: int,
    changes: dict[str, str | None],
    contacts: set[int],
    shard_contacts: int,
) -> None:
    before = cloud.pull(ORG)
    cloud.services = replace(cloud.services, shard_contacts=shard_contacts)
    cloud.now += dt.timedelta(minutes=1)  # a row that is touched shows it
    cloud.change(ORG, "e", instance, **changes)
    cloud.run()
    check_scope(cloud, folder, before, instance, contacts, **changes)


def test_a_change_is_logged_in_the_version_that_has_its_plan(cloud: Cloud) -> None:
    cloud.change(ORG, "e", PROMO, email_template="new_mail", active_end_date="2027-06-30")
    cloud.send(
        TOPICS.campaign_changes,
        b'{"event_id": "f", "org_id": "206", "campaign_instance_id": 1, "changed_by": "Ann",'
        b' "changes": {"email_template": null}}',
    )
    cloud.run()
    path = cloud.pull(ORG)
    assert query(path, LOG) == [
        ("e", PROMO, "active_end_date", None, "2027-06-30", None),
        ("e", PROMO, "email_template", "promo_mail", "new_mail", None),
        ("f", PROMO, "email_template", "new_mail", None, "Ann"),
    ]
    columns = "email_template, active_end_date, updated_at"
    assert query(path, f"SELECT {columns} FROM campaign_instances WHERE id = ?", PROMO) == [
        (None, "2027-06-30", "2027-03-01 09:00:00")
    ]
    made = {each.run_id: each for each in list_versions(cloud.store, ORG)}
    manifest = made["2027-03-01-change-e"]
    assert (manifest.model_extra or {})["events"] == ["e"]
    assert (manifest.model_extra or {})["reason"] == "change"
    first = cloud.folder / "first.sqlite3"
    cloud.store.fetch_file(manifest.path, first)
    assert len(query(first, LOG)) == 2
    templates = "SELECT DISTINCT email_template FROM email_schedules WHERE email_type = ?"
    assert query(first, templates + " AND status = 'pre-scheduled'", "campaign_promo") == [
        ("new_mail",)
    ]


def test_a_target_that_is_gone_is_concerned_while_it_has_planned_rows(
    cloud: Cloud, folder: Path
) -> None:
    edit(cloud, folder, "DELETE FROM contact_campaigns WHERE contact_id = 5")
    before = cloud.pull(ORG)
    cloud.change(ORG, "e", PROMO)
    cloud.run()
    after = check_scope(cloud, folder, before, PROMO, {1, 2, 3, 4, 5, 9})
    sql = "SELECT count(*) FROM email_schedules WHERE contact_id = 5 AND campaign_instance_id = 1"
    assert (query(before, sql), query(after, sql)) == ([(1,)], [(0,)])


def test_no_changes_at_all_plan_what_is_changed_in_the_database_already(
    cloud: Cloud, folder: Path
) -> None:
    edit(
        cloud,
        folder,
        "INSERT INTO contact_campaigns (contact_id, campaign_instance_id,"
        " trigger_date) VALUES (12, 1, '2027-04-12')",
    )
    before = cloud.pull(ORG)
    cloud.change(ORG, "e", PROMO)
    cloud.run()
    after = check_scope(cloud, folder, before, PROMO, {1, 2, 3, 4, 5, 9, 12})
    assert query(after, LOG) == [("e", PROMO, None, None, None, None)]
    sql = "SELECT status FROM email_schedules WHERE contact_id = 12 AND campaign_instance_id = 1"
    assert query(after, sql) == [("pre-scheduled",)]


def test_a_change_may_come_before_the_first_run_of_an_old_database(
    fresh: Cloud, folder: Path
) -> None:
    before = fresh.pull(ORG)
    fresh.change(ORG, "e", OLD, email_template="rate_mail")
    fresh.run()
    after = check_scope(fresh, folder, before, OLD, {20, 21}, email_template="rate_mail")
    sql = "SELECT contact_id, email_template FROM email_schedules WHERE campaign_instance_id = 7"
    assert sorted(query(after, sql)) == [(20, "rate_mail"), (21, "rate_mail")]


def test_metadata_may_be_changed_also_where_it_was_no_metadata(cloud: Cloud, folder: Path) -> None:
    edit(cloud, folder, "UPDATE campaign_instances SET metadata = 'nonsense' WHERE id = 1")
    before = cloud.pull(ORG)
    message = {
        "event_id": "e",
        "org_id": ORG,
        "campaign_instance_id": PROMO,
        "changes": {"metadata": {"priority": 3}},
    }
    cloud.send(TOPICS.campaign_changes, json.dumps(message).encode())
    cloud.run()
    check_scope(cloud, folder, before, PROMO, {1, 2, 3, 4, 5, 9}, metadata='{"priority": 3}')
    sql = "SELECT DISTINCT priority FROM email_schedules WHERE email_type = 'campaign_promo'"
    assert (3,) in query(cloud.pull(ORG), sql)
    assert query(cloud.pull(ORG), LOG)[0][2:5] == ("metadata", "nonsense", '{"priority": 3}')


# Once


def test_a_second_delivery_does_nothing(cloud: Cloud) -> None:
    cloud.change(ORG, "e", PROMO, email_template="new_mail")
    cloud.run()
    ((_, delivery),) = [each for each in cloud.seen if each[0] == "campaign_change"]
    before = cloud.names()
    cloud.handle("campaign_change", delivery)
    cloud.change(ORG, "e", PROMO, email_template="new_mail")  # another message
    cloud.run()
    assert cloud.names() == before
    cloud.change(ORG, "f", PROMO, email_template="newer_mail")
    cloud.run()
    before = cloud.names("orgs/206/versions/")
    cloud.now += DAY
    cloud.change(ORG, "e", PROMO, email_template="new_mail")
    cloud.run()
    later = cloud.result(ORG, "2027-03-02-change-e")
    assert (later.state, later.version) == ("committed", None)
    assert "campaign_change_log" in (later.reason or "")
    assert cloud.names("orgs/206/versions/") == before
    sql = "SELECT email_template FROM campaign_instances WHERE id = 1"
    assert query(cloud.pull(ORG), sql) == [("newer_mail",)]
    assert cloud.names(layout.changes(ORG)) == []
    assert cloud.store.stat(layout.lease(ORG)) is None


def test_an_event_that_the_database_has_in_its_log_is_not_applied_again(
    cloud: Cloud, folder: Path
) -> None:
    edit(
        cloud,
        folder,
        "INSERT INTO campaign_change_log (campaign_instance_id, event_id) VALUES (1, 'e')",
    )
    version = cloud.version(ORG)
    cloud.change(ORG, "e", PROMO, email_template="new_mail")
    cloud.run()
    assert result_of(cloud, "e").state == "committed"
    assert cloud.version(ORG) == version


@pytest.mark.parametrize("seed", sampled(range(3), 1))
def test_messages_in_any_order_and_any_number_of_times_apply_it_once(
    cloud: Cloud, folder: Path, seed: int
) -> None:
    before = cloud.pull(ORG)
    cloud.disorder = seeded("changes", seed)
    cloud.change(ORG, "e", NEWS, target_states="FL")
    cloud.run()
    check_scope(cloud, folder, before, NEWS, in_state("TX", "FL"), target_states="FL")
    assert len(query(cloud.pull(ORG), LOG)) == 1


# What can never succeed


def change_message(**fields: Any) -> bytes:
    whole = {"event_id": "bad", "org_id": ORG, "campaign_instance_id": PROMO, **fields}
    return json.dumps(whole).encode()


WRONG: list[tuple[Mapping[str, Any], str]] = [
    ({"campaign_instance_id": 99}, "organization 206 has no such campaign instance (1, 2, 7)"),
    ({"changes": {"instance_name": "x"}}, "'instance_name' is not a field that can be changed"),
    ({"changes": {"active_end_date": "2027-02-30"}}, "'2027-02-30' is not a date"),
    ({"changes": {"active_end_date": "tomorrow"}}, "'tomorrow' is not a date"),
    ({"changes": {"active_end_date": 20270301}}, "20270301 is neither text nor null"),
    ({"changes": {"metadata": "{"}}, "metadata: '{' is not a JSON object"),
    ({"changes": ["email_template"]}, "is not an object of fields"),
    ({"change": {}}, "unknown key"),
]


def test_a_change_that_can_never_be_applied_is_rejected_and_others_go_on(cloud: Cloud) -> None:
    for fields, _ in WRONG:
        cloud.send(TOPICS.campaign_changes, change_message(**fields))
    cloud.change(ORG, "good", PROMO, email_template="new_mail")
    cloud.run()
    found = sorted(cloud.rejections(), key=lambda record: int(record["message_id"]))
    assert len(found) == len(WRONG)
    for (fields, reason), record in zip(WRONG, found, strict=True):
        assert reason in record["reason"]
        assert record["data"] == change_message(**fields).decode()
    assert result_of(cloud, "bad").state == "rejected"
    assert result_of(cloud, "good").state == "committed"
    assert {event for event, *_ in query(cloud.pull(ORG), LOG)} == {"good"}
    assert cloud.names(layout.changes(ORG)) == []
    assert cloud.store.stat(layout.lease(ORG)) is None


@pytest.mark.parametrize("when", ["it waits", "it is applied"])
def test_another_change_under_the_same_event_id_is_rejected(cloud: Cloud, when: str) -> None:
    if when == "it waits":
        cloud.ask(ORG, reason="manual")
    cloud.change(ORG, "e", PROMO, email_template="new_mail")
    if when == "it is applied":
        cloud.run()
    cloud.change(ORG, "e", PROMO, email_template="other_mail")
    cloud.run()
    (record,) = cloud.rejections()
    assert "'e' is that of another change" in record["reason"]
    assert [row[4] for row in query(cloud.pull(ORG), LOG)] == ["new_mail"]


def test_a_wrong_configuration_fails_a_change_and_leaves_nothing_that_waits(
    cloud: Cloud,
) -> None:
    cloud.configure(ORG, "nonsense: 1\n")
    cloud.change(ORG, "e", PROMO, email_template="new_mail")
    cloud.run()
    assert result_of(cloud, "e").state == "failed"
    assert "nonsense" in (result_of(cloud, "e").reason or "")
    assert cloud.names(layout.changes(ORG)) == []
    cloud.configure(ORG, "{}\n")
    cloud.change(ORG, "f", PROMO, target_carriers="ALL")
    cloud.run()
    assert {row[0] for row in query(cloud.pull(ORG), LOG)} == {"f"}
    cloud.change(ORG, "e", PROMO, email_template="new_mail")
    cloud.run()
    assert {row[0] for row in query(cloud.pull(ORG), LOG)} == {"e", "f"}


# Many at once


def test_a_hundred_changes_at_once_are_all_applied_once_and_hold_up_no_run(cloud: Cloud) -> None:
    cloud.now += DAY
    for n in range(100):
        instance = (PROMO, NEWS, OLD)[n % 3]
        cloud.change(ORG, f"event-{n:03}", instance, email_template=f"mail_{n:03}")
        if n == 50:
            cloud.ask(ORG)
    cloud.run()
    path = cloud.pull(ORG)
    events = [row[0] for row in query(path, LOG)]
    assert sorted(events) == [f"event-{n:03}" for n in range(100)]
    assert query(path, "SELECT email_template FROM campaign_instances ORDER BY id") == [
        ("mail_099",),
        ("mail_097",),
        ("mail_098",),
    ]
    assert cloud.result(ORG, "2027-03-02-daily").state == "committed"
    for n in range(100):
        result = cloud.result(ORG, f"2027-03-02-change-event-{n:03}")
        assert (result.state, result.version is None) == ("committed", False)
        assert result.requested_at is not None
    assert len(list_versions(cloud.store, ORG)) <= 2 + 5
    assert cloud.names(layout.changes(ORG)) == []
    assert cloud.rejections() == []
    assert cloud.store.stat(layout.lease(ORG)) is None


@pytest.mark.slow
def test_a_hundred_changes_in_disorder_are_all_applied_once(cloud: Cloud) -> None:
    cloud.disorder = seeded("hundred", 1)
    for n in range(100):
        cloud.change(ORG, f"event-{n:03}", (PROMO, NEWS)[n % 2], email_template=f"mail_{n:03}")
    cloud.run()
    events = [row[0] for row in query(cloud.pull(ORG), LOG)]
    assert sorted(events) == [f"event-{n:03}" for n in range(100)]
    assert cloud.names(layout.changes(ORG)) == []


STRICT = """
    CREATE TRIGGER strict BEFORE UPDATE ON campaign_instances WHEN NEW.email_template = 'bad'
    BEGIN SELECT RAISE(ABORT, 'there is no such template'); END
"""


@pytest.mark.parametrize("broken_at", sampled([1, 0, 3], 1))
def test_a_broken_change_does_not_hold_up_others_that_wait(
    cloud: Cloud, folder: Path, broken_at: int
) -> None:
    edit(cloud, folder, STRICT)
    cloud.ask(ORG, reason="manual")  # all wait for this one
    events = ["a", "b", "c", "d"]
    for n, event in enumerate(events):
        template = "bad" if n == broken_at else f"mail_{event}"
        cloud.change(ORG, event, PROMO, email_template=template)
    cloud.run()
    broken = events.pop(broken_at)
    assert result_of(cloud, broken).state == "failed"
    assert "there is no such template" in (result_of(cloud, broken).reason or "")
    for event in events:
        assert result_of(cloud, event).state == "committed", event
    assert all(result_of(cloud, event).requested_at for event in [broken, *events])
    assert sorted(row[0] for row in query(cloud.pull(ORG), LOG)) == events
    assert cloud.names(layout.changes(ORG)) == []
    assert cloud.store.stat(layout.lease(ORG)) is None


# Others at work, and deaths


@pytest.mark.parametrize("step", sampled(["publish", "fetch"], 1))
def test_a_change_that_a_push_supersedes_is_applied_to_what_was_pushed(
    cloud: Cloud, folder: Path, step: str
) -> None:
    pushed: list[Path] = []

    def meanwhile(at: str, done: int, total: int) -> None:
        if (at, done) == (step, 0) and not pushed:
            sql = "UPDATE campaign_instances SET email_template = 'their_mail' WHERE id = 1"
            pushed.append(edit(cloud, folder, sql))

    cloud.services = replace(cloud.services, progress=meanwhile)
    cloud.change(ORG, "e", PROMO, active_end_date="2027-03-30")
    cloud.run()
    assert cloud.result(ORG, "2027-03-01-change-e").state == "superseded"
    assert cloud.result(ORG, "2027-03-01-change-e~2").state == "committed"
    path = cloud.pull(ORG)
    sql = "SELECT email_template, active_end_date FROM campaign_instances WHERE id = 1"
    assert query(path, sql) == [("their_mail", "2027-03-30")]
    assert len(query(path, LOG)) == 1
    assert cloud.names(layout.changes(ORG)) == []


def test_changes_whose_runs_lease_ran_out_are_applied_when_asked_for_again(cloud: Cloud) -> None:
    cloud.only("campaign_change")
    cloud.change(ORG, "e", PROMO, email_template="new_mail")
    cloud.run()
    cloud.everything()
    cloud.now += dt.timedelta(hours=2)
    cloud.change(ORG, "f", PROMO, target_carriers="ALL")
    cloud.run()
    cloud.change(ORG, "e", PROMO, email_template="new_mail")
    cloud.run()
    assert sorted(row[0] for row in query(cloud.pull(ORG), LOG)) == ["e", "f"]
    assert result_of(cloud, "e").state == "committed"
    assert cloud.names(layout.changes(ORG)) == []


@shares(30)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_at_any_change_of_the_world_leads_to_the_same_version(
    cloud: Cloud, folder: Path, fault: Fault, every: int
) -> None:
    before = cloud.pull(ORG)
    others = rows_of(before, in_state("TX", "FL"))

    def begin(each: Cloud) -> None:
        each.change(ORG, "e", NEWS, target_states="FL")

    met, plans = [], []
    for each, what in met_faults(folder, cloud, fault, begin, every=every):
        met.append(what)
        assert result_of(each, "e").state == "committed", what
        after = each.pull(ORG)
        plans.append(plan_in(after))
        assert query(after, LOG) == [("e", NEWS, "target_states", "TX", "FL", None)], what
        assert rows_of(after, in_state("TX", "FL")) == others, what
        manifest = manifest_of(each.store, each.version(ORG).folder)
        assert manifest is not None
        assert manifest.parent_path == cloud.version(ORG).path, what
        assert each.names(layout.changes(ORG)) == [], what
        assert each.store.stat(layout.lease(ORG)) is None, what
        assert each.rejections() == [], what
    assert plans == plans[:1] * len(plans)
    waiting = layout.change(ORG, "e")
    assert met
    assert every > 1 or {waiting, f"delete {waiting}", layout.current(ORG)} <= set(met)


@pytest.mark.slow
@shares(30)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_while_a_dead_run_is_marked_loses_no_change(
    cloud: Cloud, folder: Path, fault: Fault, every: int
) -> None:
    cloud.only("campaign_change")
    cloud.change(ORG, "e", PROMO, email_template="new_mail")
    cloud.run()
    cloud.now += dt.timedelta(hours=2)  # of that run nothing more is heard

    def begin(each: Cloud) -> None:
        each.change(ORG, "f", NEWS, target_states="FL")

    def of_the_dead(change: str) -> bool:
        return "change-e" in change or change in (layout.lease(ORG), TOPICS.campaign_changes)

    met = []
    for each, what in met_faults(folder, cloud, fault, begin, of_the_dead, every):
        met.append(what)
        assert sorted(row[0] for row in query(each.pull(ORG), LOG)) == ["e", "f"], what
        assert [result_of(each, event).state for event in "ef"] == ["committed"] * 2, what
        assert each.names(layout.changes(ORG)) == [], what
        assert each.store.stat(layout.lease(ORG)) is None, what
    assert met


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_changes_and_a_run_come_through_a_storm_of_faults(cloud: Cloud, seed: int) -> None:
    cloud.now += DAY
    for n in range(12):
        cloud.change(ORG, f"event-{n:02}", (PROMO, NEWS)[n % 2], email_template=f"mail_{n}")
        if n == 5:
            cloud.ask(ORG)
    cloud.disorder = seeded("disorder", seed)
    cloud.perils.storm = seeded("storm", seed)
    cloud.run()
    cloud.perils.storm = None
    events = [row[0] for row in query(cloud.pull(ORG), LOG)]
    assert sorted(events) == [f"event-{n:02}" for n in range(12)]
    assert cloud.result(ORG, "2027-03-02-daily").state == "committed"
    assert cloud.names(layout.changes(ORG)) == []
    assert cloud.store.stat(layout.lease(ORG)) is None
    assert cloud.rejections() == []


def test_functions_that_run_at_once_apply_each_change_once(folder: Path, database: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        cloud = Cloud(folder, threads=threads)
        cloud.disorder = seeded("threads", 0)
        cloud.push(ORG, database)
        for n in range(10):
            cloud.change(ORG, f"event-{n:02}", (PROMO, NEWS)[n % 2], email_template=f"mail_{n}")
            if n == 5:
                cloud.ask(ORG)
        cloud.run()
        events = [row[0] for row in query(cloud.pull(ORG), LOG)]
        assert sorted(events) == [f"event-{n:02}" for n in range(10)]
        assert cloud.result(ORG, "2027-03-01-daily").state == "committed"
        assert cloud.store.stat(layout.lease(ORG)) is None
        cloud.close()


def test_targets_and_what_other_people_own_stay_as_they_are(cloud: Cloud) -> None:
    before = cloud.pull(ORG)
    cloud.change(ORG, "e", NEWS, target_states="FL")
    cloud.run()
    after = cloud.pull(ORG)
    for table in ("contacts", "contact_campaigns", "campaign_types", "tracking_clicks"):
        assert all_rows(after, table) == all_rows(before, table), table
    others = "SELECT * FROM campaign_instances WHERE id <> ?"
    assert query(after, others, NEWS) == query(before, others, NEWS)
