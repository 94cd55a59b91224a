"""Answers what was accepted: the messages of a conversation in hand, in the order they came.

A turn, its replies and its effects are one transaction. A process that dies in the middle leaves the message accepted;
when its lease ends, any process takes it up again (`bot.work`). Nothing is sent here.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, Final, Protocol

from sqlalchemy import Connection, insert, update

from bot import work
from bot.blame import Unwritten, blamed
from bot.clock import ZONE, Clock
from bot.codec import reply_from_json, reply_to_json
from bot.conversation import takeover
from bot.conversation.categories import stored_of
from bot.conversation.dialogue import Dialogue
from bot.conversation.going_on import Understand
from bot.conversation.linking import Wish, needs
from bot.conversation.messages import say
from bot.conversation.model import (
    AnnouncementPressed,
    AnswerStatus,
    CategoriesChosen,
    ConsentGiven,
    DataErased,
    Effect,
    Linked,
    LinkEffect,
    LinkFacts,
    MaterialGiven,
    QuestionRecorded,
    Rated,
    Reply,
    Said,
    Session,
    Subscribed,
    Turn,
    Unlinked,
    Unsubscribed,
    WardChosen,
)
from bot.erasure import answers_of, erase, forget
from bot.hearing import Left, left_of, said_of
from bot.inbox import Stored, store
from bot.linking import Linking, Stale, leave, share
from bot.messages import ACTS, Address, Incoming, masked
from bot.storage.database import Database, aware
from bot.storage.statements import bound, changes
from bot.storage.tables import DEAD, DONE, inbox, outbox, review
from bot.storage.units import Priority
from bot.work import Work
from nlu.understanding import Understanding

MAX_ATTEMPTS: Final = 3
"""A message that makes us fail this often is put aside with its reason; the citizen is told to ask again."""
MAX_DEATHS: Final = 12
"""A message that was taken up this often without an end: it kills the process, whatever else killed it besides."""
DIED: Final = "process died"

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
    """Without recorded questions and the linking of channels: those hold what somebody wrote, or a code."""
    first: bool


class Record(Protocol):
    """Writes down a turn, within the turn's own transaction."""

    def __call__(self, connection: Connection, turn: TurnTaken, /) -> None: ...


@dataclass(frozen=True, slots=True)
class Ended:
    """How a message ended: its place in the inbox, and what an answer to the request that brought it consists of."""

    inbox_id: int
    replies: tuple[Reply, ...]
    status: str
    topic: str | None
    aspect: str | None


@dataclass(frozen=True, slots=True)
class Leaving:
    """A reply that is to leave: its place in the outbox, and how often it was tried."""

    outbox_id: int
    reply: Reply
    attempts: int
    due_at: datetime
    edits: str = ""
    """The message it takes the place of."""


@dataclass(frozen=True, slots=True)
class Answered:
    """What answering a conversation in hand came to. `leaving` are the replies to send, in order."""

    ended: tuple[Ended, ...]
    leaving: tuple[Leaving, ...]
    given_back: bool
    ready_at: datetime | None = None
    """Given back: when the conversation next needs somebody."""


@dataclass(frozen=True, slots=True)
class _Worked:
    """A message with the turn that answers it; without a turn it is put aside for `reason`, or tried again."""

    row: Mapping[str, Any]
    turn: Turn | None
    confidence: float | None = None
    reason: str = ""
    first: bool = False
    ours: bool = True
    """Said to the bot; not, while an officer speaks, to the officer."""
    forgets: bool = False
    """The citizen withdraws: everything about them is erased."""


