"""A browser for the tests that look at pages: Debian's Chromium, driven by Playwright."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from almanac.report.page import write_page
from tests.support.report_pages import empty_page, full_page, hostile_page, page_data

PAGES = {
    "full": full_page,
    "hostile": hostile_page,
    "tiny": page_data,
    "empty": empty_page,
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


@pytest.fixture
def opened(browser: Browser, folder: Path) -> Iterator[Opener]:
    """Opens a page by name or address in a window of its own.

    However the test goes on, no page may have an error, be kept from something by its policy, ask
    for anything but itself, or open a dialog.
    """
    contexts: list[BrowserContext] = []
    wrong: list[str] = []

    def open_page(where: str = "full", width: int = 1280, height: int = 800, **more: Any) -> Page:
        url = where if "://" in where else (folder / f"{where}.html").as_uri()
        context = browser.new_context(viewport={"width": width, "height": height}, **more)
        context.set_default_timeout(5000)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: wrong.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("dialog", lambda dialog: wrong.append(f"dialog: {dialog.message}"))
        page.on("request", lambda asked: wrong.append(asked.url) if asked.url != url else None)
        page.goto(url)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert wrong == []
