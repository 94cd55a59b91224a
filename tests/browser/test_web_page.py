"""The citizens' page in a real browser: what somebody with a phone, a keyboard, a screen reader or a bad line meets."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, ViewportSize, expect, sync_playwright

from bot.channels.web.access import Tokens
from bot.conversation.messages import say
from tests.browser.webapp import FEE, MARKUP, OPTIONS, PLACE, Served

CHROMIUM = next(
    (path for path in ("/usr/bin/chromium", shutil.which("chromium")) if path and Path(path).exists()), None
)
pytestmark = [
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


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield opened
        opened.close()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with Served(tmp_path / "web.db").running() as running:
        yield running


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
        if kind in ("error", "warning"):
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

    def asks(self, text: str) -> None:
        answers = self.page.locator("#log .bot:not(.typing)")
        before = answers.count()
        self.question.fill(text)
        self.question.press("Enter")
        expect(answers).not_to_have_count(before)
        expect(self.page.locator(".typing")).to_have_count(0)


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    opened = browser.new_context(viewport=PHONE, reduced_motion="reduce", locale="vi-VN")
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


def test_ask_and_read_where_the_answer_is_from(citizen: Citizen) -> None:
    citizen.opens().asks("đk tạm trú hết bn tiền")
    expect(citizen.bubbles.nth(1)).to_have_text("đk tạm trú hết bn tiền")
    lines = citizen.bubbles.nth(2).locator("p")
    expect(lines).to_have_text(FEE.text.split("\n"))
    assert int(lines.first.evaluate("node => getComputedStyle(node).fontWeight")) >= 600
    assert int(lines.last.evaluate("node => getComputedStyle(node).fontWeight")) == 400
    source = citizen.last.locator(".source")
    expect(source).to_have_text("Theo Cổng Dịch vụ công quốc gia, mã 1.004194, xem ngày 15/7/2026.")
    link = source.get_by_role("link")
    expect(link).to_have_attribute("href", "https://dichvucong.gov.vn/1.004194")
    expect(link).to_have_attribute("rel", "noopener")


def test_the_first_visit_opens_the_conversation_once_and_the_introduction_stands_once(citizen: Citizen) -> None:
    citizen.opens()
    citizen.waits(lambda: len(citizen.posted) == 1)
    citizen.asks("đk tạm trú hết bn tiền")
    citizen.page.reload()
    citizen.asks("thế nộp ở đâu")
    assert [message.get("payload") or message["text"] for message in citizen.posted] == [
        "start",
        "đk tạm trú hết bn tiền",
        "thế nộp ở đâu",
    ]
    expect(citizen.page.get_by_text("Kênh hỏi đáp dịch vụ công của tỉnh Thái Nguyên")).to_have_count(1)


def test_press_a_button_and_an_older_one(citizen: Citizen) -> None:
    citizen.opens().asks("đk tạm trú hết bn tiền")
    citizen.page.get_by_role("button", name="Cần giấy tờ gì").click()
    expect(citizen.bubbles.nth(3)).to_have_text("Cần giấy tờ gì")
    expect(citizen.bubbles.nth(4)).to_contain_text("mẫu CT01")
    expect(citizen.page.get_by_role("link", name="Mẫu CT01 (PDF)")).to_have_attribute("href", "/materials/ct01.pdf")
    old = citizen.page.locator(".turn:not(.latest) .step", has_text="Cần giấy tờ gì")
    new = citizen.page.locator(".latest .step").first
    colour = "node => getComputedStyle(node).color"
    assert old.evaluate(colour) != new.evaluate(colour)
    old.click()
    expect(citizen.bubbles).to_have_count(7)


def test_an_example_is_a_question(citizen: Citizen) -> None:
    citizen.opens().page.get_by_role("button", name="Đăng ký tạm trú hết bao nhiêu tiền?").click()
    expect(citizen.bubbles.nth(1)).to_have_text("Đăng ký tạm trú hết bao nhiêu tiền?")
    expect(citizen.bubbles.nth(2)).to_contain_text("7.000 đồng")
    assert citizen.posted[-1]["text"] == "Đăng ký tạm trú hết bao nhiêu tiền?"


def test_agreeing_presses_the_introductions_own_button(citizen: Citizen) -> None:
    citizen.opens().page.get_by_role("button", name="Đồng ý, bắt đầu").click()
    expect(citizen.bubbles.nth(2)).to_contain_text(say("consent_thanks"))


def test_choices_stand_once_with_their_numbers_on_the_buttons(citizen: Citizen) -> None:
    citizen.opens().asks("làm lại giấy tờ bị mất")
    expect(citizen.last.locator(".bubble p")).to_have_text(
        ["Anh/chị muốn làm lại giấy nào?", "Nhắn số hoặc gõ tên giấy."]
    )
    expect(citizen.last.get_by_role("button")).to_have_text([f"{i}. {o}" for i, o in enumerate(OPTIONS, 1)])
    citizen.last.get_by_role("button").first.click()
    expect(citizen.bubbles.nth(3)).to_have_text("Thẻ căn cước")


def test_a_link_is_a_link(citizen: Citizen) -> None:
    citizen.opens().asks("thế nộp ở đâu")
    link = citizen.page.get_by_role("link", name="Mở Cổng Dịch vụ công")
    expect(link).to_have_attribute("href", "https://dichvucong.gov.vn")
    expect(link).to_have_attribute("rel", "noopener")


def test_with_the_keyboard_alone(citizen: Citizen) -> None:
    page = citizen.opens().page
    focused = "document.activeElement.textContent.trim() || document.activeElement.id"
    page.keyboard.press("Tab")
    assert page.evaluate(focused) == "Đến ô gõ câu hỏi"
    page.keyboard.press("Enter")
    page.keyboard.type("đk tạm trú hết bn tiền")
    page.keyboard.press("Enter")
    expect(citizen.bubbles.nth(2)).to_contain_text("7.000 đồng")
    assert page.evaluate(focused) == "question"
    assert page.input_value("#question") == ""
    outline = (
        "getComputedStyle(document.activeElement).outlineStyle + getComputedStyle(document.activeElement).outlineWidth"
    )
    assert page.evaluate(outline) == "solid3px"
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Shift+Tab")
    assert page.evaluate(focused) == "Cần giấy tờ gì"
    assert page.evaluate(outline) == "solid3px"
    page.keyboard.press("Enter")
    expect(citizen.bubbles.nth(4)).to_contain_text("mẫu CT01")


def test_enter_sends_shift_enter_breaks_the_line_and_nothing_is_not_sent(citizen: Citizen) -> None:
    citizen.opens()
    low = citizen.question.evaluate("node => node.offsetHeight")
    citizen.question.press("Enter")
    citizen.question.type("   ")
    citizen.page.get_by_role("button", name="Gửi").click()
    citizen.question.type("thế nộp")
    citizen.question.press("Shift+Enter")
    citizen.question.type("ở đâu")
    assert citizen.question.evaluate("node => node.offsetHeight") > low
    citizen.page.get_by_role("button", name="Gửi").click()
    expect(citizen.bubbles.nth(2)).to_be_visible()
    assert [message["text"] for message in citizen.posted if "text" in message] == ["thế nộp\nở đâu"]
    assert citizen.question.evaluate("node => node.offsetHeight") == low
    expect(citizen.question).to_be_focused()


def test_several_questions_in_a_row_are_answered_in_order(citizen: Citizen) -> None:
    citizen.opens()
    for text in ("đk tạm trú hết bn tiền", "thế nộp ở đâu", "đánh vần"):
        citizen.question.fill(text)
        citizen.question.press("Enter")
    answers = citizen.page.locator("#log .bot:not(.typing) .bubble")
    expect(answers).to_have_count(4)
    expect(answers.nth(1)).to_contain_text("7.000 đồng")
    expect(answers.nth(2)).to_have_text(PLACE.text)
    expect(citizen.page.locator(".typing")).to_have_count(0)


def test_markup_is_shown_as_text_whoever_wrote_it(citizen: Citizen) -> None:
    citizen.opens().asks(f"đánh dấu {MARKUP}")
    page = citizen.page
    for _ in range(2):
        expect(citizen.bubbles.nth(1)).to_have_text(f"đánh dấu {MARKUP}")
        expect(citizen.bubbles.nth(2)).to_contain_text(MARKUP)
        expect(citizen.last.get_by_role("button")).to_have_text([MARKUP])
        assert page.evaluate("document.querySelectorAll('#log img, #log script, #log b').length") == 0
        assert page.evaluate("document.querySelectorAll('#log a[href^=\"javascript\"]').length") == 0
        assert page.title() == "Hỏi đáp dịch vụ công – Thái Nguyên"
        page.reload()


def test_a_reload_keeps_the_conversation(citizen: Citizen, served: Served) -> None:
    citizen.opens().asks("đk tạm trú hết bn tiền")
    citizen.asks("thế nộp ở đâu")
    before = citizen.bubbles.all_text_contents()
    citizen.page.reload()
    expect(citizen.bubbles).to_have_text(before[:0] + [" ".join(text.split()) for text in before])
    expect(citizen.page.locator(".source")).to_have_count(2)
    citizen.page.locator(".step", has_text="Cần giấy tờ gì").last.click()
    expect(citizen.bubbles.nth(6)).to_contain_text("mẫu CT01")
    assert len(served.web.dialogue.said) == 4


def test_a_new_tab_goes_on_with_the_conversation_but_shows_nothing_of_it(
    citizen: Citizen, context: BrowserContext, served: Served
) -> None:
    citizen.opens().asks("đk tạm trú hết bn tiền")
    other = Citizen(context.new_page(), served.url).opens()
    expect(other.bubbles).to_have_count(1)
    other.asks("thế nộp ở đâu")
    assert sum(said.opened for said in served.web.dialogue.said) == 1


@pytest.mark.parametrize("width", [320, 360, 768, 1280])
def test_nothing_sticks_out_at_any_width(citizen: Citizen, width: int) -> None:
    citizen.page.set_viewport_size({"width": width, "height": 740})
    citizen.opens().asks("https://" + "a" * 300 + " đánh dấu")
    citizen.asks("làm lại giấy tờ bị mất")
    citizen.asks("đk tạm trú hết bn tiền")
    assert citizen.page.evaluate("document.documentElement.scrollWidth") == width
    outside = """[...document.querySelectorAll('main *, header *')].filter(node => {
        const box = node.getBoundingClientRect();
        return box.width > 1 && (box.left < 0 || box.right > innerWidth);
    }).length"""
    assert citizen.page.evaluate(outside) == 0


def test_letters_and_targets_are_large_on_a_phone(citizen: Citizen) -> None:
    citizen.opens().asks("đk tạm trú hết bn tiền")
    page = citizen.page
    assert page.evaluate("getComputedStyle(document.querySelector('.bubble')).fontSize") == "18px"
    small = """[...document.querySelectorAll('button, a.step, #question')].filter(node => {
        const box = node.getBoundingClientRect();
        return box.width && (box.height < 44 || box.width < 44);
    }).map(node => node.outerHTML)"""
    assert page.evaluate(small) == []


def test_the_answer_is_in_view_and_the_question_is_not_under_the_header(citizen: Citizen) -> None:
    citizen.opens()
    for text in ("đk tạm trú hết bn tiền", "làm lại giấy tờ bị mất", "đk tạm trú hết bn tiền"):
        citizen.asks(text)
    header = citizen.page.locator("header").bounding_box()
    question = citizen.page.locator(".citizen .bubble").last.bounding_box()
    answer = citizen.last.locator(".bubble").bounding_box()
    composer = citizen.page.locator(".composer").bounding_box()
    assert header and question and answer and composer
    assert question["y"] >= header["y"] + header["height"]
    assert answer["y"] + answer["height"] <= composer["y"]


def test_what_a_screen_reader_is_told(citizen: Citizen) -> None:
    citizen.opens().asks("đk tạm trú hết bn tiền")
    log = citizen.page.get_by_role("log", name="Cuộc trò chuyện")
    expect(log).to_have_attribute("aria-live", "polite")
    expect(log).to_contain_text("Anh/chị hỏi:")
    expect(log).to_contain_text("Kênh trả lời:")
    expect(citizen.page.locator("html")).to_have_attribute("lang", "vi")
    expect(citizen.page.get_by_role("heading", level=1)).to_have_text("Hỏi đáp dịch vụ công – Thái Nguyên")
    expect(citizen.question).to_have_attribute("aria-describedby", "care")


# bad lines


def test_a_message_that_did_not_leave_is_sent_again_under_the_same_id(citizen: Citizen, served: Served) -> None:
    citizen.opens()
    citizen.waits(lambda: len(citizen.posted) == 1)
    citizen.page.route("**/api/chat/messages", lambda route: route.abort())
    citizen.question.fill("đk tạm trú hết bn tiền")
    citizen.question.press("Enter")
    problem = citizen.page.locator(".problem")
    expect(problem).to_contain_text("Chưa gửi được.")
    citizen.page.unroute("**/api/chat/messages")
    citizen.page.reload()
    expect(problem).to_contain_text("Chưa gửi được.")
    citizen.page.get_by_role("button", name="Thử lại").click()
    expect(citizen.bubbles.nth(2)).to_contain_text("7.000 đồng")
    expect(problem).to_have_count(0)
    assert citizen.posted[-1] == citizen.posted[-2]
    assert len(served.web.dialogue.said) == 2
    assert all("ERR_FAILED" in complaint for complaint in citizen.complaints)
    citizen.complaints.clear()


def test_an_answer_that_got_lost_is_fetched_without_asking_twice(citizen: Citizen, served: Served) -> None:
    citizen.opens()
    citizen.waits(lambda: len(citizen.posted) == 1)

    def lose(route: Route) -> None:
        route.fetch()
        route.abort()

    citizen.page.route("**/api/chat/messages", lose, times=1)
    citizen.question.fill("đk tạm trú hết bn tiền")
    citizen.question.press("Enter")
    citizen.page.get_by_role("button", name="Thử lại").click()
    expect(citizen.bubbles.nth(2)).to_contain_text("7.000 đồng")
    assert len(served.web.dialogue.said) == 2
    citizen.complaints.clear()


def test_a_page_closed_in_mid_air_shows_the_answer_when_it_is_back(citizen: Citizen, served: Served) -> None:
    citizen.opens()
    citizen.waits(lambda: len(citizen.posted) == 1)
    citizen.page.route("**/api/chat/messages", lambda route: None)
    citizen.question.fill("đk tạm trú hết bn tiền")
    citizen.question.press("Enter")
    expect(citizen.page.locator(".typing")).to_be_visible()
    citizen.page.unroute("**/api/chat/messages")
    citizen.page.reload()
    expect(citizen.bubbles).to_have_count(3)
    expect(citizen.bubbles.nth(2)).to_contain_text("7.000 đồng")
    assert len(served.web.dialogue.said) == 2
    citizen.complaints.clear()


@pytest.mark.parametrize(("status", "again"), [(429, True), (503, True), (413, False), (422, False)])
def test_a_refusal_is_told_in_the_servers_words(citizen: Citizen, status: int, again: bool) -> None:
    citizen.opens()
    citizen.waits(lambda: len(citizen.posted) == 1)
    refusal = json.dumps({"detail": "Kênh đang bận."})
    citizen.page.route(
        "**/api/chat/messages",
        lambda route: route.fulfill(status=status, body=refusal, content_type="application/json"),
        times=1,
    )
    citizen.question.fill("thế nộp ở đâu")
    citizen.question.press("Enter")
    expect(citizen.page.locator(".problem")).to_contain_text("Kênh đang bận.")
    expect(citizen.page.get_by_role("button", name="Thử lại")).to_have_count(1 if again else 0)
    if again:
        citizen.page.get_by_role("button", name="Thử lại").click()
        expect(citizen.bubbles.nth(2)).to_have_text(PLACE.text)
    citizen.complaints.clear()


def test_a_page_of_html_instead_of_json_is_a_failure_like_any_other(citizen: Citizen) -> None:
    citizen.opens()
    citizen.waits(lambda: len(citizen.posted) == 1)
    citizen.page.route("**/api/chat/messages", lambda route: route.fulfill(status=502, body="<h1>Bad gateway"), times=1)
    citizen.question.fill("thế nộp ở đâu")
    citizen.question.press("Enter")
    expect(citizen.page.locator(".problem")).to_contain_text("Chưa gửi được.")
    citizen.complaints.clear()


def test_a_token_that_is_no_longer_known_is_replaced_unseen(citizen: Citizen) -> None:
    citizen.opens().asks("thế nộp ở đâu")
    citizen.page.evaluate("localStorage.setItem('congdanso.token', 'của khoá cũ'.length + 'x.y')")
    citizen.page.reload()
    citizen.asks("đk tạm trú hết bn tiền")
    expect(citizen.page.locator(".problem")).to_have_count(0)
    assert all("401" in complaint for complaint in citizen.complaints)
    citizen.complaints.clear()


def test_without_storage_it_works_as_long_as_the_page_is_open(citizen: Citizen) -> None:
    citizen.page.add_init_script(
        "for (const name of ['localStorage', 'sessionStorage'])"
        " Object.defineProperty(window, name, {get() { throw new DOMException('denied', 'SecurityError') }})"
    )
    citizen.opens().asks("đk tạm trú hết bn tiền")
    citizen.asks("thế nộp ở đâu")
    expect(citizen.bubbles).to_have_count(5)


def test_without_scripts_there_is_a_number_to_call_and_no_dead_button(browser: Browser, served: Served) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(served.url)
    expect(page.get_by_role("link", name="18001096")).to_have_attribute("href", "tel:18001096")
    expect(page.get_by_text("Kênh hỏi đáp dịch vụ công của tỉnh")).to_be_visible()
    expect(page.get_by_role("button")).to_have_count(0)
    context.close()


# what the bot says first


def _chat(citizen: Citizen) -> str:
    token = citizen.page.evaluate("localStorage.getItem('congdanso.token')")
    chat = Tokens("khoá của bài kiểm tra").chat_of(token)
    assert chat is not None
    return chat


def test_an_officers_answer_appears_by_itself_and_stays(citizen: Citizen, served: Served) -> None:
    citizen.opens().asks("đk tạm trú hết bn tiền")
    chat = _chat(citizen)
    citizen.waits(lambda: served.web.bells.count(chat) == 1)
    ids = served.run(served.web.push(chat, "Cán bộ trả lời: mức nộp trực tiếp là 15.000 đồng."))
    expect(citizen.last.locator(".bubble")).to_have_text("Cán bộ trả lời: mức nộp trực tiếp là 15.000 đồng.")
    citizen.waits(lambda: served.run(served.web.states(ids)) == ["sent"])
    citizen.page.reload()
    expect(citizen.bubbles).to_have_count(4)
    expect(citizen.last.locator(".bubble")).to_have_text("Cán bộ trả lời: mức nộp trực tiếp là 15.000 đồng.")


def test_what_was_said_while_the_page_was_away_is_there_when_it_is_back(citizen: Citizen, served: Served) -> None:
    citizen.opens().asks("đk tạm trú hết bn tiền")
    chat = _chat(citizen)
    citizen.page.goto("about:blank")
    citizen.waits(lambda: served.web.bells.count(chat) == 0)
    served.run(served.web.push(chat, "Mai cắt điện ở xóm Đồng."))
    citizen.opens()
    expect(citizen.last.locator(".bubble")).to_have_text("Mai cắt điện ở xóm Đồng.")
    citizen.page.reload()
    expect(citizen.page.get_by_text("Mai cắt điện ở xóm Đồng.")).to_have_count(1)


def test_starting_afresh_leaves_nothing_on_the_machine(citizen: Citizen) -> None:
    citizen.opens().asks("đk tạm trú hết bn tiền")
    before = _chat(citizen)
    citizen.page.once("dialog", lambda dialog: dialog.dismiss())
    citizen.page.get_by_role("button", name="Bắt đầu lại").click()
    expect(citizen.bubbles).to_have_count(3)
    citizen.page.once("dialog", lambda dialog: dialog.accept())
    citizen.page.get_by_role("button", name="Bắt đầu lại").click()
    expect(citizen.bubbles).to_have_count(1)
    citizen.waits(lambda: citizen.page.evaluate("localStorage.getItem('congdanso.token')") is not None)
    assert _chat(citizen) != before


def test_on_paper_stands_the_conversation_alone(citizen: Citizen) -> None:
    citizen.opens().asks("đk tạm trú hết bn tiền")
    citizen.page.emulate_media(media="print")
    expect(citizen.page.locator(".composer")).to_be_hidden()
    expect(citizen.page.locator(".steps").first).to_be_hidden()
    expect(citizen.page.locator(".source")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_letters_stand_out_from_their_ground(citizen: Citizen, scheme: Any) -> None:
    citizen.page.emulate_media(color_scheme=scheme)
    citizen.opens().asks("thế nộp ở đâu")
    citizen.asks("đk tạm trú hết bn tiền")
    contrasts = citizen.page.evaluate(
        """() => {
            const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
            const light = (colour) => {
                const [r, g, b] = numbers(colour).map((c) => c / 255)
                    .map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
                return 0.2126 * r + 0.7152 * g + 0.0722 * b;
            };
            const ground = (node) => {
                for (; node; node = node.parentElement) {
                    const colour = getComputedStyle(node).backgroundColor;
                    if (numbers(colour)[3] !== 0) return colour;
                }
            };
            const seen = {};
            const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
            while (walker.nextNode()) {
                const node = walker.currentNode.parentElement;
                if (!walker.currentNode.data.trim() || !node.offsetWidth) continue;
                const [a, b] = [light(getComputedStyle(node).color), light(ground(node))].sort((x, y) => y - x);
                seen[node.className + node.tagName] = (a + 0.05) / (b + 0.05);
            }
            return seen;
        }"""
    )
    assert len(contrasts) > 8
    assert {name: ratio for name, ratio in contrasts.items() if ratio < 4.5} == {}
