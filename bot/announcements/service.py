"""What an officer does with announcements: look before sending, start, try on themselves, stop, ask how it stands.

Who may announce for which unit is decided above; what may be said and who would get it is decided here.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, String, and_, func, insert, literal, literal_column, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.announcements.compose import composed, trial_of
from bot.announcements.hours import is_quiet, next_morning
from bot.announcements.rates import CAREFUL, RATES, Rate
from bot.announcements.states import FINISHED, AnnouncementState, DeliveryState
from bot.announcements.store import Lane, Record, Store
from bot.announcements.tables import announcement, delivery
from bot.announcements.texts import told
from bot.clock import ZONE, Clock
from bot.messages import Channels, LeftForPickup, Outcome
from bot.storage.database import Database, aware
from bot.storage.tables import conversation
from content.places import Places, province_slug, unit_title, within
from nlu import personal

LONGEST: Final = 1500
"""Characters of an officer's text: with heading and footer it fits the smallest of the messengers (Zalo: 2,000)."""
LONGEST_REASON: Final = 200
REPEATED_WITHIN: Final = timedelta(days=7)
SLOW: Final = timedelta(minutes=1)
"""A longer delivery is announced to the officer beforehand."""
_OFFICE_PREFIXES: Final = ("02", "842", "+842")
"""Landlines: an office's number may stand in an announcement."""


class Refused(ValueError):
    """An announcement may not be sent like this; `problems` says why, one sentence each."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__(" ".join(problems))
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True)
class Reach:
    """Citizens who would get it through one channel account, and how long that takes at the account's rate."""

    lane: Lane
    citizens: int
    takes: timedelta


