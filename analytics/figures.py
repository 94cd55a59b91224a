"""What happened, in figures: every sum is made by the database, so memory does not grow with the number of events.

A day is a day in Vietnam. `askers` are conversations of a day: somebody who asks on three days counts three times, since
nothing is kept by which a person could be known again (`analytics.events.visitor_of`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, case, func, literal_column, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from analytics.tables import event

ZONE: Final = ZoneInfo("Asia/Ho_Chi_Minh")
ANSWERED: Final = "answered"
UNKNOWN: Final = "unknown"
QUESTIONS: Final = ("answered", "clarified", "out_of_scope", "unknown", "handed_over", "refused_personal_data", "error")
"""Statuses of turns that were questions; a greeting or the choice of a commune is none."""
ACTIONS: Final = (
    "chon-xa-phuong",
    "nhan-thong-bao",
    "tat-thong-bao",
    "tai-lieu-tuyen-truyen",
    "hoc-ky-nang-so",
    "danh-gia",
    "du-lieu-cua-toi",
    "xoa-du-lieu",
)
"""What the bot does rather than answers: when it asks back there ("which commune?"), nobody asked a question."""
LEAST: Final = 5
"""Fewer askers than this are not shown outside a unit's own page: they might be known to everybody in a village."""


@dataclass(frozen=True, slots=True)
class TopicRow:
    """Questions on one topic."""

    topic: str
    questions: int
    answered: int
    unknown: int


@dataclass(frozen=True, slots=True)
class MaterialRow:
    """How often one item was given out."""

    pack: str
    item: str
    topic: str | None
    unit: str | None
    channel: str | None
    given: int


@dataclass(frozen=True, slots=True)
class AnnouncementRow:
    """What became of one announcement's deliveries: by coded state ("accepted", "failed:blocked"), as they stand now."""

    announcement_id: int
    total: int
    states: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class GroupRow:
    """The figures of one commune or one channel (`key`; None: not chosen). `askers` None: too few to be shown."""

    key: str | None
    askers: int | None
    questions: int
    answered: int
    unknown: int
    materials: int
    deliveries: int
    """Announcements that a channel accepted for a citizen."""


@dataclass(frozen=True, slots=True)
class DayRow:
    """The figures of one day."""

    day: date
    askers: int | None
    questions: int
    materials: int
    deliveries: int


@dataclass(frozen=True, slots=True)
class RatingRow:
    """Praise and blame for answers on one topic."""

    topic: str | None
    helpful: int
    not_helpful: int


@dataclass(frozen=True, slots=True)
class Figures:
    """Everything the reports tell, of the days `since` to `until` (both included) and some units (None: all)."""

    since: date
    until: date
    units: tuple[str, ...] | None
    askers: int | None = 0
    newcomers: int = 0
    questions: int = 0
    statuses: Mapping[str, int] = field(default_factory=dict)
    """All turns by status, courtesies and actions included."""
    topics: tuple[TopicRow, ...] = ()
    materials: tuple[MaterialRow, ...] = ()
    announcements: tuple[AnnouncementRow, ...] = ()
    by_unit: tuple[GroupRow, ...] = ()
    by_channel: tuple[GroupRow, ...] = ()
    by_day: tuple[DayRow, ...] = ()
    subscribed: int = 0
    unsubscribed: int = 0
    communes_chosen: int = 0
    officer_answers: int = 0
    """Questions that an officer answered in the period, whenever they were asked."""
    ratings: tuple[RatingRow, ...] = ()

    @property
    def answered_share(self) -> float | None:
        """Answered questions among all, 0 to 1; None without questions."""
        return self.statuses.get(ANSWERED, 0) / self.questions if self.questions else None

    @property
    def unknown_share(self) -> float | None:
        """Questions whose answer the library lacks, 0 to 1; None without questions."""
        return self.statuses.get(UNKNOWN, 0) / self.questions if self.questions else None

    @property
    def given(self) -> int:
        """Materials given out."""
        return sum(row.given for row in self.materials)


