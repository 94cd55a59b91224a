"""Units of work: short transactions written as plain functions of a connection, run beside the event loop.

The way of a message is four or five of them, a few statements each. Run statement by statement over an asynchronous
driver, each statement costs a change of threads; run as a whole, each unit does (docs/adr/0013). On SQLite, which has one
writer at a time anyway, all units that wait share one transaction, each in a savepoint of its own, so that many messages
cost one commit to disk. On PostgreSQL each unit is a transaction on a connection of a small pool.

Units of announcements are for nobody who waits. They run alone, and begin when a conversation is not just being answered:
each step of an answer that meets one would otherwise wait until it ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from enum import Enum, auto
from functools import partial
from typing import Any, Final, Protocol, TypeVar, cast

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection

T = TypeVar("T")
SHARED: Final = 64
"""Urgent units that share a transaction at most: a savepoint that is kept waiting longer gains nothing."""
BESIDE: Final = 2
"""Other units of a transaction, so that an urgent one that comes while it runs does not wait for many of them."""
AGAIN: Final = (0.01, 0.05, 0.2)
"""Seconds before a unit that lost a deadlock begins again."""
DEADLOCKS: Final = frozenset({"40P01", "40001"})
CONNECTIONS: Final = 6
"""Units of one process that PostgreSQL works on at the same time,"""
URGENT: Final = 2
"""and so many of them are kept for urgent ones."""
ASIDE: Final = 1
"""Other units that PostgreSQL works on while an urgent one runs: each thread more makes it wait for the interpreter once more."""
HASTE: Final = 0.02
"""Seconds that the next step of an answer waits at most for what somebody's request waits for."""
CALM: Final = 0.01
"""Seconds without a unit of a conversation after which none is taken to be in the middle of its answer."""
PATIENCE: Final = 0.03
"""Seconds that a unit of bulk waits for that at most: conversations never stop it, however many there are."""


class Priority(Enum):
    """Who waits for a unit."""

    URGENT = auto()
    """Somebody's request, which is not acknowledged before."""
    USUAL = auto()
    """A conversation that is being answered."""
    BULK = auto()
    """Nobody: announcements on their way."""


class Units(Protocol):
    """Runs units of work until it is closed."""

    async def run(self, work: Callable[[Connection], T], priority: Priority = Priority.USUAL) -> T:
        """Run a function in a transaction; it is committed when this returns, rolled back if this raises. A caller that is
        cancelled meanwhile does not learn whether the unit was committed.
        """

    async def calm(self) -> None:
        """Let a conversation that is just being answered go first, for a moment at most."""

    async def haste(self) -> None:
        """Let what somebody's request waits for go first, for a moment at most."""

    def close(self) -> None:
        """Finish what waits, then close the connections."""


@dataclass(slots=True)
class _Unit:
    work: Callable[[Connection], Any]
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]
    value: Any = None
    error: BaseException | None = None


