"""The chat inside a commune's site, put there by one line: what the visitor meets, and what the site can and cannot do."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.responses import HTMLResponse
from playwright.sync_api import (
    Browser,
    BrowserContext,
    FrameLocator,
    Locator,
    Page,
    Playwright,
    ViewportSize,
    expect,
)
from sqlalchemy import select

from bot.storage.tables import conversation
from tests.browser import audit
from tests.browser.citizen import ARGUMENTS, CHROMIUM, PHONE, needs_browser
from tests.browser.webapp import Served
from tests.emulators.server import serve

pytestmark = needs_browser
DESK: ViewportSize = {"width": 1280, "height": 800}
NAME = "Hỏi đáp dịch vụ công"
PUSHED = "Cán bộ trả lời: mang theo căn cước."


class Commune:
    """A commune's site on another origin, with styles of its own that would ruin anything it could reach."""

    def __init__(self) -> None:
        self.bot = ""
        self.url = ""
        self.allowed = True
        self.policy = ""
        self.lines = '<script src="{bot}/embed.js" data-unit="phu-thong" defer></script>'

    async def origins(self) -> Sequence[str]:
        return [self.url] if self.allowed else []

    def app(self) -> FastAPI:
        site = FastAPI()

        @site.get("/")
        def home() -> HTMLResponse:
            page = f"""<!doctype html><html lang="vi"><meta charset="utf-8"><title>Xã Phủ Thông</title>
                <meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">
                <link rel="stylesheet" href="site.css"><h1>Xã Phủ Thông</h1><p><a href="#x">Lịch tiếp công dân</a></p>
                {"<p>Thông báo.</p>" * 80}{self.lines.format(bot=self.bot)}"""
            return HTMLResponse(page, headers={"Content-Security-Policy": self.policy} if self.policy else {})

        @site.get("/site.css")
        def style() -> HTMLResponse:
            return HTMLResponse(
                "* { color: red !important; font: 40px serif !important; } button, dialog, iframe { display: none !important }",
                media_type="text/css",
            )

        return site


@pytest.fixture
def commune() -> Iterator[Commune]:
    site = Commune()
    with serve(site.app()) as url:
        # Another host than the bot's, not just another port: to the browser this is another site.
        site.url = url.replace("127.0.0.1", "localhost")
        yield site


@pytest.fixture
def served(tmp_path: Path, commune: Commune) -> Iterator[Served]:
    with Served(tmp_path / "web.db", embed_origins=commune.origins).running() as running:
        commune.bot = running.url
        yield running


