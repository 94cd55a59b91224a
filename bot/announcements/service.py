"""An announcement in one go: look before sending, start, try, stop, ask how it stands.

Who may announce for which unit is decided by the caller; `desk` does that, and knows the whole way through review. What may be
said and who would get it is decided here.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import insert, literal, select
from sqlalchemy.exc import IntegrityError

from bot.announcements.beginning import count_in, new_code
from bot.announcements.compose import Composer, Message, trial_of
from bot.announcements.content import LONGEST, Refused
from bot.announcements.forecast import Reach
from bot.announcements.hours import is_quiet
from bot.announcements.lanes import Lane
from bot.announcements.lifecycle import Action
from bot.announcements.moves import move
from bot.announcements.planning import Plan, Planner, exists_conversation
from bot.announcements.rates import RATES, Rate
from bot.announcements.reading import Held, Progress, held_of, in_words, progress_of
from bot.announcements.rows import Record
from bot.announcements.states import AnnouncementState
from bot.announcements.store import Store
from bot.announcements.tables import announcement
from bot.announcements.texts import told
from bot.clock import ZONE, Clock
from bot.messages import Channels, LeftForPickup, Outcome
from bot.storage.database import Database
from content.places import Places

__all__ = ["LONGEST", "Announcements", "Plan", "Progress", "Reach", "Refused", "in_words"]


class Announcements:
    """The officer's side, over one database.

    Args:
        accounts: the channel accounts that this process has; they may come and go.
    """

    def __init__(
        self,
        database: Database,
        places: Places,
        *,
        clock: Clock,
        accounts: Collection[Lane],
        rates: Mapping[str, Rate] = RATES,
        record: Record | None = None,
        planner: Planner | None = None,
    ) -> None:
        self._database = database
        self._clock = clock
        self.planner = planner or Planner(
            database, places, clock=clock, accounts=accounts, composer=Composer(places), rates=rates
        )
        self._store = Store(database, clock, record=record)

    async def plan(self, unit: str, text: str, *, urgent_reason: str | None = None) -> Plan:
        """Say what would be sent to whom, what speaks against it, and what is good to know. Changes nothing."""
        return await self.planner.plan_text(unit, text, urgent_reason=urgent_reason)

    async def start(self, plan: Plan, *, author: str, key: str | None = None, again: bool = False) -> int:
        """Write an announcement and its audience down in one transaction; delivering begins by itself.

        Args:
            author: login of the officer.
            key: the caller's own name for it; the same key again returns the same announcement and sends nothing.
            again: send though the same was sent lately.

        Raises:
            Refused: the plan has problems, repeats what was sent, or nobody is left who would get it.
        """
        if key is not None and (known := await self.by_key(key)) is not None:
            return known
        problems = list(plan.problems)
        if plan.repeated is not None and not again:
            problems.append(plan.repeated)
        if problems:
            raise Refused(problems)
        now = self._clock()
        waits = plan.urgent_reason is None and is_quiet(now)
        seen = plan.seen
        values = row_of(plan, author) | {
            "key": key,
            "approved_at": now,
            "approved_hash": plan.wish.digest(seen),
            "forecast": seen,
            "state": AnnouncementState.WAITING if waits else AnnouncementState.SENDING,
            "created_at": now,
            "send_at": now,
        }
        try:
            async with self._database.write() as connection:
                made = await connection.execute(insert(announcement).values(**values).returning(announcement.c.id))
                announcement_id = int(made.scalar_one())
                if not await count_in(connection, self.planner, announcement_id, plan.wish, plan.saved):
                    raise Refused([told("problems", "nobody", unit=plan.unit_name)])
        except IntegrityError:
            # Two callers with one key at the same moment: the other one was first.
            if key is not None and (known := await self.by_key(key)) is not None:
                return known
            raise
        return announcement_id

    async def cancel(self, announcement_id: int, *, actor: str | None = None) -> bool:
        """Stop an announcement: what has not left stays. False if it is finished or unknown."""
        async with self._database.write() as connection:
            stopped = await move(
                connection, announcement_id, Action.CANCEL, self._clock(), actor=actor, closed_at=self._clock()
            )
        if stopped:
            await self.sweep()
        return stopped

    async def sweep(self) -> None:
        """End what has not left of what was stopped or taken back."""
        while await self._store.sweep_cancelled():
            pass

    async def trial(self, plan: Plan, conversation_id: int, channels: Channels) -> Outcome:
        """Send a plan's message, marked as a trial, to one conversation. Its buttons lead nowhere and count nothing.

        To whom one may be sent is decided by `Desk.trial`.

        Raises:
            Refused: the plan has problems, there is no such conversation, it has left, or its account is not of this process.
        """
        if plan.problems:
            raise Refused(plan.problems)
        async with self._database.read() as connection:
            row = await exists_conversation(connection, conversation_id)
        if row is None:
            raise Refused([told("test_problems", "unknown", id=conversation_id)])
        if row["stopped_at"] is not None:
            raise Refused([told("test_problems", "stopped", id=conversation_id)])
        channel = channels.get(row["channel"], row["account"])
        if channel is None:
            values = {"id": conversation_id, "channel": row["channel"], "account": row["account"]}
            raise Refused([told("test_problems", "no_account", **values)])
        reply = self.shown(plan.message, row["channel"], row["ward"] or next(iter(plan.wards), None))
        outcome = await channel.send(row["chat"], trial_of(reply))
        if isinstance(outcome, LeftForPickup):
            now = self._clock()
            async with self._database.write() as connection:
                await self._store.lay_ready(connection, conversation_id, trial_of(reply), now)
            await channel.send(row["chat"], trial_of(reply))
        return outcome

    def shown(self, message: Message, channel: str, ward: str | None) -> Any:
        """Return the reply that a citizen of a commune gets on a channel today."""
        return self.planner.composer.reply(message, channel, ward, self._clock().astimezone(ZONE).date())

    async def progress(self, announcement_id: int) -> Progress | None:
        """Return how one announcement stands; None if there is none of this id."""
        found = await progress_of(self._database, announcement.c.id == announcement_id, 1)
        return found[0] if found else None

    async def held_by_limit(self, announcement_id: int) -> Held | None:
        """Return who is left of one announcement, if nobody but those who had their three of the day."""
        return await held_of(self._database, announcement_id, self._clock())

    async def recent(self, units: Collection[str] | None = None, limit: int = 50) -> list[Progress]:
        """Return the newest announcements of some units (None: of all), the newest first."""
        condition = literal(True) if units is None else announcement.c.unit.in_(list(units))
        return await progress_of(self._database, condition, limit)

    async def by_key(self, key: str) -> int | None:
        """Return the announcement with a caller's own name."""
        async with self._database.read() as connection:
            return await connection.scalar(select(announcement.c.id).where(announcement.c.key == key))


def row_of(plan: Plan, author: str) -> dict[str, Any]:
    """Return the columns of a new announcement that its plan decides."""
    wish = plan.wish
    return {
        "code": new_code(),
        "kind": "plain" if wish.repeat is None else "repeated",
        "unit": plan.unit,
        "wards": list(plan.wards),
        "text": plan.text,
        "content": wish.content.as_json(),
        "category": wish.content.category,
        "query": wish.audience.as_json(),
        "repeat": wish.repeat,
        "joins": wish.joins,
        "digest": plan.digest,
        "urgent_reason": wish.urgent_reason,
        "author": author,
        "writers": [author],
        "audience": 0,
        "expires_at": wish.expires_at,
    }