class _Talk:
    """Knows whether a conversation is being answered: a unit of one runs, or ran a moment ago."""

    def __init__(self) -> None:
        self._running = dict.fromkeys(Priority, 0)
        self._ended = float("-inf")
        self._hasty: list[asyncio.Future[None]] = []

    async def beside(self, run: Callable[[], Awaitable[T]], priority: Priority) -> T:
        """Run a unit: one of bulk when it is calm, the others at once."""
        if priority is Priority.BULK:
            await self.calm()
            return await run()
        self._running[priority] += 1
        try:
            return await run()
        finally:
            self._running[priority] -= 1
            self._ended = time.monotonic()
            if not self._running[Priority.URGENT] and self._hasty:
                self._let_go()

    def _let_go(self) -> None:
        waiting, self._hasty = self._hasty, []
        for future in waiting:
            if not (loop := future.get_loop()).is_closed():
                loop.call_soon_threadsafe(_end, future)

    async def haste(self) -> None:
        """Wait while a request is being stored, but not longer than an answer may be made to wait."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(HASTE):
                while True:
                    await asyncio.sleep(0)  # what is ready on the loop goes first in any case
                    if not self._running[Priority.URGENT]:
                        return
                    over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                    self._hasty.append(over)
                    try:
                        await over
                    finally:
                        with contextlib.suppress(ValueError):
                            self._hasty.remove(over)

    async def calm(self) -> None:
        """Wait for a moment without one, but not longer than bulk may be made to wait."""
        await asyncio.sleep(0)  # what is ready on the loop goes first in any case
        until = time.monotonic() + PATIENCE
        # Calm is that time passes; there is no event of it.
        while (now := time.monotonic()) < until and (any(self._running.values()) or now - self._ended < CALM):  # noqa: ASYNC110
            await asyncio.sleep(CALM / 4)


class _Waiting:
    """Units that wait for the thread: the urgent ones in front, those of bulk behind the others, though not for ever."""

    def __init__(self) -> None:
        self._queues: dict[Priority, deque[_Unit]] = {priority: deque() for priority in Priority}
        self._changed = threading.Condition()
        self._closed = False
        self._bulk_next = False

    def put(self, unit: _Unit, priority: Priority) -> None:
        with self._changed:
            self._queues[priority].append(unit)
            self._changed.notify()

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify()

    def take(self) -> list[_Unit]:
        """Wait for units and return those of the next transaction; none when closed and all are done."""
        with self._changed:
            while not any(self._queues.values()) and not self._closed:
                self._changed.wait()
            urgent, usual, bulk = (self._queues[priority] for priority in Priority)
            if bulk and (self._bulk_next or not (urgent or usual)):
                self._bulk_next = False
                return [bulk.popleft()]
            self._bulk_next = bool(bulk)
            return [
                queue.popleft()
                for queue, most in ((urgent, SHARED), (usual, BESIDE))
                for _ in range(min(most, len(queue)))
            ]


class SharedUnits:
    """One thread with one connection; the units that wait when it is free become one transaction."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._waiting = _Waiting()
        self._talk = _Talk()
        self._thread: threading.Thread | None = None

    async def run(self, work: Callable[[Connection], T], priority: Priority = Priority.USUAL) -> T:
        """Run a function in a transaction (see `Units.run`)."""
        return await self._talk.beside(partial(self._run, work, priority), priority)

    async def calm(self) -> None:
        """Let a conversation go first (see `Units.calm`)."""
        await self._talk.calm()

    async def haste(self) -> None:
        """Let a request go first (see `Units.haste`)."""
        await self._talk.haste()

    async def _run(self, work: Callable[[Connection], T], priority: Priority) -> T:
        loop = asyncio.get_running_loop()
        unit = _Unit(work, loop, loop.create_future())
        if self._thread is None:
            self._thread = threading.Thread(target=self._go, name="units", daemon=True)
            self._thread.start()
        self._waiting.put(unit, priority)
        value: T = await unit.future
        return value

    def close(self) -> None:
        """Finish what waits, then close the connection."""
        if self._thread is not None:
            self._waiting.close()
            self._thread.join()
            self._thread = None
            self._waiting = _Waiting()

    def _go(self) -> None:
        waiting = self._waiting
        while units := waiting.take():
            self._together(units)

    def _together(self, units: list[_Unit]) -> None:
        try:
            with self._engine.connect().execution_options(congdanso_write=True) as connection, connection.begin():
                for unit in units:
                    _attempt(connection, unit, savepoint=len(units) > 1)
        except BaseException as error:
            # Not begun or not committed: nothing of any of them is there, except that a lone unit tells its own error.
            for unit in units:
                unit.error = unit.error or error
        loops: dict[asyncio.AbstractEventLoop, list[_Unit]] = {}
        for unit in units:
            loops.setdefault(unit.loop, []).append(unit)
        for loop, done in loops.items():
            if not loop.is_closed():
                loop.call_soon_threadsafe(_tell, done)


class _Shifts:
    """Units that wait for one of some threads: urgent ones first, the others aside while one of them runs."""

    def __init__(self, threads: int) -> None:
        self._others = threads - URGENT
        self._queues: dict[bool, deque[_Unit]] = {True: deque(), False: deque()}
        self._running = {True: 0, False: 0}
        self._changed = threading.Condition()
        self._closed = False

    def put(self, unit: _Unit, *, urgent: bool) -> None:
        with self._changed:
            self._queues[urgent].append(unit)
            if self._ready():
                self._changed.notify()

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def take(self) -> tuple[_Unit, bool] | None:
        """Wait for a unit and return it, and whether it is urgent; None when closed and all are taken."""
        with self._changed:
            while True:
                if self._queues[True]:
                    return self._begun(urgent=True)
                if self._queues[False] and self._running[False] < self._most():
                    return self._begun(urgent=False)
                if self._closed and not self._queues[False]:
                    return None
                self._changed.wait()

    def _begun(self, *, urgent: bool) -> tuple[_Unit, bool]:
        self._running[urgent] += 1
        return self._queues[urgent].popleft(), urgent

    def ended(self, *, urgent: bool) -> None:
        """Note that a unit ended. Its thread takes the next one itself; only for what may begin besides is another woken: a thread
        that is woken for nothing costs as much as a statement.
        """
        with self._changed:
            self._running[urgent] -= 1
            if (besides := self._ready() - 1) > 0:
                self._changed.notify(besides)
            elif self._closed:
                self._changed.notify_all()

    def _most(self) -> int:
        return ASIDE if self._running[True] else self._others

    def _ready(self) -> int:
        """How many units may begin now."""
        usual = min(len(self._queues[False]), self._most() - self._running[False])
        return len(self._queues[True]) + max(0, usual)


