"""`almanac explain`: it says what the run did, and why."""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path
from typing import Any

import apsw
import pytest

from almanac.config import load_config
from almanac.errors import RequestError
from almanac.explain.model import Explanation
from almanac.organizations.recorded_config import NamedConfig
from tests.support.agencies import as_of_for, build, config_for
from tests.support.agreement import run
from tests.support.cli_calls import AS_OF, agency, almanac, state_of
from tests.support.explanations import SECTIONS, decisions_of, explain, explain_contact, one
from tests.support.sampling import sampled, shares
from tests.support.tiny import CALM, Agency

ROWS = """
    SELECT id, contact_id, status, scheduled_send_date, skip_reason FROM email_schedules
    WHERE status IN ('pre-scheduled', 'skipped') AND ideal_send_date IS NOT NULL
    AND COALESCE(skip_reason, '') <> 'Not sent by its deadline'
"""


@pytest.fixture
def tiny(tmp_path: Path) -> Agency:
    return Agency(tmp_path / "agency.sqlite3")


def current(path: Path) -> dict[int, dict[int, tuple[Any, ...]]]:
    """Rows of the plan by contact and row id."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    found: dict[int, dict[int, tuple[Any, ...]]] = {}
    for row_id, contact, *rest in connection.execute(ROWS):
        found.setdefault(contact, {})[row_id] = tuple(rest)
    connection.close()
    return found


@shares(4)
@pytest.mark.parametrize("seed", sampled(range(5), 1))
def test_an_explanation_agrees_with_the_run(tmp_path: Path, seed: int, every: int) -> None:
    as_of, config = as_of_for(seed), config_for(seed)
    schema = ("old", "new", "minimal", "new")[seed % 4]
    path = build(tmp_path / "agency.sqlite3", seed, 20, schema=schema)
    run(path, as_of, as_of, config)
    rows = current(path)
    connection = apsw.Connection(str(path))
    ids = [i for (i,) in connection.execute("SELECT id FROM contacts ORDER BY id")]
    connection.close()
    for contact in ids[::every]:
        found = explain_contact(path, contact)
        said = {}
        for message in found.messages:
            assert message.note is None
            assert message.row is not None
            status = "pre-scheduled" if message.outcome == "planned" else message.outcome
            day = str(message.day or message.ideal_date)
            said[message.row.row_id] = (status, day, message.skip_reason)
            assert message.last.why.endswith(".")
        of_contact = rows.get(contact, {})
        assert said.items() <= of_contact.items()
        # what no candidate claims is history
        assert all(row[1] < str(as_of) for i, row in of_contact.items() if i not in said)
        assert {row.row_id for row in found.other_rows} >= of_contact.keys() - said.keys()
        assert {decision.section for decision in decisions_of(found)} <= SECTIONS
        assert Explanation.model_validate_json(found.model_dump_json()) == found
        assert found.as_of == as_of
        assert found.verdict.startswith(f"Contact {contact} gets ")


@shares(4)
@pytest.mark.parametrize("seed", sampled(range(2), 1))
def test_every_day_of_a_first_run_is_accounted_for(tmp_path: Path, seed: int, every: int) -> None:
    as_of = as_of_for(seed)
    path = build(tmp_path / "agency.sqlite3", seed, 40, schema="old")
    tight = {"load_balancing": {"daily_send_percentage_cap": 0.05, "ed_daily_soft_limit": 1}}
    run(path, as_of, as_of, tight)
    steps = set()
    for contact in list(current(path))[::every]:
        for message in explain_contact(path, contact).messages:
            if message.outcome == "planned":
                steps.add(message.last.step)
    assert {"Target", "Daily cap"} <= steps <= {"Target", "Catch-up", "Smoothing", "Daily cap"}


def test_a_contact_that_gets_nothing_is_told_why(tiny: Agency) -> None:
    tiny.contact(state="NY", birth_date="1950-05-05", effective_date="2020-03-01")
    found = explain(tiny)
    reason = "Year-round exclusion for NY"
    assert found.verdict == f"Contact 1 gets nothing: all 2 messages are skipped ({reason})."
    assert {m.skip_reason for m in found.messages} == {reason}
    text = almanac("explain", tiny.path, "--contact", 1).out
    assert text.startswith("Contact 1 gets nothing")
    assert "NY is excluded all year" in text
    assert "[Windows]" in text


def test_a_window_is_named_with_its_days(tiny: Agency) -> None:
    tiny.contact(state="CA", birth_date="1950-06-01")
    found = explain(tiny)
    message = one(found, "birthday")
    assert message.skip_reason == "Birthday exclusion window for CA"
    assert "2027-05-18 lies in the window 2027-03-03 to 2027-07-31" in message.last.why
    assert "the post_window message after 2027-07-31 makes up for it" in message.last.why
    assert one(found, "post_window").day == dt.date(2027, 8, 1)
    assert [(str(w.start), str(w.end)) for w in found.windows] == [
        ("2026-03-03", "2026-07-31"),
        ("2027-03-03", "2027-07-31"),
    ]
    assert "30 days before the birthday to 60 days after it" in found.contact.rule


@pytest.mark.parametrize(
    ("columns", "why"),
    [
        ({"status": "bounced"}, "its status is 'bounced'"),
        ({"email": "nobody"}, "its e-mail address 'nobody' is not valid"),
    ],
)
def test_a_contact_that_takes_no_part_is_told_why(
    tiny: Agency, columns: dict[str, Any], why: str
) -> None:
    tiny.contact(birth_date="1950-06-01", **columns)
    found = explain(tiny)
    assert not found.contact.eligible
    assert why in found.verdict
    assert almanac("explain", tiny.path, "--contact", 1).code == 0


def test_an_unknown_state_can_keep_everything_back(tiny: Agency) -> None:
    tiny.contact(state="", zip_code="", birth_date="1950-06-01")
    settings = {"send_without_zipcode_for_universal": False}
    assert "its state is unknown" in explain(tiny, organization=settings).verdict


def test_a_crowded_span_names_the_messages_in_it(tiny: Agency) -> None:
    tiny.contact(birth_date="1950-12-20", effective_date="2020-12-10")  # of use to 9 December
    tiny.sent("invoice", "2026-11-20")
    timing = {"effective_date_days_before": 5}
    found = explain(tiny, frequency={"max_emails": 2, "period_days": 30}, timing=timing)
    message = one(found, "effective_date")
    assert message.skip_reason == "Frequency limit exceeded"
    assert "invoice (sent) on 2026-11-20" in message.last.why
    assert "birthday on 2026-12-06" in message.last.why
    assert (message.last.step, message.last.section) == ("Frequency", "Sifting")


def test_of_two_campaigns_on_a_day_the_winner_is_named(tiny: Agency) -> None:
    tiny.contact()
    tiny.campaign(1, name="first", priority=1)
    tiny.campaign(2, name="second", priority=9)
    tiny.target(1, "2026-12-01")
    tiny.target(2, "2026-12-01")
    message = one(explain(tiny), "campaign_second")
    assert message.skip_reason == "Campaign priority conflict"
    assert "campaign_first 'first 1' goes first" in message.last.why


def test_targeting_names_what_does_not_match(tiny: Agency) -> None:
    tiny.contact(state="TX", carrier="Aetna")
    tiny.campaign(1, target_states="CA, OR", target_carriers="Humana")
    tiny.target(1, "2026-12-01")
    message = one(explain(tiny), "campaign_promo")
    assert "is for CA, OR, the contact is in TX" in message.last.why
    assert "is for HUMANA, the contact's carrier is AETNA" in message.last.why


def test_a_suppressed_contact_is_told_so(tiny: Agency) -> None:
    tiny.contact(birth_date="1950-06-01")
    tiny.insert("suppressions", email=" USER1@example.com ", reason="bounced")
    found = explain(tiny)
    assert found.contact.suppression == "Suppressed: bounced"
    assert one(found, "birthday").last.section == "Contacts"


def test_late_messages_are_said_to_catch_up(tiny: Agency) -> None:
    tiny.contact(birth_date="1950-12-01")
    message = one(explain(tiny), "birthday")
    assert message.last.step == "Catch-up"
    assert "Its ideal date 2026-11-17 was past" in message.last.why


def test_a_message_keeps_its_day_and_that_is_said(tiny: Agency) -> None:
    tiny.contact(birth_date="1950-06-01")
    tiny.plan("2026-11-20")
    message = one(explain(tiny), "birthday")
    assert message.last.why == "On its ideal date, and kept since the run of 2026-11-20."


def test_what_is_handled_already_names_the_row(tiny: Agency) -> None:
    tiny.contact(birth_date="1950-12-01")
    row = tiny.sent("BIRTHDAY", "2026-11-10")
    found = explain(tiny)
    absent = {a.name: a.why for a in found.absent}
    assert f"already handled by row {row}, sent on 2026-11-10" in absent["birthday"]
    assert absent["effective_date"] == "the contact has no usable effective date"
    assert "aep.enabled" in absent["aep"]
    assert [c.row_id for c in found.committed] == [row]


def test_a_campaign_without_a_candidate_is_explained(tiny: Agency) -> None:
    tiny.contact()
    tiny.campaign(1, name="over", active_end_date="2026-01-01")
    tiny.campaign(2, name="odd", metadata="{")
    tiny.target(1, "2026-12-01")
    tiny.target(2, "2026-12-01")
    absent = {a.name: a.why for a in explain(tiny).absent}
    assert "takes no part on 2026-11-21" in absent["campaign_over 'over 1'"]
    assert "its metadata is not valid" in absent["campaign_odd 'odd 2'"]


def test_before_any_run_the_days_are_still_open(tiny: Agency) -> None:
    tiny.contact(birth_date="1950-06-01")
    found = explain_contact(tiny.path, 1, as_of=dt.date(2026, 11, 21))
    assert one(found, "birthday").outcome == "not in the plan yet"
    assert found.configuration == "the defaults, since no run has recorded one"
    assert "No run has planned this database yet" in found.notes[0]


def test_a_plan_that_is_older_than_the_rules_is_pointed_out(tiny: Agency) -> None:
    tiny.contact(birth_date="1950-06-01")
    tiny.plan(AS_OF)
    tiny.query("UPDATE contacts SET state = 'NY'")
    found = explain_contact(tiny.path, 1)
    message = one(found, "birthday")
    assert message.outcome == "skipped"
    assert message.note == "The database still has it planned on 2027-05-18; the next run skips it."
    assert any("differs from what the rules say now" in note for note in found.notes)


def test_the_configuration_of_the_last_run_is_used(tiny: Agency) -> None:
    tiny.contact(birth_date="1950-06-01")
    found = explain(tiny, timing={"birthday_days_before": 3})
    assert found.configuration == "the one recorded by the run of 2026-11-21"
    assert one(found, "birthday").ideal_date == dt.date(2027, 5, 29)
    other = NamedConfig(load_config("timing: {birthday_days_before: 5}"), "another")
    found = explain_contact(tiny.path, 1, config=other)
    assert one(found, "birthday").ideal_date == dt.date(2027, 5, 27)
    assert CALM["aep"] == {"enabled": False}


def test_an_unknown_contact_is_an_error_that_names_the_nearest(tiny: Agency) -> None:
    for contact in (3, 5, 8, 90, 91, 95):
        tiny.contact(contact)
    with pytest.raises(RequestError, match="the nearest ids are 5, 8, 90, 91"):
        explain_contact(tiny.path, 50)
    tiny.query("DELETE FROM contacts")
    with pytest.raises(RequestError, match="the table is empty"):
        explain_contact(tiny.path, 50)


@shares(5)
@pytest.mark.parametrize("schema", ["old", "new", "minimal", "bare"])
def test_only_the_file_is_read_and_it_stays_as_it_is(
    tmp_path: Path, schema: str, every: int
) -> None:
    path = build(tmp_path / "agency.sqlite3", 2, 10, schema=schema)
    before = state_of(tmp_path)
    connection = apsw.Connection(str(path))
    ids = [i for (i,) in connection.execute("SELECT id FROM contacts")]
    connection.close()
    for contact in ids[::every]:
        assert almanac("explain", path, "--contact", contact).code == 0
    assert state_of(tmp_path) == before


def test_a_database_in_wal_mode_is_explained_while_it_is_in_use(tmp_path: Path) -> None:
    path = agency(tmp_path / "agency.sqlite3", 50)
    writer = apsw.Connection(str(path))
    writer.execute("PRAGMA journal_mode = WAL")
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("UPDATE contacts SET state = 'NY'")
    contact = int(str(writer.execute("SELECT min(id) FROM contacts").fetchall()[0][0]))
    other = Path(shutil.copy(path, tmp_path / "other.sqlite3"))
    found = explain_contact(path, contact, as_of=dt.date(2026, 11, 21))
    writer.execute("ROLLBACK")
    writer.close()
    assert found.messages == explain_contact(other, contact, as_of=dt.date(2026, 11, 21)).messages


def test_json_is_one_object_that_says_the_same(tiny: Agency) -> None:
    tiny.contact(state="CA", birth_date="1950-06-01")
    found = explain(tiny)
    answer = almanac("explain", tiny.path, "--contact", 1, "--json")
    assert Explanation.model_validate_json(answer.out) == found
    assert answer.out.count("\n") == 1
