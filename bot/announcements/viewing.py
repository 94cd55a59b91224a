"""What an officer sees of announcements: a list, one with all its history, and how it will look on each channel."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import RowMapping, and_, select

from bot.announcements.articles import Published, articles_of
from bot.announcements.office import Office
from bot.announcements.people import SEE
from bot.announcements.planning import Plan, Wish, wish_of
from bot.announcements.reading import Progress, progress_of
from bot.announcements.schedules import repeat_of
from bot.announcements.states import AnnouncementState
from bot.announcements.tables import announcement, step
from bot.announcements.texts import told
from bot.conversation.model import Button, Reply
from bot.storage.database import aware
from content.places import within

MOST: Final = 200


@dataclass(frozen=True, slots=True)
class Preview:
    """A message as one channel shows it: its parts, its buttons, its documents."""

    channel: str
    parts: tuple[str, ...]
    buttons: tuple[str, ...]
    documents: tuple[str, ...]


Show = Callable[[Reply], Preview]
"""A channel's own rendering."""


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the history. `actor` None: time itself."""

    at: datetime
    actor: str | None
    action: str
    state: str
    note: str | None


@dataclass(frozen=True, slots=True)
class Shown:
    """One announcement with everything that is known of it."""

    progress: Progress
    wish: Wish
    version: str
    approver: str | None
    approved_at: datetime | None
    send_at: datetime | None
    repeat: str | None
    problem: str | None
    forecast: Mapping[str, Any] | None
    parent: int | None
    children: tuple[int, ...]
    steps: tuple[Step, ...]
    articles: tuple[Published, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return it for the API and for programs."""
        p = self.progress
        return {
            "id": p.id,
            "unit": p.unit,
            "state": p.state.value,
            "state_in_words": told("announcement_states", p.state),
            "text": p.text,
            "content": self.wish.content.as_json(),
            "audience": self.wish.audience.as_json(),
            "urgent_reason": self.wish.urgent_reason,
            "joins": self.wish.joins,
            "repeat": self.wish.repeat,
            "expires_at": _iso(self.wish.expires_at),
            "send_at": _iso(self.send_at),
            "author": p.author,
            "approver": self.approver,
            "approved_at": _iso(self.approved_at),
            "version": self.version,
            "problem": self.problem,
            "forecast": self.forecast,
            "recipients": p.audience,
            "counts": dict(p.counts),
            "created_at": _iso(p.created_at),
            "started_at": _iso(p.started_at),
            "closed_at": _iso(p.closed_at),
            "parent": self.parent,
            "children": list(self.children),
            "articles": [a.as_json() for a in self.articles],
            "steps": [
                {"at": _iso(s.at), "actor": s.actor, "action": s.action, "state": s.state, "note": s.note}
                for s in self.steps
            ],
        }


class Viewing(Office):
    """Reads for officers. `shows` are the channels' own renderings, by channel."""

    def __init__(self, office: Office, shows: Mapping[str, Show] | None = None) -> None:
        super().__init__(office.announcements, office.officers)
        self._shows = dict(shows or {})

    async def show(self, login: str, announcement_id: int) -> Shown:
        """Return one announcement.

        Raises:
            Refused: there is none that this officer may see.
        """
        _, row = await self.of(login, announcement_id, SEE)
        database = self.planner.database
        [progress] = await progress_of(database, announcement.c.id == announcement_id, 1)
        async with database.read() as connection:
            steps = (
                await connection.execute(
                    select(step).where(step.c.announcement_id == announcement_id).order_by(step.c.id)
                )
            ).mappings().all()  # fmt: skip
            children = (
                await connection.execute(
                    select(announcement.c.id)
                    .where(announcement.c.parent_id == announcement_id)
                    .order_by(announcement.c.id.desc())
                    .limit(MOST)
                )
            ).scalars().all()  # fmt: skip
        wish = wish_of(row)
        return Shown(
            progress,
            wish,
            wish.digest(row["forecast"] or {}),
            row["approver"],
            aware(row["approved_at"]),
            aware(row["send_at"]),
            _repeat_in_words(row),
            row["problem"],
            row["forecast"],
            row["parent_id"],
            tuple(children),
            tuple(Step(aware(s["at"]) or s["at"], s["actor"], s["action"], s["state"], s["note"]) for s in steps),
            tuple(await articles_of(database, announcement_id, self.now())),
        )

    async def listing(self, login: str, *, states: Sequence[str] = (), limit: int = 50) -> list[Progress]:
        """Return the newest announcements of an officer's unit and below, in some states (none: in all).

        Raises:
            Refused: there is no such officer.
        """
        await self._known(login)
        officer = await self.officers.find(login)
        assert officer is not None
        await self.actor(login, SEE, officer.unit)
        known = [state for state in AnnouncementState if not states or state in states]
        condition = and_(announcement.c.unit.in_(within(self.places, officer.unit)), announcement.c.state.in_(known))
        return await progress_of(self.planner.database, condition, min(limit, MOST))

    def example(self, plan: Plan) -> list[str]:
        """Return a plan's message as a citizen of its first commune gets it, line by line, with buttons and documents."""
        if not plan.text:
            return []
        reply = self.announcements.shown(plan.message, "", next(iter(plan.wards), None))
        documents = [a.title for a in reply.attachments]
        return [*reply.text.splitlines(), *(f"[{in_words(b)}]" for b in reply.buttons), *documents]

    def previews(self, plan: Plan) -> list[Preview]:
        """Return how a plan's message looks on each channel, for a citizen of its first commune."""
        ward = next(iter(plan.wards), None)
        found = []
        for channel in sorted(self.planner.channels):
            reply = self.announcements.shown(plan.message, channel, ward)
            found.append(self._shows.get(channel, as_text(channel))(reply))
        return found


def in_words(button: Button) -> str:
    """Return a button as an officer looks at it: of a link also where it leads."""
    return f"{button.label} → {button.url}" if button.url else button.label


def as_text(channel: str) -> Show:
    """Return a rendering for a channel that shows a reply as it is."""

    def show(reply: Reply) -> Preview:
        buttons = tuple(in_words(b) for b in reply.buttons)
        return Preview(channel, (reply.text,), buttons, tuple(a.title for a in reply.attachments))

    return show


def _repeat_in_words(row: RowMapping) -> str | None:
    if row["repeat"] is None:
        return None
    urgent = row["urgent_reason"] is not None
    return repeat_of(row["repeat"], today=row["created_at"].date(), urgent=urgent).in_words()


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
