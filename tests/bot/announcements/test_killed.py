"""Workers are killed (SIGKILL) at random instants of a send, and what really arrived is compared with what is written down.

By default 12 kills over 600 recipients; `CONGDANSO_KILLS=200` is the full run over 5,000 (docs/guides/development.md).
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select

from bot.announcements.lanes import Lane
from bot.announcements.service import Announcements
from bot.announcements.states import AnnouncementState
from bot.announcements.store import Store
from bot.announcements.tables import delivery
from bot.conversation.model import Session
from bot.storage.database import Database
from bot.storage.tables import conversation
from content.places import load_places
from tests.bot.announcements.killed_worker import AT_ONCE, LEASE, noon

pytestmark = pytest.mark.anyio
KILLS = int(os.environ.get("CONGDANSO_KILLS", "12"))
RECIPIENTS = 5_000 if KILLS >= 200 else 600
ACCOUNTS = ("a", "b", "c")
ROOT = Path(__file__).parents[3]
LATENCY = 0.04


@dataclass
class Emulator:
    """Notes each message that arrives, before it answers."""

    arrived: list[str] = field(default_factory=list)

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[str]:
        server = await asyncio.start_server(self._talk, "127.0.0.1", 0)
        async with server:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while request := await reader.readline():
                length = 0
                while (line := await reader.readline()) not in (b"\r\n", b""):
                    name, _, value = line.decode().partition(":")
                    if name.lower() == "content-length":
                        length = int(value)
                await reader.readexactly(length)
                self.arrived.append(request.split()[1].decode().rsplit("/", 1)[-1])
                number = str(len(self.arrived)).encode()
                await asyncio.sleep(random.uniform(0, 2 * LATENCY))
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(number), number))
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@dataclass
class Workers:
    """So many processes that deliver, and spare ones that are loaded and wait to take the place of a dead one."""

    url: str
    emulator: str
    lost: Path
    """Where they write that they lost a lane without being killed."""
    running: list[asyncio.subprocess.Process] = field(default_factory=list)
    spare: asyncio.Queue[asyncio.subprocess.Process] = field(default_factory=asyncio.Queue)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def load(self) -> None:
        process = await asyncio.create_subprocess_exec(
            sys.executable, str(Path(__file__).with_name("killed_worker.py")), self.url, self.emulator, str(self.lost), *ACCOUNTS,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        assert process.stdout is not None
        assert await process.stdout.readline() == b"ready\n"
        await self.spare.put(process)

    def load_soon(self) -> None:
        task = asyncio.create_task(self.load())
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def start_one(self) -> None:
        process = await self.spare.get()
        assert process.stdin is not None
        process.stdin.write(b"go\n")
        await process.stdin.drain()
        self.running.append(process)

    async def kill_one(self, rng: random.Random) -> None:
        victim = self.running.pop(rng.randrange(len(self.running)))
        assert victim.returncode is None, "it died by itself"
        victim.kill()
        await victim.wait()
        self.load_soon()
        await self.start_one()

    async def end(self) -> None:
        await asyncio.gather(*self.tasks)
        while not self.spare.empty():
            self.running.append(self.spare.get_nowait())
        for process in self.running:
            if process.returncode is None:
                process.kill()
            await process.wait()


async def settle(database: Database) -> None:
    code, now = load_places().by_slug("phu-thong").code, noon()
    rows = [
        {
            "channel": "messenger", "account": ACCOUNTS[i % len(ACCOUNTS)], "chat": f"c{i}", "session": Session().as_dict(),
            "ward": code, "subscribed": True, "created_at": now, "last_seen_at": now,
        }
        for i in range(RECIPIENTS)
    ]  # fmt: skip
    async with database.write() as connection:
        await connection.execute(insert(conversation), rows)


async def states(database: Database) -> dict[str, list[str]]:
    query = select(delivery.c.state, delivery.c.reason, conversation.c.chat).join(
        conversation, conversation.c.id == delivery.c.conversation_id
    )
    found: dict[str, list[str]] = {}
    async with database.read() as connection:
        for state, reason, chat in await connection.execute(query):
            found.setdefault(":".join(filter(None, (state, reason))), []).append(chat)
    return found


async def test_however_often_workers_are_killed_nobody_gets_it_twice_and_nobody_is_forgotten(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    number = 3 if database_url.startswith("postgresql") else 1
    rng = random.Random(20261201)
    await settle(database)
    lanes = [Lane("messenger", account) for account in ACCOUNTS]
    announcements = Announcements(database, load_places(), clock=noon, accounts=lanes)
    started = await announcements.start(await announcements.plan("phu-thong", "Mời họp thôn."), author="lan")
    emulator = Emulator()
    kills = 0
    async with emulator.serve() as url:
        workers = Workers(database_url, url, tmp_path / "lost")
        try:
            await asyncio.gather(*(workers.load() for _ in range(number + 2)))
            for _ in range(number):
                await workers.start_one()
            # At random instants, most of them in the middle of something; what is left after the last kill is then delivered.
            while kills < KILLS:
                before = len(emulator.arrived)
                await asyncio.sleep(rng.uniform(0.02, 0.25))
                if len(emulator.arrived) > before or number > 1:
                    await workers.kill_one(rng)
                    kills += 1
            store = Store(database, noon, lease=LEASE)
            async with asyncio.timeout(240):
                while not await store.close_finished():
                    await asyncio.sleep(0.3)
        finally:
            await workers.end()
    found = await states(database)
    arrived = Counter(emulator.arrived)
    everybody = {f"c{i}" for i in range(RECIPIENTS)}
    accepted, uncertain = set(found.get("accepted", ())), set(found.get("uncertain:process_died", ()))
    told: dict[str, Any] = {state: len(chats) for state, chats in found.items()}
    assert set(arrived.values()) == {1}, "nobody twice"
    assert accepted <= set(arrived), "nothing is claimed that did not arrive"
    assert everybody - set(arrived) <= uncertain, "nobody is forgotten: who did not get it is known by name"
    assert accepted | uncertain == everybody, told
    assert sum(told.values()) == RECIPIENTS, told
    lost = len((tmp_path / "lost").read_text().splitlines()) if (tmp_path / "lost").exists() else 0
    assert len(uncertain) <= (kills * len(ACCOUNTS) + lost) * AT_ONCE, told
    progress = await announcements.progress(started)
    assert progress is not None
    assert (progress.state, sum(progress.counts.values())) == (AnnouncementState.CLOSED, RECIPIENTS)
    print(f"{kills} kills: {told}, arrived {len(arrived)}")
