"""The numbers of the report page: of a run, of the file that it leaves, and of SQL on that file."""

from __future__ import annotations

import datetime as dt
import io
from collections import Counter
from pathlib import Path

import pytest

from almanac.report.lines import UNKNOWN
from almanac.report.page_data import Numbers, page_of_summary
from almanac.report.summary import DayLoad, RunSummary
from almanac.report.summary_text import print_summary
from almanac.report.text import console_for
from almanac.statistics.file_report import numbers_of, overview
from tests.support import agencies
from tests.support.agreement import run
from tests.support.clouds import query
from tests.support.sampling import sampled
from tests.support.tiny import Agency, later

PLANNED = "status IN ('pre-scheduled', 'skipped')"
# what is a date to the rules, on or after as_of
COMING = """date(substr(scheduled_send_date, 1, 10)) = substr(scheduled_send_date, 1, 10)
    AND substr(scheduled_send_date, 1, 10) >= ?1
    AND (length(scheduled_send_date) = 10 OR substr(scheduled_send_date, 11, 1) IN (' ', 'T'))"""
REASON = """CASE WHEN status = 'pre-scheduled' THEN ''
    ELSE COALESCE(NULLIF(skip_reason, ''), 'no reason given') END"""
# ids are whole numbers, or texts of such, maybe with `.0` behind
KNOWN = """contact_id || '' IN (SELECT replace(replace(trim(id) || ';', '.0;', ''), ';', '')
    FROM contacts WHERE trim(id) NOT GLOB '*[^0-9.]*' AND trim(id) NOT GLOB '*.[^0]*')"""


def of_file(path: Path) -> Numbers:
    return numbers_of(path, lambda step, done, total: None)


def days_by_sql(path: Path, as_of: dt.date) -> dict[str, DayLoad]:
    day = "substr(scheduled_send_date, 1, 10)"
    planned = f"""SELECT {day}, email_type, count(*) FROM email_schedules
        WHERE status = 'pre-scheduled' AND {KNOWN} AND {COMING} GROUP BY 1, 2 ORDER BY 1, 2"""
    fixed = f"""SELECT {day}, count(*) FROM email_schedules
        WHERE (NOT {PLANNED} OR status = 'pre-scheduled' AND NOT {KNOWN}) AND {COMING}
        GROUP BY 1"""
    loads: dict[str, DayLoad] = {}
    for at, email_type, count in query(path, planned, str(as_of)):
        loads.setdefault(at, DayLoad(planned={})).planned[email_type] = count
    for at, count in query(path, fixed, str(as_of)):
        loads.setdefault(at, DayLoad(planned={})).fixed = count
    return dict(sorted(loads.items()))


def check_against_sql(found: Numbers, path: Path, as_of: dt.date) -> None:
    """By type, reason, day and kind of issue, and what is sent."""
    messages: Counter[tuple[str, str]] = Counter()
    for line in found.messages:
        messages[line.email_type, line.reason] += line.count
    sql = f"""SELECT email_type, {REASON}, count(*) FROM email_schedules
        WHERE {PLANNED} AND {KNOWN} AND {COMING} GROUP BY 1, 2"""
    assert messages == {row[:2]: row[2] for row in query(path, sql, str(as_of))}
    assert found.days == days_by_sql(path, as_of)
    issues = f"SELECT issue, count(*) FROM contact_issues WHERE {KNOWN} GROUP BY 1"
    assert found.issues == dict(query(path, issues))
    campaigns = f"""SELECT campaign_instance_id, {REASON}, count(*)
        FROM email_schedules WHERE {PLANNED} AND {KNOWN} AND {COMING}
        AND substr(email_type, 1, 9) = 'campaign_'
        AND campaign_instance_id IN (SELECT id FROM campaign_instances) GROUP BY 1, 2"""
    by_campaign = {row[:2]: row[2] for row in query(path, campaigns, str(as_of))}
    lines = {
        (line.instance_id, reason): count
        for line in found.campaigns
        for reason, count in ({"": line.planned} | line.skipped).items()
        if count
    }
    assert lines == by_campaign


def check_changes(summary: RunSummary) -> None:
    """Each change is told with its reasons, by type."""
    told: dict[str, Counter[str]] = {}
    for line in summary.changes_by_reason:
        assert line.count > 0
        assert line.why
        told.setdefault(line.change, Counter())[line.email_type] += line.count
    counted = {name: n for name, n in summary.changes_by_type.items() if name != "unchanged"}
    assert told == counted


