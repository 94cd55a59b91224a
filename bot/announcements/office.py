"""What every act of an officer needs: who they are, the announcement, and whether they may. Nothing is done without it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import RowMapping, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.announcements import notices
from bot.announcements.content import Refused
from bot.announcements.lifecycle import Action, NotAllowed
from bot.announcements.people import ANNOUNCE, APPROVE, SEE, Actor, Officers
from bot.announcements.planning import Planner
from bot.announcements.service import Announcements
from bot.announcements.states import AnnouncementState
from bot.announcements.tables import announcement, policy
from bot.announcements.texts import told
from bot.conversation.model import Button
from content.places import Places, province_slug, unit_title


class Office:
    """The ground of the classes that act for officers."""

    def __init__(self, announcements: Announcements, officers: Officers) -> None:
        self.announcements = announcements
        self.officers = officers

    @property
    def planner(self) -> Planner:
        """What counts and checks."""
        return self.announcements.planner

    @property
    def places(self) -> Places:
        """The units."""
        return self.planner.places

    def now(self) -> datetime:
        """Return the time."""
        return self.planner.clock()

    async def actor(self, login: str, action: str, unit: str) -> Actor:
        """Return an officer who may do something in a unit.

        Raises:
            Refused: there is none of this name, or they may not.
        """
        found = await self.officers.find(login)
        if found is None:
            raise Refused([told("officer_problems", "unknown", login=login[:40])])
        if not await self.officers.may(login, action, unit):
            where = unit_title(self.places, unit)
            raise Refused([told("officer_problems", action, name=found.name, login=found.login, unit=where)])
        return found

    async def row(self, announcement_id: int) -> RowMapping:
        """Return an announcement.

        Raises:
            Refused: there is none.
        """
        async with self.planner.database.read() as connection:
            query = select(announcement).where(announcement.c.id == announcement_id)
            found = (await connection.execute(query)).mappings().one_or_none()
        if found is None:
            raise Refused([told("problems", "unknown", id=announcement_id)])
        return found

    async def of(self, login: str, announcement_id: int, action: str) -> tuple[Actor, RowMapping]:
        """Return an officer and an announcement on which they may act so.

        Somebody who may not see it is told that there is none: nobody learns of another unit's announcements.

        Raises:
            Refused: there is none, or they may not.
        """
        row = await self.row(announcement_id)
        if not await self.officers.may(login, SEE, row["unit"]):
            await self._known(login)
            raise Refused([told("problems", "unknown", id=announcement_id)])
        return await self.actor(login, action, row["unit"]), row

    async def _known(self, login: str) -> None:
        if await self.officers.find(login) is None:
            raise Refused([told("officer_problems", "unknown", login=login[:40])])

    async def refuse_move(self, announcement_id: int, action: Action) -> NotAllowed:
        """Return the refusal of a move that the state does not allow any more."""
        return NotAllowed(AnnouncementState((await self.row(announcement_id))["state"]), action)

    async def needs_second_person(self, unit: str) -> bool:
        """Say whether what one officer writes for a unit waits for another one's approval.

        For the whole province always, whoever there is: it may wait, but nobody reaches everybody alone. For a commune what it or
        the province above it has set decides; where nobody has set anything, it trusts its officer (docs/adr/0012).
        """
        return unit == province_slug(self.places) or any(await self.rules(unit))

    async def rules(self, unit: str) -> list[bool]:
        """Return what a unit and the province above it have set: whether a second person is needed. Empty: nobody set anything."""
        query = select(policy.c.second_person).where(policy.c.unit.in_((unit, province_slug(self.places))))
        async with self.planner.database.read() as connection:
            return [bool(second) for second in (await connection.execute(query)).scalars()]

    async def objection(self, row: RowMapping) -> tuple[Action, str] | None:
        """Ask whether its author and its approver may still do what they did."""
        author = await self.officers.find(row["author"])
        if author is None or not await self.officers.may(author.login, ANNOUNCE, row["unit"]):
            return Action.LAPSE, "author"
        if row["approver"] is not None:
            if row["approver"] in row["writers"] or not await self.officers.may(row["approver"], APPROVE, row["unit"]):
                return Action.ASK_AGAIN, "approver"
        elif await self.needs_second_person(row["unit"]):
            return Action.ASK_AGAIN, "approver"
        return None

    async def told_of_urgent(self, connection: AsyncConnection, row: RowMapping, actor: Actor) -> str:
        """Tell the superiors that something urgent is on its way; return whom, in words."""
        people = [p for p in await self.officers.superiors(row["unit"]) if p.login != actor.login]
        text = told(
            "notices", "urgent",
            unit=unit_title(self.places, row["unit"]), name=actor.name, id=row["id"],
            reason=row["urgent_reason"], text=excerpt(row["text"]),
        )  # fmt: skip
        return await notices.tell(connection, self.officers, people, text, self.now())

    async def tell_author(
        self,
        connection: AsyncConnection,
        row: RowMapping,
        key: str,
        buttons: tuple[Button, ...] = (),
        **values: object,
    ) -> str:
        """Tell an announcement's author something; return whether they were told, in words."""
        author = await self.officers.find(row["author"])
        if author is None:
            return told("notices", "no_author")
        text = told("notices", key, id=row["id"], unit=unit_title(self.places, row["unit"]), **values)
        return await notices.tell(connection, self.officers, [author], text, self.now(), buttons)

    async def tell_approvers(self, connection: AsyncConnection, row: RowMapping, actor: Actor, text: str) -> str:
        """Ask those who may approve; return whom, in words."""
        may = await self.officers.who_may(APPROVE, row["unit"])
        people = [p for p in may if p.login not in row["writers"]]
        if not people:
            return told("notices", "no_approver")
        heading = told(
            "notices", "review", name=actor.name, unit=unit_title(self.places, row["unit"]), id=row["id"], text=text
        )
        return await notices.tell(connection, self.officers, people, heading, self.now(), review_buttons(row["id"]))


def review_buttons(announcement_id: int) -> tuple[Button, ...]:
    """Return what an approver presses in a conversation."""
    return tuple(
        Button(told("review_buttons", key), f"w:{key}:{announcement_id}") for key in ("look", "approve", "return")
    )


def excerpt(text: str, longest: int = 300) -> str:
    """Return the beginning of a text."""
    return text if len(text) <= longest else text[: longest - 1].rstrip() + "…"


def must_give(note: str, key: str) -> str:
    """Return a reason that was given.

    Raises:
        Refused: it says nothing.
    """
    note = " ".join(note.split())
    if len(note) < 3:
        raise Refused([told("officer_problems", f"{key}_short" if note else key)])
    return note


def shortest(problems: Sequence[str]) -> str:
    """Return problems as one line."""
    return " ".join(problems)
