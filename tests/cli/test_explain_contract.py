"""What `almanac explain` says of waiting messages, targets, splits, opt-outs and text messages."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from almanac.explain.model import Explanation
from tests.support.cli_calls import AS_OF, almanac
from tests.support.explanations import explain, explain_contact, one
from tests.support.tiny import Agency


@pytest.fixture
def tiny(tmp_path: Path) -> Agency:
    return Agency(tmp_path / "agency.sqlite3")


def absent(found: Explanation) -> dict[str, str]:
    return {each.name: each.why for each in found.absent}


def with_column(tiny: Agency, table: str, name: str) -> None:
    """Add a column of texts, unless the table has it."""
    if not tiny.query("SELECT 1 FROM pragma_table_info(?) WHERE name = ?", table, name):
        tiny.query(f"ALTER TABLE {table} ADD COLUMN {name} TEXT")


# --- the frequency limit --------------------------------------------------------------------------


def test_a_message_that_waits_for_the_limit_says_for_what_and_until_when(tiny: Agency) -> None:
    tiny.contact(birth_date="1950-12-20", effective_date="2020-01-04")
    tiny.sent("invoice", "2026-11-20")
    summary = tiny.plan(AS_OF, frequency={"max_emails": 2})
    assert summary.waiting_for_limit == {"effective_date": 1}
    message = one(explain_contact(tiny.path, 1), "effective_date")
    (waits,) = (each for each in message.decisions if each.step == "Frequency")
    assert "invoice (sent) on 2026-11-20, birthday on 2026-12-06" in waits.why
    assert "waits until 2026-12-20" in waits.why
    assert message.day == dt.date(2026, 12, 20)
    assert message.last.why == "On the first day that the frequency limit allows."
    answer = almanac("explain", tiny.path, "--contact", 1, "--on", "2026-12-10")
    assert "waits for the frequency limit until 2026-12-20" in " ".join(answer.out.split())


def test_a_run_says_how_many_messages_wait_for_the_limit(tiny: Agency) -> None:
    tiny.contact(birth_date="1950-12-20", effective_date="2020-01-04")
    tiny.sent("invoice", "2026-11-20")
    config = tiny.path.with_name("config.yaml")
    config.write_text("frequency: {max_emails: 2}\n")
    answer = almanac("run", tiny.path, "--as-of", AS_OF, "--config", config)
    assert "1 message waits for the frequency limit" in " ".join(answer.out.split())


# --- campaigns ------------------------------------------------------------------------------------


def test_each_date_of_a_campaign_has_its_answer(tiny: Agency) -> None:
    tiny.contact()
    tiny.campaign(3)
    tiny.target(3, "2026-12-20")
    tiny.target(3, "2027-01-20")
    tiny.target(3, "6/1/2027")
    tiny.target(3, "2026-11-10", status="sent")
    tiny.target(3, "2026-11-15")
    row = tiny.sent(
        *("campaign_promo", "2026-11-15"),
        campaign_instance_id=3,
        ideal_send_date="2026-11-15",
        event_year=2026,
        event_month=11,
        event_day=15,
    )
    found = explain(tiny)
    campaigns = [m for m in found.messages if m.email_type == "campaign_promo"]
    assert [m.event_date.isoformat() for m in campaigns] == ["2026-12-20", "2027-01-20"]
    name, whys = "campaign_promo 'promo 3'", absent(found)
    assert "'6/1/2027' is no date (YYYY-MM-DD)" in whys[f"{name} for '6/1/2027'"]
    assert "sent according to contact_campaigns" in whys[f"{name} for 2026-11-10"]
    handled = whys[f"{name} for 2026-11-15"]
    by = f"row {row}, sent on 2026-11-15"
    assert handled == f"it was sent according to contact_campaigns ({by})"
    tiny.query("UPDATE contact_campaigns SET status = 'pending'")
    whys = absent(explain_contact(tiny.path, 1))
    assert whys[f"{name} for 2026-11-15"] == f"it is already handled by {by}"


@pytest.mark.parametrize(
    ("own", "created", "start", "source", "event"),
    [
        ("2026-12-20", "2026-11-20", None, "the target's trigger_date", "2026-12-20"),
        (None, "2026-11-20", None, "the target's created_at", "2026-11-20"),
        (None, "2026-11-20", "2026-11-25", "the campaign's active_start_date", "2026-11-25"),
        (None, None, None, "the day of the plan", AS_OF),
    ],
)
def test_a_target_says_where_its_date_comes_from(
    tiny: Agency, own: str | None, created: str | None, start: str | None, source: str, event: str
) -> None:
    tiny.contact()
    tiny.campaign(3, active_start_date=start)
    tiny.target(3, own, created_at=created, metadata='{"premium": 120}')
    message = one(explain(tiny), "campaign_promo")
    assert message.event_date.isoformat() == event
    assert source in message.decisions[0].why
    assert message.decisions[0].inputs["target carries"] == '{"premium":120}'


def test_a_welcome_campaign_says_that_the_contact_triggers_it(tiny: Agency) -> None:
    with_column(tiny, "contacts", "created_at")
    tiny.contact(1, created_at="2026-11-20")
    tiny.contact(2)
    tiny.campaign(3, target_all_contacts=1, metadata='{"trigger": "contact_created"}')
    assert "the contact's created_at" in one(explain(tiny), "campaign_promo").decisions[0].why
    whys = absent(explain_contact(tiny.path, 2))
    assert "has no created_at" in whys["campaign_promo 'promo 3'"]


def test_a_contact_outside_a_split_is_told_its_share(tiny: Agency) -> None:
    tiny.contact()
    for instance, first, end in ((3, 0, 50), (4, 50, 100)):
        metadata = f'{{"split": {{"group": "spring", "from": {first}, "to": {end}}}}}'
        tiny.campaign(instance, metadata=metadata)
        tiny.target(instance, f"2026-12-{20 + instance}")
    found = explain(tiny)
    (out,) = (m for m in found.messages if m.outcome == "skipped")
    assert out.skip_reason == "Outside campaign split"
    assert (out.last.step, out.last.section) == ("Split", "Campaigns")
    share = out.last.inputs["share of the contact"]
    assert f"share is {share}" in out.last.why
    shown = [almanac("campaign", "show", tiny.path, n, "--json").out for n in (3, 4)]
    assert sum('"outside_split":1' in text for text in shown) == 1
    assert sum('"contacts":1,' in text for text in shown) == 1


# --- contacts -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "date", "reason"),
    [
        ("CA", "birth date", "Birth date unknown for CA"),
        ("MO", "effective date", "Effective date unknown for MO"),
    ],
)
def test_a_missing_window_date_is_named(tiny: Agency, state: str, date: str, reason: str) -> None:
    tiny.contact(state=state)
    found = explain(tiny, organization={"send_without_window_date": False}, aep={"enabled": True})
    message = one(found, "aep")
    assert message.skip_reason == reason
    assert f"counted from the {date}" in message.last.why


def test_an_opt_out_names_its_column(tiny: Agency) -> None:
    with_column(tiny, "contacts", "do_not_contact")
    tiny.contact(birth_date="1950-06-01", do_not_contact="yes")
    message = one(explain(tiny), "birthday")
    assert message.skip_reason == "Suppressed: do_not_contact"
    assert "opted out (column do_not_contact)" in message.last.why


def test_a_suppression_by_type_is_named_with_its_types(tiny: Agency) -> None:
    with_column(tiny, "suppressions", "email_types")
    tiny.contact(birth_date="1950-06-01", effective_date="2020-03-01")
    tiny.insert("suppressions", email="other@example.com", reason="other")
    tiny.insert("suppressions", contact_id=1, reason="asked", email_types="Birthday, aep")
    found = explain(tiny)
    assert one(found, "effective_date").outcome == "planned"
    message = one(found, "birthday")
    assert message.skip_reason == "Suppressed: asked"
    assert "only Birthday, aep" in message.last.why
    assert message.last.inputs["reason"] == "asked"


TEXTS: dict[str, Any] = {"sms": {"birthday": "birthday_sms"}}


@pytest.mark.parametrize(
    ("columns", "why"),
    [
        ({"phone_number": "512-555-0100"}, None),
        ({"phone_number": "N/A"}, "'N/A' is no usable phone number"),
        ({}, "there is no phone number"),
        ({"phone_number": "512-555-0100", "sms_consent": "no"}, "the contact has not agreed"),
    ],
)
def test_it_says_why_no_text_message_goes_along(
    tiny: Agency, columns: dict[str, Any], why: str | None
) -> None:
    with_column(tiny, "contacts", "sms_consent")
    tiny.contact(birth_date="1950-06-01", **{"sms_consent": "yes", **columns})
    message = one(explain(tiny, **TEXTS), "birthday")
    assert (message.no_text_message or "").startswith(why or "")
    assert message.sms_template == (None if why else "birthday_sms")
    ((stored,),) = tiny.query("SELECT sms_template FROM email_schedules")
    assert stored == message.sms_template


def test_a_suppressed_number_gets_no_text_message(tiny: Agency) -> None:
    with_column(tiny, "suppressions", "phone")
    tiny.contact(birth_date="1950-06-01", phone_number="(512) 555-0100")
    tiny.insert("suppressions", phone="+1 512 555 0100", reason="STOP")
    found = explain(tiny, **TEXTS)
    message = one(found, "birthday")
    assert message.outcome == "planned"
    assert (message.no_text_message or "").startswith("text messages are suppressed: STOP")
    assert one(explain(tiny), "birthday").no_text_message == (
        "it has no SMS template (sms.birthday)"
    )


def test_every_suppression_that_concerns_the_contact_is_shown_by_its_number_too(
    tiny: Agency,
) -> None:
    for column in ("channel", "email_types", "phone"):
        with_column(tiny, "suppressions", column)
    tiny.contact(birth_date="1950-06-01", phone_number="(512) 555-0100")
    for row in (
        {"phone": "+1 512 555 0100", "reason": "STOP"},
        {"phone": "+1 512 555 0100", "contact_id": 1, "reason": "over", "until": "2026-01-01"},
        {"phone": "512 555 0199", "contact_id": 1, "reason": "another number"},
        {"email": " User1@example.com", "reason": "asked", "email_types": "aep, post_window"},
        {"contact_id": 1, "reason": "no texts", "channel": "SMS"},
        {"contact_id": 2, "reason": "another contact"},
    ):
        tiny.insert("suppressions", **row)
    shown = [(note.takes, note.row.split(",")[0]) for note in explain(tiny).contact.suppressions]
    assert shown == [
        ("text messages", "STOP"),
        ("messages of the types aep, post_window", "asked"),
        ("text messages", "no texts"),
    ]
    text = " ".join(almanac("explain", tiny.path, "--contact", 1).out.split())
    assert "suppressed text messages: STOP, the number +1 512 555 0100" in text


def test_a_suppression_by_the_address_in_the_agencys_own_column_is_shown(tiny: Agency) -> None:
    tiny.query("ALTER TABLE contacts ADD COLUMN mail TEXT")
    tiny.contact(birth_date="1950-06-01", email="old", mail="Jo@example.com")
    tiny.insert("suppressions", email="jo@example.com", reason="asked")
    found = explain(tiny, contacts={"columns": {"email": "mail"}})
    assert one(found, "birthday").skip_reason == "Suppressed: asked"
    assert [note.takes for note in found.contact.suppressions] == ["every message"]


def test_ids_that_are_texts_are_found_by_number(tiny: Agency) -> None:
    tiny.query("CREATE TABLE other (id TEXT, email TEXT, birth_date TEXT)")
    tiny.query("INSERT INTO other VALUES ('42', 'jo@example.com', '1950-06-01')")
    tiny.query("INSERT INTO other VALUES ('42abc', 'al@example.com', '1950-06-01')")
    tiny.query("DROP TABLE contacts")
    tiny.query("ALTER TABLE other RENAME TO contacts")
    assert one(explain(tiny, contact=42), "birthday").outcome == "planned"
    assert explain_contact(tiny.path, "jo@example.com").contact_id == 42
    answer = almanac("explain", tiny.path, "--contact", 7)
    assert "the nearest ids are 42" in answer.err


# --- the annual enrollment message ----------------------------------------------------------------


def test_the_lender_of_the_annual_message_is_named(tiny: Agency) -> None:
    tiny.contact()
    tiny.campaign(5, name="aep", target_all_contacts=1, priority=7, email_template="own")
    found = explain(tiny, aep={"enabled": True})
    message = one(found, "aep")
    assert message.priority == 7
    assert "templates and priority of campaign 5 'aep 5'" in message.decisions[0].why
    summary = tiny.plan(AS_OF, aep={"enabled": True})
    assert summary.aep == "built-in, with templates and priority of campaign 5 'aep 5'"
    (line,) = summary.campaigns
    assert line.problem == (
        "it says neither when nor to whom: it lends its templates and its priority to the "
        "built-in AEP message"
    )


def test_the_annual_message_says_which_campaign_replaces_it(tiny: Agency) -> None:
    tiny.contact()
    tiny.campaign(5, name="aep")
    tiny.target(5, "2026-12-20")
    found = explain(tiny, aep={"enabled": True})
    assert absent(found)["aep"] == "replaced by campaign 5 'aep 5'"