class Visitor:
    """Somebody on the commune's site."""

    def __init__(self, page: Page, commune: Commune) -> None:
        self.page = page
        self.commune = commune
        self.requests: list[str] = []
        self.complaints: list[str] = []
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("console", lambda m: self.complaints.append(m.text) if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def arrives(self) -> Visitor:
        self.page.goto(self.commune.url)
        expect(self.launcher).to_be_visible()
        return self

    def opens(self) -> Visitor:
        self.arrives().launcher.click()
        expect(self.question).to_be_visible()
        return self

    @property
    def launcher(self) -> Locator:
        return self.page.get_by_role("button", name=NAME)

    @property
    def panel(self) -> Locator:
        return self.page.get_by_role("dialog", name="Hỏi đáp dịch vụ công – Thái Nguyên")

    @property
    def inside(self) -> FrameLocator:
        return self.page.frame_locator("iframe")

    @property
    def question(self) -> Locator:
        return self.inside.get_by_label("Câu hỏi của anh/chị", exact=True)

    def asks(self, text: str) -> None:
        self.question.fill(text)
        self.question.press("Enter")
        expect(self.inside.locator("#log .bot .source")).not_to_have_count(0)


@pytest.fixture
def visitor(browser: Browser, served: Served, commune: Commune) -> Iterator[Visitor]:
    context = browser.new_context(viewport=DESK, locale="vi-VN", reduced_motion="reduce")
    somebody = Visitor(context.new_page(), commune)
    yield somebody
    assert somebody.complaints == []
    assert context.cookies() == [], "no cookie, neither of ours nor of theirs"
    context.close()


async def chats(served: Served) -> list[str]:
    async with served.web.database.read() as connection:
        return list((await connection.execute(select(conversation.c.chat))).scalars())


def test_one_line_and_a_visitor_can_ask(visitor: Visitor, served: Served) -> None:
    visitor.arrives()
    bot = visitor.commune.bot
    assert [url for url in visitor.requests if url.startswith(bot)] == [f"{bot}/embed.js"], (
        "nothing else until it is pressed"
    )
    visitor.launcher.click()
    expect(visitor.panel).to_be_visible()
    visitor.asks("đk tạm trú hết bn tiền")
    expect(visitor.inside.locator("#log .bot").last).to_contain_text("7.000 đồng")
    assert [said.payload for said in served.web.dialogue.said] == ["u_phu-thong", ""], "the commune is known"
    assert not [url for url in visitor.requests if not url.startswith((bot, visitor.commune.url, "data:"))]


def test_the_sites_styles_stay_out_and_ours_stay_in(visitor: Visitor) -> None:
    visitor.opens()
    bar = visitor.panel.locator("p", has_text=NAME)
    assert bar.evaluate("node => getComputedStyle(node).fontSize") == "16px"
    assert bar.evaluate("node => getComputedStyle(node).color") == "rgb(255, 255, 255)"
    # Its own `!important` cannot be outdone on the host element, which therefore shows nothing by itself.
    link = visitor.page.get_by_role("link", name="Lịch tiếp công dân")
    assert link.evaluate("node => getComputedStyle(node).fontSize") == "40px"


def test_the_button_and_the_panel_are_big_enough_and_can_be_told_apart(visitor: Visitor) -> None:
    visitor.arrives()
    box = visitor.launcher.bounding_box()
    assert box and box["height"] >= 56 and box["x"] + box["width"] <= 1280 - 16
    colours = visitor.launcher.evaluate("n => [getComputedStyle(n).color, getComputedStyle(n).backgroundColor]")
    assert colours == ["rgb(255, 255, 255)", "rgb(11, 90, 80)"], "8.1 : 1"
    visitor.launcher.click()
    expect(visitor.question).to_be_visible()
    close = visitor.page.get_by_role("button", name="Đóng").bounding_box()
    assert close and close["width"] >= 44 and close["height"] >= 44
    frame = visitor.page.frames[1]
    assert audit.mistakes(frame) == [] and audit.outside(frame) == []
    expect(visitor.page.locator("iframe")).to_have_attribute("title", "Hỏi đáp dịch vụ công – Thái Nguyên")


@pytest.mark.parametrize("where", ["in the box", "on the button", "on the site"])
def test_escape_closes_and_the_focus_comes_back(visitor: Visitor, where: str) -> None:
    visitor.opens()
    visitor.asks("đk tạm trú hết bn tiền")
    if where == "on the button":
        visitor.page.get_by_role("button", name="Đóng").focus()
    elif where == "on the site":
        visitor.page.get_by_role("link", name="Lịch tiếp công dân").focus()
    visitor.page.keyboard.press("Escape")
    expect(visitor.panel).to_be_hidden()
    expect(visitor.launcher).to_be_visible()
    expect(visitor.launcher).to_be_focused()
    visitor.page.keyboard.press("Enter")
    expect(visitor.inside.locator("#log .bot").last).to_contain_text("7.000 đồng")


def test_with_the_keyboard_alone(visitor: Visitor) -> None:
    page = visitor.arrives().page
    for _ in range(2):
        page.keyboard.press("Tab")
    expect(visitor.launcher).to_be_focused()
    page.keyboard.press("Enter")
    expect(visitor.question).to_be_focused()
    page.keyboard.type("đk tạm trú hết bn tiền")
    page.keyboard.press("Enter")
    expect(visitor.inside.locator("#log .bot").last).to_contain_text("7.000 đồng")
    page.get_by_role("button", name="Đóng").focus()
    page.keyboard.press("Space")
    expect(visitor.panel).to_be_hidden()
    expect(visitor.launcher).to_be_focused()


def test_beside_the_page_both_can_be_used(visitor: Visitor) -> None:
    visitor.opens()
    visitor.page.get_by_role("link", name="Lịch tiếp công dân").click()
    assert visitor.page.url.endswith("#x")
    expect(visitor.panel).to_be_visible()
    assert (
        visitor.page.evaluate(
            "document.querySelector('congdanso-chat').shadowRoot.querySelector('dialog').matches(':modal')"
        )
        is False
    )


def test_on_a_phone_it_fills_the_screen_and_nothing_behind_it_can_be_reached(visitor: Visitor) -> None:
    visitor.page.set_viewport_size(PHONE)
    visitor.opens()
    box = visitor.panel.bounding_box()
    assert box == {"x": 0, "y": 0, "width": 360, "height": 740}
    assert visitor.page.evaluate(
        "document.querySelector('congdanso-chat').shadowRoot.querySelector('dialog').matches(':modal')"
    )
    visitor.asks("đk tạm trú hết bn tiền")
    frame = visitor.page.frames[1]
    assert audit.too_small(frame) == [] and audit.outside(frame) == []
    visitor.page.keyboard.press("Escape")
    expect(visitor.panel).to_be_hidden()


def test_what_comes_while_the_panel_is_closed_is_told_at_the_button(visitor: Visitor, served: Served) -> None:
    visitor.opens()
    visitor.asks("đk tạm trú hết bn tiền")
    visitor.page.keyboard.press("Escape")
    [chat] = served.run(chats(served))
    served.run(served.web.push(chat, PUSHED))
    expect(visitor.page.get_by_role("button", name=f"{NAME} Có tin mới")).to_be_visible()
    expect(visitor.page.get_by_role("status")).to_have_text(f"{NAME}: Có tin mới")
    visitor.launcher.click()
    expect(visitor.inside.locator("#log .turn").last).to_contain_text(PUSHED)
    visitor.page.keyboard.press("Escape")
    expect(visitor.page.get_by_text("Có tin mới", exact=True)).to_be_hidden()


def test_a_site_that_is_not_on_the_list_gets_a_link_instead(visitor: Visitor, commune: Commune) -> None:
    commune.allowed = False
    visitor.page.clock.install()
    visitor.arrives().launcher.click()
    visitor.page.clock.fast_forward(11_000)
    notice = visitor.panel.get_by_role("alert")
    expect(notice).to_contain_text("Cửa sổ hỏi đáp chưa mở được ở đây.")
    link = notice.get_by_role("link", name="Mở trang hỏi đáp")
    expect(link).to_have_attribute("href", f"{commune.bot}/?u=phu-thong")
    expect(link).to_have_attribute("target", "_blank")
    visitor.page.keyboard.press("Escape")
    expect(visitor.panel).to_be_hidden()
    assert all("frame-ancestors" in complaint for complaint in visitor.complaints)
    visitor.complaints.clear()


def test_a_strict_policy_of_the_sites_own_needs_two_words(visitor: Visitor, commune: Commune) -> None:
    commune.policy = (
        f"default-src 'none'; style-src 'self'; img-src data:; script-src {commune.bot}; frame-src {commune.bot}"
    )
    visitor.opens()
    visitor.asks("đk tạm trú hết bn tiền")
    box = visitor.panel.bounding_box()
    assert box and box["width"] == 400, "the styles came through"


@pytest.mark.parametrize(
    "lines",
    [
        '<script src="{bot}/embed.js" data-unit="phu-thong" defer></script>' * 2,
        '<script src="{bot}/embed.js" data-unit="phu-thong"></script>',
        (
            "<script>const s = document.createElement('script'); s.src = '{bot}/embed.js';"
            " s.dataset.unit = 'phu-thong'; document.body.append(s)</script>"
        ),
    ],
    ids=["twice", "not deferred", "by another script"],
)
def test_however_the_line_got_there_it_is_one_button(
    visitor: Visitor, commune: Commune, served: Served, lines: str
) -> None:
    commune.lines = lines.replace("{", "{{").replace("}", "}}").replace("{{bot}}", "{bot}")
    visitor.opens()
    visitor.asks("đk tạm trú hết bn tiền")
    expect(visitor.page.locator("congdanso-chat")).to_have_count(1)
    assert served.web.dialogue.said[0].payload == "u_phu-thong"


@pytest.mark.parametrize("unit", ["", 'data-unit=""', 'data-unit="../x?&quot;"', 'data-unit="Phủ Thông"'])
def test_without_a_unit_that_can_be_one_it_is_the_provinces(
    visitor: Visitor, commune: Commune, served: Served, unit: str
) -> None:
    commune.lines = f'<script src="{{bot}}/embed.js" {unit} defer></script>'
    visitor.opens()
    visitor.asks("đk tạm trú hết bn tiền")
    assert served.web.dialogue.said[0].payload == ""


def test_on_the_other_side_if_that_one_is_taken(visitor: Visitor, commune: Commune) -> None:
    commune.lines = '<script src="{bot}/embed.js" data-unit="phu-thong" data-side="left" defer></script>'
    box = visitor.arrives().launcher.bounding_box()
    assert box and box["x"] == 16


def test_a_browser_too_old_for_a_panel_gets_a_link(visitor: Visitor, commune: Commune) -> None:
    visitor.page.add_init_script("delete window.HTMLDialogElement")
    visitor.page.goto(commune.url)
    link = visitor.page.get_by_role("link", name=NAME)
    expect(link).to_have_attribute("href", f"{commune.bot}/?u=phu-thong")
    expect(link).to_be_visible()


def test_styles_come_in_an_older_browser_too(visitor: Visitor) -> None:
    visitor.page.add_init_script("delete CSSStyleSheet.prototype.replaceSync")
    visitor.opens()
    box = visitor.panel.bounding_box()
    assert box and box["width"] == 400


@pytest.mark.parametrize(("motion", "animation"), [("reduce", "none"), ("no-preference", "rise")])
def test_nothing_moves_for_whoever_does_not_want_it(visitor: Visitor, motion: Any, animation: str) -> None:
    visitor.page.emulate_media(reduced_motion=motion)
    visitor.opens()
    assert visitor.panel.evaluate("node => getComputedStyle(node).animationName") == animation


def test_the_site_hears_nothing_of_the_talk(visitor: Visitor) -> None:
    visitor.page.add_init_script("window.heard = []; addEventListener('message', (event) => heard.push(event.data))")
    visitor.opens()
    visitor.asks("đk tạm trú hết bn tiền")
    visitor.page.keyboard.press("Escape")
    expect(visitor.panel).to_be_hidden()
    assert visitor.page.evaluate("heard") == ["congdanso:ready", "congdanso:close"]
    document = "document.querySelector('congdanso-chat').shadowRoot.querySelector('iframe').contentDocument"
    assert visitor.page.evaluate(document) is None, "nor can it look inside"


def test_words_of_strangers_do_not_move_the_panel(visitor: Visitor) -> None:
    visitor.opens()
    visitor.page.evaluate("postMessage('congdanso:close', '*')")
    visitor.page.wait_for_timeout(200)
    expect(visitor.panel).to_be_visible()


def test_on_paper_there_is_no_button(visitor: Visitor) -> None:
    visitor.arrives()
    visitor.page.emulate_media(media="print")
    expect(visitor.page.locator("congdanso-chat .launcher")).to_be_hidden()


@contextmanager
def profile(playwright: Playwright, folder: Path, blocks: int) -> Iterator[BrowserContext]:
    """A browser of somebody who uses it every day, and who lets sites in frames keep something or not."""
    (folder / "Default").mkdir(parents=True)
    settings = {"profile": {"cookie_controls_mode": blocks, "block_third_party_cookies": bool(blocks)}}
    (folder / "Default" / "Preferences").write_text(json.dumps(settings), encoding="utf-8")
    context = playwright.chromium.launch_persistent_context(
        folder, executable_path=CHROMIUM, args=ARGUMENTS, viewport=DESK, locale="vi-VN"
    )
    yield context
    context.close()


STORAGE = "(() => { try { localStorage.getItem('x'); return 'kept' } catch (e) { return e.name } })()"


@pytest.mark.parametrize(("blocks", "storage"), [(1, "SecurityError"), (0, "kept")], ids=["blocked", "allowed"])
def test_whether_frames_may_keep_something_or_not(
    served: Served, commune: Commune, playwright: Playwright, tmp_path: Path, blocks: int, storage: str
) -> None:
    """Blocked, the conversation lasts as long as the site's page is open; allowed, it goes on on its next page."""
    with profile(playwright, tmp_path / "profile", blocks) as context:
        visitor = Visitor(context.new_page(), commune).opens()
        assert visitor.page.frames[1].evaluate(STORAGE) == storage
        visitor.asks("đk tạm trú hết bn tiền")
        visitor.page.keyboard.press("Escape")
        visitor.launcher.click()
        visitor.question.fill("thế nộp ở đâu")
        visitor.question.press("Enter")
        expect(visitor.inside.locator("#log .bot").last).to_contain_text("Công an xã")
        assert sum(said.opened for said in served.web.dialogue.said) == 1, "still the same conversation"
        visitor.opens().asks("đk tạm trú hết bn tiền")
        assert sum(said.opened for said in served.web.dialogue.said) == (2 if blocks else 1)
        assert visitor.complaints == [] and context.cookies() == []
