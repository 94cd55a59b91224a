"""An officer's morning in a real browser: the one-time link, the login, an announcement on its way, the figures."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect
from pydantic import SecretStr
from sqlalchemy import insert

from bot.announcements.lanes import Lane
from bot.conversation.model import Session
from bot.storage.database import Database
from bot.storage.tables import conversation
from congdanso.app import Server, create
from congdanso.settings import Settings
from tests.browser.citizen import needs_browser
from tests.emulators.server import serve
from tests.emulators.telegram import TOKEN, Fault, TelegramEmulator

if TYPE_CHECKING:
    from congdanso.brain import Brain

pytestmark = needs_browser
PASSWORD = "rừng xanh suối trong 12"
SIZES = ({"width": 360, "height": 740}, {"width": 1280, "height": 800})
QUESTIONS = (
    "dk tam tru het bn tien",
    "làm giấy khai sinh cần gì",
    "khai sinh nộp ở đâu",
    "mất căn cước làm lại ở đâu",
    "công an gọi bảo cập nhật vneid có phải lừa đảo không",
    "bỏ thuế khoán là sao",
    "mai có mưa không",
    "đăng ký xe máy mất mấy ngày",
)


def run(work: Coroutine[Any, Any, Any]) -> Any:
    """Run something asynchronous beside the browser's own loop."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result(timeout=60)


@dataclass
class Office:
    """A running server with citizens of Phủ Thông on an emulated Telegram."""

    server: Server
    url: str
    telegram: TelegramEmulator
    database_url: str

    async def settle(self, citizens: int = 100) -> None:
        now, ward = datetime.now(UTC), self.server.brain.places.by_slug("phu-thong").code
        rows = [
            {
                "channel": "telegram",
                "account": "default",
                "chat": str(5000 + i),
                "session": Session(greeted=True).as_dict(),
                "ward": ward,
                "subscribed": True,
                "created_at": now,
                "last_seen_at": now,
            }
            for i in range(citizens)
        ]
        database = Database(self.database_url)
        async with database.write() as connection:
            await connection.execute(insert(conversation), rows)
        await database.close()

    def citizens_ask(self) -> None:
        """Seven people of the province on the web, each with some questions, the first of them from Phủ Thông."""
        with httpx.Client(base_url=self.url, timeout=30) as client:
            for person in range(7):
                token = client.post("/api/chat/sessions").json()["token"]
                lines = [{"payload": "c:ok"}, {"text": "Phủ Thông" if person < 5 else "Đức Xuân"}]
                lines += [{"text": q} for q in QUESTIONS[: 3 + person % 5]]
                lines += [{"payload": "k:phong-chong-lua-dao"}]
                for number, line in enumerate(lines):
                    answer = client.post(
                        "/api/chat/messages",
                        json={"id": str(number), **line},
                        headers={"Authorization": f"Bearer {token}"},
                    )
                    assert answer.status_code == 200

    async def announce(self) -> int:
        database = Database(self.database_url)
        service = self.server.deliveries.announcements
        service = type(service)(
            database,
            self.server.brain.places,
            clock=lambda: datetime.now(UTC),
            accounts=[Lane("telegram", "default"), Lane("web", "default")],
        )
        plan = await service.plan(
            "phu-thong",
            "Sáng thứ Bảy 28/11/2026, trạm y tế khám sức khoẻ cho người cao tuổi. Mời bà con đến từ 7 giờ 30.",
            urgent_reason="thử trong bài kiểm tra",
        )
        number = await service.start(plan, author="nguyen-thi-lan")
        await database.close()
        return number

    async def first_link(self) -> str:
        from console.accounts import Accounts

        database = Database(self.database_url)
        accounts = Accounts(database, self.server.brain.places, lambda: datetime.now(UTC))
        token = await accounts.first_link()
        await database.close()
        assert token is not None
        return f"{self.url}/console/link/{token}"


@pytest.fixture
def office(tmp_path: Path, brain: Brain) -> Iterator[Office]:
    emulator = TelegramEmulator(latency=0.05)
    with serve(emulator.app()) as telegram_url:
        settings = Settings(
            data_dir=tmp_path / "var",
            secret_key=SecretStr("test-key" * 5),
            telegram_token=SecretStr(TOKEN),
            telegram_api_url=telegram_url,
        )
        app = create(settings, brain)
        server: Server = app.state.server
        with serve(app, lifespan="on") as url:
            made = Office(server, url, emulator, settings.url())
            run(made.settle())
            yield made


