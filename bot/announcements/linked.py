"""One person on several channels: told once, where they prefer it, and elsewhere only if that fails.

Each of the person's conversations has its delivery, so that the sums hold: one is queued, the others are `skipped:elsewhere`.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, FromClause, and_, exists, func, literal, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.announcements.states import DeliveryState, Reason
from bot.announcements.tables import delivery
from bot.storage.tables import conversation


async def keep_one_each(connection: AsyncConnection, announcement_id: int) -> None:
    """Of each linked person's queued deliveries keep the one they prefer; set the others aside.

    Who was told already on one channel is not told again on another that joined later.
    """
    better, other = conversation.alias("better"), delivery.alias("other")
    lost = (DeliveryState.FAILED.value, DeliveryState.SKIPPED.value)
    one = conversation.c.person.is_not(None) & exists().where(
        better.c.person == conversation.c.person,
        other.c.conversation_id == better.c.id,
        other.c.announcement_id == announcement_id,
        other.c.state.not_in(lost),
        or_(_goes_before(better, conversation), other.c.state != DeliveryState.QUEUED.value),
    )
    await connection.execute(
        update(delivery)
        .where(
            delivery.c.announcement_id == announcement_id,
            delivery.c.state == DeliveryState.QUEUED,
            delivery.c.conversation_id.in_(select(conversation.c.id).where(one)),
        )
        .values(state=DeliveryState.SKIPPED, reason=Reason.ELSEWHERE)
    )


async def fall_back(connection: AsyncConnection, announcement_id: int, failed: Sequence[int]) -> None:
    """Take up again what was set aside for people whose preferred conversation failed: of each person the next best one."""
    lost, aside, better = conversation.alias("lost"), conversation.alias("aside"), conversation.alias("better")
    known, rival = delivery.alias("known"), delivery.alias("rival")

    def set_aside(row: FromClause, of: FromClause) -> ColumnElement[bool]:
        return and_(
            row.c.announcement_id == announcement_id,
            row.c.conversation_id == of.c.id,
            row.c.state == DeliveryState.SKIPPED.value,
            row.c.reason == Reason.ELSEWHERE.value,
        )

    next_best = (
        select(aside.c.id)
        .join(lost, lost.c.person == aside.c.person)
        .join(known, set_aside(known, aside))
        .where(lost.c.id.in_(failed), lost.c.person.is_not(None))
        .where(
            ~exists().where(better.c.person == aside.c.person, _goes_before(better, aside), set_aside(rival, better))
        )
    )
    await connection.execute(
        update(delivery)
        .where(delivery.c.announcement_id == announcement_id, delivery.c.conversation_id.in_(next_best))
        .values(state=DeliveryState.QUEUED, reason=None)
    )


def _goes_before(one: FromClause, other: FromClause) -> ColumnElement[bool]:
    """Preferred before not, then the one written in last, then the newer."""

    def wish(of: FromClause) -> ColumnElement[bool]:
        return func.coalesce(of.c.preferred, literal(False))

    later = or_(
        one.c.last_seen_at > other.c.last_seen_at,
        and_(one.c.last_seen_at == other.c.last_seen_at, one.c.id > other.c.id),
    )
    return or_(and_(wish(one), ~wish(other)), and_(wish(one) == wish(other), later))
