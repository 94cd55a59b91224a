"""One message of the web and its answer: accepted at the door, its turn taken here and now, the answer read back."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import RowMapping, select

from bot.channels.web.channel import ACCOUNT, CHANNEL, address
from bot.clock import Clock
from bot.codec import reply_to_json
from bot.conversation.messages import say
from bot.conversation.model import AnswerStatus, Reply
from bot.inbox import ACCEPTED, DEAD
from bot.messages import Incoming
from bot.storage.database import Database
from bot.storage.tables import inbox, outbox
from bot.turns import Turns
from bot.work import LeaseLost, Work

PATIENCE: Final = 10.0
"""Seconds to wait while somebody else works on the conversation."""
FIRST_PAUSE: Final = 0.02
LONGEST_PAUSE: Final = 0.25
"""Seconds between two tries for the lease, growing from the first to the longest."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the contract promises as the body of a response."""

    replies: tuple[dict[str, Any], ...]
    topic: str | None
    aspect: str | None
    status: str

    def as_dict(self) -> dict[str, Any]:
        """The JSON object of the contract."""
        return {"replies": list(self.replies), "topic": self.topic, "aspect": self.aspect, "status": self.status}


def update_id_of(chat: str, message_id: str) -> str:
    """Return the name a message has in the inbox.

    Hashed together: one conversation cannot name another's message, and no character of the client's is stored.
    """
    return hashlib.sha256(f"{chat}:{message_id}".encode("utf-8", "surrogatepass")).hexdigest()


class Exchange:
    """Answers messages of the web within the request that brought them."""

    def __init__(
        self,
        database: Database,
        turns: Turns,
        wake: Callable[[], None],
        clock: Clock,
        *,
        patience: float = PATIENCE,
    ) -> None:
        self._database = database
        self._turns = turns
        self._wake = wake
        self._clock = clock
        self._patience = patience

    async def answer(self, chat: str, message_id: str, kind: str, text: str) -> Answer | None:
        """Store a message and return its answer, now or from the last time the same id came.

        Args:
            message_id: the client's own name for the message, unique within its conversation.
            kind: text, button or opened (see `bot.messages.Incoming`).

        Returns:
            None if the conversation was busy elsewhere for too long. The message is stored; it will be answered, and
            the same id fetches that answer.
        """
        update_id = update_id_of(chat, message_id)
        incoming = Incoming(address(chat), update_id, kind, text, self._clock())
        stored = await self._turns.accept(incoming, take=True)
        held = stored.held
        deadline = time.monotonic() + self._patience
        pause = FIRST_PAUSE
        while True:
            if held is not None and (answered := await self._work(held, stored.inbox_id)) is not None:
                return answered
            row = await self._row(update_id)
            if row is None:
                break  # The citizen's data were erased between the door and here; sent again, it is a new message.
            if row["state"] != ACCEPTED:
                return await self._read(row)
            if held is None:
                if time.monotonic() >= deadline:
                    break
                await asyncio.sleep(pause)
                pause = min(pause * 1.5, LONGEST_PAUSE)
            held = await self._turns.take(stored.conversation_id)
        self._wake()
        return None

    async def _work(self, held: Work, inbox_id: int | None) -> Answer | None:
        """Answer a conversation in hand; return the answer to one message, if it was among them.

        What is left to do in the conversation is the pump's.
        """
        try:
            answered = await self._turns.answer(held)
        except LeaseLost:
            return None
        except asyncio.CancelledError:
            await asyncio.shield(self._turns.release(held))
            raise
        if not answered.given_back:
            await self._turns.release(held)
            self._wake()
        ended = next((one for one in answered.ended if one.inbox_id == inbox_id), None)
        if ended is None:
            return None
        replies = tuple(reply_to_json(reply) for reply in ended.replies)
        return Answer(replies, ended.topic, ended.aspect, ended.status)

    async def _row(self, update_id: str) -> RowMapping | None:
        query = select(inbox.c.id, inbox.c.state, inbox.c.status, inbox.c.topic, inbox.c.aspect).where(
            inbox.c.channel == CHANNEL, inbox.c.account == ACCOUNT, inbox.c.update_id == update_id
        )
        async with self._database.read() as connection:
            return (await connection.execute(query)).mappings().one_or_none()

    async def _read(self, row: RowMapping) -> Answer:
        query = select(outbox.c.reply).where(outbox.c.inbox_id == row["id"]).order_by(outbox.c.id)
        async with self._database.read() as connection:
            replies = tuple((await connection.execute(query)).scalars())
        if row["state"] == DEAD:
            return Answer(replies or (reply_to_json(Reply(say("error"))),), None, None, AnswerStatus.ERROR.value)
        return Answer(replies, row["topic"], row["aspect"], row["status"] or AnswerStatus.ACTION_DONE.value)
