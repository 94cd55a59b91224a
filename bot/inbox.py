"""The door: a message is stored, masked and de-duplicated, before the messenger hears that it arrived."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Connection, Insert, RowMapping, Update, bindparam, case, update
from sqlalchemy.dialects import postgresql, sqlite

from bot.conversation.model import Session
from bot.messages import ACTS, Address, Incoming, masked
from bot.storage.database import Database, aware
from bot.storage.statements import bound, changes
from bot.storage.tables import ACCEPTED, DEAD, DONE, Moment, conversation, inbox
from bot.storage.units import Priority
from bot.work import KNOWN, LEASE, Work, new_lease

__all__ = ["ACCEPTED", "DEAD", "DONE", "Stored", "accept", "conversation_of", "store"]

NEVER: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""When somebody was seen who has not turned to us yet: an officer wrote to them first, and no messenger's window is open."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of a message at the door. `new` is False if the messenger sent it before."""

    conversation_id: int
    new: bool
    inbox_id: int | None = None
    """Its place in the inbox; None if the messenger sent it before."""
    held: Work | None = None
    """The conversation in hand, if it was asked for and nothing else waited in it."""


async def accept(database: Database, incoming: Incoming) -> tuple[int, bool]:
    """Store a message for its conversation; commit before returning.

    Returns:
        The conversation's id, and whether the message is new (False: the messenger sent it before).
    """
    safe = masked(incoming)
    stored = await database.unit(lambda connection: store(connection, safe), Priority.URGENT)
    return stored.conversation_id, stored.new


def store(connection: Connection, safe: Incoming, taker: tuple[str, datetime] | None = None) -> Stored:
    """Store a masked message within a unit of work (see `accept`).

    Args:
        taker: name of a process and the time now: take the conversation in hand for it, if nothing else waits in it.
    """
    row = _conversation(connection, safe.address, safe.received_at, safe.received_at if safe.kind in ACTS else NEVER)
    lease = new_lease(taker[0]) if taker is not None and _is_idle(row, taker[1]) else None
    message = {
        "conversation_id": row["id"],
        "channel": safe.address.channel,
        "account": safe.address.account,
        "update_id": safe.update_id,
        "kind": safe.kind,
        "text": safe.text,
        "personal": list(safe.personal),
        "ref": safe.ref[:64] or None,
        "received_at": safe.received_at,
        "state": ACCEPTED,
        "attempts": 0 if lease is None else 1,
    }
    number = connection.execute(_STATEMENTS[connection.dialect.name]["inbox"], message).scalar_one_or_none()
    if number is None:
        return Stored(row["id"], new=False)
    values: dict[str, Any] = {"which": row["id"], "now": safe.received_at}
    if lease is not None and taker is not None:
        values |= {"lease": lease, "until": taker[1] + LEASE}
    connection.execute(_NOTE[safe.kind in ACTS, lease is not None], values)
    if safe.language and row["consented_at"] is not None and safe.language != row["language"]:
        told = {"language": safe.language}
        connection.execute(changes(conversation, *told), {"which": row["id"]} | bound(told))
    if lease is None:
        return Stored(row["id"], new=True, inbox_id=number)
    held = Work(
        conversation_id=row["id"],
        address=safe.address,
        lease=lease,
        row={"conversation_id": row["id"], **row},
        waiting=(message | {"id": number},),
        queued=(),
    )
    return Stored(row["id"], new=True, inbox_id=number, held=held)


def conversation_of(connection: Connection, address: Address, now: datetime) -> int:
    """Return the id of the conversation at an address, made if it is new."""
    return int(_conversation(connection, address, now, now)["id"])


def _conversation(connection: Connection, address: Address, now: datetime, seen: datetime) -> RowMapping:
    """Return the conversation at an address, made if it is new, and locked for the rest of the transaction.

    Args:
        seen: when the citizen last turned to us, if it is new.
    """
    values = {
        "channel": address.channel,
        "account": address.account,
        "chat": address.chat,
        "session": _FRESH,
        "subscribed": False,
        "created_at": now,
        "last_seen_at": seen,
    }
    return connection.execute(_STATEMENTS[connection.dialect.name]["conversation"], values).mappings().one()


def _is_idle(row: RowMapping, now: datetime) -> bool:
    """Whether nothing waits in a conversation, and nobody has it in hand."""
    until = aware(row["lease_until"])
    return row["ready_at"] is None and (until is None or until < now)


def _statements(dialect: Any) -> dict[str, Insert]:
    met = dialect.insert(conversation)
    # Nothing is changed in one that is known; but only a statement that changes something tells what is there.
    known = {"chat": met.excluded.chat}
    return {
        "conversation": met.on_conflict_do_update(index_elements=["channel", "account", "chat"], set_=known).returning(
            conversation.c.id,
            *KNOWN,
            conversation.c.ready_at,
            conversation.c.lease_until,
        ),
        "inbox": dialect.insert(inbox)
        .on_conflict_do_nothing(index_elements=["channel", "account", "update_id"])
        .returning(inbox.c.id),
    }


def _note(*, act: bool, take: bool) -> Update:
    """Note in a conversation that something waits in it: an act of the citizen's or not, taken in hand or not."""
    noted = update(conversation).where(conversation.c.id == bindparam("which")).values(ready_at=bindparam("now"))
    if act:
        # A messenger's retries come late: an older act must not take the place of a younger one.
        before = conversation.c.last_seen_at
        noted = noted.values(
            last_seen_at=case((before < bindparam("now"), bindparam("now", type_=Moment)), else_=before)
        )
    if take:
        noted = noted.values(lease_owner=bindparam("lease"), lease_until=bindparam("until"))
    return noted


_FRESH: Final = Session().as_dict()
_STATEMENTS: Final = {"sqlite": _statements(sqlite), "postgresql": _statements(postgresql)}
_NOTE: Final = {(act, take): _note(act=act, take=take) for act in (True, False) for take in (True, False)}
