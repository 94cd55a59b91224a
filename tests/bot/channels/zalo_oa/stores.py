"""Two places where an account's secrets may live: this process's memory, and a file that several processes share."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class MemorySecrets:
    """Keeps every version that was written, and may fail on demand."""

    versions: list[dict[str, str]] = field(default_factory=lambda: [{}])
    fails: int = 0
    """So many of the next writes fail."""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def read(self) -> Mapping[str, str]:
        return dict(self.versions[-1])

    async def write(self, secrets: Mapping[str, str]) -> None:
        await asyncio.sleep(0)
        if self.fails:
            self.fails -= 1
            raise OSError("disk full")
        self.versions.append(dict(secrets))

    @asynccontextmanager
    async def lease(self) -> AsyncIterator[None]:
        async with self.lock:
            yield


@dataclass
class SqliteSecrets:
    """One row of an SQLite file; the lease is a second row with its end, so that a dead holder loses it."""

    path: Path
    holder: str
    length: float = 60.0

    def __post_init__(self) -> None:
        with closing(self._open()) as connection, connection:
            connection.execute("CREATE TABLE IF NOT EXISTS kept (name TEXT PRIMARY KEY, value TEXT, until REAL)")

    def _open(self) -> sqlite3.Connection:
        return sqlite3.connect(self.path, timeout=20)

    async def read(self) -> Mapping[str, str]:
        with closing(self._open()) as connection:
            row = connection.execute("SELECT value FROM kept WHERE name = 'secrets'").fetchone()
        return dict(json.loads(row[0])) if row else {}

    async def write(self, secrets: Mapping[str, str]) -> None:
        with closing(self._open()) as connection, connection:
            connection.execute("REPLACE INTO kept VALUES ('secrets', ?, NULL)", [json.dumps(dict(secrets))])

    def _take(self) -> bool:
        now = time.time()
        with closing(self._open()) as connection, connection:
            connection.execute("BEGIN IMMEDIATE")
            held = connection.execute("SELECT until FROM kept WHERE name = 'lease'").fetchone()
            if held is not None and held[0] > now:
                return False
            connection.execute("REPLACE INTO kept VALUES ('lease', ?, ?)", [self.holder, now + self.length])
        return True

    @asynccontextmanager
    async def lease(self) -> AsyncIterator[None]:
        async with asyncio.timeout(30):
            while not self._take():
                await asyncio.sleep(0.02)
        try:
            yield
        finally:
            with closing(self._open()) as connection, connection:
                connection.execute("DELETE FROM kept WHERE name = 'lease' AND value = ?", [self.holder])
