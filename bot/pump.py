"""Keeps turns and replies moving: takes conversations that have something to do, a few at a time, until told to stop."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from bot.sender import Sender
from bot.turns import Turns

IDLE: Final = 0.5
"""Seconds between looks when nothing wakes the pump: the delay of a retry, or of work left by a dead process."""
AT_ONCE: Final = 16

log = logging.getLogger(__name__)


class Pump:
    """Runs until cancelled."""

    def __init__(self, turns: Turns, sender: Sender) -> None:
        self._turns = turns
        self._sender = sender
        self._wake = asyncio.Event()
        self._running: set[asyncio.Task[None]] = set()
        self._busy: set[int] = set()

    def wake(self) -> None:
        """Say that something was accepted or queued."""
        self._wake.set()

    async def run(self) -> None:
        """Work until cancelled; conversations in hand are finished or given back."""
        try:
            while True:
                self._wake.clear()
                free = AT_ONCE - len(self._running)
                claimed = await self._turns.claim(free) if free > 0 else []
                for conversation_id in claimed:
                    task = asyncio.create_task(self._work(conversation_id))
                    self._running.add(task)
                    task.add_done_callback(self._ended)
                if not claimed:
                    await self._sleep()
        finally:
            for task in self._running:
                task.cancel()
            await asyncio.gather(*self._running, return_exceptions=True)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._wake.set()
        if not task.cancelled() and task.exception() is not None:
            log.error("conversation work failed", exc_info=task.exception())

    async def _sleep(self) -> None:
        try:
            async with asyncio.timeout(IDLE):
                await self._wake.wait()
        except TimeoutError:
            pass

    async def _work(self, conversation_id: int) -> None:
        try:
            await self._turns.answer_waiting(conversation_id)
            await self._sender.send_queued(conversation_id)
        finally:
            await asyncio.shield(self._turns.release(conversation_id))
