"""A delivering process that starts quickly, to be killed: store and engine over real accounts, without DBOS and the rest.

`python killed_worker.py DATABASE EMULATOR LOST ACCOUNT…` loads, prints "ready", waits for a line, then delivers until nothing is left.
"""

from __future__ import annotations

import asyncio
import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import httpx

from bot.announcements.compose import Composer
from bot.announcements.delivering import Means, Run
from bot.announcements.lanes import Lane, LaneLost
from bot.announcements.rates import Rate, RateLimiter
from bot.announcements.store import Store
from bot.messages import Capabilities, Channels, Outcome, Sent, Transient
from bot.storage.database import Database
from content.places import load_places

AT_ONCE: Final = 8
LEASE: Final = timedelta(seconds=0.6)


def noon() -> datetime:
    """The clock of the test: it goes on, and is never quiet."""
    now = datetime.now(UTC)
    return now - timedelta(hours=now.hour) + timedelta(hours=3 + now.hour // 3)


class HttpChannel:
    """A channel account behind a real socket."""

    name = "messenger"
    capabilities = Capabilities(4096, buttons=True)

    def __init__(self, account: str, client: httpx.AsyncClient) -> None:
        self.account = account
        self._client = client

    async def send(self, chat: str, reply: Any) -> Outcome:
        try:
            answer = await self._client.post(f"/{self.account}/{chat}", content=reply.text.encode())
        except httpx.ConnectError:
            return Transient("no line")
        except httpx.HTTPError:
            return Transient("the answer got lost", maybe_sent=True)
        return Sent(answer.text)


async def main(url: str, emulator: str, lost: Path, accounts: list[str]) -> None:
    database = Database(url)
    limiter = RateLimiter({"messenger": Rate(None, at_once=AT_ONCE)})
    composer = Composer(load_places())
    async with httpx.AsyncClient(base_url=emulator, timeout=10) as client:
        channels = Channels({("messenger", a): HttpChannel(a, client) for a in accounts})
        means = Means(Store(database, noon, lease=LEASE), channels, limiter, noon, composer)
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)

        async def deliver(account: str) -> None:
            while True:
                try:
                    await Run(means, Lane("messenger", account), f"{os.getpid()}-{account}", asyncio.Event()).work()
                except LaneLost:
                    # The machine gave this process no moment for longer than the lease: as good as a kill.
                    with lost.open("a", encoding="ascii") as file:
                        file.write(f"{account}\n")
                await asyncio.sleep(0.2)

        await asyncio.gather(*(deliver(account) for account in accounts))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), sys.argv[4:]))
