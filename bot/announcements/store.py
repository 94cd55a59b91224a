"""What a delivering run reads and writes. Every transaction first proves that the run still holds its account's lane.

A lane is the right to send announcements on one channel account. It is leased: who lets the lease end loses it, and the
next holder begins by declaring `uncertain` what was on its way. So no row is ever sent by two, whatever DBOS, the
operating system or a clock does; at worst one is reported as uncertain.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from sqlalchemy import (
    JSON,
    ColumnElement,
    RowMapping,
    Select,
    and_,
    bindparam,
    exists,
    func,
    insert,
    literal,
    literal_column,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.announcements.hours import is_quiet
from bot.announcements.states import AnnouncementState, DeliveryState, Reason
from bot.announcements.tables import announcement, delivery, lane
from bot.clock import Clock
from bot.codec import reply_to_json
from bot.conversation.model import Reply
from bot.storage.database import Database, aware
from bot.storage.tables import conversation, outbox

LEASE: Final = timedelta(seconds=15)
"""Longer than any transaction here and any pause of a healthy process; after a crash, deliveries rest so long."""
EXPIRES: Final = timedelta(days=3)
"""What could not leave for so long is no news any more."""
VISIT_EXPIRES: Final = timedelta(days=30)
"""A web page that was not opened for so long is shown nothing of it."""
CHORE: Final = 5_000
"""Rows of one batch of the chores."""


class LaneLost(RuntimeError):
    """Another run took the lane over; what this run still had on its way was declared uncertain."""


@dataclass(frozen=True, slots=True)
class Lane:
    """One channel account, as announcements see it."""

    channel: str
    account: str

    def __str__(self) -> str:
        return f"{self.channel}:{self.account}"


@dataclass(frozen=True, slots=True)
class Current:
    """The announcement that a lane works on now."""

    id: int
    unit: str
    text: str
    urgent: bool
    wards: frozenset[str]


@dataclass(frozen=True, slots=True)
class Recipient:
    """A delivery that was written down as `sending`."""

    announcement_id: int
    unit: str
    conversation_id: int
    chat: str
    ward: str | None
    attempts: int


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


# Written out, not bound: a prepared statement proves the condition of a partial index from a constant only.
IS_QUEUED: Final = delivery.c.state == literal_column("'queued'")
IS_SENDING: Final = delivery.c.state == literal_column("'sending'")
AWAITS_VISIT: Final = delivery.c.state == literal_column("'waiting_for_visit'")
_URGENT_FIRST: Final = (announcement.c.urgent_reason.is_(None), announcement.c.id)


class Store:
    """The statements of delivering, over one database."""

    def __init__(
        self, database: Database, clock: Clock, *, record: Record | None = None, lease: timedelta = LEASE
    ) -> None:
        self.database = database
        self.lease = lease
        self._clock = clock
        self._record = record

    # the lane

    async def acquire(self, key: Lane, owner: str) -> bool:
        """Take a lane that is free or whose lease has ended; what its last holder had on its way becomes uncertain."""
        now = self._clock()
        upsert = sqlite.insert if self.database.is_sqlite else postgresql.insert
        async with self.database.write() as connection:
            await connection.execute(
                upsert(lane).values(channel=key.channel, account=key.account).on_conflict_do_nothing()
            )
            free = or_(lane.c.owner.is_(None), lane.c.lease_until < now)
            taken = await connection.execute(
                update(lane).where(_is(key), free).values(owner=owner, lease_until=now + self.lease)
            )
            if taken.rowcount == 0:
                return False
            lost = (
                (
                    await connection.execute(
                        _told_of().where(
                            delivery.c.channel == key.channel, delivery.c.account == key.account, IS_SENDING
                        )
                    )
                )
                .mappings()
                .all()
            )
            if lost:
                await connection.execute(
                    update(delivery)
                    .where(delivery.c.channel == key.channel, delivery.c.account == key.account, IS_SENDING)
                    .values(
                        state=DeliveryState.UNCERTAIN,
                        reason=Reason.PROCESS_DIED,
                        at=now,
                        attempts=delivery.c.attempts + 1,
                    )
                )
                await self._tell(
                    connection,
                    [_ended(now, row, DeliveryState.UNCERTAIN, Reason.PROCESS_DIED) for row in lost],
                )
        return True

    async def renew(self, key: Lane, owner: str) -> bool:
        """Prolong the lease; False if the lane was lost."""
        async with self.database.write() as connection:
            return await self._fence(connection, key, owner)

    async def release(self, key: Lane, owner: str) -> None:
        """Give the lane back."""
        async with self.database.write() as connection:
            await connection.execute(
                update(lane).where(_is(key), lane.c.owner == owner).values(owner=None, lease_until=None)
            )

    async def held_until(self, key: Lane) -> datetime | None:
        """Return until when the messenger asked this account to wait, also if an earlier process heard it."""
        async with self.database.read() as connection:
            return aware((await connection.execute(select(lane.c.held_until).where(_is(key)))).scalar_one_or_none())

    async def holder(self, key: Lane) -> str | None:
        """Return the run whose lease is alive."""
        query = select(lane.c.owner).where(_is(key), lane.c.lease_until >= self._clock())
        async with self.database.read() as connection:
            return (await connection.execute(query)).scalar_one_or_none()

    async def _fence(self, connection: AsyncConnection, key: Lane, owner: str, **values: Any) -> bool:
        """Prove that the lane is ours, and lock it for the rest of the transaction."""
        held = await connection.execute(
            update(lane).where(_is(key), lane.c.owner == owner).values(lease_until=self._clock() + self.lease, **values)
        )
        return held.rowcount == 1

    # what to send

    async def pick(self, key: Lane) -> Current | None:
        """Return the announcement to work on: the urgent first, then the older; None if nothing may leave now.

        Night and morning turn the states of announcements on the way.
        """
        now = self._clock()
        due = or_(delivery.c.due_at.is_(None), delivery.c.due_at <= now)
        query = (
            select(announcement)
            .where(_may_leave(now), exists().where(_queued_of(key), due))
            .order_by(*_URGENT_FIRST)
            .limit(1)
        )
        async with self.database.read() as connection:
            row = (await connection.execute(query)).mappings().one_or_none()
        if row is None:
            return None
        if row["state"] == AnnouncementState.WAITING or row["started_at"] is None:
            async with self.database.write() as connection:
                await connection.execute(
                    update(announcement)
                    .where(
                        announcement.c.id == row["id"],
                        announcement.c.state.in_((AnnouncementState.WAITING, AnnouncementState.SENDING)),
                    )
                    .values(state=AnnouncementState.SENDING, started_at=func.coalesce(announcement.c.started_at, now))
                )
        return Current(row["id"], row["unit"], row["text"], row["urgent_reason"] is not None, frozenset(row["wards"]))

    async def next_due(self, key: Lane) -> datetime | None:
        """Return when the next delivery that may leave now is due; None if there is none.

        A moment in the past if it is due already.
        """
        now = self._clock()
        soonest = func.min(func.coalesce(delivery.c.due_at, announcement.c.created_at), type_=delivery.c.due_at.type)
        query = select(soonest).select_from(announcement).join(delivery, _queued_of(key)).where(_may_leave(now))
        async with self.database.read() as connection:
            return aware((await connection.execute(query)).scalar_one_or_none())

    async def turn_over(  # one transaction for both, since each batch needs both
        self,
        key: Lane,
        owner: str,
        settled: Sequence[Settled],
        *,
        current: Current | None,
        wanted: int,
        after: int = 0,
        held: tuple[datetime, str] | None = None,
    ) -> tuple[list[Recipient], int]:
        """Write down what became of attempts, and which ones come next (as `sending`, before any of them leaves).

        Args:
            current: the announcement to take the next ones from.
            after: only conversations with a greater id.
            held: the messenger asked this account to wait until then, for that reason.

        Returns:
            Whom to send to now, and how many were looked at (fewer than wanted: there are no more behind `after`).

        Raises:
            LaneLost: another run holds the lane.
        """
        hold = {} if held is None else {"held_until": held[0], "held_reason": held[1][:64]}
        async with self.database.write() as connection:
            if not await self._fence(connection, key, owner, **hold):
                raise LaneLost(str(key))
            if settled:
                await self._settle(connection, key, settled)
            if current is None or wanted < 1:
                return [], 0
            rows = await self._due(connection, key, current, wanted, after)
            chosen = await self._choose(connection, key, current, rows)
            if chosen:
                await connection.execute(
                    update(delivery)
                    .where(
                        delivery.c.announcement_id == current.id,
                        delivery.c.conversation_id.in_([r.conversation_id for r in chosen]),
                    )
                    .values(state=DeliveryState.SENDING, at=self._clock())
                )
        return chosen, len(rows)

    async def fill_outboxes(self, key: Lane, owner: str, current: Current, reply: Any, wanted: int) -> list[str] | None:
        """Lay an announcement into the outboxes of citizens whose channel fetches (the web), all or nothing.

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
            if chosen:
                laid = await connection.execute(
                    insert(outbox)
                    .from_select(
                        ["conversation_id", "reply", "state", "attempts", "next_attempt_at", "created_at"],
                        select(
                            conversation.c.id,
                            literal(reply, JSON),
                            literal("queued"),
                            literal(0),
                            literal(now, outbox.c.created_at.type),
                            literal(now, outbox.c.created_at.type),
                        ).where(conversation.c.id.in_([r.conversation_id for r in chosen])),
                    )
                    .returning(outbox.c.id, outbox.c.conversation_id)
                )
                values = [{"of": row.conversation_id, "row": row.id} for row in laid]
                await connection.execute(
                    update(delivery)
                    .where(delivery.c.announcement_id == current.id, delivery.c.conversation_id == bindparam("of"))
                    .values(state=DeliveryState.WAITING_FOR_VISIT, outbox_id=bindparam("row"), at=now),
                    values,
                )
                await self._tell(
                    connection, [_of_recipient(now, r, key, DeliveryState.WAITING_FOR_VISIT, None) for r in chosen]
                )
        return [r.chat for r in chosen]

    async def _due(
        self, connection: AsyncConnection, key: Lane, current: Current, wanted: int, after: int
    ) -> Sequence[RowMapping]:
        """The next queued deliveries with what their conversations say now: everything is asked again at the last moment."""
        query = (
            select(
                delivery.c.conversation_id,
                delivery.c.attempts,
                conversation.c.id.label("known"),
                conversation.c.chat,
                conversation.c.ward,
                conversation.c.subscribed,
                conversation.c.stopped_at,
            )
            .select_from(delivery)
            .outerjoin(conversation, conversation.c.id == delivery.c.conversation_id)
            .where(
                delivery.c.announcement_id == current.id,
                delivery.c.channel == key.channel,
                delivery.c.account == key.account,
                IS_QUEUED,
                delivery.c.conversation_id > after,
                or_(delivery.c.due_at.is_(None), delivery.c.due_at <= self._clock()),
            )
            .order_by(delivery.c.conversation_id)
            .limit(wanted)
            .with_for_update(of=delivery)
        )
        return (await connection.execute(query)).mappings().all()

    async def _choose(
        self, connection: AsyncConnection, key: Lane, current: Current, rows: Sequence[RowMapping]
    ) -> list[Recipient]:
        """Keep the rows that may still be sent; write down why the others may not."""
        now = self._clock()
        chosen: list[Recipient] = []
        dropped: list[DeliveryEnded] = []
        by_reason: dict[Reason, list[int]] = {}
        for row in rows:
            recipient = Recipient(
                current.id, current.unit, row["conversation_id"], row["chat"] or "", row["ward"], row["attempts"]
            )
            reason = _objection(row, current)
            if reason is None:
                chosen.append(recipient)
            else:
                by_reason.setdefault(reason, []).append(recipient.conversation_id)
                dropped.append(_of_recipient(now, recipient, key, DeliveryState.SKIPPED, reason))
        for reason, ids in by_reason.items():
            await connection.execute(
                update(delivery)
                .where(delivery.c.announcement_id == current.id, delivery.c.conversation_id.in_(ids))
                .values(state=DeliveryState.SKIPPED, reason=reason, at=now)
            )
        await self._tell(connection, dropped)
        return chosen

    async def _settle(self, connection: AsyncConnection, key: Lane, settled: Sequence[Settled]) -> None:
        await connection.execute(
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
            ),
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
        for s in sorted(settled, key=lambda s: s.recipient.conversation_id):
            values: dict[str, Any] = {}
            if s.stopped:
                values = {"stopped_at": s.at, "subscribed": False}
            if s.chat is not None:
                values = {"chat": s.chat}
            if values:
                where = conversation.c.id == s.recipient.conversation_id
                await connection.execute(update(conversation).where(where).values(**values))
        await self._tell(
            connection,
            [
                _of_recipient(s.at, s.recipient, key, s.state, s.reason)
                for s in settled
                if s.state is not DeliveryState.QUEUED
            ],
        )

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

    # chores

    async def open_lanes(self) -> list[tuple[int, bool, Lane]]:
        """Return each announcement's accounts that still have something to send, with whether it is urgent."""
        query = (
            select(announcement.c.id, announcement.c.urgent_reason, delivery.c.channel, delivery.c.account)
            .join(delivery, delivery.c.announcement_id == announcement.c.id)
            .where(announcement.c.state.in_((AnnouncementState.WAITING, AnnouncementState.SENDING)))
            .where(or_(IS_QUEUED, IS_SENDING))
            .distinct()
        )
        async with self.database.read() as connection:
            rows = (await connection.execute(query)).all()
        found = [(r.id, r.urgent_reason is not None, Lane(r.channel, r.account)) for r in rows]
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
                await connection.execute(
                    update(announcement)
                    .where(announcement.c.id.in_(ids), announcement.c.state == AnnouncementState.SENDING)
                    .values(state=AnnouncementState.WAITING)
                )

    async def close_finished(self) -> list[int]:
        """Close every announcement of which nothing is left to send: only if its final states sum to its audience."""
        left = exists().where(delivery.c.announcement_id == announcement.c.id, or_(IS_QUEUED, IS_SENDING))
        active = announcement.c.state.in_((AnnouncementState.WAITING, AnnouncementState.SENDING))
        async with self.database.read() as connection:
            ready = (await connection.execute(select(announcement.c.id).where(active, ~left))).scalars().all()
        closed = []
        for announcement_id in ready:
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
                done = await connection.execute(
                    update(announcement)
                    .where(announcement.c.id == announcement_id, active, announcement.c.audience == final)
                    .values(state=AnnouncementState.CLOSED, closed_at=self._clock())
                )
            if done.rowcount:
                closed.append(announcement_id)
        return closed

    async def sweep_cancelled(self) -> int:
        """End what has not left of announcements that were stopped, a batch of each; returns how many."""
        now = self._clock()
        left = exists().where(delivery.c.announcement_id == announcement.c.id, IS_QUEUED)
        lately = announcement.c.closed_at > now - timedelta(days=1)
        query = select(announcement.c.id).where(announcement.c.state == AnnouncementState.CANCELLED, lately, left)
        async with self.database.read() as connection:
            ids = (await connection.execute(query)).scalars().all()
        swept = 0
        for announcement_id in ids:
            rows_of = _told_of().where(announcement.c.id == announcement_id, IS_QUEUED).limit(CHORE)
            async with self.database.write() as connection:
                rows = (await connection.execute(rows_of)).mappings().all()
                await self._end(connection, rows, now, DeliveryState.SKIPPED, Reason.CANCELLED)
            swept += len(rows)
        return swept

    async def expire(self) -> int:
        """Give up what could not leave for days; returns how many."""
        now = self._clock()
        query = (
            _told_of()
            .where(IS_QUEUED, announcement.c.started_at < now - EXPIRES)
            .where(announcement.c.state.in_((AnnouncementState.WAITING, AnnouncementState.SENDING)))
            .limit(CHORE)
            .with_for_update(of=delivery, skip_locked=True)
        )
        async with self.database.read() as connection:
            old = select(announcement.c.id).where(
                announcement.c.started_at < now - EXPIRES,
                announcement.c.state.in_((AnnouncementState.WAITING, AnnouncementState.SENDING)),
            )
            if (await connection.execute(old.limit(1))).first() is None:
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
            _told_of()
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
        await self._tell(
            connection,
            [_ended(aware(r.get("sent_at")) or now, r, state, reason, again="outbox_id" in r) for r in rows],
        )

    async def _tell(self, connection: AsyncConnection, ended: Sequence[DeliveryEnded]) -> None:
        if self._record is not None and ended:
            await self._record(connection, ended)


