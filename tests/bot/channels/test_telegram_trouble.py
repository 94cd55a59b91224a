"""Updates that are broken, forged or in bad company, and a Telegram that is not itself: nothing is held up, nothing is told."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI
from sqlalchemy import select
from telegram.error import TelegramError

from bot.channels.telegram import TelegramChannel, TelegramPoller, webhook_router
from bot.inbox import accept
from bot.messages import Incoming, masked
from bot.storage.database import Database
from bot.storage.tables import checkpoint, inbox, metadata
from tests.builders import MORNING
from tests.emulators.server import serve
from tests.emulators.telegram import BOT, TOKEN, Fault, TelegramEmulator

pytestmark = pytest.mark.anyio
SECRET = "bí mật của bà Lan"
PAGE = "<html>Truy cập bị chặn</html>"


@pytest.fixture
def emulator() -> TelegramEmulator:
    return TelegramEmulator()


@pytest.fixture
def url(emulator: TelegramEmulator) -> Iterator[str]:
    with serve(emulator.app()) as address:
        yield address


@pytest.fixture
async def channel(url: str) -> AsyncIterator[TelegramChannel]:
    opened = TelegramChannel("default", TOKEN, api_url=url, webhook_secret="s3cret")
    yield opened
    await opened.stop()


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Database]:
    opened = Database(f"sqlite:///{tmp_path / 'door.db'}")
    async with opened.write() as connection:
        await connection.run_sync(metadata.create_all)
    yield opened
    await opened.close()


async def stored(store: Database) -> list[str]:
    async with store.read() as connection:
        return list((await connection.execute(select(inbox.c.text).order_by(inbox.c.id))).scalars())


class Run:
    """A poller that runs until the inbox holds what the test waits for."""

    def __init__(self, channel: TelegramChannel, store: Database) -> None:
        self._store = store
        self.accepted: list[Incoming] = []
        self.poller = TelegramPoller(
            channel, store, self._accept, lambda: None, lambda: MORNING, long_poll=1, patience=(0.02,)
        )

    async def _accept(self, incoming: Incoming) -> None:
        await accept(self._store, incoming)
        self.accepted.append(incoming)

    async def until(self, texts: list[str]) -> None:
        task = asyncio.create_task(self.poller.run())
        try:
            async with asyncio.timeout(20):
                while not (found := await stored(self._store)) or len(found) < len(texts):
                    await asyncio.sleep(0.02)
                    assert not task.done()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        assert await stored(self._store) == texts


async def test_an_update_nobody_can_read_holds_up_no_other_and_is_not_told(
    channel: TelegramChannel, emulator: TelegramEmulator, store: Database, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.WARNING, logger="aiosqlite")  # congdanso.logs keeps it quiet for the same reason
    emulator.message(1, "trước")
    emulator.update(message={"message_id": 1, "chat": "1", "text": SECRET})
    emulator.update(message={"text": SECRET})
    emulator.update(something_new={"text": SECRET})
    last = emulator.message(1, "sau")
    await Run(channel, store).until(["trước", "sau"])
    assert [r.message for r in caplog.records if r.levelno >= logging.WARNING] == ["unreadable update left out"] * 2
    for told in (SECRET, "lan_nguyen", TOKEN, "trước"):
        assert told not in caplog.text
    async with store.read() as connection:
        offset = await connection.scalar(select(checkpoint.c.value))
    assert offset is not None and int(offset) >= last["update_id"]


@pytest.mark.parametrize(
    "fault",
    [
        Fault(200, page=f'{{"ok":true,"result":[{{"update_id":1,"message":{{"text":"{SECRET}'),
        Fault(200, page=PAGE),
        Fault(200, page='{"ok":true,"result":{}}'),
        Fault(200, page='{"ok":true,"result":[null,{},{"update_id":"x"}]}'),
        Fault(401, page=PAGE),
        Fault(403, page=PAGE),
        Fault(404, page=PAGE),
        Fault(502, "Bad Gateway"),
        Fault(drop=True),
    ],
    ids=["cut off", "page", "no list", "no updates", "page 401", "page 403", "page 404", "502", "dropped"],
)
async def test_an_answer_that_is_not_telegrams_is_waited_out(
    channel: TelegramChannel,
    emulator: TelegramEmulator,
    store: Database,
    caplog: pytest.LogCaptureFixture,
    fault: Fault,
) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.WARNING, logger="aiosqlite")  # congdanso.logs keeps it quiet for the same reason
    emulator.message(1, "một")
    emulator.faults["getUpdates"] = [fault]
    await Run(channel, store).until(["một"])
    assert channel.problem == ""
    assert SECRET not in caplog.text


async def test_a_menu_that_is_refused_does_not_stop_the_bot(
    channel: TelegramChannel, emulator: TelegramEmulator, store: Database
) -> None:
    emulator.message(1, "một")
    emulator.faults["setMyCommands"] = [Fault(400, "Bad Request: BOT_COMMAND_INVALID")] * 9
    await Run(channel, store).until(["một"])


async def test_a_conflict_is_told_once(
    channel: TelegramChannel, emulator: TelegramEmulator, store: Database, caplog: pytest.LogCaptureFixture
) -> None:
    emulator.message(1, "một")
    emulator.faults["getUpdates"] = [Fault(409, "Conflict: terminated by other getUpdates request")] * 4
    await Run(channel, store).until(["một"])
    assert [r.message for r in caplog.records if r.levelno == logging.ERROR] == ["somebody else polls this bot"]


async def test_a_webhook_set_meanwhile_is_ended(
    channel: TelegramChannel, emulator: TelegramEmulator, store: Database
) -> None:
    emulator.message(1, "một")
    await Run(channel, store).until(["một"])
    await channel.set_webhook("https://example.vn")
    emulator.message(1, "hai")
    await Run(channel, store).until(["một", "hai"])
    assert emulator.webhook == {}


async def test_a_second_run_begins_behind_the_first(
    channel: TelegramChannel, emulator: TelegramEmulator, store: Database
) -> None:
    first, second = Run(channel, store), Run(channel, store)
    emulator.message(1, "một")
    emulator.message(1, "hai")
    await first.until(["một", "hai"])
    async with asyncio.timeout(5):  # the offset is written behind the last message
        async with store.read() as connection:
            offset = await connection.scalar(select(checkpoint.c.value))
    emulator.message(1, "ba")
    await second.until(["một", "hai", "ba"])
    repeated = 0 if offset == "1002" else 1
    assert len(second.accepted) == 1 + repeated


async def test_polling_ends_at_once_when_told_to(
    channel: TelegramChannel, emulator: TelegramEmulator, store: Database
) -> None:
    poller = TelegramPoller(channel, store, Run(channel, store)._accept, lambda: None, lambda: MORNING, long_poll=25)
    task = asyncio.create_task(poller.run())
    async with asyncio.timeout(10):
        while not any(method == "getUpdates" for method, _ in emulator.calls):
            await asyncio.sleep(0.01)
    task.cancel()
    async with asyncio.timeout(1):
        await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled()


async def test_a_slow_acknowledgement_does_not_hold_up_the_next_update(
    channel: TelegramChannel, emulator: TelegramEmulator, store: Database
) -> None:
    emulator.faults["answerCallbackQuery"] = [Fault(delay=3)]
    emulator.press(1, "t:tam-tru")
    emulator.message(1, "một")
    async with asyncio.timeout(2.5):
        await Run(channel, store).until(["t:tam-tru", "một"])


# what an update may hold


def private(**message: Any) -> dict[str, Any]:
    base = {"message_id": 5, "date": 1_790_000_000, "chat": {"id": 77, "type": "private"}}
    return {"update_id": 9, "message": base | {"from": {"id": 77, "is_bot": False, "first_name": "Lan"}} | message}


def group(**message: Any) -> dict[str, Any]:
    return private(chat={"id": -5, "type": "supergroup", "title": "Thôn"}, **message)


def pressed(data: str) -> dict[str, Any]:
    return {
        "update_id": 9,
        "callback_query": {
            "id": "q",
            "chat_instance": "1",
            "data": data,
            "from": {"id": 77, "is_bot": False, "first_name": "Lan"},
            "message": {"chat": {"id": 77, "type": "private"}, "message_id": 3, "date": 0},
        },
    }


FILE = {"file_id": "a", "file_unique_id": "b"}
SIZED = FILE | {"width": 1, "height": 1, "duration": 1}
PLACE = {"latitude": 21.5, "longitude": 105.8}
HELD: list[tuple[str, dict[str, Any], tuple[str, str] | None]] = [
    ("phone in a link", private(text="/start 0912345678"), ("opened", "")),
    ("identity number in a link", private(text="/start 019203004567"), ("opened", "")),
    ("letters no link has", private(text="/start Nguyễn.Lan"), ("opened", "")),
    ("campaign", private(text="/start c_thue-dat-2026_qr01"), ("opened", "c_thue-dat-2026_qr01")),
    ("words behind start", private(text="/start làm hộ chiếu"), ("text", "/start làm hộ chiếu")),
    ("not start", private(text="/started"), ("text", "/started")),
    ("start of a group", group(text=f"/start@{BOT['username']} c_x"), ("opened", "c_x")),
    ("help of a group", group(text=f"/trogiup@{BOT['username']}"), ("text", "/trogiup")),
    ("mention at the end", group(text=f"làm hộ chiếu @{BOT['username']}"), ("text", "làm hộ chiếu")),
    ("mention of a longer name", group(text=f"@{BOT['username']}2 ơi"), None),
    ("mention and nothing else", group(text=f"@{BOT['username']}"), None),
    ("old button", pressed("t:tam-tru"), ("button", "t:tam-tru")),
    ("forged data", pressed("Nguyễn Thị Lan 0912345678"), ("button", "")),
    ("long data", pressed("a" * 65), ("button", "")),
    ("animation, which is a document too", private(animation=SIZED, document=FILE), ("unsupported", "animation")),
    ("video", private(video=SIZED), ("unsupported", "video")),
    ("round video", private(video_note=FILE | {"length": 1, "duration": 1}), ("unsupported", "video_note")),
    ("audio", private(audio=FILE | {"duration": 1}), ("unsupported", "audio")),
    (
        "sticker",
        private(sticker=FILE | {"width": 1, "height": 1, "is_animated": False, "is_video": False, "type": "regular"}),
        ("unsupported", "sticker"),
    ),
    (
        "venue, which is a location too",
        private(venue={"location": PLACE, "title": "Nhà bà Lan", "address": "Tổ 1"}, location=PLACE),
        ("unsupported", "venue"),
    ),
    ("dice", private(dice={"emoji": "🎲", "value": 3}), ("unsupported", "dice")),
    ("pinned", private(pinned_message=private(text="x")["message"]), None),
    ("joined", group(new_chat_members=[BOT]), None),
    ("migrated", group(migrate_from_chat_id=-5), None),
    ("edited button", {"update_id": 9, "edited_channel_post": private(text="x")["message"]}, None),
    ("no id", {"message": private(text="x")["message"]}, None),
    ("nested nonsense", {"update_id": 9, "message": [1, [2]]}, None),
    ("not an object", {"update_id": 9, "message": "x"}, None),
]


@pytest.mark.parametrize(("raw", "expected"), [h[1:] for h in HELD], ids=[h[0] for h in HELD])
async def test_what_is_stored_of_an_update(
    channel: TelegramChannel, raw: dict[str, Any], expected: tuple[str, str] | None
) -> None:
    await channel.identify()
    incoming = channel.parse(raw, MORNING)
    assert (None if incoming is None else (incoming.kind, incoming.text)) == expected
    if incoming is not None:
        kept = repr(masked(incoming))
        assert not [personal for personal in ("Lan", "0912345678", "019203004567", "Tổ 1") if personal in kept]


async def test_an_album_is_one_thing(channel: TelegramChannel, emulator: TelegramEmulator, store: Database) -> None:
    photo = [FILE | {"width": 1, "height": 1}]
    for _ in range(3):
        emulator.update(message=private(photo=photo, media_group_id="55")["message"])
    emulator.update(message=private(photo=photo)["message"])
    emulator.message(77, "xong")
    await Run(channel, store).until(["photo", "photo", "xong"])


async def test_the_question_under_a_picture_of_an_album_is_answered_wherever_it_stands(
    channel: TelegramChannel, emulator: TelegramEmulator, store: Database
) -> None:
    photo = [FILE | {"width": 1, "height": 1}]
    for caption in ({}, {"caption": "nộp ở đâu"}, {}):
        emulator.update(message=private(photo=photo, media_group_id="56", **caption)["message"])
    emulator.message(77, "xong")
    await Run(channel, store).until(["photo", "nộp ở đâu", "xong"])


async def test_a_bot_that_does_not_know_its_name_still_reads_private_chats_and_commands(
    channel: TelegramChannel,
) -> None:
    found = [channel.parse(raw, MORNING) for raw in (private(text="a"), group(text="/trogiup"), group(text="@x a"))]
    assert [f.text if f else None for f in found] == ["a", "/trogiup", None]


# the webhook, over sockets


@asynccontextmanager
async def beside(app: FastAPI) -> AsyncIterator[str]:
    """Serve an application in the test's own loop, where its database and channel live."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="off", ws="none"))
        task = asyncio.create_task(server.serve([listener]))
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            await task


