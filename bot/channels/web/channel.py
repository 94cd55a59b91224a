"""The web as a channel: nothing is sent to it, the page comes and fetches.

An answer leaves with the response to the citizen's own request. What the bot says first (an announcement, an officer's
answer) is an outbox row without an inbox row; it stays queued until a stream of that conversation has written it out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Final

from bot.conversation.model import Reply
from bot.messages import MAX_TEXT, Address, Capabilities, LeftForPickup, Outcome

CHANNEL: Final = "web"
ACCOUNT: Final = "default"
AGAIN: Final = timedelta(hours=1)
"""After this long the sender may ring again for a row that no stream has fetched; streams look by themselves anyway."""


def address(chat: str) -> Address:
    """Return where the web conversation of a chat id lives."""
    return Address(CHANNEL, ACCOUNT, chat)


class Bells:
    """Wakes the streams that are open in this process, by chat."""

    def __init__(self) -> None:
        self._open: dict[str, set[asyncio.Event]] = {}

    @contextmanager
    def listen(self, chat: str) -> Iterator[asyncio.Event]:
        """Give a stream its bell for as long as it is open."""
        bell = asyncio.Event()
        self._open.setdefault(chat, set()).add(bell)
        try:
            yield bell
        finally:
            bells = self._open[chat]
            bells.discard(bell)
            if not bells:
                del self._open[chat]

    def ring(self, chat: str) -> None:
        """Tell the streams of a chat to look now."""
        for bell in self._open.get(chat, ()):
            bell.set()

    def count(self, chat: str) -> int:
        """Return how many streams of a chat are open here."""
        return len(self._open.get(chat, ()))


class WebChannel:
    """A `bot.messages.Channel` whose `send` rings and sends nothing."""

    name = CHANNEL
    account = ACCOUNT
    capabilities = Capabilities(text_limit=MAX_TEXT, buttons=True, files=True)

    def __init__(self, bells: Bells) -> None:
        self._bells = bells

    async def send(self, chat: str, reply: Reply) -> Outcome:  # noqa: ARG002 - the row itself is fetched
        """Ring the streams of the chat, and leave the row queued: only a stream that wrote it may call it sent."""
        self._bells.ring(chat)
        return LeftForPickup(AGAIN.total_seconds())
