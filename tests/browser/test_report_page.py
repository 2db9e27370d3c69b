"""The report page as a browser shows it: seen, pointed at, gone through by keyboard, copied."""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import apsw
import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Locator, Page

from almanac.report.page import report_files
from almanac.report.tables import TABLES, tables_of
from almanac.status.endpoint import status_response
from almanac.storage import layout
from almanac.storage.memory import MemoryStore
from almanac.storage.publish import NewVersion, publish
from tests.browser.conftest import PAGES, Opener
from tests.support.cli_calls import agency, almanac
from tests.support.report_pages import AS_OF, CAP, HOSTILE, TYPES, full_page
from tests.support.sampling import sampled

FULL = full_page()
SECOND = str(AS_OF + dt.timedelta(days=1))  # a Sunday
OVER = str(AS_OF + dt.timedelta(days=9))
NOW = dt.datetime(2026, 11, 21, 14, 0, tzinfo=dt.UTC)


def square(day: str) -> str:
    return f"#calendar [data-day='{day}']"


def bar(day: str) -> str:
    return f"#bars [data-day='{day}']"


def tip(page: Page) -> list[str]:
    """The lines of the tip that is shown."""
    return page.locator("#tip:visible").inner_text().split("\n")


def told(day: str) -> list[str]:
    """What the tip says of a day, in the order of the table."""
    load = FULL.days[day]
    total = FULL.totals[day]
    named = dt.date.fromisoformat(day)
    above = ", above the ceiling" if total > FULL.ceiling else ""
    order = [column.label for column in tables_of(FULL)["days"].columns]
    counts = [f"{name}\t{load.planned[name]:,}" for name in order if name in load.planned]
    return [
        f"{named:%A}, {named.day} {named:%B %Y}",
        f"{total:,} messages, {100 * total / CAP:.1f}% of the cap{above}",
        *counts,
        *([f"committed\t{load.fixed:,}"] if load.fixed else []),
    ]


def foot_of(box: Locator) -> float:
    """Where a part of a bar ends, in pixels from the top."""
    return sum(float(box.get_attribute(name) or 0) for name in ("y", "height"))


def unfold(page: Page, what: str = "details") -> None:
    """Open what can be opened, and wait until the page has taken note of it."""
    page.evaluate(
        """async what => {
            document.querySelectorAll(what).forEach(each => { each.open = true; });
            for (let n = 0; n < 2; n++) await new Promise(requestAnimationFrame); }""",
        what,
    )


def rows_of(page: Page, name: str) -> list[list[str]]:
    """A table of the page as it is read, numbers without their commas."""
    script = """name => [...document.querySelector(`#t-${name}`).rows].map(row =>
        [...row.cells].map(cell => cell.matches("tbody .n")
            ? cell.textContent.replaceAll(",", "") : cell.textContent))"""
    rows: list[list[str]] = page.evaluate(script, name)
    return rows


def csv_rows(content: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode(), newline="")))


# --- it is there ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sampled(PAGES, 1))
def test_it_opens_from_a_file_without_an_error_and_asks_for_nothing(
    opened: Opener, name: str
) -> None:
    page = opened(name)
    assert page.locator("h1").is_visible()
    assert page.locator("#calendar [role=grid]").count() == 13


def test_it_is_whole_without_scripts(opened: Opener) -> None:
    page = opened(java_script_enabled=False)
    assert page.locator("button").count() == 0, "no button that does nothing"
    day = page.locator(square(SECOND))
    total = FULL.totals[SECOND]
    assert day.get_attribute("title") == f"Sunday 22 November 2026: {total:,} of {CAP:,} messages"
    assert page.locator("table.data").count() == len(TABLES)
    page.locator("#days summary").click()
    assert page.locator("#t-days").is_visible()
    assert page.locator("[data-table] a").count() == len(TABLES)


# --- numbers on demand ----------------------------------------------------------------------------


def test_pointing_at_a_day_shows_its_numbers_by_type(opened: Opener) -> None:
    page = opened()
    for day in (SECOND, OVER):
        page.hover(square(day))
        assert tip(page) == told(day)
    page.mouse.move(5, 5)
    page.locator("#tip").wait_for(state="hidden")


@pytest.mark.slow
def test_one_can_point_at_the_tip_itself(opened: Opener) -> None:
    page = opened()
    page.hover(square(SECOND))
    page.hover("#tip strong")
    page.wait_for_timeout(300)  # longer than it takes to vanish
    assert tip(page) == told(SECOND)