def picture(page: Page, name: str) -> None:
    """Take pictures at both sizes; kept where CONGDANSO_SCREENSHOTS says, and checked for a page that is too wide."""
    folder = os.environ.get("CONGDANSO_SCREENSHOTS")
    for size in SIZES:
        page.set_viewport_size(size)
        page.wait_for_load_state("networkidle")
        too_wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert too_wide <= 0, f"{name} scrolls sideways at {size['width']} px"
        if folder:
            page.evaluate("document.querySelectorAll('img[loading]').forEach((i) => { i.loading = 'eager'; })")
            page.wait_for_load_state("networkidle")
            page.screenshot(path=Path(folder) / f"{name}-{size['width']}.png", full_page=True)


def test_from_the_link_to_the_figures(office: Office, browser: Browser) -> None:
    blocked = "5003"
    office.telegram.chats[blocked] = Fault(403, "Forbidden: bot was blocked by the user")
    office.citizens_ask()
    page = browser.new_context(locale="vi-VN").new_page()
    complaints: list[str] = []
    page.on("console", lambda m: complaints.append(m.text) if m.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))

    page.goto(run(office.first_link()))
    page.get_by_label("Họ và tên").fill("Nguyễn Thị Lan")
    page.get_by_label("Mật khẩu mới").fill(PASSWORD)
    page.get_by_label("Gõ lại mật khẩu").fill(PASSWORD)
    picture(page, "link")
    page.get_by_role("button", name="Lưu mật khẩu").click()
    expect(page.locator(".name")).to_have_text("nguyen-thi-lan")
    page.get_by_role("link", name="Đăng nhập").click()
    page.get_by_label("Tên đăng nhập").fill("nguyen-thi-lan")
    page.get_by_label("Mật khẩu").fill(PASSWORD)
    picture(page, "login")
    page.get_by_role("button", name="Đăng nhập").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Số liệu sử dụng – Tỉnh Thái Nguyên")

    number = run(office.announce())
    page.get_by_role("link", name="Thông báo").click()
    page.get_by_role("link", name=re.compile("Sáng thứ Bảy")).click()
    done = page.locator("[data-done]")
    seen = {done.inner_text()}
    expect(page.locator("[data-state]")).to_have_text("đang gửi")
    picture(page, "announcement-on-its-way")
    for _ in range(100):
        seen.add(done.inner_text())
        if page.locator("[data-state]").inner_text().startswith("đã xong"):
            break
        page.wait_for_timeout(100)
    expect(page.locator("[data-state]")).to_contain_text("đã xong")
    assert len(seen) >= 3, f"the numbers moved while it was watched, without reloading: {seen}"
    result = page.locator("section table")
    # Five citizens of the web chose the commune but did not subscribe.
    expect(result.get_by_role("row", name="đã gửi (kênh đã nhận)")).to_contain_text("99")
    expect(result.get_by_role("row", name=re.compile("đã chặn hoặc rời kênh"))).to_contain_text("1")
    expect(page.get_by_role("button", name="Dừng gửi")).to_have_count(0)
    picture(page, "announcement-closed")
    page.get_by_role("link", name="Tất cả thông báo").click()
    expect(page.get_by_role("row", name=re.compile("Xã Phủ Thông"))).to_contain_text("99/100")
    picture(page, "announcements")

    page.get_by_role("link", name="Số liệu").click()
    tile = page.locator(".tiles div")
    expect(tile.filter(has_text="Tài liệu đã phát")).to_contain_text("7")
    expect(tile.filter(has_text="Thông báo kênh đã nhận")).to_contain_text("99")
    expect(page.get_by_role("row", name=re.compile("Đăng ký tạm trú"))).to_contain_text("7")
    picture(page, "figures")
    page.get_by_role("link", name="Bộ tài liệu").click()
    expect(page.locator(".pack").filter(has_text="lừa đảo").first).to_contain_text("Đã phát 7 lần")
    picture(page, "packs")

    page.set_viewport_size(SIZES[0])
    page.get_by_role("button", name="Đăng xuất").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Đăng nhập trang cán bộ")
    page.goto(f"{office.url}/console/announcements/{number}")
    expect(page.get_by_role("heading", level=1)).to_have_text("Đăng nhập trang cán bộ")
    assert complaints == []


def test_without_scripts_the_pages_still_tell(office: Office, browser: Browser) -> None:
    link = run(office.first_link())
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(link)
    page.get_by_label("Họ và tên").fill("Nguyễn Thị Lan")
    page.get_by_label("Mật khẩu mới").fill(PASSWORD)
    page.get_by_label("Gõ lại mật khẩu").fill(PASSWORD)
    page.get_by_role("button", name="Lưu mật khẩu").click()
    page.get_by_role("link", name="Đăng nhập").click()
    page.get_by_label("Tên đăng nhập").fill("nguyen-thi-lan")
    page.get_by_label("Mật khẩu").fill(PASSWORD)
    page.get_by_role("button", name="Đăng nhập").click()
    number = run(office.announce())
    page.goto(f"{office.url}/console/announcements/{number}")
    expect(page.locator("[data-state]")).to_contain_text("đã xong", timeout=30_000)
