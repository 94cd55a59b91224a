"""What a delivering run reads and writes. Every transaction first proves that the run still holds its account's lane."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    JSON,
    ColumnElement,
    RowMapping,
    and_,
    bindparam,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.announcements import respect
from bot.announcements.chores import EXPIRES, Chores
from bot.announcements.compose import Message
from bot.announcements.lanes import Lane, LaneLost
from bot.announcements.lifecycle import Action
from bot.announcements.linked import fall_back
from bot.announcements.moves import move
from bot.announcements.rows import IS_QUEUED, IS_SENDING, DeliveryEnded, Recipient, Settled, may_leave, tell
from bot.announcements.states import ACTIVE, AnnouncementState, DeliveryState, Reason
from bot.announcements.tables import announcement, delivery
from bot.clock import Clock
from bot.codec import reply_to_json
from bot.conversation.model import Reply
from bot.relocation import relocate
from bot.storage.database import Database, aware
from bot.storage.statements import bound, more
from bot.storage.tables import conversation, outbox
from bot.storage.units import Priority, as_unit

_URGENT_FIRST: Final = (announcement.c.urgent_reason.is_(None), announcement.c.id)


@dataclass(frozen=True, slots=True)
class Current:
    """The announcement that a lane works on now, and the others that may have told the same citizens something today."""

    message: Message
    asked: respect.Asked
    others: tuple[int, ...] = ()

    @property
    def id(self) -> int:
        return self.message.id

    @property
    def unit(self) -> str:
        return self.message.unit

    @property
    def urgent(self) -> bool:
        return self.asked.urgent


class Store(Chores):
    """The statements of delivering, over one database: the lane, the chores, and here what is sent and what became of it."""

    async def pick(self, key: Lane) -> Current | None:
        """Return the announcement to work on: the urgent first, then the older; None if nothing may leave now.

        Night and morning turn the states of announcements on the way.
        """
        now = self._clock()
        due = or_(delivery.c.due_at.is_(None), delivery.c.due_at <= now)
        query = (
            select(announcement)
            .where(may_leave(now), exists().where(_queued_of(key), due))
            .order_by(*_URGENT_FIRST)
            .limit(1)
        )
        lately = select(announcement.c.id).where(
            announcement.c.started_at > now - respect.WITHIN - EXPIRES, announcement.c.kind != "correction"
        )
        async with self.database.read() as connection:
            row = (await connection.execute(query)).mappings().one_or_none()
            if row is None:
                return None
            others = (await connection.execute(lately.where(announcement.c.id != row["id"]))).scalars().all()
        if row["state"] == AnnouncementState.WAITING or row["started_at"] is None:
            async with self.database.write() as connection:
                await move(connection, row["id"], Action.WAKE, now)
                await connection.execute(
                    update(announcement)
                    .where(announcement.c.id == row["id"], announcement.c.state.in_(ACTIVE))
                    .values(started_at=func.coalesce(announcement.c.started_at, now))
                )
        correction, message = row["kind"] == "correction", Message.of(row)
        asked = respect.Asked(
            frozenset(row["wards"]), row["category"], row["urgent_reason"] is not None, correction, aware(row["expires_at"]),
            message.by_template(key.channel, key.account),
        )  # fmt: skip
        return Current(message, asked, () if correction else tuple(others))

    async def next_due(self, key: Lane) -> datetime | None:
        """Return when the next delivery that may leave now is due; None if there is none.

        A moment in the past if it is due already.
        """
        now = self._clock()
        soonest = func.min(func.coalesce(delivery.c.due_at, announcement.c.created_at), type_=delivery.c.due_at.type)
        query = select(soonest).select_from(announcement).join(delivery, _queued_of(key)).where(may_leave(now))
        async with self.database.read() as connection:
            return aware((await connection.execute(query)).scalar_one_or_none())

    async def settle(
        self, key: Lane, owner: str, settled: Sequence[Settled], held: tuple[datetime, str] | None = None
    ) -> None:
        """Write down what became of attempts.

        Args:
            held: the messenger asked this account to wait until then, for that reason.

        Raises:
            LaneLost: another run holds the lane.
        """
        hold = {} if held is None else {"held_until": held[0], "held_reason": held[1][:64]}

        async def write(connection: AsyncConnection) -> None:
            if not await self._fence(connection, key, owner, **hold):
                raise LaneLost(str(key))
            if settled:
                await self._settle(connection, key, settled)

        await self.database.unit(as_unit(write), Priority.BULK)

    async def next_ones(
        self, key: Lane, owner: str, current: Current, wanted: int, after: int = 0
    ) -> tuple[list[Recipient], int]:
        """Take those that come next, as `sending`, before any of them leaves.

        A transaction of its own, not one with `settle`: an answer to a citizen that meets one of them waits for half as long.

        Args:
            current: the announcement to take them from.
            after: only conversations with a greater id.

        Returns:
            Whom to send to now, and how many were looked at (fewer than wanted: there are no more behind `after`).

        Raises:
            LaneLost: another run holds the lane.
        """

        async def take(connection: AsyncConnection) -> tuple[list[Recipient], int]:
            if not await self._fence(connection, key, owner):
                raise LaneLost(str(key))
            rows = await self._due(connection, key, current, wanted, after)
            chosen = await self._choose(connection, key, current, rows)
            if chosen:
                await self._change(
                    connection,
                    current,
                    [r.conversation_id for r in chosen],
                    state=DeliveryState.SENDING,
                    at=self._clock(),
                )
            return chosen, len(rows)

        return await self.database.unit(as_unit(take), Priority.BULK)

    async def fill_outboxes(
        self, key: Lane, owner: str, current: Current, reply: Callable[[str | None], Any], wanted: int
    ) -> list[str] | None:
        """Lay an announcement into the outboxes of citizens whose channel fetches (the web), all or nothing.

        Args:
            reply: what to lay, for citizens of a commune.

        Returns:
            The chats to ring; None if there are no more recipients.

        Raises:
            LaneLost: another run holds the lane.
        """
        now = self._clock()
        async with self.database.write() as connection:
            if not await self._fence(connection, key, owner):
                raise LaneLost(str(key))
            rows = await self._due(connection, key, current, wanted, 0)
            if not rows:
                return None
            chosen = await self._choose(connection, key, current, rows)
            by_ward: dict[str | None, list[int]] = {}
            for recipient in chosen:
                by_ward.setdefault(recipient.ward, []).append(recipient.conversation_id)
            values = []
            for ward, ids in by_ward.items():
                laid = await connection.execute(
                    insert(outbox)
                    .from_select(
                        ["conversation_id", "reply", "state", "attempts", "next_attempt_at", "created_at"],
                        select(
                            conversation.c.id,
                            literal(reply(ward), JSON),
                            literal("queued"),
                            literal(0),
                            literal(now, outbox.c.created_at.type),
                            literal(now, outbox.c.created_at.type),
                        ).where(conversation.c.id.in_(ids)),
                    )
                    .returning(outbox.c.id, outbox.c.conversation_id)
                )
                values += [{"of": row.conversation_id, "row": row.id} for row in laid]
            if values:
                await connection.execute(
                    update(delivery)
                    .where(delivery.c.announcement_id == current.id, delivery.c.conversation_id == bindparam("of"))
                    .values(state=DeliveryState.WAITING_FOR_VISIT, outbox_id=bindparam("row"), at=now),
                    values,
                )
                told = [_of_recipient(now, r, key, DeliveryState.WAITING_FOR_VISIT, None) for r in chosen]
                await tell(self._record, connection, told)
        return [r.chat for r in chosen]

    async def _due(
        self, connection: AsyncConnection, key: Lane, current: Current, wanted: int, after: int
    ) -> Sequence[RowMapping]:
        """The next queued deliveries with what their conversations say now: everything is asked again at the last moment.

        None of an announcement that was paused or stopped meanwhile.
        """
        asked = {
            "announcement": current.id, "on": key.channel, "of": key.account, "after": after, "now": self._clock(),
            "wanted": wanted,
        }  # fmt: skip
        return (await connection.execute(_DUE, asked)).mappings().all()

    async def _choose(
        self, connection: AsyncConnection, key: Lane, current: Current, rows: Sequence[RowMapping]
    ) -> list[Recipient]:
        """Keep the rows that may still be sent; write down why the others may not, or not before when."""
        now = self._clock()
        chosen: list[Recipient] = []
        dropped: list[DeliveryEnded] = []
        by_reason: dict[Reason, list[int]] = {}
        by_moment: dict[datetime, list[int]] = {}
        lately = {} if current.urgent else await respect.contacts(connection, rows, current.others, now)
        for row in rows:
            recipient = Recipient(
                current.id, current.unit, row["conversation_id"], row["chat"] or "", row["ward"], row["attempts"],
                row["target"],
            )  # fmt: skip
            reason = respect.objection(row, current.asked, key.channel, now)
            later = respect.room_again(lately.get(recipient.conversation_id, ()), now) if reason is None else None
            if later is not None and current.asked.expires_at is not None and later >= current.asked.expires_at:
                reason = Reason.QUOTA
            if reason is not None:
                by_reason.setdefault(reason, []).append(recipient.conversation_id)
                dropped.append(_of_recipient(now, recipient, key, DeliveryState.SKIPPED, reason))
            elif later is not None:
                by_moment.setdefault(later, []).append(recipient.conversation_id)
            else:
                chosen.append(recipient)
        for reason, ids in by_reason.items():
            await self._change(connection, current, ids, state=DeliveryState.SKIPPED, reason=reason, at=now)
            if reason in respect.OTHER_WAY:
                await fall_back(connection, current.id, ids)
        for moment, ids in by_moment.items():
            await self._change(connection, current, ids, due_at=moment)
        await tell(self._record, connection, dropped)
        return chosen

    @staticmethod
    async def _change(connection: AsyncConnection, current: Current, ids: Sequence[int], **values: Any) -> None:
        which = {"announcement": current.id, "of": ids}
        await connection.execute(more(_OF_THESE, delivery, *values), which | bound(values))

    async def _settle(self, connection: AsyncConnection, key: Lane, settled: Sequence[Settled]) -> None:
        await connection.execute(
            _SETTLE,
            [
                {
                    "announcement": s.recipient.announcement_id,
                    "of": s.recipient.conversation_id,
                    "new_state": s.state.value,
                    "why": s.reason,
                    "tries": s.attempts,
                    "due": s.due_at,
                    "external": None if s.external_id is None else s.external_id[:128],
                    "moment": s.at,
                }
                for s in settled
            ],
        )
        ended = [_of_recipient(s.at, s.recipient, key, s.state, s.reason) for s in settled]
        for s in sorted(settled, key=lambda s: s.recipient.conversation_id):
            if s.stopped:
                where = conversation.c.id == s.recipient.conversation_id
                await connection.execute(update(conversation).where(where).values(stopped_at=s.at))
            if s.chat is not None and not await self._follow(connection, s, s.chat):
                ended.append(_of_recipient(s.at, s.recipient, key, DeliveryState.SKIPPED, Reason.ELSEWHERE))
            if s.state is DeliveryState.FAILED and s.reason in respect.OTHER_WAY:
                await fall_back(connection, s.recipient.announcement_id, [s.recipient.conversation_id])
        await tell(self._record, connection, [e for e in ended if e.state != DeliveryState.QUEUED])

    @staticmethod
    async def _follow(connection: AsyncConnection, settled: Settled, chat: str) -> bool:
        """Note that a chat has moved; False if the conversation that is there already has its own delivery."""
        old = settled.recipient.conversation_id
        new = await connection.run_sync(relocate, old, chat, settled.at)
        if new == old:
            return True
        of_it = delivery.c.announcement_id == settled.recipient.announcement_id
        own = select(delivery.c.conversation_id).where(of_it, delivery.c.conversation_id == new)
        has_own = await connection.scalar(own) is not None
        values: dict[str, Any] = (
            {"state": DeliveryState.SKIPPED, "reason": Reason.ELSEWHERE} if has_own else {"conversation_id": new}
        )
        await connection.execute(update(delivery).where(of_it, delivery.c.conversation_id == old).values(**values))
        return not has_own

    async def lay_ready(self, connection: AsyncConnection, conversation_id: int, reply: Reply, now: datetime) -> None:
        """Lay one message into the outbox of a citizen whose channel fetches, in the caller's transaction."""
        await connection.execute(
            insert(outbox).values(
                conversation_id=conversation_id,
                reply=reply_to_json(reply),
                state="queued",
                attempts=0,
                next_attempt_at=now,
                created_at=now,
            )
        )


