"""A small world, worked out by hand, comes out exactly."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import create_async_engine

from analytics.events import (
    CommuneChosen,
    DeliveryEnded,
    Event,
    MaterialGiven,
    QuestionEnded,
    Rated,
    SubscriptionChanged,
    TurnAnswered,
    record_many,
)
from analytics.figures import (
    AnnouncementRow,
    DayRow,
    Figures,
    GroupRow,
    MaterialRow,
    RatingRow,
    TopicRow,
    figures,
    protected,
)
from analytics.tables import metadata
from bot.storage.database import Database

pytestmark = pytest.mark.anyio
FRIDAY, SATURDAY, SUNDAY = date(2026, 11, 20), date(2026, 11, 21), date(2026, 11, 22)


def at(day: date, hour: int, minute: int = 0) -> datetime:
    """A moment by the clock of Vietnam, in UTC as the program writes it."""
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=UTC) - timedelta(hours=7)


def turn(
    moment: datetime,
    unit: str | None,
    channel: str,
    who: str,
    status: str,
    topic: str | None = None,
    *,
    first: bool = False,
) -> TurnAnswered:
    return TurnAnswered(moment, unit, channel, who, "text", status, topic, None, 0.9, first)


WORLD: list[Event] = [
    # Friday: Lan (Phủ Thông, Telegram) greets, asks twice; Minh (Đức Xuân, web) asks once and gets no answer.
    turn(at(FRIDAY, 8), "phu-thong", "telegram", "lan-fri", "smalltalk", first=True),
    turn(at(FRIDAY, 8, 1), "phu-thong", "telegram", "lan-fri", "answered", "khai-sinh"),
    turn(at(FRIDAY, 8, 2), "phu-thong", "telegram", "lan-fri", "answered", "tam-tru"),
    turn(at(FRIDAY, 23, 59), "duc-xuan", "web", "minh-fri", "unknown", None),
    CommuneChosen(at(FRIDAY, 8, 3), "phu-thong", "telegram"),
    SubscriptionChanged(at(FRIDAY, 8, 4), "phu-thong", "telegram", subscribed=True),
    # An officer answers Minh's question, and closes an older one.
    QuestionEnded(at(SATURDAY, 9), "duc-xuan", "web", "answered", "unknown", 9),
    QuestionEnded(at(SATURDAY, 9), "duc-xuan", "web", "closed", "unclear", 50),
    # Saturday begins at midnight in Vietnam, 17:00 UTC on Friday. Minh asks again: a new asker of that day.
    turn(at(SATURDAY, 0, 0), "duc-xuan", "web", "minh-sat", "clarified", None),
    turn(at(SATURDAY, 0, 1), "duc-xuan", "web", "minh-sat", "answered", "khai-sinh"),
    turn(at(SATURDAY, 9), None, "web", "guest-sat", "out_of_scope", None, first=True),
    MaterialGiven(at(SATURDAY, 9, 5), "duc-xuan", "web", "khai-sinh", "dvc-thiet-yeu", "to-roi"),
    MaterialGiven(at(SATURDAY, 9, 6), "duc-xuan", "web", "khai-sinh", "dvc-thiet-yeu", "to-roi"),
    MaterialGiven(at(SATURDAY, 9, 7), "phu-thong", "telegram", None, "phong-chong-lua-dao", "loa-xa"),
    Rated(at(SATURDAY, 9, 8), "duc-xuan", "web", "khai-sinh", "giay-to", helpful=True),
    Rated(at(SATURDAY, 9, 9), "phu-thong", "telegram", "khai-sinh", None, helpful=False),
    # Announcement 7 goes to Phủ Thông: two on Telegram (one blocked), two on the web, one of whom opens the page on Sunday.
    DeliveryEnded(at(SATURDAY, 10), "phu-thong", "telegram", 7, "accepted", None),
    DeliveryEnded(at(SATURDAY, 10), "phu-thong", "telegram", 7, "failed", "blocked"),
    DeliveryEnded(at(SATURDAY, 10), "phu-thong", "web", 7, "waiting_for_visit", None),
    DeliveryEnded(at(SATURDAY, 10), "phu-thong", "web", 7, "waiting_for_visit", None),
    DeliveryEnded(at(SUNDAY, 11), "phu-thong", "web", 7, "accepted", None, again=True),
    SubscriptionChanged(at(SUNDAY, 12), "phu-thong", "telegram", subscribed=False),
]


async def told(database: Database, happened: list[Event], **options: Any) -> Figures:
    async with database.write() as connection:
        await record_many(connection, happened)
    async with database.read() as connection:
        return await figures(connection, since=FRIDAY, until=SUNDAY, **options)


async def test_the_whole_world_comes_out_exactly(database: Database) -> None:
    assert await told(database, WORLD) == Figures(
        FRIDAY,
        SUNDAY,
        None,
        askers=4,  # Lan and Minh on Friday, Minh and a guest on Saturday
        newcomers=2,  # Lan and the guest
        questions=6,  # all eight turns of people but the greeting: answered 3, unknown 1, clarified 1, out of scope 1
        statuses={"answered": 3, "unknown": 1, "clarified": 1, "out_of_scope": 1, "smalltalk": 1},
        topics=(TopicRow("khai-sinh", 2, 2, 0), TopicRow("tam-tru", 1, 1, 0)),
        materials=(
            MaterialRow("dvc-thiet-yeu", "to-roi", "khai-sinh", "duc-xuan", "web", 2),
            MaterialRow("phong-chong-lua-dao", "loa-xa", None, "phu-thong", "telegram", 1),
        ),
        announcements=(AnnouncementRow(7, 4, {"accepted": 2, "failed:blocked": 1, "waiting_for_visit": 1}),),
        by_unit=(
            GroupRow("duc-xuan", 2, 3, 1, 1, 2, 0),
            GroupRow("phu-thong", 1, 2, 2, 0, 1, 2),
            GroupRow(None, 1, 1, 0, 0, 0, 0),
        ),
        by_channel=(GroupRow("web", 3, 4, 1, 1, 2, 1), GroupRow("telegram", 1, 2, 2, 0, 1, 1)),
        by_day=(DayRow(FRIDAY, 2, 3, 0, 0), DayRow(SATURDAY, 2, 3, 3, 1), DayRow(SUNDAY, 0, 0, 0, 1)),
        subscribed=1,
        unsubscribed=1,
        communes_chosen=1,
        officer_answers=1,
        ratings=(RatingRow("khai-sinh", 1, 1),),
    )


async def test_the_shares_are_of_questions(database: Database) -> None:
    found = await told(database, WORLD)
    assert found.answered_share == 3 / 6
    assert found.unknown_share == 1 / 6
    async with database.read() as connection:
        empty = await figures(connection, since=date(2020, 1, 1), until=date(2020, 1, 2))
    assert (empty.answered_share, empty.questions, len(empty.by_day)) == (None, 0, 2)


async def test_a_unit_sees_its_own_only(database: Database) -> None:
    found = await told(database, WORLD, units=("phu-thong",))
    assert (found.askers, found.questions, found.newcomers, found.given) == (1, 2, 1, 1)
    assert [row.key for row in found.by_unit] == ["phu-thong"]
    assert found.announcements[0].total == 4
    elsewhere = await told(database, [], units=("duc-xuan",))
    assert elsewhere.announcements == ()


async def test_being_asked_for_the_commune_is_no_question(database: Database) -> None:
    async with database.write() as connection:
        await record_many(
            connection,
            [
                turn(at(FRIDAY, 8), None, "web", "lan-fri", "clarified", "chon-xa-phuong"),
                turn(at(FRIDAY, 9), None, "web", "lan-fri", "clarified", "khai-sinh"),
                turn(at(FRIDAY, 10), None, "web", "lan-fri", "clarified", None),
            ],
        )
    async with database.read() as connection:
        told = await figures(connection, since=FRIDAY, until=FRIDAY)
    assert (told.questions, told.topics) == (2, (TopicRow("khai-sinh", 1, 0, 0),))


async def test_days_end_at_midnight_in_vietnam(database: Database) -> None:
    async with database.write() as connection:
        await record_many(connection, WORLD)
    async with database.read() as connection:
        friday = await figures(connection, since=FRIDAY, until=FRIDAY)
        saturday = await figures(connection, since=SATURDAY, until=SATURDAY)
    assert (friday.questions, saturday.questions) == (3, 3)
    with pytest.raises(ValueError, match="before the first"):
        async with database.read() as connection:
            await figures(connection, since=SUNDAY, until=FRIDAY)


def test_few_askers_are_hidden_and_cannot_be_worked_out() -> None:
    rows = (
        GroupRow("a", 40, 50, 40, 1, 0, 0),
        GroupRow("b", 12, 20, 10, 1, 0, 0),
        GroupRow("c", 3, 4, 4, 0, 0, 0),
        GroupRow("d", 0, 0, 0, 0, 2, 0),
    )
    days = (DayRow(FRIDAY, 3, 3, 0, 0), DayRow(SATURDAY, 30, 3, 0, 0))
    shown = protected(Figures(FRIDAY, SUNDAY, None, askers=55, by_unit=rows, by_day=days))
    # c alone would follow from the total, 55 - 40 - 12; so the next smallest is hidden too.
    assert [row.askers for row in shown.by_unit] == [40, None, None, 0]
    assert [row.questions for row in shown.by_unit] == [50, 20, 4, 0]
    assert [row.askers for row in shown.by_day] == [None, 30]
    assert shown.askers == 55
    assert protected(Figures(FRIDAY, SUNDAY, ("c",), askers=4)).askers is None


UNITS = st.sampled_from(["phu-thong", "duc-xuan", None])
MOMENTS = st.integers(0, 3 * 24 * 60 - 1).map(lambda minutes: at(FRIDAY, 0) + timedelta(minutes=minutes))
TURNS = st.builds(
    lambda moment, unit, who, status, topic: turn(moment, unit, "web", f"{who}", status, topic),
    MOMENTS,
    UNITS,
    st.integers(0, 5),
    st.sampled_from(["answered", "unknown", "smalltalk", "clarified"]),
    st.sampled_from(["khai-sinh", "tam-tru", None]),
)


@given(st.lists(TURNS, max_size=25))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_the_tables_add_up_to_the_totals(happened: list[Event]) -> None:
    async def play() -> None:
        engine = create_async_engine("sqlite+aiosqlite://")
        async with engine.begin() as connection:
            await connection.run_sync(metadata.create_all)
            await record_many(connection, happened)
            found = await figures(connection, since=FRIDAY, until=SUNDAY)
        await engine.dispose()
        asked = [e for e in happened if e.status != "smalltalk"]  # type: ignore[attr-defined]
        assert found.questions == len(asked)
        for table in (found.by_unit, found.by_channel, found.by_day):
            assert sum(row.questions for row in table) == len(asked)
        assert sum(row.answered for row in found.by_unit) == found.statuses.get("answered", 0)
        assert sum(found.statuses.values()) == len(happened)
        assert found.askers == len({e.visitor for e in happened})  # type: ignore[attr-defined]
        topics = Counter(e.topic for e in asked if e.topic)  # type: ignore[attr-defined]
        assert {row.topic: row.questions for row in found.topics} == topics

    asyncio.run(play())