async def figures(
    connection: AsyncConnection, *, since: date, until: date, units: Collection[str] | None = None
) -> Figures:
    """Count what happened from one day to another.

    Args:
        since: first day, in Vietnam.
        until: last day, included.
        units: slugs of communes; None for all, also what happened before a commune was chosen.

    Raises:
        ValueError: `until` is before `since`.
    """
    if until < since:
        raise ValueError("the last day is before the first")
    asks = _Asks(connection, since, until, None if units is None else tuple(units))
    statuses = {
        status: number
        for status, number in await asks.rows(
            select(event.c.status, func.count()).where(event.c.name == "turn").group_by(event.c.status)
        )
        if status
    }
    rating = event.c.data["helpful"].as_boolean()
    return Figures(
        since,
        until,
        None if units is None else tuple(units),
        askers=await asks.number(func.count(event.c.visitor.distinct()), event.c.name == "turn"),
        newcomers=await asks.number(func.count(), event.c.name == "turn", event.c.data["first"].as_boolean()),
        questions=await asks.number(func.count(), _is_question()),
        statuses=statuses,
        topics=tuple(
            TopicRow(*row)
            for row in await asks.rows(
                select(event.c.topic, _questions(), _sum(event.c.status == ANSWERED), _sum(event.c.status == UNKNOWN))
                .where(_is_question(), event.c.topic.is_not(None))
                .group_by(event.c.topic)
                .order_by(_questions().desc(), event.c.topic)
            )
        ),
        materials=await _materials(asks),
        announcements=await _announcements(asks),
        by_unit=await _groups(asks, event.c.unit),
        by_channel=await _groups(asks, event.c.channel),
        by_day=await _days(asks),
        subscribed=await asks.number(
            func.count(), event.c.name == "subscription", event.c.data["subscribed"].as_boolean()
        ),
        unsubscribed=await asks.number(
            func.count(), event.c.name == "subscription", ~event.c.data["subscribed"].as_boolean()
        ),
        communes_chosen=await asks.number(func.count(), event.c.name == "commune"),
        officer_answers=await asks.number(
            func.count(), event.c.name == "question", event.c.data["what"].as_string() == "answered"
        ),
        ratings=tuple(
            RatingRow(*row)
            for row in await asks.rows(
                select(event.c.topic, _sum(rating), _sum(~rating))
                .where(event.c.name == "rating")
                .group_by(event.c.topic)
                .order_by(func.count().desc(), event.c.topic)
            )
        ),
    )


class _Asks:
    """Puts questions about one period and some units."""

    def __init__(self, connection: AsyncConnection, since: date, until: date, units: tuple[str, ...] | None) -> None:
        self.connection = connection
        self.since, self.until, self.units = since, until, units
        begin = datetime.combine(since, time(), ZONE).astimezone(UTC)
        end = datetime.combine(until + timedelta(days=1), time(), ZONE).astimezone(UTC)
        self.period: list[ColumnElement[bool]] = [event.c.at >= begin, event.c.at < end]
        self.place: list[ColumnElement[bool]] = [] if units is None else [event.c.unit.in_(units)]

    async def rows(self, query: Any) -> Sequence[Any]:
        found: Sequence[Any] = (await self.connection.execute(query.where(*self.period, *self.place))).all()
        return found

    async def number(self, what: ColumnElement[int], *conditions: ColumnElement[bool]) -> int:
        rows = await self.rows(select(what).select_from(event).where(*conditions))
        return int(rows[0][0] or 0)

    @property
    def day(self) -> ColumnElement[str]:
        """The day in Vietnam (UTC+7 all year) as 2026-11-22."""
        if self.connection.dialect.name == "sqlite":
            return func.date(event.c.at, literal_column("'+7 hours'"))
        return func.to_char(func.timezone(ZONE.key, event.c.at), literal_column("'YYYY-MM-DD'"))


def _sum(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)


def _is(name: str) -> ColumnElement[bool]:
    return event.c.name == name


def _is_question() -> ColumnElement[bool]:
    doing = (event.c.status == "clarified") & func.coalesce(event.c.topic, "").in_(ACTIONS)
    return _is("turn") & event.c.status.in_(QUESTIONS) & ~doing


def _questions() -> ColumnElement[int]:
    return _sum(_is_question())


def _accepted() -> ColumnElement[int]:
    return _sum(_is("delivery") & (event.c.data["state"].as_string() == "accepted"))


_COUNTED: Final = or_(*(event.c.name == name for name in ("turn", "material", "delivery")))


async def _groups(asks: _Asks, column: ColumnElement[Any]) -> tuple[GroupRow, ...]:
    query = (
        select(
            column,
            func.count(case((_is("turn"), event.c.visitor)).distinct()),
            _questions(),
            _sum(_is("turn") & (event.c.status == ANSWERED)),
            _sum(_is("turn") & (event.c.status == UNKNOWN)),
            _sum(_is("material")),
            _accepted(),
        )
        .where(_COUNTED)
        .group_by(column)
        .order_by(_questions().desc(), column.is_(None), column)
    )
    return tuple(GroupRow(*row) for row in await asks.rows(query))


