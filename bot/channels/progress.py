"""How much of a reply a chat already has, for replies that leave in several parts and stop half way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from bot.conversation.model import Reply

RESUME: Final = 900.0
"""Seconds for which a reply that stopped half way goes on where it stopped, instead of beginning again."""
REMEMBERED: Final = 1000
"""Replies remembered so; the oldest is forgotten first, and would begin again."""


@dataclass
class Progress:
    """How many parts a chat has, and the messenger's id of the message that stands for the whole."""

    done: int
    message_id: str
    at: float


class HalfWay:
    """The replies of one channel account that are on their way. Lost with the process: they begin again then."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._known: dict[tuple[str, Reply], Progress] = {}

    def resume(self, chat: str, reply: Reply) -> Progress:
        """Return how far this reply came before, if that was lately."""
        now = self._monotonic()
        known = self._known.pop((chat, reply), None)
        if known is None or now - known.at > RESUME:
            known = Progress(0, "", now)
        self._known[chat, reply] = known
        while len(self._known) > REMEMBERED:
            del self._known[next(iter(self._known))]
        return known

    def advance(self, progress: Progress, done: int, message_id: str | None) -> None:
        """So many parts arrived; `message_id` stands for the whole from now on, unless it is None."""
        progress.done, progress.at = done, self._monotonic()
        if message_id is not None:
            progress.message_id = message_id

    def forget(self, chat: str, reply: Reply) -> None:
        """The reply is settled."""
        self._known.pop((chat, reply), None)
