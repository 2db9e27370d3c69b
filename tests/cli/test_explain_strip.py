"""The year of a contact, drawn: what is where, in 80 columns and without colours."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from almanac.explain.model import Explanation
from almanac.explain.timeline import LABEL, draw
from tests.support.cli_calls import almanac
from tests.support.explanations import explain, explain_contact
from tests.support.tiny import Agency

WIDTH = 78


@pytest.fixture
def tiny(tmp_path: Path) -> Agency:
    return Agency(tmp_path / "agency.sqlite3")


def lane(found: Explanation, name: str, plain: bool = False) -> str:
    """The cells of a line."""
    (line,) = (each for each in draw(found, WIDTH, plain) if each.startswith(name))
    return line[LABEL + 1 :]


def column(found: Explanation, day: str) -> int:
    """Where a day is drawn: one column is 7 days."""
    return (dt.date.fromisoformat(day) - found.year[0]).days // 7


def test_a_message_is_drawn_with_its_range_ideal_date_and_day(tiny: Agency) -> None:
    tiny.contact(birth_date="1950-06-01")
    tiny.plan("2026-11-21")
    tiny.query("UPDATE email_schedules SET scheduled_send_date = '2027-05-28'")
    found = explain_contact(tiny.path, 1)
    cells = lane(found, "birthday")
    assert cells[column(found, "2027-05-18")] == "◇"
    assert cells[column(found, "2027-05-28")] == "◆"
    assert cells.replace("◇", "─").replace("◆", "─").count("─") == 3
    assert "one column is 7 days" in draw(found, WIDTH, plain=False)[-1]


def test_windows_are_shaded_across_new_year(tiny: Agency) -> None:
    tiny.contact(state="CA", birth_date="1950-01-10")
    found = explain(tiny)
    cells = lane(found, "excluded")
    start, end = column(found, "2026-10-12"), column(found, "2027-03-11")
    assert cells[start : end + 1] == "░" * (end - start + 1)
    assert cells[end + 1] == " "


def test_a_state_without_sending_is_shaded_all_year(tiny: Agency) -> None:
    tiny.contact(state="NY", birth_date="1950-06-01")
    found = explain(tiny)
    assert set(lane(found, "excluded")) == {"░"}
    assert lane(found, "birthday").strip(" │") == "✕"


def test_a_contact_without_anything_has_an_empty_year(tiny: Agency) -> None:
    tiny.contact()
    lines = draw(explain(tiny), WIDTH, plain=False)
    assert len(lines) == 4
    assert lines[2].startswith("today 2026-11-21")


def test_what_was_sent_is_drawn_and_counted(tiny: Agency) -> None:
    tiny.contact()
    tiny.sent("one", "2026-10-12")
    tiny.sent("one", "2026-11-02")
    tiny.sent("two", "2026-11-03")
    tiny.sent("three", "2026-12-10", status="scheduled")
    tiny.sent("four", "2026-10-30", status="failed")
    tiny.sent("long ago", "2020-01-01")
    assert lane(explain(tiny), "sent").split() == ["■", "!2", "│", "□"]


def test_many_messages_are_drawn_up_to_a_number(tiny: Agency) -> None:
    tiny.contact()
    for number in range(1, 24):
        tiny.campaign(number, name=f"a campaign with a long name {number}")
        tiny.target(number, f"2027-{1 + number % 9:02d}-{number:02d}")
    lines = draw(explain(tiny), WIDTH, plain=False)
    assert sum(line.startswith("a campaign with ..") for line in lines) == 18
    assert "and 5 more messages, listed below" in lines
    assert max(map(len, lines)) <= WIDTH


@pytest.mark.parametrize("horizon", [1, 3660])
def test_no_line_is_too_long(tiny: Agency, horizon: int) -> None:
    tiny.contact(state="CA", birth_date="1950-01-10", effective_date="2020-05-05")
    tiny.sent("birthday", "2026-11-20")
    found = explain(tiny, horizon_days=horizon)
    for width in (20, 40, 78, 98):
        narrowest = LABEL + 1 + 12
        assert max(map(len, draw(found, width, plain=True))) <= max(width, narrowest)


def test_a_terminal_without_these_characters_gets_plain_ones(tiny: Agency) -> None:
    tiny.contact(state="CA", birth_date="1950-06-01")
    tiny.sent("aep", "2026-11-10")
    drawn = "\n".join(draw(explain(tiny), WIDTH, plain=True))
    assert drawn.isascii()
    assert "# excluded" in drawn


def test_the_day_asked_for_is_marked_through_all_lines(tiny: Agency) -> None:
    tiny.contact(birth_date="1950-06-01")
    tiny.plan("2026-11-21")
    found = explain_contact(tiny.path, 1, on=dt.date(2027, 2, 1))
    at = column(found, "2027-02-01")
    assert lane(found, "asked 2027-02-01")[at] == "?"
    assert lane(found, "birthday")[at] == "?"


def test_the_drawing_fits_into_eighty_columns_of_a_pipe(tiny: Agency) -> None:
    tiny.contact(state="CA", birth_date="1950-06-01", effective_date="2019-02-03")
    tiny.plan("2026-11-21")
    lines = almanac("explain", tiny.path, "--contact", 1).out.splitlines()
    assert "The year" in lines
    assert max(map(len, lines)) <= 80
    assert "\x1b" not in "".join(lines)
