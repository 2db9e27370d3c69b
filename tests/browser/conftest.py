"""A browser for the tests that look at pages: Debian's Chromium, driven by Playwright."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from almanac.report.page import write_page
from tests.support.report_pages import empty_page, full_page, page_data
from tests.support.results_pages import hostile_results_page, results_page

PAGES = {
    "full": full_page,
    "hostile": hostile_results_page,
    "tiny": page_data,
    "empty": empty_page,
    "results": results_page,
}
NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)

Opener = Callable[..., Page]


@pytest.fixture(scope="module")  # not longer: Playwright keeps an event loop running meanwhile
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        missing = f"no Chromium on PATH ({', '.join(NAMES)}); install it: apt-get install chromium"
        # what nobody can run here is skipped, but in CI it fails: there everything is installed
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(missing)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the pages of PAGES are, with their tables."""
    folder = tmp_path_factory.mktemp("pages")
    for name, make in PAGES.items():
        write_page(folder / f"{name}.html", make())
    return folder


class Window:
    """A page of the browser that tests use one after the other, and what went wrong in it.

    To go to another page costs half of what another window does, and forgets as much.
    """

    def __init__(self, browser: Browser, options: dict[str, Any]) -> None:
        context = browser.new_context(**options)
        context.set_default_timeout(5000)
        self.wrong: list[str] = []
        self._url = ""  # what it may ask for
        self.page = context.new_page()
        self.page.on("console", lambda message: self._note(f"{message.type}: {message.text}"))
        self.page.on("pageerror", lambda error: self._note(str(error)))
        self.page.on("dialog", lambda dialog: self._note(f"dialog: {dialog.message}"))
        self.page.on("request", lambda request: self._requested(request.url))

    def show(self, url: str, width: int, height: int) -> Page:
        """Open an address, as if nothing had been there before."""
        self._url = "about:blank"
        self.page.goto(self._url)
        self.page.mouse.move(0, 0)
        self.page.set_viewport_size({"width": width, "height": height})
        self.page.emulate_media(media="screen")
        self._url = url
        self.page.goto(url)
        return self.page

    def _note(self, what: str) -> None:
        self.wrong.append(what)

    def _requested(self, url: str) -> None:
        if url != self._url:
            self._note(url)


@pytest.fixture(scope="module")
def windows(browser: Browser) -> dict[str, Window]:
    """The windows that are there, by their options."""
    return {}


@pytest.fixture
def opened(browser: Browser, windows: dict[str, Window], folder: Path) -> Iterator[Opener]:
    """Opens a page by name or address, in the place of the one with the same options.

    However the test goes on, no page may have an error, be kept from something by its policy, ask
    for anything but itself, or open a dialog.
    """
    for window in windows.values():
        window.wrong.clear()

    def open_page(where: str = "full", width: int = 1280, height: int = 800, **more: Any) -> Page:
        url = where if "://" in where else (folder / f"{where}.html").as_uri()
        name = repr(sorted(more.items()))
        if name not in windows:
            windows[name] = Window(browser, more)
        return windows[name].show(url, width, height)

    yield open_page
    assert [each for window in windows.values() for each in window.wrong] == []
