"""Runs the channel accounts of one process: those of the environment and of the book, as they come, change and go.

Every process sends for every account. What must not be done twice at the same time (polling) is done by the one process
that holds the account's receiving lease; it alone says whether anything comes in.

An account of the environment is written into the book and from then on is one like others: only an officer switches it off
or on again (`congdanso channel disable`, `enable`). A process that was started without its variable takes nothing from it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from sqlalchemy.exc import DBAPIError

from bot.accounts import Account, AccountBook, Given, NoAccount, Unreadable
from bot.channels.health import Health
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
    """A channel account, built.

    `receive` polls, or tells the messenger where we are, for as long as it runs. `meet` learns what every process has to
    know of the account, such as its name; it tries until it does.
    """

    channel: Channel
    receive: Callable[[], Awaitable[None]] | None
    stop: Callable[[], Awaitable[None]]
    meet: Callable[[], Awaitable[None]] | None = None


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
    meeting: asyncio.Task[None] | None = None
    holds: bool = False
    """Whether this process has the receiving lease."""
    told: str | None = None
    """Of receiving, what this process wrote down last while it had the lease."""
    told_sending: tuple[str, int] = ("", 0)
    """Of sending, what was written down last, and after how many tries."""


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
        self._unsaid: dict[tuple[str, str], str] = {}
        """Why accounts were refused, as long as the book has not heard of it."""

    @asynccontextmanager
    async def loaded(self) -> AsyncIterator[None]:
        """Have all accounts ready to send; nothing is received."""
        await self._take_given()
        try:
            await self.look(receiving=False)
            yield
        finally:
            for key in list(self._running):
                await self._end(key)

    async def run(self) -> None:
        """Receive on all accounts, and take over what changes, until cancelled; within `loaded`."""
        look = 0
        while True:
            try:
                self.channels.hold(await self._book.held())
                if look == 0:
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
        self._unsaid = {key: reason for key, reason in self._unsaid.items() if key in versions}
        for key, version in versions.items():
            if key not in self._running and self._refused.get(key) != version:
                await self._begin(key)
        if receiving:
            for running in self._running.values():
                if running.receiving is None and running.wired.receive is not None:
                    running.receiving = asyncio.create_task(self._receive(running))
                if running.meeting is None and running.wired.meet is not None:
                    running.meeting = asyncio.create_task(self._meet(running))

    def states(self) -> dict[str, dict[str, Any]]:
        """Return each running account as this process sees it.

        Why it does not work, "" where it does; and what an operator should know although it works (`warning`).
        """
        found = {}
        for (channel, account), running in sorted(self._running.items()):
            problem = health_of(running.wired.channel).problem
            warning = getattr(running.wired.channel, "warning", "")
            found[f"{channel}:{account}"] = {"ok": not problem, "problem": problem, "warning": warning}
        return found

    async def _take_given(self) -> None:
        """Write down the accounts of the environment; say what may surprise whoever changed it."""
        for given in self._given:
            taken = await self._book.take_given(given)
            if not taken.active:
                log.warning("an account of the environment is switched off", extra={"account": ":".join(taken.key)})
        here = {(given.channel, given.account) for given in self._given}
        for known in await self._book.accounts():
            if known.from_environment and known.active and known.key not in here:
                log.info("an account goes on that is not in this environment", extra={"account": ":".join(known.key)})

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
            self._unsaid[key] = str(error)
            await self._say_refused()
            return
        self._refused.pop(key, None)
        self._unsaid.pop(key, None)
        self._running[key] = _Running(account, wired)
        self.channels.put(wired.channel)

    async def _say_refused(self) -> None:
        """Write down why accounts cannot be used, unless another process receives on them: then it is our own fault.

        Another secret key, say. It stays unsaid until nobody receives any more.
        """
        for key, reason in list(self._unsaid.items()):
            if await self._hold(key):
                await self._book.report(*key, receiving=reason)
                await self._leave(key)
                self._unsaid.pop(key, None)

    async def _end(self, key: tuple[str, str]) -> None:
        running = self._running.pop(key)
        self.channels.remove(*key)
        for task in (running.receiving, running.meeting):
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        await running.wired.stop()

    async def _meet(self, running: _Running) -> None:
        """Get to know the account; whatever goes wrong is tried again."""
        assert running.wired.meet is not None
        while True:
            try:
                return await running.wired.meet()
            except Exception as error:
                about = {"account": ":".join(running.account.key), "error": type(error).__name__}
                log.error("an account could not be met", extra=about)
            await self._sleep(AGAIN)

    async def _receive(self, running: _Running) -> None:
        """Receive whenever no other process does."""
        key = running.account.key
        assert running.wired.receive is not None
        while True:
            while not await self._hold(key):
                await self._sleep(RECEIVES.total_seconds() / 3)
            running.holds = True
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
                running.holds, running.told = False, None
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
        """Write down how each account fares; a process tells only what it sees itself.

        Whether anything comes in, by the one that has the lease. Whether anything goes out, by the one that tried last: a
        problem that another process met is over only when something was sent since.
        """
        await self._say_refused()
        for key, running in list(self._running.items()):
            health = health_of(running.wired.channel)
            receiving = health.receiving if running.holds else None
            if receiving and receiving == running.told:
                receiving = None
            sending = (health.sending, health.tries)
            told_sending = None if sending == running.told_sending else health.sending
            if receiving is None and told_sending is None:
                continue
            await self._book.report(*key, receiving=receiving, sending=told_sending)
            running.told = running.told if receiving is None else receiving
            running.told_sending = sending


def _unknown(account: Account, _: Mapping[str, str]) -> Wired:
    raise ValueError(f"this version has no channel {account.channel}")


def health_of(channel: Channel) -> Health:
    """Return how an account fares; a channel that only knows whether it has a problem speaks of receiving."""
    found: Health | None = getattr(channel, "health", None)
    return found if found is not None else Health(getattr(channel, "problem", ""))
