"""The migrations lead to exactly the tables that the code describes, and can be applied twice."""

from __future__ import annotations

from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from bot.storage.database import Database
from migrations import env_tables
from migrations.upgrade import HEAD, config, current, upgrade

pytestmark = pytest.mark.anyio


async def test_the_migrated_schema_is_the_described_one(database: Database) -> None:
    def differences(connection: Connection) -> list[Any]:
        context = MigrationContext.configure(connection, opts={"target_metadata": env_tables.METADATA})
        return compare_metadata(context, env_tables.METADATA)

    async with database.read() as connection:
        assert await connection.run_sync(differences) == []


async def test_the_version_written_out_is_the_newest_migration() -> None:
    assert ScriptDirectory.from_config(config()).get_current_head() == HEAD


async def test_upgrading_twice_changes_nothing(database: Database) -> None:
    assert await upgrade(database) == HEAD
    assert await current(database) == HEAD
