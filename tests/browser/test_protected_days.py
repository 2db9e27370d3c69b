"""The protected days of the report page, as a browser shows them."""

from __future__ import annotations

import pytest

from almanac.report.protected_days import protected_days
from tests.browser.conftest import Opener
from tests.support.report_pages import full_page

# the quick tests look at a page that has the section, in test_report_page.py
pytestmark = pytest.mark.slow

DRAWN = protected_days(full_page())


def test_every_week_of_every_state_is_drawn_within_the_page(opened: Opener) -> None:
    page = opened("full")
    boxes = page.locator("#protected .weeks rect:not(.mark)")
    assert boxes.count() == sum(len(row.boxes) for row in DRAWN.rows)
    names = page.locator("#protected .names text").all_text_contents()
    assert names == [row.state for row in DRAWN.rows]
    chart = page.locator("#protected .weeks").bounding_box()
    last = boxes.last.bounding_box()
    assert chart is not None
    assert last is not None
    assert last["x"] + last["width"] <= chart["x"] + chart["width"] + 1
    assert last["y"] + last["height"] <= chart["y"] + chart["height"]


def test_a_stronger_colour_is_seen_where_more_are_protected(opened: Opener) -> None:
    page = opened("full")
    fills = page.evaluate(
        "[...document.querySelectorAll('#protected .weeks rect:not(.mark)')]"
        ".map(each => getComputedStyle(each).fill)"
    )
    shown = [box.css for row in DRAWN.rows for box in row.boxes]
    colours = dict(zip(shown, fills, strict=True))
    assert len(set(colours.values())) == len(colours) == 3
    assert fills == [colours[css] for css in shown]


def test_a_change_of_a_rule_is_marked_and_written_out(opened: Opener) -> None:
    page = opened("full")
    mark = page.locator("#protected .weeks .mark")
    box = mark.bounding_box()
    assert box is not None
    assert box["width"] >= 2
    words = mark.locator("title").text_content()
    assert words == "2027-07-01: a rule begins: its birthday"
    assert "2027-07-01, CA: a rule begins: its birthday" in page.locator("#protected").inner_text()


def test_the_numbers_are_in_a_table_for_those_who_do_not_see_colours(opened: Opener) -> None:
    page = opened("full")
    assert page.locator("#protected svg.weeks").get_attribute("role") == "img"
    page.locator("#protected summary").click()
    row = page.locator("#t-protected tbody tr").first
    assert row.inner_text().split("\t")[:4] == ["NY", "4,000", "all year", ""]


def test_without_rules_the_section_says_so(opened: Opener) -> None:
    section = opened("tiny").locator("#protected")
    assert "No contact is in a state with a rule." in section.inner_text()
    assert section.locator("svg").count() == 0
