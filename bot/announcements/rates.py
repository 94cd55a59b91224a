"""How fast an account may send, shared by replies and announcements of one process; replies come first.

Telegram takes about 30 messages a second from one bot (core.telegram.org/bots/faq, facts/channels.md A3). Announcements
use that less a reserve; while a reply waits they only trickle, so that a large one is never stopped for good.
"""

from __future__ import annotations

import asyncio
import time
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
    "telegram": Rate(30, reserve=5, at_once=20),
    # 4,000 requests a minute of one app, uploads and looks included (facts of the OA OpenAPI).
    "zalo-oa": Rate(60, reserve=15, at_once=20),
}
CAREFUL: Final = Rate(20, reserve=4, at_once=10)
"""For a channel whose limit nobody wrote down yet."""
TRICKLE: Final = 1.0
"""Announcements a second while replies wait."""
BURST: Final = 0.2
"""Seconds of unused rate that may be caught up at once."""
LOOK: Final = 0.25
"""Seconds between two questions whether replies wait, and the longest pause an announcement is told to make."""


@dataclass(slots=True)
class _Account:
    tokens: float
    refilled: float
    sent: deque[float] = field(default_factory=deque)
    """When the messages of the last second left."""
    replies: int = 0
    """Replies of this process that wait for their turn."""
    looked: float = float("-inf")
    held_until: float = float("-inf")
    """The messenger asked this account to wait."""
    waiting: bool = False


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

    async def reply(self, channel: str, account: str) -> None:
        """Wait until a reply may leave (rarely, and below a second), and count it."""
        limit = self.rate(channel).per_second
        if limit is None:
            return
        state = self._account(channel, account)
        state.replies += 1
        try:
            while self._room(state, limit) < 1:
                await self._sleep(max(0.001, state.sent[0] + 1 - self._monotonic()))
        finally:
            state.replies -= 1
        state.sent.append(self._monotonic())

    def hold(self, channel: str, account: str, seconds: float) -> None:
        """Note that the messenger asked this account to wait: for replies and announcements alike."""
        state = self._account(channel, account)
        state.held_until = max(state.held_until, self._monotonic() + seconds)

    def held(self, channel: str, account: str) -> float:
        """Return for how many seconds the account still has to wait; 0 if it need not."""
        state = self._accounts.get((channel, account))
        return 0.0 if state is None else max(0.0, state.held_until - self._monotonic())

    async def bulk(self, channel: str, account: str, wanted: int) -> tuple[int, float]:
        """Ask to send up to `wanted` announcements now.

        Returns:
            How many may leave, already counted; and if none, after how many seconds to ask again.
        """
        rate = self.rate(channel)
        if rate.per_second is None:
            return wanted, 0.0
        if (left := self.held(channel, account)) > 0:
            return 0, left
        state = self._account(channel, account)
        full = float(rate.per_second - rate.reserve)
        speed = TRICKLE if await self._yields(state, channel, account) else full
        now = self._monotonic()
        state.tokens = min(max(1.0, full * BURST), state.tokens + max(0.0, now - state.refilled) * speed)
        state.refilled = now
        granted = max(0, min(int(state.tokens + 1e-9), wanted, self._room(state, rate.per_second)))
        if granted:
            state.tokens -= granted
            state.sent.extend([now] * granted)
            return granted, 0.0
        return 0, min(LOOK, max(0.005, (1 - state.tokens) / speed))

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

    def _room(self, state: _Account, limit: int) -> int:
        now = self._monotonic()
        while state.sent and state.sent[0] <= now - 1:
            state.sent.popleft()
        return limit - len(state.sent)

    async def _yields(self, state: _Account, channel: str, account: str) -> bool:
        if state.replies:
            return True
        now = self._monotonic()
        if self._replies_waiting is not None and now - state.looked >= LOOK:
            state.looked = now
            state.waiting = await self._replies_waiting(channel, account)
        return state.waiting
