"""Updates on their way in: stored before they are acknowledged, each handled once, whatever dies in between."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import func, select

from bot.channels.telegram import TelegramChannel, TelegramPoller, webhook_router
from bot.inbox import accept
from bot.storage.database import Database
from bot.storage.tables import checkpoint, inbox
from tests.builders import MORNING
from tests.emulators.server import serve
from tests.emulators.telegram import BOT, TOKEN, Fault, TelegramEmulator

pytestmark = pytest.mark.anyio
ROOT = Path(__file__).parents[3]


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


async def rows(database: Database) -> list[str]:
    async with database.read() as connection:
        return list((await connection.execute(select(inbox.c.text).order_by(inbox.c.id))).scalars())


async def until(condition: Any, seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while not await condition():
            await asyncio.sleep(0.02)


class Polling:
    """A poller that runs while the test looks."""

    def __init__(self, channel: TelegramChannel, database: Database, store: Any = None) -> None:
        async def default(incoming: Any) -> None:
            await accept(database, incoming)

        self.poller = TelegramPoller(
            channel, database, store or default, lambda: None, lambda: MORNING, long_poll=1, patience=(0.05,)
        )

    async def __aenter__(self) -> asyncio.Task[None]:
        self.task = asyncio.create_task(self.poller.run())
        return self.task

    async def __aexit__(self, *_: object) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


async def test_updates_are_stored_and_the_offset_follows(
    channel: TelegramChannel, emulator: TelegramEmulator, database: Database
) -> None:
    emulator.message(1, "một")
    last = emulator.message(2, "hai")

    async def offset() -> bool:
        async with database.read() as connection:
            return await connection.scalar(select(checkpoint.c.value)) == str(last["update_id"] + 1)

    async with Polling(channel, database):
        await until(offset)
    assert await rows(database) == ["một", "hai"]


async def test_an_update_that_comes_twice_is_stored_once(
    channel: TelegramChannel, emulator: TelegramEmulator, database: Database
) -> None:
    update = emulator.message(1, "một")
    emulator.repeat(update)
    emulator.message(1, "hai")

    async def both() -> bool:
        return len(await rows(database)) >= 2

    async with Polling(channel, database):
        await until(both)
    assert await rows(database) == ["một", "hai"]


async def test_what_the_database_could_not_take_stays_at_telegram(
    channel: TelegramChannel, emulator: TelegramEmulator, database: Database
) -> None:
    emulator.message(1, "một")
    failures = 3

    async def flaky(incoming: Any) -> None:
        nonlocal failures
        if failures:
            failures -= 1
            raise OSError("disk full")
        await accept(database, incoming)

    async def stored() -> bool:
        return bool(await rows(database))

    async with Polling(channel, database, flaky):
        await until(stored)
    assert failures == 0
    assert await rows(database) == ["một"]


async def test_faults_of_the_messenger_are_waited_out(
    channel: TelegramChannel, emulator: TelegramEmulator, database: Database
) -> None:
    emulator.faults["getUpdates"] = [
        Fault(502, "Bad Gateway"),
        Fault(409, "Conflict: other getUpdates"),
        Fault(429, "Too Many Requests", {"retry_after": 1}),
        Fault(drop=True),
    ]
    emulator.message(1, "một")

    async def stored() -> bool:
        return bool(await rows(database))

    async with Polling(channel, database):
        await until(stored)
    assert channel.problem == ""


async def test_an_unknown_token_ends_polling_and_is_visible(
    emulator: TelegramEmulator, url: str, database: Database
) -> None:
    channel = TelegramChannel("default", "1:wrong", api_url=url)
    async with Polling(channel, database) as task:
        await asyncio.wait_for(task, 10)
    assert channel.problem == "InvalidToken"
    await channel.stop()


async def test_a_pressed_button_stops_waiting(
    channel: TelegramChannel, emulator: TelegramEmulator, database: Database
) -> None:
    emulator.press(1, "t:tam-tru")

    async def answered() -> bool:
        return any(method == "answerCallbackQuery" for method, _ in emulator.calls)

    async with Polling(channel, database):
        await until(answered)


class TestWebhook:
    @pytest.fixture
    async def client(self, channel: TelegramChannel, database: Database) -> AsyncIterator[httpx.AsyncClient]:
        async def store(incoming: Any) -> None:
            await accept(database, incoming)

        app = FastAPI()
        app.include_router(webhook_router({"default": channel}, store, lambda: MORNING))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as opened:
            yield opened

    URL = "/channels/telegram/default/webhook"
    SECRET = {"X-Telegram-Bot-Api-Secret-Token": "s3cret"}

    async def test_a_genuine_update_is_stored_then_acknowledged(
        self, client: httpx.AsyncClient, emulator: TelegramEmulator, database: Database
    ) -> None:
        answer = await client.post(self.URL, json=emulator.message(1, "một"), headers=self.SECRET)
        assert answer.status_code == 200
        assert await rows(database) == ["một"]

    async def test_a_groups_mention_waits_at_telegram_until_the_bot_knows_its_name(
        self, client: httpx.AsyncClient, channel: TelegramChannel, emulator: TelegramEmulator, database: Database
    ) -> None:
        emulator.faults["getMe"] = [Fault(delay=5)]
        village = {"chat": {"id": -5, "type": "supergroup", "title": "Thôn 3"}}
        mention = emulator.message(1, "@cds_test_bot tạm trú cần gì", **village)
        began = time.monotonic()
        assert (await client.post(self.URL, json=mention, headers=self.SECRET)).status_code == 503
        assert time.monotonic() - began < 1.0
        assert not [method for method, _ in emulator.calls if method == "getMe"]
        emulator.faults.clear()
        await channel.identify()
        assert (await client.post(self.URL, json=mention, headers=self.SECRET)).status_code == 200
        assert await rows(database) == ["tạm trú cần gì"]

    async def test_what_needs_no_name_is_taken_before_it_is_known(
        self, client: httpx.AsyncClient, emulator: TelegramEmulator, database: Database
    ) -> None:
        village = {"chat": {"id": -5, "type": "supergroup", "title": "Thôn 3"}}
        answer = emulator.message(2, "câu hỏi của bot")["message"] | {"from": BOT} | village
        updates = [
            emulator.message(1, "email của tôi là a@b.vn"),
            emulator.message(1, "chuyện của thôn", **village),
            emulator.message(1, "thế lệ phí", **village, reply_to_message=answer),
            emulator.message(1, "thế bác", **village, reply_to_message=answer | {"from": {**BOT, "id": 9}}),
        ]
        statuses = [(await client.post(self.URL, json=u, headers=self.SECRET)).status_code for u in updates]
        assert statuses == [200] * 4
        assert (await rows(database))[1:] == ["thế lệ phí"]

    @pytest.mark.parametrize(
        "headers", [{}, {"X-Telegram-Bot-Api-Secret-Token": ""}, {"X-Telegram-Bot-Api-Secret-Token": "S3cret"}]
    )
    async def test_without_the_secret_nothing_is_stored(
        self, client: httpx.AsyncClient, emulator: TelegramEmulator, database: Database, headers: dict[str, str]
    ) -> None:
        answer = await client.post(self.URL, json=emulator.message(1, "một"), headers=headers)
        assert answer.status_code == 403
        assert await rows(database) == []

    async def test_an_account_without_a_secret_refuses_everything(
        self, client: httpx.AsyncClient, channel: TelegramChannel, emulator: TelegramEmulator
    ) -> None:
        channel.secret = ""
        answer = await client.post(
            self.URL, json=emulator.message(1, "một"), headers={"X-Telegram-Bot-Api-Secret-Token": ""}
        )
        assert answer.status_code == 403

    @pytest.mark.parametrize(
        ("body", "status"),
        [(b"{", 400), (b"[]", 400), (b"{}", 200), (b'{"update_id": 1}', 200), (b"x" * 1_100_000, 413)],
    )
    async def test_bodies_that_are_no_update(self, client: httpx.AsyncClient, body: bytes, status: int) -> None:
        assert (await client.post(self.URL, content=body, headers=self.SECRET)).status_code == status

    async def test_an_unknown_account_is_not_found(self, client: httpx.AsyncClient) -> None:
        assert (await client.post("/channels/telegram/other/webhook", json={}, headers=self.SECRET)).status_code == 404

    async def test_what_cannot_be_stored_is_refused_so_that_it_comes_again(
        self, channel: TelegramChannel, emulator: TelegramEmulator
    ) -> None:
        async def full(incoming: Any) -> None:
            raise OSError("disk full")

        app = FastAPI()
        app.include_router(webhook_router({"default": channel}, full, lambda: MORNING))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            answer = await client.post(self.URL, json=emulator.message(1, "một"), headers=self.SECRET)
        assert answer.status_code == 503


SERVER = textwrap.dedent(
    """
    import asyncio, os, random, signal, sys, warnings
    warnings.simplefilter("ignore")
    from datetime import UTC, datetime, timedelta
    import bot.work
    die_after, answering = int(sys.argv[3]), sys.argv[4] == "answering"
    if die_after:
        bot.work.LEASE = timedelta(seconds=1)
    from bot.channels.telegram import TelegramChannel, TelegramPoller
    from bot.conversation.model import AnswerStatus, Reply, Turn
    from bot.inbox import accept
    from bot.messages import Channels
    from bot.pump import Pump
    from bot.sender import Sender
    from bot.storage.database import Database
    from bot.turns import Turns

    class Echo:
        def reply(self, said, understood, session, today):
            return Turn((Reply(f"Đã nghe: {said.text}"),), session, AnswerStatus.ANSWERED)

    class Understood:
        confidence = 1.0

    async def main(url, database_url):
        now = lambda: datetime.now(UTC)
        database = Database(database_url)
        channel = TelegramChannel("default", "12345:emulated-token", api_url=url)
        turns = Turns(database, Echo(), lambda text: Understood(), clock=now, owner=str(os.getpid()))
        pump = Pump(turns, Sender(database, Channels({("telegram", "default"): channel}), clock=now, rng=random.Random()))
        taken = 0

        async def store(incoming):
            nonlocal taken
            await accept(database, incoming)
            taken += 1
            if taken == die_after:
                os.kill(os.getpid(), signal.SIGKILL)

        poller = TelegramPoller(channel, database, store, pump.wake, now, long_poll=1)
        await asyncio.gather(poller.run(), *([pump.run()] if answering else []))

    asyncio.run(main(sys.argv[1], sys.argv[2]))
    """
)


def run_server(url: str, database_url: str, die_after: int = 0, *, answering: bool = True) -> subprocess.Popen[bytes]:
    """Start a process that polls, and answers unless told not to; with `die_after` its lease is short, for the next one."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    arguments = [url, database_url, str(die_after), "answering" if answering else "deaf"]
    return subprocess.Popen([sys.executable, "-c", SERVER, *arguments], cwd=ROOT, env=environment)


