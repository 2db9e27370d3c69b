"""`almanac results`."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from tests.support.cli_calls import almanac
from tests.support.intake_calls import absorbed
from tests.support.tiny import Agency
from tests.support.webhook_posts import Hooks, report

MARCH = ("--from", "2026-03-01", "--to", "2026-03-31")


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A campaign in two arms of twelve contacts, and what came of it."""
    agency = Agency(tmp_path_factory.mktemp("results") / "agency.sqlite3")
    for number, (begin, end) in enumerate(((0, 50), (50, 100)), 1):
        split = json.dumps({"split": {"group": "spring", "from": begin, "to": end}})
        agency.campaign(number, target_all_contacts=1, metadata=split)
    ids = "WITH RECURSIVE ids(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM ids WHERE i < 24)"
    agency.query(
        f"{ids} INSERT INTO contacts (id, email, state)"
        " SELECT i, 'user' || i || '@example.com', 'TX' FROM ids"
    )
    agency.query(
        f"{ids} INSERT INTO email_schedules (contact_id, email_type, scheduled_send_date, status,"
        " campaign_instance_id, email_template)"
        " SELECT i, 'campaign_promo', '2026-03-02', 'sent', 1 + i % 2, 'letter' FROM ids"
    )
    agency.query(
        f"{ids} INSERT INTO tracking_clicks (contact_id, clicked_at)"
        " SELECT i, '2026-03-09 10:00:00' FROM ids WHERE i % 2"
    )
    agency.sent("birthday", "2026-03-03", 1, status="bounced")
    agency.insert("tracking_clicks", contact_id=2, clicked_at="2026-03-10")  # the eighth day
    agency.insert("tracking_clicks", contact_id=2, clicked_at="yesterday")
    agency.insert("suppressions", email="user4@example.com", reason="Opt-out", since="2026-03-05")
    return agency.path


def rows(out: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(out)))


def test_it_says_what_came_of_each_type_and_what_it_leaves_out(path: Path) -> None:
    answer = almanac("results", path, *MARCH)
    assert answer.code == 0
    lines = [" ".join(line.split()) for line in answer.out.splitlines()]
    assert "Sent 25" in lines
    assert "campaign_promo 24 24 0 0 0 45.8% 27.9 to 64.9 0.00% 0.0 to 13.8 0 1" in lines
    assert "1 clicks more than 7 days after their message: not counted" in lines
    assert "1 clicks whose time cannot be read: not counted" in lines


def test_a_click_belongs_to_the_last_message_before_it(path: Path) -> None:
    found = rows(almanac("results", path, *MARCH, "--format", "csv").out)
    clicked = {row["email_type"]: row["clicked"] for row in found}
    assert clicked == {"birthday": "1", "campaign_promo": "11"}


def test_arms_are_compared_with_an_interval(path: Path) -> None:
    found = json.loads(almanac("results", path, *MARCH, "--json").out)
    (group,) = found["groups"]
    assert [arm["reached"] for arm in group["arms"]] == [12, 12]
    clicked = next(each for each in group["differences"] if each["measure"] == "clicked")
    assert clicked["points"] == pytest.approx(-91.667)
    assert clicked["low"] < -91 < clicked["high"] < 0


def test_a_longer_span_takes_in_later_clicks(path: Path) -> None:
    answer = almanac(
        "results", path, *MARCH, "--within", "8", "--by", "instance", "--format", "csv"
    )
    assert [row["clicked"] for row in rows(answer.out)] == ["1", "11"]


@pytest.mark.parametrize(
    ("options", "error"),
    [
        (["--by", "color"], "--by: expected one of email-type, "),
        (["--format", "xml"], "--format: expected one of text, csv, json, found 'xml'"),
        (["--from", "2026-04-01", "--to", "2026-03-01"], "--from: 2026-04-01 is after --to"),
        (["--from", "March"], "--from: 'March' is not a date; "),
        (["--within", "-1"], "Invalid value for '--within'"),
        (["--org", "206"], "DATABASE or --org: expected one of them, found both"),
    ],
)
def test_a_mistake_is_named_in_one_line(path: Path, options: list[str], error: str) -> None:
    answer = almanac("results", path, *options)
    assert (answer.code, answer.out) == (2, "")
    assert error in answer.err
    assert answer.err.count("\n") == 1


def test_a_database_without_tables_of_what_came_has_the_messages(tmp_path: Path) -> None:
    agency = Agency(tmp_path / "agency.sqlite3")
    for name in ("tracking_clicks", "contact_events", "suppressions", "campaign_instances"):
        agency.query(f"DROP TABLE {name}")
    agency.contact(1)
    agency.sent("birthday", "2026-03-02")
    found = json.loads(almanac("results", agency.path, *MARCH, "--json").out)
    assert (found["total"]["sent"], found["notes"]) == (1, [])


def test_an_organization_of_a_store_has_the_same_results(path: Path, tmp_path: Path) -> None:
    store = ("--store", tmp_path / "store")
    almanac("store", "init", "206", *store)
    assert almanac("store", "push", "206", path, *store).code == 0
    options = (*MARCH, "--by", "template", "--format", "csv")
    in_store = almanac("results", "--org", "206", *store, *options)
    assert in_store.out == almanac("results", path, *options).out
    assert [row["template"] for row in rows(in_store.out)] == ["letter", "no template"]


def test_a_click_that_sendgrid_reports_belongs_to_the_message_that_it_names(tmp_path: Path) -> None:
    agency = Agency(tmp_path / "agency.sqlite3")
    agency.contact(1, email="ada@example.com")
    agency.sent("birthday", "2026-11-20", id=7)
    agency.sent("aep", "2026-11-22", id=8)
    hooks = Hooks()
    assert hooks.sendgrid([report("click", almanac_id="7", url="https://x")]).code == 204
    absorbed(agency, *hooks.events())
    period = ("--from", "2026-11-01", "--to", "2026-11-30")
    found = rows(almanac("results", agency.path, *period, "--format", "csv").out)
    assert {row["email_type"]: row["clicked"] for row in found} == {"aep": "0", "birthday": "1"}
