"""How fast an account may send, shared by replies and announcements of one process; replies come first.

Telegram takes about 30 messages a second from one bot (core.telegram.org/bots/faq). Announcements use what replies leave of
that, less a reserve: one while nobody talks to the bot, and as many as are likely to come at once while people do, so that a reply
hardly ever finds the second full. While one waits they only trickle, so that a large announcement is never stopped for good.

What a messenger really takes is learned: each time it asks to wait (429), announcements are held to a tenth less, and come back
slowly. So a limit that was lowered somewhere far away costs a few refusals, not one a second. Replies wait for the seconds that
were named, and no longer.
"""

from __future__ import annotations

import asyncio
import math
import time
from bisect import insort
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

Monotonic = Callable[[], float]
RepliesWaiting = Callable[[str, str], Awaitable[bool]]
"""Whether a reply waits to be sent on this channel and account, in any process."""


@dataclass(frozen=True, slots=True)
class Rate:
    """What an account may do. `per_second` None: the channel has no limit of its own."""

    per_second: int | None
    reserve: int = 0
    """Of these a second, announcements leave so many to replies."""
    at_once: int = 20
    """Requests of announcements on their way at the same time: the most that a crash can make uncertain."""


RATES: Final[Mapping[str, Rate]] = {
    "telegram": Rate(30, reserve=1, at_once=20),
    # 4,000 requests a minute of one app, uploads and looks included (facts of the OA OpenAPI).
    "zalo-oa": Rate(60, reserve=15, at_once=20),
}
CAREFUL: Final = Rate(20, reserve=4, at_once=10)
"""For a channel whose limit nobody wrote down yet."""
TRICKLE: Final = 1.0
"""Announcements a second while replies wait."""
BURST: Final = 0.2
"""Seconds of unused rate that may be caught up at once."""
EDGE: Final = 0.006
"""Seconds for which a message counts longer: when it arrived is estimated, and the next one may be quicker on its way."""
PORTION: Final = 0.1
"""Seconds of an account's rate that leave together: less is written down for each, which keeps replies waiting less often."""
LEARNS: Final = 0.9
"""What is left of an account's rate when its messenger asks it to wait."""
RECOVERS: Final = 1 / 30
"""Messages a second that an account wins back each second."""
FORGETS: Final = 1.01
"""Grows what is known of the fastest message with each one, so that a line that became slower is noticed."""
LEAST: Final = 4.0
TALK: Final = 5.0
"""Seconds of replies from which the next ones are guessed."""
MOST_KEPT: Final = 0.5
"""The share of the limit that announcements have whatever is guessed."""
SAME_WAIT: Final = 1.0
"""Seconds within which several refusals say the same: they left together."""
LOOK: Final = 0.25
"""Seconds between two questions whether replies wait, and the longest pause an announcement is told to make."""


@dataclass(slots=True)
class _Account:
    tokens: float
    refilled: float
    sent: deque[float] = field(default_factory=deque)
    """When the messages of the last second left."""
    talked: deque[float] = field(default_factory=deque)
    """When the replies of the last `TALK` seconds left."""
    replies: int = 0
    """Replies of this process that wait for their turn."""
    looked: float = float("-inf")
    held_until: float = float("-inf")
    """The messenger asked this account to wait."""
    waiting: bool = False
    on_the_way: int = 0
    """Messages that left and are not answered."""
    fastest: float = 1.0
    """Seconds that a message takes at least."""
    limit: float | None = None
    """Messages a second that the messenger took lately, if that is less than its limit."""
    learned: float = float("-inf")