class Words(Protocol):
    """Knows which button somebody means who writes its words where they see none."""

    def wants(self, address: Address, text: str, /) -> bool:
        """Say whether it may be one."""

    def payload(self, connection: Connection, conversation_id: int, text: str, at: datetime, /) -> str:
        """Return the button's payload; "" if it is none."""


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
        at_once: Callable[[str], Understanding | None] | None = None,
        clock: Clock,
        owner: str,
        record: Record | None = None,
        direct: Callable[[str], bool] = lambda channel: channel == "web",
        linking: Linking | None = None,
        desk: Desk | None = None,
        words: Words | None = None,
    ) -> None:
        self._database = database
        self._dialogue = dialogue
        self._understand = understand
        self._at_once = at_once or understand
        self._one_at_a_time = asyncio.Lock()
        self._clock = clock
        self.owner = owner
        self._record = record
        self._direct = direct
        self._linking = linking or Linking()
        self._desk = desk
        self._words = words

    async def accept(self, incoming: Incoming, *, take: bool = False) -> Stored:
        """Store a message; commit before returning (see `bot.inbox.accept`).

        Args:
            take: also take its conversation in hand if nothing else waits in it, in the same transaction.
        """
        safe = masked(incoming)

        taker = (self.owner, self._clock()) if take else None
        return await self._database.unit(lambda connection: store(connection, safe, taker), Priority.URGENT)

    async def take_ready(self, limit: int = 20) -> list[Work]:
        """Take up to `limit` conversations in hand that have something to do, the longest waiting first."""
        return await self._database.unit(
            lambda connection: work.take_ready(connection, self.owner, self._clock(), limit)
        )

    async def take(self, conversation_id: int) -> Work | None:
        """Take one conversation in hand; None if somebody else has it."""
        return await self._database.unit(
            lambda connection: work.take(connection, conversation_id, self.owner, self._clock())
        )

    async def hold(self, conversation_id: int) -> Work | None:
        """Take one conversation in hand for something else than its turns; None if somebody else has it."""
        return await self._database.unit(
            lambda connection: work.hold(connection, conversation_id, self.owner, self._clock())
        )

    async def renew(self, held: Iterable[Work]) -> None:
        """Keep conversations in hand for longer."""
        now, works = self._clock(), tuple(held)
        await self._database.unit(lambda connection: work.renew(connection, works, now))

    async def release(self, held: Work) -> datetime | None:
        """Give a conversation back; return when it next needs somebody."""
        return await self._database.unit(lambda connection: work.release(connection, held))

    async def answer(self, held: Work) -> Answered:
        """Answer what waits in a conversation in hand. It is given back at once if nothing then has to be sent.

        Raises:
            LeaseLost: the conversation is in other hands; nothing was written.
        """
        now = self._clock()
        done, left = await self._worked(held, now)
        if not done and held.queued:
            return Answered((), tuple(_stored(row) for row in held.queued), given_back=False)
        try:
            return await self._database.unit(lambda connection: self._finish(connection, held, done, left, now))
        except Stale:
            # Taken again, on what stands there now.
            return Answered((), (), given_back=True, ready_at=await self.release(held))
        except Unwritten as failed:
            error, place = failed.error, failed.place
        log.error("a turn cannot be written", extra={"inbox_id": done[place].row["id"], "error": type(error).__name__})
        if place:
            # Those before it are not kept waiting by it; it comes first when the conversation is next taken.
            return await self.answer(replace(held, waiting=held.waiting[:place]))
        aside, before = _Worked(done[0].row, None, reason=type(error).__name__), left_of(held)
        return await self._database.unit(lambda connection: self._finish(connection, held, [aside], before, now))

    async def _worked(self, held: Work, now: datetime) -> tuple[list[_Worked], Left]:
        """Work out the turns, each from the session that the one before left."""
        before = left_of(held)
        session, silent_until = before.session, before.silent_until
        today = now.astimezone(ZONE).date()
        done: list[_Worked] = []
        for row in held.waiting:
            if row["attempts"] > MAX_DEATHS:
                log.error("a message is put aside", extra={"inbox_id": row["id"], "error": DIED})
                done.append(_Worked(row, None, reason=DIED))
                continue
            if row["kind"] == "withdrawn":
                done.append(_Worked(row, None, forgets=True))
                break  # What they wrote since begins a conversation anew.
            kind, text = row["kind"], row["text"] or ""
            silent = takeover.silent(silent_until, now)
            try:
                said = said_of(row)
                if said is not None and (wish := needs(said, session)) is not None and not said.personal:
                    if done:
                        break  # What it stands on is changed by the turns before it: taken again when they are written.
                    said = replace(said, link=await self._facts(wish, held, now))
                elif said is not None and not silent:
                    said = await self._as_press(held, said, now)
                turn, confidence = await self._at_desk(held, said, session, silent=silent), None
                if turn is None:
                    turn, confidence = await self._turn(row, said, session, today, silent=silent)
            except Exception as error:
                # The reason goes to the log and the row; the text of the message goes to neither.
                log.exception("turn failed", extra={"inbox_id": row["id"]})
                done.append(_Worked(row, None, reason=type(error).__name__))
                if row["attempts"] < MAX_ATTEMPTS:
                    break  # It is tried again, before those that came after it.
                continue
            ours = kind in ACTS and (not silent or takeover.hears(kind, text))
            done.append(_Worked(row, turn, confidence, first=not session.greeted, ours=ours))
            session = turn.session
            if kind == "taken_over":
                until = (aware(row["received_at"]) or now) + takeover.SILENCE
                silent_until = max(until, silent_until or until)
            elif silent and takeover.calls_back(kind, text):
                silent_until = None
            if any(isinstance(effect, LinkEffect) for effect in turn.effects):
                break  # So do those after it.
        return done, Left(session, silent_until)

    async def _as_press(self, held: Work, said: Said, now: datetime) -> Said:
        """Hear the words of a button as the button, where only words can be sent."""
        words, number, text = self._words, held.conversation_id, said.text
        if words is None or said.personal or said.unsupported or not words.wants(held.address, text):
            return said
        payload = await self._database.unit(lambda connection: words.payload(connection, number, text, now))
        return Said(payload=payload) if payload else said

    async def _at_desk(self, held: Work, said: Said | None, session: Session, *, silent: bool) -> Turn | None:
        """The turn of an officer who works from this conversation; None for a citizen's."""
        if self._desk is None or said is None or silent or not self._desk.wants(said, session):
            return None
        return await self._desk.turn(held.conversation_id, said, session)

    async def _facts(self, wish: Wish, held: Work, now: datetime) -> LinkFacts:
        """Look up what a turn about linking has to know."""
        return await self._database.unit(lambda connection: self._linking.facts(connection, wish, held.row, now))

    async def _turn(
        self, row: Mapping[str, Any], said: Said | None, session: Session, today: date, *, silent: bool
    ) -> tuple[Turn, float | None]:
        kind, text = row["kind"], row["text"] or ""
        if kind == "taken_over":
            return takeover.began(session, already=silent), None
        if said is None:
            return Turn((), session, AnswerStatus.ACTION_DONE), None
        if silent:
            if not takeover.hears(kind, text):
                return Turn((), session, AnswerStatus.HANDED_OVER), None
            if (back := takeover.back(kind, text, session)) is not None:
                return back, None
        understood = None
        asked = bool(said.text) and not said.personal and any(c.isalnum() for c in said.text)
        if asked:
            async with self._next_turn():
                understood = self._at_once(said.text)
            if understood is None:
                # A sentence encoder takes longer than a messenger's request may wait: beside the loop.
                understood = await asyncio.to_thread(self._understand, said.text)
        async with self._next_turn():
            turn = self._dialogue.reply(said, understood, session, today)
        return turn, understood.confidence if understood is not None else None

    @asynccontextmanager
    async def _next_turn(self) -> AsyncIterator[None]:
        """One at a time, and what became ready meanwhile goes first, a webhook above all: it must not wait for many turns."""
        async with self._one_at_a_time:
            await self._database.haste()
            yield

    def _finish(self, connection: Connection, held: Work, done: list[_Worked], left: Left, now: datetime) -> Answered:
        """Write the turns down, with all that follows from them."""
        work.lock(connection, held)
        values: dict[str, Any] = {}
        ended: list[Ended] = []
        leaving = [_stored(row) for row in held.queued]
        for place, one in enumerate(done):
            with blamed(place):
                if one.forgets:
                    work.still_ours(connection, held)
                    return Answered(tuple(ended), (), True, forget(connection, held, one.row["id"]))
                if one.turn is not None and any(isinstance(effect, DataErased) for effect in one.turn.effects):
                    gone = answers_of(connection, held.conversation_id)
                    leaving = [reply for reply in leaving if reply.outbox_id not in gone]
                written = self._write(connection, held, one, values, now)
            if written is not None:
                leaving += written[1]
                ended.append(written[0])
        if ended:
            values |= {"session": left.session.as_dict(), "silent_until": left.silent_until}
        direct = self._direct(held.address.channel)
        with blamed(len(done) - 1):
            if direct or not leaving:
                return Answered(tuple(ended), (), True, work.release(connection, held, **values))
            work.still_ours(connection, held, **values)
        return Answered(tuple(ended), tuple(leaving), given_back=False)

    def _write(
        self, connection: Connection, held: Work, one: _Worked, values: dict[str, Any], now: datetime
    ) -> tuple[Ended, list[Leaving]] | None:
        """Write one turn down, adding the conversation's columns it changes to `values`; None: it is tried again."""
        if one.turn is None:
            replies = self._put_aside(connection, one, now)
            if replies is None:
                return None
            status, topic, aspect = AnswerStatus.ERROR.value, None, None
        else:
            if one.row["kind"] in ACTS:
                values |= {"stopped_at": None}
            if one.row["kind"] == "stopped":
                values |= {"stopped_at": now}
            chosen: dict[str, Any] = {}
            for effect in one.turn.effects:
                chosen |= self._apply(connection, effect, one.row, one.turn, now, held)
            if not any(isinstance(e, Linked | Unlinked | DataErased) for e in one.turn.effects):
                share(connection, held.row, chosen)
            values |= chosen
            replies = one.turn.replies
            status, topic, aspect = one.turn.status.value, one.turn.topic, one.turn.aspect
            self._mark(connection, one.row["id"], DONE, now, status=status, topic=topic, aspect=aspect)
            self._tell(connection, held, one, now)
        put = self._put(connection, held, one.row, replies, now)
        return Ended(one.row["id"], replies, status, topic, aspect), put

    def _tell(self, connection: Connection, held: Work, one: _Worked, now: datetime) -> None:
        """Record a turn for the analytics."""
        if self._record is None or one.turn is None or not one.ours or one.row["kind"] == "resumed":
            return
        taken = TurnTaken(
            at=now,
            channel=held.address.channel,
            ward=one.turn.session.ward,
            conversation_id=held.conversation_id,
            kind="text" if one.row["kind"] == "captioned" else one.row["kind"],
            status=one.turn.status.value,
            topic=one.turn.topic,
            aspect=one.turn.aspect,
            confidence=one.confidence,
            effects=tuple(e for e in one.turn.effects if not isinstance(e, QuestionRecorded | LinkEffect)),
            first=one.first,
        )
        self._record(connection, taken)

    def _apply(
        self, connection: Connection, effect: Effect, row: Mapping[str, Any], turn: Turn, now: datetime, held: Work
    ) -> dict[str, Any]:
        """Carry out one effect; return the columns of the conversation it changes."""
        match effect:
            case ConsentGiven():
                return {"consented_at": now}
            case WardChosen(code):
                return {"ward": code, "chosen_at": now}
            case Subscribed():
                return {"subscribed": True, "ward": turn.session.ward, "chosen_at": now}
            case Unsubscribed():
                return {"subscribed": False, "chosen_at": now}
            case CategoriesChosen(muted):
                return {"muted": stored_of(muted), "chosen_at": now}
            case DataErased():
                erase(connection, held.conversation_id, before=row["id"])
                alone = leave(connection, held.conversation_id, held.row["person"])
                gone = ("ward", "consented_at", "chosen_at", "muted", "language")
                return dict.fromkeys(gone) | {"subscribed": False} | alone
            case QuestionRecorded(text, reason):
                connection.execute(
                    insert(review).values(
                        conversation_id=held.conversation_id,
                        text=text,
                        reason=reason,
                        ward=turn.session.ward,
                        state="open",
                        created_at=now,
                    )
                )
            case Rated() | MaterialGiven() | AnnouncementPressed():
                pass
            case _:
                return self._linking.apply(connection, effect, held.row, now)
        return {}

    def _put(
        self, connection: Connection, held: Work, row: Mapping[str, Any], replies: tuple[Reply, ...], now: datetime
    ) -> list[Leaving]:
        """Queue replies; a direct channel (the web) hands them over with the answer to the request itself."""
        direct = self._direct(held.address.channel)
        put = []
        for reply in replies:
            edits = (row["ref"] or "") if reply.in_place else ""
            values = {
                "conversation_id": held.conversation_id,
                "inbox_id": row["id"],
                "edits": edits or None,
                "reply": reply_to_json(reply),
                "state": "sent" if direct else "queued",
                "attempts": 0,
                "next_attempt_at": now,
                "created_at": now,
                "sent_at": now if direct else None,
            }
            number = connection.execute(_PUT, values).scalar_one()
            put.append(Leaving(number, reply, 0, now, edits))
        return put

    def _put_aside(self, connection: Connection, one: _Worked, now: datetime) -> tuple[Reply, ...] | None:
        """Note a failure; after the last one the message is dead, and the citizen is told. None: it is tried again."""
        if one.row["attempts"] < MAX_ATTEMPTS and one.reason != DIED:
            connection.execute(update(inbox).where(inbox.c.id == one.row["id"]).values(reason=one.reason))
            return None
        self._mark(connection, one.row["id"], DEAD, now, reason=one.reason, status=AnswerStatus.ERROR.value)
        return (Reply(say("error")),) if one.row["kind"] in ACTS else ()

    @staticmethod
    def _mark(connection: Connection, inbox_id: int, state: str, now: datetime, **values: Any) -> None:
        told = {"state": state, "text": None, "done_at": now, **values}
        connection.execute(changes(inbox, *told), {"which": inbox_id, **bound(told)})


_PUT: Final = insert(outbox).returning(outbox.c.id)


def _stored(row: Mapping[str, Any]) -> Leaving:
    due_at = aware(row["next_attempt_at"])
    assert due_at is not None
    return Leaving(row["id"], reply_from_json(row["reply"]), row["attempts"], due_at, row["edits"] or "")
