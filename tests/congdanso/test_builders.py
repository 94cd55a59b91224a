"""Accounts as they are built: what is announced to a messenger, what is refused, and what every process learns."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from bot.accounts import Account, AccountBook, Vault
from bot.messages import Incoming
from bot.storage.database import Database
from congdanso import builders
from congdanso.builders import Means, RestingOas
from congdanso.switchboard import Wired
from tests.builders import Clock
from tests.emulators.server import serve
from tests.emulators.telegram import TOKEN, Fault, TelegramEmulator
from tests.emulators.zalo_bot import TOKEN as ZALO_TOKEN
from tests.emulators.zalo_bot import Fault as ZaloFault
from tests.emulators.zalo_bot import ZaloBotEmulator

pytestmark = pytest.mark.anyio
PUBLIC = "https://cds.example.vn"
UNREACHED = '{"ok":true,"result":{"url":"x","verification":{"ok":false,"outcome":"webhook.timeout"}}}'


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builders, "ANNOUNCE_AGAIN", 0.05)


@pytest.fixture
def telegram() -> Iterator[tuple[TelegramEmulator, str]]:
    emulator = TelegramEmulator()
    with serve(emulator.app()) as url:
        yield emulator, url


@pytest.fixture
def zalo() -> Iterator[tuple[ZaloBotEmulator, str]]:
    emulator = ZaloBotEmulator()
    with serve(emulator.app()) as url:
        yield emulator, url


def account(channel: str, **options: str) -> Account:
    return Account(channel, "default", "thai-nguyen", "Bot tỉnh", options, active=True, version=1)


@asynccontextmanager
async def built(database: Database, of: Account, **secrets: str) -> AsyncIterator[Wired]:
    async def refuse(incoming: Incoming) -> None:
        raise AssertionError("nothing comes in here")

    book = AccountBook(database, Vault([b"key"]), Clock())
    means = Means(database, book, refuse, lambda: None, Clock(), PUBLIC)
    wired = builders.builders(means)[of.channel](of, secrets)
    try:
        yield wired
    finally:
        await wired.stop()


@asynccontextmanager
async def beside(work: Callable[[], Awaitable[None]] | None) -> AsyncIterator[asyncio.Task[None]]:
    assert work is not None
    task: asyncio.Task[None] = asyncio.ensure_future(work())  # type: ignore[assignment]
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.02)


async def test_a_menu_that_telegram_refuses_does_not_hold_up_the_webhook(
    database: Database, telegram: tuple[TelegramEmulator, str]
) -> None:
    emulator, url = telegram
    emulator.faults["setMyCommands"] = [Fault(400, "Bad Request: BOT_COMMAND_INVALID")] * 100
    told = account("telegram", api_url=url, mode="webhook")
    async with (
        built(database, told, token=TOKEN, webhook_secret="geheim") as wired,
        beside(wired.receive) as announcing,
    ):
        await asyncio.wait_for(announcing, 30)
        assert emulator.webhook["url"] == f"{PUBLIC}/channels/telegram/default/webhook"
        assert wired.channel.problem == ""  # type: ignore[attr-defined]


async def test_the_webhook_is_announced_while_nobody_says_what_the_bot_is_called(
    database: Database, telegram: tuple[TelegramEmulator, str]
) -> None:
    emulator, url = telegram
    emulator.faults["getMe"] = [Fault(502, "Bad Gateway")] * 3
    told = account("telegram", api_url=url, mode="webhook")
    async with (
        built(database, told, token=TOKEN, webhook_secret="geheim") as wired,
        beside(wired.receive) as announcing,
    ):
        await asyncio.wait_for(announcing, 30)
        assert emulator.webhook != {}
        async with beside(wired.meet) as meeting:
            await asyncio.wait_for(meeting, 30)
        assert wired.channel.named  # type: ignore[attr-defined]


async def test_an_address_that_zalo_does_not_reach_is_a_problem_until_it_does(
    database: Database, zalo: tuple[ZaloBotEmulator, str]
) -> None:
    emulator, url = zalo
    emulator.faults["setWebhook"] = [ZaloFault(page=UNREACHED) for _ in range(20)]
    told = account("zalo-bot", api_url=url)
    async with (
        built(database, told, token=ZALO_TOKEN, webhook_secret="geheim-123") as wired,
        beside(wired.receive) as announcing,
    ):
        await until(lambda: wired.channel.problem == "WebhookNotReached")  # type: ignore[attr-defined]
        await until(lambda: sum(method == "setWebhook" for method, _ in emulator.calls) >= 3)
        assert wired.channel.problem == "WebhookNotReached"  # type: ignore[attr-defined]
        emulator.faults.clear()
        await asyncio.wait_for(announcing, 30)
        assert wired.channel.problem == ""  # type: ignore[attr-defined]


async def test_a_zalo_bot_learns_its_name_and_what_other_processes_have_sent(
    database: Database, zalo: tuple[ZaloBotEmulator, str]
) -> None:
    emulator, url = zalo
    told = account("zalo-bot", api_url=url, messages_a_month="10")
    for _ in range(9):
        await builders.quota_of(told, database, Clock()).count()
    emulator.faults["getMe"] = [ZaloFault(502, description="Bad Gateway")] * 2
    async with built(database, told, token=ZALO_TOKEN, webhook_secret="geheim-123") as wired:
        async with beside(wired.meet) as meeting:
            await asyncio.wait_for(meeting, 30)
        assert wired.channel.warning == "quota 9/10"  # type: ignore[attr-defined]
        assert len([m for m, _ in emulator.calls if m == "getMe"]) == 3


@pytest.mark.parametrize(
    ("channel", "secret", "told"),
    [
        ("telegram", "có dấu", "1 đến 256 ký tự"),
        ("telegram", "a b", "chữ số"),
        ("telegram", "x" * 257, "256"),
        ("zalo-bot", "1234567", "8 đến 256 ký tự"),
        ("zalo-bot", "x" * 257, "256"),
    ],
)
async def test_a_secret_that_the_messenger_would_refuse_is_said_and_not_shown(
    database: Database, channel: str, secret: str, told: str
) -> None:
    with pytest.raises(ValueError, match=told) as refused:
        async with built(database, account(channel, mode="webhook"), token=TOKEN, webhook_secret=secret):
            pass
    assert secret not in str(refused.value)


async def test_secrets_that_can_be_are_taken(database: Database) -> None:
    builders.check_secrets("telegram", {"webhook_secret": "a"})
    builders.check_secrets("telegram", {"webhook_secret": "Az09_-" * 42})
    builders.check_secrets("zalo-bot", {"webhook_secret": "8 nhưng.".encode().hex()})
    builders.check_secrets("zalo-oa", {"secret_key": "bất kỳ"})


async def test_the_keys_of_switched_off_oas_are_read_once_a_minute(database: Database) -> None:
    book = AccountBook(database, Vault([b"key"]), Clock())
    for name in ("phu-thong", "cho-don"):
        options = {"app_id": "1", "oa_id": name}
        await book.add("zalo-oa", name, unit=name, title="OA", secrets={"secret_key": "k"}, options=options)
    now = [0.0]
    resting = RestingOas(book, lambda: now[0])
    assert await resting() == []
    await book.change("zalo-oa", "cho-don", active=False)
    assert await resting() == []
    now[0] = 61.0
    assert [(r.account, r.oa_id, r.keys.oa_secret) for r in await resting()] == [("cho-don", "cho-don", "k")]
