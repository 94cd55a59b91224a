"""When Zalo lets an OA write to a citizen, and what it costs. Pure: the last interaction and the time now decide.

48 hours after the last interaction (a follow, a message, a call taken, a tapped button or menu item) answers are free, without
limit since 1/1/2026; until the seventh day they are paid for; after that nothing is accepted (error -230).
Broadcasts and promotional templates leave between 06:00 and 21:59 only (errors -234, -133).
"""

from __future__ import annotations

from datetime import datetime, time, timedelta
from enum import StrEnum
from typing import Final

from bot.clock import ZONE

FREE: Final = timedelta(hours=48)
PAID: Final = timedelta(days=7)
MARGIN: Final = timedelta(minutes=1)
"""Both end a little earlier for us: a message on its way at the stroke would be charged, or refused."""
MORNING: Final = time(6)
NIGHT: Final = time(22)
DOUBT: Final = timedelta(minutes=30)
"""Where Zalo calls it night and we do not: its clock is another one."""


class Window(StrEnum):
    """What a message to a citizen would be."""

    FREE = "free"
    PAID = "paid"
    CLOSED = "closed"


def window(last_interaction: datetime | None, now: datetime) -> Window:
    """Return what a message now would be; closed to somebody of whom no interaction is known."""
    if last_interaction is None:
        return Window.CLOSED
    age = now - last_interaction
    if age <= FREE - MARGIN:
        return Window.FREE
    return Window.PAID if age <= PAID - MARGIN else Window.CLOSED


def next_opening(now: datetime) -> datetime:
    """Return when broadcasts and promotional templates may leave again, at night; by day, when to ask a Zalo that refused one."""
    if by_day(now):
        return now + DOUBT
    local = now.astimezone(ZONE)
    morning = datetime.combine(local.date(), MORNING, ZONE)
    return morning if local < morning else morning + timedelta(days=1)


def by_day(now: datetime) -> bool:
    """Whether a broadcast or promotional template may leave now."""
    return MORNING <= now.astimezone(ZONE).time() < NIGHT
