"""The moment at which an announcement begins: its audience is asked for and written down, one row a recipient."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    RowMapping,
    Select,
    String,
    and_,
    func,
    insert,
    literal,
    literal_column,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.announcements.audience import Audience
from bot.announcements.linked import keep_one_each
from bot.announcements.planning import Planner, Wish, saved_of, wish_of
from bot.announcements.selecting import asked_for, has_account, willing
from bot.announcements.states import BEGUN, DeliveryState
from bot.announcements.tables import announcement, delivery
from bot.storage.database import aware
from bot.storage.tables import conversation

LETTERS: Final = "bcdfghjkmnpqrstvwxz"
"""Of a code: without vowels it spells nothing, without digits no filter takes it for somebody's number."""
CODE_LENGTH: Final = 8
_COLUMNS: Final = ("announcement_id", "conversation_id", "channel", "account", "ward", "state", "attempts")
_SEEN_MARGIN: Final = timedelta(minutes=5)


def new_code() -> str:
    """Return the code of a new announcement, that stands in its buttons and links."""
    return "".join(secrets.choice(LETTERS) for _ in range(CODE_LENGTH))


async def count_in(
    connection: AsyncConnection, planner: Planner, announcement_id: int, wish: Wish, saved: Mapping[str, Audience]
) -> int:
    """Write down everybody whom a wish asks for now, in the caller's transaction; return how many."""
    await connection.execute(
        insert(delivery).from_select(_COLUMNS, _recipients(connection, planner, announcement_id, wish, saved))
    )
    of_it = delivery.c.announcement_id == announcement_id
    lanes = await connection.execute(
        select(delivery.c.channel, delivery.c.account, func.count().label("number"))
        .where(of_it)
        .group_by(delivery.c.channel, delivery.c.account)
        .order_by(delivery.c.channel, delivery.c.account)
    )
    found = lanes.all()
    audience = sum(int(row.number) for row in found)
    await keep_one_each(connection, announcement_id)
    await connection.execute(
        update(announcement)
        .where(announcement.c.id == announcement_id)
        .values(audience=audience, lanes=[[row.channel, row.account] for row in found])
    )
    return audience


async def take_in_joined(planner: Planner) -> int:
    """Add who subscribed while an announcement is being sent, where its author asked for that; return how many.

    Only who wrote since it began can have joined, so this reads few conversations however large the audience is.
    """
    query = select(announcement).where(
        announcement.c.joins, announcement.c.state.in_(BEGUN), announcement.c.kind != "correction"
    )
    async with planner.database.read() as connection:
        rows = (await connection.execute(query)).mappings().all()
    return sum([await _join(planner, row) for row in rows], 0)


async def _join(planner: Planner, row: RowMapping) -> int:
    since = (aware(row["started_at"]) or aware(row["created_at"]) or planner.clock()) - _SEEN_MARGIN
    wish = wish_of(row)
    new = and_(
        conversation.c.last_seen_at >= since,
        ~select(delivery.c.conversation_id)
        .where(delivery.c.announcement_id == row["id"], delivery.c.conversation_id == conversation.c.id)
        .exists(),
    )
    # Who joins is asked what was approved, also where somebody has changed a saved audience since.
    saved = saved_of(row["forecast"] or {})
    async with planner.database.read() as connection:
        asked = _recipients(connection, planner, row["id"], wish, saved).where(new)
        if (await connection.execute(asked.limit(1))).first() is None:
            return 0
    async with planner.database.write() as connection:
        # The state is locked first: an announcement that closes now takes nobody in.
        begun = select(announcement.c.lanes).where(announcement.c.id == row["id"], announcement.c.state.in_(BEGUN))
        lanes = (await connection.execute(begun.with_for_update())).first()
        if lanes is None:
            return 0
        await connection.execute(insert(delivery).from_select(_COLUMNS, asked))
        of_it = delivery.c.announcement_id == row["id"]
        audience = await connection.scalar(select(func.count()).select_from(delivery).where(of_it))
        used = await connection.execute(select(delivery.c.channel, delivery.c.account).where(of_it).distinct())
        await keep_one_each(connection, row["id"])
        await connection.execute(
            update(announcement)
            .where(announcement.c.id == row["id"])
            .values(audience=audience, lanes=sorted([channel, account] for channel, account in used))
        )
    return int(audience or 0) - int(row["audience"])


def _recipients(
    connection: AsyncConnection, planner: Planner, announcement_id: int, wish: Wish, saved: Mapping[str, Audience]
) -> Select[Any]:
    postgres = connection.dialect.name == "postgresql"
    now = planner.clock()
    asked: ColumnElement[bool] = asked_for(
        wish.audience, places=planner.places, now=now, postgres=postgres, saved=saved
    )
    return select(
        literal(announcement_id),
        conversation.c.id,
        conversation.c.channel,
        conversation.c.account,
        conversation.c.ward,
        literal(DeliveryState.QUEUED.value, String()),
        literal_column("0"),
    ).where(asked, willing(wish.content.category), has_account(planner.accounts))