def send(path: Path, as_of: dt.date, sender: str = "sent") -> None:
    """A sender takes what is due."""
    agency = Agency.__new__(Agency)
    agency.path = path
    agency.query(
        "UPDATE email_schedules SET status = ? WHERE status = 'pre-scheduled' "
        "AND scheduled_send_date <= ?",
        sender,
        str(as_of),
    )


# Odd agencies


@pytest.mark.parametrize("schema", sampled(["old", "new", "text", "minimal", "bare"], 3))
@pytest.mark.parametrize("seed", sampled(range(5), 1))
def test_the_numbers_of_a_run_are_those_of_the_file_that_it_leaves(
    folder: Path, seed: int, schema: str
) -> None:
    config, as_of = agencies.config_for(seed), agencies.as_of_for(seed)
    path = agencies.build(folder / "agency.sqlite3", seed, 30, schema=schema)
    for day in range(2):
        t0 = as_of + dt.timedelta(days=(seed + day) % 2)
        summary = run(path, as_of, t0, config, shards=1 + seed % 4)
        found = of_file(path)
        assert Numbers.of_summary(summary) == found
        check_against_sql(found, path, as_of)
        check_changes(summary)
        send(path, as_of, "delivered" if day else "sent")
        as_of += dt.timedelta(days=1)


@pytest.mark.parametrize(("seed", "number"), sampled([(3, 3), (3, 30), (8, 3), (8, 30)], 1))
def test_the_number_of_shards_makes_no_difference(folder: Path, seed: int, number: int) -> None:
    config, as_of = agencies.config_for(seed), agencies.as_of_for(seed)
    found = []
    for shards in (1, number):
        path = agencies.build(folder / "agency.sqlite3", seed, 20, schema="new")
        first = run(path, as_of, as_of, config, shards=shards)
        send(path, as_of)
        day = as_of + dt.timedelta(days=1)
        second = run(path, day, day, config, shards=shards)
        found.append(
            [(Numbers.of_summary(each), each.changes_by_reason) for each in (first, second)]
        )
    assert found[0] == found[1]


@pytest.mark.parametrize("seed", sampled([1, 6, 5], 1))
def test_after_a_run_over_some_contacts_the_page_is_about_all(folder: Path, seed: int) -> None:
    config, as_of = agencies.config_for(seed), agencies.as_of_for(seed)
    path = agencies.build(folder / "agency.sqlite3", seed, 40, schema="old")
    scope = [(5, 20)] if seed % 2 else [(1, 4), (9, 400)]
    summary = run(path, as_of, as_of, config, scope=scope)
    found = of_file(path)
    check_against_sql(found, path, as_of)
    check_changes(summary)
    assert found != Numbers.of_summary(summary)
    horizon = as_of + dt.timedelta(days=365)
    page = page_of_summary(summary, "agency", {}, horizon, settings=[], whole=found)
    assert page.messages == found.messages
    assert page.changes == summary.changes_by_reason
    assert any("those of the whole database" in note for note in page.notes)


# By hand


DAY = "2027-03-01"


@pytest.fixture
def campaigns(agency: Agency) -> Agency:
    """A campaign of every kind, and contacts who can get messages or cannot."""
    agency.contact(1, "TX", carrier="Aetna")
    agency.contact(2, "FL", carrier="Cigna")
    agency.contact(3, "TX", carrier="Aetna", status="inactive")
    agency.contact(4, "TX", carrier="Aetna", email="nobody")
    agency.contact(5, "", zip_code="90210", birth_date="1950-03-20")  # California
    agency.contact(6, "??", zip_code="")
    agency.campaign(1, "news", target_all_contacts=1, active_start_date="2028-03-02")
    agency.campaign(2, "news", target_all_contacts=1, active_start_date=DAY)
    agency.campaign(3, "news", target_states="TX", active_start_date=DAY, target_carriers="aetna")
    agency.campaign(4, "promo", active_end_date="2027-02-28")
    agency.campaign(5, "promo", target_states="FL", active_start_date=DAY)
    agency.campaign(6, "switched", active=0, active_start_date=DAY)
    agency.campaign(7, "promo", metadata="{", active_start_date=DAY)
    agency.insert("campaign_instances", id=8, campaign_type="none", instance_name="none 8")
    for contact in (1, 2, 3, 5, 99):
        agency.target(5, "2027-03-10", contact)
        agency.target(5, "2027-04-10", contact)
        agency.target(4, "2027-02-10", contact, status="sent")
    for status in ("sent", "delivered", "failed"):
        agency.sent("campaign_promo", "2027-02-10", 1, status=status, campaign_instance_id=4)
    agency.sent("CAMPAIGN_PROMO_4", "2027-02-11", 3)
    agency.sent("campaign_promo", "2027-02-10", 99, campaign_instance_id=4)
    agency.sent("followup_1_cold", "2027-02-12", 1, campaign_instance_id=4)
    return agency


