"""One account's limit is kept by replies and announcements together, and replies go first."""

from __future__ import annotations

import asyncio
import heapq
import random
from bisect import bisect_right
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.announcements.rates import RATES, TRICKLE, RateLimiter

LIMIT = RATES["telegram"].per_second or 0
RESERVE = RATES["telegram"].reserve
JITTER = 1000
"""A millisecond more or less on the way."""


class Time:
    """A monotonic clock that moves when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


def busiest_second(moments: list[float]) -> int:
    # A hair less than a second: the message after exactly one second belongs to the next one.
    return max((sum(1 for m in moments if start <= m < start + 0.999) for start in moments), default=0)


@given(st.lists(st.tuples(st.sampled_from(["reply", "bulk", "wait"]), st.integers(1, 40)), max_size=60))
@settings(max_examples=150, deadline=None)
def test_no_second_ever_sees_more_than_the_limit(steps: list[tuple[str, int]]) -> None:
    time = Time()
    limiter = RateLimiter(monotonic=time, sleep=time.sleep)
    left: list[float] = []

    async def play() -> None:
        for what, number in steps:
            if what == "reply":
                await limiter.reply("telegram", "default")
                left.append(time.now)
            elif what == "bulk":
                granted, _ = await limiter.bulk("telegram", "default", number)
                assert granted <= number
                left.extend([time.now] * granted)
            else:
                time.now += number / 20

    asyncio.run(play())
    assert busiest_second(left) <= LIMIT


async def bulk_for(limiter: RateLimiter, time: Time, seconds: float) -> int:
    sent, end = 0, time.now + seconds
    while time.now < end:
        granted, pause = await limiter.bulk("telegram", "default", 20)
        sent += granted
        time.now += pause or 0.01
    return sent


@pytest.mark.anyio
async def test_an_idle_account_announces_at_the_limit_less_the_reserve() -> None:
    time = Time()
    sent = await bulk_for(RateLimiter(monotonic=time, sleep=time.sleep), time, 20)
    assert (LIMIT - RESERVE) * 20 * 0.95 <= sent <= (LIMIT - RESERVE) * 20 + LIMIT


@pytest.mark.anyio
async def test_a_refusal_teaches_a_lower_limit_that_is_won_back_slowly() -> None:
    time = Time()
    limiter = RateLimiter(monotonic=time, sleep=time.sleep)
    for _ in range(3):
        limiter.hold("telegram", "default", 1)
    assert limiter.learned("telegram", "default") == pytest.approx(LIMIT * 0.9), "three that left together say it once"
    time.now += 2
    sent = await bulk_for(limiter, time, 10)
    assert sent <= LIMIT * 0.93 * 10
    limiter.hold("telegram", "default", 1)
    assert (limiter.learned("telegram", "default") or 0) < LIMIT * 0.9
    assert limiter.learned("telegram", "other") == LIMIT
    time.now += 300
    assert limiter.learned("telegram", "default") == LIMIT
    for _ in range(200):
        limiter.hold("telegram", "default", 1)
        time.now += 2
    assert (limiter.learned("telegram", "default") or 0) >= 4, "it never stops for good"
    assert await bulk_for(limiter, time, 60) > 10


@pytest.mark.anyio
async def test_the_full_second_has_room_for_one_reply() -> None:
    time = Time()
    limiter = RateLimiter(monotonic=time, sleep=time.sleep)
    await bulk_for(limiter, time, 3)
    before = time.now
    await limiter.reply("telegram", "default")
    assert time.now == before


@pytest.mark.anyio
async def test_a_reply_counts_with_all_its_requests() -> None:
    time = Time()
    limiter = RateLimiter(monotonic=time, sleep=time.sleep)
    began = time.now
    for _ in range(LIMIT // 3):
        await limiter.reply("telegram", "default", 3)
    assert time.now == began
    await limiter.reply("telegram", "default", 3)
    assert time.now > began
    await limiter.reply("telegram", "default", LIMIT * 2)  # more than a second takes leaves once the second is free


@pytest.mark.anyio
async def test_a_refusal_slows_replies_for_no_longer_than_it_says() -> None:
    time = Time()
    limiter = RateLimiter(monotonic=time, sleep=time.sleep)
    for _ in range(50):
        limiter.hold("telegram", "default", 1)
        time.now += 2
    assert (limiter.learned("telegram", "default") or 0) < LIMIT / 2
    assert limiter.held("telegram", "default") == 0
    began = time.now
    for _ in range(LIMIT):
        await limiter.reply("telegram", "default")
    assert time.now == began, "announcements alone are held to what was learned"


@pytest.mark.anyio
async def test_while_people_talk_many_replies_at_once_find_room() -> None:
    time = Time()
    limiter = RateLimiter(monotonic=time, sleep=time.sleep)
    for step in range(60):
        time.now += 0.1
        if step % 2:
            await limiter.reply("telegram", "default")
        await limiter.bulk("telegram", "default", 40)
    began = time.now
    for _ in range(9):
        await limiter.reply("telegram", "default")
    assert time.now == began, "none of them waited"


@pytest.mark.anyio
async def test_the_first_replies_already_say_how_many_come() -> None:
    time = Time()
    limiter = RateLimiter(monotonic=time, sleep=time.sleep)
    for step in range(14):
        time.now += 0.1
        if step % 2:
            await limiter.reply("telegram", "default")
        await limiter.bulk("telegram", "default", 40)
    began = time.now
    for _ in range(6):
        await limiter.reply("telegram", "default")
    assert time.now == began, "none of them waited"


@pytest.mark.anyio
async def test_announcements_leave_in_portions() -> None:
    time = Time()
    limiter = RateLimiter(monotonic=time, sleep=time.sleep)
    await bulk_for(limiter, time, 3)
    sent = departures = 0
    for _ in range(300):
        time.now += 0.01
        granted, _ = await limiter.bulk("telegram", "default", 40)
        sent, departures = sent + granted, departures + bool(granted)
    assert sent >= 0.95 * 3 * LIMIT
    assert departures <= sent / 2


@pytest.mark.anyio
async def test_when_nobody_talks_any_more_announcements_have_the_limit_again() -> None:
    time = Time()
    limiter = RateLimiter(monotonic=time, sleep=time.sleep)
    for _ in range(60):
        time.now += 0.1
        await limiter.reply("telegram", "default")
    time.now += 6
    assert await bulk_for(limiter, time, 10) >= 0.95 * 10 * LIMIT


@pytest.mark.anyio
async def test_the_messenger_never_counts_one_too_many_on_an_unsteady_line() -> None:
    for seed in range(20):
        chance, time = random.Random(seed), Time()
        limiter = RateLimiter(monotonic=time, sleep=time.sleep)
        arrived: list[float] = []
        answers: list[tuple[float, float]] = []
        end = time.now + 12
        while time.now < end:
            granted, pause = await limiter.bulk("telegram", "default", 20)
            for _ in range(granted):
                limiter.leaves("telegram", "default")
                there = time.now + 0.0005 + chance.expovariate(JITTER)
                arrived.append(there)
                heapq.heappush(answers, (there + 0.05 + 0.0005 + chance.expovariate(JITTER), time.now))
            time.now += pause or 0.001
            while answers and answers[0][0] <= time.now:
                _, began = heapq.heappop(answers)
                limiter.took("telegram", "default", began)
        arrived.sort()
        # As a messenger counts: what came within the second before each message, with it.
        counted = max(i + 1 - bisect_right(arrived, moment - 1) for i, moment in enumerate(arrived))
        assert counted <= LIMIT
        assert len(arrived) >= 0.95 * 12 * LIMIT


@pytest.mark.anyio
async def test_what_leaves_is_spread_over_the_second() -> None:
    time = Time()
    limiter = RateLimiter(monotonic=time, sleep=time.sleep)
    await limiter.reply("telegram", "default")
    time.now += 60
    left: list[float] = []
    while time.now < 1065:
        granted, pause = await limiter.bulk("telegram", "default", 40)
        left += [time.now] * granted
        time.now += pause or 0.01
    # Who left in one burst would leave so each second, and a reply that finds the second full waits for the next one.
    assert max(b - a for a, b in pairwise(left)) <= 0.3


@pytest.mark.anyio
async def test_a_message_with_documents_takes_as_many_requests() -> None:
    time = Time()
    limiter = RateLimiter(monotonic=time, sleep=time.sleep)
    sent, end = 0, time.now + 10
    while time.now < end:
        granted, pause = await limiter.bulk("telegram", "default", 20, cost=3)
        sent += granted
        time.now += pause or 0.01
    assert (LIMIT - RESERVE) * 10 / 3 * 0.9 <= sent <= LIMIT * 10 / 3 + 3


@pytest.mark.anyio
async def test_announcements_only_trickle_while_a_reply_waits_anywhere() -> None:
    time = Time()

    async def waiting(channel: str, account: str) -> bool:
        return (channel, account) == ("telegram", "default")

    limiter = RateLimiter(monotonic=time, sleep=time.sleep, replies_waiting=waiting)
    assert await bulk_for(limiter, time, 10) <= 10 * TRICKLE + 2


@pytest.mark.anyio
async def test_a_wait_holds_announcements_for_exactly_so_long_and_no_other_account() -> None:
    time = Time()
    limiter = RateLimiter(monotonic=time, sleep=time.sleep)
    limiter.hold("telegram", "default", 7)
    time.now += 6.9
    assert await limiter.bulk("telegram", "default", 1) == (0, pytest.approx(0.1))
    assert (await limiter.bulk("telegram", "other", 1))[0] == 1
    time.now += 0.2
    assert (await limiter.bulk("telegram", "default", 1))[0] == 1


@pytest.mark.anyio
async def test_what_was_granted_and_not_used_can_be_used_again() -> None:
    time = Time()
    limiter = RateLimiter(monotonic=time, sleep=time.sleep)
    first, _ = await limiter.bulk("telegram", "default", 20)
    limiter.give_back("telegram", "default", first)
    again, _ = await limiter.bulk("telegram", "default", 20)
    assert again == first
