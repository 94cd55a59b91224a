"""The messengers' webhooks in front of a bot that answers: acknowledged before the work, answered right in whatever order it comes."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import select

from bot.accounts import Account, AccountBook, Vault
from bot.channels.zalo_bot import ZaloBotPoller
from bot.channels.zalo_oa.updates import PATH
from bot.conversation.model import AnswerStatus, Reply, Turn
from bot.messages import Channels, Incoming
from bot.pump import Pump
from bot.sender import Sender
from bot.storage.database import Database
from bot.storage.tables import inbox
from bot.turns import Turns
from congdanso.builders import Means, builders
from congdanso.webhooks import webhooks
from tests.builders import understood, until
from tests.emulators import telegram, zalo_bot, zalo_oa
from tests.emulators.server import beside, serve
from tests.emulators.zalo_oa_events import ZaloEvents

pytestmark = pytest.mark.anyio
SECRET = "bi-mat-12345678"
CHATS, EACH = ("101", "102", "103"), 6


def now() -> datetime:
    return datetime.now(UTC)


class Echo:
    """A dialogue that repeats what it hears."""

    def reply(self, said: Any, understood: Any, session: Any, today: Any) -> Turn:
        return Turn((Reply(f"Đã nghe: {said.text}"),), session, AnswerStatus.ANSWERED)


@dataclass
class Thinking:
    """A language model that thinks until the test lets it finish."""

    may_finish: threading.Event = field(default_factory=threading.Event)
    asked: list[str] = field(default_factory=list)

    def understand(self, text: str) -> Any:
        self.asked.append(text)
        assert self.may_finish.wait(60)
        return understood("tam-tru")


@dataclass
class Messenger:
    """One channel: how citizens write, how what waits is delivered (in disorder, if there is chance), what reached them."""

    write: Callable[[str, str], Any]
    deliver: Callable[[random.Random | None], Awaitable[Any]]
    texts: Callable[[str], list[str]]


@dataclass
class Town:
    """The three messengers, and one process that answers on them."""

    database: Database
    thinking: Thinking
    messengers: dict[str, Messenger]
    arrived: dict[str, dict[str, None]]
    """By chat: what was stored, once, in the order of its arrival."""

    async def stored(self) -> list[str]:
        """What waits in the inbox; a text is forgotten when it is answered."""
        async with self.database.read() as connection:
            return list((await connection.execute(select(inbox.c.text))).scalars())


@pytest.fixture
async def town(database: Database) -> AsyncIterator[Town]:
    one, two, three = telegram.TelegramEmulator(), zalo_oa.ZaloOaEmulator(), zalo_bot.ZaloBotEmulator()
    access, refresh = two.pair()
    thinking, channels = Thinking(), Channels()
    turns = Turns(database, Echo(), thinking.understand, at_once=lambda _: None, clock=now, owner="test")  # type: ignore[arg-type]
    pump = Pump(turns, Sender(database, channels, clock=now, rng=random.Random(1)))
    arrived: dict[str, dict[str, None]] = {}

    async def accept(incoming: Incoming) -> None:
        await pump.accept(incoming)
        arrived.setdefault(incoming.address.chat, {}).setdefault(incoming.text)

    async with AsyncExitStack() as ends:
        telegram_url, oa_url, bot_url = (ends.enter_context(serve(e.app())) for e in (one, two, three))
        book = AccountBook(database, Vault([b"the installation's key"]), now)
        build = builders(Means(database, book, accept, pump.wake, now, "https://bot.example"))

        async def opened(channel: str, secrets: dict[str, str], options: dict[str, str]) -> Any:
            account: Account = await book.add(
                channel, "default", unit="phu-thong", title="Bot", secrets=secrets, options=options
            )
            wired = build[channel](account, secrets)
            ends.push_async_callback(wired.stop)
            channels.put(wired.channel)
            return wired.channel

        bot_secrets = {"token": telegram.TOKEN, "webhook_secret": SECRET}
        await opened("telegram", bot_secrets, {"mode": "webhook", "api_url": telegram_url})
        oa_secrets = {"secret_key": zalo_oa.OA_SECRET, "app_secret": zalo_oa.APP_SECRET}
        oa_secrets |= {"access_token": access, "refresh_token": refresh}
        addresses = {"app_id": zalo_oa.APP_ID, "api_url": oa_url, "oauth_url": oa_url}
        await opened("zalo-oa", oa_secrets, addresses)
        zalo = await opened("zalo-bot", {"token": zalo_bot.TOKEN, "webhook_secret": SECRET}, {"api_url": bot_url})

        app = FastAPI()
        app.include_router(webhooks(channels, accept, now))
        base = await ends.enter_async_context(beside(app))
        answering = asyncio.create_task(pump.run())
        ends.callback(thinking.may_finish.set)
        for emulator in (one, three):
            emulator.webhook = {"url": base, "secret_token": SECRET}
        events, waiting = ZaloEvents(base + PATH), list[dict[str, Any]]()

        def write_oa(chat: str, text: str) -> None:
            two.citizen(chat)
            waiting.append(events.text(chat, text))

        async def deliver(emulator: Any, channel: str, rng: random.Random | None) -> None:
            if rng is not None:
                emulator.disorder(rng)
            await emulator.deliver(base=f"{base}/channels/{channel}/default/webhook")

        async def deliver_oa(rng: random.Random | None) -> None:
            duplicates = 0.0 if rng is None else 0.3
            await events.deliver(
                waiting, rng or random.Random(1), duplicates=duplicates, shuffle=rng is not None, attempts=1
            )

        async def poll(rng: random.Random | None) -> None:
            three.webhook = {}
            if rng is not None:
                three.disorder(rng)
            polling = asyncio.create_task(ZaloBotPoller(zalo, accept, pump.wake, now, long_poll=1).run())
            await until(lambda: three.waiting() == 0)
            await asyncio.sleep(0.2)
            polling.cancel()
            await asyncio.gather(polling, return_exceptions=True)

        by_webhook = lambda rng: deliver(three, "zalo-bot", rng)  # noqa: E731
        yield Town(
            database,
            thinking,
            {
                "telegram": Messenger(
                    lambda chat, text: one.message(int(chat), text),
                    lambda rng: deliver(one, "telegram", rng),
                    lambda chat: one.texts(int(chat)),
                ),
                "zalo-oa": Messenger(write_oa, deliver_oa, two.texts),
                "zalo-bot": Messenger(three.message, by_webhook, three.texts),
                "zalo-bot, polled": Messenger(three.message, poll, three.texts),
            },
            arrived,
        )
        thinking.may_finish.set()
        await until(lambda: not pump._running)
        answering.cancel()
        await asyncio.gather(answering, return_exceptions=True)


@pytest.mark.parametrize("name", ["telegram", "zalo-oa", "zalo-bot"])
async def test_an_update_is_acknowledged_before_it_is_worked_on(town: Town, name: str) -> None:
    """No answer is ready, and none can be, when the messenger hears that its update has arrived."""
    messenger = town.messengers[name]
    messenger.write("101", "101 làm hộ chiếu")
    async with asyncio.timeout(60):
        await messenger.deliver(None)  # ends with the messenger's 200
    assert await town.stored() == ["101 làm hộ chiếu"]
    await until(lambda: town.thinking.asked == ["101 làm hộ chiếu"])
    assert messenger.texts("101") == []
    town.thinking.may_finish.set()
    await until(lambda: messenger.texts("101") == ["Đã nghe: 101 làm hộ chiếu"])


@pytest.mark.parametrize("name", ["telegram", "zalo-oa", "zalo-bot", "zalo-bot, polled"])
async def test_what_comes_twice_and_in_disorder_is_answered_once_in_the_order_of_its_arrival(
    town: Town, name: str
) -> None:
    """Each conversation by itself; whoever wrote first is not guessed from numbers and times of the messenger's."""
    town.thinking.may_finish.set()
    messenger = town.messengers[name]
    wrote = {chat: [f"{chat} câu {number}" for number in range(EACH)] for chat in CHATS}
    for number in range(EACH):
        for chat in CHATS:
            messenger.write(chat, wrote[chat][number])
    await messenger.deliver(random.Random(7))
    await until(lambda: sum(len(messenger.texts(chat)) for chat in CHATS) >= EACH * len(CHATS), 60)
    arrived = {chat: list(town.arrived[chat]) for chat in CHATS}
    assert {chat: messenger.texts(chat) for chat in CHATS} == {
        chat: [f"Đã nghe: {text}" for text in texts] for chat, texts in arrived.items()
    }
    assert {chat: sorted(texts) for chat, texts in arrived.items()} == wrote
    assert arrived != wrote, "they did come in disorder"