class PooledUnits:
    """A few threads, each unit in a transaction of its own."""

    def __init__(self, engine: Engine, connections: int = CONNECTIONS) -> None:
        self._engine = engine
        self._connections = connections
        self._shifts = _Shifts(connections)
        self._threads: list[threading.Thread] = []
        self._talk = _Talk()

    async def run(self, work: Callable[[Connection], T], priority: Priority = Priority.USUAL) -> T:
        """Run a function in a transaction (see `Units.run`)."""
        return await self._talk.beside(partial(self._run, work, priority), priority)

    async def calm(self) -> None:
        """Let a conversation go first (see `Units.calm`)."""
        await self._talk.calm()

    async def haste(self) -> None:
        """Let a request go first (see `Units.haste`)."""
        await self._talk.haste()

    async def _run(self, work: Callable[[Connection], T], priority: Priority) -> T:
        loop = asyncio.get_running_loop()
        unit = _Unit(work, loop, loop.create_future())
        if not self._threads:
            self._threads = [
                threading.Thread(target=self._go, name=f"units-{i}", daemon=True) for i in range(self._connections)
            ]
            for thread in self._threads:
                thread.start()
        self._shifts.put(unit, urgent=priority is Priority.URGENT)
        value: T = await unit.future
        return value

    def close(self) -> None:
        """Finish what waits, then let the threads go."""
        self._shifts.close()
        for thread in self._threads:
            thread.join()
        self._threads = []
        self._shifts = _Shifts(self._connections)

    def _go(self) -> None:
        shifts = self._shifts
        while (taken := shifts.take()) is not None:
            unit, urgent = taken
            try:
                unit.value = self._alone(unit.work)
            except BaseException as error:
                unit.error = error
            shifts.ended(urgent=urgent)
            if not unit.loop.is_closed():
                unit.loop.call_soon_threadsafe(_tell, [unit])

    def _alone(self, work: Callable[[Connection], T]) -> T:
        for pause in AGAIN:
            try:
                with self._engine.begin() as connection:
                    return work(connection)
            except OperationalError as error:
                # Two units waited for each other, and the database chose this one to begin again.
                if getattr(error.orig, "sqlstate", None) not in DEADLOCKS:
                    raise
                time.sleep(pause)
        with self._engine.begin() as connection:
            return work(connection)


class _Plain:
    """A plain connection in the form of an asynchronous one: its statements are done when they are awaited."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def execute(self, *statement: Any) -> Any:
        return self._connection.execute(*statement)

    async def scalar(self, *statement: Any) -> Any:
        return self._connection.scalar(*statement)

    async def scalars(self, *statement: Any) -> Any:
        return self._connection.scalars(*statement)

    async def run_sync(self, work: Callable[..., T], *arguments: Any) -> T:
        return work(self._connection, *arguments)


def as_unit(work: Callable[[AsyncConnection], Coroutine[Any, Any, T]]) -> Callable[[Connection], T]:
    """Turn a coroutine function that awaits nothing but statements into a unit of work.

    Statement by statement over an asynchronous driver, a transaction changes threads with each of them and keeps SQLite's one
    writer for ten times as long as it works.
    """

    def unit(connection: Connection) -> T:
        running = work(cast("AsyncConnection", _Plain(connection)))
        try:
            running.send(None)
        except StopIteration as done:
            value: T = done.value
            return value
        running.close()
        raise RuntimeError("a unit of work may wait for its statements only")

    return unit


def _attempt(connection: Connection, unit: _Unit, *, savepoint: bool) -> None:
    """Run one unit; its failure is its own, unless it stands alone in the transaction, which then has to end."""
    if not savepoint:
        try:
            unit.value = unit.work(connection)
        except BaseException as error:
            unit.error = error
            raise
        return
    # By name rather than by SQLAlchemy's nested transactions, which cost as much as a statement of the unit.
    connection.exec_driver_sql("SAVEPOINT unit")
    try:
        unit.value = unit.work(connection)
    except Exception as error:
        unit.error = error
        connection.exec_driver_sql("ROLLBACK TO unit")
    connection.exec_driver_sql("RELEASE unit")


def _end(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _tell(units: list[_Unit]) -> None:
    for unit in units:
        if unit.future.done():
            continue  # the caller was cancelled
        if unit.error is not None:
            unit.future.set_exception(unit.error)
        else:
            unit.future.set_result(unit.value)
