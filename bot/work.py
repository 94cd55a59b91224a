"""Work in hand: conversations that one process holds under a lease, with all that waits in them.

A lease is a right that ends by itself: whoever dies with work in hand is replaced when it is over. What a process writes
under a lease it no longer holds is refused (`LeaseLost`), so nobody answers twice after a long sleep.
"""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, Select, bindparam, case, or_, select, update

from bot.messages import Address
from bot.storage.database import aware
from bot.storage.statements import bound, more
from bot.storage.tables import ACCEPTED, conversation, inbox, outbox

LEASE: Final = timedelta(seconds=15)
"""How long after the death of a process its conversations are taken over. Work that takes longer is renewed meanwhile."""
KNOWN: Final = (
    conversation.c.session,
    conversation.c.ward,
    conversation.c.subscribed,
    conversation.c.muted,
    conversation.c.consented_at,
    conversation.c.chosen_at,
    conversation.c.person,
    conversation.c.preferred,
    conversation.c.silent_until,
    conversation.c.language,
)
"""What a turn stands on."""
OPEN: Final = ("queued", "sending")
"""States of an outbox row that still has to leave."""


class LeaseLost(RuntimeError):
    """Another process holds the conversation now; nothing was written."""


@dataclass(frozen=True, slots=True)
class Work:
    """A conversation in hand. `waiting` are inbox rows without an answer, `queued` outbox rows that have not left."""

    conversation_id: int
    address: Address
    lease: str
    row: Mapping[str, Any]
    """The conversation's columns `KNOWN`, as they stood when it was taken."""
    waiting: tuple[Mapping[str, Any], ...]
    queued: tuple[Mapping[str, Any], ...]


_PROCESS: Final = uuid.uuid4().hex[:8]
_LEASES: Final = itertools.count()
"""Numbers, since a random one for each lease costs as much as a statement."""


def new_lease(owner: str) -> str:
    """Return a name for one lease that no other has."""
    return f"{_PROCESS}{next(_LEASES):08x}:{owner[:40]}"


def take_ready(connection: Connection, owner: str, now: datetime, limit: int) -> list[Work]:
    """Lease up to `limit` conversations that have something to do, the longest waiting first."""
    query = _READY_IDS if connection.dialect.name == "sqlite" else _READY_IDS.with_for_update(skip_locked=True)
    ids = list(connection.execute(query, {"now": now, "most": limit}).scalars())
    return _lease(connection, ids, owner, now)


def take(connection: Connection, conversation_id: int, owner: str, now: datetime) -> Work | None:
    """Lease one conversation; None if somebody else has it, or it is gone."""
    found = _lease(connection, [conversation_id], owner, now)
    return found[0] if found else None


def hold(connection: Connection, conversation_id: int, owner: str, now: datetime) -> Work | None:
    """Lease one conversation without looking at what waits in it; None if somebody else has it, or it is gone."""
    found = _lease(connection, [conversation_id], owner, now, reading=False)
    return found[0] if found else None


def _lease(
    connection: Connection, ids: Sequence[int], owner: str, now: datetime, *, reading: bool = True
) -> list[Work]:
    if not ids:
        return []
    lease = new_lease(owner)
    taken = connection.execute(_TAKE, {"ids": ids, "now": now, "lease": lease, "until": now + LEASE})
    mine: dict[int, RowMapping] = {row["id"]: row for row in taken.mappings()}
    if not mine:
        return []
    waiting: dict[int, list[dict[str, Any]]] = {}
    queued: dict[int, list[dict[str, Any]]] = {}
    if reading:
        # Counted before it is tried: a message that kills the process is put aside one day like one that raises.
        for message in connection.execute(_TRY, {"ids": list(mine)}).mappings():
            waiting.setdefault(message["conversation_id"], []).append({**message})
        for reply in connection.execute(_QUEUED, {"ids": list(mine)}).mappings():
            queued.setdefault(reply["conversation_id"], []).append({**reply})
    return [
        Work(
            conversation_id=key,
            address=Address(row["channel"], row["account"], row["chat"]),
            lease=lease,
            row={"conversation_id": key, **row},
            waiting=tuple(sorted(waiting.get(key, []), key=lambda r: int(r["id"]))),
            queued=tuple(queued.get(key, [])),
        )
        for key in ids
        if (row := mine.get(key)) is not None
    ]


def renew(connection: Connection, held: Iterable[Work], now: datetime) -> None:
    """Prolong the leases of conversations in hand; one that was lost stays lost."""
    ours = {work.conversation_id: work.lease for work in held}
    if ours:
        leases = {"ids": sorted(ours), "leases": sorted(set(ours.values())), "until": now + LEASE}
        connection.execute(_RENEW, leases)