async def test_a_webhook_needs_a_secret(url: str, emulator: TelegramEmulator) -> None:
    channel = TelegramChannel("default", TOKEN, api_url=url)
    with pytest.raises(TelegramError):
        await channel.set_webhook("https://example.vn")
    assert emulator.webhook == {}
    await channel.stop()


async def test_what_the_webhook_could_not_store_is_delivered_again_and_stored_once(
    channel: TelegramChannel, emulator: TelegramEmulator, store: Database
) -> None:
    refusals = iter([True, False, True])

    async def flaky(incoming: Incoming) -> None:
        if next(refusals, False):
            raise OSError("disk full")
        await accept(store, incoming)

    app = FastAPI()
    app.include_router(webhook_router({"default": channel}, flaky, lambda: MORNING))
    async with beside(app) as public_url:
        await channel.identify()
        await channel.set_webhook(public_url)
        assert emulator.webhook["secret_token"] == "s3cret"
        emulator.repeat(emulator.message(1, "một"))
        emulator.update(message=group(text=f"@{BOT['username']} hai")["message"])
        emulator.press(1, "t:tam-tru")
        assert await emulator.deliver() == 4
        assert await stored(store) == ["một", "hai", "t:tam-tru"]
        async with asyncio.timeout(5):
            while not any(method == "answerCallbackQuery" for method, _ in emulator.calls):
                await asyncio.sleep(0.02)