def test_a_campaign_tells_whom_it_reaches_what_it_sent_and_why_it_rests(campaigns: Agency) -> None:
    summary = campaigns.plan(DAY)
    lines = {line.instance_id: line for line in summary.campaigns}
    assert of_file(campaigns.path).campaigns == summary.campaigns
    # 1, 2, 5 and 6 can get messages
    assert [lines[n].reach for n in range(1, 9)] == [4, 4, 1, 3, 1, 0, 0, 0]
    assert [lines[n].sent for n in range(1, 9)] == [0, 0, 0, 3, 0, 0, 0, 0]
    assert [lines[n].problem for n in range(1, 9)] == [
        "begins 2028-03-02",
        None,
        None,
        "ended 2027-02-28",
        None,
        "its type is switched off",
        "its metadata is not valid: it is not JSON",
        "its type 'none' is not in campaign_types",
    ]
    assert [n for n in range(1, 9) if lines[n].left_out] == [7, 8]
    assert (lines[5].planned, lines[5].skipped) == (2, {"Outside campaign targeting": 4})
    assert (lines[2].name, lines[2].campaign_type) == ("news 2", "news")
    assert (lines[4].start, lines[4].end) == (None, dt.date(2027, 2, 28))


def test_the_reach_of_a_campaign_is_that_of_sql(campaigns: Agency) -> None:
    summary = campaigns.plan(DAY)
    reach = {line.instance_id: line.reach for line in summary.campaigns}
    able = "FROM contacts AS c WHERE c.status IS NOT 'inactive' AND c.email LIKE '%@%'"
    aetna = f"SELECT count(*) {able} AND c.state = 'TX' AND c.carrier = 'Aetna'"
    targets = f"""SELECT count(*) {able} AND EXISTS (SELECT 1 FROM contact_campaigns AS t
        WHERE t.contact_id = c.id AND t.campaign_instance_id = ?)"""
    assert [(reach[2],)] == campaigns.query(f"SELECT count(*) {able}")
    assert [(reach[3],)] == campaigns.query(aetna)
    assert [(reach[4],)] == campaigns.query(targets, 4)
    assert [(reach[5],)] == campaigns.query(f"{targets} AND c.state = 'FL'", 5)


def test_states_say_how_much_their_rule_holds_back(campaigns: Agency) -> None:
    campaigns.campaign(9, "blunt", respect_exclusion_windows=0, target_all_contacts=1)
    campaigns.query("UPDATE campaign_instances SET active_start_date = ? WHERE id = 9", DAY)
    summary = campaigns.plan(DAY)
    states = {line.state: line for line in summary.states}
    assert list(states) == ["CA", "FL", "TX", UNKNOWN]
    assert [states[s].contacts for s in states] == [1, 1, 1, 1]
    assert states["CA"].rule.startswith("30 days before the birthday to 60 days after it")
    assert states["TX"].rule == ""
    # birthday, news, and not: blunt, the two of promo (outside its targeting), after the window
    held = campaigns.query(
        "SELECT count(*) FROM email_schedules WHERE skip_reason LIKE 'Birthday exclusion%'"
    )
    assert [(states["CA"].hits,)] == held
    asked = campaigns.query(
        "SELECT count(*) FROM email_schedules WHERE contact_id = 5 AND email_type <> "
        "'campaign_blunt' AND skip_reason IS NOT 'Outside campaign targeting'"
    )
    assert [(states["CA"].checked,)] == asked
    assert of_file(campaigns.path).states == summary.states


