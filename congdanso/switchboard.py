"""Runs the channel accounts of one process: those of the environment and of the book, as they come, change and go.

Every process sends for every account. What must not be done twice at the same time (polling) is done by the one process
that holds the account's receiving lease.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from sqlalchemy.exc import DBAPIError

from bot.accounts import Account, AccountBook, NoAccount, Unreadable
from bot.accounts.book import Given
from bot.messages import Channel, Channels

LOOK: Final = 5
"""Seconds until a process notices that an account was added, changed or switched off."""
RECEIVES: Final = timedelta(seconds=30)
"""How long after the death of the process that polled another one begins."""
AGAIN: Final = 30.0
"""Seconds before receiving is tried again after it ended with an error."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Wired:
    """A channel account, built. `receive` polls, or tells the messenger where we are, for as long as it runs."""

    channel: Channel
    receive: Callable[[], Awaitable[None]] | None
    stop: Callable[[], Awaitable[None]]


Builder = Callable[[Account, Mapping[str, str]], Wired]
"""Makes a channel of an account and its secrets.

Raises:
    ValueError: a secret or option is missing or wrong; the message names it, never its value.
"""


@dataclass(slots=True)
class _Running:
    account: Account
    wired: Wired
    receiving: asyncio.Task[None] | None = None
    told: tuple[str, str] | None = field(default=None)
    """The problems that were written down last."""


class Switchboard:
    """The accounts of one process. `channels` always holds what runs now."""

    def __init__(
        self,
        book: AccountBook,
        channels: Channels,
        builders: Mapping[str, Builder],
        *,
        given: Sequence[Given],
        owner: str,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.channels = channels
        self._book = book
        self._builders = builders
        self._given = given
        self._owner = owner
        self._sleep = sleep
        self._running: dict[tuple[str, str], _Running] = {}
        self._refused: dict[tuple[str, str], int] = {}

    @asynccontextmanager
    async def loaded(self) -> AsyncIterator[None]:
        """Have all accounts ready to send; nothing is received."""
        for given in self._given:
            await self._book.take_given(given)
        try:
            await self.look(receiving=False)
            yield
        finally:
            for key in list(self._running):
                await self._end(key)

    async def run(self) -> None:
        """Receive on all accounts, and take over what changes, until cancelled; within `loaded`."""
        known = {(given.channel, given.account) for given in self._given}
        look = 0
        while True:
            try:
                self.channels.hold(await self._book.held())
                if look == 0:
                    await self._book.forget_given(known)
                    await self.look()
                    await self._report()
            except Exception as error:
                # Mostly a database that is away for a moment. Nothing may end this loop: accounts would stand still.
                log.warning("accounts: a look failed", extra={"error": type(error).__name__})
            look = (look + 1) % LOOK
            await self._sleep(1.0)

    async def look(self, *, receiving: bool = True) -> None:
        """Take over what changed in the book."""
        versions = await self._book.versions()
        for key, running in list(self._running.items()):
            if versions.get(key) != running.account.version:
                await self._end(key)
        for key, version in versions.items():
            if key not in self._running and self._refused.get(key) != version:
                await self._begin(key)
        if receiving:
            for running in self._running.values():
                if running.receiving is None and running.wired.receive is not None:
                    running.receiving = asyncio.create_task(self._receive(running))

    def states(self) -> dict[str, dict[str, Any]]:
        """Return each running account with why it does not work, "" where it does."""
        return {
            f"{channel}:{account}": {"ok": not any(problems_of(r.wired.channel)), "problem": _first(r.wired.channel)}
            for (channel, account), r in sorted(self._running.items())
        }

    async def _begin(self, key: tuple[str, str]) -> None:
        try:
            account = await self._book.get(*key)
        except NoAccount:
            return
        try:
            wired = self._builders.get(account.channel, _unknown)(account, await self._book.secrets(*key))
        except (Unreadable, ValueError) as error:
            # Tried again when the account changes: nothing else can mend it.
            log.error("an account cannot be used", extra={"channel": key[0], "account": key[1], "reason": str(error)})
            self._refused[key] = account.version
            await self._book.report(*key, receiving=str(error), sending="")
            return
        self._refused.pop(key, None)
        self._running[key] = _Running(account, wired)
        self.channels.put(wired.channel)

    async def _end(self, key: tuple[str, str]) -> None:
        running = self._running.pop(key)
        self.channels.remove(*key)
        if running.receiving is not None:
            running.receiving.cancel()
            await asyncio.gather(running.receiving, return_exceptions=True)
        await running.wired.stop()

    async def _receive(self, running: _Running) -> None:
        """Receive whenever no other process does."""
        key = running.account.key
        assert running.wired.receive is not None
        while True:
            while not await self._hold(key):
                await self._sleep(RECEIVES.total_seconds() / 3)
            work = asyncio.ensure_future(running.wired.receive())
            try:
                while not work.done():
                    await asyncio.wait({work}, timeout=RECEIVES.total_seconds() / 3)
                    if not await self._hold(key):
                        break
                if work.done() and work.exception() is None:
                    # Done, not ended: the messenger knows where we are, or no waiting helps. The lease is kept.
                    while await self._hold(key):
                        await self._sleep(RECEIVES.total_seconds() / 3)
                elif work.done():
                    log.error(
                        "receiving ended", extra={"account": ":".join(key), "error": type(work.exception()).__name__}
                    )
                    await self._sleep(AGAIN)
            finally:
                work.cancel()
                await asyncio.gather(work, return_exceptions=True)
                await asyncio.shield(self._leave(key))

    async def _hold(self, key: tuple[str, str]) -> bool:
        """Get or keep the receiving lease. A database that is away for a moment does not end what runs."""
        try:
            return await self._book.take(*key, self._owner, RECEIVES)
        except DBAPIError as error:
            log.warning("accounts: the database does not answer", extra={"error": type(error).__name__})
            return True

    async def _leave(self, key: tuple[str, str]) -> None:
        try:
            await self._book.leave(*key, self._owner)
        except DBAPIError as error:
            log.warning("accounts: the database does not answer", extra={"error": type(error).__name__})

    async def _report(self) -> None:
        """Write down how each account fares; a process tells only what it sees itself, and only when that changes."""
        for key, running in list(self._running.items()):
            problems = problems_of(running.wired.channel)
            if problems != running.told or not any(problems):
                await self._book.report(*key, receiving=problems[0], sending=problems[1])
                running.told = problems


def _unknown(account: Account, _: Mapping[str, str]) -> Wired:
    raise ValueError(f"this version has no channel {account.channel}")


def problems_of(channel: Channel) -> tuple[str, str]:
    """Return why nothing comes in, and why nothing goes out."""
    both: tuple[str, str] | None = getattr(channel, "problems", None)
    return both if both is not None else (getattr(channel, "problem", ""), "")


def _first(channel: Channel) -> str:
    receiving, sending = problems_of(channel)
    return receiving or sending
