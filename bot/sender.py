"""Sends the replies of a conversation in hand, in order, and acts on what the messenger says.

An answer whose fate is unknown is sent again: twice is better than never. (Announcements decide otherwise, in their own room.)
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Final, Protocol

from sqlalchemy import Connection, bindparam, or_, update

from bot import work
from bot.clock import Clock
from bot.messages import (
    Channels,
    ContactStopped,
    Corrects,
    Counts,
    LeftForPickup,
    Misconfigured,
    Moved,
    Outcome,
    OutsideWindow,
    Paced,
    Rejected,
    RetryAfter,
    Sent,
    Transient,
)
from bot.pace import Paces
from bot.relocation import relocate
from bot.storage.database import Database
from bot.storage.tables import channel_account, conversation, outbox
from bot.turns import Leaving
from bot.work import Work

SEND_TIMEOUT: Final = 35.0
"""Seconds for one attempt, the messenger's own slowness included."""
MAX_ATTEMPTS: Final = 8
BACKOFF: Final = (1, 4, 15, 60, 180, 600, 1800)
"""Seconds before the next attempt, by attempts made; each is varied by a fifth so that retries do not come in waves."""
BROKEN: Final = 60.0
"""Seconds between two tries of an account that does not work, or that no process here has."""

STOPPED: Final = "stopped"
OUTSIDE_WINDOW: Final = "outside_window"
REJECTED: Final = "rejected"
UNREACHABLE: Final = "unreachable"
_CODES: Final[Mapping[type, str]] = MappingProxyType(
    {ContactStopped: STOPPED, OutsideWindow: OUTSIDE_WINDOW, Rejected: REJECTED}
)
"""Why a reply failed, in the outbox; the messenger's own words stand beside it."""

log = logging.getLogger(__name__)


class Throttle(Protocol):
    """What replies share with everything else that leaves through an account."""

    async def reply(self, channel: str, account: str, cost: int = 1) -> None:
        """Wait until a reply of so many requests may leave, and count it."""

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
    """Sends the replies of conversations in hand."""

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
        self._paces = Paces(clock)
        self._held: dict[tuple[str, str], datetime] = {}

    async def send(self, held: Work, leaving: Sequence[Leaving]) -> datetime | None:
        """Send what is due; stop at the first reply that has to wait. Returns when the conversation next needs somebody.

        Each outcome is written down before the next reply leaves, so that a crash repeats one reply at most; the last one
        together with giving the conversation back.
        """
        chat = held.address.chat
        for place, reply in enumerate(leaving):
            if reply.due_at > self._clock():
                break
            outcome = await self._attempt(held, chat, reply)
            if isinstance(outcome, Moved):
                chat = outcome.chat
                if not await self._follow(held, chat):
                    await self._database.unit(lambda connection: work.release(connection, held))
                    return self._clock()
                outcome = await self._attempt(held, chat, reply)
            goes_on = self._goes_on(reply, outcome)
            last = not goes_on or place == len(leaving) - 1
            ready_at = await self._write(held, reply, outcome, last=last)
            if last:
                return ready_at
        return await self._database.unit(lambda connection: work.release(connection, held))

    async def _attempt(self, held: Work, chat: str, reply: Leaving) -> Outcome | timedelta:
        """Try to send one reply; a span says that it was not tried, and how long it has to wait."""
        address = held.address
        key = (address.channel, address.account)
        channel = self._channels.get(*key)
        if channel is None:
            return timedelta(seconds=BROKEN)
        if (wait := self._account_waits(held)) > timedelta():
            return wait
        cost = channel.cost(chat, reply.reply) if isinstance(channel, Counts) else 1
        if isinstance(channel, Paced):
            where, pace = channel.pace(chat)
            if (wait := self._paces.take((*key, where), pace, cost)) > timedelta():
                return wait
        began = 0.0
        if self._throttle is not None:
            await self._throttle.reply(*key, cost)
            self._throttle.leaves(*key)
            began = self._throttle.now()
        try:
            async with asyncio.timeout(SEND_TIMEOUT):
                if reply.edits and isinstance(channel, Corrects):
                    outcome = await channel.correct(chat, reply.edits, reply.reply)
                    if not isinstance(outcome, Rejected):
                        return outcome
                return await channel.send(chat, reply.reply)
        except TimeoutError:
            return Transient("no answer in time", maybe_sent=True)
        except Exception as error:
            # A channel returns its failures; what it raises is a fault of ours, and must not be tried without pause.
            log.error("sending failed", extra={"channel": channel.name, "error": type(error).__name__})
            return Transient(type(error).__name__, maybe_sent=True)
        finally:
            if self._throttle is not None:
                self._throttle.took(*key, began)

    async def _follow(self, held: Work, chat: str) -> bool:
        """Note that a chat has a new id; False if what is to leave went to the conversation that is there already."""
        now = self._clock()

        def unit(connection: Connection) -> bool:
            return relocate(connection, held.conversation_id, chat, now) == held.conversation_id

        return await self._database.unit(unit)

    def _account_waits(self, held: Work) -> timedelta:
        """How long the account has to wait, whichever process was told so."""
        key = (held.address.channel, held.address.account)
        now = self._clock()
        told = (self._held.get(key), self._channels.held_until(*key))
        until = max((moment for moment in told if moment is not None), default=now)
        left = until - now
        if self._throttle is not None:
            left = max(left, timedelta(seconds=self._throttle.held(*key)))
        return left

    @staticmethod
    def _goes_on(reply: Leaving, outcome: Outcome | timedelta) -> bool:
        """Whether the next reply may follow at once: this one is sent, or will never be."""
        given_up = isinstance(outcome, Transient) and reply.attempts + 1 >= MAX_ATTEMPTS
        return given_up or isinstance(outcome, Sent | Rejected | OutsideWindow)

    async def _write(self, held: Work, reply: Leaving, outcome: Outcome | timedelta, *, last: bool) -> datetime | None:
        """Write down what became of an attempt; with the last one, give the conversation back."""
        now = self._clock()
        key = (held.address.channel, held.address.account)
        match outcome:
            case RetryAfter(seconds):
                self._hold(key, now + timedelta(seconds=seconds))
                if self._throttle is not None:
                    self._throttle.hold(*key, seconds)
            case Misconfigured(reason):
                log.error(
                    "channel account does not work", extra={"channel": key[0], "account": key[1], "reason": reason}
                )
                self._hold(key, now + timedelta(seconds=BROKEN))
        pause = self._rng.uniform(0.8, 1.2)

        def unit(connection: Connection) -> datetime | None:
            connection.execute(_SETTLE, {"which": reply.outbox_id} | _settled(reply, outcome, now, pause))
            match outcome:
                case RetryAfter(seconds):
                    until = now + timedelta(seconds=seconds)
                    connection.execute(_HOLD, {"on": key[0], "of": key[1], "until": until})
                case ContactStopped(reason):
                    where = conversation.c.id == held.conversation_id
                    connection.execute(update(conversation).where(where).values(stopped_at=now))
                    rest = (outbox.c.conversation_id == held.conversation_id) & outbox.c.state.in_(work.OPEN)
                    connection.execute(
                        update(outbox).where(rest).values(state="failed", reason=reason[:200], code=STOPPED)
                    )
            return work.release(connection, held) if last else None

        return await self._database.unit(unit)

    def _hold(self, key: tuple[str, str], until: datetime) -> None:
        self._held[key] = max(until, self._held.get(key, until))