def lock(connection: Connection, work: Work) -> None:
    """Lock a conversation in hand before anything in it is written: whoever stores a message locks it first, too.

    Raises:
        LeaseLost: it is in other hands. On SQLite, where nobody else writes meanwhile, that is found at the end.
    """
    if connection.dialect.name != "sqlite":
        which = {"which": work.conversation_id, "lease": work.lease}
        if connection.execute(_LOCK, which).first() is None:
            raise LeaseLost(str(work.conversation_id))


def still_ours(connection: Connection, work: Work, **values: Any) -> None:
    """Write something into a conversation in hand.

    Raises:
        LeaseLost: it is in other hands.
    """
    values = values or {"lease_owner": work.lease}
    which = {"which": work.conversation_id, "lease": work.lease}
    if connection.execute(more(_OURS, conversation, *values), which | bound(values)).rowcount != 1:
        raise LeaseLost(str(work.conversation_id))


def release(connection: Connection, work: Work, **values: Any) -> datetime | None:
    """Give a conversation back, with what else is to be written into it; return when it next needs somebody.

    On PostgreSQL the row is locked first: a message that is accepted meanwhile then either is seen by what looks for waiting
    work, or makes the conversation ready after us. Does nothing where the lease was lost.

    Raises:
        LeaseLost: there is something to be written, and the conversation is in other hands.
    """
    which = {"which": work.conversation_id, "lease": work.lease}
    if connection.dialect.name != "sqlite" and not values:  # who writes something has locked it already
        connection.execute(_LOCK, which)
    given = connection.execute(more(_GIVE, conversation, *values), which | bound(values)).one_or_none()
    if given is None:
        if values:
            raise LeaseLost(str(work.conversation_id))
        return None
    return aware(given.ready_at)


_FREE = or_(conversation.c.lease_until.is_(None), conversation.c.lease_until < bindparam("now"))
_READY_IDS: Final[Select[Any]] = (
    select(conversation.c.id)
    .where(conversation.c.ready_at <= bindparam("now"), _FREE)
    .order_by(conversation.c.ready_at)
    .limit(bindparam("most"))
)
_TAKE: Final = (
    update(conversation)
    .where(conversation.c.id.in_(bindparam("ids", expanding=True)), _FREE)
    .values(lease_owner=bindparam("lease"), lease_until=bindparam("until"))
    .returning(conversation.c.id, conversation.c.channel, conversation.c.account, conversation.c.chat, *KNOWN)
)
_TRY: Final = (
    update(inbox)
    .where(inbox.c.conversation_id.in_(bindparam("ids", expanding=True)), inbox.c.state == ACCEPTED)
    .values(attempts=inbox.c.attempts + 1)
    .returning(
        inbox.c.id,
        inbox.c.conversation_id,
        inbox.c.kind,
        inbox.c.text,
        inbox.c.personal,
        inbox.c.ref,
        inbox.c.received_at,
        inbox.c.attempts,
    )
)
_QUEUED: Final = (
    select(
        outbox.c.id,
        outbox.c.conversation_id,
        outbox.c.reply,
        outbox.c.attempts,
        outbox.c.next_attempt_at,
        outbox.c.edits,
    )
    .where(outbox.c.conversation_id.in_(bindparam("ids", expanding=True)), outbox.c.state.in_(OPEN))
    .order_by(outbox.c.id)
)
_RENEW: Final = (
    update(conversation)
    .where(
        conversation.c.id.in_(bindparam("ids", expanding=True)),  # the key: there may be a million conversations
        conversation.c.lease_owner.in_(bindparam("leases", expanding=True)),
    )
    .values(lease_until=bindparam("until"))
)
# Replies leave in order, so the first one decides: a later one that is due now has to wait for it.
_FIRST_WAITING = (
    select(inbox.c.received_at)
    .where(inbox.c.conversation_id == bindparam("which"), inbox.c.state == ACCEPTED)
    .order_by(inbox.c.id)
    .limit(1)
    .scalar_subquery()
)
_FIRST_QUEUED = (
    select(outbox.c.next_attempt_at)
    .where(outbox.c.conversation_id == bindparam("which"), outbox.c.state.in_(OPEN))
    .order_by(outbox.c.id)
    .limit(1)
    .scalar_subquery()
)
_MINE = (conversation.c.id == bindparam("which"), conversation.c.lease_owner == bindparam("lease"))
_OURS: Final = update(conversation).where(*_MINE)
_LOCK: Final = select(conversation.c.id).where(*_MINE).with_for_update()
_GIVE: Final = (
    update(conversation)
    .where(*_MINE)
    .values(
        lease_owner=None,
        lease_until=None,
        ready_at=case((_FIRST_WAITING.is_not(None), _FIRST_WAITING), else_=_FIRST_QUEUED),
    )
    .returning(conversation.c.ready_at)
)
