"""A running process takes over what changes in the book of accounts, and only one process receives."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field

import pytest

from bot.accounts import Account, AccountBook, Vault
from bot.accounts.book import Given
from bot.messages import Channels
from bot.storage.database import Database
from congdanso.switchboard import Switchboard, Wired
from tests.builders import Clock, FakeChannel

pytestmark = pytest.mark.anyio
KEY = ("telegram", "phu-thong")


@dataclass
class Messenger:
    """Builds channels and notes who receives on them."""

    receiving: set[str] = field(default_factory=set)
    stopped: list[str] = field(default_factory=list)
    built: list[str] = field(default_factory=list)
    problem: str = ""

    def builder(self, process: str) -> object:
        def build(account: Account, secrets: Mapping[str, str]) -> Wired:
            if "token" not in secrets:
                raise ValueError("missing: token")
            self.built.append(account.title)

            async def receive() -> None:
                self.receiving.add(process)
                try:
                    await asyncio.Event().wait()
                finally:
                    self.receiving.discard(process)

            async def stop() -> None:
                self.stopped.append(account.title)

            channel = FakeChannel(name=account.channel, account=account.account)
            channel.problem = self.problem  # type: ignore[attr-defined]
            return Wired(channel, receive, stop)

        return build


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def book(database: Database, clock: Clock) -> AccountBook:
    return AccountBook(database, Vault([b"key"]), clock)


def board(book: AccountBook, messenger: Messenger, process: str = "a", *given: Given) -> Switchboard:
    async def sleep(_: float) -> None:
        await asyncio.sleep(0.03)

    builders = {"telegram": messenger.builder(process)}
    return Switchboard(book, Channels(), builders, given=given, owner=process, sleep=sleep)  # type: ignore[arg-type]


async def until(condition: object) -> None:
    async with asyncio.timeout(60):
        while not condition():  # type: ignore[operator]
            await asyncio.sleep(0.03)


class running:  # noqa: N801 - reads as what it is
    """A process with a switchboard, for the length of a block."""

    def __init__(self, switchboard: Switchboard) -> None:
        self.switchboard = switchboard

    async def __aenter__(self) -> Switchboard:
        self.loaded = self.switchboard.loaded()
        await self.loaded.__aenter__()
        self.task = asyncio.create_task(self.switchboard.run())
        return self.switchboard

    async def __aexit__(self, *_: object) -> None:
        self.task.cancel()
        with suppress(asyncio.CancelledError):
            await self.task
        await self.loaded.__aexit__(None, None, None)


async def add(book: AccountBook, title: str = "Bot xã Phủ Thông", **secrets: str) -> None:
    await book.add(*KEY, unit="phu-thong", title=title, secrets=secrets or {"token": "x"})


async def test_accounts_are_there_before_anything_is_sent(book: AccountBook) -> None:
    await add(book)
    switchboard = board(book, Messenger())
    async with switchboard.loaded():
        assert switchboard.channels.present() == [KEY]
    assert switchboard.channels.present() == []


async def test_an_account_that_is_added_changed_and_switched_off_is_followed(book: AccountBook) -> None:
    messenger = Messenger()
    async with running(board(book, messenger)) as switchboard:
        assert switchboard.channels.present() == []
        await add(book)
        await until(lambda: messenger.receiving == {"a"})
        await book.change(*KEY, title="Bot mới")
        await until(lambda: messenger.built == ["Bot xã Phủ Thông", "Bot mới"] and messenger.receiving == {"a"})
        await book.change(*KEY, active=False)
        await until(lambda: messenger.stopped == ["Bot xã Phủ Thông", "Bot mới"])
        assert not messenger.receiving
        assert switchboard.channels.present() == []


async def test_one_process_receives_and_the_other_takes_over(book: AccountBook) -> None:
    await add(book)
    messenger = Messenger()
    async with AsyncExitStack() as ends_later:
        async with running(board(book, messenger, "a")) as first:
            await until(lambda: messenger.receiving == {"a"})
            second = await ends_later.enter_async_context(running(board(book, messenger, "b")))
            await asyncio.sleep(0.2)
            assert messenger.receiving == {"a"}
            assert first.channels.present() == second.channels.present() == [KEY]
        await until(lambda: messenger.receiving == {"b"})


async def test_the_account_of_the_settings_is_one_like_others(book: AccountBook) -> None:
    given = Given("telegram", "default", "thai-nguyen", "Tỉnh Thái Nguyên", {"token": "x"})
    messenger = Messenger()
    async with running(board(book, messenger, "a", given)) as switchboard:
        await until(lambda: messenger.receiving == {"a"})
        assert switchboard.states() == {"telegram:default": {"ok": True, "problem": ""}}
    async with running(board(book, messenger, "a")) as switchboard:
        await until(lambda: switchboard.channels.present() == [])
    assert not (await book.get("telegram", "default")).active


async def test_an_account_without_its_token_is_told_of_and_waits_for_it(book: AccountBook) -> None:
    await add(book, webhook_secret="y")
    messenger = Messenger()
    async with running(board(book, messenger)) as switchboard:
        assert switchboard.channels.present() == []
        assert (await book.get(*KEY)).problem == "missing: token"
        await book.change(*KEY, secrets={"token": "x"})
        await until(lambda: switchboard.channels.present() == [KEY])
        assert (await book.get(*KEY)).problem == ""


async def test_health_is_written_down(book: AccountBook) -> None:
    await add(book)
    async with running(board(book, Messenger(problem="InvalidToken"))) as switchboard:
        assert switchboard.states()["telegram:phu-thong"] == {"ok": False, "problem": "InvalidToken"}

        async def told() -> None:
            while (await book.get(*KEY)).problem != "InvalidToken":
                await asyncio.sleep(0.03)

        async with asyncio.timeout(60):
            await told()
