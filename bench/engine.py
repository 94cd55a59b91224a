"""The delivering engine alone, over a channel that takes everything at once: deliveries a second, and memory.

`python bench/engine.py URL NUMBER` prints one JSON object.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import func, insert, select

from bot.announcements.compose import Composer
from bot.announcements.delivering import Means, Run
from bot.announcements.lanes import Lane
from bot.announcements.rates import Rate, RateLimiter
from bot.announcements.service import Announcements
from bot.announcements.store import Store
from bot.announcements.tables import delivery
from bot.conversation.model import Session
from bot.messages import Capabilities, Channels, Outcome, Sent
from bot.storage.database import Database
from bot.storage.tables import conversation
from congdanso.deliveries import DeliveryRecorder
from content.places import load_places
from migrations.upgrade import upgrade

CHUNK = 5_000
AT_ONCE = 500
LANE = Lane("null", "default")


class NullChannel:
    """Takes everything."""

    name, account = "null", "default"
    capabilities = Capabilities(4096, buttons=True)

    async def send(self, chat: str, reply: Any) -> Outcome:  # noqa: ARG002
        return Sent(chat)


NOON = datetime.now(UTC).replace(hour=5, minute=0)
BEGAN = time.monotonic()


def noon() -> datetime:
    """A clock that began at noon in Vietnam: announcements may leave, whenever this is run."""
    return NOON + timedelta(seconds=time.monotonic() - BEGAN)


async def settle(database: Database, number: int, code: str) -> None:
    session = Session(greeted=True).as_dict()
    now = noon()
    for first in range(0, number, CHUNK):
        rows = [
            {
                "channel": LANE.channel, "account": LANE.account, "chat": str(i), "session": session, "ward": code,
                "subscribed": True, "created_at": now, "last_seen_at": now,
            }
            for i in range(first, min(number, first + CHUNK))
        ]  # fmt: skip
        async with database.write() as connection:
            await connection.execute(insert(conversation), rows)


def memory() -> float:
    """Resident memory now, in MB."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * resource.getpagesize() / 1e6


async def main(url: str, number: int) -> dict[str, float]:
    database, places = Database(url), load_places()
    await upgrade(database)
    await settle(database, number, places.by_slug("phu-thong").code)
    if not database.is_sqlite:
        async with database.engine.connect() as raw:
            connection = await raw.execution_options(isolation_level="AUTOCOMMIT")
            await connection.exec_driver_sql("ANALYZE conversation")
    announcements = Announcements(database, places, clock=noon, accounts=[LANE])
    began = time.perf_counter()
    started = await announcements.start(await announcements.plan("phu-thong", "Mời bà con họp thôn."), author="x")
    counted = time.perf_counter() - began
    limiter = RateLimiter({"null": Rate(None, at_once=AT_ONCE)})
    store = Store(database, noon, record=DeliveryRecorder(places))
    means = Means(store, Channels({("null", "default"): NullChannel()}), limiter, noon, Composer(places))
    before = memory()
    peak = [before]

    async def watch() -> None:
        while True:
            peak[0] = max(peak[0], memory())
            await asyncio.sleep(0.2)

    watching = asyncio.create_task(watch())
    began = time.perf_counter()
    await Run(means, LANE, "bench", asyncio.Event()).work()
    took = time.perf_counter() - began
    watching.cancel()
    assert await store.close_finished() == [started]
    async with database.read() as connection:
        states = Counter(
            dict((await connection.execute(select(delivery.c.state, func.count()).group_by(delivery.c.state))).all())
        )  # type: ignore[arg-type]
    assert states == {"accepted": number}, states
    await database.close()
    return {"per_second": number / took, "count_seconds": counted, "memory": peak[0], "memory_growth": peak[0] - before}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(sys.argv[1], int(sys.argv[2])))))