class RateLimiter:
    """One object a process. The sender asks `reply`, the announcements ask `bulk`."""

    def __init__(
        self,
        rates: Mapping[str, Rate] = RATES,
        *,
        default: Rate = CAREFUL,
        monotonic: Monotonic = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] | None = None,
        replies_waiting: RepliesWaiting | None = None,
    ) -> None:
        self._rates = rates
        self._default = default
        self._monotonic = monotonic
        self._sleep = sleep or asyncio.sleep
        self._replies_waiting = replies_waiting
        self._accounts: dict[tuple[str, str], _Account] = {}

    def rate(self, channel: str) -> Rate:
        """Return what a channel's accounts may do."""
        return self._rates.get(channel, self._default)

    async def reply(self, channel: str, account: str, cost: int = 1) -> None:
        """Wait until a reply of so many requests may leave (rarely, and seldom a second), and count it."""
        limit = self.rate(channel).per_second
        if limit is None:
            return
        state = self._account(channel, account)
        state.replies += 1
        try:
            while self._room(state, limit) < min(cost, limit):
                free = state.sent[0] + 1 + EDGE - self._monotonic() if state.sent else LOOK / 10
                await self._sleep(max(0.001, free))
        finally:
            state.replies -= 1
        now = self._monotonic()
        state.sent.extend([now] * cost)
        state.talked.extend([now] * cost)

    def hold(self, channel: str, account: str, seconds: float) -> None:
        """Note that the messenger asked this account to wait: for replies and announcements alike."""
        state, now = self._account(channel, account), self._monotonic()
        state.held_until = max(state.held_until, now + seconds)
        full = self.rate(channel).per_second
        if full is not None and now - state.learned > SAME_WAIT:
            state.limit, state.learned = max(LEAST, self._limit(state, full) * LEARNS), now

    def held(self, channel: str, account: str) -> float:
        """Return for how many seconds the account still has to wait; 0 if it need not."""
        state = self._accounts.get((channel, account))
        return 0.0 if state is None else max(0.0, state.held_until - self._monotonic())

    async def bulk(self, channel: str, account: str, wanted: int, *, cost: int = 1) -> tuple[int, float]:
        """Ask to send up to `wanted` announcements now, each of so many requests.

        Returns:
            How many may leave, already counted; and if none, after how many seconds to ask again.
        """
        rate = self.rate(channel)
        if rate.per_second is None:
            return wanted, 0.0
        if (left := self.held(channel, account)) > 0:
            return 0, left
        state = self._account(channel, account)
        limit = self._limit(state, rate.per_second)
        speed = TRICKLE if await self._yields(state, channel, account) else limit
        now = self._monotonic()
        state.tokens = min(max(float(cost), limit * BURST), state.tokens + max(0.0, now - state.refilled) * speed)
        state.refilled = now
        # The pace is the whole limit, the second holds less: what a hiccup of this process lost is made up for within it.
        room = self._room(state, limit) - min(rate.reserve + self._likely(state, limit), int(limit) - 1)
        granted = max(0, min(int(state.tokens + 1e-9) // cost, wanted, max(room, 0) // cost))
        least = 1 if speed < limit else max(1, min(wanted, int(limit * PORTION) // cost, max(room, 0) // cost))
        if granted >= least:
            state.tokens -= granted * cost
            state.sent.extend([now] * (granted * cost))
            return granted, 0.0
        return 0, min(LOOK, max(0.005, (least * cost - state.tokens) / speed))

    def learned(self, channel: str, account: str) -> float | None:
        """Return the messages a second to which an account is held now; None for a channel without a limit."""
        full = self.rate(channel).per_second
        state = self._accounts.get((channel, account))
        return None if full is None else float(full) if state is None else self._limit(state, full)

    def now(self) -> float:
        """Return the limiter's own time, for `took`."""
        return self._monotonic()

    def leaves(self, channel: str, account: str) -> None:
        """Note that a granted message leaves: until it is answered, it may be arriving now."""
        if self.rate(channel).per_second is None:
            return
        state = self._account(channel, account)
        if state.sent:
            state.sent.pop()
        state.on_the_way += 1

    def took(self, channel: str, account: str, began: float) -> None:
        """Note that a message was answered which left at that time.

        The messenger counts what arrives in a second, we what leaves in one. A message that waited for a connection, or for
        this process to have a moment, arrives with those behind it; counted from when it left, it would be one too many.
        """
        if self.rate(channel).per_second is None:
            return
        state, now = self._account(channel, account), self._monotonic()
        state.fastest = min(now - began, state.fastest * FORGETS)
        state.on_the_way -= 1
        insort(state.sent, now - state.fastest)

    def give_back(self, channel: str, account: str, count: int) -> None:
        """Return what was granted and not used."""
        state = self._accounts.get((channel, account))
        if state is not None:
            state.tokens += count
            for _ in range(min(count, len(state.sent))):
                state.sent.pop()

    def _account(self, channel: str, account: str) -> _Account:
        known = self._accounts.get((channel, account))
        if known is None:
            known = self._accounts[channel, account] = _Account(1.0, self._monotonic())
        return known

    def _limit(self, state: _Account, full: int) -> float:
        """The limit as it was learned, won back a little each second."""
        if state.limit is None:
            return float(full)
        found = state.limit + (self._monotonic() - state.learned) * RECOVERS
        if found >= full:
            state.limit = None
            return float(full)
        return found

    def _room(self, state: _Account, limit: float) -> int:
        now = self._monotonic()
        while state.sent and state.sent[0] <= now - 1 - EDGE:
            state.sent.popleft()
        return int(limit) - len(state.sent) - state.on_the_way

    def _likely(self, state: _Account, limit: float) -> int:
        """How many replies may well come within one second: the mean of the last ones and two deviations, as of chance arrivals."""
        now = self._monotonic()
        while state.talked and state.talked[0] <= now - TALK:
            state.talked.popleft()
        if not state.talked:
            return 0
        # Where the first ones came just now, they say how fast the next ones come.
        mean = len(state.talked) / max(1.0, min(TALK, now - state.talked[0]))
        return min(math.ceil(mean + 2 * math.sqrt(mean)), int(limit * MOST_KEPT))

    async def _yields(self, state: _Account, channel: str, account: str) -> bool:
        if state.replies:
            return True
        now = self._monotonic()
        if self._replies_waiting is not None and now - state.looked >= LOOK:
            state.looked = now
            state.waiting = await self._replies_waiting(channel, account)
        return state.waiting