@pytest.mark.slow
def test_a_click_keeps_the_numbers_until_escape_or_a_click_elsewhere(opened: Opener) -> None:
    page = opened()
    for away in ("Escape", "click"):
        page.click(square(SECOND))
        page.hover(square(OVER))
        assert tip(page) == told(SECOND)
        if away == "click":
            page.click("h1")
        else:
            page.keyboard.press(away)
        page.locator("#tip").wait_for(state="hidden")


@pytest.mark.slow
def test_a_tap_shows_the_numbers_on_a_phone(opened: Opener) -> None:
    page = opened(width=360, height=740, has_touch=True, is_mobile=True)
    page.tap(square(SECOND))
    assert tip(page) == told(SECOND)
    box = page.locator("#tip").bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 360
    page.tap("h2 >> nth=1")
    page.locator("#tip").wait_for(state="hidden")


def test_arrow_keys_go_from_day_to_day(opened: Opener) -> None:
    page = opened()
    page.focus(square(str(AS_OF)))
    assert tip(page) == told(str(AS_OF))
    steps = {"ArrowRight": 1, "ArrowDown": 8, "ArrowLeft": 7, "ArrowUp": 0, "PageDown": 28}
    for key, expected in {**steps, "End": 365, "Home": 0}.items():
        page.keyboard.press(key)
        day = str(AS_OF + dt.timedelta(days=expected))
        assert page.evaluate("document.activeElement.dataset.day") == day
        assert tip(page) == told(day)
        assert page.locator("#calendar [tabindex='0']").count() == 1
        label = page.evaluate("document.activeElement.getAttribute('aria-label')")
        assert f"{FULL.totals[day]:,} of {CAP:,} messages" in label
        spoken = page.text_content("#live") or ""
        assert spoken.split(", ") == [line.replace("\t", " ") for line in told(day)[2:]]


def test_the_bars_tell_the_same_numbers(opened: Opener) -> None:
    page = opened()
    page.hover(f"{bar(SECOND)} rect.s1")
    assert tip(page) == told(SECOND)
    name = page.locator("#legend li").nth(1).inner_text()
    assert page.locator("#tip .now").inner_text().split("\t")[0] == name
    page.focus(bar(str(AS_OF)))
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.dataset.day") == SECOND
    assert tip(page) == told(SECOND)
    page.keyboard.press("End")
    assert tip(page) == told(str(AS_OF + dt.timedelta(days=59)))


@pytest.mark.slow
def test_the_bars_are_as_high_as_their_numbers(opened: Opener) -> None:
    page = opened()
    heights: dict[str, dict[str, float]] = page.evaluate(
        """() => Object.fromEntries([...document.querySelectorAll("#bars [data-day]")].map(bar =>
            [bar.dataset.day, Object.fromEntries([...bar.querySelectorAll("rect:not(.hit)")].map(
                part => [part.classList[0], part.getBBox().height]))]))"""
    )
    names = [item.inner_text() for item in page.locator("#legend li").all()]
    scale = heights[OVER]["s8"] / FULL.days[OVER].fixed
    for day, parts in heights.items():
        for name, count in {**FULL.days[day].planned, "committed": FULL.days[day].fixed}.items():
            css = "s8" if name == "committed" else f"s{names.index(name)}"
            assert parts.get(css, 0) == pytest.approx(scale * count, abs=0.02)


@pytest.mark.slow
def test_a_type_of_the_legend_is_hidden_by_keyboard_and_the_others_move_down(
    opened: Opener,
) -> None:
    page = opened()
    button = page.locator("#legend button").first
    second = page.locator(f"{bar(SECOND)} rect.s1")
    foot = foot_of(second)
    height = float(page.locator(f"{bar(SECOND)} rect.s0").get_attribute("height") or 0)
    button.focus()
    assert page.locator("#bars rect.dim").count() > 0, "the others fade while it is chosen"
    page.keyboard.press("Enter")
    assert button.get_attribute("aria-pressed") == "false"
    assert not page.locator(f"{bar(SECOND)} rect.s0").is_visible()
    assert foot_of(second) == pytest.approx(foot + height, abs=0.02)
    page.keyboard.press("Enter")
    assert page.locator(f"{bar(SECOND)} rect.s0").is_visible()


# --- light, dark, phone, keyboard, screen reader, paper -------------------------------------------


