"""Voice and pictures on every messenger: a kind answer, and nothing of what was sent is fetched or kept."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from fastapi import FastAPI
from sqlalchemy import select
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bot.channels.telegram import TelegramChannel, TelegramPoller
from bot.channels.zalo_bot import ZaloBotChannel, ZaloBotPoller
from bot.channels.zalo_oa import Accounts, last_interactions, seeded, webhook_router, zalo_oa_channel
from bot.channels.zalo_oa.updates import PATH
from bot.inbox import accept
from bot.messages import Incoming
from bot.storage.database import Database
from bot.storage.tables import conversation, inbox, outbox, review
from tests.builders import answering, until
from tests.emulators import telegram, zalo_bot, zalo_oa
from tests.emulators.server import beside, serve
from tests.emulators.zalo_oa_events import ZaloEvents

from .zalo_oa.stores import MemorySecrets

if TYPE_CHECKING:
    from congdanso.brain import Brain

pytestmark = pytest.mark.anyio

FILE = {"file_id": "f-cccd", "file_unique_id": "u", "file_size": 9}
PICTURES = [
    ("photo", [FILE | {"width": 9, "height": 9}], "không được tải về"),
    ("voice", FILE | {"duration": 3}, "chưa nghe được tin thoại"),
    ("document", FILE | {"file_name": "cccd-019203004567.pdf"}, "không nhận hồ sơ"),
    ("sticker", FILE | {"width": 9, "height": 9, "type": "regular", "is_animated": False, "is_video": False}, "hình dán"),
    ("location", {"latitude": 21.5942, "longitude": 105.8482}, "vị trí"),
    ("contact", {"phone_number": "0912345678", "first_name": "Lan"}, "số điện thoại"),
]  # fmt: skip


@dataclass
class Trap:
    """A server that holds what a citizen sent; whoever fetches it is noted."""

    fetched: list[str] = field(default_factory=list)

    def app(self) -> Starlette:
        async def fetch(request: Request) -> Response:
            self.fetched.append(request.url.path)
            return Response(b"an identity card", media_type="image/jpeg")

        return Starlette(routes=[Route("/{path:path}", fetch)])


@pytest.fixture
def trap() -> Trap:
    return Trap()


@pytest.fixture
def trap_url(trap: Trap) -> Iterator[str]:
    with serve(trap.app()) as url:
        yield url


@asynccontextmanager
async def polled(poller: TelegramPoller | ZaloBotPoller) -> AsyncIterator[None]:
    task = asyncio.create_task(poller.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def everything_stored(database: Database) -> str:
    async with database.read() as connection:
        tables = (conversation, inbox, outbox, review)
        return repr([(await connection.execute(select(t))).mappings().all() for t in tables])


def now() -> datetime:
    return datetime.now(UTC)


async def test_telegram(database: Database, brain: Brain) -> None:
    emulator = telegram.TelegramEmulator()
    for name, content, _ in PICTURES:
        update = emulator.message(77, "", **{name: content, "caption": "căn cước 019203004567"})
        del update["message"]["text"]
    with serve(emulator.app()) as url:
        channel = TelegramChannel("default", telegram.TOKEN, api_url=url)
        async with answering(database, brain, channel) as pump:

            async def store(incoming: Incoming) -> Any:
                return await accept(database, incoming)

            async with polled(TelegramPoller(channel, database, store, pump.wake, now, long_poll=1)):
                await until(lambda: len(emulator.texts(77)) > len(PICTURES))
        await channel.stop()
    answers = [text for text in emulator.texts(77) if "Kênh hỏi đáp" not in text]
    for answer, (_, _, words) in zip(answers, PICTURES, strict=True):
        assert words in answer
    assert {method for method, _ in emulator.calls}.isdisjoint({"getFile", "download"})
    stored = await everything_stored(database)
    assert not any(private in stored for private in ("f-cccd", "019203004567", "0912345678", "21.5942", "Lan"))


async def test_zalo_oa(database: Database, brain: Brain, trap: Trap, trap_url: str) -> None:
    emulator = zalo_oa.ZaloOaEmulator()
    emulator.citizen("77")
    secrets = MemorySecrets()
    given = seeded({}, *emulator.pair())
    assert given is not None
    await secrets.write(given)

    def attached(kind: str, **payload: Any) -> dict[str, Any]:
        return {"attachments": [{"type": kind, "payload": payload}]}

    async def store(incoming: Incoming) -> None:
        await accept(database, incoming)

    with serve(emulator.app()) as url:
        channel = zalo_oa_channel(
            "default", app_id=zalo_oa.APP_ID, oa_secret=zalo_oa.OA_SECRET, app_secret=zalo_oa.APP_SECRET,
            secrets=secrets, clock=now, api_url=url, business_url=url, oauth_url=url, oa_id=zalo_oa.OA_ID,
            last_interaction=last_interactions(database, "default"),
        )  # fmt: skip
        async with answering(database, brain, channel) as pump:
            app = FastAPI()
            app.include_router(webhook_router(Accounts(lambda: [channel]), store, now))
            async with beside(app) as base:
                events = ZaloEvents(base + PATH)
                lan = {"thumbnail": f"{trap_url}/t.jpg", "url": f"{trap_url}/cccd.jpg"}
                private = {"description": '{"phone":"0912345678"}', "title": "Lan"}
                for made in (
                    events.user("image", "77", text="số 019203004567", **attached("image", **lan)),
                    events.user("audio", "77", **attached("audio", url=f"{trap_url}/a.aac")),
                    events.user(
                        "file", "77", **attached("file", url=f"{trap_url}/f.pdf", name="cccd-019203004567.pdf")
                    ),
                    events.user("sticker", "77", **attached("sticker", id="1", url=f"{trap_url}/s.webp")),
                    events.user("location", "77", **attached("location", coordinates={"latitude": "21.5942"})),
                    events.user("business_card", "77", **attached("link", url=f"{trap_url}/c", **private)),
                ):
                    assert await events.post(made) == 200
                    pump.wake()
                await until(lambda: len(emulator.texts("77")) > 6)
        await channel.stop()
    answers = [text for text in emulator.texts("77") if "Kênh hỏi đáp" not in text]
    expected = ("không được tải về", "chưa nghe được", "không nhận hồ sơ", "hình dán", "vị trí", "số điện thoại")
    for answer, words in zip(answers, expected, strict=True):
        assert words in answer
    assert trap.fetched == []
    stored = await everything_stored(database)
    assert not any(held in stored for held in ("cccd", "019203004567", "0912345678", "21.5942", trap_url, "Lan"))


async def test_zalo_bot(database: Database, brain: Brain, trap: Trap, trap_url: str) -> None:
    emulator = zalo_bot.ZaloBotEmulator()
    emulator.event("message.image.received", "lan", photo_url=f"{trap_url}/cccd.jpg", caption="số 019203004567")
    emulator.event("message.image.received", "lan", photo=f"{trap_url}/cccd2.jpg")
    emulator.event("message.voice.received", "lan", voice_url=f"{trap_url}/a.aac")
    emulator.event("message.sticker.received", "lan", sticker="0e07", url=f"{trap_url}/s.webp")
    emulator.event("message.unsupported.received", "lan")
    with serve(emulator.app()) as url:
        channel = ZaloBotChannel("default", zalo_bot.TOKEN, api_url=url)
        async with answering(database, brain, channel) as pump:

            async def store(incoming: Incoming) -> Any:
                return await accept(database, incoming)

            async with polled(ZaloBotPoller(channel, store, pump.wake, now, long_poll=1)):
                await until(lambda: len(emulator.texts("lan")) > 5)
        await channel.stop()
    answers = [text for text in emulator.texts("lan") if "Kênh hỏi đáp" not in text]
    expected = ("không được tải về", "không được tải về", "chưa nghe được", "hình dán", "chỉ đọc được chữ")
    for answer, words in zip(answers, expected, strict=True):
        assert words in answer
    assert trap.fetched == []
    stored = await everything_stored(database)
    assert not any(private in stored for private in ("cccd", "019203004567", trap_url, "Lan"))
