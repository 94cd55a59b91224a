"""Brings a database to the newest schema, from inside the program: no alembic.ini, no second command to learn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from bot.storage.database import Database


def config() -> Config:
    """Return Alembic's configuration for this folder."""
    made = Config()
    made.set_main_option("script_location", str(Path(__file__).parent))
    made.set_main_option("path_separator", "os")
    return made


async def upgrade(database: Database) -> str:
    """Apply every missing migration; return the schema's version. Two processes at once wait for each other."""
    async with database.write() as connection:
        if not database.is_sqlite:
            await connection.exec_driver_sql("SELECT pg_advisory_xact_lock(20261122)")
        await connection.run_sync(_upgrade)
    return head()


def _upgrade(connection: Connection) -> None:
    settings = config()
    settings.attributes["connection"] = connection
    command.upgrade(settings, "head")


def head() -> str:
    """Return the version the code expects."""
    found = ScriptDirectory.from_config(config()).get_current_head()
    assert found is not None, "there is at least one migration"
    return found


async def current(database: Database) -> str | None:
    """Return the version the database has; None before the first migration."""

    def read(connection: Connection) -> Any:
        return MigrationContext.configure(connection).get_current_revision()

    async with database.read() as connection:
        version: str | None = await connection.run_sync(read)
    return version
