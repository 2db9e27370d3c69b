"""The report page: one file that needs nothing else, with the numbers of the database."""

from __future__ import annotations

import base64
import csv
import datetime as dt
import hashlib
import io
import re
from html.parser import HTMLParser
from pathlib import Path

import apsw
import pytest

from almanac.errors import InputError
from almanac.planning.contacts import ISSUE_ADVICE
from almanac.report.charts import BAR_DAYS, BAR_HEIGHT, SERIES, bars, calendar, level, series
from almanac.report.headlines import INVALID_EMAIL, alerts, cards
from almanac.report.lines import UNKNOWN, MessageCount
from almanac.report.page import MOST_ROWS, MOST_TYPES, check_target, render, write_page
from almanac.report.summary import DayLoad
from almanac.report.table import ReportColumn, ReportTable, to_csv
from almanac.report.tables import TABLES, tables_of
from almanac.schedule_status import SkipCode
from almanac.statistics.file_report import overview
from almanac.status.endpoint import SERVED_TABLES
from tests.support.cli_calls import AS_OF, agency, almanac, state_of
from tests.support.report_pages import AS_OF as TODAY
from tests.support.report_pages import (
    CAP,
    EVENTS,
    HOSTILE,
    RULE,
    empty_page,
    full_page,
    hostile_page,
    page_data,
)
from tests.support.results_pages import results