@dataclass(frozen=True, slots=True)
class Plan:
    """An announcement as it would be sent now. With `problems` it may not be; `notes` are good to know."""

    unit: str
    unit_name: str
    text: str
    urgent_reason: str | None
    wards: tuple[str, ...]
    reach: tuple[Reach, ...]
    unreachable: Mapping[str, int]
    """How many citizens of the unit it cannot reach, by reason (keys of the catalogue)."""
    problems: tuple[str, ...]
    notes: tuple[str, ...]
    repeated: str | None
    """The same was sent to the same unit lately: when, in a sentence."""

    @property
    def audience(self) -> int:
        """Citizens who would get it."""
        return sum(r.citizens for r in self.reach)

    @property
    def digest(self) -> str:
        """What tells a repetition."""
        return hashlib.sha256(f"{self.unit}\n{self.text}".encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Progress:
    """How an announcement stands. `counts` is by coded state: "accepted", "failed:blocked"."""

    id: int
    unit: str
    text: str
    state: AnnouncementState
    audience: int
    author: str
    urgent_reason: str | None
    created_at: datetime
    started_at: datetime | None
    closed_at: datetime | None
    counts: Mapping[str, int]

    @property
    def finished(self) -> bool:
        """Whether nothing moves any more by itself."""
        return self.state in FINISHED


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
    ) -> None:
        self._database = database
        self._places = places
        self._clock = clock
        self._accounts = accounts
        self._rates = rates
        self._store = Store(database, clock, record=record)

    async def plan(self, unit: str, text: str, *, urgent_reason: str | None = None) -> Plan:
        """Say what would be sent to whom, what speaks against it, and what is good to know. Changes nothing."""
        now = self._clock()
        units = within(self._places, unit)
        problems = _problems_of(text, urgent_reason)
        if not units:
            problems.append(self._unknown_unit(unit))
        wards = tuple(sorted(w.code for w in self._places.wards() if w.slug in units))
        name = unit_title(self._places, unit)
        whole = composed(name, text, urgent=urgent_reason is not None) if text.strip() and units else ""
        reach: tuple[Reach, ...] = ()
        unreachable: dict[str, int] = {}
        if wards:
            async with self._database.read() as connection:
                reach = await self._reach(connection, wards)
                unreachable = await self._unreachable(connection, wards)
            if not any(r.citizens for r in reach):
                problems.append(told("problems", "nobody", unit=name))
        plan = Plan(unit, name, whole, urgent_reason, wards, reach, unreachable, tuple(problems), (), None)
        before = await self._sent_before(plan, now) if whole else None
        repeated = None
        if before is not None:
            repeated = told("notes", "repeated", unit=name, when=f"{before.astimezone(ZONE):%H:%M %d/%m/%Y}")
        return replace(plan, notes=tuple(_notes_of(plan, text, now)), repeated=repeated)

    async def start(self, plan: Plan, *, author: str, key: str | None = None, again: bool = False) -> int:
        """Write an announcement and its audience down in one transaction; delivering begins by itself.

        Args:
            author: login of the officer.
            key: the caller's own name for it; the same key again returns the same announcement and sends nothing.
            again: send though the same was sent lately.

        Raises:
            Refused: the plan has problems, repeats what was sent, or nobody is left who would get it.
        """
        if key is not None and (known := await self._by_key(key)) is not None:
            return known
        problems = list(plan.problems)
        if plan.repeated is not None and not again:
            problems.append(plan.repeated)
        if problems:
            raise Refused(problems)
        now = self._clock()
        waits = plan.urgent_reason is None and is_quiet(now)
        try:
            async with self._database.write() as connection:
                created = await connection.execute(
                    insert(announcement)
                    .values(
                        key=key,
                        unit=plan.unit,
                        wards=list(plan.wards),
                        text=plan.text,
                        digest=plan.digest,
                        urgent_reason=plan.urgent_reason,
                        author=author,
                        state=AnnouncementState.WAITING if waits else AnnouncementState.SENDING,
                        audience=0,
                        created_at=now,
                    )
                    .returning(announcement.c.id)
                )
                announcement_id = int(created.scalar_one())
                await connection.execute(
                    insert(delivery).from_select(
                        ["announcement_id", "conversation_id", "channel", "account", "state", "attempts"],
                        self._recipients(plan.wards, announcement_id),
                    )
                )
                audience = await connection.scalar(
                    select(func.count()).select_from(delivery).where(delivery.c.announcement_id == announcement_id)
                )
                if not audience:
                    raise Refused([told("problems", "nobody", unit=plan.unit_name)])
                await connection.execute(
                    update(announcement).where(announcement.c.id == announcement_id).values(audience=audience)
                )
        except IntegrityError:
            # Two callers with one key at the same moment: the other one was first.
            if key is not None and (known := await self._by_key(key)) is not None:
                return known
            raise
        return announcement_id

    async def cancel(self, announcement_id: int) -> bool:
        """Stop an announcement: what has not left stays. False if it is finished or unknown."""
        now = self._clock()
        async with self._database.write() as connection:
            stopped = await connection.execute(
                update(announcement)
                .where(announcement.c.id == announcement_id, announcement.c.state.not_in(FINISHED))
                .values(state=AnnouncementState.CANCELLED, closed_at=now)
                .returning(announcement.c.id)
            )
            if stopped.first() is None:
                return False
        while await self._store.sweep_cancelled():
            pass
        return True

    async def trial(self, plan: Plan, conversation_id: int, channels: Channels) -> Outcome:
        """Send a plan's text, marked as a trial, to one conversation.

        Raises:
            Refused: there is no such conversation, it has left, or its account is not of this process.
        """
        query = select(conversation).where(conversation.c.id == conversation_id)
        async with self._database.read() as connection:
            row = (await connection.execute(query)).mappings().one_or_none()
        if row is None:
            raise Refused([told("test_problems", "unknown", id=conversation_id)])
        if row["stopped_at"] is not None:
            raise Refused([told("test_problems", "stopped", id=conversation_id)])
        channel = channels.get(row["channel"], row["account"])
        if channel is None:
            values = {"id": conversation_id, "channel": row["channel"], "account": row["account"]}
            raise Refused([told("test_problems", "no_account", **values)])
        outcome = await channel.send(row["chat"], trial_of(plan.text))
        if isinstance(outcome, LeftForPickup):
            now = self._clock()
            async with self._database.write() as connection:
                await self._store.lay_ready(connection, conversation_id, trial_of(plan.text), now)
            await channel.send(row["chat"], trial_of(plan.text))
        return outcome

    async def progress(self, announcement_id: int) -> Progress | None:
        """Return how one announcement stands; None if there is none of this id."""
        found = await self._progress(announcement.c.id == announcement_id, 1)
        return found[0] if found else None

    async def recent(self, units: Collection[str] | None = None, limit: int = 50) -> list[Progress]:
        """Return the newest announcements of some units (None: of all), the newest first."""
        condition = literal(True) if units is None else announcement.c.unit.in_(list(units))
        return await self._progress(condition, limit)

    # what the plan asks

    def _unknown_unit(self, unit: str) -> str:
        example = next(iter(self._places.wards())).slug
        return told("problems", "unit", unit=unit[:64], example=example, province=province_slug(self._places))

    async def _reach(self, connection: AsyncConnection, wards: Sequence[str]) -> tuple[Reach, ...]:
        query = (
            select(conversation.c.channel, conversation.c.account, func.count().label("citizens"))
            .where(*_subscribed(wards), self._has_account())
            .group_by(conversation.c.channel, conversation.c.account)
            .order_by(conversation.c.channel, conversation.c.account)
        )
        rows = (await connection.execute(query)).all()
        return tuple(Reach(Lane(r.channel, r.account), r.citizens, self._takes(r.channel, r.citizens)) for r in rows)

    def _takes(self, channel: str, citizens: int) -> timedelta:
        rate = self._rates.get(channel, CAREFUL)
        if channel == "web" or rate.per_second is None:
            return timedelta()
        return timedelta(seconds=math.ceil(citizens / (rate.per_second - rate.reserve)))

    async def _unreachable(self, connection: AsyncConnection, wards: Sequence[str]) -> dict[str, int]:
        here = conversation.c.ward.in_(wards)
        stopped = conversation.c.stopped_at.is_not(None)
        conditions: dict[str, ColumnElement[bool]] = {
            "stopped": here & stopped,
            "not_subscribed": and_(here, ~stopped, ~conversation.c.subscribed),
            "no_account": and_(*_subscribed(wards), ~self._has_account()),
        }
        found = {}
        for reason, condition in conditions.items():
            count = await connection.scalar(select(func.count()).select_from(conversation).where(condition))
            if count:
                found[reason] = int(count)
        return found

    def _has_account(self) -> ColumnElement[bool]:
        known = [
            and_(conversation.c.channel == lane.channel, conversation.c.account == lane.account)
            for lane in sorted(self._accounts, key=str)
        ]
        return or_(*known) if known else literal(False)

    def _recipients(self, wards: Sequence[str], announcement_id: int) -> Select[Any]:
        return select(
            literal(announcement_id),
            conversation.c.id,
            conversation.c.channel,
            conversation.c.account,
            literal(DeliveryState.QUEUED.value, String()),
            literal_column("0"),
        ).where(*_subscribed(wards), self._has_account())

    async def _by_key(self, key: str) -> int | None:
        async with self._database.read() as connection:
            return await connection.scalar(select(announcement.c.id).where(announcement.c.key == key))

    async def _sent_before(self, plan: Plan, now: datetime) -> datetime | None:
        query = select(func.max(announcement.c.created_at, type_=announcement.c.created_at.type)).where(
            announcement.c.digest == plan.digest,
            announcement.c.state != AnnouncementState.CANCELLED,
            announcement.c.created_at > now - REPEATED_WITHIN,
        )
        async with self._database.read() as connection:
            return aware(await connection.scalar(query))

    async def _progress(self, condition: ColumnElement[bool], limit: int) -> list[Progress]:
        query = select(announcement).where(condition).order_by(announcement.c.id.desc()).limit(limit)
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).mappings().all()
            counted = await connection.execute(
                select(delivery.c.announcement_id, delivery.c.state, delivery.c.reason, func.count().label("number"))
                .where(delivery.c.announcement_id.in_([r["id"] for r in rows]))
                .group_by(delivery.c.announcement_id, delivery.c.state, delivery.c.reason)
            )
            counts: dict[int, dict[str, int]] = {r["id"]: {} for r in rows}
            for row in counted:
                coded = coded_state(row.state, row.reason)
                counts[row.announcement_id][coded] = counts[row.announcement_id].get(coded, 0) + row.number
        return [
            Progress(
                r["id"],
                r["unit"],
                r["text"],
                AnnouncementState(r["state"]),
                r["audience"],
                r["author"],
                r["urgent_reason"],
                aware(r["created_at"]) or r["created_at"],
                aware(r["started_at"]),
                aware(r["closed_at"]),
                dict(sorted(counts[r["id"]].items())),
            )
            for r in rows
        ]


