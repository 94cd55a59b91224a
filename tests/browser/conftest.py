"""A browser, a server, and somebody who uses them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Playwright, sync_playwright

from tests.browser.citizen import ARGUMENTS, CHROMIUM, PHONE, Citizen
from tests.browser.webapp import Served


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as started:
        yield started


@pytest.fixture(scope="module")
def browser(playwright: Playwright) -> Iterator[Browser]:
    opened = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
    yield opened
    opened.close()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with Served(tmp_path / "web.db").running() as running:
        yield running


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    # A service worker would stand between the page and the faults that tests put into its way.
    opened = browser.new_context(viewport=PHONE, reduced_motion="reduce", locale="vi-VN", service_workers="block")
    yield opened
    opened.close()


@pytest.fixture
def citizen(served: Served, context: BrowserContext) -> Iterator[Citizen]:
    page = context.new_page()
    page.add_init_script(
        "addEventListener('securitypolicyviolation', e => console.error('CSP ' + e.violatedDirective + e.blockedURI))"
    )
    somebody = Citizen(page, served.url)
    yield somebody
    assert somebody.complaints == []
