"""What a citizen is spared: more than three a day, kinds they do not want, the same twice on two channels."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import pytest

from bot.announcements.states import AnnouncementState as State
from bot.clock import ZONE
from bot.conversation.categories import CATEGORIES, muted_of, stored_of
from bot.messages import ContactStopped, Outcome, Rejected, Transient
from tests.bot.announcements.conftest import Doing, Village
from tests.builders import FakeChannel

pytestmark = pytest.mark.anyio


async def send(village: Village, text: str, channel: Any = None, **more: Any) -> tuple[int, Any]:
    plan = await village.planner.plan(village.wish(text, **more))
    number = await village.announcements.start(plan, author=village.lan)
    channel = channel or FakeChannel()
    await village.run(channel, owner=f"run-{number}").work()
    return number, channel


async def test_the_fourth_of_a_day_waits_until_there_is_room(village: Village) -> None:
    await village.settle("phu-thong", 2)
    for text in ("Một.", "Hai.", "Ba."):
        _, channel = await send(village, text)
        assert len(channel.sent) == 2
        village.clock.pass_(minutes=5)
    before = village.clock()
    number, channel = await send(village, "Bốn.")
    assert channel.sent == [], "the night came before there was room"
    village.clock.now = before + timedelta(hours=23)
    await village.run(channel, owner="next day").work()
    assert len(channel.sent) == 2, "the run slept until there was room"
    assert village.clock() - before >= timedelta(hours=23, minutes=40)
    assert (await village.progress(number)).counts == {"accepted": 2}


async def test_room_that_comes_by_night_is_used_in_the_morning(village: Village) -> None:
    from bot.announcements.respect import room_again

    late = datetime(2026, 11, 22, 21, 58, tzinfo=ZONE)
    moments = [late + timedelta(seconds=80 + i) for i in (2, 1, 0)]
    assert room_again(moments, late + timedelta(hours=1)) == datetime(2026, 11, 23, 21, 59, 20, tzinfo=ZONE)
    moments = [m + timedelta(minutes=2) for m in moments]
    assert room_again(moments, late + timedelta(hours=1)) == datetime(2026, 11, 24, 6, 0, tzinfo=ZONE)
    assert room_again(moments[:2], late) is None


async def test_the_fourth_that_would_be_too_late_is_dropped_with_its_reason(village: Village) -> None:
    await village.settle("phu-thong", 2)
    for text in ("Một.", "Hai.", "Ba."):
        await send(village, text)
    number, channel = await send(village, "Bốn.", expires_at=village.clock() + timedelta(hours=5))
    assert channel.sent == []
    assert (await village.progress(number)).counts == {"skipped:quota": 2}
    assert number in await village.store.close_finished()


async def test_the_urgent_is_not_held_back_but_counts(village: Village) -> None:
    await village.settle("phu-thong", 1)
    for text in ("Một.", "Hai.", "Ba."):
        await send(village, text)
    before = village.clock()
    _, channel = await send(village, "Lũ lên nhanh.", urgent_reason="lũ ống ở thượng nguồn")
    assert len(channel.sent) == 1
    assert village.clock() - before < timedelta(minutes=1)


async def test_the_three_are_counted_over_all_units(village: Village) -> None:
    await village.settle("phu-thong", 1)
    await village.settle("duc-xuan", 1)
    for text in ("Một.", "Hai.", "Ba."):
        await send(village, text)
    number, channel = await send(
        village, "Tin của tỉnh.", unit="thai-nguyen", expires_at=village.clock() + timedelta(hours=5)
    )
    assert [chat for chat, _ in channel.sent] == ["duc-xuan-1"]
    assert (await village.progress(number)).counts == {"accepted": 1, "skipped:quota": 1}


async def test_a_kind_that_somebody_does_not_want_does_not_reach_them(village: Village) -> None:
    people = await village.settle("phu-thong", 3)
    await village.change(people[0], muted=stored_of(["tap-huan"]))
    plan = await village.planner.plan(village.wish("Mời tập huấn.", category="tap-huan"))
    assert (plan.audience, plan.unreachable) == (2, {"muted": 1})

    async def mutes_late(chat: str) -> Outcome | None:
        await village.change(people[2], muted=stored_of(["tap-huan", "an-ninh"]))
        return None

    number = await village.announcements.start(plan, author=village.lan)
    await village.run(Doing(on_send=mutes_late)).work()
    counts = (await village.progress(number)).counts
    assert counts in ({"accepted": 1, "skipped:opted_out": 1}, {"accepted": 2})
    other = await village.planner.plan(village.wish("Lịch tiêm chủng.", category="lich-y-te"))
    assert other.audience == 3


@pytest.mark.parametrize("chosen", [[], ["an-ninh"], list(CATEGORIES), ["quang-cao"]])
def test_kinds_survive_the_column(chosen: list[str]) -> None:
    assert set(muted_of(stored_of(chosen))) == set(chosen) & set(CATEGORIES)


async def one_person(village: Village, prefers: str = "web") -> tuple[int, int]:
    """Somebody with Telegram and the web, linked."""
    [on_telegram] = await village.settle("phu-thong", 1)
    [on_web] = await village.settle("phu-thong", 1, channel="web")
    await village.change(on_telegram, person="p1", preferred=prefers == "telegram")
    await village.change(on_web, person="p1", preferred=prefers == "web")
    return on_telegram, on_web


async def test_a_linked_person_gets_it_once_where_they_prefer(village: Village) -> None:
    on_telegram, on_web = await one_person(village, "telegram")
    plan = await village.plan()
    assert plan.unreachable == {"elsewhere": 1}
    number, channel = await send(village, "Họp thôn.")
    await village.run(FakeChannel(name="web"), owner="web").work()
    assert len(channel.sent) == 1
    assert await village.states(number) == {on_telegram: ("accepted", None), on_web: ("skipped", "elsewhere")}
    assert await village.store.close_finished() == [number]
    assert Counter((e.state, e.reason) for e in village.ended) == {("accepted", None): 1, ("skipped", "elsewhere"): 1}


@pytest.mark.parametrize("outcome", [ContactStopped("blocked"), Rejected("bad")])
async def test_where_the_preferred_channel_fails_the_other_one_is_used(village: Village, outcome: Outcome) -> None:
    on_telegram, on_web = await one_person(village, "telegram")
    number, _ = await send(village, "Họp thôn.", FakeChannel([outcome]))
    await village.run(FakeChannel(name="web"), owner="web").work()
    states = await village.states(number)
    assert states[on_telegram][0] == "failed"
    assert states[on_web] == ("waiting_for_visit", None)
    assert await village.store.close_finished() == [number]
    assert sum((await village.progress(number)).counts.values()) == 2


async def test_what_may_have_arrived_is_not_sent_elsewhere(village: Village) -> None:
    _, on_web = await one_person(village, "telegram")
    number, _ = await send(village, "Họp thôn.", FakeChannel([Transient("the line broke", maybe_sent=True)]))
    await village.run(FakeChannel(name="web"), owner="web").work()
    assert (await village.states(number))[on_web] == ("skipped", "elsewhere")
    assert await village.state(number) is not State.CLOSED
    assert await village.store.close_finished() == [number]


async def test_who_says_stop_on_one_channel_is_not_sent_it_on_the_other(village: Village) -> None:
    on_telegram, on_web = await one_person(village, "telegram")
    plan = await village.plan()
    number = await village.announcements.start(plan, author=village.lan)
    await village.change(on_telegram, subscribed=False)
    await village.run(FakeChannel()).work()
    await village.run(FakeChannel(name="web"), owner="web").work()
    assert await village.states(number) == {on_telegram: ("skipped", "opted_out"), on_web: ("skipped", "elsewhere")}


async def test_the_three_a_day_are_a_persons_whatever_the_channel(village: Village) -> None:
    on_telegram, on_web = await one_person(village, "telegram")
    for text in ("Một.", "Hai.", "Ba."):
        await send(village, text)
    await village.change(on_telegram, preferred=False)
    await village.change(on_web, preferred=True)
    number, _ = await send(village, "Bốn.", FakeChannel(name="web"), expires_at=village.clock() + timedelta(hours=5))
    assert (await village.states(number))[on_web] == ("skipped", "quota")
