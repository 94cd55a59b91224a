"""What officers do with questions: list, answer, close. Each act is one named officer's, in their own unit and below.

An answer is a reply like any other: it leaves through the outbox, in the conversation where the question was asked.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, RowMapping, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.announcements.content import Refused
from bot.announcements.office import excerpt
from bot.announcements.people import Actor, Officers
from bot.announcements.places import personal_kinds
from bot.announcements.texts import told
from bot.clock import ZONE, Clock
from bot.codec import reply_to_json
from bot.conversation.actions import inside
from bot.conversation.model import Reply
from bot.questions.texts import say
from bot.sender import OUTSIDE_WINDOW, STOPPED
from bot.storage.database import Database, aware
from bot.storage.tables import conversation, outbox, review
from content.places import Places, province_slug, unit_title, within

ANSWER: Final = "answer_questions"
"""See, answer and close the questions of one's unit and of those below it."""
OPEN, ANSWERED, CLOSED = "open", "answered", "closed"
STATES: Final = (OPEN, ANSWERED, CLOSED)
KINDS: Final = ("officer", "unknown", "unclear")
"""Why it was kept: the citizen sent it to an officer; the library lacks it; the bot had to ask back."""
LONGEST: Final = 3000
"""Characters of an answer; a channel whose messages are shorter cuts it where one pauses."""
LONGEST_NOTE: Final = 200
QUOTED: Final = 120
"""Characters of the question that stand above its answer."""
_NUMBERS: Final = range(1, 2**63)
"""That a database knows."""
_BREAKS: Final = re.compile(r"\n{3,}")
_JOINER: Final = "\u200d"


class Ended(Refused):
    """It was answered or closed before; `state` says which."""

    def __init__(self, problem: str, state: str) -> None:
        super().__init__([problem])
        self.state = state


@dataclass(frozen=True, slots=True)
class Question:
    """A question as an officer sees it: nothing of it says who asked."""

    id: int
    unit: str
    """The commune for which it was asked; the province where none was chosen."""
    text: str
    """Masked at the door."""
    kind: str
    state: str
    created_at: datetime
    answered_at: datetime | None
    answered_by: str | None
    answer: str | None
    """As it was sent."""
    delivery: str | None
    """What became of the answer: queued, waiting_for_visit, sent, outside_window, stopped, rejected, unreachable."""
    note: str | None

    def as_json(self) -> dict[str, Any]:
        """Return the question for the API."""
        moments = {name: None if (at := getattr(self, name)) is None else at.isoformat() for name in _MOMENTS}
        return asdict(self) | moments


_MOMENTS: Final = ("created_at", "answered_at")


@dataclass(frozen=True, slots=True)
class QuestionEnded:
    """What the analytics learn: no text, nobody."""

    at: datetime
    unit: str
    channel: str | None
    what: str
    """answered, closed"""
    kind: str
    hours: int
    """That it waited, whole ones."""


Record = Callable[[AsyncConnection, QuestionEnded], Awaitable[None]]


