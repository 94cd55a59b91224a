"""Keeps turns and replies moving: takes conversations in hand that have something to do, until told to stop."""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime
from typing import Final

from sqlalchemy.exc import DBAPIError

from bot.messages import Incoming
from bot.sender import Sender
from bot.turns import Turns
from bot.work import LEASE, LeaseLost, Work

IDLE: Final = 0.5
"""Seconds between looks when nothing wakes the pump: the delay of a retry, or of work left by a dead process."""
AT_ONCE: Final = 64
"""Conversations in hand: most of them wait for a messenger's answer."""
ENDING: Final = 10.0
"""Seconds that conversations in hand get at the end to finish what is on its way."""

log = logging.getLogger(__name__)


class Pump:
    """Runs until cancelled."""

    def __init__(self, turns: Turns, sender: Sender) -> None:
        self._turns = turns
        self._sender = sender
        self._wake = asyncio.Event()
        self._running: dict[asyncio.Task[datetime | None], Work] = {}
        self._stopping = True
        self._crowded = False

    def wake(self) -> None:
        """Say that something was accepted or queued."""
        self._wake.set()

    async def accept(self, incoming: Incoming) -> None:
        """Store a message; if this process has a hand free it is worked on at once. Committed when this returns."""
        free = not self._stopping and len(self._running) < AT_ONCE
        stored = await self._turns.accept(incoming, take=free)
        if stored.held is not None:
            self._begin(stored.held)
        elif stored.new:
            self.wake()

    async def run(self) -> None:
        """Work until cancelled; conversations in hand are finished or given back."""
        self._stopping = False
        renewing = asyncio.create_task(self._renew())
        try:
            while True:
                self._wake.clear()
                if not await self._look():
                    await self._sleep()
        finally:
            self._stopping = True
            renewing.cancel()
            if self._running:
                await asyncio.wait(self._running, timeout=ENDING)
            for task in self._running:
                task.cancel()
            await asyncio.gather(renewing, *self._running, return_exceptions=True)

    async def _look(self) -> bool:
        """Take in hand what is ready; False if there is nothing, or no hand free."""
        free = AT_ONCE - len(self._running)
        if free <= 0:
            self._crowded = True
            return False
        try:
            taken = await self._turns.take_ready(free)
        except DBAPIError as error:
            # A database that is away for a moment must not end the pump: it looks again.
            log.error("the database does not answer", extra={"error": type(error).__name__})
            return False
        for held in taken:
            self._begin(held)
        self._crowded = len(taken) == free
        return bool(taken)

    async def _renew(self) -> None:
        """Keep the leases of what takes long: a slow messenger."""
        while True:
            await asyncio.sleep(LEASE.total_seconds() / 3)
            try:
                await self._turns.renew(self._running.values())
            except DBAPIError as error:
                log.error("leases could not be renewed", extra={"error": type(error).__name__})

    def _begin(self, held: Work) -> None:
        task = asyncio.create_task(self._work(held))
        self._running[task] = held
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[datetime | None]) -> None:
        del self._running[task]
        if task.cancelled():
            return
        if (error := task.exception()) is not None:
            # Its own words are not logged: a database's name what it was to store. The lease ends by itself.
            log.error("conversation work failed", extra={"error": type(error).__name__})
        elif self._crowded or task.result() is not None:
            self._wake.set()

    async def _sleep(self) -> None:
        try:
            async with asyncio.timeout(IDLE):
                await self._wake.wait()
        except TimeoutError:
            pass

    async def _work(self, held: Work) -> datetime | None:
        """Answer and send; return when the conversation next needs somebody."""
        try:
            answered = await self._turns.answer(held)
            if answered.given_back:
                return answered.ready_at
            return await self._sender.send(held, answered.leaving)
        except LeaseLost:
            log.warning("a conversation was taken over", extra={"conversation_id": held.conversation_id})
            return None
        except asyncio.CancelledError:
            await asyncio.shield(self._turns.release(held))
            raise
