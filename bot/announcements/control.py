"""From a yes to the end: schedule, send, pause, resume, stop, take back; and the whole way in one go where a unit allows it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, select
from sqlalchemy.dialects import postgresql, sqlite

from bot.announcements.content import Refused
from bot.announcements.corrections import Corrections
from bot.announcements.desk import Desk
from bot.announcements.due import Due
from bot.announcements.hours import is_quiet
from bot.announcements.lifecycle import Action, after
from bot.announcements.moves import move, note_step
from bot.announcements.office import Office, must_give
from bot.announcements.people import ANNOUNCE, SET_POLICY
from bot.announcements.planning import Plan, wish_of
from bot.announcements.schedules import repeat_of
from bot.announcements.states import AnnouncementState
from bot.announcements.tables import delivery, policy
from bot.announcements.texts import told
from bot.clock import ZONE
from bot.storage.database import aware


@dataclass(frozen=True, slots=True)
class Started:
    """What became of an order to send at once: `sent`, or waiting for a second person."""

    id: int
    sent: bool
    told: str = field(default="", compare=False)
    """Who was asked for approval and who could not be, in words."""


class Control(Office):
    """Officers who send what was approved, and hold or end what is being sent."""

    def __init__(self, desk: Desk, due: Due, corrections: Corrections) -> None:
        super().__init__(desk.announcements, desk.officers)
        self._desk = desk
        self._due = due
        self._corrections = corrections

    async def schedule(self, login: str, announcement_id: int, at: datetime | None = None) -> datetime:
        """Let it begin by itself; return when.

        Args:
            at: the moment; None for a repeated one, which follows its own rule.

        Raises:
            Refused: they may not, or not at that moment.
            NotAllowed: nobody approved it, or it has begun.
        """
        actor, row = await self.of(login, announcement_id, ANNOUNCE)
        after(AnnouncementState(row["state"]), Action.SCHEDULE)
        wish, now = wish_of(row), self.now()
        if wish.repeat is not None:
            today, urgent = now.astimezone(ZONE).date(), wish.urgent_reason is not None
            at = repeat_of(wish.repeat, today=today, urgent=urgent).next_after(now)
            if at is None:
                raise Refused([told("schedule_problems", "never")])
        elif at is None:
            raise Refused([told("schedule_problems", "no_moment")])
        elif at <= now:
            raise Refused([told("schedule_problems", "past")])
        elif wish.urgent_reason is None and is_quiet(at):
            raise Refused([told("schedule_problems", "night")])
        if wish.expires_at is not None and at >= wish.expires_at:
            raise Refused([told("problems", "too_late")])
        async with self.planner.database.write() as connection:
            moved = await move(
                connection, announcement_id, Action.SCHEDULE, now, actor=actor.login, send_at=at, problem=None
            )
        if not moved:
            raise await self.refuse_move(announcement_id, Action.SCHEDULE)
        return at

    async def send(self, login: str, announcement_id: int) -> str | None:
        """Let what was approved begin now; return a problem's key if it does not, after all was asked again.

        Raises:
            Refused: they may not, or it is a repeated one.
            NotAllowed: nobody approved it, or it has begun.
        """
        actor, row = await self.of(login, announcement_id, ANNOUNCE)
        after(AnnouncementState(row["state"]), Action.SEND)
        if row["repeat"] is not None:
            raise Refused([told("problems", "repeats")])
        now = self.now()
        async with self.planner.database.write() as connection:
            moved = await move(connection, announcement_id, Action.SEND, now, actor=actor.login, send_at=now)
        if not moved:
            raise await self.refuse_move(announcement_id, Action.SEND)
        return await self._due.begin(announcement_id)

    async def pause(self, login: str, announcement_id: int, reason: str = "") -> None:
        """Hold it: what has not left stays queued, what is scheduled does not begin.

        Raises:
            Refused: they may not.
            NotAllowed: it is neither being sent nor scheduled.
        """
        scheduled = (await self.row(announcement_id))["state"] == AnnouncementState.SCHEDULED
        await self._simple(login, announcement_id, Action.HOLD if scheduled else Action.PAUSE, reason)

    async def resume(self, login: str, announcement_id: int) -> None:
        """Go on where it was held; what was scheduled keeps its moment, a repeated one its rule.

        Raises:
            Refused: they may not, or it is too late.
            NotAllowed: nobody holds it.
        """
        row = await self.row(announcement_id)
        if row["state"] == AnnouncementState.HELD:
            await self._simple(login, announcement_id, Action.RELEASE, send_at=self._moment_of(row))
            return
        expires = aware(row["expires_at"])
        if row["state"] == AnnouncementState.PAUSED and expires is not None and expires <= self.now():
            raise Refused([told("problems", "ended")])
        await self._simple(login, announcement_id, Action.RESUME)

    async def cancel(self, login: str, announcement_id: int, reason: str = "") -> None:
        """End it: what has not left is not sent.

        Raises:
            Refused: they may not.
            NotAllowed: it is over.
        """
        await self._simple(login, announcement_id, Action.CANCEL, reason, closed_at=self.now())
        await self.announcements.sweep()

    async def recall(self, login: str, announcement_id: int, reason: str) -> None:
        """Take it back: what has not left is not sent, what has left is corrected where it stands or by a new message.

        Raises:
            Refused: they may not, give no reason that citizens can read, or nothing of it ever left.
            NotAllowed: it has not begun, or was taken back before.
        """
        _, row = await self.of(login, announcement_id, ANNOUNCE)
        if row["kind"] == "correction":
            raise Refused([told("problems", "correction")])
        after(AnnouncementState(row["state"]), Action.RECALL)
        reason = must_give(reason, "reason")
        self._corrections.check(reason)
        if not await self._has_deliveries(announcement_id):
            raise Refused([told("problems", "nothing_left")])
        await self._simple(login, announcement_id, Action.RECALL, reason, closed_at=self.now())
        await self.announcements.sweep()
        await self._corrections.correct()

    async def announce(self, login: str, plan: Plan, *, key: str | None = None, again: bool = False) -> Started:
        """Go the whole way at once: send, or, where the unit wants a second person, submit for approval.

        Raises:
            Refused: they may not, or something speaks against it.
        """
        actor = await self.actor(login, ANNOUNCE, plan.unit)
        if key is not None and (known := await self.announcements.by_key(key)) is not None:
            state = (await self.row(known))["state"]
            return Started(known, state not in (AnnouncementState.DRAFT, AnnouncementState.IN_REVIEW))
        if await self.needs_second_person(plan.unit):
            if problems := [*plan.problems, *([] if again or plan.repeated is None else [plan.repeated])]:
                raise Refused(problems)
            number = await self._desk.draft(login, plan.wish, key=key)
            asked = await self._desk.submit(login, number)
            return Started(number, sent=False, told=asked.told)
        number = await self.announcements.start(plan, author=actor.login, key=key, again=again)
        row = await self.row(number)
        async with self.planner.database.write() as connection:
            urgent = row["urgent_reason"] is not None
            note = await self.told_of_urgent(connection, row, actor) if urgent else ""
            why = told("notices", "by_policy" if await self.rules(plan.unit) else "by_default")
            await note_step(
                connection, number, Action.SEND, AnnouncementState(row["state"]), self.now(),
                actor=actor.login, note="; ".join(filter(None, (why, note))),
            )  # fmt: skip
        return Started(number, sent=True)

    async def set_policy(self, login: str, unit: str, *, second_person: bool) -> None:
        """Say whether a unit's announcements need a second person.

        Raises:
            Refused: they may not.
        """
        actor = await self.actor(login, SET_POLICY, unit)
        upsert = sqlite.insert if self.planner.database.is_sqlite else postgresql.insert
        values: dict[str, Any] = {"second_person": second_person, "actor": actor.login, "at": self.now()}
        async with self.planner.database.write() as connection:
            await connection.execute(
                upsert(policy).values(unit=unit, **values).on_conflict_do_update(index_elements=["unit"], set_=values)
            )

    def _moment_of(self, row: RowMapping) -> datetime:
        """Return when a scheduled one begins that was held for a while.

        Raises:
            Refused: its moment has passed meanwhile, or its rule has none left.
        """
        now, at = self.now(), aware(row["send_at"])
        if row["repeat"] is not None:
            today, urgent = now.astimezone(ZONE).date(), row["urgent_reason"] is not None
            at = repeat_of(row["repeat"], today=today, urgent=urgent).next_after(now)
            if at is None:
                raise Refused([told("schedule_problems", "never")])
        elif at is None or at <= now:
            raise Refused([told("schedule_problems", "passed", id=row["id"])])
        return at

    async def _simple(
        self, login: str, announcement_id: int, action: Action, reason: str = "", **values: Any
    ) -> RowMapping:
        actor, row = await self.of(login, announcement_id, ANNOUNCE)
        after(AnnouncementState(row["state"]), action)
        async with self.planner.database.write() as connection:
            moved = await move(
                connection, announcement_id, action, self.now(), actor=actor.login, note=reason, **values
            )
        if not moved:
            raise await self.refuse_move(announcement_id, action)
        return row

    async def _has_deliveries(self, announcement_id: int) -> bool:
        async with self.planner.database.read() as connection:
            query = select(delivery.c.conversation_id).where(delivery.c.announcement_id == announcement_id).limit(1)
            return (await connection.execute(query)).first() is not None
