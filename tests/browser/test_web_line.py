"""A line that goes and comes: what is told, what is kept, and that nothing is sent unseen or twice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from tests.browser.citizen import PHONE, Citizen, needs_browser
from tests.browser.webapp import PLACE, Served

pytestmark = needs_browser
UNSENT = "Chưa gửi, vì máy đang mất mạng. Câu hỏi còn nguyên trong ô; có mạng thì bấm Gửi."


@pytest.fixture
def with_worker(browser: Browser) -> Iterator[BrowserContext]:
    """A browser that keeps what a service worker gives it."""
    opened = browser.new_context(viewport=PHONE, reduced_motion="reduce", locale="vi-VN")
    yield opened
    opened.close()


def status(page: Page) -> Locator:
    return page.get_by_role("status")


def controlled(page: Page) -> None:
    """Wait until the service worker has taken the page over."""
    page.evaluate(
        """async () => {
            await navigator.serviceWorker.ready;
            while (!navigator.serviceWorker.controller) await new Promise((go) => setTimeout(go, 20));
        }"""
    )


def test_what_is_typed_without_a_line_stays_in_the_box_and_is_sent_when_somebody_says_so(
    citizen: Citizen, context: BrowserContext, served: Served
) -> None:
    citizen.opens().asks("đk tạm trú hết bn tiền")
    sent = len(citizen.posted)
    context.set_offline(True)
    expect(status(citizen.page)).to_have_text("Đang mất mạng. Câu hỏi gõ lúc này chưa gửi được.")
    citizen.question.fill("thế nộp ở đâu")
    for _ in range(2):
        citizen.question.press("Enter")
        expect(status(citizen.page)).to_have_text(UNSENT)
        expect(citizen.question).to_have_value("thế nộp ở đâu")
    expect(citizen.bubbles).to_have_count(3)
    context.set_offline(False)
    expect(status(citizen.page)).to_have_text("Đã có mạng lại. Câu hỏi trong ô chưa gửi, anh/chị bấm Gửi.")
    citizen.page.wait_for_timeout(300)
    assert len(citizen.posted) == sent, "nothing is sent by itself"
    citizen.page.get_by_role("button", name="Gửi").click()
    expect(citizen.last.locator(".bubble")).to_have_text(PLACE.text)
    expect(status(citizen.page)).to_have_text("")
    assert [said.text for said in served.web.dialogue.said].count("thế nộp ở đâu") == 1
    citizen.complaints.clear()


def test_what_is_typed_outlives_the_page(citizen: Citizen) -> None:
    citizen.opens().question.type("thế nộp ở")
    citizen.page.reload()
    expect(citizen.question).to_have_value("thế nộp ở")
    citizen.question.type(" đâu")
    citizen.question.press("Enter")
    expect(citizen.last.locator(".bubble")).to_have_text(PLACE.text)
    citizen.page.reload()
    expect(citizen.question).to_have_value("")


def test_a_message_that_left_as_the_line_went_is_answered_once(
    citizen: Citizen, context: BrowserContext, served: Served
) -> None:
    """The server had it, the answer was lost, and the line was gone for a while."""
    citizen.opens()
    citizen.waits(lambda: len(citizen.posted) == 1)
    citizen.page.route("**/api/chat/messages", lambda route: (route.fetch(), route.abort()), times=1)  # type: ignore[func-returns-value]
    citizen.question.fill("đk tạm trú hết bn tiền")
    citizen.question.press("Enter")
    expect(citizen.page.locator(".problem")).to_contain_text("Chưa gửi được.")
    context.set_offline(True)
    citizen.page.get_by_role("button", name="Thử lại").click()
    expect(citizen.page.locator(".problem")).to_contain_text("Chưa gửi được.")
    context.set_offline(False)
    citizen.page.get_by_role("button", name="Thử lại").click()
    expect(citizen.last.locator(".bubble")).to_contain_text("7.000 đồng")
    assert [said.text for said in served.web.dialogue.said] == ["", "đk tạm trú hết bn tiền"]
    citizen.complaints.clear()


def test_a_server_that_starts_anew_is_found_again_and_nothing_is_lost_or_shown_twice(
    context: BrowserContext, tmp_path: Path
) -> None:
    folder = tmp_path / "web.db"
    page = context.new_page()
    streams: list[str | None] = []

    def note(headers: dict[str, str], url: str) -> None:
        if url.endswith("/api/chat/stream"):
            streams.append(headers.get("last-event-id"))

    page.on("request", lambda request: note(request.headers, request.url))
    with Served(folder).running() as first:
        citizen = Citizen(page, first.url).opens()
        citizen.asks("đk tạm trú hết bn tiền")
        chat = citizen.chat()
        citizen.waits(lambda: first.web.bells.count(chat) == 1)
        [seen] = first.run(first.web.push(chat, "Cán bộ trả lời: mang theo căn cước."))
        expect(citizen.last).to_contain_text("Cán bộ trả lời: mang theo căn cước.")
        citizen.waits(lambda: first.run(first.web.states([seen])) == ["sent"])
    citizen.waits(lambda: len(streams) >= 2)
    expect(status(page)).to_have_text("Đang mất mạng. Câu hỏi gõ lúc này chưa gửi được.", timeout=15_000)
    with Served(folder, port=urlsplit(first.url).port or 0).running() as second:
        ids = second.run(second.web.push(chat, "Mai cắt điện ở xóm Đồng."))
        page.evaluate("dispatchEvent(new Event('online'))")
        expect(citizen.last).to_contain_text("Mai cắt điện ở xóm Đồng.", timeout=15_000)
        citizen.waits(lambda: second.run(second.web.states(ids)) == ["sent"])
        expect(page.get_by_text("Cán bộ trả lời: mang theo căn cước.")).to_have_count(1)
        assert streams[0] is None
        assert streams[-1] == str(seen), "it went on where it had stopped"
        citizen.asks("thế nộp ở đâu")
        expect(citizen.last.locator(".bubble")).to_have_text(PLACE.text)
        citizen.page.reload()
        expect(citizen.bubbles).to_have_count(7)


def test_a_line_that_went_silent_is_given_up_and_opened_anew(citizen: Citizen, served: Served) -> None:
    """A phone's network may forget a line without a word: no event comes, and no error either."""
    citizen.page.clock.install()
    asked: list[str] = []
    citizen.page.on("request", lambda request: asked.append(request.url))
    citizen.opens()
    citizen.waits(lambda: sum(url.endswith("/stream") for url in asked) == 1)
    citizen.page.wait_for_timeout(300)
    citizen.page.clock.fast_forward(46_000)
    citizen.page.clock.fast_forward(5_000)
    citizen.waits(lambda: sum(url.endswith("/stream") for url in asked) == 2)
    expect(status(citizen.page)).to_have_text("")


