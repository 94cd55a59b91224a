"""Works off what was accepted: one conversation at a time under a lease, its messages in the order they came.

A turn, its replies and its effects are one transaction. A process that dies in the middle leaves the message accepted;
when its lease ends, any process takes it up again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any, Final, Protocol

from sqlalchemy import delete, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.clock import ZONE, Clock
from bot.codec import reply_to_json
from bot.conversation.categories import muted_of, stored_of
from bot.conversation.dialogue import Dialogue, Understand
from bot.conversation.messages import say
from bot.conversation.model import (
    AnnouncementPressed,
    AnswerStatus,
    CategoriesChosen,
    ConsentGiven,
    DataErased,
    Effect,
    MaterialGiven,
    QuestionRecorded,
    Rated,
    Reply,
    Said,
    Session,
    Subscribed,
    Turn,
    Unsubscribed,
    WardChosen,
)
from bot.inbox import ACCEPTED, DEAD, DONE
from bot.storage.database import Database
from bot.storage.tables import conversation, inbox, outbox, review

LEASE: Final = timedelta(seconds=60)
MAX_ATTEMPTS: Final = 3
"""A message that makes us fail this often is put aside with its reason; the citizen is told to ask again."""
NO_BUTTON: Final = "noop"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TurnTaken:
    """What the analytics learn of a turn: nothing that was written, nobody who wrote it."""

    at: datetime
    channel: str
    ward: str | None
    conversation_id: int
    kind: str
    status: str
    topic: str | None
    aspect: str | None
    confidence: float | None
    effects: tuple[Effect, ...]
    """Without recorded questions: those hold what somebody wrote."""
    first: bool


class Record(Protocol):
    """Writes down a turn, within the turn's own transaction."""

    async def __call__(self, connection: AsyncConnection, turn: TurnTaken, /) -> None: ...


class Desk(Protocol):
    """Takes the turns of officers who work from a conversation, before the dialogue sees them."""

    def wants(self, said: Said, session: Session) -> bool:
        """Say whether it may be one."""

    async def turn(self, conversation_id: int, said: Said, session: Session) -> Turn | None:
        """Return it; None if it is a citizen's after all."""


