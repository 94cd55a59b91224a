"""Brings a database to the newest schema, from inside the program: no alembic.ini, no second command to learn."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection, inspect, text

from bot.storage.database import Database

if TYPE_CHECKING:
    from alembic.config import Config

HEAD: Final = "0012"
"""The version the code expects. Written out, so that a start that has nothing to migrate need not import Alembic."""


def config() -> Config:
    """Return Alembic's configuration for this folder."""
    from alembic.config import Config

    made = Config()
    made.set_main_option("script_location", str(Path(__file__).parent))
    made.set_main_option("path_separator", "os")
    return made


async def upgrade(database: Database) -> str:
    """Apply every missing migration; return the schema's version. Two processes at once wait for each other."""
    if await current(database) == HEAD:
        return HEAD
    async with database.write() as connection:
        if not database.is_sqlite:
            await connection.exec_driver_sql("SELECT pg_advisory_xact_lock(20261122)")
        await connection.run_sync(_upgrade)
    return HEAD


def _upgrade(connection: Connection) -> None:
    from alembic import command

    settings = config()
    settings.attributes["connection"] = connection
    command.upgrade(settings, "head")


async def current(database: Database) -> str | None:
    """Return the version the database has; None before the first migration."""

    def read(connection: Connection) -> str | None:
        if not inspect(connection).has_table("alembic_version"):
            return None
        found: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()
        return found

    async with database.read() as connection:
        return await connection.run_sync(read)
