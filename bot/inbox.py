"""The door: a message is stored, masked and de-duplicated, before the messenger hears that it arrived."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Connection, Insert, bindparam, case, update
from sqlalchemy.dialects import postgresql, sqlite

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
    return await database.unit(lambda connection: store(connection, safe))


def store(connection: Connection, safe: Incoming) -> tuple[int, bool]:
    """Store a masked message within a unit of work (see `accept`)."""
    statements = _STATEMENTS[connection.dialect.name]
    conversation_id = conversation_of(connection, safe.address, safe.received_at)
    stored = connection.execute(
        statements["inbox"],
        {
            "conversation_id": conversation_id,
            "channel": safe.address.channel,
            "account": safe.address.account,
            "update_id": safe.update_id,
            "kind": safe.kind,
            "text": safe.text,
            "personal": list(safe.personal),
            "received_at": safe.received_at,
            "state": ACCEPTED,
            "attempts": 0,
        },
    )
    new = stored.first() is not None
    if new:
        statement = _TURNED_TO_US if safe.kind in ACTS else _READY
        connection.execute(statement, {"which": conversation_id, "now": safe.received_at})
    return conversation_id, new


def conversation_of(connection: Connection, address: Address, now: Any) -> int:
    """Return the id of the conversation at an address, made if it is new."""
    values = {
        "channel": address.channel,
        "account": address.account,
        "chat": address.chat,
        "session": _FRESH,
        "subscribed": False,
        "created_at": now,
        "last_seen_at": now,
    }
    found = connection.execute(_STATEMENTS[connection.dialect.name]["conversation"], values)
    return int(found.scalar_one())


def _statements(dialect: Any) -> dict[str, Insert]:
    met = dialect.insert(conversation)
    # Nothing is changed in one that is known; but only a statement that changes something tells its id.
    known = {"chat": met.excluded.chat}
    return {
        "conversation": met.on_conflict_do_update(index_elements=["channel", "account", "chat"], set_=known).returning(
            conversation.c.id
        ),
        "inbox": dialect.insert(inbox)
        .on_conflict_do_nothing(index_elements=["channel", "account", "update_id"])
        .returning(inbox.c.id),
    }


_FRESH: Final = Session().as_dict()
_STATEMENTS: Final = {"sqlite": _statements(sqlite), "postgresql": _statements(postgresql)}
_READY: Final = update(conversation).where(conversation.c.id == bindparam("which")).values(ready_at=bindparam("now"))
# A messenger's retries come late: an older act must not take the place of a younger one.
_SEEN: Final = case(
    (conversation.c.last_seen_at < bindparam("now"), bindparam("now", type_=Moment)), else_=conversation.c.last_seen_at
)
_TURNED_TO_US: Final = _READY.values(last_seen_at=_SEEN)