class Turns:
    """Takes turns. One object a process; its `owner` name is the process's own."""

    def __init__(
        self,
        database: Database,
        dialogue: Dialogue,
        understand: Understand,
        *,
        clock: Clock,
        owner: str,
        record: Record | None = None,
        direct: Callable[[str], bool] = lambda channel: channel == "web",
        desk: Desk | None = None,
    ) -> None:
        self._database = database
        self._dialogue = dialogue
        self._understand = understand
        self._clock = clock
        self.owner = owner
        self._record = record
        self._direct = direct
        self._desk = desk

    async def claim(self, limit: int = 20) -> list[int]:
        """Lease up to `limit` conversations that have something to do, the longest waiting first."""
        now = self._clock()
        free = or_(conversation.c.lease_until.is_(None), conversation.c.lease_until < now)
        async with self._database.read() as connection:
            query = (
                select(conversation.c.id)
                .where(conversation.c.ready_at <= now, free)
                .order_by(conversation.c.ready_at)
                .limit(limit)
            )
            waiting = list((await connection.execute(query)).scalars())
        return [i for i in waiting if await self.lease(i)]

    async def lease(self, conversation_id: int) -> bool:
        """Take one conversation for this process; False if somebody else has it."""
        now = self._clock()
        async with self._database.write() as connection:
            result = await connection.execute(
                update(conversation)
                .where(
                    conversation.c.id == conversation_id,
                    or_(conversation.c.lease_until.is_(None), conversation.c.lease_until < now),
                )
                .values(lease_owner=self.owner, lease_until=now + LEASE)
            )
        return result.rowcount == 1

    async def release(self, conversation_id: int) -> None:
        """Give a conversation back, and note when it next needs somebody."""
        async with self._database.write() as connection:
            # The row is locked first: a message accepted meanwhile then either is seen below, or sets ready_at after us.
            result = await connection.execute(
                update(conversation)
                .where(conversation.c.id == conversation_id, conversation.c.lease_owner == self.owner)
                .values(lease_owner=None, lease_until=None)
            )
            if result.rowcount == 0:
                return
            waiting = select(inbox.c.received_at).where(
                inbox.c.conversation_id == conversation_id, inbox.c.state == ACCEPTED
            )
            # Replies leave in order, so the first one decides: a later one that is due now has to wait for it.
            due = (
                select(outbox.c.next_attempt_at)
                .where(outbox.c.conversation_id == conversation_id, outbox.c.state.in_(("queued", "sending")))
                .order_by(outbox.c.id)
                .limit(1)
            )
            ready = (await connection.execute(waiting.limit(1))).scalar_one_or_none()
            if ready is None:
                ready = (await connection.execute(due)).scalar_one_or_none()
            await connection.execute(
                update(conversation).where(conversation.c.id == conversation_id).values(ready_at=ready)
            )

    async def answer_waiting(self, conversation_id: int) -> int:
        """Take all waiting turns of a leased conversation, in order; return how many."""
        taken = 0
        while await self._take_next(conversation_id):
            taken += 1
        return taken

    async def _take_next(self, conversation_id: int) -> bool:
        async with self._database.read() as connection:
            row = (
                (
                    await connection.execute(
                        select(
                            inbox,
                            conversation.c.session,
                            conversation.c.subscribed,
                            conversation.c.muted,
                            conversation.c.person,
                            conversation.c.channel.label("via"),
                        )
                        .join(conversation, conversation.c.id == inbox.c.conversation_id)
                        .where(inbox.c.conversation_id == conversation_id, inbox.c.state == ACCEPTED)
                        .order_by(inbox.c.id)
                        .limit(1)
                    )
                )
                .mappings()
                .one_or_none()
            )
        if row is None:
            return False
        now = self._clock()
        try:
            turn, confidence = await self._turn(row, now.astimezone(ZONE).date())
            await self._finish(row, turn, confidence, now)
        except Exception as error:
            # The reason goes to the log and the row; the text of the message goes to neither.
            log.exception("turn failed", extra={"inbox_id": row["id"]})
            await self._failed(row, type(error).__name__, now)
        return True

    async def _turn(self, row: Any, today: date) -> tuple[Turn, float | None]:
        # The column decides: it changes without a turn too, when a citizen blocks the bot.
        session = replace(Session.from_dict(row["session"]), subscribed=row["subscribed"], muted=muted_of(row["muted"]))
        kind, text = row["kind"], row["text"] or ""
        if kind in ("stopped", "resumed"):
            return Turn((), session, AnswerStatus.ACTION_DONE), None
        if kind == "opened":
            said = Said(payload=text, opened=True)
        elif kind == "button":
            said = Said(payload=text or NO_BUTTON)
        elif kind == "unsupported":
            said = Said(unsupported=text or "unsupported")
        else:
            said = Said(text=text, personal=tuple(row["personal"]))
        if self._desk is not None and self._desk.wants(said, session):
            taken = await self._desk.turn(row["conversation_id"], said, session)
            if taken is not None:
                return taken, None
        understood = None
        if said.text and not said.personal and any(c.isalnum() for c in said.text):
            understood = self._understand(said.text)
        turn = self._dialogue.reply(said, understood, session, today)
        return turn, understood.confidence if understood is not None else None

    async def _finish(self, row: Any, turn: Turn, confidence: float | None, now: datetime) -> None:
        async with self._database.write() as connection:
            first = not row["session"].get("greeted", False)
            values: dict[str, Any] = {"session": turn.session.as_dict(), "stopped_at": None, "last_seen_at": now}
            if row["kind"] == "stopped":
                values |= {"stopped_at": now, "subscribed": False}
            for effect in turn.effects:
                values |= await self._apply(connection, effect, row, turn, now)
            await connection.execute(
                update(conversation).where(conversation.c.id == row["conversation_id"]).values(**values)
            )
            await self._put(connection, row, turn.replies, now)
            await self._mark(
                connection, row["id"], DONE, now, status=turn.status.value, topic=turn.topic, aspect=turn.aspect
            )
            if self._record is not None and row["kind"] not in ("stopped", "resumed"):
                await self._record(
                    connection,
                    TurnTaken(
                        at=now,
                        channel=row["via"],
                        ward=turn.session.ward,
                        conversation_id=row["conversation_id"],
                        kind=row["kind"],
                        status=turn.status.value,
                        topic=turn.topic,
                        aspect=turn.aspect,
                        confidence=confidence,
                        effects=tuple(e for e in turn.effects if not isinstance(e, QuestionRecorded)),
                        first=first,
                    ),
                )

    async def _apply(
        self, connection: AsyncConnection, effect: Effect, row: Any, turn: Turn, now: datetime
    ) -> dict[str, Any]:
        """Carry out one effect; return the columns of the conversation it changes."""
        match effect:
            case ConsentGiven():
                return {"consented_at": now}
            case WardChosen(code):
                return {"ward": code}
            case Subscribed():
                return {"subscribed": True, "ward": turn.session.ward}
            case Unsubscribed():
                # Who says stop means all that the channel sends them, wherever it knows them.
                await _of_person(connection, row, subscribed=False)
                return {"subscribed": False}
            case CategoriesChosen(muted):
                await _of_person(connection, row, muted=stored_of(muted))
                return {"muted": stored_of(muted)}
            case DataErased():
                await erase(connection, row["conversation_id"], keep_inbox=row["id"])
                return {"ward": None, "subscribed": False, "consented_at": None, "muted": None}
            case QuestionRecorded(text, reason):
                await connection.execute(
                    insert(review).values(
                        conversation_id=row["conversation_id"],
                        text=text,
                        reason=reason,
                        ward=turn.session.ward,
                        state="open",
                        created_at=now,
                    )
                )
            case Rated() | MaterialGiven() | AnnouncementPressed():
                pass
        return {}

    async def _put(self, connection: AsyncConnection, row: Any, replies: tuple[Reply, ...], now: datetime) -> None:
        """Queue the replies; a direct channel (the web) hands them over with the answer to the request itself."""
        direct = self._direct(row["via"])
        for reply in replies:
            await connection.execute(
                insert(outbox).values(
                    conversation_id=row["conversation_id"],
                    inbox_id=row["id"],
                    reply=reply_to_json(reply),
                    state="sent" if direct else "queued",
                    attempts=0,
                    next_attempt_at=now,
                    created_at=now,
                    sent_at=now if direct else None,
                )
            )

    async def _failed(self, row: Any, reason: str, now: datetime) -> None:
        """Count the attempt; after the last one put the message aside and say so to the citizen."""
        attempts = row["attempts"] + 1
        async with self._database.write() as connection:
            if attempts < MAX_ATTEMPTS:
                await connection.execute(
                    update(inbox).where(inbox.c.id == row["id"]).values(attempts=attempts, reason=reason)
                )
                return
            apology = Reply(say("error"))
            await self._put(connection, row, (apology,), now)
            await self._mark(connection, row["id"], DEAD, now, attempts=attempts, reason=reason, status="error")

    @staticmethod
    async def _mark(connection: AsyncConnection, inbox_id: int, state: str, now: datetime, **values: Any) -> None:
        await connection.execute(
            update(inbox).where(inbox.c.id == inbox_id).values(state=state, text=None, done_at=now, **values)
        )


async def _of_person(connection: AsyncConnection, row: Any, **values: Any) -> None:
    """Change the other conversations of a linked person too."""
    if row["person"] is not None:
        await connection.execute(
            update(conversation)
            .where(conversation.c.person == row["person"], conversation.c.id != row["conversation_id"])
            .values(**values)
        )


async def erase(connection: AsyncConnection, conversation_id: int, *, keep_inbox: int | None = None) -> None:
    """Delete what was said in a conversation, and cut its reviewed questions loose from it."""
    await connection.execute(
        delete(inbox).where(inbox.c.conversation_id == conversation_id, inbox.c.id != (keep_inbox or -1))
    )
    await connection.execute(
        delete(outbox).where(outbox.c.conversation_id == conversation_id, outbox.c.state.in_(("sent", "failed")))
    )
    await connection.execute(delete(review).where(review.c.conversation_id == conversation_id))
