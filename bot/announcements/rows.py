"""Rows of deliveries: what is read of them, what is told of them, and the conditions that several statements share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol

from sqlalchemy import ColumnElement, RowMapping, Select, literal_column, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.announcements.hours import is_quiet
from bot.announcements.states import ACTIVE, DeliveryState, Reason
from bot.announcements.tables import announcement, delivery
from bot.storage.tables import conversation

# Written out, not bound: a prepared statement proves the condition of a partial index from a constant only.
IS_QUEUED: Final = delivery.c.state == literal_column("'queued'")
IS_SENDING: Final = delivery.c.state == literal_column("'sending'")
AWAITS_VISIT: Final = delivery.c.state == literal_column("'waiting_for_visit'")


@dataclass(frozen=True, slots=True)
class Recipient:
    """A delivery that was written down as `sending`. `target`: the message that it corrects, and what went with it."""

    announcement_id: int
    unit: str
    conversation_id: int
    chat: str
    ward: str | None
    attempts: int
    target: str | None = None


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of one attempt. `stopped`: mark the contact; `chat`: it has moved there."""

    recipient: Recipient
    state: DeliveryState
    reason: Reason | None
    at: datetime
    attempts: int
    due_at: datetime | None = None
    external_id: str | None = None
    stopped: bool = False
    chat: str | None = None


@dataclass(frozen=True, slots=True)
class DeliveryEnded:
    """What the analytics learn of a delivery: nobody who received it.

    A web delivery is told of twice: as `waiting_for_visit`, and as `accepted` when the page was opened.
    """

    at: datetime
    announcement_id: int
    unit: str
    ward: str | None
    channel: str
    state: str
    reason: str | None
    again: bool = False


class Record(Protocol):
    """Writes down deliveries that ended, a batch at a time, within the transaction that ends them."""

    async def __call__(self, connection: AsyncConnection, ended: Sequence[DeliveryEnded], /) -> None: ...


def told_of() -> Select[Any]:
    """Deliveries with what the analytics are told of them; the conversation may be gone."""
    return (
        select(
            delivery.c.announcement_id,
            delivery.c.conversation_id,
            delivery.c.channel,
            announcement.c.unit,
            conversation.c.ward,
        )
        .join(announcement, announcement.c.id == delivery.c.announcement_id)
        .outerjoin(conversation, conversation.c.id == delivery.c.conversation_id)
    )


def ended_of(
    at: datetime, row: RowMapping, state: DeliveryState, reason: Reason | None, *, again: bool = False
) -> DeliveryEnded:
    """Return what is told of a row of `told_of`."""
    why = None if reason is None else reason.value
    return DeliveryEnded(at, row["announcement_id"], row["unit"], row["ward"], row["channel"], state.value, why, again)


async def tell(record: Record | None, connection: AsyncConnection, ended: Sequence[DeliveryEnded]) -> None:
    """Tell whoever keeps the figures, in the caller's transaction."""
    if record is not None and ended:
        await record(connection, ended)


def may_leave(now: datetime) -> ColumnElement[bool]:
    """Return the condition for announcements of which something may leave now."""
    active = announcement.c.state.in_(ACTIVE)
    return active & announcement.c.urgent_reason.is_not(None) if is_quiet(now) else active
