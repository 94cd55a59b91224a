"""At night nothing but the urgent leaves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.announcements.hours import is_quiet, next_morning
from bot.clock import ZONE

MOMENTS = st.integers(1_735_000_000, 1_900_000_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))


@pytest.mark.parametrize(
    ("clock", "quiet"), [("21:59", False), ("22:00", True), ("00:00", True), ("05:59", True), ("06:00", False)]
)
def test_the_night_is_from_ten_to_six_by_the_clock_of_the_province(clock: str, quiet: bool) -> None:
    hour, minute = map(int, clock.split(":"))
    assert is_quiet(datetime(2026, 11, 22, hour, minute, tzinfo=ZONE)) is quiet


@given(MOMENTS)
def test_the_next_morning_is_the_first_six_o_clock_to_come_after_a_night(now: datetime) -> None:
    morning = next_morning(now)
    assert not is_quiet(morning)
    assert is_quiet(morning - timedelta(seconds=1))
    assert timedelta() < morning - now <= timedelta(days=1)
    if is_quiet(now):
        assert morning - now <= timedelta(hours=8)