_DUE: Final = (
    select(
        delivery.c.conversation_id,
        delivery.c.attempts,
        delivery.c.target,
        conversation.c.id.label("known"),
        conversation.c.chat,
        conversation.c.ward,
        conversation.c.subscribed,
        conversation.c.stopped_at,
        conversation.c.muted,
        conversation.c.person,
        conversation.c.last_seen_at,
    )
    .select_from(delivery)
    .outerjoin(conversation, conversation.c.id == delivery.c.conversation_id)
    .where(
        delivery.c.announcement_id == bindparam("announcement"),
        delivery.c.channel == bindparam("on"),
        delivery.c.account == bindparam("of"),
        IS_QUEUED,
        delivery.c.conversation_id > bindparam("after"),
        or_(delivery.c.due_at.is_(None), delivery.c.due_at <= bindparam("now")),
        exists().where(announcement.c.id == bindparam("announcement"), announcement.c.state.in_(ACTIVE)),
    )
    .order_by(delivery.c.conversation_id)
    .limit(bindparam("wanted"))
    .with_for_update(of=delivery)
)
_OF_THESE: Final = update(delivery).where(
    delivery.c.announcement_id == bindparam("announcement"),
    delivery.c.conversation_id.in_(bindparam("of", expanding=True)),
)
_SETTLE: Final = (
    update(delivery)
    .where(
        delivery.c.announcement_id == bindparam("announcement"),
        delivery.c.conversation_id == bindparam("of"),
        IS_SENDING,
    )
    .values(
        state=bindparam("new_state"),
        reason=bindparam("why"),
        attempts=bindparam("tries"),
        due_at=bindparam("due"),
        external_id=bindparam("external"),
        at=bindparam("moment"),
    )
)


async def replies_waiting(database: Database, clock: Clock, channel: str, account: str) -> bool:
    """Whether a conversation of this account waits for an answer, in any process. Announcements never set `ready_at`."""
    query = (
        select(conversation.c.id)
        .where(
            conversation.c.ready_at <= clock(),
            # Not as plain columns: SQLite would go by them through all citizens of the account instead of by `ready_at`.
            conversation.c.channel + "" == channel,
            conversation.c.account + "" == account,
        )
        .limit(1)
    )
    async with database.read() as connection:
        return (await connection.execute(query)).first() is not None


def _queued_of(key: Lane) -> ColumnElement[bool]:
    return and_(
        delivery.c.announcement_id == announcement.c.id,
        delivery.c.channel == key.channel,
        delivery.c.account == key.account,
        IS_QUEUED,
    )


def _of_recipient(
    at: datetime, recipient: Recipient, key: Lane, state: DeliveryState, reason: Reason | None
) -> DeliveryEnded:
    return DeliveryEnded(
        at, recipient.announcement_id, recipient.unit, recipient.ward, key.channel, state.value,
        None if reason is None else reason.value,
    )  # fmt: skip
