"""How much of a reply a chat has: a reply of several parts that stopped half way goes on there, instead of beginning again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from bot.conversation.model import Reply
from bot.messages import Misconfigured, Outcome, RetryAfter, Transient

RESUME: Final = 900.0
"""Seconds for which a reply that stopped half way is remembered."""
HALF_WAY: Final = 1000
"""Replies remembered so; the oldest is forgotten first, and would begin again."""


@dataclass
class Progress:
    """The parts of one reply that one chat has."""

    done: int
    message_id: str
    at: float
    more: tuple[str, ...] = ()
    """Ids of the documents and pictures behind the text."""


class HalfWay:
    """The replies of one account that stopped half way. Of this process only: another one would begin again."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._replies: dict[tuple[str, Reply], Progress] = {}

    def progress(self, chat: str, reply: Reply) -> Progress:
        """Return how far this reply came before, if that was lately."""
        now = self._monotonic()
        known = self._replies.pop((chat, reply), None)
        if known is None or now - known.at > RESUME:
            known = Progress(0, "", now)
        self._replies[chat, reply] = known
        while len(self._replies) > HALF_WAY:
            del self._replies[next(iter(self._replies))]
        return known

    def has(self, chat: str, reply: Reply) -> int:
        """Return how many parts of a reply a chat has, if it stopped half way lately; else 0."""
        known = self._replies.get((chat, reply))
        return 0 if known is None or self._monotonic() - known.at > RESUME else known.done

    def advance(self, progress: Progress, done: int) -> None:
        """Note that so many parts are with the messenger."""
        progress.done, progress.at = done, self._monotonic()

    def settle(self, chat: str, reply: Reply, outcome: Outcome) -> None:
        """Forget a reply that will not be tried again."""
        if not isinstance(outcome, Transient | RetryAfter | Misconfigured):
            self._replies.pop((chat, reply), None)
