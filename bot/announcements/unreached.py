"""Whom an announcement does not reach, one by one, and why in words: so that somebody can go there, or say it by loudspeaker.

Before it begins this is the live question, as in the forecast; from then on it is what became of its deliveries. Nothing in it
says who somebody is: commune, channel, reason, and the month of their last message. Where the audience is asked for by what people
were interested in, not even that, so that nobody can be found again from one list to the next.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import Any, Final

from sqlalchemy import RowMapping, Select, and_, case, func, literal, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.announcements.audience import channel_in_words
from bot.announcements.content import Refused
from bot.announcements.office import Office
from bot.announcements.people import SEE
from bot.announcements.planning import wish_of
from bot.announcements.states import BEGUN, FINISHED, DeliveryState, Reason
from bot.announcements.tables import delivery
from bot.announcements.texts import grouped, state_in_words, told
from bot.announcements.workbook import Sheet, write_workbook
from bot.clock import ZONE
from bot.storage.database import aware
from bot.storage.tables import conversation
from content.places import unit_title

PAGE: Final = 200
MOST: Final = 10_000
"""People of one page, and of a workbook."""
_MISSED: Final = (DeliveryState.FAILED, DeliveryState.SKIPPED, DeliveryState.UNCERTAIN)


@dataclass(frozen=True, slots=True)
class Missed:
    """One conversation that it does not reach."""

    unit: str
    """Slug of the commune; "" where none is known any more."""
    channel: str
    account: str
    reason: str
    """A key of the forecast ("outside_window"), or of a delivery ("failed:blocked")."""
    words: str
    last_wrote: str | None
    """The month, "2026-11"; None: the conversation is gone, or the audience asks for what people were interested in."""


@dataclass(frozen=True, slots=True)
class Missing:
    """How many of one commune and channel it does not reach for one reason."""

    unit: str
    channel: str
    reason: str
    words: str
    number: int


@dataclass(frozen=True, slots=True)
class Unreached:
    """Whom an announcement does not reach."""

    id: int
    begun: bool
    """Told by its deliveries, not by a question that is asked now."""
    groups: tuple[Missing, ...]
    """All of them, summed."""
    people: tuple[Missed, ...]
    """One page of them, by commune, channel and account."""

    @property
    def total(self) -> int:
        """How many there are."""
        return sum(group.number for group in self.groups)

    @property
    def left(self) -> int:
        """How many are not among `people`."""
        return max(0, self.total - len(self.people))

    def as_json(self) -> dict[str, Any]:
        """Return them for programs."""
        return {
            "id": self.id,
            "basis": "deliveries" if self.begun else "forecast",
            "total": self.total,
            "groups": [
                {"unit": g.unit, "channel": g.channel, "reason": g.reason, "words": g.words, "number": g.number}
                for g in self.groups
            ],
            "people": [
                {
                    "unit": p.unit,
                    "channel": p.channel,
                    "account": p.account,
                    "reason": p.reason,
                    "words": p.words,
                    "last_wrote": p.last_wrote,
                }
                for p in self.people
            ],
        }


class Unreaching(Office):
    """Lists for officers. Somebody linked on several channels is not in them for the ones that are spared."""

    async def unreached(self, login: str, announcement_id: int, *, limit: int = PAGE, offset: int = 0) -> Unreached:
        """Return whom an announcement does not reach, with one page of them.

        Raises:
            Refused: there is none that this officer may see, or a saved audience that it leaves out is gone.
        """
        _, row = await self.of(login, announcement_id, SEE)
        begun = row["state"] in (*BEGUN, *FINISHED)
        telling = not wish_of(row).audience.asks_memory
        async with self.planner.database.read() as connection:
            query = _ended(announcement_id) if begun else await self._asked(connection, row)
            all_of_them = query.subquery()
            keys = (all_of_them.c.ward, all_of_them.c.channel, all_of_them.c.why)
            groups = (await connection.execute(select(*keys, func.count().label("number")).group_by(*keys))).all()
            page = select(all_of_them).order_by(
                all_of_them.c.ward, all_of_them.c.channel, all_of_them.c.account, all_of_them.c.id
            )
            people = (await connection.execute(page.limit(max(0, min(limit, MOST))).offset(max(0, offset)))).all()
        slugs = {ward.code: ward.slug for ward in self.places.wards()}
        return Unreached(
            announcement_id,
            begun,
            tuple(
                sorted(
                    (
                        Missing(
                            slugs.get(g.ward or "", ""), g.channel, g.why, _words(g.why, begun=begun), int(g.number)
                        )
                        for g in groups
                    ),
                    key=lambda g: (-g.number, g.unit, g.channel, g.reason),
                )
            ),
            tuple(
                Missed(
                    slugs.get(p.ward or "", ""),
                    p.channel,
                    p.account,
                    p.why,
                    _words(p.why, begun=begun),
                    _month(p.seen) if telling else None,
                )
                for p in people
            ),
        )

    def lines(self, found: Unreached) -> list[str]:
        """Return them as lines for a terminal."""
        key = "deliveries" if found.begun else "forecast"
        if not found.total:
            return [told("unreached", f"nobody_{key}", id=found.id)]
        lines = [told("unreached", f"head_{key}", id=found.id, number=grouped(found.total))]
        lines += [
            f"  {grouped(g.number):>8}  {self._unit(g.unit)}, {channel_in_words(g.channel)}: {g.words}"
            for g in found.groups
        ]
        if found.people:
            lines.append(told("unreached", "people", number=grouped(len(found.people))))
        for p in found.people:
            seen = "" if p.last_wrote is None else told("unreached", "last_wrote", month=_in_words(p.last_wrote))
            lines.append(f"  {self._unit(p.unit)}, {channel_in_words(p.channel)}: {p.words}{seen}")
        if found.people and found.left:
            lines.append(told("unreached", "more", number=grouped(found.left)))
        return lines

    def write_xlsx(self, found: Unreached, target: Path | BytesIO) -> None:
        """Write them as a workbook.

        Raises:
            OSError: the file cannot be written.
        """
        groups = [(self._unit(g.unit), channel_in_words(g.channel), g.words, g.number) for g in found.groups]
        people = [
            (self._unit(p.unit), channel_in_words(p.channel), p.words, "" if p.last_wrote is None else _in_words(p.last_wrote))
            for p in found.people
        ]  # fmt: skip
        if found.left:
            people.append((told("unreached", "more", number=grouped(found.left)), "", "", ""))
        sheets = [
            Sheet("missing", ("unit", "channel", "reason", "number"), groups),
            Sheet("missed", ("unit", "channel", "reason", "last_wrote"), people),
        ]
        write_workbook(sheets, target)

    async def _asked(self, connection: AsyncConnection, row: RowMapping) -> Select[Any]:
        """Who is left out by the question as it stands."""
        wish = wish_of(row)
        saved, unknown = await self.planner.saved(connection, wish)
        if unknown:
            raise Refused(unknown)
        conditions = self.planner.left_out(wish, saved, postgres=connection.dialect.name == "postgresql")
        return select(
            conversation.c.id,
            conversation.c.ward,
            conversation.c.channel,
            conversation.c.account,
            case(*((condition, literal(reason)) for reason, condition in conditions.items())).label("why"),
            conversation.c.last_seen_at.label("seen"),
        ).where(or_(*conditions.values()))

    def _unit(self, slug: str) -> str:
        return unit_title(self.places, slug or None)


def _ended(announcement_id: int) -> Select[Any]:
    """Whose delivery ended without reaching them, or nobody knows."""
    elsewhere = and_(delivery.c.state == DeliveryState.SKIPPED, delivery.c.reason == Reason.ELSEWHERE)
    coded = case((delivery.c.reason.is_(None), delivery.c.state), else_=delivery.c.state + ":" + delivery.c.reason)
    return (
        select(
            delivery.c.conversation_id.label("id"),
            delivery.c.ward,
            delivery.c.channel,
            delivery.c.account,
            coded.label("why"),
            conversation.c.last_seen_at.label("seen"),
        )
        .outerjoin(conversation, conversation.c.id == delivery.c.conversation_id)
        .where(
            delivery.c.announcement_id == announcement_id,
            delivery.c.state.in_(_MISSED),
            # Not the negation alone: of a row without a reason it would say neither yes nor no.
            or_(delivery.c.reason.is_(None), ~elsewhere),
        )
    )


def _words(reason: str, *, begun: bool) -> str:
    return state_in_words(reason) if begun else told("unreachable", reason)


def _month(moment: datetime | None) -> str | None:
    found = aware(moment)
    return None if found is None else f"{found.astimezone(ZONE):%Y-%m}"


def _in_words(month: str) -> str:
    """Return a month as people here write it: "11/2026"."""
    year, _, number = month.partition("-")
    return f"{number}/{year}"
