"""A citizen and the bot on Zalo, from the first word on, by numbers only."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from bot.channels.zalo_bot import ZaloBotPoller, zalo_bot_channel
from bot.inbox import accept
from bot.messages import Incoming
from bot.storage.database import Database
from tests.builders import answering, until
from tests.emulators.server import serve
from tests.emulators.zalo_bot import TOKEN, Fault, ZaloBotEmulator

if TYPE_CHECKING:
    from congdanso.brain import Brain

pytestmark = pytest.mark.anyio


def now() -> datetime:
    return datetime.now(UTC)


async def test_a_conversation_by_numbers(database: Database, brain: Brain) -> None:
    emulator = ZaloBotEmulator()
    emulator.faults["sendMessage"] = [
        Fault(502, description="Bad Gateway"),
        Fault(403, description="Internal server error"),
    ]
    with serve(emulator.app()) as url:
        channel = zalo_bot_channel("default", TOKEN, database=database, clock=now, api_url=url)

        async def store(incoming: Incoming) -> Any:
            return await accept(database, incoming)

        async with answering(database, brain, channel) as pump:
            polling = asyncio.create_task(ZaloBotPoller(channel, store, pump.wake, now, long_poll=1).run())

            async def says(text: str, bubbles: int = 1) -> list[str]:
                before = len(emulator.texts("lan"))
                emulator.message("lan", text)
                await until(lambda: len(emulator.texts("lan")) >= before + bubbles)
                return emulator.texts("lan")[before:]

            answer, introduction = await says("làm giấy khai sinh cần giấy tờ gì", bubbles=2)
            assert "iấy chứng sinh" in answer
            assert "1. Xem đủ" in answer
            number = next(line for line in introduction.splitlines() if "Đồng ý, bắt đầu" in line).split(".")[0]
            [thanks] = await says(number)
            assert thanks.startswith("Cảm ơn anh/chị.")
            assert "1. Bỏ qua" in thanks
            [skipped] = await says("1")
            assert skipped.startswith("Không sao")
            [clarified] = await says("làm lại giấy tờ bị mất")
            assert "\n2. " in clarified
            [second] = await says("2")
            assert second != clarified
            polling.cancel()
            await asyncio.gather(polling, return_exceptions=True)
        assert channel.quota is not None
        assert await channel.quota.used() == len(emulator.texts("lan"))
        await channel.stop()