@pytest.mark.slow
def test_dark_is_dark_and_light_is_light(opened: Opener) -> None:
    colours = {}
    for scheme in ("light", "dark"):
        page = opened(color_scheme=scheme)
        colours[scheme] = page.evaluate(
            """day => [getComputedStyle(document.body).backgroundColor,
                getComputedStyle(document.querySelector("section")).backgroundColor,
                getComputedStyle(document.querySelector(day)).backgroundColor,
                getComputedStyle(document.querySelector("rect.s0")).fill]""",
            square(SECOND),
        )
    assert not {*colours["light"]} & {*colours["dark"]}
    for scheme, bright in (("light", True), ("dark", False)):
        levels = [int(n) for n in re.findall(r"\d+", colours[scheme][0])]
        assert (min(levels) > 200) if bright else (max(levels) < 60)


@pytest.mark.parametrize("scheme", ["light", pytest.param("dark", marks=pytest.mark.slow)])
def test_axe_finds_nothing_serious(opened: Opener, scheme: str) -> None:
    page = opened(color_scheme=scheme, reduced_motion="reduce")
    unfold(page, "#types details")
    page.focus(square(OVER))  # with the tip shown
    page.evaluate(AXE_SCRIPT)
    found: dict[str, Any] = page.evaluate("axe.run({resultTypes: ['violations']})")
    violations = [
        f"{each['impact']} {each['id']}: {each['nodes'][0]['html']}" for each in found["violations"]
    ]
    assert violations == []
    assert len(found["passes"]) > 20


@pytest.mark.parametrize("scheme", sampled(["dark", "light"], 1))
def test_results_are_read_by_keyboard_in_both_schemes(opened: Opener, scheme: str) -> None:
    page = opened("results", color_scheme=scheme, reduced_motion="reduce")
    page.locator("#results summary").first.press("Enter")
    assert page.locator("#t-results_campaigns").is_visible()
    assert page.locator("#results [data-table] a").count() == 8
    assert page.locator("#results a[href$='/results.json']").is_visible()
    row = rows_of(page, "results_types")[1]
    assert row[:4] == ["birthday", "1060", "1000", "910"]
    page.evaluate(AXE_SCRIPT)
    found = page.evaluate("axe.run('#results', {resultTypes: ['violations']})")
    assert [each["id"] for each in found["violations"]] == []


@pytest.mark.parametrize("name", sampled(PAGES, 1))
def test_the_tables_fit_and_the_page_never_scrolls_sideways(opened: Opener, name: str) -> None:
    page = opened(name)
    unfold(page)
    if name != "hostile":  # names of hundreds of characters
        assert page.evaluate(DOES_NOT_FIT) == []
    for width in (1280, 768, 360, 320):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width


# A table that is wider than its box, and a cell whose text is cut or runs over the next one.
DOES_NOT_FIT = """() => [...document.querySelectorAll(".data")].flatMap(table => [
    ...(table.scrollWidth > table.closest(".scroll").clientWidth ? [table.id] : []),
    ...[...table.querySelectorAll("th, td")].filter(cell => cell.scrollWidth > cell.clientWidth)
        .map(cell => `${table.id}: ${cell.textContent}`)])"""


def test_the_tab_key_reaches_everything_and_stays_nowhere(opened: Opener) -> None:
    page = opened()
    unfold(page)
    everything = page.evaluate(
        """() => { const found = document.querySelectorAll(
                "a[href], button, summary, .scroll[tabindex], [data-day][tabindex='0']");
            found.forEach((each, n) => { each.dataset.stop = n; });
            return found.length; }"""
    )
    reached = []
    for _ in range(everything):
        page.keyboard.press("Tab")
        reached.append(int(page.evaluate("document.activeElement.dataset.stop ?? -1")))
    assert reached == list(range(everything))
    assert everything < 200, "a calendar is one stop, not 366"


@pytest.mark.slow
def test_what_has_the_focus_can_be_seen(opened: Opener) -> None:
    page = opened()
    for what in ("nav a", square(SECOND), "#legend button", ".tools button", "summary"):
        page.locator(what).first.focus()
        page.keyboard.press("Shift")  # whoever uses keys sees rings
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
    page.focus(bar(SECOND))
    page.keyboard.press("ArrowRight")
    ring = "getComputedStyle(document.activeElement.querySelector('.hit')).strokeWidth"
    assert page.evaluate(ring) == "2px"


@pytest.mark.slow
def test_on_paper_there_is_nothing_to_click(opened: Opener) -> None:
    page = opened(color_scheme="dark")
    page.emulate_media(media="print")
    for what in ("nav", ".tools", "#tip", ".js"):
        assert not page.locator(what).first.is_visible()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


