"""Erases a citizen: what was said in a conversation, or everything that is known of them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, delete, select, update

from bot import work
from bot.conversation.model import Session
from bot.linking import forget as forget_codes
from bot.linking import leave
from bot.storage.tables import conversation, inbox, outbox, review
from bot.work import Work


def erase(connection: Connection, conversation_id: int, *, before: int) -> None:
    """Delete what was said in a conversation before a message of the inbox, and its questions with their answers."""
    connection.execute(delete(inbox).where(inbox.c.conversation_id == conversation_id, inbox.c.id < before))
    connection.execute(
        delete(outbox).where(outbox.c.conversation_id == conversation_id, outbox.c.state.in_(("sent", "failed")))
    )
    connection.execute(delete(outbox).where(outbox.c.id.in_(answers_of(connection, conversation_id))))
    connection.execute(delete(review).where(review.c.conversation_id == conversation_id))
    forget_codes(connection, conversation_id)


def answers_of(connection: Connection, conversation_id: int) -> frozenset[int]:
    """Return the outbox rows of officers' answers to a conversation's questions: each quotes what was asked."""
    asked = (review.c.conversation_id == conversation_id) & review.c.outbox_id.is_not(None)
    return frozenset(connection.execute(select(review.c.outbox_id).where(asked)).scalars())


def forget(connection: Connection, held: Work, until: int) -> datetime | None:
    """Erase a citizen up to an inbox row, with the messenger's id of them; what they wrote since then begins anew.

    Returns when the conversation, if there still is one, next needs somebody.
    """
    here = conversation.c.id == held.conversation_id
    alone = leave(connection, held.conversation_id, held.row["person"])
    forget_codes(connection, held.conversation_id)
    # Locked by the first statement of the unit: a message that is being accepted is either seen here, or begins anew.
    connection.execute(delete(outbox).where(outbox.c.conversation_id == held.conversation_id))
    connection.execute(delete(review).where(review.c.conversation_id == held.conversation_id))
    connection.execute(delete(inbox).where(inbox.c.conversation_id == held.conversation_id, inbox.c.id <= until))
    later = select(inbox.c.id).where(inbox.c.conversation_id == held.conversation_id).limit(1)
    if connection.execute(later).scalar_one_or_none() is None:
        connection.execute(delete(conversation).where(here))
        return None
    anew = {
        "session": Session().as_dict(),
        "ward": None,
        "subscribed": False,
        "consented_at": None,
        "silent_until": None,
        "language": None,
    }
    connection.execute(update(conversation).where(here).values(**anew, **alone, chosen_at=None, muted=None))
    return work.release(connection, held)
