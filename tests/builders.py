"""Builders that make test data read like what it stands for."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from bot.inbox import accept
from bot.messages import Address, Capabilities, Channel, Channels, Incoming, Outcome, Sent
from bot.pump import Pump
from bot.sender import Sender
from bot.storage.database import Database
from bot.storage.tables import conversation, outbox
from bot.turns import Turns
from nlu.understanding import Understanding

if TYPE_CHECKING:
    from congdanso.brain import Brain

MORNING = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)
"""Nine o'clock in the morning of 22/11/2026 in Thái Nguyên."""


@dataclass
class Clock:
    """A clock that stands still until it is moved."""

    now: datetime = MORNING

    def __call__(self) -> datetime:
        return self.now

    def pass_(self, **span: float) -> None:
        self.now += timedelta(**span)


@dataclass
class Citizen:
    """Somebody who writes on a channel; numbers their own updates."""

    database: Database
    clock: Clock
    chat: str = "1001"
    channel: str = "telegram"
    account: str = "default"
    numbers: Any = field(default_factory=lambda: itertools.count(1))

    async def says(
        self, text: str, *, kind: str = "text", update_id: str | None = None, language: str = ""
    ) -> tuple[int, bool]:
        incoming = Incoming(
            Address(self.channel, self.account, self.chat),
            update_id or f"{self.chat}-{next(self.numbers)}",
            kind,
            text,
            self.clock(),
            language=language,
        )
        return await accept(self.database, incoming)

    async def presses(self, payload: str) -> tuple[int, bool]:
        return await self.says(payload, kind="button")

    async def row(self) -> Any:
        async with self.database.read() as connection:
            query = select(conversation).where(conversation.c.chat == self.chat, conversation.c.channel == self.channel)
            return (await connection.execute(query)).mappings().one()

    async def got(self) -> list[str]:
        """The texts of all replies to this citizen, in order."""
        async with self.database.read() as connection:
            query = (
                select(outbox.c.reply)
                .join(conversation, conversation.c.id == outbox.c.conversation_id)
                .where(conversation.c.chat == self.chat, conversation.c.channel == self.channel)
                .order_by(outbox.c.id)
            )
            return [reply["text"] for reply in (await connection.execute(query)).scalars()]


@dataclass
class FakeChannel:
    """A channel that notes what it was asked to send and answers from a list of outcomes, then with success."""

    outcomes: list[Outcome] = field(default_factory=list)
    name: str = "telegram"
    account: str = "default"
    capabilities: Capabilities = field(default_factory=lambda: Capabilities(4096, buttons=True))
    sent: list[tuple[str, str]] = field(default_factory=list)

    async def send(self, chat: str, reply: Any) -> Outcome:
        outcome = self.outcomes.pop(0) if self.outcomes else Sent(str(len(self.sent) + 1))
        if isinstance(outcome, Sent):
            self.sent.append((chat, reply.text))
        return outcome

    def channels(self) -> Channels:
        return Channels({(self.name, self.account): self})


@asynccontextmanager
async def answering(database: Database, brain: Brain, *channels: Channel) -> AsyncIterator[Pump]:
    """The real bot behind some channels: takes turns and sends replies for as long as the test looks."""

    def now() -> datetime:
        return datetime.now(UTC)

    turns = Turns(database, brain.dialogue, brain.engine.understand, clock=now, owner="test")
    accounts = Channels({(channel.name, channel.account): channel for channel in channels})
    pump = Pump(turns, Sender(database, accounts, clock=now, rng=random.Random(1)))
    task = asyncio.create_task(pump.run())
    try:
        yield pump
        await until(lambda: not pump._running)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(condition: Callable[[], bool], seconds: float = 30) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.02)


async def work_off(turns: Turns) -> int:
    """Answer everything that waits, sending nothing; return how many messages ended."""
    ended, working = 0, True
    while working:
        working = False
        for held in await turns.take_ready():
            working = working or bool(held.waiting)
            answered = await turns.answer(held)
            ended += len(answered.ended)
            if not answered.given_back:
                await turns.release(held)
    return ended


def understood(topic: str | None, *aspects: str, confidence: float = 0.95, **fields: Any) -> Understanding:
    """An understanding as the model would give it."""
    values: dict[str, Any] = {
        "text": "…",
        "intent": topic or "hoi-tiep",
        "topic": topic,
        "aspects": aspects,
        "entities": (),
        "confidence": confidence,
        "in_scope": True,
        "alternatives": (),
    }
    return Understanding(**(values | fields))