def test_suppressions_say_what_they_hold_back(campaigns: Agency) -> None:
    for who, reason, until in (
        (1, "bounce", None),
        (1, "unsubscribe", None),  # the first is the reason
        (2, " ", None),
        (3, "bounce", None),  # can get no messages anyway
        (5, "bounce", "2027-02-01"),
    ):
        campaigns.insert("suppressions", contact_id=who, reason=reason, until=until)
    summary = campaigns.plan(DAY)
    assert of_file(campaigns.path).suppressions == summary.suppressions
    found = {line.reason: (line.entries, line.contacts) for line in summary.suppressions}
    assert found == {"bounce": (2, 1), "unspecified": (1, 1), "unsubscribe": (1, 0)}
    for line in summary.suppressions:
        sql = "SELECT count(*) FROM email_schedules WHERE skip_reason = ?"
        assert [(line.messages,)] == campaigns.query(sql, f"Suppressed: {line.reason}")


def test_old_rate_increases_count_for_the_campaign_that_they_become(agency: Agency) -> None:
    for contact in (1, 2, 7):
        if contact < 3:
            agency.contact(contact)
        agency.insert(
            "email_schedules",
            contact_id=contact,
            email_type="scheduled_rate_increase",
            scheduled_send_date="2027-04-01",
            status="pre-scheduled",
        )
    summary = agency.plan(DAY)
    (line,) = summary.campaigns
    assert (line.name, line.reach, line.planned) == ("legacy_rate_increase", 2, 2)
    assert Numbers.of_summary(summary) == of_file(agency.path)


def test_what_was_due_before_the_day_is_not_on_the_page(agency: Agency) -> None:
    agency.contact(1, "TX", birth_date="1960-03-10")
    agency.insert("suppressions", contact_id=1, reason="complaint")
    summary = agency.plan(DAY)  # ideally sent on 24 February
    assert summary.skipped_total == 1
    assert summary.messages == of_file(agency.path).messages == []
    page = page_of_summary(summary, "agency", {}, dt.date(2028, 3, 1), settings=[])
    assert ("Skipped and not shown", "1, due before 2027-03-01") in page.facts


def test_terminal_and_page_count_the_same_messages_as_skipped(agency: Agency) -> None:
    for contact in (1, 2):
        agency.contact(contact, "TX", birth_date=f"1960-0{contact + 2}-20")
        agency.insert("suppressions", contact_id=contact, reason="complaint")
    summary = agency.plan(DAY)  # ideally sent on 6 March and on 6 April
    agency.contact(3, "TX", birth_date="1960-03-10")
    agency.insert("suppressions", contact_id=3, reason="complaint")
    summary = agency.plan(DAY)
    page = page_of_summary(summary, "agency", {}, dt.date(2028, 3, 1), settings=[])
    assert page.skipped == summary.skipped_ahead == {"Suppressed: complaint": {"birthday": 2}}
    out = io.StringIO()
    print_summary(console_for(out), summary, database="agency", advice={})
    lines = [" ".join(line.split()) for line in out.getvalue().splitlines()]
    assert "2 skipped, each with its reason" in lines
    assert "1 skipped and not counted below, due before 2027-03-01" in lines
    assert "Suppressed 2 complaint 2" in lines


def test_what_the_sender_has_on_the_day_itself_is_on_the_page(agency: Agency) -> None:
    agency.contact(1)
    agency.sent("newsletter", DAY, status="processing")
    agency.sent("newsletter", DAY, 99, status="pre-scheduled")
    summary = agency.plan(DAY, later(DAY, 1))
    assert summary.days[DAY] == DayLoad(planned={}, fixed=2)
    assert of_file(agency.path).days == summary.days


# Why


def whys(summary: RunSummary, change: str) -> dict[tuple[str, str], int]:
    lines = [line for line in summary.changes_by_reason if line.change == change]
    return {(line.email_type, line.why): line.count for line in lines}


