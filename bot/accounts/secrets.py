"""What a channel sees of its own account: the secrets that change while it runs, and the right to change them alone."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final

from bot.accounts.book import AccountBook

LEASE: Final = timedelta(seconds=120)
"""Longer than renewing a token takes; a process that died in the middle is waited for so long."""
LOOK: Final = 0.2
"""Seconds between two tries to get the right."""


class SecretKeeper:
    """The secrets of one account. `owner` is the process's own name."""

    def __init__(
        self,
        book: AccountBook,
        channel: str,
        account: str,
        owner: str,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._book = book
        self._channel = channel
        self._account = account
        self._owner = f"{owner}:{uuid.uuid4().hex[:8]}"
        self._sleep = sleep
        self._here = asyncio.Lock()

    async def read(self) -> dict[str, str]:
        """Return the secrets as they are now, whichever process wrote them last."""
        return await self._book.secrets(self._channel, self._account)

    async def write(self, secrets: Mapping[str, str]) -> None:
        """Replace the secrets; they are committed when this returns."""
        await self._book.renew_secrets(self._channel, self._account, secrets)

    @asynccontextmanager
    async def lease(self) -> AsyncIterator[None]:
        """Wait until nobody else, here or in another process, changes these secrets; keep others away meanwhile."""
        async with self._here:
            while not await self._book.take_renewal(self._channel, self._account, self._owner, LEASE):
                await self._sleep(LOOK)
            try:
                yield
            finally:
                await asyncio.shield(self._book.leave_renewal(self._channel, self._account, self._owner))
