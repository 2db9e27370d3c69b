"""The report page: one file that needs nothing else, with the numbers of the database."""

from __future__ import annotations

import datetime as dt
import re
from html.parser import HTMLParser
from pathlib import Path

import apsw
import pytest

from almanac.errors import InputError
from almanac.pipeline.overview import overview
from almanac.report.charts import BAR_DAYS, SERIES, bars, calendar, level, series
from almanac.report.page import check_target, render, write_page
from almanac.report.page_data import PageData
from almanac.report.summary import DayLoad, LeftOut
from tests.unit.cli_calls import AS_OF, agency, almanac, state_of

HOSTILE = "<script>alert('x')</script>\"&"


class Page(HTMLParser):
    """The tags of a page, and its tables as texts."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.tables: list[list[list[str]]] = []
        self.feed(html)
        self.close()
        assert self.open == [], "every tag is closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "line", "link", "br"):
            self.open.append(tag)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")

    def handle_endtag(self, tag: str) -> None:
        if tag == "line":
            return
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("td", "th"):
            self.tables[-1][-1][-1] += data


def data(**fields: object) -> PageData:
    """A small page."""
    small: dict[str, object] = {
        "title": "agency.sqlite3",
        "as_of": dt.date(2026, 11, 21),
        "facts": [("Run", "2026-11-21-manual-1")],
        "first_day": dt.date(2026, 11, 21),
        "last_day": dt.date(2027, 11, 21),
        "days": {"2026-11-21": DayLoad(planned={"birthday": 3}, fixed=2)},
        "daily_cap": 7,
        "ceiling": 8,
        "planned": {"birthday": 3},
        "skipped": {},
        "issues": [],
        "left_out": [],
    }
    return PageData.model_validate(small | fields)


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = agency(tmp_path_factory.mktemp("report") / "agency.sqlite3", 2000)
    page = path.with_name("run.html")
    assert almanac("run", path, "--as-of", AS_OF, "--report", page).code == 0
    return path


def test_it_fetches_nothing_and_runs_nothing() -> None:
    html = render(data())
    page = Page(html)
    assert not [t for t, _ in page.tags if t in ("script", "link", "img", "iframe", "a", "form")]
    assert not [a for _, attributes in page.tags for a in attributes if a.startswith("on")]
    assert not re.search(r"https?://|url\(|@import", html)
    policy = [a.get("content") for t, a in page.tags if a.get("http-equiv")]
    assert policy
    assert str(policy[0]).startswith("default-src 'none'")


def test_it_has_a_language_a_title_and_both_light_and_dark() -> None:
    html = render(data())
    assert '<html lang="en">' in html
    assert "<title>Almanac: agency.sqlite3, 2026-11-21</title>" in html
    assert "prefers-color-scheme: dark" in html


def test_names_from_a_database_are_harmless() -> None:
    html = render(
        data(
            title=HOSTILE,
            planned={HOSTILE: 1},
            days={"2026-11-21": DayLoad(planned={HOSTILE: 1})},
            skipped={HOSTILE: {HOSTILE: 1}},
            issues=[(HOSTILE, 1, HOSTILE)],
            left_out=[LeftOut(instance_id=1, name=HOSTILE, problem=HOSTILE)],
            facts=[(HOSTILE, HOSTILE)],
            notes=[HOSTILE],
        )
    )
    assert "<script" not in html
    assert html.count("&lt;script&gt;") >= 9
    Page(html)


def test_its_numbers_are_those_of_the_file(planned: Path) -> None:
    connection = apsw.Connection(str(planned))
    by_type = dict(
        connection.execute(
            "SELECT email_type, count(*) FROM email_schedules "
            "WHERE status = 'pre-scheduled' GROUP BY 1"
        )
    )
    by_day = dict(
        connection.execute(
            "SELECT scheduled_send_date, count(*) FROM email_schedules WHERE status <> 'skipped' "
            "AND scheduled_send_date >= ? GROUP BY 1",
            (AS_OF,),
        )
    )
    connection.close()
    found = overview(planned)
    assert found.planned == by_type
    assert found.totals == by_day
    tables = Page(render(found)).tables
    days = {row[0]: int(row[1].replace(",", "")) for row in tables[0][1:]}
    assert days == by_day
    assert {row[0]: int(row[1].replace(",", "")) for row in tables[1][1:]} == by_type


def test_the_page_of_a_run_and_that_of_its_file_agree(planned: Path) -> None:
    page = planned.with_name("file.html")
    assert almanac("report", planned, "--out", page).code == 0
    ours = Page(planned.with_name("run.html").read_text("utf-8")).tables
    theirs = Page(page.read_text("utf-8")).tables
    assert ours[0] == theirs[0]  # days
    assert ours[1] == theirs[1]  # types


def test_reporting_changes_nothing_but_the_page(planned: Path) -> None:
    before = state_of(planned.parent)
    page = planned.with_name("once.html")
    almanac("report", planned, "--out", page)
    after = state_of(planned.parent)
    assert after.pop("once.html")
    assert after == before


def test_the_calendar_has_a_square_for_every_day_of_the_horizon() -> None:
    drawn = calendar(data())
    assert len(drawn.boxes) == 366
    assert len({(box.x, box.y) for box in drawn.boxes}) == 366
    assert drawn.boxes[0].words == "Sat 2026-11-21: 5 of 7"
    assert all(b.x >= 0 and b.x + b.width <= drawn.width for b in drawn.boxes)
    assert all(b.y >= 0 and b.y + b.height <= drawn.height for b in drawn.boxes)


@pytest.mark.parametrize(
    ("count", "name"),
    [
        (0, "l0"),
        (1, "l1"),
        (24, "l1"),
        (25, "l2"),
        (99, "l4"),
        (100, "cap"),
        (120, "cap"),
        (121, "over"),
    ],
)
def test_a_days_colour_says_how_full_it_is(count: int, name: str) -> None:
    assert level(count, 100, 120) == name


def test_every_message_of_the_next_days_is_in_a_bar() -> None:
    days = {
        str(dt.date(2026, 11, 21) + dt.timedelta(days=n)): DayLoad(
            planned={f"type{k}": k + n for k in range(12)}, fixed=n
        )
        for n in range(BAR_DAYS)
    }
    page = data(days=days, daily_cap=50, ceiling=60)
    drawn = bars(page)
    names = series(page)
    assert len(names) == SERIES + 1
    assert names[-2:] == ["other", "committed"]
    heights: dict[float, float] = {}
    for box in drawn.boxes:
        heights[box.x] = heights.get(box.x, 0) + box.height
    totals = list(page.totals.values())
    tallest = max(heights.values())
    for height, total in zip(heights.values(), totals, strict=True):
        assert height / tallest == pytest.approx(total / max(totals), abs=0.01)


def test_a_page_without_anything_on_it_is_a_page() -> None:
    Page(render(data(days={}, planned={})))


def test_a_page_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "page.html"
    write_page(target, data())
    first = target.read_bytes()
    assert first.endswith(b"</html>")
    with pytest.raises(InputError, match="there is no folder"):
        write_page(tmp_path / "none" / "page.html", data())
    with pytest.raises(InputError, match="a folder"):
        check_target(tmp_path)
    write_page(target, data(title="another"))
    assert target.read_bytes() != first
    assert [p.name for p in tmp_path.iterdir()] == ["page.html"]
