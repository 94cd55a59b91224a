"""When a citizen last turned to an OA, as the conversations know it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime

from sqlalchemy import select

from bot.channels.zalo_oa.parse import CHANNEL
from bot.storage.database import Database, aware
from bot.storage.tables import conversation


def last_interactions(database: Database, account: str) -> Callable[[str], Awaitable[datetime | None]]:
    """Return a look-up by chat for one account; None for somebody who has no conversation with it."""

    async def look_up(chat: str) -> datetime | None:
        query = select(conversation.c.last_seen_at).where(
            conversation.c.channel == CHANNEL, conversation.c.account == account, conversation.c.chat == chat
        )
        async with database.read() as connection:
            return aware((await connection.execute(query)).scalar_one_or_none())

    return look_up