# --- copying, sorting, files ----------------------------------------------------------------------


def test_a_table_is_copied_with_tabs_and_as_its_csv_has_it(opened: Opener, folder: Path) -> None:
    page = opened(permissions=["clipboard-read", "clipboard-write"])
    unfold(page)
    for name in TABLES:
        page.click(f"[data-table={name}] button")
        said = page.locator(f"[data-table={name}] > span")
        page.wait_for_function(
            "text => document.activeElement.closest(text)", arg=f"[data-table={name}]"
        )
        copied = [
            line.split("\t")
            for line in page.evaluate("navigator.clipboard.readText()").splitlines()
        ]
        file = page.locator(f"[data-table={name}] a").get_attribute("href")
        assert file == f"full-tables/{name}.csv"
        assert copied == csv_rows((folder / file).read_bytes())
        assert said.inner_text() == f"{len(copied) - 1} rows copied"


@pytest.mark.slow
def test_without_a_clipboard_to_write_to_the_table_is_copied_all_the_same(
    opened: Opener,
) -> None:
    page = opened()
    page.evaluate("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
    page.click("[data-table=types] button")
    page.get_by_text("rows copied").first.wait_for()
    page.evaluate("document.querySelector('main').append(document.createElement('textarea'))")
    page.focus("textarea")
    page.keyboard.press("Control+V")
    pasted = page.locator("textarea").input_value()
    assert [line.split("\t") for line in pasted.splitlines()] == rows_of(page, "types")


@pytest.mark.slow
def test_where_nothing_may_be_copied_the_text_is_there_to_take(opened: Opener) -> None:
    page = opened()
    page.evaluate(
        "Object.defineProperty(navigator, 'clipboard', {value: undefined});"
        "document.execCommand = () => false"
    )
    page.click("[data-table=types] button")
    area = page.locator("[data-table=types] textarea")
    area.wait_for()
    assert area.input_value().startswith("Email type\tPlanned\tSkipped\tSkipped, %\n")
    assert page.evaluate("document.activeElement.selectionEnd") == len(area.input_value())
    assert "Ctrl+C" in page.locator("[data-table=types]").inner_text()


def test_a_click_on_a_column_sorts_by_it(opened: Opener) -> None:
    page = opened()
    head = page.locator("#t-types thead th").nth(1)
    for order, reverse in (("descending", True), ("ascending", False)):
        head.locator("button").click()
        assert head.get_attribute("aria-sort") == order
        numbers = [int(row[1]) for row in rows_of(page, "types")[1:]]
        assert numbers == sorted(numbers, reverse=reverse)
    page.click("#t-types thead button >> nth=0")
    assert [row[0] for row in rows_of(page, "types")[1:]] == sorted(TYPES)
    assert head.get_attribute("aria-sort") is None


# --- hostile names --------------------------------------------------------------------------------


def test_hostile_names_are_shown_as_text_and_run_nothing(opened: Opener) -> None:
    page = opened("hostile", permissions=["clipboard-read", "clipboard-write"])
    shown = [row[1] for row in rows_of(page, "campaigns")[1:]]
    cleaned = [name.replace("\ud800", "?").replace("\x00", "") for name in HOSTILE]
    for name, cell in zip(cleaned, shown, strict=True):
        assert cell == (name.replace("\r\n", "\n") if len(name) <= 300 else f"{name[:300]}…")
    page.hover(square(str(AS_OF)))
    assert HOSTILE[0] in page.locator("#tip").inner_text()
    page.click("#legend button >> nth=0")
    page.click("[data-table=campaigns] button")
    page.get_by_text("rows copied").first.wait_for()
    copied = page.evaluate("navigator.clipboard.readText()").splitlines()
    assert {line.count("\t") for line in copied} == {9}
    assert f"\t'{HOSTILE[4]}\t" in copied[5]
    assert page.title() == f"Almanac: {HOSTILE[0]}, {AS_OF}"
    assert page.locator("img, main script").count() == 0


# --- the numbers of a database --------------------------------------------------------------------


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An agency that has been planned, with its page beside it."""
    path = agency(tmp_path_factory.mktemp("agency") / "agency.sqlite3", 1000)
    page = path.with_name("report.html")
    assert almanac("run", path, "--as-of", AS_OF, "--workers", 1).code == 0
    assert almanac("report", path, "--out", page).code == 0
    return path


def test_its_numbers_are_those_of_the_database(opened: Opener, planned: Path) -> None:
    page = opened(planned.with_name("report.html").as_uri())
    connection = apsw.Connection(str(planned))

    def counts(columns: str, where: str) -> dict[Any, int]:
        sql = (
            f"SELECT {columns}, count(*) FROM email_schedules "
            f"WHERE {where} AND scheduled_send_date >= ? GROUP BY 1, 2"
        )
        return {(one, other): n for one, other, n in connection.execute(sql, (str(AS_OF),))}

    by_day = counts("scheduled_send_date, email_type", "status = 'pre-scheduled'")
    committed = counts("scheduled_send_date, ''", "status NOT IN ('pre-scheduled', 'skipped')")
    by_reason = counts("skip_reason, email_type", "status = 'skipped'")
    campaigns = counts(
        "campaign_instance_id, status",
        "email_type LIKE 'campaign\\_%' ESCAPE '\\' AND status IN ('pre-scheduled', 'skipped')",
    )
    issues = dict(connection.execute("SELECT issue, count(*) FROM contact_issues GROUP BY 1"))
    connection.close()

    head, *rows = rows_of(page, "days")
    shown = {
        (row[0], name): int(n)
        for row in rows
        for name, n in zip(head[6:], row[6:], strict=True)
        if n
    }
    merged = {name for name in head[6:] if name.endswith("other types")}
    assert {key: n for key, n in shown.items() if key[1] not in merged} == {
        key: n for key, n in by_day.items() if key[1] in head
    }
    assert sum(shown.values()) == sum(by_day.values())
    assert {(row[0], ""): int(row[5]) for row in rows if row[5]} == committed

    for row in rows_of(page, "types")[1:]:
        planned_ones = sum(n for (_, name), n in by_day.items() if name == row[0])
        skipped_ones = sum(n for (_, name), n in by_reason.items() if name == row[0])
        assert row[1:3] == [str(planned_ones), str(skipped_ones)]
    for row in rows_of(page, "campaigns")[1:]:
        pair = [campaigns.get((int(row[0]), which), 0) for which in ("pre-scheduled", "skipped")]
        assert row[4:6] == [str(n) for n in pair]
    everything = rows_of(page, "states")[1:]
    assert sum(int(row[2]) for row in everything) == sum(by_day.values())
    assert sum(int(row[3]) for row in everything) == sum(by_reason.values())

    head, *rows = rows_of(page, "reasons")
    assert {row[0]: int(row[1]) for row in rows} == _sums(by_reason)
    assert {row[0]: int(row[1]) for row in rows_of(page, "issues")[1:]} == issues
    cards = page.locator(".cards strong").all_inner_texts()
    assert cards[:2] == [f"{sum(by_day.values()):,}", f"{sum(by_reason.values()):,}"]


def _sums(counts: dict[Any, int]) -> dict[str, int]:
    sums: dict[str, int] = {}
    for (first, _), n in counts.items():
        sums[first] = sums.get(first, 0) + n
    return sums


# --- from the bucket ------------------------------------------------------------------------------


@pytest.fixture
def served(tmp_path: Path) -> Iterator[str]:
    """The address of `status` for a store with one organization, 206, and its report."""
    store = MemoryStore()
    database = tmp_path / "database"
    database.touch()
    publish(
        store,
        "206",
        database,
        NewVersion(
            run_id="2026-11-21-daily",
            parent=None,
            as_of=AS_OF,
            now=NOW,
            attachments=lambda _: report_files(FULL, layout.REPORT_HTML, layout.REPORT_TABLES),
        ),
    )

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer = status_response(store, self.path, NOW)
            self.send_response(answer.code)
            self.send_header("Content-Type", answer.content_type)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_it_opens_from_status_and_its_tables_are_there(opened: Opener, served: str) -> None:
    page = opened(f"{served}/orgs/206/report")
    page.hover(square(SECOND))
    assert tip(page) == told(SECOND)
    files = report_files(FULL, layout.REPORT_HTML, layout.REPORT_TABLES)
    for link in page.locator("a[download]").all():
        url = link.evaluate("link => link.href")
        answer = page.request.get(url)
        assert answer.status == 200
        assert answer.headers["content-type"] == "text/csv; charset=utf-8"
        assert answer.body() == files[url.removeprefix(f"{served}/orgs/206/")]
    for lost in ("passwords.csv", "days", "../report.json", "days.csv/x"):
        assert page.request.get(f"{served}/orgs/206/report-tables/{lost}").status == 404
