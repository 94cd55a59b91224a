"""For everybody: with a screen reader, a keyboard, a thumb, large letters, little light; with and without scripts."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser import audit
from tests.browser.citizen import Citizen, needs_browser
from tests.browser.webapp import Served

pytestmark = needs_browser


def full_page(citizen: Citizen) -> Page:
    """The page with one of everything on it: answers, choices, a file, a failure, a question asked back."""
    citizen.opens().asks("https://" + "a" * 300 + " đánh dấu")
    citizen.asks("làm lại giấy tờ bị mất")
    citizen.asks("đk tạm trú hết bn tiền")
    citizen.page.get_by_role("button", name="Cần giấy tờ gì").click()
    expect(citizen.page.get_by_role("link", name="Mẫu CT01 (PDF)")).to_be_visible()
    citizen.page.route("**/api/chat/messages", lambda route: route.abort(), times=1)
    citizen.question.fill("thế nộp ở đâu")
    citizen.question.press("Enter")
    expect(citizen.page.get_by_role("button", name="Thử lại")).to_be_visible()
    citizen.page.get_by_role("button", name="Bắt đầu lại", exact=True).click()
    citizen.complaints.clear()
    return citizen.page


def plain_page(citizen: Citizen) -> Page:
    """The page without scripts, after some talk and with a complaint."""
    page = citizen.page
    page.goto(f"{citizen.url}/chat")
    for text in ("https://" + "a" * 300 + " đánh dấu", "làm lại giấy tờ bị mất", "đk tạm trú hết bn tiền"):
        page.fill("#question", text)
        page.press("#question", "Enter")
        page.wait_for_load_state()
    page.get_by_role("button", name="Cần giấy tờ gì").last.click()
    expect(page.get_by_role("link", name="Mẫu CT01 (PDF)")).to_be_visible()
    page.evaluate("for (const input of document.getElementsByName('form')) input.value = 'x'")
    page.fill("#question", "thế nộp ở đâu")
    page.press("#question", "Enter")
    expect(page.get_by_role("alert")).to_contain_text("Câu hỏi chưa gửi.")
    citizen.complaints.clear()
    return page


def notice(citizen: Citizen) -> Page:
    citizen.page.goto(f"{citizen.url}/offline")
    return citizen.page


def framed(citizen: Citizen) -> Page:
    citizen.page.goto(f"{citizen.url}/embed?u=phu-thong")
    citizen.asks("đk tạm trú hết bn tiền")
    return citizen.page


PAGES = [full_page, plain_page, notice, framed]


@pytest.mark.parametrize("opened", PAGES)
def test_nothing_is_without_a_name_or_out_of_order(citizen: Citizen, opened: Any) -> None:
    page = opened(citizen)
    assert audit.mistakes(page) == []
    assert audit.too_small(page) == []


def test_the_audit_finds_what_it_is_for(citizen: Citizen) -> None:
    citizen.opens()
    citizen.page.evaluate(
        """() => {
            document.querySelector('main').insertAdjacentHTML('beforeend', `
                <button id="question"></button><img src="static/web/x"><h4>x</h4><a href="#x" tabindex="3">x</a>
                <p aria-hidden="true"><button id="left">x</button></p>
                <input aria-describedby="nobody">`);
            Object.assign(document.getElementById('left').style, {position: 'absolute', left: '-9px'});
            document.documentElement.lang = '';
        }"""
    )
    found = {one.split(":")[0] for one in audit.mistakes(citizen.page)}
    assert found == {
        "no name", "no alternative", "twice the same id", "refers to nothing", "out of order",
        "hidden but reachable", "no language", "a level of headings is left out",
    }  # fmt: skip
    assert audit.too_small(citizen.page) != []
    assert audit.outside(citizen.page) != []
    citizen.complaints.clear()


@pytest.mark.parametrize("opened", PAGES)
@pytest.mark.parametrize("width", [320, 360, 768, 1280])
def test_nothing_sticks_out_at_any_width(citizen: Citizen, opened: Any, width: int) -> None:
    citizen.page.set_viewport_size({"width": width, "height": 740})
    page = opened(citizen)
    assert audit.outside(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") == width


@pytest.mark.parametrize("opened", PAGES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_letters_stand_out_from_their_ground(citizen: Citizen, opened: Any, scheme: Any) -> None:
    citizen.page.emulate_media(color_scheme=scheme)
    found = audit.contrasts(opened(citizen))
    assert len(found) >= 5
    assert {name: ratio for name, ratio in found.items() if ratio < 4.5} == {}


@pytest.mark.parametrize("opened", [full_page, plain_page])
def test_twice_as_large_everything_is_still_there(citizen: Citizen, opened: Any) -> None:
    """A window of 1280 by 800 at 200 %: half as many pixels either way."""
    citizen.page.set_viewport_size({"width": 640, "height": 400})
    page = opened(citizen)
    assert page.evaluate("document.documentElement.scrollWidth") == 640
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    box = page.get_by_label("Câu hỏi của anh/chị", exact=True)
    for needed in (
        box,
        page.get_by_role("button", name="Gửi", exact=True),
        page.get_by_role("link", name="18001096").last,
    ):
        expect(needed).to_be_in_viewport(ratio=0.9)
    expect(page.get_by_role("button", name="Bắt đầu lại", exact=True)).to_be_in_viewport(ratio=0.9)
    page.evaluate("scrollTo(0, 0)")
    covered = page.evaluate(
        """() => {
            const tops = [...document.querySelectorAll('header, .composer')].map((node) => node.getBoundingClientRect());
            return tops.reduce((sum, box) => sum + Math.max(0, Math.min(box.bottom, innerHeight) - Math.max(box.top, 0)), 0);
        }"""
    )
    assert covered < 300, "something of the talk is to be seen"


@pytest.mark.parametrize("opened", [full_page, plain_page])
def test_the_tab_key_goes_down_the_page_and_shows_where_it_is(citizen: Citizen, opened: Any) -> None:
    stops = audit.tabbed(opened(citizen))
    assert stops[0]["what"] == "Đến ô gõ câu hỏi"
    assert [stop["place"] for stop in stops] == sorted(stop["place"] for stop in stops)
    assert [stop["what"] for stop in stops if not stop["outlined"] or not stop["inView"]] == []
    names = [stop["what"] for stop in stops]
    assert names.index("Mẫu CT01 (PDF)") < names.index("question") < names.index("Gửi") < names.index("Bắt đầu lại")


def test_letters_are_large_on_a_phone(citizen: Citizen) -> None:
    citizen.opens()
    size = "getComputedStyle(document.querySelector('{}')).fontSize"
    assert citizen.page.evaluate(size.format(".bubble")) == "18px"
    assert citizen.page.evaluate(size.format("#question")) == "18px"
    citizen.page.goto(f"{citizen.url}/chat")
    assert citizen.page.evaluate(size.format("#question")) == "18px", "and a phone does not zoom in by itself"


def test_what_a_screen_reader_is_told(citizen: Citizen) -> None:
    citizen.opens().asks("đk tạm trú hết bn tiền")
    log = citizen.page.get_by_role("log", name="Cuộc trò chuyện")
    expect(log).to_have_attribute("aria-live", "polite")
    expect(log).to_contain_text("Anh/chị hỏi:")
    expect(log).to_contain_text("Kênh trả lời:")
    expect(citizen.page.locator("html")).to_have_attribute("lang", "vi")
    expect(citizen.page.get_by_role("heading", level=1)).to_have_text("Hỏi đáp dịch vụ công – Thái Nguyên")
    expect(citizen.question).to_have_attribute("aria-describedby", "care")


def test_nothing_moves_for_whoever_does_not_want_it(citizen: Citizen) -> None:
    citizen.opens()
    assert citizen.page.evaluate("getComputedStyle(document.documentElement).scrollBehavior") == "auto"
    citizen.page.emulate_media(reduced_motion="no-preference")
    assert citizen.page.evaluate("getComputedStyle(document.documentElement).scrollBehavior") == "smooth"


def test_both_pages_draw_a_reply_alike(citizen: Citizen, served: Served, context: BrowserContext) -> None:
    """What the script draws and what the server draws, node by node."""
    outline = """(turn) => {
        const plain = (node) => node.nodeType === 3 ? node.data.trim() : node.nodeType !== 1 || node.type === 'hidden'
            || node.classList.contains('share') ? '' : '<' + (node.tagName === 'FORM' ? 'DIV' : node.tagName) + ' '
            + [...node.classList].filter((one) => one !== 'latest').join(' ') + ' ' + (node.getAttribute('href') || '') + '>'
            + [...node.childNodes].map(plain).join('');
        return plain(turn);
    }"""
    citizen.opens()
    other = context.new_page()
    other.goto(f"{served.url}/chat")
    for text in ("đk tạm trú hết bn tiền", "làm lại giấy tờ bị mất", "thế nộp ở đâu", "đánh dấu"):
        citizen.asks(text)
        other.fill("#question", text)
        other.press("#question", "Enter")
        other.wait_for_load_state()
        drawn = citizen.last.evaluate(outline)
        assert other.locator(".turn.bot").last.evaluate(outline) == drawn
        assert len(drawn) > 100
