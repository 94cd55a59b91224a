"""The province's time, and how time is handed in."""

from __future__ import annotations

from datetime import datetime
from typing import Final, Protocol
from zoneinfo import ZoneInfo

ZONE: Final = ZoneInfo("Asia/Ho_Chi_Minh")


class Clock(Protocol):
    """Returns the time now, with its zone."""

    def __call__(self) -> datetime: ...