@pytest.mark.parametrize("answering", [False, True], ids=["before any answer", "while answering"])
async def test_a_process_killed_between_accepting_and_answering_loses_nothing(
    emulator: TelegramEmulator, url: str, database: Database, database_url: str, answering: bool
) -> None:
    """SIGKILL right behind the commit of the third update; the next process answers all six, in order.

    Each once; only what the dead process had under way with Telegram, one answer a conversation, may come twice.
    """
    for number in range(1, 7):
        emulator.message(1 + number % 2, f"câu {number}")
    first = run_server(url, database_url, die_after=3, answering=answering)
    assert await asyncio.to_thread(first.wait, 60) == -signal.SIGKILL
    async with database.read() as connection:
        accepted = await connection.scalar(select(func.count()).select_from(inbox))
    assert accepted == 3
    second = run_server(url, database_url)
    try:

        async def all_answered() -> bool:
            return len(set(emulator.texts(1)) | set(emulator.texts(2))) >= 6

        await until(all_answered, 60)
        await asyncio.sleep(1.5)
    finally:
        second.terminate()
        second.wait(10)
    heard = "Đã nghe: câu {}"
    for chat, numbers in ((1, (2, 4, 6)), (2, (1, 3, 5))):
        texts = emulator.texts(chat)
        assert list(dict.fromkeys(texts)) == [heard.format(n) for n in numbers]
        assert len(texts) - 3 <= (1 if answering else 0)
