"""The tables of all rooms, in the order in which they were built."""

from __future__ import annotations

from typing import Final

from sqlalchemy import MetaData

from analytics.tables import metadata as analytics_tables
from bot.announcements.tables import metadata as announcement_tables
from bot.storage.tables import metadata as bot_tables
from console.tables import metadata as console_tables

METADATA: Final[list[MetaData]] = [bot_tables, analytics_tables, announcement_tables, console_tables]