def test_added_messages_say_why_they_were_not_there(agency: Agency) -> None:
    agency.contact(1, birth_date="1960-03-15", effective_date="2020-09-01")
    agency.contact(2, birth_date="1960-03-03")
    first = agency.plan(DAY)
    assert first.changes_since == "the database before its first run"
    assert {why for _, why in whys(first, "added")} == {"the first plan"}
    agency.query("UPDATE email_schedules SET status = 'sent' WHERE contact_id = 2")
    agency.query("UPDATE contacts SET effective_date = '2021-04-01' WHERE id = 2")
    agency.contact(3, birth_date="1960-06-01")
    agency.campaign(1, "promo", active_start_date=DAY)
    agency.target(1, "2027-05-01", 1)
    second = agency.plan("2027-03-03")
    assert whys(second, "added") == {
        ("birthday", "the one of the year before is past"): 1,
        ("birthday", "the contact had no planned messages before"): 1,
        ("campaign_promo", "its campaign, target or trigger date is new"): 1,
        ("effective_date", "the contact had no planned messages before"): 1,
        ("followup_1_cold", "a follow-up of what was sent"): 1,
    }
    run_id = second.changes_since.removeprefix("the plan of run ").split(",")[0]
    assert (first.run_id, "as of 2027-03-01") == (run_id, second.changes_since.split(", ")[1])


def test_a_message_comes_within_the_horizon(agency: Agency) -> None:
    agency.contact(1, birth_date="1960-06-01")
    agency.plan("2027-04-16", horizon_days=30)
    summary = agency.plan("2027-04-18", horizon_days=30)
    within = "its ideal date is now within the horizon"
    assert whys(summary, "added") == {("birthday", within): 1}


def test_a_run_over_few_contacts_is_no_plan_to_measure_the_horizon_by(agency: Agency) -> None:
    for contact in range(1, 6):
        agency.contact(contact, birth_date="1960-06-01")
    agency.plan("2027-02-01", horizon_days=30)
    agency.plan("2027-04-01", horizon_days=90, scope=[(1, 1)])
    summary = agency.plan("2027-04-02", horizon_days=90)
    within = ("birthday", "its ideal date is now within the horizon")
    assert whys(summary, "added") == {within: 4}
    assert "as of 2027-04-01" in summary.changes_since


def test_moved_messages_say_what_was_wrong_with_their_day(agency: Agency) -> None:
    agency.contact(1, birth_date="1960-03-20")
    agency.contact(2, birth_date="1960-05-20")
    agency.contact(3, birth_date="1960-06-20")
    agency.plan(DAY)
    move = "UPDATE email_schedules SET scheduled_send_date = ? WHERE contact_id = ?"
    agency.query(move, "2027-12-01", 2)
    agency.query(move, "2027-06-08", 3)
    summary = agency.plan("2027-03-07", timing={"birthday_days_before": 13})
    assert whys(summary, "moved") == {("birthday", "its ideal date has changed"): 3}
    agency.query(move, "2027-03-06", 1)
    agency.query(move, "2027-12-01", 2)
    summary = agency.plan("2027-03-08", timing={"birthday_days_before": 13})
    assert whys(summary, "moved") == {
        ("birthday", "its day has passed, and it was not sent"): 1,
        ("birthday", "its day is no longer allowed"): 1,
    }


def test_a_full_day_moves_what_had_it(agency: Agency) -> None:
    caps = {"daily_send_percentage_cap": 0.34, "overage_threshold": 1.0}
    for contact in (1, 2, 3):
        agency.contact(contact, birth_date="1960-05-20")
    agency.plan(DAY, load_balancing=caps)
    assert agency.days() == ["2027-05-06", "2027-05-07", "2027-05-08"]
    agency.sent("newsletter", "2027-05-07", 1, status="scheduled")
    summary = agency.plan(later(DAY, 1), load_balancing=caps)
    assert whys(summary, "moved") == {("birthday", "its day is full"): 1}


def test_removed_messages_say_why_nobody_wants_them(agency: Agency) -> None:
    for contact in range(1, 7):
        agency.contact(contact, birth_date="1960-05-20")
    agency.campaign(1, "promo", active_start_date=DAY)
    agency.target(1, "2027-04-01", 4)
    agency.sent("birthday", "2027-02-28", 6)
    agency.sent("birthday", "2027-04-01", 5, status="pre-scheduled")  # of an older scheduler
    first = agency.plan(DAY)
    assert whys(first, "removed") == {("birthday", "an older scheduler planned it"): 1}
    agency.query("UPDATE contacts SET status = 'gone' WHERE id = 1")
    agency.query("UPDATE contacts SET birth_date = '1960-07-20' WHERE id = 2")
    agency.sent("birthday", "2027-04-30", 3)
    agency.query("UPDATE campaign_types SET active = 0")
    agency.insert("tracking_clicks", contact_id=6, clicked_at=DAY)
    second = agency.plan(later(DAY, 1))
    assert whys(second, "removed") == {
        ("birthday", "the contact can no longer get messages"): 1,
        ("birthday", "it is no longer due: dates, targets or settings have changed"): 1,
        ("birthday", "the sender already has a message of its kind"): 1,
        ("campaign_promo", "its campaign or type no longer takes part"): 1,
        ("followup_1_cold", "another follow-up replaces it"): 1,
    }


