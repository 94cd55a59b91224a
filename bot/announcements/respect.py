"""What a citizen may be spared, asked again at the last moment before each message leaves.

At most three announcements in 24 hours, over all units and channels, counted by person where conversations are linked. It is the
bound that decree 91/2020/NĐ-CP sets for advertising by message; nobody says that a commune's word is advertising, and the
bot promises it anyway. What is urgent counts, and is not held back by it: a flood does not wait for tomorrow.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

from sqlalchemy import RowMapping, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.announcements.hours import is_quiet, next_morning
from bot.announcements.states import RECEIVED, DeliveryState, Reason
from bot.announcements.tables import delivery
from bot.conversation.categories import muted_of
from bot.storage.database import aware
from bot.storage.tables import conversation

MOST: Final = 3
WITHIN: Final = timedelta(hours=24)
COUNTED: Final = (*RECEIVED, DeliveryState.SENDING, DeliveryState.UNCERTAIN, DeliveryState.WAITING_FOR_VISIT)
"""What may have disturbed somebody."""
OTHER_WAY: Final = frozenset(
    {Reason.BLOCKED, Reason.REJECTED, Reason.OUTSIDE_WINDOW, Reason.UNREACHABLE, Reason.STOPPED}
)
"""Where one channel fails so, a linked person is told on another one. Whoever said stop is not."""


@dataclass(frozen=True, slots=True)
class Window:
    """How long after a citizen last wrote a messenger lets us write to them: free, then paid, then not at all."""

    free: timedelta
    paid: timedelta


WINDOWS: Final[Mapping[str, Window]] = MappingProxyType({"zalo-oa": Window(timedelta(hours=48), timedelta(days=7))})
"""By channel; a channel that is not here has none. Zalo OA: developers.zalo.me, consultation messages, seen in 11/2026."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What decides about one announcement's recipients."""

    wards: frozenset[str]
    category: str
    urgent: bool
    correction: bool
    expires_at: datetime | None
    by_template: bool = False
    """A template goes where the window is closed."""


def objection(row: RowMapping, asked: Asked, channel: str, now: datetime) -> Reason | None:
    """Say why a conversation may not be sent an announcement any more; None if it may."""
    if row["known"] is None:
        return Reason.GONE
    if row["stopped_at"] is not None:
        return Reason.STOPPED
    if not row["subscribed"] or asked.category in muted_of(row["muted"]):
        return Reason.OPTED_OUT
    if not asked.correction and row["ward"] not in asked.wards:
        return Reason.MOVED_AWAY
    window = WINDOWS.get(channel)
    seen = aware(row["last_seen_at"])
    if window is not None and not asked.by_template and seen is not None and now - seen > window.paid:
        return Reason.OUTSIDE_WINDOW
    return None


async def contacts(
    connection: AsyncConnection, rows: Sequence[RowMapping], others: Collection[int], now: datetime
) -> dict[int, list[datetime]]:
    """Return when the citizens of some rows were told something in the last 24 hours, by conversation, the newest first.

    Args:
        rows: with `conversation_id` and `person`.
        others: the announcements that may have told them; looked up by key, so a million finished rows cost nothing.
    """
    if not others or not rows:
        return {}
    owners: dict[int, list[int]] = {row["conversation_id"]: [row["conversation_id"]] for row in rows}
    persons: dict[str, list[int]] = {}
    for row in rows:
        if row["person"] is not None:
            persons.setdefault(row["person"], []).append(row["conversation_id"])
    if persons:
        linked = select(conversation.c.id, conversation.c.person).where(conversation.c.person.in_(list(persons)))
        for found in await connection.execute(linked):
            owners.setdefault(found.id, []).extend(persons[found.person])
    query = select(delivery.c.conversation_id, delivery.c.at).where(
        delivery.c.announcement_id.in_(list(others)),
        delivery.c.conversation_id.in_(list(owners)),
        delivery.c.state.in_(COUNTED),
        delivery.c.at > now - WITHIN,
    )
    told: dict[int, list[datetime]] = {}
    for found in await connection.execute(query):
        for owner in dict.fromkeys(owners[found.conversation_id]):
            told.setdefault(owner, []).append(aware(found.at) or now)
    return {owner: sorted(moments, reverse=True) for owner, moments in told.items()}


def room_again(moments: Sequence[datetime], now: datetime) -> datetime | None:
    """Return when a citizen may be told something again; None: now.

    Args:
        moments: of the last 24 hours, the newest first.
    """
    if len(moments) < MOST:
        return None
    free = moments[MOST - 1] + WITHIN
    if free <= now:
        return None
    return next_morning(free) if is_quiet(free) else free
