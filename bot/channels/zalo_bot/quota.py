"""How many messages a bot sent this month: a plan has a monthly quota that Zalo does not let anybody read.

Counted in the database, so that all processes count together; warned of at 80 and 95 hundredths.
"""

from __future__ import annotations

import logging
from typing import Final

from sqlalchemy import Integer, String, cast, select
from sqlalchemy.dialects import postgresql, sqlite

from bot.channels.zalo_bot.parse import CHANNEL
from bot.clock import ZONE, Clock
from bot.storage.database import Database
from bot.storage.tables import checkpoint

FREE: Final = 3000
"""Messages a month in the free plan, as far as is known; the operator sets what their plan has."""
WARN_AT: Final = (0.95, 0.8)

log = logging.getLogger(__name__)


class Quota:
    """The month's count of one account."""

    def __init__(self, database: Database, account: str, clock: Clock, limit: int = FREE) -> None:
        """Take the number of messages a month that the plan allows; 0: no limit, nothing is warned of."""
        self._database = database
        self._account = account
        self._clock = clock
        self.limit = limit
        self._seen = ("", 0)
        self._warned = ("", 0.0)

    async def count(self, messages: int = 1) -> None:
        """Add sent messages. A count that fails is logged and nothing more: the message is with the citizen."""
        month = self._month()
        upsert = sqlite.insert if self._database.is_sqlite else postgresql.insert
        statement = upsert(checkpoint).values(channel=_name(month), account=self._account, value=str(messages))
        total = cast(cast(checkpoint.c.value, Integer) + messages, String(64))
        statement = statement.on_conflict_do_update(index_elements=["channel", "account"], set_={"value": total})
        try:
            async with self._database.write() as connection:
                value = await connection.scalar(statement.returning(checkpoint.c.value))
        except Exception as error:
            log.error("a sent message is not counted", extra={"account": self._account, "error": type(error).__name__})
            return
        self._seen = (month, int(value or 0))
        self._log_warning(month)

    async def used(self) -> int:
        """Return how many messages were sent this month, by all processes."""
        month = self._month()
        where = (checkpoint.c.channel == _name(month)) & (checkpoint.c.account == self._account)
        async with self._database.read() as connection:
            value = await connection.scalar(select(checkpoint.c.value).where(where))
        self._seen = (month, int(value or 0))
        return self._seen[1]

    @property
    def level(self) -> float:
        """The highest threshold that the count last seen has reached: 0, 0.8, 0.95 or 1."""
        month, sent = self._seen
        if not self.limit or month != self._month():
            return 0.0
        share = sent / self.limit
        return 1.0 if share >= 1 else next((level for level in WARN_AT if share >= level), 0.0)

    @property
    def warning(self) -> str:
        """What an operator should know; "" below the first threshold."""
        return f"quota {self._seen[1]}/{self.limit}" if self.level else ""

    def _log_warning(self, month: str) -> None:
        """Say it once for each threshold of a month."""
        level = self.level
        if level > (self._warned[1] if self._warned[0] == month else 0.0):
            self._warned = (month, level)
            about = {"account": self._account, "sent": self._seen[1], "limit": self.limit}
            log.warning("the month's quota of messages runs out", extra=about)

    def _month(self) -> str:
        return self._clock().astimezone(ZONE).strftime("%Y-%m")


def _name(month: str) -> str:
    return f"{CHANNEL}:{month}"