def test_what_nobody_sent_in_time_says_so(agency: Agency) -> None:
    agency.contact(1, birth_date="1960-03-20")
    agency.contact(2, birth_date="1960-03-20")
    agency.plan(DAY)
    agency.query("UPDATE contacts SET status = 'gone' WHERE id = 2")
    summary = agency.plan("2027-04-01")
    past = "its day has passed, it was not sent, and "
    assert whys(summary, "expired") == {
        ("birthday", past + "it is no longer due: dates, targets or settings have changed"): 1,
        ("birthday", past + "the contact can no longer get messages"): 1,
    }


def test_what_is_skipped_or_planned_again_says_for_which_reason(agency: Agency) -> None:
    agency.contact(1, birth_date="1960-05-20")
    agency.contact(2, birth_date="1960-05-21")
    agency.insert("suppressions", contact_id=1, reason="complaint", until=DAY)
    agency.plan(DAY)
    agency.insert("suppressions", contact_id=2, reason="bounce")
    summary = agency.plan(later(DAY, 1))
    assert whys(summary, "planned again") == {
        ("birthday", "skipped before: Suppressed: complaint"): 1
    }
    assert whys(summary, "skipped anew") == {("birthday", "Suppressed: bounce"): 1}
    agency.insert("suppressions", contact_id=1, reason="manual")
    agency.query("DELETE FROM suppressions WHERE reason = 'bounce'")
    agency.insert("suppressions", contact_id=2, reason="bounced twice")
    summary = agency.plan(later(DAY, 2), send_time="09:00")
    assert whys(summary, "updated") == {("birthday", "it is skipped for another reason"): 1}
    summary = agency.plan(later(DAY, 2), send_time="10:00", timing={"birthday_days_before": 13})
    assert whys(summary, "updated") == {("birthday", "its ideal date has changed"): 2}
    summary = agency.plan(later(DAY, 2), timing={"birthday_days_before": 13})
    other = "its template, priority, send time or metadata has changed"
    assert whys(summary, "updated") == {("birthday", other): 2}


# A file that may be in use


def test_the_page_of_a_file_says_what_has_changed_since_another(folder: Path) -> None:
    agency = Agency(folder / "agency.sqlite3")
    agency.contact(1, birth_date="1960-03-20", effective_date="2020-06-01")
    agency.contact(2, birth_date="1960-03-20")
    agency.contact(4, birth_date="1960-03-20")
    agency.plan(DAY)
    old = folder / "old.sqlite3"
    old.write_bytes(agency.path.read_bytes())
    agency.query("UPDATE email_schedules SET status = 'sent' WHERE contact_id = 2")
    agency.query("DELETE FROM contacts WHERE id = 4")
    agency.query("DELETE FROM email_schedules WHERE contact_id = 4")
    agency.query("UPDATE contacts SET effective_date = '' WHERE id = 1")
    agency.contact(3, birth_date="1960-09-01")
    agency.plan("2027-03-08")
    page = overview(agency.path, since=old)
    assert page.changes_since == "the plan in old.sqlite3"
    assert {(x.change, x.email_type, x.why): x.count for x in page.changes} == {
        ("added", "birthday", "the contact had no planned messages before"): 1,
        ("added", "followup_1_cold", "a follow-up of what was sent"): 1,
        ("moved", "birthday", "its day has passed, and it was not sent"): 1,
        ("removed", "birthday", "the contact no longer exists"): 1,
        ("removed", "effective_date", "it is no longer planned"): 1,
        ("taken by the sender", "birthday", "the sender has it now"): 1,
    }
    assert overview(agency.path).changes_since is None
