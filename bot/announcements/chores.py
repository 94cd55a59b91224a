"""What is seen to every second or minute, beside the sending: night and morning, ends, late ones, pages that were opened."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import RowMapping, and_, bindparam, exists, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.announcements.hours import is_quiet
from bot.announcements.lanes import Lane, Lanes
from bot.announcements.lifecycle import Action, before
from bot.announcements.moves import move
from bot.announcements.rows import AWAITS_VISIT, IS_QUEUED, IS_SENDING, ended_of, tell, told_of
from bot.announcements.states import ACTIVE, BEGUN, AnnouncementState, DeliveryState, Reason
from bot.announcements.tables import announcement, delivery
from bot.storage.database import aware
from bot.storage.tables import outbox

EXPIRES: Final = timedelta(days=3)
"""What could not leave for so long is no news any more."""
VISIT_EXPIRES: Final = timedelta(days=30)
"""A web page that was not opened for so long is shown nothing of it."""
CHORE: Final = 5_000
"""Rows of one batch of the chores."""
_SWEPT: Final = {AnnouncementState.CANCELLED: Reason.CANCELLED, AnnouncementState.RECALLED: Reason.RECALLED}


class Chores(Lanes):
    """The statements that nobody waits for."""

    async def open_lanes(self) -> list[tuple[int, bool, Lane]]:
        """Return each announcement's accounts that still have something to send, with whether it is urgent."""
        query = select(announcement.c.id, announcement.c.urgent_reason, announcement.c.lanes).where(
            announcement.c.state.in_(ACTIVE)
        )
        found = []
        async with self.database.read() as connection:
            for row in (await connection.execute(query)).all():
                for channel, account in row.lanes or ():
                    left = select(delivery.c.conversation_id).where(
                        delivery.c.announcement_id == row.id,
                        delivery.c.channel == channel,
                        delivery.c.account == account,
                    )
                    # One question for each partial index: an OR of both would read the whole announcement.
                    for state in (IS_QUEUED, IS_SENDING):
                        if (await connection.execute(left.where(state).limit(1))).first() is not None:
                            found.append((row.id, row.urgent_reason is not None, Lane(channel, account)))
                            break
        return sorted(found, key=lambda f: (not f[1], f[0], str(f[2])))

    async def fall_asleep(self) -> None:
        """At night, say of what is not urgent and not finished that it waits."""
        now = self._clock()
        if not is_quiet(now):
            return
        left = exists().where(delivery.c.announcement_id == announcement.c.id, IS_QUEUED)
        query = select(announcement.c.id).where(
            announcement.c.state == AnnouncementState.SENDING, announcement.c.urgent_reason.is_(None), left
        )
        async with self.database.read() as connection:
            ids = (await connection.execute(query)).scalars().all()
        if ids:
            async with self.database.write() as connection:
                for announcement_id in ids:
                    await move(connection, announcement_id, Action.FALL_ASLEEP, now)

    async def close_finished(self) -> list[int]:
        """Close every announcement of which nothing is left to send: only if its final states sum to its audience."""
        left = or_(
            *(exists().where(delivery.c.announcement_id == announcement.c.id, s) for s in (IS_QUEUED, IS_SENDING))
        )
        begun = announcement.c.state.in_(before(Action.CLOSE))
        async with self.database.read() as connection:
            ready = (await connection.execute(select(announcement.c.id).where(begun, ~left))).scalars().all()
        return [announcement_id for announcement_id in ready if await self._close(announcement_id)]

    async def _close(self, announcement_id: int) -> bool:
        now = self._clock()
        final = (
            select(func.count())
            .select_from(delivery)
            .where(
                delivery.c.announcement_id == announcement_id,
                delivery.c.state.not_in((DeliveryState.QUEUED, DeliveryState.SENDING)),
            )
            .scalar_subquery()
        )
        async with self.database.write() as connection:
            summed = announcement.c.audience == final
            if not await move(connection, announcement_id, Action.CLOSE, now, only=summed, closed_at=now):
                return False
            # Only now is it sure that these are not sent after all.
            aside = told_of().where(
                announcement.c.id == announcement_id,
                delivery.c.state == DeliveryState.SKIPPED,
                delivery.c.reason == Reason.ELSEWHERE,
            )
            rows = (await connection.execute(aside)).mappings().all()
            ended = [ended_of(now, row, DeliveryState.SKIPPED, Reason.ELSEWHERE) for row in rows]
            await tell(self._record, connection, ended)
        return True

    async def sweep_cancelled(self) -> int:
        """End what has not left of announcements that were stopped or taken back, a batch of each; returns how many."""
        now = self._clock()
        left = exists().where(delivery.c.announcement_id == announcement.c.id, IS_QUEUED)
        lately = announcement.c.closed_at > now - timedelta(days=1)
        query = select(announcement.c.id, announcement.c.state).where(
            announcement.c.state.in_(list(_SWEPT)), lately, left
        )
        async with self.database.read() as connection:
            stopped = (await connection.execute(query)).all()
        swept = 0
        for row in stopped:
            rows_of = told_of().where(announcement.c.id == row.id, IS_QUEUED).limit(CHORE)
            async with self.database.write() as connection:
                rows = (await connection.execute(rows_of)).mappings().all()
                reason = _SWEPT[AnnouncementState(row.state)]
                await self._end(connection, rows, now, DeliveryState.SKIPPED, reason)
            swept += len(rows)
        return swept

    async def expire(self) -> int:
        """Give up what could not leave for days, or not before its announcement's own end; returns how many."""
        now = self._clock()
        old = and_(
            announcement.c.state.in_(BEGUN),
            or_(announcement.c.started_at < now - EXPIRES, announcement.c.expires_at <= now),
        )
        query = told_of().where(IS_QUEUED, old).limit(CHORE).with_for_update(of=delivery, skip_locked=True)
        async with self.database.read() as connection:
            if (await connection.execute(select(announcement.c.id).where(old).limit(1))).first() is None:
                return 0
        async with self.database.write() as connection:
            rows = (await connection.execute(query)).mappings().all()
            await self._end(connection, rows, now, DeliveryState.FAILED, Reason.EXPIRED)
        return len(rows)

    async def settle_visits(self, after: tuple[int, int] = (0, 0)) -> tuple[int, int] | None:
        """Ask of one batch of web deliveries whether the page has fetched them.

        Args:
            after: where the last batch ended: (announcement, conversation).

        Returns:
            Where this one ended; None at the end of the list.
        """
        now = self._clock()
        beyond = or_(
            delivery.c.announcement_id > after[0],
            and_(delivery.c.announcement_id == after[0], delivery.c.conversation_id > after[1]),
        )
        query = (
            told_of()
            .add_columns(
                delivery.c.at, outbox.c.id.label("outbox_id"), outbox.c.state.label("fetched"), outbox.c.sent_at
            )
            .outerjoin(outbox, outbox.c.id == delivery.c.outbox_id)
            .where(AWAITS_VISIT, beyond)
            .order_by(delivery.c.announcement_id, delivery.c.conversation_id)
            .limit(CHORE)
        )
        async with self.database.read() as connection:
            rows = (await connection.execute(query)).mappings().all()
        if not rows:
            return None
        fetched = [r for r in rows if r["fetched"] == "sent"]
        gone = [r for r in rows if r["outbox_id"] is None]
        unopened = now - VISIT_EXPIRES
        old = [r for r in rows if r["fetched"] in ("queued", "sending") and (aware(r["at"]) or now) < unopened]
        if fetched or gone or old:
            async with self.database.write() as connection:
                await self._end(connection, fetched, now, DeliveryState.ACCEPTED, None)
                await self._end(connection, gone, now, DeliveryState.SKIPPED, Reason.GONE)
                if old:
                    waiting = outbox.c.id.in_([r["outbox_id"] for r in old]) & (outbox.c.state != "sent")
                    await connection.execute(
                        update(outbox).where(waiting).values(state="failed", reason=Reason.EXPIRED)
                    )
                    await self._end(connection, old, now, DeliveryState.FAILED, Reason.EXPIRED)
        return (rows[-1]["announcement_id"], rows[-1]["conversation_id"]) if len(rows) == CHORE else None

    async def _end(
        self,
        connection: AsyncConnection,
        rows: Sequence[RowMapping],
        now: datetime,
        state: DeliveryState,
        reason: Reason | None,
    ) -> None:
        if not rows:
            return
        await connection.execute(
            update(delivery)
            .where(
                delivery.c.announcement_id == bindparam("announcement"),
                delivery.c.conversation_id == bindparam("of"),
                or_(IS_QUEUED, AWAITS_VISIT),
            )
            .values(state=state.value, reason=None if reason is None else reason.value, at=bindparam("moment")),
            [
                {
                    "announcement": r["announcement_id"],
                    "of": r["conversation_id"],
                    "moment": aware(r["sent_at"]) if r.get("sent_at") else now,
                }
                for r in rows
            ],
        )
        ended = [ended_of(aware(r.get("sent_at")) or now, r, state, reason, again="outbox_id" in r) for r in rows]
        await tell(self._record, connection, ended)
