"""A migration changes tables, not what is in them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from alembic import command
from sqlalchemy import Connection, func, select, text

from bot.storage.database import Database
from bot.storage.tables import conversation, inbox, outbox
from migrations.upgrade import config, upgrade

pytestmark = pytest.mark.anyio

BEFORE_LINKING = "0003"
THEN = datetime(2026, 11, 20, tzinfo=UTC)


async def test_conversations_and_their_messages_outlive_the_linking_of_channels(database_url: str) -> None:
    def to_before(connection: Connection) -> None:
        settings = config()
        settings.attributes["connection"] = connection
        command.upgrade(settings, BEFORE_LINKING)

    database = Database(database_url)
    async with database.write() as connection:
        await connection.run_sync(to_before)
    async with database.write() as connection:
        for number, ward in ((1, "'05923'"), (2, "NULL")):
            values = (
                f"'telegram', 'default', '{number}', '{{}}', {ward}, {'true' if number == 1 else 'false'}, :then, :then"
            )
            columns = "channel, account, chat, session, ward, subscribed, created_at, last_seen_at"
            await connection.execute(text(f"INSERT INTO conversation ({columns}) VALUES ({values})"), {"then": THEN})
        await connection.execute(
            text(
                "INSERT INTO inbox (conversation_id, channel, account, update_id, kind, personal, received_at, state, attempts)"
                " SELECT id, channel, account, chat, 'text', '[]', :then, 'accepted', 0 FROM conversation"
            ),
            {"then": THEN},
        )
        await connection.execute(
            text(
                "INSERT INTO outbox (conversation_id, reply, state, attempts, next_attempt_at, created_at)"
                " SELECT id, '{}', 'queued', 0, :then, :then FROM conversation"
            ),
            {"then": THEN},
        )
    await upgrade(database)
    async with database.read() as connection:
        for table in (conversation, inbox, outbox):
            assert await connection.scalar(select(func.count()).select_from(table)) == 2
        columns = (conversation.c.person, conversation.c.preferred, conversation.c.chosen_at.is_not(None))
        rows = (await connection.execute(select(*columns).order_by(conversation.c.id))).all()
    assert [tuple(row) for row in rows] == [(None, False, True), (None, False, False)]
    await database.close()
