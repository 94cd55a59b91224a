"""When a repeated announcement comes: by the clock of the province, a month in no time."""

from __future__ import annotations

import calendar
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.announcements.hours import is_quiet
from bot.announcements.schedules import LAST, BadSchedule, Repeat, moment_of, repeat_of
from bot.announcements.states import AnnouncementState as State
from bot.clock import ZONE
from tests.bot.announcements.conftest import Village
from tests.builders import FakeChannel

TODAY = date(2026, 11, 22)


def moments(rule: Repeat, since: datetime, number: int = 40) -> list[datetime]:
    found: list[datetime] = []
    moment: datetime | None = since
    while moment is not None and len(found) < number:
        moment = rule.next_after(moment)
        if moment is not None:
            found.append(moment)
    return found


def rule(**given: Any) -> Repeat:
    return repeat_of({"every": "day", "at": "7:30", **given}, today=TODAY)


def test_every_day_at_half_past_seven_of_the_province() -> None:
    first, second = moments(rule(), datetime(2026, 11, 22, 0, 0, tzinfo=UTC), 2)
    assert first == datetime(2026, 11, 22, 0, 30, tzinfo=UTC)
    assert second - first == timedelta(days=1)


def test_the_moment_itself_is_not_after_itself() -> None:
    first = datetime(2026, 11, 22, 7, 30, tzinfo=ZONE)
    assert rule().next_after(first) == first + timedelta(days=1)
    assert rule().next_after(first - timedelta(seconds=1)) == first


def test_a_day_of_the_province_is_not_a_day_of_utc() -> None:
    """At 23:30 UTC on Saturday it is Sunday morning in Thái Nguyên."""
    sundays = repeat_of({"every": "week", "at": "6:30", "weekdays": [6]}, today=TODAY)
    found = sundays.next_after(datetime(2026, 11, 27, 12, 0, tzinfo=UTC))
    assert found == datetime(2026, 11, 28, 23, 30, tzinfo=UTC)
    assert found is not None
    assert found.astimezone(ZONE).weekday() == 6


def test_the_last_day_of_each_month_february_of_a_leap_year_included() -> None:
    ends = repeat_of(
        {"every": "month", "at": "8:00", "day": LAST, "since": "2027-11-01", "until": "2028-04-30"}, today=TODAY
    )
    days = [m.astimezone(ZONE).date() for m in moments(ends, datetime(2027, 1, 1, tzinfo=UTC))]
    assert [d.isoformat() for d in days] == [
        "2027-11-30",
        "2027-12-31",
        "2028-01-31",
        "2028-02-29",
        "2028-03-31",
        "2028-04-30",
    ]


def test_the_31st_falls_on_the_last_day_where_there_is_none() -> None:
    rule_31 = repeat_of(
        {"every": "month", "at": "8:00", "day": 31, "since": "2027-01-01", "until": "2027-04-30"}, today=TODAY
    )
    assert [m.astimezone(ZONE).day for m in moments(rule_31, datetime(2026, 12, 1, tzinfo=UTC))] == [31, 28, 31, 30]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"every": "year"}, "hằng ngày, hằng tuần hoặc hằng tháng"),
        ({"at": "25:00"}, "7:30"),
        ({"at": 730}, "7:30"),
        ({"at": "22:00"}, "giờ nghỉ đêm"),
        ({"at": "5:59"}, "giờ nghỉ đêm"),
        ({"since": "hôm nay"}, "2026-12-01"),
        ({"since": "2026-12-02", "until": "2026-12-01"}, "trước ngày bắt đầu"),
        ({"until": "2028-12-01"}, "một năm"),
        ({"every": "week"}, "ngày trong tuần"),
        ({"every": "week", "weekdays": [7]}, "ngày trong tuần"),
        ({"weekdays": [1]}, "ngày trong tuần"),
        ({"every": "month", "day": 32}, "1 đến 31"),
        ({"every": "month", "day": True}, "1 đến 31"),
        ({"every": "month", "day": 15, "since": "2026-12-01", "until": "2026-12-10"}, "không có lần nào"),
        ({"cron": "* * * * *"}, "cron"),
    ],
)
def test_a_rule_that_cannot_be_is_refused_in_words(given: dict[str, Any], said: str) -> None:
    with pytest.raises(BadSchedule, match=said):
        rule(**given)


def test_what_is_urgent_may_repeat_at_night() -> None:
    assert repeat_of({"every": "day", "at": "23:00"}, today=TODAY, urgent=True).at == time(23)


RULES = st.builds(
    lambda every, hour, minute, since, span, weekdays, day: Repeat(
        every, time(hour, minute), since, since + timedelta(days=span), weekdays if every == "week" else (), day
    ),
    st.sampled_from(["day", "week", "month"]),
    st.integers(6, 21),
    st.integers(0, 59),
    st.dates(date(2026, 1, 1), date(2030, 1, 1)),
    st.integers(0, 366),
    st.sets(st.integers(0, 6), min_size=1).map(lambda s: tuple(sorted(s))),
    st.integers(0, 31),
)


