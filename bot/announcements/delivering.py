"""Delivers on one channel account until nothing is left that may leave now. Knows nothing of DBOS.

At any moment only what is on its way is `sending`: as many rows are written down as may leave now, and answers are written down
with the next ones that leave, a tenth of a second later at most.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from functools import partial
from typing import Any, Final, TypeVar

from sqlalchemy.exc import DBAPIError

from bot.announcements.compose import Composer
from bot.announcements.hours import is_quiet
from bot.announcements.lanes import Lane, LaneLost
from bot.announcements.rates import RateLimiter
from bot.announcements.rows import Recipient, Settled
from bot.announcements.states import DeliveryState, Reason
from bot.announcements.store import Current, Store
from bot.clock import ZONE, Clock
from bot.codec import reply_to_json
from bot.conversation.model import Reply
from bot.messages import (
    Channel,
    Channels,
    ContactStopped,
    Corrects,
    LeftForPickup,
    Misconfigured,
    Moved,
    Outcome,
    OutsideWindow,
    Rejected,
    RetryAfter,
    Sent,
    Transient,
    Withdraws,
)
from bot.sender import SEND_TIMEOUT

MAX_ATTEMPTS: Final = 5
BACKOFF: Final = (1, 4, 15, 60)
"""Seconds before the next attempt, by attempts made; each is varied by a fifth."""
OUTAGE: Final = 10
"""So many passing faults in a row are the line's, not the citizens': the account rests instead of using up attempts."""
LONGEST_REST: Final = 300.0
BROKEN_REST: Final = 60.0
"""Seconds between two tries of an account that does not work (token, rights)."""
REPICK: Final = 1.0
"""Seconds after which a lane asks whether something more urgent has come."""
FLUSH: Final = 0.1
"""Seconds that an answer may wait to be written down together with what leaves next. It counts as on its way until then."""
PULLED_BATCH: Final = 500
NAP: Final = 1.0
"""The longest sleep without looking whether to stop."""

Sleep = Callable[[float], Awaitable[None]]
T = TypeVar("T")
log = logging.getLogger(__name__)


class Ended(StrEnum):
    """Why a run on a lane ended."""

    DONE = "done"
    """Nothing is left that may leave now."""
    NO_ACCOUNT = "no_account"
    """This process does not have the account."""


class Stopping(RuntimeError):
    """The process is ending; the rest is for the next one."""


@dataclass(frozen=True, slots=True)
class Means:
    """What delivering needs.

    `pulled` are the channels whose citizens fetch: nothing is sent, an outbox row is laid ready. The channels should send
    without typing signs and other courtesies; each of those is a request.
    """

    store: Store
    channels: Channels
    limiter: RateLimiter
    clock: Clock
    composer: Composer
    rng: random.Random = field(default_factory=random.Random)
    sleep: Sleep = asyncio.sleep
    pulled: frozenset[str] = frozenset({"web"})


class Run:
    """One run on one lane."""

    def __init__(self, means: Means, key: Lane, owner: str, stop: asyncio.Event) -> None:
        self._means = means
        self._store = means.store
        self._key = key
        self._owner = owner
        self._stop = stop
        self._lost = asyncio.Event()
        self._in_flight: set[asyncio.Task[None]] = set()
        self._finished: list[Settled] = []
        self._answered_at: datetime | None = None
        """When the oldest answer came that is not written down yet."""
        self._replies: dict[tuple[int, str | None, date], Reply] = {}
        self._after: dict[int, int] = {}
        self._held: datetime | None = None
        self._hold: tuple[datetime, str] | None = None
        """A wait that was not written down yet."""
        self._faults = 0

    async def work(self) -> Ended:
        """Deliver until nothing is left that may leave now.

        Raises:
            Stopping: the process is ending.
            LaneLost: another run holds the lane.
        """
        channel = self._means.channels.get(self._key.channel, self._key.account)
        if channel is None:
            return Ended.NO_ACCOUNT
        while not await self._store.acquire(self._key, self._owner):
            await self._pause(min(NAP, self._store.lease.total_seconds() / 5))
        beating = asyncio.create_task(self._beat())
        try:
            self._held = await self._store.held_until(self._key)
            if self._key.channel in self._means.pulled:
                await self._lay_ready(channel)
            else:
                await self._push(channel)
        finally:
            beating.cancel()
            for task in self._in_flight:
                task.cancel()
            await asyncio.gather(beating, *self._in_flight, return_exceptions=True)
            if not self._lost.is_set():
                with suppress(DBAPIError):
                    await asyncio.shield(self._store.release(self._key, self._owner))
        return Ended.DONE

    async def _beat(self) -> None:
        """Keep the lease while answers are slow."""
        while True:
            await asyncio.sleep(self._store.lease.total_seconds() / 4)
            try:
                if not await self._store.renew(self._key, self._owner):
                    self._lost.set()
                    return
            except DBAPIError as error:
                log.warning("the lease could not be renewed", extra={"error": type(error).__name__})

    # channels to which we send

    async def _push(self, channel: Channel) -> None:
        current: Current | None = None
        repick_at = self._means.clock()
        while True:
            if self._stop.is_set():
                await self._end_well()
                raise Stopping
            now = self._means.clock()
            if current is None or now >= repick_at or (not current.urgent and is_quiet(now)):
                current, repick_at = await self._store.pick(self._key), now + timedelta(seconds=REPICK)
            granted, pause = await self._granted(current, now) if current is not None else (0, NAP)
            chosen: list[Recipient] = []
            seen = 0
            if granted or current is None or self._hold is not None or self._flush_in() <= 0:
                chosen, seen = await self._turn_over(current, granted)
            for recipient in chosen:
                # One by one: a burst of requests would stand before an answer's next step.
                await self._store.database.calm()
                self._start(channel, recipient, current)
            if granted:
                unused = (granted - len(chosen)) * (current.message.cost if current is not None else 1)
                self._means.limiter.give_back(self._key.channel, self._key.account, unused)
                if current is not None and seen < granted and not self._next_round(current, seen):
                    current = None
                continue
            if current is None and not self._in_flight and not self._finished:
                due = await self._store.next_due(self._key)
                if due is None:
                    return
                pause = max(0.005, (due - self._means.clock()).total_seconds())
            await self._wait(pause)

    def _next_round(self, current: Current, seen: int) -> bool:
        """Begin again with the first conversation; False if that is where this round began and nobody was there."""
        began = self._after.pop(current.id, 0)
        return bool(began or seen)

    async def _granted(self, current: Current, now: datetime) -> tuple[int, float]:
        """How many may leave now, and if none, how long to wait."""
        if self._held is not None:
            left = (self._held - now).total_seconds()
            if left > 0:
                return 0, left
            self._held = None
        at_once = 1 if self._faults >= OUTAGE else self._means.limiter.rate(self._key.channel).at_once
        room = at_once - len(self._in_flight)
        if room < 1:
            return 0, NAP
        return await self._means.limiter.bulk(self._key.channel, self._key.account, room, cost=current.message.cost)

    async def _turn_over(self, current: Current | None, wanted: int) -> tuple[list[Recipient], int]:
        """Write down what is finished, and take what comes next. What is known is not lost to a moment's fault."""
        try:
            if self._finished or self._hold is not None:
                finished, self._finished, self._answered_at = self._finished, [], None
                hold, self._hold = self._hold, None
                await self._insist(partial(self._store.settle, self._key, self._owner, finished, hold))
            if current is None or wanted < 1:
                return [], 0
            after = self._after.get(current.id, 0)
            take = partial(self._store.next_ones, self._key, self._owner, current, wanted, after)
            chosen, seen = await self._insist(take)
        except LaneLost:
            self._lost.set()
            raise
        if chosen:
            self._after[current.id] = chosen[-1].conversation_id
        return chosen, seen

    async def _insist(self, write: Callable[[], Awaitable[T]]) -> T:
        """Try a transaction again if the database is away for a moment."""
        for pause in (0.2, 0.5, 1.0, 2.0):
            try:
                return await write()
            except DBAPIError as error:
                log.warning("a transaction is tried again", extra={"error": type(error).__name__})
                await asyncio.sleep(pause)
        return await write()

    def _start(self, channel: Channel, recipient: Recipient, current: Current | None) -> None:
        assert current is not None
        task = asyncio.create_task(self._send(channel, recipient, self._reply(current, recipient.ward)))
        self._in_flight.add(task)
        task.add_done_callback(self._in_flight.discard)

    def _reply(self, current: Current, ward: str | None) -> Reply:
        """Return what the citizens of a commune get: composed once a day and commune, however many they are."""
        day = self._means.clock().astimezone(ZONE).date()
        key = (current.id, ward, day)
        if key not in self._replies:
            self._replies[key] = self._means.composer.reply(current.message, self._key.channel, ward, day)
        return self._replies[key]

    def _as_json(self, current: Current, ward: str | None) -> dict[str, Any]:
        return reply_to_json(self._reply(current, ward))

    async def _send(self, channel: Channel, recipient: Recipient, reply: Reply) -> None:
        outcome: Outcome
        began = self._means.limiter.now()
        self._means.limiter.leaves(self._key.channel, self._key.account)
        try:
            async with asyncio.timeout(SEND_TIMEOUT):
                outcome = await self._sent_or_corrected(channel, recipient, reply)
        except TimeoutError:
            outcome = Transient("no answer in time", maybe_sent=True)
        except Exception as error:
            # A channel returns its failures; what it raises is a fault of ours, and the message may be out.
            log.error("sending failed", extra={"lane": str(self._key), "error": type(error).__name__})
            outcome = Transient(type(error).__name__, maybe_sent=True)
        finally:
            self._means.limiter.took(self._key.channel, self._key.account, began)
        self._finished.append(self._settled(recipient, outcome))
        self._answered_at = self._answered_at or self._means.clock()

    @staticmethod
    async def _sent_or_corrected(channel: Channel, recipient: Recipient, reply: Reply) -> Outcome:
        """Put a correction in the place of the wrong message where the channel can; else send it behind it.

        What went with the message is taken away first: one that has its correction is not tried again.
        """
        target, *more = (recipient.target or "").split() or ("",)
        if more and isinstance(channel, Withdraws):
            outcome = await channel.withdraw(recipient.chat, more)
            if isinstance(outcome, RetryAfter):
                return outcome
        if target and isinstance(channel, Corrects):
            outcome = await channel.correct(recipient.chat, target, reply)
            if not isinstance(outcome, Rejected):
                return outcome
        return await channel.send(recipient.chat, reply)

    def _settled(self, recipient: Recipient, outcome: Outcome) -> Settled:
        """What an outcome means for the delivery; waits of the account are noted on the way."""
        now = self._means.clock()
        tried = recipient.attempts + 1
        if not isinstance(outcome, Transient):
            self._faults = 0

        def ends(state: DeliveryState, reason: Reason | None = None) -> Settled:
            return Settled(recipient, state, reason, now, tried)

        match outcome:
            case Sent(external_id, more):
                whole = " ".join((external_id, *more))
                return Settled(recipient, DeliveryState.ACCEPTED, None, now, tried, external_id=whole)
            case ContactStopped():
                return Settled(recipient, DeliveryState.FAILED, Reason.BLOCKED, now, tried, stopped=True)
            case Rejected():
                return ends(DeliveryState.FAILED, Reason.REJECTED)
            case OutsideWindow(until=until):
                later = Settled(recipient, DeliveryState.QUEUED, None, now, recipient.attempts, due_at=until)
                return ends(DeliveryState.FAILED, Reason.OUTSIDE_WINDOW) if until is None else later
            case Transient(maybe_sent=True):
                return ends(DeliveryState.UNCERTAIN, Reason.NO_ANSWER)
            case Transient():
                self._fault(now)
                if tried >= MAX_ATTEMPTS:
                    return ends(DeliveryState.FAILED, Reason.UNREACHABLE)
                wait = BACKOFF[min(tried, len(BACKOFF)) - 1] * self._means.rng.uniform(0.8, 1.2)
                return Settled(recipient, DeliveryState.QUEUED, None, now, tried, due_at=now + timedelta(seconds=wait))
            case RetryAfter(seconds):
                self._means.limiter.hold(self._key.channel, self._key.account, seconds)
                self._account_waits(now, seconds, "the messenger asked to wait")
            case Misconfigured(reason):
                log.error("channel account does not work", extra={"lane": str(self._key), "reason": reason})
                self._account_waits(now, BROKEN_REST, "the account does not work")
            case Moved(chat):
                return Settled(recipient, DeliveryState.QUEUED, None, now, recipient.attempts, chat=chat)
            case LeftForPickup():
                log.error("a channel that cannot push is not declared as such", extra={"lane": str(self._key)})
                return ends(DeliveryState.FAILED, Reason.REJECTED)
        return Settled(recipient, DeliveryState.QUEUED, None, now, recipient.attempts)

    def _account_waits(self, now: datetime, seconds: float, reason: str) -> None:
        until = now + timedelta(seconds=seconds)
        if self._held is None or until > self._held:
            self._held = until
            self._hold = (until, reason)

    def _fault(self, now: datetime) -> None:
        self._faults += 1
        if self._faults >= OUTAGE:
            rest = min(LONGEST_REST, 5.0 * 2 ** min(self._faults - OUTAGE, 8))
            self._account_waits(now, rest, "no line to the messenger")

    async def _wait(self, pause: float) -> None:
        """Wait until an answer is there, or for `pause` seconds."""
        if self._lost.is_set():
            raise LaneLost(str(self._key))
        pause = min(pause, max(0.0, self._flush_in()))
        if self._in_flight:
            await asyncio.wait(self._in_flight, timeout=min(pause, NAP), return_when=asyncio.FIRST_COMPLETED)
        elif pause > 0:
            await self._pause(pause)

    def _flush_in(self) -> float:
        """Seconds until the answers have to be written down; many while there are none."""
        if self._answered_at is None:
            return LONGEST_REST
        return FLUSH - (self._means.clock() - self._answered_at).total_seconds()

    async def _pause(self, seconds: float) -> None:
        """Sleep in short naps.

        Raises:
            Stopping: the process is ending.
        """
        until = self._means.clock() + timedelta(seconds=seconds)
        while (left := (until - self._means.clock()).total_seconds()) > 0:
            if self._stop.is_set():
                raise Stopping
            if self._lost.is_set():
                raise LaneLost(str(self._key))
            await self._means.sleep(min(left, NAP))

    async def _end_well(self) -> None:
        """Hear the answers to what is on its way, and write them down."""
        if self._in_flight:
            await asyncio.wait(self._in_flight)
        await self._turn_over(None, 0)

    # channels that fetch

    async def _lay_ready(self, channel: Channel) -> None:
        while True:
            if self._stop.is_set():
                raise Stopping
            if self._lost.is_set():
                raise LaneLost(str(self._key))
            current = await self._store.pick(self._key)
            if current is None:
                return
            laid = partial(self._as_json, current)
            chats = await self._store.fill_outboxes(self._key, self._owner, current, laid, PULLED_BATCH)
            for chat in chats or ():
                await channel.send(chat, self._reply(current, None))
