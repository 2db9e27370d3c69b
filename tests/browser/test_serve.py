"""The pages of `almanac serve` in a browser: both colour schemes, a phone, and the keyboard."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Thread
from typing import Any

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Browser, Page
from werkzeug.serving import make_server

from almanac.organizations.agency_database import FileDatabase
from almanac.serve.app import create_app
from almanac.serve.guard import guard_of
from almanac.serve.server import QuietHandler
from almanac.serve.site import Site
from tests.support.tiny import Agency

# without a browser the quick tests look at these pages in tests/cli/test_serve.py
pytestmark = pytest.mark.slow

PATHS = (
    "/contact/2",
    "/",
    "/contact/1?on=2027-02-15",
    "/contacts?q=example",
    "/day?on=2027-02-15",
    "/campaigns",
    "/campaign/7",
    "/what-if",
    "/nothing",
)
CASES = [(path, scheme) for path in PATHS for scheme in ("light", "dark")]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    agency = Agency(tmp_path_factory.mktemp("serve") / "agency.sqlite3")
    agency.contact(1, birth_date="1960-03-01")
    agency.contact(2, "CA", birth_date="1960-03-01", effective_date="2020-05-01")
    agency.campaign(7, "a_campaign_with_a_name_that_is_as_long_as_names_become")
    agency.target(7, "2027-01-15", 2)
    agency.sent("birthday", "2026-11-01", 2)
    agency.plan("2026-11-21")
    app = create_app(Site(FileDatabase(agency.path)), guard_of(None, None))
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=QuietHandler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()
    server.server_close()


def opened(browser: Browser, url: str, wrong: list[str], **more: Any) -> Page:
    """A page whose errors, and whatever it asks of others, are noted."""
    page = browser.new_context(**more).new_page()
    page.set_default_timeout(10_000)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda message: wrong.append(message.text))
    page.on(
        "request",
        lambda asked: wrong.append(asked.url) if asked.url[:17] != url[:17] else None,
    )
    page.goto(url)
    return page


@pytest.mark.parametrize(("path", "scheme"), CASES)
def test_axe_finds_nothing_and_no_page_scrolls_sideways(
    browser: Browser, address: str, path: str, scheme: Any
) -> None:
    wrong: list[str] = []
    page = opened(browser, address + path, wrong, color_scheme=scheme)
    page.evaluate(AXE_SCRIPT)
    found: dict[str, Any] = page.evaluate("axe.run({resultTypes: ['violations']})")
    assert [f"{each['id']}: {each['nodes'][0]['html']}" for each in found["violations"]] == []
    for width in (1280, 390, 320):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.context.close()
    assert [each for each in wrong if path != "/nothing" or "404" not in each] == []


def test_a_contact_is_found_and_a_cap_tried_by_the_keyboard_alone(
    browser: Browser, address: str
) -> None:
    wrong: list[str] = []
    page = opened(browser, address, wrong)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.focus("#q")
    page.keyboard.type("2")
    page.keyboard.press("Enter")
    page.wait_for_url("**/contact/2")
    assert page.locator(".year circle.day").count() >= 1
    page.goto(f"{address}/what-if")
    page.focus("#cap")
    page.keyboard.press("ArrowLeft")
    assert page.locator("#cap-value").inner_text() == f"{page.input_value('#cap')}%"
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_selector("#h-answer")
    page.context.close()
    assert wrong == []


def test_every_page_works_without_scripts(browser: Browser, address: str) -> None:
    wrong: list[str] = []
    page = opened(browser, f"{address}/what-if", wrong, java_script_enabled=False)
    page.click("text=Compare")
    page.wait_for_selector("#h-answer")
    page.click("nav >> text=Report")
    page.wait_for_selector("#calendar")
    page.click("text=Search, days, campaigns and what-if")
    page.wait_for_selector("#h-find")
    page.context.close()


def test_the_report_keeps_its_own_policy(browser: Browser, address: str) -> None:
    wrong: list[str] = []
    page = opened(browser, f"{address}/report", wrong)
    assert page.locator("#next .js:not([hidden])").count() == 1  # its script runs
    page.context.close()
    assert wrong == []