@given(RULES, st.integers(1_767_000_000, 1_893_000_000).map(lambda s: datetime.fromtimestamp(s, UTC)))
def test_the_moments_grow_lie_within_the_rule_and_none_is_left_out(rule: Repeat, since: datetime) -> None:
    found = moments(rule, since)
    assert found == sorted(set(found))
    for moment in found:
        local = moment.astimezone(ZONE)
        assert rule.since <= local.date() <= rule.until
        assert local.time() == rule.at
        assert not is_quiet(moment)
        length = calendar.monthrange(local.year, local.month)[1]
        if rule.every == "month":
            assert local.day == (length if rule.day == LAST else min(rule.day, length))
        if rule.every == "week":
            assert local.weekday() in rule.weekdays
    if rule.every == "day" and found and len(found) < 40:
        assert (found[-1].astimezone(ZONE).date() - found[0].astimezone(ZONE).date()).days == len(found) - 1


@given(RULES)
def test_a_rule_survives_storage_and_can_be_told(rule: Repeat) -> None:
    try:
        read = repeat_of(rule.as_json(), today=TODAY)
    except BadSchedule:
        return
    assert read == rule
    assert f"{rule.until:%d/%m/%Y}" in read.in_words()


def test_a_moment_without_a_zone_is_the_provinces() -> None:
    assert moment_of("2026-12-01 08:00") == datetime(2026, 12, 1, 1, 0, tzinfo=UTC)
    assert moment_of("2026-12-01T08:00:00+00:00").astimezone(UTC).hour == 8
    with pytest.raises(BadSchedule):
        moment_of("mai")


@pytest.mark.anyio
async def test_a_month_of_schedules_passes_in_seconds(village: Village) -> None:
    """A daily, a weekly and a monthly one over 31 days, hour by hour; at night nothing leaves; each time once."""
    await village.settle("phu-thong", 3)
    village.clock.now = datetime(2026, 12, 1, 5, 0, tzinfo=ZONE)
    rules = {
        "Nhắc uống thuốc đúng giờ.": {"every": "day", "at": "7:00", "until": "2026-12-31"},
        "Chợ phiên thứ Năm.": {"every": "week", "at": "18:00", "weekdays": [3], "until": "2026-12-31"},
        "Cuối tháng chốt sổ.": {"every": "month", "at": "9:00", "day": 0, "until": "2026-12-31"},
    }
    numbers = {}
    for text, asked in rules.items():
        today = village.clock().astimezone(ZONE).date()
        repeat = repeat_of(asked, today=today).as_json()
        numbers[text] = await village.approved(village.wish(text, repeat=repeat))
        await village.control.schedule(village.lan, numbers[text])
    sent_at: dict[str, list[datetime]] = {text: [] for text in rules}
    for _ in range(31 * 24 + 6):
        if await village.due.begin_due():
            channel = FakeChannel()
            await village.run(channel).work()
            await village.store.close_finished()
            for _, whole in channel.sent:
                text = next(text for text in rules if text in whole)
                sent_at[text].append(village.clock().astimezone(ZONE))
        village.clock.now = village.clock().replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    days = {text: [m.date().day for m in found[::3]] for text, found in sent_at.items()}
    assert days["Nhắc uống thuốc đúng giờ."] == list(range(1, 32))
    assert days["Chợ phiên thứ Năm."] == [3, 10, 17, 24, 31]
    assert days["Cuối tháng chốt sổ."] == [31]
    assert all(len(found) % 3 == 0 for found in sent_at.values()), "all three citizens each time"
    assert {m.hour for m in sent_at["Chợ phiên thứ Năm."]} == {18}
    for number in numbers.values():
        assert await village.state(number) is State.CLOSED, "a rule that has no moment left is over"
    shown = await village.viewing.show(village.lan, numbers["Chợ phiên thứ Năm."])
    assert len(shown.children) == 5
    assert shown.repeat == "thứ Năm hằng tuần lúc 18 giờ, từ 01/12/2026 đến 31/12/2026"


@pytest.mark.anyio
async def test_a_process_that_was_away_leaves_the_missed_one_out_and_comes_back_for_the_next(village: Village) -> None:
    await village.settle("phu-thong", 2)
    [chat] = await village.settle("duc-xuan", 1)
    village.staff.chats[village.lan] = chat
    number = await village.approved(village.wish(repeat=rule(until="2026-12-31").as_json()))
    at = await village.control.schedule(village.lan, number)
    village.clock.now = at + timedelta(days=3, hours=8)
    assert await village.due.begin_due() == []
    assert any("trễ quá sáu giờ" in notice for notice in await village.notices(chat))
    village.clock.now = at + timedelta(days=4, minutes=1)
    assert await village.due.begin_due() == [number]
    assert len((await village.viewing.show(village.lan, number)).children) == 1


@pytest.mark.anyio
async def test_two_processes_begin_an_occurrence_once(village: Village) -> None:
    await village.settle("phu-thong", 2)
    number = await village.approved(village.wish(repeat=rule(until="2026-12-31").as_json()))
    village.clock.now = await village.control.schedule(village.lan, number)
    assert [await village.due.begin(number), await village.due.begin(number)] == [None, "not_due"]
    channel = FakeChannel()
    await village.run(channel).work()
    assert len(channel.sent) == 2
