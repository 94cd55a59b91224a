"""What would be sent to whom, what speaks against it, and what is good to know. Changes nothing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Final

from sqlalchemy import ColumnElement, RowMapping, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.announcements import audience as audiences
from bot.announcements import content as contents
from bot.announcements import templates
from bot.announcements.audience import Audience, audience_of, narrowed, of_unit
from bot.announcements.compose import Composer, Message
from bot.announcements.content import Content, Refused, Stamped, plain_content, reason_problems
from bot.announcements.forecast import Forecast, Reach, forecast, left_out
from bot.announcements.hours import is_quiet, next_morning
from bot.announcements.lanes import Lane
from bot.announcements.rates import RATES, Rate
from bot.announcements.reading import in_words
from bot.announcements.selecting import asked_for
from bot.announcements.states import AnnouncementState
from bot.announcements.tables import announcement, saved_audience
from bot.announcements.texts import grouped, told
from bot.clock import ZONE, Clock
from bot.storage.database import Database, aware
from bot.storage.tables import conversation
from content.places import Places, province_slug, unit_title, within

REPEATED_WITHIN: Final = timedelta(days=7)
SLOW: Final = timedelta(minutes=1)
"""A longer delivery is announced to the officer beforehand."""
SMALLEST: Final = 2_000
"""Characters of a message on a channel whose limit is not known (Zalo's)."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What an officer wants: what is said, to whom, and how."""

    unit: str
    """The unit that speaks."""
    content: Content
    audience: Audience
    urgent_reason: str | None = None
    repeat: Mapping[str, Any] | None = None
    joins: bool = False
    expires_at: datetime | None = None

    def digest(self, seen: Mapping[str, Any]) -> str:
        """Return what an approval binds: everything above, and what the approver saw of it (`Plan.seen`)."""
        bound = {
            "unit": self.unit,
            "content": self.content.as_json(),
            "audience": self.audience.as_json(),
            "urgent_reason": self.urgent_reason,
            "repeat": self.repeat,
            "joins": self.joins,
            "expires_at": None if self.expires_at is None else self.expires_at.astimezone(ZONE).isoformat(),
            "forecast": seen,
        }
        whole = json.dumps(bound, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(whole.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Plan:
    """An announcement as it would be sent now. With `problems` it may not be; `notes` are good to know."""

    unit: str
    unit_name: str
    text: str
    urgent_reason: str | None
    wards: tuple[str, ...]
    wish: Wish
    forecast: Forecast = field(default_factory=Forecast)
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    repeated: str | None = None
    """The same was sent to the same unit lately: when, in a sentence."""
    saved: Mapping[str, Audience] = field(default_factory=dict)
    """What the saved audiences that it leaves out ask for now, by name."""
    whom: str = ""
    """The audience in words; "" where it cannot be asked for."""
    counted: bool = False
    """Whether it was asked how many citizens there are."""
    told: str = ""
    """Who was asked for approval and who could not be, in words, once it was submitted."""
    stamps: Mapping[str, str] = field(default_factory=dict)
    """The version of each document, where the library can tell."""

    @property
    def audience(self) -> int:
        """Citizens who would get it."""
        return self.forecast.audience

    @property
    def reach(self) -> tuple[Reach, ...]:
        """Them, by channel account."""
        return self.forecast.reach

    @property
    def unreachable(self) -> Mapping[str, int]:
        """How many citizens of the audience it cannot reach, by reason (keys of the catalogue)."""
        return self.forecast.unreachable

    @property
    def behind(self) -> dict[str, Any]:
        """What stands behind the names in the wish. It can change without the wish, so a yes binds it too."""
        return _behind({name: query.as_json() for name, query in self.saved.items()}, self.stamps)

    @property
    def seen(self) -> dict[str, Any]:
        """What an approver is shown beside the wish, for storage and for the approval's hash."""
        return self.forecast.as_json() | self.behind

    @property
    def digest(self) -> str:
        """What tells a repetition."""
        return hashlib.sha256(f"{self.unit}\n{self.text}".encode()).hexdigest()

    @property
    def message(self) -> Message:
        """What is composed for a citizen; it has no id and no code yet."""
        return Message(0, self.unit, self.text, self.urgent_reason is not None, self.wish.content)


class Planner:
    """Plans, over one database.

    Args:
        accounts: the channel accounts of this process; a live collection, since they come and go.
        topics: slugs of the library.
        limits: characters of a message, by channel.
        paying: those of the accounts that may send what costs money; live too.
    """

    def __init__(
        self,
        database: Database,
        places: Places,
        *,
        clock: Clock,
        accounts: Collection[Lane],
        composer: Composer,
        topics: Collection[str] = (),
        rates: Mapping[str, Rate] = RATES,
        limits: Mapping[str, int] = MappingProxyType({}),
        paying: Collection[Lane] = (),
    ) -> None:
        self.database = database
        self.places = places
        self.clock = clock
        self._accounts = accounts
        self.composer = composer
        self.topics = frozenset(topics)
        self._rates = rates
        self._limits = limits
        self._paying = paying

    @property
    def accounts(self) -> frozenset[Lane]:
        """The channel accounts that there are now."""
        return frozenset(self._accounts)

    @property
    def channels(self) -> frozenset[str]:
        """The channels of this installation."""
        return frozenset(lane.channel for lane in self.accounts)

    async def plan_text(self, unit: str, text: str, *, urgent_reason: str | None = None) -> Plan:
        """Plan a text for everybody of a unit."""
        return await self.plan(Wish(unit, plain_content(text), of_unit(unit), urgent_reason))

    async def plan(self, wish: Wish) -> Plan:
        """Plan a wish.

        Raises:
            Refused: there is no saved audience of the name that it gives, or it asks against it.
        """
        wish = await self._resolved(wish)
        now = self.clock()
        name = unit_title(self.places, wish.unit)
        problems = contents.problems_of(
            wish.content, topics=self.topics, shelf=self.composer.shelf, channels=self.channels
        )
        problems += templates.problems_of(wish.content.templates, self.accounts)
        problems += reason_problems(wish.urgent_reason)
        known, misasked = bool(within(self.places, wish.unit)), []
        if not known:
            problems.append(self._unknown_unit(wish.unit))
        else:
            misasked = audiences.problems_of(
                wish.audience, wish.unit, places=self.places, topics=self.topics, channels=self.channels
            )
            problems += misasked
        if wish.expires_at is not None and wish.expires_at <= now:
            problems.append(told("problems", "too_late"))
        text, urgent = wish.content.text, wish.urgent_reason is not None
        whole = self.composer.whole(wish.unit, text, urgent=urgent) if text.strip() and known else ""
        wards = wish.audience.wards(self.places) if known else ()
        plan = Plan(wish.unit, name, whole, wish.urgent_reason, wards, wish)
        plan = replace(plan, stamps=self._stamps(wish.content))
        before = None
        # How many citizens another unit has, or anybody by a question that cannot be, is nothing to be told.
        if wards and not misasked:
            plan = replace(plan, whom=audiences.audience_in_words(wish.audience, self.places))
            async with self.database.read() as connection:
                saved, unknown = await self.saved(connection, wish)
                problems += unknown
                plan = replace(plan, saved=saved)
                if not unknown:
                    plan = replace(plan, counted=True, forecast=await self.count(connection, wish, saved))
                    before = await self._sent_before(connection, plan, now)
                    if not plan.audience:
                        problems.append(await self._nobody(connection, wish))
        if whole:
            problems += self._length_problems(plan)
        repeated = None
        if before is not None:
            repeated = told("notes", "repeated", unit=name, when=f"{before.astimezone(ZONE):%H:%M %d/%m/%Y}")
        return replace(
            plan,
            problems=tuple(problems),
            notes=(*_notes_of(plan, now), *self.composer.notes(wish.content)),
            repeated=repeated,
        )

    async def _nobody(self, connection: AsyncConnection, wish: Wish) -> str:
        """Say why there is nobody: nobody subscribed there, or nobody of whom the question asks."""
        asked = wish.audience
        units = audiences.units_in_words(asked.units, self.places)
        all_there = Audience(asked.units, asked.without_units)
        there = await self.count(connection, replace(wish, audience=all_there), {})
        if there.audience:
            return told("problems", "nobody_fits", unit=units, number=grouped(there.audience))
        return told("problems", "nobody_wants" if "muted" in there.unreachable else "nobody", unit=units)

    async def count(self, connection: AsyncConnection, wish: Wish, saved: Mapping[str, Audience]) -> Forecast:
        """Return whom a wish would reach now."""
        return await forecast(
            connection,
            wish.audience,
            wish.content.category,
            places=self.places,
            accounts=self.accounts,
            rates=self._rates,
            now=self.clock(),
            saved=saved,
            templates=wish.content.templates,
            paying=self._paying,
        )

    def left_out(self, wish: Wish, saved: Mapping[str, Audience], *, postgres: bool) -> dict[str, ColumnElement[bool]]:
        """Return whom a wish does not reach, as one condition for each reason."""
        now = self.clock()
        return left_out(
            wish.audience,
            wish.content.category,
            asked=asked_for(wish.audience, places=self.places, now=now, postgres=postgres, saved=saved),
            places=self.places,
            accounts=self.accounts,
            now=now,
            templates=wish.content.templates,
            paying=self._paying,
        )

    async def saved(self, connection: AsyncConnection, wish: Wish) -> tuple[dict[str, Audience], list[str]]:
        """Return the saved audiences that a wish leaves out, and a problem for each that does not exist."""
        names = wish.audience.without_saved
        if not names:
            return {}, []
        query = select(saved_audience.c.name, saved_audience.c.query).where(
            saved_audience.c.unit == wish.unit, saved_audience.c.name.in_(names)
        )
        found = {row.name: audience_of(row.query) for row in (await connection.execute(query)).all()}
        return found, [told("audience_problems", "saved", name=n[:64]) for n in names if n not in found]

    def _stamps(self, content: Content) -> dict[str, str]:
        shelf = self.composer.shelf
        if not isinstance(shelf, Stamped):
            return {}
        return {name: stamp for name in content.documents if (stamp := shelf.stamp(name))}

    async def _resolved(self, wish: Wish) -> Wish:
        """Put a saved audience's question in the place of its name: what is approved is the question, whatever is saved later."""
        if not (name := wish.audience.saved):
            return wish
        query = select(saved_audience.c.query).where(saved_audience.c.unit == wish.unit, saved_audience.c.name == name)
        async with self.database.read() as connection:
            found = await connection.scalar(query)
        if found is None:
            raise Refused([told("audience_problems", "saved", name=name[:64])])
        return replace(wish, audience=narrowed(audience_of(found), wish.audience, wish.unit))

    def _unknown_unit(self, unit: str) -> str:
        example = next(iter(self.places.wards())).slug
        return told("problems", "unit", unit=unit[:64], example=example, province=province_slug(self.places))

    def _length_problems(self, plan: Plan) -> list[str]:
        """A text may fit by itself and no longer with the longest name of a commune in each place."""
        day = self.clock().astimezone(ZONE).date()
        longest = max(plan.wards, key=lambda code: len(self.composer.values(plan.unit, code, day)["xa"]), default=None)
        problems = []
        for channel in sorted(self.channels):
            limit = self._limits.get(channel, SMALLEST)
            reply = self.composer.reply(plan.message, channel, longest, day)
            problems += templates.length_problems(reply.templates)
            length = len(reply.text)
            if length > limit:
                problems.append(
                    told("content_problems", "length", channel=told("channels", channel), length=length, limit=limit)
                )
        return problems

    async def _sent_before(self, connection: AsyncConnection, plan: Plan, now: datetime) -> datetime | None:
        query = select(func.max(announcement.c.created_at, type_=announcement.c.created_at.type)).where(
            announcement.c.digest == plan.digest,
            announcement.c.started_at.is_not(None) | announcement.c.state.in_(("waiting", "sending")),
            announcement.c.state != AnnouncementState.CANCELLED,
            announcement.c.created_at > now - REPEATED_WITHIN,
        )
        return aware(await connection.scalar(query))


def wish_of(row: RowMapping) -> Wish:
    """Return the wish that a row of the table holds."""
    content = plain_content(row["text"]) if row["content"] is None else contents.content_of(row["content"])
    audience = of_unit(row["unit"]) if row["query"] is None else audience_of(row["query"])
    return Wish(
        row["unit"], content, audience, row["urgent_reason"], row["repeat"], bool(row["joins"]), aware(row["expires_at"])
    )  # fmt: skip


def behind_of(seen: Mapping[str, Any]) -> dict[str, Any]:
    """Return what stood behind the names of a wish when somebody looked (`Plan.seen`)."""
    return _behind(seen.get("saved") or {}, seen.get("documents") or {})


def saved_of(seen: Mapping[str, Any]) -> dict[str, Audience]:
    """Return what the saved audiences that it leaves out asked for when somebody looked."""
    return {name: audience_of(query) for name, query in (seen.get("saved") or {}).items()}


async def exists_conversation(connection: AsyncConnection, conversation_id: int) -> RowMapping | None:
    """Return a conversation, for a trial."""
    query = select(conversation).where(conversation.c.id == conversation_id)
    return (await connection.execute(query)).mappings().one_or_none()


def _behind(saved: Mapping[str, Any], stamps: Mapping[str, str]) -> dict[str, Any]:
    # Nothing behind it, no entry: the hash of what names nothing is what it always was.
    found = {"saved": dict(sorted(saved.items())), "documents": dict(sorted(stamps.items()))}
    return {key: value for key, value in found.items() if value}


def _notes_of(plan: Plan, now: datetime) -> list[str]:
    notes = []
    if plan.urgent_reason is None and is_quiet(now):
        notes.append(told("notes", "quiet", when=f"{next_morning(now):%H:%M %d/%m/%Y}"))
    by_account = {t.account: t.id for t in plan.wish.content.templates}
    notes += [
        told(
            "notes", "template", account=r.lane.account, id=by_account[r.lane.account], number=r.templated, cost=r.cost
        )
        for r in plan.reach
        if r.templated
    ]
    if contents.names_office(plan.wish.content.text):
        notes.append(told("notes", "office_phone"))
    notes += [
        told("notes", "slow", channel=r.lane.channel, span=in_words(r.takes)) for r in plan.reach if r.takes > SLOW
    ]
    return notes