def test_without_a_line_the_home_screen_shows_the_notice(with_worker: BrowserContext, served: Served) -> None:
    page = with_worker.new_page()
    page.goto(served.url)
    controlled(page)
    names = page.evaluate("caches.keys()")
    assert len(names) == 1
    with_worker.set_offline(True)
    for path in ("/", "/?c=c_vneid", "/chat"):
        page.goto(served.url + path)
        expect(page.get_by_role("heading", level=2)).to_have_text("Đang mất mạng")
        expect(page.get_by_text("chưa có gì được gửi đi")).to_be_visible()
        assert page.evaluate("getComputedStyle(document.querySelector('.step')).borderRadius") == "8px", (
            "with its styles"
        )
    again = page.get_by_role("link", name="Mở lại trang")
    with_worker.set_offline(False)
    again.click()
    expect(page.get_by_label("Câu hỏi của anh/chị", exact=True)).to_be_visible()
    page.fill("#question", "thế nộp ở đâu")
    page.press("#question", "Enter")
    expect(page.locator("#log .bot").last).to_contain_text("Công an xã")


def test_the_worker_keeps_no_word_and_leaves_the_rest_of_the_site_alone(
    with_worker: BrowserContext, served: Served
) -> None:
    page = with_worker.new_page()
    page.goto(served.url)
    controlled(page)
    page.fill("#question", "đk tạm trú hết bn tiền")
    page.press("#question", "Enter")
    expect(page.locator("#log .bot").last).to_contain_text("7.000 đồng")
    page.goto(f"{served.url}/chat")
    kept = page.evaluate(
        """async () => {
            const found = [];
            for (const name of await caches.keys())
                for (const request of await (await caches.open(name)).keys()) found.push(new URL(request.url).pathname);
            return found.sort();
        }"""
    )
    assert kept == ["/offline", "/static/web/chat.css", "/static/web/icon.svg"]
    with_worker.set_offline(True)
    with pytest.raises(Exception, match="ERR_INTERNET_DISCONNECTED"):
        page.goto(f"{served.url}/console")


def test_an_older_worker_leaves_nothing_behind(with_worker: BrowserContext, served: Served) -> None:
    page = with_worker.new_page()
    page.goto(f"{served.url}/offline")
    page.evaluate("caches.open('congdanso-old').then((cache) => cache.add('offline'))")
    page.evaluate("caches.open('of-somebody-else').then((cache) => cache.add('offline'))")
    page.goto(served.url)
    controlled(page)
    names = page.evaluate("caches.keys()")
    assert "congdanso-old" not in names
    assert "of-somebody-else" in names and len(names) == 2


def test_a_phone_offers_to_put_it_on_the_home_screen(with_worker: BrowserContext, served: Served) -> None:
    page = with_worker.new_page()
    page.goto(served.url)
    controlled(page)
    found = with_worker.new_cdp_session(page).send("Page.getInstallabilityErrors")["installabilityErrors"]
    # Windows without a history install nothing; nothing else is in the way.
    assert [error["errorId"] for error in found if error["errorId"] != "in-incognito"] == []
    manifest = with_worker.new_cdp_session(page).send("Page.getAppManifest")
    assert manifest["errors"] == []
    assert manifest["url"] == f"{served.url}/manifest.webmanifest"
