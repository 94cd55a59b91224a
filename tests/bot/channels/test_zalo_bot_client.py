"""python-zalo-bot, a client written by others, against our emulator: a check that the emulator speaks the protocol."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import zalo_bot
import zalo_bot.error

from tests.emulators.server import serve
from tests.emulators.zalo_bot import BOT, TOKEN, ZaloBotEmulator

pytestmark = pytest.mark.anyio

CHAT = "6ede9afa66b88fe6d6a9"


@pytest.fixture
def emulator() -> ZaloBotEmulator:
    return ZaloBotEmulator()


@pytest.fixture
def url(emulator: ZaloBotEmulator) -> Iterator[str]:
    with serve(emulator.app()) as address:
        yield address


@pytest.fixture
async def client(url: str) -> AsyncIterator[Any]:
    async with zalo_bot.Bot(TOKEN, base_url=url) as bot:
        yield bot


async def test_the_bot_learns_who_it_is(client: Any) -> None:
    me = await client.get_me()
    assert (me.id, me.account_name) == (BOT["id"], BOT["account_name"])


async def test_a_message_comes_in(client: Any, emulator: ZaloBotEmulator) -> None:
    sent = emulator.message(CHAT, "Xin chào")
    update = await client.get_update(timeout=2)
    assert update.message.text == "Xin chào"
    assert update.message.message_id == sent["message"]["message_id"]
    assert (update.message.chat.id, update.message.chat.type) == (CHAT, "PRIVATE")
    assert update.message.from_user.display_name == "Lan"


async def test_an_empty_poll_is_a_timeout(client: Any, emulator: ZaloBotEmulator) -> None:
    emulator.longest_poll = 0.1
    with pytest.raises(zalo_bot.error.NetworkError, match="408"):
        await client.get_update(timeout=1)


async def test_messages_pictures_and_the_typing_sign_go_out(client: Any, emulator: ZaloBotEmulator) -> None:
    answer = await client.send_message(CHAT, "7.000 đồng")
    assert answer.message_id
    await client.send_photo(CHAT, "Ảnh", "https://hoi.example/a.png")
    await client.send_chat_action(CHAT, "typing")
    assert [(s.method, s.chat) for s in emulator.sent] == [("sendMessage", CHAT), ("sendPhoto", CHAT)]
    assert emulator.texts(CHAT) == ["7.000 đồng"]


async def test_its_forms_are_refused_like_json(client: Any) -> None:
    with pytest.raises(zalo_bot.error.BadRequest, match="2000"):
        await client.send_message(CHAT, "x" * 2001)


async def test_a_wrong_token_is_refused(url: str) -> None:
    with pytest.raises(zalo_bot.error.InvalidToken):
        async with zalo_bot.Bot("1:other", base_url=url):
            pass


async def test_a_webhook_excludes_polling(client: Any, emulator: ZaloBotEmulator) -> None:
    assert await client._set_webhook_async("https://hoi.example/hook", "12345678")
    with pytest.raises(zalo_bot.error.BadRequest, match="webhook"):
        await client.get_update(timeout=1)
    assert await client._delete_webhook_async()
    emulator.message(CHAT, "một")
    assert (await client.get_update(timeout=1)).message.text == "một"
