"""A citizen's commune as a tag of theirs at Zalo: follows what they choose, beside the turn, never before its answer.

As good as it gets: what Zalo does not take now is dropped, and mended by `congdanso channel tags`.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, select

from bot.conversation.model import DataErased, WardChosen
from bot.messages import Channels
from bot.storage.tables import conversation
from bot.turns import Record, TurnTaken
from content.places import Places

CHANNEL: Final = "zalo-oa"
MOST: Final = 10_000
"""Choices that wait; while Zalo is away, the oldest are forgotten first."""
LOOK: Final = 1.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Choice:
    """Somebody chose another commune (slugs; None: none)."""

    account: str
    chat: str
    before: str | None
    now: str | None


class Tagging:
    """A `Record` that notes choices of communes on the way, and a task that carries them to Zalo."""

    def __init__(self, record: Record, places: Places, channels: Channels) -> None:
        self._record = record
        self._slugs = {ward.code: ward.slug for ward in places.wards()}
        self._channels = channels
        self._choices: deque[Choice] = deque(maxlen=MOST)

    def __call__(self, connection: Connection, turn: TurnTaken, /) -> None:
        """Write a turn down. The conversation's row still says what was chosen before."""
        self._record(connection, turn)
        chosen = [e for e in turn.effects if isinstance(e, WardChosen | DataErased)] if turn.channel == CHANNEL else []
        if not chosen:
            return
        last = chosen[-1]
        query = select(conversation.c.account, conversation.c.chat, conversation.c.ward)
        row = connection.execute(query.where(conversation.c.id == turn.conversation_id)).one_or_none()
        if row is not None:
            now = last.code if isinstance(last, WardChosen) else None
            self._choices.append(
                Choice(row.account, row.chat, self._slugs.get(row.ward or ""), self._slugs.get(now or ""))
            )

    async def run(self, *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """Carry choices to Zalo, until cancelled."""
        while True:
            await sleep(LOOK)
            await self.work()

    async def work(self) -> None:
        """Carry what waits to Zalo, in order."""
        while self._choices:
            choice = self._choices.popleft()
            try:
                await self._carry(choice)
            except Exception as error:
                # A tag is worth no trouble: the officers' command sets what is missing.
                log.warning("a tag was not set", extra={"account": choice.account, "error": type(error).__name__})

    async def _carry(self, choice: Choice) -> None:
        channel = self._channels.get(CHANNEL, choice.account)
        if channel is None or choice.chat.startswith("anonymous:"):
            return
        from bot.channels.zalo_oa import ZaloOaChannel
        from bot.channels.zalo_oa.client import commune_tag

        if not isinstance(channel, ZaloOaChannel):
            return
        if choice.before is not None and choice.before != choice.now:
            await channel.client.untag(choice.chat, commune_tag(choice.before))
        if choice.now is not None:
            await channel.client.tag(choice.chat, commune_tag(choice.now))
