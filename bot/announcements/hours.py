"""The quiet hours: at night nothing but the urgent is sent.

22:00 to 6:00 in Vietnam, the hours that Zalo keeps for broadcasts too.
"""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Final

from bot.clock import ZONE

QUIET_FROM: Final = time(22)
QUIET_UNTIL: Final = time(6)


def is_quiet(now: datetime) -> bool:
    """Whether it is night in Vietnam."""
    local = now.astimezone(ZONE).time()
    return local >= QUIET_FROM or local < QUIET_UNTIL


def next_morning(now: datetime) -> datetime:
    """Return when the quiet hours end that hold now, or those of the coming night."""
    local = now.astimezone(ZONE)
    day = local.date() if local.time() < QUIET_UNTIL else local.date() + timedelta(days=1)
    return datetime.combine(day, QUIET_UNTIL, ZONE)