async def replies_waiting(database: Database, clock: Clock, channel: str, account: str) -> bool:
    """Whether a conversation of this account waits for an answer, in any process. Announcements never set `ready_at`."""
    query = (
        select(conversation.c.id)
        .where(
            conversation.c.ready_at <= clock(),
            conversation.c.channel == channel,
            conversation.c.account == account,
        )
        .limit(1)
    )
    async with database.read() as connection:
        return (await connection.execute(query)).first() is not None


def _told_of() -> Select[Any]:
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


def _is(key: Lane) -> ColumnElement[bool]:
    return (lane.c.channel == key.channel) & (lane.c.account == key.account)


def _queued_of(key: Lane) -> ColumnElement[bool]:
    return and_(
        delivery.c.announcement_id == announcement.c.id,
        delivery.c.channel == key.channel,
        delivery.c.account == key.account,
        IS_QUEUED,
    )


def _may_leave(now: datetime) -> ColumnElement[bool]:
    active = announcement.c.state.in_((AnnouncementState.WAITING, AnnouncementState.SENDING))
    return active & announcement.c.urgent_reason.is_not(None) if is_quiet(now) else active


def _objection(row: RowMapping, current: Current) -> Reason | None:
    """Why a conversation may not be sent an announcement any more."""
    if row["known"] is None:
        return Reason.GONE
    if row["stopped_at"] is not None:
        return Reason.STOPPED
    if not row["subscribed"]:
        return Reason.OPTED_OUT
    if row["ward"] not in current.wards:
        return Reason.MOVED_AWAY
    return None


def _of_recipient(
    at: datetime, recipient: Recipient, key: Lane, state: DeliveryState, reason: Reason | None
) -> DeliveryEnded:
    return DeliveryEnded(
        at, recipient.announcement_id, recipient.unit, recipient.ward, key.channel, state.value,
        None if reason is None else reason.value,
    )  # fmt: skip


def _ended(
    at: datetime, row: RowMapping, state: DeliveryState, reason: Reason | None, *, again: bool = False
) -> DeliveryEnded:
    return DeliveryEnded(
        at,
        row["announcement_id"],
        row["unit"],
        row["ward"],
        row["channel"],
        state.value,
        None if reason is None else reason.value,
        again,
    )