class Page(HTMLParser):
    """The tags of a page, and its tables by name, as texts without the commas of numbers."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.tables: dict[str, list[list[str]]] = {}
        self.sections: dict[str, str] = {}
        self._rows: list[list[str]] = []
        self._number = False
        self.feed(html)
        self.close()
        assert self.open == [], "every tag is closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        there = dict(attrs)
        self.tags.append((tag, there))
        if tag not in ("meta", "link", "wbr"):
            self.open.append(tag)
        match tag:
            case "table":
                self._rows = self.tables.setdefault((there.get("id") or "").removeprefix("t-"), [])
            case "tr":
                self._rows.append([])
            case "td" | "th":
                number = "n" in (there.get("class") or "").split()
                self._number = number and there.get("scope") != "col"
                self._rows[-1].append("")
            case "section":
                self.sections[there["id"] or ""] = ""

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if {"td", "th"} & {*self.open[-2:]} and "svg" not in self.open:
            self._rows[-1][-1] += data.replace(",", "") if self._number else data
        if "section" in self.open:
            self.sections[list(self.sections)[-1]] += data


def csv_rows(content: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode(), newline=""), strict=True))


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = agency(tmp_path_factory.mktemp("report") / "agency.sqlite3", 600)
    page = path.with_name("run.html")
    assert almanac("run", path, "--as-of", AS_OF, "--report", page).code == 0
    return path


# --- one file that is safe to open ----------------------------------------------------------------


def test_it_fetches_nothing_and_runs_nothing_but_its_own_script() -> None:
    html = render(full_page())
    page = Page(html)
    tags = [tag for tag, _ in page.tags]
    assert tags.count("script") == tags.count("style") == 1
    assert not {"img", "iframe", "form", "object", "embed", "base"} & {*tags}
    assert not [a for _, there in page.tags for a in there if a.startswith("on") or a == "style"]
    assert not re.search(r"https?:|url\(|@import|innerHTML|eval\(", html)
    links = [there["href"] or "" for _, there in page.tags if "href" in there]
    assert all(re.match(r"#|report-tables/[a-z]+\.csv$|data:,$", link) for link in links)


def test_its_policy_allows_this_script_and_this_style_and_nothing_else() -> None:
    html = render(full_page())
    policy = next(there["content"] for _, there in Page(html).tags if "http-equiv" in there)
    assert policy is not None
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy
    for kind in ("script", "style"):
        text = re.findall(rf"<{kind}>(.*?)</{kind}>", html, re.DOTALL)[0]
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy


def test_its_script_and_its_style_hold_no_data() -> None:
    one, other = render(full_page()), render(hostile_page())
    for kind in ("script", "style"):
        pattern = re.compile(rf"<{kind}>.*?</{kind}>", re.DOTALL)
        assert pattern.findall(one) == pattern.findall(other)


def test_it_has_a_language_a_title_and_both_light_and_dark() -> None:
    html = render(page_data())
    assert '<html lang="en">' in html
    assert "<title>Almanac: agency.sqlite3, 2026-11-21</title>" in html
    assert "prefers-color-scheme: dark" in html


def test_names_from_a_database_are_harmless() -> None:
    html = render(hostile_page())
    assert html.count("<script") == 1
    assert "<img" not in html
    assert html.count("&lt;script&gt;") >= 20
    page = Page(html)
    assert page.tables["campaigns"][1][1] == HOSTILE[0]
    assert len(html) < 400_000  # the long names are cut


def test_a_page_without_anything_on_it_says_so_in_every_section() -> None:
    page = Page(render(empty_page()))
    assert page.tables.keys() <= {"", "facts"}
    said = {name: " ".join(text.split()) for name, text in page.sections.items()}
    assert said["types"].endswith("Nothing is planned and nothing is skipped.")
    assert said["reasons"].endswith("Nothing is skipped.")
    assert said["campaigns"].endswith("There are no campaigns.")
    assert said["above"].endswith("No day is above the ceiling of 1.")
    assert said["suppressions"].endswith("No suppression is active.")
    assert said["issues"].endswith("No contact has an issue.")
    assert "made from the database alone" in said["changes"]


# --- its numbers ----------------------------------------------------------------------------------


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
    assert {row[0]: int(row[2]) for row in tables["days"][1:]} == by_day
    assert {row[0]: int(row[1]) for row in tables["types"][1:] if row[1] != "0"} == by_type


def test_the_page_of_a_run_and_that_of_its_file_agree(planned: Path) -> None:
    page = planned.with_name("file.html")
    assert almanac("report", planned, "--out", page).code == 0
    ours = Page(planned.with_name("run.html").read_text("utf-8")).tables
    theirs = Page(page.read_text("utf-8")).tables
    assert theirs.pop("results_types")
    theirs = {name: rows for name, rows in theirs.items() if not name.startswith("results_")}
    of_the_run = {"facts", "changes", "seconds"}
    assert ours.keys() - theirs.keys() <= of_the_run
    assert {name for name in theirs if ours[name] != theirs[name]} <= of_the_run | {""}


def test_reporting_changes_nothing_but_the_page_and_its_tables(planned: Path) -> None:
    before = state_of(planned.parent)
    page = planned.with_name("once.html")
    almanac("report", planned, "--out", page)
    after = state_of(planned.parent)
    assert after.pop("once.html")
    tables = {name for name in after if name.startswith("once-tables/")}
    assert {f"once-tables/{name}.csv" for name in TABLES} <= tables
    assert {name: state for name, state in after.items() if name not in tables} == before


# --- what an operator sees first ------------------------------------------------------------------


def test_it_warns_of_what_somebody_should_look_at() -> None:
    found = alerts(full_page())
    assert [alert.section for alert in found] == [
        "above",
        "campaigns",
        "reasons",
        "suppressions",
        "issues",
    ]
    assert [alert.serious for alert in found] == [True, True, True, False, False]
    assert found[0].text == (
        "1 day is above the ceiling of 2,100, by messages that a run may not move: Mon 30 Nov 2026."
    )
    assert found[1].text == "1 campaign is left out: Rate increase 2."
    assert "to 48 contacts skipped" in found[3].text
    assert found[4].text.startswith("30 contacts have no valid e-mail address")


def test_it_says_that_nothing_needs_attention() -> None:
    assert alerts(page_data()) == []
    assert "Nothing needs attention" in render(page_data())


def test_a_few_messages_without_room_are_no_warning() -> None:
    messages = [
        MessageCount(email_type="aep", state="TX", reason="", count=1000),
        MessageCount(email_type="aep", state="TX", reason=SkipCode.DAILY_CAP.value, count=10),
    ]
    assert alerts(page_data(messages=messages)) == []
    messages[1].count = 20
    assert alerts(page_data(messages=messages))[0].text == (
        "20 messages find no room below the daily cap: 2.0% of all."
    )


def test_it_knows_issues_by_the_names_that_planning_gives_them() -> None:
    assert INVALID_EMAIL in ISSUE_ADVICE


def test_the_cards_tell_the_plan_in_a_few_numbers() -> None:
    told = {card.words: card for card in cards(full_page())}
    assert told["on the busiest day"].detail == "Mon 30 Nov 2026"
    assert told["cap for a day"].value == f"{CAP:,}"
    assert told["days at the cap"].value == "2"
    totals = full_page().totals
    week = [str(TODAY + dt.timedelta(days=n)) for n in range(7)]
    assert told["in the next 7 days"].value == f"{sum(totals[day] for day in week):,}"


# --- its pictures ---------------------------------------------------------------------------------


def test_the_calendar_has_a_square_for_every_day_of_the_horizon() -> None:
    months = calendar(page_data())
    assert [months[0].name, months[-1].name, len(months)] == ["November 2026", "November 2027", 13]
    squares = []
    for month in months:
        for week in month.weeks:
            assert len(week) == 7
            for weekday, square in enumerate(week):
                if square:
                    assert square.day.weekday() == weekday
                    squares.append(square)
    assert [x.day for x in squares] == [TODAY + dt.timedelta(days=n) for n in range(366)]
    assert squares[0].words == "Saturday 21 November 2026: 5 of 7 messages"


@pytest.mark.parametrize(
    ("count", "name"),
    [
        (0, "l0"),
        (1, "l1"),
        (5, "l1"),
        (6, "l2"),
        (12, "l3"),
        (49, "l3"),
        (50, "l4"),
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
        str(TODAY + dt.timedelta(days=n)): DayLoad(
            planned={f"type{k}": k + n for k in range(12)}, fixed=n
        )
        for n in range(BAR_DAYS)
    }
    page = page_data(days=days, daily_cap=50, ceiling=60)
    chart = bars(page)
    names = series(page)
    assert len(names) == SERIES + 1
    assert names[-2:] == ["other types", "committed"]
    heights = [sum(box.height for box in bar.boxes) for bar in chart.bars]
    totals = list(page.totals.values())
    for height, total in zip(heights, totals, strict=True):
        assert height / max(heights) == pytest.approx(total / max(totals), abs=0.01)
    assert {box.css for bar in chart.bars for box in bar.boxes} == {f"s{n}" for n in range(9)}


@pytest.mark.parametrize(("highest", "top"), [(1, 1), (7, 8), (1750, 2000), (3674, 4000)])
def test_the_scale_ends_at_a_round_number_above_the_highest_bar(highest: int, top: int) -> None:
    days = {str(TODAY): DayLoad(planned={"aep": highest})}
    chart = bars(page_data(days=days, daily_cap=1, ceiling=1))
    assert chart.scale[-1].text == f"{top:,}"
    assert chart.bars[0].boxes[0].height == pytest.approx(BAR_HEIGHT * highest / top, abs=0.01)


def test_a_cap_that_is_far_away_does_not_flatten_the_bars() -> None:
    chart = bars(page_data(daily_cap=1000, ceiling=1200))
    assert chart.cap is None
    assert chart.scale[-1].text == "6"
    assert "far below the cap of 1,000" in render(page_data(daily_cap=1000, ceiling=1200))


# --- its tables -----------------------------------------------------------------------------------


def test_every_table_of_the_page_is_in_its_csv() -> None:
    data = full_page()
    page = Page(render(data))
    tables = tables_of(data)
    assert tuple(tables) == TABLES
    assert page.tables.keys() - {""} == {*TABLES}
    for name, table in tables.items():
        assert csv_rows(to_csv(table)) == page.tables[name]


def test_the_document_tells_of_every_section_and_table() -> None:
    told = (Path(__file__).parents[2] / "docs" / "report.md").read_text("utf-8")
    assert [name for name in TABLES if f"`{name}`" not in told] == []
    whole = full_page().model_copy(update={"events": EVENTS, "results": results()})
    headings = re.findall(r"<h2[^>]*>([^<]*)", render(whole))
    said = re.findall(r"^\*\*.+?\*\*", told, re.MULTILINE)
    assert len(said) == len(headings) + 2  # the overview, and the comparison


def test_the_status_function_serves_each_table_that_the_page_of_a_run_can_have() -> None:
    assert set(tables_of(full_page().model_copy(update={"events": EVENTS}))) == SERVED_TABLES


def test_a_csv_is_as_rfc_4180_has_it_and_its_numbers_are_numbers() -> None:
    columns = (
        ReportColumn("Reason"),
        ReportColumn("Messages", number=True),
        ReportColumn("%", number=True),
    )
    content = to_csv(
        ReportTable("t", "T", columns, [('a "b", c', 12345, None), ("x\ny", -3, 43.9)])
    )
    assert content == b'Reason,Messages,%\r\n"a ""b"", c",12345,\r\n"x\ny",-3,43.9\r\n'


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1"])
def test_no_text_of_a_csv_is_a_formula(text: str) -> None:
    rows = csv_rows(to_csv(ReportTable("t", "T", (ReportColumn(text),), [(text,)])))
    assert rows == [[f"'{text}"], [f"'{text}"]]


def test_long_tables_are_cut_on_the_page_and_whole_in_the_csv() -> None:
    types = tuple(f"campaign_type_{n}" for n in range(30))
    data = full_page(types, campaigns=500)
    html = render(data)
    page = Page(html)
    assert len(page.tables["campaigns"]) == MOST_ROWS + 1
    assert "and 300 more in the CSV." in html
    assert page.tables["campaigns"][1][0] == "2", "campaigns with a problem come first"
    days = tables_of(data)["days"]
    assert len(days.columns) == 6 + 30
    head, *rows = page.tables["days"]
    assert len(head) == 6 + MOST_TYPES
    assert head[-1] == "23 other types"
    for row in rows:
        assert sum(int(cell or 0) for cell in row[5:]) == int(row[2])


@pytest.mark.slow
def test_a_very_large_agency_has_a_page_of_less_than_2_mb() -> None:
    types = tuple(f"campaign_type_{n}" for n in range(500))
    assert len(render(full_page(types, campaigns=5000))) < 2_000_000


def test_the_table_of_states_says_what_the_rules_hold_back() -> None:
    rows = {row[0]: row for row in tables_of(full_page())["states"].rows}
    assert rows["CA"][4:8] == (8000, 3511, 43.9, RULE)
    assert rows["TX"][4:8] == (0, 0, None, "no rule")
    assert rows[UNKNOWN][4:8] == (None,) * 4
    assert list(rows)[:2] == ["NY", "CA"], "those that hold back most come first"


def test_a_day_that_is_no_date_is_shown_as_it_is() -> None:
    days = {"someday": DayLoad(planned={}, fixed=2)}
    assert Page(render(page_data(days=days))).tables["days"][1][:3] == ["someday", "", "2"]


# --- its files ------------------------------------------------------------------------------------


def test_a_page_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "page.html"
    write_page(target, page_data())
    first = target.read_bytes()
    assert first.endswith(b"</html>")
    with pytest.raises(InputError, match="there is no folder"):
        write_page(tmp_path / "none" / "page.html", page_data())
    with pytest.raises(InputError, match="a folder"):
        check_target(tmp_path)
    write_page(target, page_data(title="another"))
    assert target.read_bytes() != first
    assert {path.name for path in tmp_path.iterdir()} == {"page.html", "page-tables"}


def test_the_tables_lie_in_a_folder_beside_the_page(tmp_path: Path) -> None:
    target = tmp_path / "of june & july?.html"
    write_page(target, full_page())
    folder = tmp_path / "of june & july?-tables"
    assert {path.name for path in folder.iterdir()} == {f"{name}.csv" for name in TABLES}
    links = [
        there["href"] for _, there in Page(target.read_text("utf-8")).tags if "download" in there
    ]
    assert len(links) == len(TABLES)
    assert links[0] == "of%20june%20%26%20july%3F-tables/days.csv"


def test_a_file_in_the_place_of_the_folder_is_found_early(tmp_path: Path) -> None:
    (tmp_path / "page-tables").touch()
    with pytest.raises(
        InputError, match=r"its tables need the folder .*page-tables, which is a file"
    ):
        check_target(tmp_path / "page.html")


def test_hostile_names_do_not_break_the_csv_files(tmp_path: Path) -> None:
    write_page(tmp_path / "page.html", hostile_page())
    rows = csv_rows((tmp_path / "page-tables" / "campaigns.csv").read_bytes())
    names = [row[1] for row in rows[1:]]
    assert names[4] == f"'{HOSTILE[4]}"
    assert names[6:8] == [HOSTILE[6], HOSTILE[7]]
    assert names[9] == HOSTILE[9].replace("\ud800", "?")
    assert {len(row) for row in rows} == {10}