async def _days(asks: _Asks) -> tuple[DayRow, ...]:
    query = (
        select(
            asks.day.label("day"),
            func.count(case((_is("turn"), event.c.visitor)).distinct()),
            _questions(),
            _sum(_is("material")),
            _accepted(),
        )
        .where(_COUNTED)
        .group_by(literal_column("1"))
    )
    found = {row[0]: row[1:] for row in await asks.rows(query)}
    days = (asks.since + timedelta(days=i) for i in range((asks.until - asks.since).days + 1))
    return tuple(DayRow(day, *found.get(day.isoformat(), (0, 0, 0, 0))) for day in days)


async def _materials(asks: _Asks) -> tuple[MaterialRow, ...]:
    pack, item = event.c.data["pack"].as_string().label("pack"), event.c.data["item"].as_string().label("item")
    query = (
        select(pack, item, event.c.topic, event.c.unit, event.c.channel, func.count().label("given"))
        .where(_is("material"))
        .group_by(literal_column("1"), literal_column("2"), event.c.topic, event.c.unit, event.c.channel)
        .order_by(func.count().desc(), literal_column("1"), literal_column("2"), event.c.unit, event.c.channel)
    )
    return tuple(MaterialRow(*row) for row in await asks.rows(query))


async def _announcements(asks: _Asks) -> tuple[AnnouncementRow, ...]:
    """Announcements with a delivery in the period, with all their deliveries: as they stand, not as they stood."""
    number = event.c.data["announcement_id"].as_integer()
    ids = [row[0] for row in await asks.rows(select(number.label("id")).where(_is("delivery")).distinct())]
    if not ids:
        return ()
    state, reason = event.c.data["state"].as_string(), event.c.data["reason"].as_string()
    again = event.c.data["again"].as_boolean()
    query = (
        select(number, state, reason, func.count(), _sum(again))
        .where(_is("delivery"), number.in_(ids), *asks.place)
        .group_by(literal_column("1"), literal_column("2"), literal_column("3"))
    )
    states: dict[int, dict[str, int]] = {i: {} for i in ids}
    told_again: dict[int, int] = dict.fromkeys(ids, 0)
    for announcement_id, state_, reason_, count, repeated in (await asks.connection.execute(query)).all():
        coded = f"{state_}:{reason_}" if reason_ else state_
        states[announcement_id][coded] = states[announcement_id].get(coded, 0) + count
        told_again[announcement_id] += repeated
    rows = []
    for announcement_id, counts in states.items():
        # What waited for a visit is told of again when its page was opened; it counts as what it became.
        waiting = counts.pop("waiting_for_visit", 0) - told_again[announcement_id]
        if waiting:
            counts["waiting_for_visit"] = waiting
        rows.append(AnnouncementRow(announcement_id, sum(counts.values()), dict(sorted(counts.items()))))
    return tuple(sorted(rows, key=lambda row: -row.announcement_id))


def protected(told: Figures, least: int = LEAST) -> Figures:
    """Return figures that may leave the unit: small numbers of askers are hidden (None), and cannot be worked out.

    Where exactly one commune of the table is hidden, the next smallest is hidden too: otherwise the total gives it away.
    """
    by_unit = _hidden(told.by_unit, least)
    by_channel = _hidden(told.by_channel, least)
    return replace(
        told,
        askers=_shown(told.askers, least),
        by_unit=by_unit,
        by_channel=by_channel,
        by_day=tuple(replace(row, askers=_shown(row.askers, least)) for row in told.by_day),
    )


def _shown(number: int | None, least: int) -> int | None:
    return None if number is not None and 0 < number < least else number


def _hidden(rows: tuple[GroupRow, ...], least: int) -> tuple[GroupRow, ...]:
    hidden = {i for i, row in enumerate(rows) if row.askers and row.askers < least}
    if len(hidden) == 1:
        others = [(row.askers, i) for i, row in enumerate(rows) if i not in hidden and row.askers]
        if others:
            hidden.add(min(others)[1])
    return tuple(replace(row, askers=None) if i in hidden else row for i, row in enumerate(rows))


__all__ = [
    "LEAST",
    "AnnouncementRow",
    "DayRow",
    "Figures",
    "GroupRow",
    "MaterialRow",
    "RatingRow",
    "TopicRow",
    "figures",
    "protected",
]
