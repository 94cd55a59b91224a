"""A running process takes over what changes in the book of accounts, and only one process receives."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field

import pytest

from bot.accounts import Account, AccountBook, Vault
from bot.accounts.given import Given
from bot.channels.health import Health
from bot.messages import Channels, Misconfigured, Sent
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
    channels: dict[str, FakeChannel] = field(default_factory=dict)
    """The channel of each process."""
    met: list[str] = field(default_factory=list)

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

            async def meet() -> None:
                self.met.append(process)
                if self.met.count(process) < 2:
                    raise OSError("out of reach")

            channel = FakeChannel(name=account.channel, account=account.account)
            channel.health = Health(self.problem)  # type: ignore[attr-defined]
            self.channels[process] = channel
            return Wired(channel, receive, stop, meet)

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
        assert switchboard.states() == {"telegram:default": {"ok": True, "problem": "", "warning": ""}}
        switchboard.channels.get("telegram", "default").warning = "quota 2900/3000"  # type: ignore[union-attr]
        assert switchboard.states()["telegram:default"] == {"ok": True, "problem": "", "warning": "quota 2900/3000"}


async def test_a_process_without_the_variable_takes_the_account_from_nobody(book: AccountBook) -> None:
    given = Given("telegram", "default", "thai-nguyen", "Tỉnh Thái Nguyên", {"token": "x"})
    messenger = Messenger()
    async with running(board(book, messenger, "a", given)) as first:
        await until(lambda: messenger.receiving == {"a"})
        async with running(board(book, messenger, "worker")) as second:
            await until(lambda: messenger.met.count("worker") == 2)
            assert second.channels.present() == first.channels.present() == [("telegram", "default")]


async def test_what_an_officer_switched_off_stays_off_at_the_next_start(
    book: AccountBook, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    given = Given("telegram", "default", "thai-nguyen", "Tỉnh Thái Nguyên", {"token": "x"})
    async with board(book, Messenger(), "a", given).loaded():
        await book.change("telegram", "default", active=False)
    switchboard = board(book, Messenger(), "b", given)
    async with switchboard.loaded():
        assert switchboard.channels.present() == []
    assert "an account of the environment is switched off" in caplog.messages


async def test_every_process_gets_to_know_the_account_and_tries_until_it_does(book: AccountBook) -> None:
    await add(book)
    messenger = Messenger()
    async with running(board(book, messenger, "a")), running(board(book, messenger, "b")):
        await until(lambda: sorted(messenger.met) == ["a", "a", "b", "b"])


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
        state = switchboard.states()["telegram:phu-thong"]
        assert state == {"ok": False, "problem": "InvalidToken", "warning": ""}
        await told(book, "InvalidToken")


async def told(book: AccountBook, problem: str) -> None:
    async with asyncio.timeout(60):
        while (await book.get(*KEY)).problem != problem:
            await asyncio.sleep(0.03)


async def test_only_the_process_that_receives_tells_whether_anything_comes_in(book: AccountBook) -> None:
    await add(book)
    messenger = Messenger()
    async with running(board(book, messenger, "a")):
        await until(lambda: messenger.receiving == {"a"})
        async with running(board(book, messenger, "b")):
            await until(lambda: messenger.met.count("b") == 2)
            messenger.channels["a"].health.receiving = "Conflict"  # type: ignore[attr-defined]
            await told(book, "Conflict")
            await asyncio.sleep(0.5)
            assert (await book.get(*KEY)).problem == "Conflict"


async def test_who_takes_over_has_seen_nothing_yet_and_does_not_say_that_all_is_well(book: AccountBook) -> None:
    await add(book)
    await book.report(*KEY, receiving="the tokens are lost")
    messenger = Messenger(problem=None)  # type: ignore[arg-type]
    async with running(board(book, messenger, "a")):
        await until(lambda: messenger.receiving == {"a"})
        await asyncio.sleep(0.5)
        assert (await book.get(*KEY)).problem == "the tokens are lost"
        messenger.channels["a"].health.receiving = ""  # type: ignore[attr-defined]
        await told(book, "")


async def test_trouble_with_sending_is_over_when_something_was_sent_since(book: AccountBook) -> None:
    await add(book)
    messenger = Messenger()
    async with running(board(book, messenger, "a")), running(board(book, messenger, "b")):
        await until(lambda: len(messenger.channels) == 2)
        a, b = (messenger.channels[process].health for process in "ab")  # type: ignore[attr-defined]
        a.sent(Misconfigured("Forbidden"))
        await told(book, "Forbidden")
        await asyncio.sleep(0.5)
        account = await book.get(*KEY)
        assert (account.receiving_problem, account.sending_problem) == ("", "Forbidden")
        b.sent(Sent("1"))
        await told(book, "")
        await asyncio.sleep(0.5)
        assert (await book.get(*KEY)).problem == ""


async def test_an_account_that_only_this_process_cannot_read_is_none_that_is_broken(
    book: AccountBook, database: Database, clock: Clock
) -> None:
    await add(book)
    messenger = Messenger()
    with_another_key = AccountBook(database, Vault([b"another"]), clock)
    async with running(board(book, messenger, "a")):
        await until(lambda: messenger.receiving == {"a"})
        async with running(board(with_another_key, messenger, "b")) as second:
            assert second.channels.present() == []
            await asyncio.sleep(0.3)
            assert (await book.get(*KEY)).problem == ""