def coded_state(state: str, reason: str | None) -> str:
    """Return a delivery's state with its reason: "failed:blocked". What waits to be tried again is just queued."""
    shown = reason if state not in (DeliveryState.QUEUED, DeliveryState.SENDING, DeliveryState.ACCEPTED) else None
    return f"{state}:{shown}" if shown else state


def _subscribed(wards: Sequence[str]) -> tuple[ColumnElement[bool], ...]:
    return conversation.c.subscribed, conversation.c.ward.in_(wards), conversation.c.stopped_at.is_(None)


def _problems_of(text: str, urgent_reason: str | None) -> list[str]:
    problems = []
    if not text.strip():
        problems.append(told("problems", "empty"))
    elif len(text.strip()) > LONGEST:
        problems.append(told("problems", "too_long", length=len(text.strip()), limit=LONGEST))
    kinds = {
        f.kind
        for f in personal.find(text)
        if f.kind in personal.REFUSED and not (f.kind == "phone" and _is_office(text[f.start : f.end]))
    }
    if kinds:
        named = ", ".join(told("kinds", kind) for kind in sorted(kinds))
        problems.append(told("problems", "personal", kinds=named))
    if urgent_reason is not None:
        if len(urgent_reason.strip()) < 5:
            problems.append(told("problems", "reason"))
        elif len(urgent_reason) > LONGEST_REASON:
            problems.append(told("problems", "reason_long", limit=LONGEST_REASON))
    return problems


def _notes_of(plan: Plan, text: str, now: datetime) -> list[str]:
    notes = []
    if plan.urgent_reason is None and is_quiet(now):
        notes.append(told("notes", "quiet", when=f"{next_morning(now):%H:%M %d/%m/%Y}"))
    if any(f.kind == "phone" and _is_office(text[f.start : f.end]) for f in personal.find(text)):
        notes.append(told("notes", "office_phone"))
    notes += [
        told("notes", "slow", channel=r.lane.channel, span=in_words(r.takes)) for r in plan.reach if r.takes > SLOW
    ]
    return notes


def _is_office(number: str) -> bool:
    return number.replace(" ", "").replace(".", "").replace("-", "").startswith(_OFFICE_PREFIXES)


def in_words(span: timedelta) -> str:
    """Return a span as one says it: "40 giây", "12 phút", "2 giờ 5 phút"."""
    seconds = math.ceil(span.total_seconds())
    if seconds < 60:
        return f"{seconds} giây"
    minutes = math.ceil(seconds / 60)
    if minutes < 60:
        return f"{minutes} phút"
    hours, rest = divmod(minutes, 60)
    return f"{hours} giờ {rest} phút" if rest else f"{hours} giờ"
