"""The citizens' page in a real browser: what somebody with a phone, a keyboard, a screen reader or a bad line meets."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import BrowserContext, Route, expect

from bot.conversation.messages import say
from tests.browser.citizen import Citizen, needs_browser
from tests.browser.webapp import FEE, MARKUP, OPTIONS, PLACE, Served

pytestmark = needs_browser


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
        expect(citizen.last.locator("button.step")).to_have_text([MARKUP])
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


# what the bot says first


def test_an_officers_answer_appears_by_itself_and_stays(citizen: Citizen, served: Served) -> None:
    citizen.opens().asks("đk tạm trú hết bn tiền")
    chat = citizen.chat()
    citizen.waits(lambda: served.web.bells.count(chat) == 1)
    ids = served.run(served.web.push(chat, "Cán bộ trả lời: mức nộp trực tiếp là 15.000 đồng."))
    expect(citizen.last.locator(".bubble")).to_have_text("Cán bộ trả lời: mức nộp trực tiếp là 15.000 đồng.")
    citizen.waits(lambda: served.run(served.web.states(ids)) == ["sent"])
    citizen.page.reload()
    expect(citizen.bubbles).to_have_count(4)
    expect(citizen.last.locator(".bubble")).to_have_text("Cán bộ trả lời: mức nộp trực tiếp là 15.000 đồng.")


def test_what_was_said_while_the_page_was_away_is_there_when_it_is_back(citizen: Citizen, served: Served) -> None:
    citizen.opens().asks("đk tạm trú hết bn tiền")
    chat = citizen.chat()
    citizen.page.goto("about:blank")
    citizen.waits(lambda: served.web.bells.count(chat) == 0)
    served.run(served.web.push(chat, "Mai cắt điện ở xóm Đồng."))
    citizen.opens()
    expect(citizen.last.locator(".bubble")).to_have_text("Mai cắt điện ở xóm Đồng.")
    citizen.page.reload()
    expect(citizen.page.get_by_text("Mai cắt điện ở xóm Đồng.")).to_have_count(1)


def test_starting_afresh_leaves_nothing_on_the_machine(citizen: Citizen) -> None:
    citizen.opens().asks("đk tạm trú hết bn tiền")
    before = citizen.chat()
    again = citizen.page.get_by_role("button", name="Bắt đầu lại", exact=True)
    asked = citizen.page.get_by_role("group", name="Xoá cuộc trò chuyện này khỏi máy và bắt đầu lại?")
    again.click()
    expect(again).to_have_attribute("aria-expanded", "true")
    expect(asked.get_by_role("button", name="Giữ lại")).to_be_focused()
    citizen.page.keyboard.press("Enter")
    expect(asked).to_be_hidden()
    expect(again).to_be_focused()
    expect(citizen.bubbles).to_have_count(3)
    citizen.question.fill("gõ dở")
    again.click()
    asked.get_by_role("button", name="Xoá, bắt đầu lại").click()
    expect(citizen.bubbles).to_have_count(1)
    expect(citizen.question).to_have_value("")
    citizen.waits(lambda: citizen.page.evaluate("localStorage.getItem('congdanso.token')") is not None)
    assert citizen.chat() != before


def test_on_paper_stands_the_conversation_alone(citizen: Citizen) -> None:
    citizen.opens().asks("đk tạm trú hết bn tiền")
    citizen.page.emulate_media(media="print")
    expect(citizen.page.locator(".composer")).to_be_hidden()
    expect(citizen.page.locator(".steps").first).to_be_hidden()
    expect(citizen.page.locator(".source")).to_be_visible()


# passing an answer on


SHARED = "\n".join([*FEE.text.split("\n"), "Theo Cổng Dịch vụ công quốc gia, mã 1.004194, xem ngày 15/7/2026."])


def test_an_answer_is_shared_with_its_source(citizen: Citizen) -> None:
    citizen.page.add_init_script("navigator.share = async (what) => { window.shared = what; }")
    citizen.opens().asks("đk tạm trú hết bn tiền")
    citizen.page.get_by_role("button", name="Chia sẻ").click()
    citizen.waits(lambda: citizen.page.evaluate("window.shared") is not None)
    assert citizen.page.evaluate("window.shared") == {"text": f"{SHARED}\n{citizen.url}/"}
    assert len(citizen.posted) == 2, "nobody is told who shared what"


def test_where_nothing_can_be_shared_the_answer_is_copied(citizen: Citizen, context: BrowserContext) -> None:
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    citizen.page.add_init_script("delete Navigator.prototype.share")
    citizen.opens().asks("đk tạm trú hết bn tiền")
    share = citizen.page.get_by_role("button", name="Chia sẻ")
    share.click()
    expect(citizen.page.get_by_role("status")).to_have_text("Đã chép, anh/chị dán vào tin nhắn.")
    expect(share).to_be_focused()
    assert citizen.page.evaluate("navigator.clipboard.readText()") == f"{SHARED}\n{citizen.url}/"


def test_where_nothing_can_be_copied_it_says_so(citizen: Citizen) -> None:
    citizen.page.add_init_script(
        "delete Navigator.prototype.share; delete Navigator.prototype.clipboard; document.execCommand = () => false"
    )
    citizen.opens().asks("đk tạm trú hết bn tiền")
    citizen.page.get_by_role("button", name="Chia sẻ").click()
    expect(citizen.page.get_by_role("status")).to_have_text("Chưa chép được. Anh/chị bôi đen chữ rồi chép.")


def test_who_thinks_better_of_sharing_is_not_bothered(citizen: Citizen) -> None:
    citizen.page.add_init_script(
        "navigator.share = async () => { window.asked = true; throw new DOMException('', 'AbortError'); }"
    )
    citizen.opens().asks("đk tạm trú hết bn tiền")
    citizen.page.get_by_role("button", name="Chia sẻ").click()
    citizen.waits(lambda: bool(citizen.page.evaluate("window.asked")))
    expect(citizen.page.get_by_role("status")).to_have_text("")


# where somebody comes from


def test_a_communes_link_opens_the_conversation_with_the_commune_once(citizen: Citizen, served: Served) -> None:
    citizen.url += "/?u=phu-thong"
    citizen.opens()
    citizen.waits(lambda: len(citizen.posted) == 1)
    citizen.page.reload()
    citizen.asks("thế nộp ở đâu")
    assert [said.payload for said in served.web.dialogue.said] == ["u_phu-thong", ""]


def test_no_request_leaves_the_house(citizen: Citizen) -> None:
    asked: list[str] = []
    citizen.page.on("request", lambda request: asked.append(request.url))
    citizen.opens().asks("đk tạm trú hết bn tiền")
    for path in ("/chat", "/offline"):
        citizen.page.goto(citizen.url + path)
    assert len(asked) > 8
    assert [url for url in asked if not url.startswith(f"{citizen.url}/")] == []
