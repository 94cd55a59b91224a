"""Tells officers something in the conversation that they linked to their account; who linked none is named instead."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import insert, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.announcements.people import Actor, Officers
from bot.announcements.texts import told
from bot.codec import reply_to_json
from bot.conversation.model import Button, Reply
from bot.storage.tables import conversation, outbox


async def tell(
    connection: AsyncConnection,
    officers: Officers,
    people: Iterable[Actor],
    text: str,
    now: datetime,
    buttons: tuple[Button, ...] = (),
) -> str:
    """Queue a notice for some officers in the caller's transaction; return who was told and who was not, in words.

    A notice is a reply like any other: it leaves through the outbox, before announcements, and is tried again.
    """
    reached, missed = [], []
    for person in dict.fromkeys(people):
        conversation_id = await officers.conversation_of(person.login)
        if conversation_id is None:
            missed.append(person.name)
            continue
        reached.append(person.name)
        await connection.execute(
            insert(outbox).values(
                conversation_id=conversation_id,
                reply=reply_to_json(Reply(text, buttons)),
                state="queued",
                attempts=0,
                next_attempt_at=now,
                created_at=now,
            )
        )
        await connection.execute(update(conversation).where(conversation.c.id == conversation_id).values(ready_at=now))
    parts = [told("notices", "told", names=", ".join(reached))] if reached else []
    if missed:
        parts.append(told("notices", "missed", names=", ".join(missed)))
    return "; ".join(parts)
