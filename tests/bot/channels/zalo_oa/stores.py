"""Where an account's secrets live in most tests: in this process's memory. Several processes share `SecretKeeper`'s book."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


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