def _settled(reply: Leaving, outcome: Outcome | timedelta, now: datetime, pause: float) -> dict[str, Any]:
    """The columns of an outbox row after an attempt."""
    tried = reply.attempts + 1
    waits: dict[str, Any] = {"to": "queued", "external": None, "left_at": None, "tries": reply.attempts, "why": None}
    waits |= {"due": now, "coded": None}
    match outcome:
        case timedelta():
            return waits | {"due": now + outcome, "why": "account or chat is waiting"}
        case Sent(external_id):
            return waits | {"to": "sent", "external": external_id[:128], "left_at": now, "tries": tried}
        case LeftForPickup(seconds):
            return waits | {"due": now + timedelta(seconds=seconds), "why": "waits for the page"}
        case RetryAfter(seconds):
            return waits | {"due": now + timedelta(seconds=seconds), "why": "messenger asked to wait"}
        case Misconfigured(reason):
            return waits | {"due": now + timedelta(seconds=BROKEN), "why": reason[:200]}
        case Transient(reason):
            if tried >= MAX_ATTEMPTS:
                return waits | {"to": "failed", "tries": tried, "why": reason[:200], "coded": UNREACHABLE}
            step = BACKOFF[min(reply.attempts, len(BACKOFF) - 1)]
            return waits | {"due": now + timedelta(seconds=step * pause), "tries": tried, "why": reason[:200]}
        case ContactStopped(reason) | Rejected(reason) | OutsideWindow(reason):
            return waits | {"to": "failed", "tries": tried, "why": reason[:200], "coded": _CODES[type(outcome)]}
        case Moved():
            return waits
    raise AssertionError(outcome)


_SETTLE: Final = (
    update(outbox)
    .where(outbox.c.id == bindparam("which"))
    .values(
        state=bindparam("to"),
        external_id=bindparam("external"),
        sent_at=bindparam("left_at"),
        attempts=bindparam("tries"),
        reason=bindparam("why"),
        code=bindparam("coded"),
        next_attempt_at=bindparam("due"),
    )
)
_HOLD: Final = (
    update(channel_account)
    .where(
        channel_account.c.channel == bindparam("on"),
        channel_account.c.account == bindparam("of"),
        or_(channel_account.c.held_until.is_(None), channel_account.c.held_until < bindparam("until")),
    )
    .values(held_until=bindparam("until"))
)
