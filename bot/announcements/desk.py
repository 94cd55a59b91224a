"""Writing and review: draft, revise, submit, approve, return. Whoever wrote on it never approves it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Final

from sqlalchemy import RowMapping, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from bot.announcements.audience import Audience, audience_of
from bot.announcements.audience import problems_of as audience_problems
from bot.announcements.content import Refused, personal_problems, reason_problems
from bot.announcements.forecast import other_than
from bot.announcements.lifecycle import Action, after
from bot.announcements.moves import move, note_step
from bot.announcements.office import Office, must_give
from bot.announcements.people import ANNOUNCE, APPROVE, SEE, Actor
from bot.announcements.planning import Plan, Wish, behind_of, wish_of
from bot.announcements.service import row_of
from bot.announcements.sheet import sheet_of
from bot.announcements.states import AnnouncementState
from bot.announcements.tables import announcement, saved_audience
from bot.announcements.texts import say, told
from bot.conversation.model import Button
from bot.messages import Channels, Outcome
from content.places import slug_of, within

LONGEST_TITLE: Final = 120
VERSION: Final = 12
"""Characters of a version that are enough to name it: no other one begins so."""
_NO_APPROVAL: Final[Mapping[str, Any]] = MappingProxyType(
    {"approver": None, "approved_at": None, "approved_hash": None}
)


@dataclass(frozen=True, slots=True)
class Reviewed:
    """What an approver looks at: the row, its plan now, and the hash that their yes would bind."""

    row: RowMapping
    plan: Plan

    @property
    def seen(self) -> dict[str, Any]:
        """What the approver is shown beside the wish: as it was when somebody asked for approval; of a draft, as it is now."""
        return self.plan.seen if self.row["forecast"] is None else dict(self.row["forecast"])

    @property
    def version(self) -> str:
        """What the approver says yes to."""
        return self.plan.wish.digest(self.row["forecast"] or {})


class Desk(Office):
    """Officers who write, and those who read what others wrote."""

    async def draft(self, login: str, wish: Wish, *, key: str | None = None) -> int:
        """Keep what an officer writes; return its number. It may still be incomplete.

        Args:
            key: the caller's own name for it; the same key again returns the same draft.

        Raises:
            Refused: they may not write for this unit, or it holds somebody's number.
        """
        author = await self._writer(login, wish)
        if key is not None and (known := await self.announcements.by_key(key)) is not None:
            return known
        plan = await self.planner.plan(wish)
        values = row_of(plan, author.login) | {"state": AnnouncementState.DRAFT, "created_at": self.now(), "key": key}
        async with self.planner.database.write() as connection:
            made = await connection.execute(insert(announcement).values(**values).returning(announcement.c.id))
            number = int(made.scalar_one())
            await note_step(connection, number, Action.REVISE, AnnouncementState.DRAFT, self.now(), actor=author.login)
        return number

    async def revise(self, login: str, announcement_id: int, wish: Wish) -> None:
        """Change a draft, or what was submitted or approved: then it is a draft again and the yes is gone.

        Raises:
            Refused: they may not.
            NotAllowed: it has begun.
        """
        _, row = await self.of(login, announcement_id, ANNOUNCE)
        writer = await self._writer(login, wish)
        after(AnnouncementState(row["state"]), Action.REVISE)
        plan = await self.planner.plan(wish)
        kept = {"code", "author", "writers", "audience"}
        values = {name: value for name, value in row_of(plan, row["author"]).items() if name not in kept}
        await self._move(
            announcement_id,
            Action.REVISE,
            writer,
            writers=sorted({*row["writers"], writer.login}),
            forecast=None,
            problem=None,
            send_at=None,
            **_NO_APPROVAL,
            **values,
        )

    async def submit(self, login: str, announcement_id: int) -> Plan:
        """Ask for approval; those who may give it are told. The plan's `told` says who could be.

        Raises:
            Refused: they may not, or something speaks against it.
            NotAllowed: it is no draft.
        """
        actor, row = await self.of(login, announcement_id, ANNOUNCE)
        after(AnnouncementState(row["state"]), Action.SUBMIT)
        plan = await self._sound(wish_of(row))
        async with self.planner.database.write() as connection:
            note = await self.tell_approvers(connection, row, actor, plan.text)
            moved = await move(
                connection,
                announcement_id,
                Action.SUBMIT,
                self.now(),
                actor=login,
                note=note,
                submitted_at=self.now(),
                forecast=plan.seen,
                problem=None,
                **_NO_APPROVAL,
            )
            if not moved:
                raise await self.refuse_move(announcement_id, Action.SUBMIT)
        return replace(plan, told=note)

    async def review(self, login: str, announcement_id: int, action: str = APPROVE) -> Reviewed:
        """Return what there is to approve.

        Raises:
            Refused: there is none, or they may not.
        """
        _, row = await self.of(login, announcement_id, action)
        return Reviewed(row, await self.planner.plan(wish_of(row)))

    async def approve(self, login: str, announcement_id: int, *, version: str | None = None, note: str = "") -> str:
        """Say yes to exactly what there is now: content, audience and forecast; return who was told of it, in words.

        Args:
            version: what the approver saw; if it has changed since, they have to look again.

        Raises:
            Refused: they may not, they wrote on it, it has changed, or something speaks against it.
            NotAllowed: nobody asked for approval.
        """
        actor, row = await self.of(login, announcement_id, APPROVE)
        after(AnnouncementState(row["state"]), Action.APPROVE)
        if login in row["writers"]:
            raise Refused([told("officer_problems", "own", name=actor.name)])
        wish, seen = wish_of(row), row["forecast"] or {}
        if version is not None and not (len(version) >= VERSION and wish.digest(seen).startswith(version)):
            raise Refused([told("problems", "changed")])
        plan = await self._sound(wish)
        if plan.behind != behind_of(seen):
            await self._look_again(announcement_id, plan)
            raise Refused([told("problems", "changed")])
        if (how := other_than(seen, plan.forecast)) is not None:
            await self._look_again(announcement_id, plan)
            raise Refused([told("problems", how, forecast=plan.forecast.in_words())])
        async with self.planner.database.write() as connection:
            go = (Button(say("send_button"), f"w:send:{announcement_id}"),)
            heard = await self.tell_author(connection, row, "approved", go, name=actor.name)
            if wish.urgent_reason is not None:
                heard = "; ".join(filter(None, (heard, await self.told_of_urgent(connection, row, actor))))
            moved = await move(
                connection,
                announcement_id,
                Action.APPROVE,
                self.now(),
                actor=login,
                note="; ".join(filter(None, (note, heard))),
                approver=login,
                approved_at=self.now(),
                approved_hash=wish.digest(seen),
                only=announcement.c.submitted_at == row["submitted_at"],
            )
            if not moved:
                raise await self.refuse_move(announcement_id, Action.APPROVE)
        return heard

    async def send_back(self, login: str, announcement_id: int, reason: str) -> str:
        """Return it to its author, who is told why; also what was approved or scheduled, as long as it has not begun.

        Returns:
            Whether the author was told, in words.

        Raises:
            Refused: they may not, or give no reason.
            NotAllowed: nobody asked, or it has begun.
        """
        actor, row = await self.of(login, announcement_id, APPROVE)
        after(AnnouncementState(row["state"]), Action.RETURN)
        reason = must_give(reason, "reason")
        async with self.planner.database.write() as connection:
            heard = await self.tell_author(connection, row, "returned", name=actor.name, reason=reason)
            moved = await move(
                connection, announcement_id, Action.RETURN, self.now(), actor=login, note=f"{reason} ({heard})",
                send_at=None, **_NO_APPROVAL,
            )  # fmt: skip
            if not moved:
                raise await self.refuse_move(announcement_id, Action.RETURN)
        return heard

    def sheet(self, wish: Wish, text: str, seen: Mapping[str, Any] | None) -> list[str]:
        """Return everything that a yes binds, as lines (`bot.announcements.sheet`)."""
        planner = self.planner
        return sheet_of(wish, text, seen, places=self.places, shelf=planner.composer.shelf, clock=planner.clock)

    async def trial(self, login: str, plan: Plan, conversation_id: int, channels: Channels) -> Outcome:
        """Send a plan's message, marked as a trial, to an officer's own conversation: nobody else gets what nobody approved.

        Raises:
            Refused: they may not write for the unit, no officer linked this conversation, or something speaks against the plan.
        """
        await self.actor(login, ANNOUNCE, plan.unit)
        if await self.officers.of_conversation(conversation_id) is None:
            raise Refused([told("test_problems", "citizen", id=conversation_id)])
        return await self.announcements.trial(plan, conversation_id, channels)

    async def save_audience(self, login: str, unit: str, title: str, audience: Audience) -> str:
        """Keep a question under a name of its unit; return the name. The same title again replaces it.

        Raises:
            Refused: they may not write for the unit, or the question is impossible.
        """
        actor = await self.actor(login, ANNOUNCE, unit)
        title = " ".join(title.split())[:LONGEST_TITLE]
        name = slug_of(title)[:64].strip("-")
        problems = personal_problems(title) + audience_problems(
            audience, unit, places=self.places, topics=self.planner.topics, channels=self.planner.channels
        )
        if not name:
            problems.append(told("audience_problems", "title"))
        if audience.without_saved or audience.saved:
            # One saved question that leaves out another, which leaves out the first, would never end.
            problems.append(told("audience_problems", "nested"))
        if problems:
            raise Refused(problems)
        upsert = sqlite.insert if self.planner.database.is_sqlite else postgresql.insert
        changed = {"title": title, "query": audience.as_json(), "author": actor.login, "created_at": self.now()}
        async with self.planner.database.write() as connection:
            await connection.execute(
                upsert(saved_audience)
                .values(unit=unit, name=name, **changed)
                .on_conflict_do_update(index_elements=["unit", "name"], set_=changed)
            )
        return name

    async def remove_audience(self, login: str, unit: str, name: str) -> None:
        """Forget a saved question; what was written with it keeps it.

        Raises:
            Refused: they may not write for the unit, or there is none of that name.
        """
        await self.actor(login, ANNOUNCE, unit)
        async with self.planner.database.write() as connection:
            gone = await connection.execute(
                delete(saved_audience).where(saved_audience.c.unit == unit, saved_audience.c.name == name)
            )
        if gone.rowcount == 0:
            raise Refused([told("audience_problems", "saved", name=name[:64])])

    async def saved_audiences(self, login: str, unit: str) -> list[tuple[str, str, Audience]]:
        """Return a unit's saved questions: name, title, question.

        Raises:
            Refused: they may not see them.
        """
        await self.actor(login, SEE, unit)
        query = select(saved_audience).where(saved_audience.c.unit == unit).order_by(saved_audience.c.name)
        async with self.planner.database.read() as connection:
            rows = (await connection.execute(query)).mappings().all()
        return [(row["name"], row["title"], audience_of(row["query"])) for row in rows]

    async def _writer(self, login: str, wish: Wish) -> Actor:
        if not within(self.places, wish.unit):
            raise Refused((await self.planner.plan(wish)).problems)
        writer = await self.actor(login, ANNOUNCE, wish.unit)
        texts = (wish.content.text, *wish.content.bodies.values(), *(b.label for b in wish.content.buttons))
        problems = [problem for text in texts for problem in personal_problems(text)]
        if wish.urgent_reason is not None:
            problems += reason_problems(wish.urgent_reason)
        if problems:
            raise Refused(list(dict.fromkeys(problems)))
        return writer

    async def _look_again(self, announcement_id: int, plan: Plan) -> None:
        """Keep what there is to see now, so that the next yes is to that."""
        async with self.planner.database.write() as connection:
            await connection.execute(
                update(announcement)
                .where(announcement.c.id == announcement_id, announcement.c.state == AnnouncementState.IN_REVIEW)
                .values(forecast=plan.seen)
            )

    async def _sound(self, wish: Wish) -> Plan:
        plan = await self.planner.plan(wish)
        if plan.problems:
            raise Refused(plan.problems)
        return plan

    async def _move(self, announcement_id: int, action: Action, actor: Actor, **values: Any) -> None:
        async with self.planner.database.write() as connection:
            moved = await move(connection, announcement_id, action, self.now(), actor=actor.login, **values)
        if not moved:
            raise await self.refuse_move(announcement_id, action)
