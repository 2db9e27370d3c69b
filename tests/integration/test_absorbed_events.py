"""Events that wait in the inbox: the next run of the organization absorbs them, each once."""

from __future__ import annotations

import datetime as dt
import io
import json
from pathlib import Path
from typing import Any

import apsw
import pytest

from almanac.intake import inbox
from almanac.intake.inbox import Received
from almanac.report.events_text import print_events
from almanac.report.summary import RunSummary
from almanac.report.text import console_for
from almanac.runs.run_plan import read_plan
from almanac.status.organization import organization_status
from almanac.storage import layout
from almanac.storage.versions import manifest_of
from tests.support.clouds import NOW, Cloud, plan_in, query

ORG = "206"
DAILY = "2027-03-01-daily"


@pytest.fixture(scope="module")
def planned(unplanned: Cloud) -> Cloud:
    """The agency after yesterday's run."""
    unplanned.ask(ORG)
    unplanned.run()
    unplanned.now = NOW
    return unplanned


def put(cloud: Cloud, kind: str, event_id: str, *entries: dict[str, Any], **fields: Any) -> str:
    """Put one event into the inbox, and return the object."""
    event = {"event_id": event_id, "org_id": ORG, "entries": list(entries), **fields}
    return inbox.put(
        cloud.store, ORG, [Received(kind=kind, event=event, received=cloud.now, source="http")]
    )


def logged(cloud: Cloud) -> list[tuple[str, str, int]]:
    sql = "SELECT event_id, applied_by, refused <> '' FROM intake_log ORDER BY id"
    return query(cloud.pull(ORG), sql)


def due_rows(cloud: Cloud, count: int) -> list[dict[str, Any]]:
    """The next planned messages, as `due` hands them out."""
    sql = """SELECT json_object('id', id, 'contact_id', contact_id, 'email_type', email_type,
        'campaign_instance_id', campaign_instance_id, 'ideal_send_date', ideal_send_date,
        'scheduled_send_date', scheduled_send_date) FROM email_schedules
        WHERE status = 'pre-scheduled' ORDER BY scheduled_send_date, id LIMIT ?"""
    return [json.loads(text) for (text,) in query(cloud.pull(ORG), sql, count)]


def test_a_run_plans_with_the_contacts_that_came_in(cloud: Cloud) -> None:
    new = {"id": 5000, "email": "new@example.com", "state": "TX", "birth_date": "1950-06-01"}
    put(cloud, "contacts", "arrival", new, {"nothing": "known"})
    cloud.ask(ORG)
    cloud.run()
    assert cloud.result(ORG, DAILY).state == "committed"
    version = cloud.pull(ORG)
    assert query(version, "SELECT count(*) FROM email_schedules WHERE contact_id = 5000") > [(0,)]
    assert logged(cloud) == [("arrival", DAILY, 1)]
    assert cloud.names(layout.inbox(ORG)) == []
    manifest = manifest_of(cloud.store, cloud.version(ORG).folder)
    assert manifest is not None
    assert manifest.model_extra is not None
    extra = manifest.model_extra
    assert (extra["events_applied"], extra["entries_refused"]) == (1, 1)
    assert extra["census"]["contacts"] == 25
    assert "indexes were added" in extra["without_changes"]


@pytest.mark.slow
def test_a_run_with_an_empty_inbox_writes_nothing_more(cloud: Cloud) -> None:
    cloud.ask(ORG)
    cloud.run()
    assert [name for name in cloud.names(layout.run(ORG, DAILY)) if "absorbed" in name] == []
    assert read_plan(cloud.store, ORG, DAILY).snapshot.absorbed is None


def test_a_later_run_knows_the_events_that_a_run_before_applied(cloud: Cloud) -> None:
    name = put(cloud, "contacts", "arrival", {"id": 5000, "email": "new@example.com"})
    batch = cloud.store.read(name).data
    cloud.ask(ORG)
    cloud.run()
    # the deletion was lost, or the same event came again
    cloud.store.write(name, batch, 0)
    cloud.now += dt.timedelta(days=1)
    cloud.ask(ORG)
    cloud.run()
    assert logged(cloud) == [("arrival", DAILY, 0)]
    assert cloud.names(layout.inbox(ORG)) == []


