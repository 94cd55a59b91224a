"""Changes a state as the table of moves allows, and writes down who did it, in the caller's transaction."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, insert, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.announcements.lifecycle import TARGETS, Action, before
from bot.announcements.states import AnnouncementState
from bot.announcements.tables import announcement, step

LONGEST_NOTE: Final = 500


async def move(
    connection: AsyncConnection,
    announcement_id: int,
    action: Action,
    now: datetime,
    *,
    actor: str | None = None,
    note: str = "",
    only: ColumnElement[bool] | None = None,
    **values: Any,
) -> bool:
    """Do what an action does to an announcement, if its state allows it now; False if it does not.

    The condition stands in the UPDATE itself: of two who act at the same moment, one finds the state of the other.

    Args:
        only: something more that has to hold.
        values: other columns that change with it.
    """
    where = [announcement.c.id == announcement_id, announcement.c.state.in_(before(action))]
    if only is not None:
        where.append(only)
    target = TARGETS[action]
    done = await connection.execute(update(announcement).where(*where).values(state=target, **values))
    if done.rowcount == 0:
        return False
    await note_step(connection, announcement_id, action, target, now, actor=actor, note=note)
    return True


async def note_step(
    connection: AsyncConnection,
    announcement_id: int,
    action: Action,
    state: AnnouncementState,
    now: datetime,
    *,
    actor: str | None = None,
    note: str = "",
) -> None:
    """Append to an announcement's history."""
    await connection.execute(
        insert(step).values(
            announcement_id=announcement_id,
            at=now,
            actor=actor,
            action=action,
            state=state,
            note=note[:LONGEST_NOTE] or None,
        )
    )
