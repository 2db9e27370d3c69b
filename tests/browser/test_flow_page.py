"""The page of `make flow` in a browser: search, source, back, deep links, a run; the keyboard."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Browser, Page

from scripts.flow.document import document_of
from scripts.flow.page import write_page
from scripts.flow.reading import read_flow
from tests.support.flow_program import write_program

TAKE = "tiny.stock.shelf:Shelf.take"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("flow")
    write_page(folder / "index.html", document_of(read_flow([write_program(folder)])))
    return (folder / "index.html").as_uri()


def opened(browser: Browser, url: str, wrong: list[str], scheme: Any = "light") -> Page:
    page = browser.new_context(color_scheme=scheme, reduced_motion="reduce").new_page()
    page.set_default_timeout(20_000)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda message: wrong.append(message.text))
    page.on(
        "request", lambda asked: wrong.extend(each for each in [asked.url] if each[:5] != "file:")
    )
    page.goto(url)
    page.wait_for_selector("body[data-ready]")
    return page


def shows(page: Page, name: str) -> None:
    """Wait until the page shows the function."""
    page.locator("#detail h2", has_text=re.compile(f"^{re.escape(name)}$")).wait_for()


def test_a_function_is_found_read_and_left_again_by_the_keyboard(
    browser: Browser, url: str
) -> None:
    wrong: list[str] = []
    page = opened(browser, url, wrong)
    page.keyboard.press("/")
    page.keyboard.type("take")
    page.keyboard.press("Enter")
    page.wait_for_selector("#detail .source")
    assert page.url.endswith(f"#fn={TAKE}")
    shows(page, "Shelf.take")
    detail = page.locator("#detail").inner_text()
    assert "how many, at least 1" in detail
    assert "if there are none" in detail
    assert page.locator("#detail .source .K").first.inner_text() == "def"
    page.click("#detail >> text=tiny.steps: by_hand")
    shows(page, "by_hand")
    page.locator("#detail").focus()
    page.keyboard.press("[")
    shows(page, "Shelf.take")
    page.keyboard.press("]")
    shows(page, "by_hand")
    page.context.close()
    assert wrong == []


@pytest.mark.slow
def test_the_way_from_an_entry_point_passes_a_table_and_a_link_leads_into_it(
    browser: Browser, url: str
) -> None:
    wrong: list[str] = []
    page = opened(browser, f"{url}#fn=tiny.steps:rank", wrong)
    shows(page, "rank")
    assert "tiny.main: main" in page.locator("#detail").inner_text()  # the shortest way here
    page.select_option("#entry", "tiny.main:main")
    shows(page, "main")
    page.click("#way >> text=by_hand")
    shows(page, "by_hand")
    assert 'table "take"' in page.locator("#way").inner_text()
    assert page.evaluate("FlowMap.cy.getElementById('tiny.left').hasClass('dim')") is False
    page.context.close()
    assert wrong == []


@pytest.mark.slow
def test_a_run_lights_its_way(browser: Browser, url: str, tmp_path: Path) -> None:
    wrong: list[str] = []
    spans = [("1", None, "tiny.main:main"), ("2", "1", "tiny.steps:by_hand"), ("3", "1", TAKE)]
    events = [
        {"name": name, "ph": "X", "ts": 10 * number, "dur": 5,
         "args": {"function": name, "span": span, "parent": parent}}
        for number, (span, parent, name) in enumerate(spans)
    ]  # fmt: skip
    trace, bad = tmp_path / "trace.json", tmp_path / "bad.json"
    trace.write_text(json.dumps({"traceEvents": events}))
    bad.write_text("nothing")
    page = opened(browser, url, wrong)
    page.click("#tab-run")
    page.set_input_files("#trace", bad)
    page.locator("#trace-problem", has_text="JSON").wait_for()
    assert page.locator("#trace-problem").inner_text() == "bad.json: it is not JSON."
    page.set_input_files("#trace", trace)
    page.wait_for_selector("#steps")
    assert page.locator("#steps tbody tr").count() == 3
    page.click("text=Next step")
    shows(page, "main")
    assert "in the run: 1 ×" in page.locator("#detail").inner_text()
    lit = page.evaluate("FlowMap.cy.nodes('.lit').map((each) => each.id())")
    assert TAKE in lit
    page.click("text=Close")
    assert page.evaluate("FlowMap.cy.elements('.lit').length") == 0
    page.context.close()
    assert wrong == []


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(browser: Browser, url: str, scheme: str) -> None:
    wrong: list[str] = []
    page = opened(browser, f"{url}#fn={TAKE}&entry=tiny.main:main", wrong, scheme)
    page.evaluate(AXE_SCRIPT)
    found: dict[str, Any] = page.evaluate("axe.run({resultTypes: ['violations']})")
    assert [f"{each['id']}: {each['nodes'][0]['html']}" for each in found["violations"]] == []
    page.context.close()
    assert wrong == []
