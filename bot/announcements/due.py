"""What time itself does with announcements: begin what is due, once or again and again, and take in who joined.

Between a yes and its moment anything may have changed. So everything is asked again here, under the row's own lock: the
approval's hash, the rights of author and approver, the end, the night, the content and the audience.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import RowMapping, and_, exists, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from bot.announcements.beginning import count_in, new_code, take_in_joined
from bot.announcements.chores import EXPIRES
from bot.announcements.forecast import other_than
from bot.announcements.hours import is_quiet
from bot.announcements.lifecycle import Action
from bot.announcements.moves import move, note_step
from bot.announcements.office import Office
from bot.announcements.planning import Plan, behind_of, wish_of
from bot.announcements.schedules import Repeat, repeat_of
from bot.announcements.states import BEGUN, OPEN, AnnouncementState, DeliveryState, Reason
from bot.announcements.tables import announcement, delivery, step
from bot.announcements.texts import grouped, told
from bot.clock import ZONE
from bot.storage.database import aware

LATE: Final = timedelta(hours=6)
"""An occurrence of a repeated announcement that could not begin for so long is left out; the next one comes."""
VERY_LATE: Final = timedelta(days=3)
"""One that was to be sent once is given up after so long, also where its author set no end."""
AT_ONCE: Final = 50
LATELY: Final = timedelta(days=1)
"""An author is told so long after the end of what was too late."""


class _Overtaken(Exception):
    """Somebody else acted at the same moment: nobody is told of what did not happen."""


class Due(Office):
    """The chores of announcements that need to know officers and content."""

    async def work(self) -> None:
        """Do what is due now."""
        await self.begin_due()
        await self.tell_expired()
        await take_in_joined(self.planner)

    async def begin_due(self) -> list[int]:
        """Begin what is due; return which did."""
        query = (
            select(announcement.c.id)
            .where(announcement.c.state == AnnouncementState.SCHEDULED, announcement.c.send_at <= self.now())
            .order_by(announcement.c.urgent_reason.is_(None), announcement.c.send_at)
            .limit(AT_ONCE)
        )
        async with self.planner.database.read() as connection:
            ids = (await connection.execute(query)).scalars().all()
        return [number for number in ids if await self.begin(number) is None]

    async def tell_expired(self) -> list[int]:
        """Tell the authors of what was too late for somebody after it had begun, once all of that is known; return which."""
        now = self.now()
        told_before = exists().where(step.c.announcement_id == announcement.c.id, step.c.action == Action.EXPIRE)
        lately = and_(announcement.c.state == AnnouncementState.CLOSED, announcement.c.closed_at > now - LATELY)
        query = select(announcement).where(or_(announcement.c.state.in_(BEGUN), lately), ~told_before)
        async with self.planner.database.read() as connection:
            rows = (await connection.execute(query)).mappings().all()
        return [row["id"] for row in rows if _ended(row, now) and await self._tell_expired(row)]

    async def _tell_expired(self, row: RowMapping) -> bool:
        of_it = select(func.count()).select_from(delivery).where(delivery.c.announcement_id == row["id"])
        expired = and_(delivery.c.state == DeliveryState.FAILED, delivery.c.reason == Reason.EXPIRED)
        said = exists().where(step.c.announcement_id == row["id"], step.c.action == Action.EXPIRE)
        state = select(announcement.c.state, said.label("said")).where(announcement.c.id == row["id"])
        async with self.planner.database.write() as connection:
            # The row is locked: of two processes one tells.
            await connection.execute(
                update(announcement).where(announcement.c.id == row["id"]).values(state=announcement.c.state)
            )
            now_is = (await connection.execute(state)).one()
            if now_is.said or await connection.scalar(of_it.where(delivery.c.state.in_(OPEN))):
                return False
            number = int(await connection.scalar(of_it.where(expired)) or 0)
            if not number:
                return False
            heard = await self.tell_author(connection, row, "expired", number=grouped(number))
            note = told("notices", "expired_note", number=grouped(number), heard=heard)
            reached = AnnouncementState(now_is.state)
            await note_step(connection, row["id"], Action.EXPIRE, reached, self.now(), note=note)
        return True

    async def begin(self, announcement_id: int) -> str | None:
        """Ask everything again, and begin; return the key of what speaks against it, None if it began.

        At night an announcement that is not urgent stays scheduled ("night"); the morning finds it due.
        """
        row = await self.row(announcement_id)
        now, moment = self.now(), aware(row["send_at"])
        if row["state"] != AnnouncementState.SCHEDULED or moment is None or moment > now:
            return "not_due"
        wish = wish_of(row)
        if row["approved_hash"] is None or wish.digest(row["forecast"] or {}) != row["approved_hash"]:
            return await self._stop(row, Action.ASK_AGAIN, "changed")
        if (problem := await self.objection(row)) is not None:
            return await self._stop(row, *problem)
        if wish.expires_at is not None and wish.expires_at <= now:
            return await self._stop(row, Action.LAPSE, "too_late")
        rule = self._rule(row)
        if now - moment > (LATE if rule is not None else VERY_LATE):
            return await (self._leave_out(row, rule) if rule else self._stop(row, Action.LAPSE, "too_late"))
        if wish.urgent_reason is None and is_quiet(now):
            return "night"
        plan = await self.planner.plan(wish)
        if plan.behind != behind_of(row["forecast"] or {}):
            return await self._stop(row, Action.ASK_AGAIN, "changed", forecast=plan.seen)
        if plan.counted and not plan.audience and plan.problems:
            if rule is not None:
                return await self._leave_out(row, rule, "nobody")
            return await self._stop(row, Action.LAPSE, "nobody")
        if plan.text != row["text"]:
            return await self._stop(row, Action.ASK_AGAIN, "changed")
        if plan.problems:
            return await self._stop(row, Action.ASK_AGAIN, "unsound", forecast=plan.seen)
        if (how := other_than(row["forecast"], plan.forecast)) is not None:
            return await self._stop(row, Action.ASK_AGAIN, how, forecast=plan.seen)
        return await (self._begin_occurrence(row, plan, rule) if rule else self._begin_once(row, plan))

    async def _begin_once(self, row: RowMapping, plan: Plan) -> str | None:
        now = self.now()
        async with self.planner.database.write() as connection:
            began = await move(
                connection,
                row["id"],
                Action.BEGIN,
                now,
                only=announcement.c.approved_hash == row["approved_hash"],
                problem=None,
                wards=list(plan.wards),
            )
            if not began:
                return "not_due"
            await count_in(connection, self.planner, row["id"], plan.wish, plan.saved)
        return None

    async def _begin_occurrence(self, row: RowMapping, plan: Plan, rule: Repeat) -> str | None:
        """Make an announcement of its own for this time, and set the moment of the next."""
        now, moment = self.now(), aware(row["send_at"]) or self.now()
        later = rule.next_after(max(now, moment))
        copied = (
            "unit", "wards", "text", "content", "category", "query", "joins", "digest", "urgent_reason", "author",
            "writers", "approver", "approved_at", "approved_hash", "forecast",
        )  # fmt: skip
        values = {name: row[name] for name in copied} | {
            "key": f"repeat:{row['id']}:{moment.astimezone(ZONE):%Y-%m-%dT%H:%M}",
            "code": new_code(),
            "kind": "plain",
            "parent_id": row["id"],
            "state": AnnouncementState.SENDING,
            "audience": 0,
            "created_at": now,
            "send_at": moment,
            "expires_at": min((e for e in (aware(row["expires_at"]), later) if e is not None), default=None),
        }
        try:
            async with self.planner.database.write() as connection:
                if not await self._advance(connection, row, later):
                    return "not_due"
                made = await connection.execute(insert(announcement).values(**values).returning(announcement.c.id))
                number = int(made.scalar_one())
                await count_in(connection, self.planner, number, plan.wish, plan.saved)
        except IntegrityError:
            # Another process began this occurrence a moment ago.
            return "not_due"
        return None

    async def _leave_out(self, row: RowMapping, rule: Repeat, key: str = "left_out") -> str:
        """Let one occurrence go, and tell the author."""
        async with self.planner.database.write() as connection:
            if await self._advance(connection, row, rule.next_after(self.now())):
                await self.tell_author(connection, row, key)
        return key

    async def _advance(self, connection: Any, row: RowMapping, later: datetime | None) -> bool:
        """Set the moment of the next occurrence, or close what has none any more. False if somebody else did."""
        mine = announcement.c.send_at == row["send_at"]
        if later is None:
            return await move(connection, row["id"], Action.RUN_OUT, self.now(), only=mine, closed_at=self.now())
        done = await connection.execute(
            update(announcement)
            .where(announcement.c.id == row["id"], announcement.c.state == AnnouncementState.SCHEDULED, mine)
            .values(send_at=later)
        )
        return bool(done.rowcount)

    @staticmethod
    def _rule(row: RowMapping) -> Repeat | None:
        if row["repeat"] is None:
            return None
        return repeat_of(row["repeat"], today=row["created_at"].date(), urgent=row["urgent_reason"] is not None)

    async def _stop(self, row: RowMapping, action: Action, key: str, **values: Any) -> str:
        """Do not begin: ask for approval again, or give it up; whoever has to know is told."""
        now = self.now()
        if action is Action.LAPSE:
            values["closed_at"] = now
        else:
            values |= {
                "approver": None,
                "approved_at": None,
                "approved_hash": None,
                "submitted_at": now,
                "send_at": None,
            }
        with suppress(_Overtaken):
            async with self.planner.database.write() as connection:
                lapsed = action is Action.LAPSE
                heard = await self.tell_author(
                    connection, row, "lapsed" if lapsed else "not_begun", reason=told("begin_problems", key)
                )
                author = await self.officers.find(row["author"])
                if action is Action.ASK_AGAIN and author is not None:
                    asked = await self.tell_approvers(connection, row, author, told("begin_problems", key))
                    heard = "; ".join(filter(None, (heard, asked)))
                note = f"{told('begin_problems', key)} ({heard})"
                if not await move(connection, row["id"], action, now, note=note, problem=key, **values):
                    raise _Overtaken
        return key


def _ended(row: RowMapping, now: datetime) -> bool:
    """Whether an announcement's end came before everybody had a result."""
    started, until = aware(row["started_at"]), aware(row["closed_at"]) or now
    ends = (aware(row["expires_at"]), None if started is None else started + EXPIRES)
    return any(end is not None and end <= until for end in ends)