class Questions:
    """The officers' side of the questions that were kept."""

    def __init__(
        self, database: Database, places: Places, officers: Officers, *, clock: Clock, record: Record | None = None
    ) -> None:
        self._database = database
        self._places = places
        self._officers = officers
        self._clock = clock
        self._record = record
        self._slugs = {ward.code: ward.slug for ward in places.wards()}
        self._province = province_slug(places)

    async def listing(
        self, login: str, *, unit: str | None = None, state: str = OPEN, kind: str | None = None, limit: int = 200
    ) -> list[Question]:
        """Return the questions of a unit and of those below it, the longest waiting first.

        Args:
            unit: left out, the officer's own.

        Raises:
            Refused: they may not, or there is no such unit, state or kind.
        """
        actor = await self._actor(login)
        if unit is not None and unit not in within(self._places, actor.unit):
            raise Refused([say("problems", "unit", unit=unit[:40], name=actor.name)])
        if state not in STATES:
            raise Refused([say("problems", "state", state=state[:20], known=", ".join(STATES))])
        if kind is not None and kind not in KINDS:
            raise Refused([say("problems", "kind", kind=kind[:20], known=", ".join(KINDS))])
        query = _QUESTIONS.where(review.c.state == state, *self._of(unit or actor.unit)).order_by(review.c.id)
        if kind is not None:
            query = query.where(review.c.reason == kind)
        async with self._database.read() as connection:
            rows = (await connection.execute(query.limit(limit))).mappings().all()
        return [self._question(row) for row in rows]

    async def find(self, login: str, number: int) -> Question:
        """Return one question.

        Somebody to whom it does not belong is told that there is none: nobody learns of another unit's questions.

        Raises:
            Refused: there is none, or they may not.
        """
        await self._actor(login)
        if number not in _NUMBERS:
            raise Refused([say("problems", "unknown", id=number)])
        async with self._database.read() as connection:
            row = await _row(connection, number)
        return await self._theirs(login, number, row)

    async def answer(self, login: str, number: int, text: str) -> Question:
        """Lay an answer into the conversation where the question was asked, and end the question, in one transaction.

        Raises:
            Ended: somebody was quicker.
            Refused: they may not, or the text may not leave like this.
        """
        actor = await self._actor(login)
        asked = await self.find(login, number)
        _must_be_open(asked)
        text = plain(text)
        if problems := problems_of(text):
            raise Refused(problems)
        now = self._clock()
        async with self._database.write() as connection:
            row = await self._held(connection, login, number)
            if row["conversation_id"] is None or row["channel"] is None:
                raise Refused([say("problems", "erased", id=number)])
            office = inside(unit_title(self._places, actor.unit))
            quoted = excerpt(" ".join(row["text"].split()), QUOTED)
            reply = Reply(say("answer", unit=office, question=quoted, text=text))
            values = {
                "conversation_id": row["conversation_id"],
                "reply": reply_to_json(reply),
                "state": "queued",
                "attempts": 0,
                "next_attempt_at": now,
                "created_at": now,
            }
            outbox_id = (await connection.execute(insert(outbox).values(**values).returning(outbox.c.id))).scalar_one()
            await self._end(connection, row, ANSWERED, actor, now, outbox_id=outbox_id)
            await connection.execute(
                update(conversation).where(conversation.c.id == row["conversation_id"]).values(ready_at=now)
            )
        return await self.find(login, number)

    async def close(self, login: str, number: int, note: str) -> Question:
        """End a question without an answer; the citizen is told nothing.

        Raises:
            Ended: it is no longer open.
            Refused: they may not, or there is no reason.
        """
        actor = await self._actor(login)
        _must_be_open(await self.find(login, number))
        note = " ".join(plain(note).split())
        if len(note) < 3:
            raise Refused([say("problems", "note")])
        if len(note) > LONGEST_NOTE:
            raise Refused([say("problems", "note_long", limit=LONGEST_NOTE)])
        if problems := personal_problems(note):
            raise Refused(problems)
        async with self._database.write() as connection:
            row = await self._held(connection, login, number)
            await self._end(connection, row, CLOSED, actor, self._clock(), note=note)
        return await self.find(login, number)

    async def go_on(self) -> int:
        """Let answers leave that a messenger did not take, now that their citizens have written again; return how many.

        Zalo takes nothing for somebody who was silent for some days, and nobody takes anything for who left; whoever writes
        opens the way again, and the answer was promised. It is tried once for each time they come back.
        """
        async with self._database.read() as connection:
            if (await connection.execute(_KEPT_BACK.limit(1))).first() is None:
                return 0
        now = self._clock()
        async with self._database.write() as connection:
            # Conversations first, as everybody locks them; one that is in somebody's hands waits for the next look.
            locked = _KEPT_BACK.with_for_update(of=conversation, skip_locked=True)
            kept = (await connection.execute(locked)).all()
            again = {"state": "queued", "attempts": 0, "next_attempt_at": now, "reason": None, "code": None}
            if kept:
                await connection.execute(update(outbox).where(outbox.c.id.in_([k[0] for k in kept])).values(**again))
                theirs = conversation.c.id.in_({k[1] for k in kept})
                await connection.execute(update(conversation).where(theirs).values(ready_at=now))
        return len(kept)

    async def _actor(self, login: str) -> Actor:
        """Return an officer who may do this in their own unit.

        Raises:
            Refused: there is none of this name, or they may not.
        """
        found = await self._officers.find(login)
        if found is None:
            raise Refused([told("officer_problems", "unknown", login=login[:40])])
        if not await self._officers.may(login, ANSWER, found.unit):
            where = unit_title(self._places, found.unit)
            raise Refused([say("problems", "not_allowed", name=found.name, login=found.login, unit=where)])
        return found

    async def _theirs(self, login: str, number: int, row: RowMapping | None) -> Question:
        found = None if row is None else self._question(row)
        if found is None or not await self._officers.may(login, ANSWER, found.unit):
            raise Refused([say("problems", "unknown", id=number)])
        return found

    async def _held(self, connection: AsyncConnection, login: str, number: int) -> RowMapping:
        """Return a question that is still open and theirs, with its conversation locked.

        The conversation comes first, as for whoever erases it: two who lock in different order wait for each other.
        """
        where = select(review.c.conversation_id).where(review.c.id == number).scalar_subquery()
        await connection.execute(select(conversation.c.id).where(conversation.c.id == where).with_for_update())
        await connection.execute(select(review.c.id).where(review.c.id == number).with_for_update())
        row = await _row(connection, number)
        _must_be_open(await self._theirs(login, number, row))
        assert row is not None
        return row

    async def _end(
        self, connection: AsyncConnection, row: RowMapping, state: str, actor: Actor, now: datetime, **values: Any
    ) -> None:
        ended = values | {"state": state, "answered_at": now, "answered_by": actor.login}
        await connection.execute(update(review).where(review.c.id == row["id"]).values(**ended))
        if self._record is not None:
            waited = now - (aware(row["created_at"]) or now)
            hours = max(0, int(waited.total_seconds() // 3600))
            unit = self._unit(row)
            await self._record(connection, QuestionEnded(now, unit, row["channel"], state, row["kind"], hours))

    def _of(self, unit: str) -> list[ColumnElement[bool]]:
        """The condition for the questions of a unit and of those below it."""
        if unit == self._province:
            return []
        return [_WARD.in_((self._places.by_slug(unit).code,))]

    def _unit(self, row: RowMapping) -> str:
        return self._slugs.get(row["ward"] or "", self._province)

    def _question(self, row: RowMapping) -> Question:
        created_at = aware(row["created_at"])
        assert created_at is not None
        return Question(
            row["id"],
            self._unit(row),
            row["text"],
            row["kind"],
            row["state"],
            created_at,
            aware(row["answered_at"]),
            row["answered_by"],
            None if row["reply"] is None else row["reply"]["text"],
            _delivery(row),
            row["note"],
        )


def plain(text: str) -> str:
    """Return a text without what no message can carry: control characters, turned-round writing, halves of characters."""
    text = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n"))
    kept = (c if c.isprintable() or c in ("\n", _JOINER) else " " if c.isspace() else "" for c in text)
    return _BREAKS.sub("\n\n", "".join(kept)).strip()


def problems_of(text: str) -> list[str]:
    """Say what speaks against an answer: nothing in it, too long, a person's number."""
    if not any(c.isalnum() for c in text):
        return [say("problems", "empty")]
    if len(text) > LONGEST:
        return [say("problems", "too_long", length=len(text), limit=LONGEST)]
    return personal_problems(text)


def personal_problems(text: str) -> list[str]:
    """Say that a text holds somebody's number."""
    kinds = personal_kinds(text)
    return [say("problems", "personal", kinds=", ".join(kinds))] if kinds else []


def lines_of(questions: Sequence[Question]) -> list[str]:
    """Return questions as lines: number, unit, day, kind, what was asked; of an ended one how it ended."""
    lines = []
    for q in questions:
        head = (str(q.id), q.unit, f"{q.created_at.astimezone(ZONE):%d/%m/%Y}", say("kinds", q.kind))
        lines.append("\t".join((*head, " ".join(q.text.split()))))
        if q.state != OPEN:
            how = say("deliveries", q.delivery) if q.delivery else (q.note or "–")
            lines.append(f"\t{say('states', q.state)} ({q.answered_by}): {how}")
    return lines or [say("none")]


def _must_be_open(asked: Question) -> None:
    """Refuse what was ended before.

    Raises:
        Ended: it was.
    """
    if asked.state != OPEN:
        when = "–" if asked.answered_at is None else f"{asked.answered_at.astimezone(ZONE):%H:%M %d/%m/%Y}"
        values = {"id": asked.id, "login": asked.answered_by or "–", "when": when, "note": asked.note or "–"}
        raise Ended(say("problems", asked.state, **values), asked.state)


def _delivery(row: RowMapping) -> str | None:
    """What became of an answer, coded; None without one."""
    if row["sending"] is None:
        return None
    if row["sending"] in ("queued", "sending"):
        return "waiting_for_visit" if row["channel"] == "web" else "queued"
    return "sent" if row["sending"] == "sent" else row["code"] or "unreachable"


async def _row(connection: AsyncConnection, number: int) -> RowMapping | None:
    return (await connection.execute(_QUESTIONS.where(review.c.id == number))).mappings().one_or_none()


_WARD: Final = func.coalesce(review.c.ward, conversation.c.ward)
"""The commune for which it was asked; where none was known then, the one chosen since."""
_QUESTIONS: Final = (
    select(
        review.c.id,
        review.c.conversation_id,
        review.c.text,
        review.c.reason.label("kind"),
        review.c.state,
        review.c.created_at,
        review.c.answered_at,
        review.c.answered_by,
        review.c.note,
        _WARD.label("ward"),
        conversation.c.channel,
        outbox.c.reply,
        outbox.c.state.label("sending"),
        outbox.c.code,
    )
    .select_from(review)
    .outerjoin(conversation, conversation.c.id == review.c.conversation_id)
    .outerjoin(outbox, outbox.c.id == review.c.outbox_id)
)
_KEPT_BACK: Final = (
    select(outbox.c.id, conversation.c.id)
    .join(review, review.c.outbox_id == outbox.c.id)
    .join(conversation, conversation.c.id == outbox.c.conversation_id)
    .where(
        outbox.c.code.in_((OUTSIDE_WINDOW, STOPPED)),
        outbox.c.inbox_id.is_(None),
        outbox.c.state == "failed",
        conversation.c.stopped_at.is_(None),
        # The moment of the last try stands there.
        conversation.c.last_seen_at > outbox.c.next_attempt_at,
    )
)
