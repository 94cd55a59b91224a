"""How fast one chat may be written to: a messenger allows short bursts, then so many messages in a while."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from bot.clock import Clock

REMEMBERED: Final = 20_000
"""Chats whose pace is known; the longest silent one is forgotten first, and was silent long enough to start anew."""


@dataclass(frozen=True, slots=True)
class Pace:
    """One message each `every`, and `burst` of them at once after a silence."""

    every: timedelta
    burst: int


@dataclass(slots=True)
class _Chat:
    left: float
    at: datetime


class Paces:
    """The chats of one process. A conversation is in the hands of one process at a time, so that is enough."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._chats: OrderedDict[Hashable, _Chat] = OrderedDict()

    def take(self, chat: Hashable, pace: Pace | None, messages: int = 1) -> timedelta:
        """Count messages that leave now together; or return how long they have to wait, and count nothing.

        More than a burst leave when a whole burst may, and what comes after them waits for the rest, too.
        """
        if pace is None:
            return timedelta()
        now = self._clock()
        known = self._chats.pop(chat, None)
        left = float(pace.burst)
        if known is not None:
            left = min(left, known.left + max(timedelta(), now - known.at) / pace.every)
        wait = timedelta()
        wanted = min(messages, pace.burst)
        if left >= wanted:
            left -= messages
        else:
            wait = pace.every * (wanted - left)
        self._chats[chat] = _Chat(left, now)
        while len(self._chats) > REMEMBERED:
            self._chats.popitem(last=False)
        return wait
