"""The protected days of the report page: rows, weeks, changes, and their table."""

from __future__ import annotations

import datetime as dt

import pytest

from almanac.report.lines import StateLine
from almanac.report.page_data import PageData
from almanac.report.protected_days import protected_days, protected_table, shade
from tests.support.report_pages import AS_OF, page_data

BEGINS = (dt.date(2027, 1, 2), "begins: all year")


def line(state: str, protected: list[int], contacts: int = 100) -> StateLine:
    return StateLine(
        state=state, contacts=contacts, rule="a rule", checked=0, hits=0, protected=protected
    )


def page(*lines: StateLine) -> PageData:
    return page_data(states=list(lines))


@pytest.mark.parametrize(
    ("count", "colour"), [(0, "l0"), (1, "l1"), (24, "l1"), (25, "l2"), (50, "l3"), (100, "l4")]
)
def test_a_stronger_colour_is_a_larger_share(count: int, colour: str) -> None:
    assert shade(count, 100) == colour


def test_a_row_is_a_state_and_the_most_protected_comes_first() -> None:
    drawn = protected_days(page(line("CA", [10] * 53), line("NY", [100] * 53), line("TX", [])))
    assert [row.state for row in drawn.rows] == ["NY", "CA"]
    assert [len(row.boxes) for row in drawn.rows] == [53, 53]
    assert drawn.rows[1].boxes[1].words == "CA, 2026-11-28: 10 of 100 contacts are protected"
    last = drawn.rows[0].boxes[-1]
    assert last.x + drawn.width == pytest.approx(100, abs=0.01)


def test_a_mark_is_the_day_on_which_a_rule_begins() -> None:
    changing = line("NM", [10] * 53).model_copy(update={"rule_changes": [BEGINS]})
    drawn = protected_days(page(changing))
    (mark,) = drawn.rows[0].marks
    assert mark.x == pytest.approx(6 * drawn.width, abs=0.01)  # six weeks from the first day
    assert drawn.changes == ["2027-01-02, NM: begins: all year"]


def test_the_table_has_the_share_of_every_fourth_week() -> None:
    table = protected_table(page(line("CA", list(range(53)), contacts=200)))
    assert [column.label for column in table.columns[:5]] == [
        *("State", "Contacts", "Rule", "Changes"),
        f"{AS_OF}, %",
    ]
    assert table.rows[0][:6] == ("CA", 200, "a rule", None, 0.0, 2.0)
    assert len(table.rows[0]) == 4 + 14


def test_without_rules_there_is_nothing_to_draw() -> None:
    drawn = protected_days(page(line("TX", [])))
    assert (drawn.rows, drawn.changes) == ([], [])
    assert protected_table(page()).rows == []
