"""The right to send announcements on one channel account.

A lane is leased: who lets the lease end loses it, and the next holder begins by declaring `uncertain` what was on its way. So no
row is ever sent by two, whatever DBOS, the operating system or a clock does; at worst one is reported as uncertain.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, bindparam, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.announcements.rows import IS_SENDING, Record, ended_of, tell, told_of
from bot.announcements.states import DeliveryState, Reason
from bot.announcements.tables import delivery, lane
from bot.clock import Clock
from bot.storage.database import Database, aware
from bot.storage.statements import bound, more

LEASE: Final = timedelta(seconds=15)
"""Longer than any transaction here and any pause of a healthy process; after a crash, deliveries rest so long."""


class LaneLost(RuntimeError):
    """Another run took the lane over; what this run still had on its way was declared uncertain."""


@dataclass(frozen=True, slots=True)
class Lane:
    """One channel account, as announcements see it."""

    channel: str
    account: str

    def __str__(self) -> str:
        return f"{self.channel}:{self.account}"


class Lanes:
    """Leases of lanes, over one database."""

    def __init__(
        self, database: Database, clock: Clock, *, record: Record | None = None, lease: timedelta = LEASE
    ) -> None:
        self.database = database
        self.lease = lease
        self._clock = clock
        self._record = record

    async def acquire(self, key: Lane, owner: str) -> bool:
        """Take a lane that is free or whose lease has ended; what its last holder had on its way becomes uncertain."""
        now = self._clock()
        upsert = sqlite.insert if self.database.is_sqlite else postgresql.insert
        async with self.database.write() as connection:
            await connection.execute(
                upsert(lane).values(channel=key.channel, account=key.account).on_conflict_do_nothing()
            )
            free = or_(lane.c.owner.is_(None), lane.c.lease_until < now)
            taken = await connection.execute(
                update(lane).where(is_lane(key), free).values(owner=owner, lease_until=now + self.lease)
            )
            if taken.rowcount == 0:
                return False
            on_its_way = (delivery.c.channel == key.channel) & (delivery.c.account == key.account) & IS_SENDING
            lost = (await connection.execute(told_of().where(on_its_way))).mappings().all()
            if lost:
                await connection.execute(
                    update(delivery)
                    .where(on_its_way)
                    .values(
                        state=DeliveryState.UNCERTAIN,
                        reason=Reason.PROCESS_DIED,
                        at=now,
                        attempts=delivery.c.attempts + 1,
                    )
                )
                ended = [ended_of(now, row, DeliveryState.UNCERTAIN, Reason.PROCESS_DIED) for row in lost]
                await tell(self._record, connection, ended)
        return True

    async def renew(self, key: Lane, owner: str) -> bool:
        """Prolong the lease; False if the lane was lost."""
        async with self.database.write() as connection:
            return await self._fence(connection, key, owner)

    async def release(self, key: Lane, owner: str) -> None:
        """Give the lane back."""
        async with self.database.write() as connection:
            await connection.execute(
                update(lane).where(is_lane(key), lane.c.owner == owner).values(owner=None, lease_until=None)
            )

    async def held_until(self, key: Lane) -> datetime | None:
        """Return until when the messenger asked this account to wait, also if an earlier process heard it."""
        async with self.database.read() as connection:
            query = select(lane.c.held_until).where(is_lane(key))
            return aware((await connection.execute(query)).scalar_one_or_none())

    async def holder(self, key: Lane) -> str | None:
        """Return the run whose lease is alive."""
        query = select(lane.c.owner).where(is_lane(key), lane.c.lease_until >= self._clock())
        async with self.database.read() as connection:
            return (await connection.execute(query)).scalar_one_or_none()

    async def _fence(self, connection: AsyncConnection, key: Lane, owner: str, **values: Any) -> bool:
        """Prove that the lane is ours, and lock it for the rest of the transaction."""
        until = {"lease_until": self._clock() + self.lease} | values
        whose = {"on": key.channel, "of": key.account, "by": owner}
        held = await connection.execute(more(_OURS, lane, *until), whose | bound(until))
        return held.rowcount == 1


_OURS: Final = update(lane).where(
    lane.c.channel == bindparam("on"), lane.c.account == bindparam("of"), lane.c.owner == bindparam("by")
)


def is_lane(key: Lane) -> ColumnElement[bool]:
    """Return the condition for a lane's own row."""
    return (lane.c.channel == key.channel) & (lane.c.account == key.account)
