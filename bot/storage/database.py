"""Opens SQLite (WAL) or PostgreSQL by URL, and keeps writers from stepping on one another.

SQLite lets one connection write at a time and fails at once when a reader turns writer behind another's back; every
transaction that may write therefore begins IMMEDIATE and waits its turn.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, DisconnectionError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from bot.storage.units import CONNECTIONS, PooledUnits, Priority, SharedUnits, Units

BUSY_TIMEOUT_MS: Final = 15_000
STATEMENT_TIMEOUT_MS: Final = 30_000
TRUSTED: Final = 1.0
"""Seconds for which a PostgreSQL connection that was just used is taken to be alive."""
T = TypeVar("T")


def async_url(url: str) -> str:
    """Return the URL with the asynchronous driver for it (`sqlite:///f` → `sqlite+aiosqlite:///f`)."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        parsed = parsed.set(drivername="sqlite+aiosqlite")
    elif parsed.get_backend_name() == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
    return parsed.render_as_string(hide_password=False)


class Database:
    """An engine with transactions that suit its dialect. Its errors name statements, never values: those may be messages."""

    def __init__(self, url: str) -> None:
        self.url = url
        full = async_url(url)
        self.is_sqlite = full.startswith("sqlite")
        if self.is_sqlite:
            self.engine: AsyncEngine = create_async_engine(full, pool_size=4, max_overflow=4, hide_parameters=True)
            self._plain = create_engine(
                full.replace("+aiosqlite", ""),
                pool_size=1,
                hide_parameters=True,
                connect_args={"check_same_thread": False},
            )
            for engine in (self.engine.sync_engine, self._plain):
                event.listen(engine, "connect", _tune_sqlite)
                event.listen(engine, "begin", _begin_sqlite)
            self._units: Units = SharedUnits(self._plain)
        else:
            options = {"options": f"-c statement_timeout={STATEMENT_TIMEOUT_MS} -c timezone=UTC"}
            self.engine = create_async_engine(
                full, pool_size=10, max_overflow=10, pool_pre_ping=True, hide_parameters=True, connect_args=options
            )
            self._plain = create_engine(full, pool_size=CONNECTIONS, hide_parameters=True, connect_args=options)
            _ask_idle_ones(self._plain)
            self._units = PooledUnits(self._plain)

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that may write; committed at the end, rolled back on any exception."""
        async with self.engine.connect() as connection:
            connection = await connection.execution_options(congdanso_write=True)
            async with connection.begin():
                yield connection

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that only reads."""
        async with self.engine.connect() as connection:
            yield connection

    async def unit(self, work: Callable[[Connection], T], priority: Priority = Priority.USUAL) -> T:
        """Run a short transaction that may write, as a whole and beside the event loop (see `bot.storage.units`)."""
        return await self._units.run(work, priority)

    async def calm(self) -> None:
        """Let a conversation that is just being answered go first, for a moment at most."""
        await self._units.calm()

    async def haste(self) -> None:
        """Let what somebody's request waits for go first, for a moment at most."""
        await self._units.haste()

    async def close(self) -> None:
        """Return all connections."""
        self._units.close()  # not on a thread: the loop's own ones may be gone when this is the last thing done
        self._plain.dispose()
        await self.engine.dispose()


def _tune_sqlite(connection: Any, _: Any) -> None:
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", f"busy_timeout={BUSY_TIMEOUT_MS}", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Any) -> None:
    write = connection.get_execution_options().get("congdanso_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


def _ask_idle_ones(engine: Engine) -> None:
    """Let a connection that died while nobody used it be replaced before a unit gets it.

    SQLAlchemy's `pool_pre_ping` asks before each unit, which is a sixth of a unit's way to the database and back.
    """

    def returned(_: Any, record: Any) -> None:
        record.info["used"] = time.monotonic()

    def taken(connection: Any, record: Any, _: Any) -> None:
        if time.monotonic() - record.info.get("used", 0.0) < TRUSTED:
            return
        try:
            engine.dialect.do_ping(connection)
        except engine.dialect.loaded_dbapi.Error as error:
            raise DisconnectionError from error

    event.listen(engine, "checkin", returned)
    event.listen(engine, "checkout", taken)


def aware(moment: datetime | None) -> datetime | None:
    """Return a moment read from the database with its time zone: SQLite forgets that it was UTC."""
    if moment is None or moment.tzinfo is not None:
        return moment
    return moment.replace(tzinfo=UTC)


def away(error: Exception) -> bool:
    """Whether a failure is the database's own, and may be over in a moment: not there, busy, full, or out of time."""
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    return isinstance(error, OperationalError | InterfaceError | DisconnectionError | PoolTimeout | OSError)