def test_the_next_change_set_has_what_was_absorbed(cloud: Cloud) -> None:
    put(cloud, "contacts", "first", {"id": 5000, "email": "new@example.com"})
    cloud.ask(ORG)
    cloud.run()
    before = cloud.pull(ORG)
    put(cloud, "contacts", "second", {"id": 5000, "email": "other@example.com"})
    cloud.now += dt.timedelta(days=1)
    cloud.ask(ORG)
    cloud.run()
    folder = cloud.version(ORG).folder
    changes = cloud.store.read(f"{folder}/{layout.CHANGES}").data
    connection = apsw.Connection(str(before))
    apsw.Changeset.apply(changes, connection)
    sql = "SELECT email FROM contacts WHERE id = 5000"
    assert connection.execute(sql).fetchall() == [("other@example.com",)]
    mine = connection.execute("SELECT * FROM intake_log ORDER BY id").fetchall()
    assert mine == query(cloud.pull(ORG), "SELECT * FROM intake_log ORDER BY id")
    connection.close()


@pytest.mark.slow
def test_many_marks_are_absorbed_in_steps_that_come_to_the_same(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = due_rows(cloud, 5)
    put(cloud, "suppressions", "stop", {"contact_id": 21, "reason": "manual"})
    for number, row in enumerate(rows):
        put(cloud, "deliveries", f"mark-{number}", {"id": row["id"], "status": "sent"})
    monkeypatch.setattr("almanac.intake.absorb.STEP_EVENTS", 4)
    monkeypatch.setattr("almanac.intake.deliveries.STEP_MARKS", 2)
    cloud.ask(ORG)
    cloud.run()
    assert cloud.result(ORG, DAILY).state == "committed"
    assert [event for event, *_ in logged(cloud)] == [*(f"mark-{n}" for n in range(5)), "stop"]
    wanted = ", ".join(str(row["id"]) for row in rows)
    sql = f"SELECT DISTINCT status FROM email_schedules WHERE id IN ({wanted})"
    assert query(cloud.pull(ORG), sql) == [("sent",)]


def test_a_request_to_replan_plans_the_contacts_of_the_event(cloud: Cloud) -> None:
    put(cloud, "contacts", "move", {"id": 8, "state": "CA"}, {"id": 26, "state": "CA"}, replan=True)
    put(cloud, "contacts", "rest", {"id": 41, "state": "CA"})
    cloud.ask(ORG, reason="replan", event_id="move")
    cloud.run()
    run = f"{NOW.date()}-change-move"
    assert cloud.result(ORG, run).state == "committed"
    plan = read_plan(cloud.store, ORG, run)
    assert [tuple(each) for each in plan.scope or []] == [(8, 8), (26, 26)]
    assert [event for event, *_ in logged(cloud)] == ["move", "rest"]
    version = cloud.version(ORG)
    cloud.ask(ORG, reason="replan", event_id="move")
    cloud.ask(ORG, reason="replan", event_id="rest")
    cloud.run()
    assert cloud.version(ORG) == version
    assert cloud.result(ORG, f"{NOW.date()}-change-rest").state == "committed"


@pytest.mark.slow
def test_a_defined_campaign_is_replanned_as_by_a_campaign_change(
    cloud: Cloud, planned: Cloud, folder: Path
) -> None:
    ((instance,),) = query(
        cloud.pull(ORG),
        "SELECT campaign_instance_id FROM email_schedules WHERE email_type LIKE 'campaign%' "
        "AND status = 'pre-scheduled' GROUP BY 1 ORDER BY count(*) DESC LIMIT 1",
    )
    changes = {"email_template": "other", "target_states": "ID,KY"}
    put(cloud, "campaigns", "define", {"instance": {"id": instance, **changes}}, replan=True)
    cloud.ask(ORG, reason="replan", event_id="define")
    cloud.run()
    plan = read_plan(cloud.store, ORG, f"{NOW.date()}-change-define")
    assert [each.id for each in plan.before] == [instance]
    changed = Cloud(folder, like=planned)
    changed.change(ORG, "define", instance, **changes)
    changed.run()
    assert plan_in(cloud.pull(ORG)) == plan_in(changed.pull(ORG))
    assert plan_in(cloud.pull(ORG)) != plan_in(planned.pull(ORG))
    changed.close()


def test_a_request_to_replan_for_no_event_is_rejected(cloud: Cloud) -> None:
    cloud.ask(ORG, reason="replan", event_id="unheard")
    cloud.run()
    (rejection,) = cloud.rejections()
    assert "no event 'unheard' waits in the inbox" in rejection["reason"]


@pytest.mark.parametrize(
    "with_it",
    [
        pytest.param([], id="alone"),
        pytest.param(["deliveries"], id="among late deliveries", marks=pytest.mark.slow),
    ],
)
def test_other_content_under_a_known_id_waits_until_a_run_has_refused_it(
    cloud: Cloud, with_it: list[str]
) -> None:
    put(cloud, "contacts", "twice", {"id": 5000, "email": "new@example.com"})
    cloud.only("orchestrator")
    cloud.ask(ORG)
    cloud.run()
    cloud.now += dt.timedelta(minutes=1)
    late = put(cloud, "contacts", "twice", {"id": 5000, "email": "other@example.com"})
    for kind in with_it:
        put(cloud, kind, "mark", {"id": 987654321, "status": "sent"})
    cloud.everything()
    cloud.ask(ORG)
    cloud.run()
    assert cloud.names(layout.inbox(ORG)) == [late]

    cloud.now += dt.timedelta(days=1)
    cloud.ask(ORG)
    cloud.run()
    assert cloud.names(layout.inbox(ORG)) == []
    assert [(event, wrong) for event, _, wrong in logged(cloud) if event == "twice"] == [
        ("twice", 0),
        ("twice", 1),
    ]


def test_what_a_run_refused_or_could_not_read_is_in_its_report_and_in_the_status(
    cloud: Cloud,
) -> None:
    put(cloud, "contacts", "arrival", {"id": 5000, "email": "new@example.com"}, {"no": "contact"})
    put(cloud, "suppressions", "whom", {"email": "a@example.com", "until": "b@example.com"})
    damaged = f"{layout.inbox(ORG)}20260101T000000.000000Z-x.json"
    cloud.store.write(damaged, b'{"events": 5}', 0)
    cloud.only("orchestrator")
    cloud.ask(ORG)
    cloud.run()
    put(cloud, "deliveries", "late", {"id": 987654321, "status": "sent"})
    cloud.everything()
    cloud.ask(ORG)
    cloud.run()

    folder = cloud.version(ORG).folder
    report = RunSummary.model_validate_json(cloud.store.read(f"{folder}/{layout.REPORT_JSON}").data)
    events = report.events
    assert (events.applied, events.refused) == (
        {"contacts": 1, "suppressions": 1, "deliveries": 1},
        3,
    )
    assert [(each.event_id, each.index) for each in events.examples] == [
        ("arrival", 1),
        ("whom", 0),
        ("late", 0),
    ]
    assert "@" not in "".join(each.why for each in events.examples)
    assert events.unreadable == {damaged: "events: 5 is not a list"}
    text = io.StringIO()
    print_events(console_for(text), events)
    page = cloud.store.read(f"{folder}/{layout.REPORT_HTML}").data.decode()
    for said in (text.getvalue(), page):
        assert "3 entries refused. All of them are in the table" in " ".join(said.split())
        assert damaged in said

    status = organization_status(cloud.store, ORG, cloud.now)
    assert cloud.names(layout.inbox(ORG)) == [damaged]
    assert [damaged in problem for problem in status.problems] == [True]
    assert "refused 3 entries of events" in status.warnings[0]
    cloud.store.delete(damaged, if_generation=None)
    assert organization_status(cloud.store, ORG, cloud.now).ok
