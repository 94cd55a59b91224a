"""What the bot says without being asked, as server-sent events: announcements, officers' answers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Final

import anyio
from sqlalchemy import ColumnElement, RowMapping, func, or_, select, update
from sse_starlette import ServerSentEvent

from bot.channels.web.channel import ACCOUNT, CHANNEL, Bells
from bot.clock import Clock
from bot.storage.database import Database
from bot.storage.tables import conversation, outbox
from bot.turns import Turns

LOOK: Final = 20.0
"""Seconds between two looks of an open stream when no bell rings: the delay of what another process queued."""
RECONNECT_MS: Final = 3000
"""What an EventSource waits before it connects again."""
MARK_TRIES: Final = 5
MARK_PAUSE: Final = 0.1


class Pushed:
    """Reads and marks the outbox rows that are no answer, for the streams of this process."""

    def __init__(self, database: Database, turns: Turns, bells: Bells, clock: Clock, *, look: float = LOOK) -> None:
        self._database = database
        self._turns = turns
        self._bells = bells
        self._clock = clock
        self._look = look

    async def events(self, chat: str, last_seen: int | None) -> AsyncIterator[ServerSentEvent]:
        """Yield a chat's pushed messages as they come, without end.

        What is queued is always sent. What was already sent to another page of the same conversation is sent here
        too if it is younger than `last_seen` (or, without it, than the opening of this stream). A row is marked as
        sent when the server has taken the event for the socket, never before; an event that was written but not
        marked comes again after the next connect, under the same id.
        """
        with self._bells.listen(chat) as bell:
            yield ServerSentEvent(comment="ok", retry=RECONNECT_MS)
            after = await self._newest_sent(chat) if last_seen is None else last_seen
            seen: set[int] = set()
            written: list[int] = []
            try:
                while True:
                    bell.clear()
                    for row in await self._rows(chat, after, seen):
                        yield ServerSentEvent(data=json.dumps(row["reply"], ensure_ascii=False), id=str(row["id"]))
                        seen.add(row["id"])
                        if row["state"] != "sent":
                            written.append(row["id"])
                    if written and await self.mark_sent(chat, written):
                        written.clear()
                    try:
                        async with asyncio.timeout(self._look):
                            await bell.wait()
                    except TimeoutError:
                        pass
            finally:
                # A page that left while the sender had its hand on the conversation: what it took is sent all the same.
                if written:
                    await self.mark_sent(chat, written)

    async def _newest_sent(self, chat: str) -> int:
        query = (
            select(func.max(outbox.c.id))
            .join(conversation, conversation.c.id == outbox.c.conversation_id)
            .where(_of(chat), outbox.c.inbox_id.is_(None), outbox.c.state == "sent")
        )
        with _undisturbed():
            async with self._database.read() as connection:
                newest = (await connection.execute(query)).scalar_one_or_none()
        return int(newest or 0)

    async def _rows(self, chat: str, after: int, seen: set[int]) -> list[RowMapping]:
        wanted = or_(
            outbox.c.state.in_(("queued", "sending")),
            (outbox.c.state == "sent") & (outbox.c.id > after),
        )
        query = (
            select(outbox.c.id, outbox.c.reply, outbox.c.state)
            .join(conversation, conversation.c.id == outbox.c.conversation_id)
            .where(_of(chat), outbox.c.inbox_id.is_(None), wanted)
            .order_by(outbox.c.id)
        )
        with _undisturbed():
            async with self._database.read() as connection:
                rows = (await connection.execute(query)).mappings().all()
        return [row for row in rows if row["id"] not in seen]

    async def mark_sent(self, chat: str, ids: list[int]) -> bool:
        """Mark rows as sent, under the conversation's lease so that the sender has no hand on them meanwhile."""
        with _undisturbed():
            for _ in range(MARK_TRIES):
                if await self._marked(chat, ids):
                    return True
                await asyncio.sleep(MARK_PAUSE)
        return False

    async def _marked(self, chat: str, ids: list[int]) -> bool:
        async with self._database.read() as connection:
            found = (await connection.execute(select(conversation.c.id).where(_of(chat)))).scalar_one_or_none()
        if found is None:
            return True
        held = await self._turns.hold(found)
        if held is None:
            return False
        try:
            async with self._database.write() as connection:
                await connection.execute(
                    update(outbox)
                    .where(outbox.c.id.in_(ids), outbox.c.state.in_(("queued", "sending")))
                    .values(state="sent", sent_at=self._clock(), attempts=outbox.c.attempts + 1, reason=None)
                )
        finally:
            await self._turns.release(held)
        return True


def _undisturbed() -> anyio.CancelScope:
    """Let a moment of database work end though the page has left: cut short, it would cost a connection."""
    return anyio.CancelScope(shield=True)


def _of(chat: str) -> ColumnElement[bool]:
    """The condition for the conversation of a chat."""
    return (conversation.c.channel == CHANNEL) & (conversation.c.account == ACCOUNT) & (conversation.c.chat == chat)
