"""Sends what is queued for a conversation, in order, and acts on what the messenger says.

An answer whose fate is unknown is sent again: twice is better than never. (Announcements decide otherwise, in their own room.)
"""

from __future__ import annotations

import asyncio
import logging
import random
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from sqlalchemy import select, update

from bot.clock import Clock
from bot.codec import reply_from_json
from bot.messages import (
    Channels,
    ContactStopped,
    LeftForPickup,
    Misconfigured,
    Moved,
    Outcome,
    OutsideWindow,
    Rejected,
    RetryAfter,
    Sent,
    Transient,
)
from bot.storage.database import Database
from bot.storage.tables import conversation, outbox

SEND_TIMEOUT: Final = 35.0
"""Seconds for one attempt, the messenger's own slowness included."""
MAX_ATTEMPTS: Final = 8
BACKOFF: Final = (1, 4, 15, 60, 180, 600, 1800)
"""Seconds before the next attempt, by attempts made; each is varied by a fifth so that retries do not come in waves."""

log = logging.getLogger(__name__)


class Throttle(Protocol):
    """What replies share with everything else that leaves through an account."""

    async def reply(self, channel: str, account: str) -> None:
        """Wait until a reply may leave, and count it."""

    def now(self) -> float:
        """The throttle's own time."""

    def leaves(self, channel: str, account: str) -> None:
        """A message that was counted leaves."""

    def took(self, channel: str, account: str, began: float) -> None:
        """It was answered, whatever the answer."""

    def hold(self, channel: str, account: str, seconds: float) -> None:
        """The messenger asked the account to wait."""

    def held(self, channel: str, account: str) -> float:
        """Seconds that the account still has to wait."""


class Sender:
    """Sends the queued replies of leased conversations."""

    def __init__(
        self,
        database: Database,
        channels: Channels,
        *,
        clock: Clock,
        rng: random.Random,
        throttle: Throttle | None = None,
    ) -> None:
        self._database = database
        self._channels = channels
        self._clock = clock
        self._rng = rng
        self._throttle = throttle
        self._held: dict[tuple[str, str], datetime] = {}

    async def send_queued(self, conversation_id: int) -> int:
        """Send what is due in a leased conversation; stop at the first that has to wait. Returns how many were sent."""
        sent = 0
        while (row := await self._next(conversation_id)) is not None:
            channel = self._channels.get(row["channel"], row["account"])
            now = self._clock()
            if channel is None:
                await self._wait(row, now, 60, "no such account in this process", counts=False)
                break
            held = self._held.get((row["channel"], row["account"]))
            if held is not None and held > now:
                await self._wait(row, now, (held - now).total_seconds(), "account is waiting", counts=False)
                break
            if self._throttle is not None:
                if (left := self._throttle.held(row["channel"], row["account"])) > 0:
                    await self._wait(row, now, left, "account is waiting", counts=False)
                    break
                await self._throttle.reply(row["channel"], row["account"])
            await self._set(row["id"], state="sending")
            began = 0.0
            if self._throttle is not None:
                self._throttle.leaves(row["channel"], row["account"])
                began = self._throttle.now()
            try:
                async with asyncio.timeout(SEND_TIMEOUT):
                    outcome = await channel.send(row["chat"], reply_from_json(row["reply"]))
            except TimeoutError:
                outcome = Transient("no answer in time", maybe_sent=True)
            except Exception as error:
                # A channel returns its failures; what it raises is a fault of ours, and must not be tried without pause.
                log.error("sending failed", extra={"channel": channel.name, "error": type(error).__name__})
                outcome = Transient(type(error).__name__, maybe_sent=True)
            finally:
                if self._throttle is not None:
                    self._throttle.took(row["channel"], row["account"], began)
            if not await self._settle(row, outcome):
                break
            sent += 1
        return sent

    async def _next(self, conversation_id: int) -> Any:
        async with self._database.read() as connection:
            query = (
                select(
                    outbox.c.id,
                    outbox.c.reply,
                    outbox.c.attempts,
                    outbox.c.next_attempt_at,
                    outbox.c.conversation_id,
                    conversation.c.channel,
                    conversation.c.account,
                    conversation.c.chat,
                )
                .join(conversation, conversation.c.id == outbox.c.conversation_id)
                .where(outbox.c.conversation_id == conversation_id, outbox.c.state.in_(("queued", "sending")))
                .order_by(outbox.c.id)
                .limit(1)
            )
            row = (await connection.execute(query)).mappings().one_or_none()
        if row is None:
            return None
        due = row["next_attempt_at"]
        now = self._clock()
        if (due if due.tzinfo else due.replace(tzinfo=now.tzinfo)) > now:
            return None
        return row

    async def _settle(self, row: Any, outcome: Outcome) -> bool:
        """Write down what became of an attempt; True if the next reply may follow at once."""
        now = self._clock()
        key = (row["channel"], row["account"])
        match outcome:
            case Sent(external_id):
                await self._set(
                    row["id"], state="sent", external_id=external_id, sent_at=now, attempts=row["attempts"] + 1
                )
                return True
            case LeftForPickup(seconds):
                await self._wait(row, now, seconds, "waits for the page", counts=False)
            case RetryAfter(seconds):
                self._held[key] = now + timedelta(seconds=seconds)
                if self._throttle is not None:
                    self._throttle.hold(*key, seconds)
                await self._wait(row, now, seconds, "messenger asked to wait", counts=False)
            case Transient(reason):
                if row["attempts"] + 1 >= MAX_ATTEMPTS:
                    await self._set(row["id"], state="failed", reason=reason, attempts=row["attempts"] + 1)
                    return True
                step = BACKOFF[min(row["attempts"], len(BACKOFF) - 1)]
                await self._wait(row, now, step * self._rng.uniform(0.8, 1.2), reason, counts=True)
            case Misconfigured(reason):
                log.error(
                    "channel account does not work", extra={"channel": key[0], "account": key[1], "reason": reason}
                )
                self._held[key] = now + timedelta(seconds=60)
                await self._wait(row, now, 60, reason, counts=False)
            case Moved(chat):
                async with self._database.write() as connection:
                    where = conversation.c.id == row["conversation_id"]
                    await connection.execute(update(conversation).where(where).values(chat=chat))
                    await connection.execute(update(outbox).where(outbox.c.id == row["id"]).values(state="queued"))
                return True
            case ContactStopped(reason):
                async with self._database.write() as connection:
                    where = conversation.c.id == row["conversation_id"]
                    await connection.execute(update(conversation).where(where).values(stopped_at=now, subscribed=False))
                    waiting = (outbox.c.conversation_id == row["conversation_id"]) & outbox.c.state.in_(
                        ("queued", "sending")
                    )
                    await connection.execute(update(outbox).where(waiting).values(state="failed", reason=reason))
            case Rejected(reason) | OutsideWindow(reason):
                await self._set(row["id"], state="failed", reason=reason[:200], attempts=row["attempts"] + 1)
                return True
        return False

    async def _wait(self, row: Any, now: datetime, seconds: float, reason: str, *, counts: bool) -> None:
        await self._set(
            row["id"],
            state="queued",
            next_attempt_at=now + timedelta(seconds=seconds),
            reason=reason[:200],
            attempts=row["attempts"] + (1 if counts else 0),
        )

    async def _set(self, outbox_id: int, **values: Any) -> None:
        async with self._database.write() as connection:
            await connection.execute(update(outbox).where(outbox.c.id == outbox_id).values(**values))
