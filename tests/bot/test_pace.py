"""A chat gets short bursts, then so many messages in a while."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from bot.pace import Pace, Paces
from tests.builders import Clock

CHAT = Pace(every=timedelta(seconds=1), burst=3)


def test_a_burst_leaves_at_once_and_the_next_waits() -> None:
    clock = Clock()
    paces = Paces(clock)
    assert [paces.take("lan", CHAT) for _ in range(4)] == [timedelta(), timedelta(), timedelta(), timedelta(seconds=1)]
    clock.pass_(seconds=1)
    assert paces.take("lan", CHAT) == timedelta()
    assert paces.take("minh", CHAT) == timedelta()


def test_what_leaves_in_several_messages_counts_as_so_many() -> None:
    clock = Clock()
    paces = Paces(clock)
    assert paces.take("lan", CHAT, 2) == timedelta()
    assert paces.take("lan", CHAT, 2) == timedelta(seconds=1)
    clock.pass_(seconds=3)
    assert paces.take("lan", CHAT, 5) == timedelta(), "more than a burst leaves when a burst may"
    assert paces.take("lan", CHAT) == timedelta(seconds=3), "and is made up for"


def test_a_channel_without_limits_never_waits() -> None:
    paces = Paces(Clock())
    assert {paces.take("lan", None) for _ in range(100)} == {timedelta()}


@given(st.lists(st.floats(0, 5), min_size=1, max_size=60), st.integers(1, 5))
def test_no_more_leave_than_the_pace_allows(pauses: list[float], burst: int) -> None:
    clock = Clock()
    paces, pace, began = Paces(clock), Pace(timedelta(seconds=1), burst), clock()
    left = 0
    for pause in pauses:
        clock.pass_(seconds=pause)
        left += paces.take("lan", pace) == timedelta()
        assert left <= burst + (clock() - began).total_seconds() + 1e-6
