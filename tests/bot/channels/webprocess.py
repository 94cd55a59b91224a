"""The web chat as a process of its own: `python -m tests.bot.channels.webprocess DATABASE_URL`, until it is killed."""

from __future__ import annotations

import asyncio
import sys

from bot.storage.database import Database
from tests.browser.webapp import WebApp, address_of, server


async def main(url: str) -> None:
    running = server(WebApp(Database(url), settings={"look": 0.2}).app())
    task = asyncio.create_task(running.serve())
    while not running.started:
        await asyncio.sleep(0.01)
    print(address_of(running), flush=True)
    await task


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
