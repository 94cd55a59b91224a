"""An officer's answer over the API reaches the citizen on every channel: the open page without reload, the messengers by message."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import select, update

from analytics.tables import event
from bot.storage.tables import conversation
from congdanso.app import create
from congdanso.settings import Settings
from tests.browser.webapp import address_of
from tests.browser.webapp import server as listening
from tests.builders import until
from tests.emulators import telegram, zalo_bot, zalo_oa
from tests.emulators.server import serve
from tests.emulators.zalo_oa_events import ZaloEvents

if TYPE_CHECKING:
    from congdanso.app import Server
    from congdanso.brain import Brain

pytestmark = pytest.mark.anyio
SECRET = "a-secret-of-the-webhooks"
ASKED = "ruộng nhà tôi chưa có sổ, hỏi ai"
ANSWER = "Mời anh/chị mang giấy tờ đất đến bộ phận một cửa."
ARRIVES = f'Cán bộ xã Phủ Thông trả lời câu hỏi của anh/chị: "{ASKED}"\n\n{ANSWER}'
BOLD = f"<b>{ARRIVES}".replace("\n", "</b>\n", 1)
"""As Telegram gets it."""
API = "/api/questions"


@dataclass
class Province:
    """The whole server on a socket, three messengers around it, an officer with a key."""

    server: Server
    http: httpx.AsyncClient
    telegram: telegram.TelegramEmulator
    oa: zalo_oa.ZaloOaEmulator
    zalo_bot: zalo_bot.ZaloBotEmulator
    key: dict[str, str]
    events: ZaloEvents = field(default_factory=ZaloEvents)

    async def on_telegram(self, text: str) -> None:
        headers = {"X-Telegram-Bot-Api-Secret-Token": SECRET}
        said = self.telegram.message(77, text)
        posted = await self.http.post("/channels/telegram/default/webhook", json=said, headers=headers)
        assert posted.status_code == 200

    async def on_oa(self, text: str) -> None:
        self.oa.citizen("77")
        body, headers = self.events.signed(self.events.text("77", text))
        posted = await self.http.post("/channels/zalo-oa/webhook", content=body, headers=headers)
        assert posted.status_code == 200

    async def on_zalo_bot(self, text: str) -> None:
        headers = {"X-Bot-Api-Secret-Token": SECRET}
        said = self.zalo_bot.message("77", text)
        posted = await self.http.post("/channels/zalo-bot/default/webhook", json=said, headers=headers)
        assert posted.status_code == 200

    async def open_questions(self) -> list[dict[str, Any]]:
        return list((await self.http.get(API, headers=self.key)).json())

    async def asks(self, says: Callable[[str], Awaitable[None]], got: Callable[[], list[str]]) -> int:
        """Somebody sends a question to the officers of Phủ Thông; return its number."""
        # The first greeting says that questions are recorded: only the whole phrase tells that this one was.
        recorded = "đã được ghi lại cho cán bộ"
        for text, until_told in (("chọn xã Phủ Thông", "Phủ Thông"), ("gặp cán bộ", "gõ câu hỏi"), (ASKED, recorded)):
            await says(text)
            async with asyncio.timeout(20):
                while not any(until_told in said for said in got()):
                    await asyncio.sleep(0.05)
        [asked] = await self.open_questions()
        assert (asked["text"], asked["unit"], asked["kind"]) == (ASKED, "phu-thong", "officer")
        return int(asked["id"])

    async def answers(self, number: int) -> dict[str, Any]:
        answered = await self.http.post(f"{API}/{number}/answer", json={"text": ANSWER}, headers=self.key)
        assert answered.status_code == 200, answered.text
        return dict(answered.json())

    async def until_delivery(self, number: int, state: str) -> None:
        async with asyncio.timeout(20):
            while (await self.http.get(f"{API}/{number}", headers=self.key)).json()["delivery"] != state:
                await asyncio.sleep(0.05)


@pytest.fixture
async def province(database_url: str, tmp_path: Path, brain: Brain) -> AsyncIterator[Province]:
    one, two, three = telegram.TelegramEmulator(), zalo_oa.ZaloOaEmulator(), zalo_bot.ZaloBotEmulator()
    access, refresh = two.pair()
    with ExitStack() as stack:
        urls = [stack.enter_context(serve(emulator.app())) for emulator in (one, two, three)]
        settings = Settings(
            data_dir=tmp_path / "var",
            database_url=database_url,
            secret_key=SecretStr("test-key" * 5),
            public_url="https://bot.example.vn",
            telegram_token=SecretStr(one.token),
            telegram_api_url=urls[0],
            telegram_mode="webhook",
            telegram_webhook_secret=SecretStr(SECRET),
            zalo_oa_app_id=zalo_oa.APP_ID,
            zalo_oa_secret_key=SecretStr(zalo_oa.OA_SECRET),
            zalo_oa_app_secret=SecretStr(zalo_oa.APP_SECRET),
            zalo_oa_access_token=SecretStr(access),
            zalo_oa_refresh_token=SecretStr(refresh),
            zalo_oa_api_url=urls[1],
            zalo_oa_oauth_url=urls[1],
            zalo_bot_token=SecretStr(three.token),
            zalo_bot_api_url=urls[2],
            zalo_bot_webhook_secret=SecretStr(SECRET),
        )
        app = create(settings, brain)
        async with app.router.lifespan_context(app):
            running = listening(app)
            task = asyncio.create_task(running.serve())
            await until(lambda: running.started)
            wired: Server = app.state.server
            officer, _ = await wired.accounts.add("Nguyễn Thị Lan", "phu-thong", "officer")
            key = {"Authorization": f"Bearer {await wired.deliveries.chats.make_key(officer.login)}"}
            async with httpx.AsyncClient(base_url=address_of(running), timeout=20) as http:
                yield Province(wired, http, one, two, three, key)
            running.should_exit = True
            await task


async def test_an_open_page_shows_it_without_reload(province: Province) -> None:
    token = (await province.http.post("/api/chat/sessions")).json()["token"]
    mine = {"Authorization": f"Bearer {token}"}
    got: list[str] = []
    pushed: asyncio.Queue[str] = asyncio.Queue()

    async def says(text: str) -> None:
        body = {"id": f"m{len(got)}-{text[:8]}", "text": text}
        answer = await province.http.post("/api/chat/messages", json=body, headers=mine)
        got.extend(reply["text"] for reply in answer.json()["replies"])

    async def listen() -> None:
        async with province.http.stream("GET", "/api/chat/stream", headers=mine) as stream:
            async for line in stream.aiter_lines():
                if line.startswith("data: "):
                    pushed.put_nowait(json.loads(line.removeprefix("data: "))["text"])

    number = await province.asks(says, lambda: got)
    reading = asyncio.create_task(listen())
    await asyncio.sleep(0.3)
    assert (await province.answers(number))["delivery"] == "waiting_for_visit"
    async with asyncio.timeout(10):
        assert await pushed.get() == ARRIVES
    await province.until_delivery(number, "sent")
    assert pushed.empty()
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)


async def test_a_closed_page_finds_it_when_it_is_opened(province: Province) -> None:
    token = (await province.http.post("/api/chat/sessions")).json()["token"]
    mine = {"Authorization": f"Bearer {token}"}
    got: list[str] = []

    async def says(text: str) -> None:
        body = {"id": f"m{len(got)}-{text[:8]}", "text": text}
        answer = await province.http.post("/api/chat/messages", json=body, headers=mine)
        got.extend(reply["text"] for reply in answer.json()["replies"])

    number = await province.asks(says, lambda: got)
    await province.answers(number)
    await province.until_delivery(number, "waiting_for_visit")
    async with asyncio.timeout(10), province.http.stream("GET", "/api/chat/stream", headers=mine) as stream:
        async for line in stream.aiter_lines():
            if line.startswith("data: "):
                assert json.loads(line.removeprefix("data: "))["text"] == ARRIVES
                break
    await province.until_delivery(number, "sent")


async def test_on_telegram_it_is_a_message_and_only_a_code_remains_in_the_figures(province: Province) -> None:
    number = await province.asks(province.on_telegram, lambda: province.telegram.texts(77))
    await province.answers(number)
    await until(lambda: province.telegram.texts(77)[-1] == BOLD)
    again = await province.http.post(f"{API}/{number}/answer", json={"text": "Lần nữa"}, headers=province.key)
    assert (again.status_code, again.json()["state"]) == (409, "answered")
    await province.until_delivery(number, "sent")
    assert province.telegram.texts(77).count(BOLD) == 1
    async with province.server.database.read() as connection:
        query = select(event.c.unit, event.c.channel, event.c.visitor, event.c.data).where(event.c.name == "question")
        [row] = (await connection.execute(query)).all()
    assert tuple(row) == ("phu-thong", "telegram", None, {"what": "answered", "kind": "officer", "hours": 0})


async def test_on_a_zalo_bot_it_is_a_message(province: Province) -> None:
    number = await province.asks(province.on_zalo_bot, lambda: province.zalo_bot.texts("77"))
    await province.answers(number)
    await until(lambda: province.zalo_bot.texts("77")[-1] == ARRIVES)
    await province.until_delivery(number, "sent")


async def test_on_an_official_account_the_seven_days_are_kept_and_it_leaves_when_the_citizen_writes(
    province: Province,
) -> None:
    number = await province.asks(province.on_oa, lambda: province.oa.texts("77"))
    long_ago = datetime.now(UTC) - timedelta(days=8)
    async with province.server.database.write() as connection:
        await connection.execute(update(conversation).values(last_seen_at=long_ago))
    province.oa.citizen("77", ago=timedelta(days=8))
    before = len(province.oa.texts("77"))
    await province.answers(number)
    await province.until_delivery(number, "outside_window")
    assert len(province.oa.texts("77")) == before
    await province.on_oa("xin chào")
    await until(lambda: province.oa.texts("77")[-1] == ARRIVES)
    await province.until_delivery(number, "sent")
    assert province.oa.texts("77").count(ARRIVES) == 1
