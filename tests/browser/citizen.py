"""Somebody in front of the citizens' page, in a real browser."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, ViewportSize, expect

from bot.channels.web.access import Tokens
from tests.browser.webapp import KEY

CHROMIUM = next(
    (path for path in ("/usr/bin/chromium", shutil.which("chromium")) if path and Path(path).exists()), None
)
needs_browser = [
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine"),
    pytest.mark.xdist_group("browser"),
]
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PHONE: ViewportSize = {"width": 360, "height": 740}
QUESTION = "Câu hỏi của anh/chị"


class Citizen:
    """Somebody in front of the page."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.complaints: list[str] = []
        self.posted: list[dict[str, Any]] = []
        page.on("console", lambda message: self._heard(message.type, message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self._posted(request.url, request.post_data))

    def _heard(self, kind: str, text: str) -> None:
        if kind in ("error", "warning") and "Service Worker registration blocked by Playwright" not in text:
            self.complaints.append(text)

    def _posted(self, url: str, data: str | None) -> None:
        if url.endswith("/api/chat/messages") and data:
            self.posted.append(json.loads(data))

    def opens(self) -> Citizen:
        self.page.goto(self.url)
        expect(self.question).to_be_visible()
        return self

    @property
    def question(self) -> Any:
        return self.page.get_by_label(QUESTION, exact=True)

    @property
    def bubbles(self) -> Any:
        return self.page.locator("#log .turn:not(.typing) .bubble")

    @property
    def last(self) -> Any:
        return self.page.locator("#log .turn").last

    def waits(self, holds: Callable[[], bool]) -> None:
        """Wait until something is so; the page's events arrive meanwhile."""
        deadline = time.monotonic() + 10
        while not holds():
            assert time.monotonic() < deadline, "it never came true"
            self.page.wait_for_timeout(20)

    def chat(self) -> str:
        """The name of the conversation in the database."""
        token = self.page.evaluate("localStorage.getItem('congdanso.token')")
        chat = Tokens(KEY).chat_of(token)
        assert chat is not None
        return chat

    def asks(self, text: str) -> None:
        answers = self.page.locator("#log .bot:not(.typing)")
        before = answers.count()
        self.question.fill(text)
        self.question.press("Enter")
        expect(answers).not_to_have_count(before)
        expect(self.page.locator(".typing")).to_have_count(0)
