"""How announcements stand, read from the database."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, func, select

from bot.announcements.states import FINISHED, OPEN, AnnouncementState, DeliveryState
from bot.announcements.tables import announcement, delivery
from bot.storage.database import Database, aware

SOON: Final = timedelta(minutes=10)
"""What is due within this is waited for."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How an announcement stands. `counts` is by coded state: "accepted", "failed:blocked"."""

    id: int
    unit: str
    text: str
    state: AnnouncementState
    audience: int
    author: str
    urgent_reason: str | None
    created_at: datetime
    started_at: datetime | None
    closed_at: datetime | None
    counts: Mapping[str, int]

    @property
    def finished(self) -> bool:
        """Whether nothing moves any more by itself."""
        return self.state in FINISHED


async def progress_of(database: Database, condition: ColumnElement[bool], limit: int) -> list[Progress]:
    """Return how the announcements stand for which a condition holds, the newest first."""
    query = select(announcement).where(condition).order_by(announcement.c.id.desc()).limit(limit)
    async with database.read() as connection:
        rows = (await connection.execute(query)).mappings().all()
        counted = await connection.execute(
            select(delivery.c.announcement_id, delivery.c.state, delivery.c.reason, func.count().label("number"))
            .where(delivery.c.announcement_id.in_([r["id"] for r in rows]))
            .group_by(delivery.c.announcement_id, delivery.c.state, delivery.c.reason)
        )
        counts: dict[int, dict[str, int]] = {r["id"]: {} for r in rows}
        for row in counted:
            coded = coded_state(row.state, row.reason)
            counts[row.announcement_id][coded] = counts[row.announcement_id].get(coded, 0) + row.number
    return [
        Progress(
            r["id"],
            r["unit"],
            r["text"],
            AnnouncementState(r["state"]),
            r["audience"],
            r["author"],
            r["urgent_reason"],
            aware(r["created_at"]) or r["created_at"],
            aware(r["started_at"]),
            aware(r["closed_at"]),
            dict(sorted(counts[r["id"]].items())),
        )
        for r in rows
    ]


@dataclass(frozen=True, slots=True)
class Held:
    """Recipients who had their three announcements of the day; the last of them is told something again at `until`."""

    recipients: int
    until: datetime


async def held_of(database: Database, announcement_id: int, now: datetime) -> Held | None:
    """Return who is left of an announcement, if nobody but those whom the day's limit holds."""
    query = select(
        func.count().label("number"),
        func.max(delivery.c.due_at, type_=delivery.c.due_at.type).label("until"),
        func.min(func.coalesce(delivery.c.due_at, now), type_=delivery.c.due_at.type).label("first"),
        func.max(delivery.c.attempts).label("attempts"),
        func.max(delivery.c.state).label("state"),
    ).where(delivery.c.announcement_id == announcement_id, delivery.c.state.in_(OPEN))
    async with database.read() as connection:
        left = (await connection.execute(query)).one()
    until, first = aware(left.until), aware(left.first)
    # What was tried and is tried again, or waits for a messenger, moves by itself before long.
    if until is None or first is None or left.attempts or left.state != DeliveryState.QUEUED or first - now < SOON:
        return None
    return Held(int(left.number), until)


def coded_state(state: str, reason: str | None) -> str:
    """Return a delivery's state with its reason: "failed:blocked". What waits to be tried again is just queued."""
    shown = reason if state not in (DeliveryState.QUEUED, DeliveryState.SENDING, DeliveryState.ACCEPTED) else None
    return f"{state}:{shown}" if shown else state


def in_words(span: timedelta) -> str:
    """Return a span as one says it: "40 giây", "12 phút", "2 giờ 5 phút"."""
    seconds = math.ceil(span.total_seconds())
    if seconds < 60:
        return f"{seconds} giây"
    minutes = math.ceil(seconds / 60)
    if minutes < 60:
        return f"{minutes} phút"
    hours, rest = divmod(minutes, 60)
    return f"{hours} giờ {rest} phút" if rest else f"{hours} giờ"
