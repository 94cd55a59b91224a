"""The citizens' chat in a browser that runs no script, as somebody with an old phone or a careful office sees it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import select

from bot.storage.tables import conversation
from tests.browser.citizen import PHONE, needs_browser
from tests.browser.webapp import OPTIONS, PLACE, Served

pytestmark = needs_browser


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport=PHONE, java_script_enabled=False, locale="vi-VN")
    opened = context.new_page()
    complaints: list[str] = []
    opened.on("console", lambda message: complaints.append(message.text))
    yield opened
    assert complaints == []
    context.close()


def ask(page: Page, text: str) -> None:
    page.get_by_label("Câu hỏi của anh/chị", exact=True).fill(text)
    page.get_by_role("button", name="Gửi", exact=True).click()


def test_the_first_page_works_and_says_where_else_to_ask(page: Page, served: Served) -> None:
    page.goto(f"{served.url}/?u=phu-thong")
    expect(page.get_by_text("Kênh hỏi đáp dịch vụ công của tỉnh")).to_be_visible()
    expect(page.get_by_role("link", name="18001096").first).to_have_attribute("href", "tel:18001096")
    expect(page.get_by_role("link", name="trang hỏi đáp đơn giản")).to_have_attribute("href", "chat?u=phu-thong")
    expect(page.get_by_role("button")).to_have_text(["Gửi"])
    ask(page, "đk tạm trú hết bn tiền")
    expect(page.locator(".turn.bot")).to_contain_text("7.000 đồng")
    expect(page.locator(".turn.citizen")).to_contain_text("đk tạm trú hết bn tiền")
    assert [said.payload for said in served.web.dialogue.said] == ["u_phu-thong", ""]


def test_ask_press_and_choose(page: Page, served: Served) -> None:
    page.goto(f"{served.url}/chat")
    page.get_by_role("button", name="Đồng ý, bắt đầu").click()
    ask(page, "đk tạm trú hết bn tiền")
    expect(page.locator(".source")).to_have_text("Theo Cổng Dịch vụ công quốc gia, mã 1.004194, xem ngày 15/7/2026.")
    page.get_by_role("button", name="Cần giấy tờ gì").click()
    expect(page.locator(".turn.citizen")).to_contain_text("Cần giấy tờ gì")
    expect(page.get_by_role("link", name="Mẫu CT01 (PDF)")).to_have_attribute("href", "/materials/ct01.pdf")
    ask(page, "làm lại giấy tờ bị mất")
    expect(page.locator(".latest .step")).to_have_text([f"{i}. {o}" for i, o in enumerate(OPTIONS, 1)])


def test_the_new_answer_is_where_one_looks(page: Page, served: Served) -> None:
    page.goto(f"{served.url}/chat")
    for text in ("đk tạm trú hết bn tiền", "làm lại giấy tờ bị mất", "đk tạm trú hết bn tiền"):
        ask(page, text)
        asked = page.locator(".turn.citizen .bubble").bounding_box()
        header = page.locator("header").bounding_box()
        composer = page.locator(".composer").bounding_box()
        assert asked and header and composer
        assert header["y"] + header["height"] <= asked["y"] < composer["y"] - 100


def test_with_the_keyboard_alone(page: Page, served: Served) -> None:
    page.goto(f"{served.url}/chat")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Đến ô gõ câu hỏi")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.get_by_label("Câu hỏi của anh/chị", exact=True).focus()
    page.keyboard.type("thế nộp ở đâu")
    page.keyboard.press("Enter")
    expect(page.locator(".turn.bot .bubble")).to_have_text(PLACE.text)
    # After the answer, Tab goes on from it: first its source, then what can be asked next.
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Cổng Dịch vụ công quốc gia, mã 1.004194")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Cần giấy tờ gì")).to_be_focused()
    page.keyboard.press("Space")
    expect(page.get_by_role("link", name="Mẫu CT01 (PDF)")).to_be_visible()


def test_going_back_and_sending_again_asks_nothing_twice(page: Page, served: Served) -> None:
    page.goto(f"{served.url}/chat")
    ask(page, "đk tạm trú hết bn tiền")
    expect(page.locator(".turn.citizen")).to_be_visible()
    for step in (page.reload, page.go_back, page.go_forward):
        step()
        # Even the page of before is asked for anew, so nobody sees an old state of the talk.
        expect(page.locator(".turn.bot .bubble")).to_contain_text("7.000 đồng")
    assert [said.text for said in served.web.dialogue.said if said.text] == ["đk tạm trú hết bn tiền"]


def test_news_come_by_the_link(page: Page, served: Served) -> None:
    page.goto(f"{served.url}/chat")
    ask(page, "thế nộp ở đâu")

    async def chats() -> list[str]:
        async with served.web.database.read() as connection:
            return list((await connection.execute(select(conversation.c.chat))).scalars())

    [chat] = served.run(chats())
    for text in ("Mai cắt điện ở xóm Đồng.", "Cán bộ trả lời: được."):
        served.run(served.web.push(chat, text))
        page.get_by_role("link", name="Xem có tin mới không").click()
        expect(page.locator(".turn.bot .bubble").last).to_have_text(text)
