"""The door: a message is stored, masked and de-duplicated, before the messenger hears that it arrived."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import case, insert, literal, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.conversation.model import Session
from bot.messages import ACTS, Address, Incoming, masked
from bot.storage.database import Database
from bot.storage.tables import Moment, conversation, inbox

ACCEPTED, DONE, DEAD = "accepted", "done", "dead"
"""States of an inbox row: waiting for its turn; answered (or needing no answer); given up, with a reason."""


async def accept(database: Database, incoming: Incoming) -> tuple[int, bool]:
    """Store a message for its conversation; commit before returning.

    Returns:
        The conversation's id, and whether the message is new (False: the messenger sent it before).
    """
    safe = masked(incoming)
    async with database.write() as connection:
        conversation_id = await conversation_of(connection, safe.address, safe.received_at)
        upsert = postgresql.insert if not database.is_sqlite else sqlite.insert
        result = await connection.execute(
            upsert(inbox)
            .values(
                conversation_id=conversation_id,
                channel=safe.address.channel,
                account=safe.address.account,
                update_id=safe.update_id,
                kind=safe.kind,
                text=safe.text,
                personal=list(safe.personal),
                received_at=safe.received_at,
                state=ACCEPTED,
                attempts=0,
            )
            .on_conflict_do_nothing(index_elements=["channel", "account", "update_id"])
            .returning(inbox.c.id)
        )
        new = result.scalar_one_or_none() is not None
        if new:
            values: dict[str, Any] = {"ready_at": safe.received_at}
            if safe.kind in ACTS:
                # A messenger's retries come late: an older act must not take the place of a younger one.
                seen, before = literal(safe.received_at, Moment), conversation.c.last_seen_at
                values["last_seen_at"] = case((before < seen, seen), else_=before)
            await connection.execute(update(conversation).where(conversation.c.id == conversation_id).values(**values))
    return conversation_id, new


async def conversation_of(connection: AsyncConnection, address: Address, now: datetime) -> int:
    """Return the id of the conversation at an address, made if it is new."""
    where = (
        (conversation.c.channel == address.channel)
        & (conversation.c.account == address.account)
        & (conversation.c.chat == address.chat)
    )
    found = (await connection.execute(select(conversation.c.id).where(where))).scalar_one_or_none()
    if found is not None:
        return int(found)
    values = {
        "channel": address.channel,
        "account": address.account,
        "chat": address.chat,
        "session": Session().as_dict(),
        "subscribed": False,
        "created_at": now,
        "last_seen_at": now,
    }
    if connection.dialect.name == "postgresql":
        await connection.execute(postgresql.insert(conversation).values(**values).on_conflict_do_nothing())
    else:
        await connection.execute(insert(conversation).values(**values))
    return int((await connection.execute(select(conversation.c.id).where(where))).scalar_one())
