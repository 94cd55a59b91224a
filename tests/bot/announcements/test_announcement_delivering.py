"""Each citizen of the right commune once, and for each one what became of it."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import datetime

import pytest
from sqlalchemy import update

from bot.announcements.delivering import MAX_ATTEMPTS, Ended, Stopping
from bot.announcements.lanes import LaneLost
from bot.announcements.states import AnnouncementState
from bot.announcements.tables import announcement, lane
from bot.clock import ZONE
from bot.messages import (
    ContactStopped,
    LeftForPickup,
    Misconfigured,
    Moved,
    Outcome,
    OutsideWindow,
    Rejected,
    RetryAfter,
    Transient,
)
from bot.storage.tables import conversation, outbox
from tests.bot.announcements.conftest import TELEGRAM, TEXT, WEB, Doing, Village
from tests.builders import FakeChannel

pytestmark = pytest.mark.anyio


async def test_the_citizens_of_the_commune_get_it_once_and_nobody_else(village: Village) -> None:
    await village.settle("phu-thong", 40)
    await village.settle("duc-xuan", 10)
    started = await village.announce()
    channel = FakeChannel()
    assert await village.run(channel).work() is Ended.DONE
    assert Counter(chat for chat, _ in channel.sent) == {f"phu-thong-{i}": 1 for i in range(1, 41)}
    assert all(TEXT in text for _, text in channel.sent)
    assert await village.store.close_finished() == [started]
    progress = await village.progress(started)
    assert (progress.state, progress.counts) == (AnnouncementState.CLOSED, {"accepted": 40})
    assert Counter(e.state for e in village.ended) == {"accepted": 40}


async def test_every_message_carries_its_stop_button(village: Village) -> None:
    await village.settle("phu-thong", 1)
    await village.announce()
    seen: list[tuple[str, ...]] = []

    class Looks(FakeChannel):
        async def send(self, chat: str, reply: object) -> Outcome:
            seen.append(tuple(b.payload for b in reply.buttons))  # type: ignore[attr-defined]
            return await super().send(chat, reply)

    await village.run(Looks()).work()
    assert seen == [("a:tat-thong-bao",)]


async def test_who_says_stop_while_it_is_being_sent_gets_nothing(village: Village) -> None:
    people = await village.settle("phu-thong", 60)
    started = await village.announce()

    async def the_last_ones_stop(chat: str) -> Outcome | None:
        if chat == "phu-thong-1":
            await village.change(people[-1], subscribed=False)
            await village.change(people[-2], ward="00000")
            await village.change(people[-3], stopped_at=village.clock())
            async with village.database.write() as connection:
                await connection.execute(conversation.delete().where(conversation.c.id == people[-4]))
        return None

    channel = Doing(on_send=the_last_ones_stop)
    await village.run(channel).work()
    assert len(channel.sent) == 56
    states = await village.states(started)
    reasons = [states[p] for p in people[-4:]]
    assert reasons == [("skipped", "gone"), ("skipped", "stopped"), ("skipped", "moved_away"), ("skipped", "opted_out")]
    assert await village.store.close_finished() == [started]


@pytest.mark.parametrize(
    ("outcome", "coded"),
    [
        (ContactStopped("bot was blocked by the user"), "failed:blocked"),
        (Rejected("bad"), "failed:rejected"),
        (OutsideWindow("7 days"), "failed:outside_window"),
        (Transient("the connection ended", maybe_sent=True), "uncertain:no_answer"),
    ],
)
async def test_what_the_messenger_says_becomes_a_coded_state(village: Village, outcome: Outcome, coded: str) -> None:
    await village.settle("phu-thong", 2)
    started = await village.announce()
    channel = FakeChannel([outcome])
    await village.run(channel).work()
    assert (await village.progress(started)).counts == {"accepted": 1, coded: 1}
    assert len(channel.sent) == 1
    assert await village.store.close_finished() == [started]


async def test_a_citizen_who_blocked_the_bot_is_in_no_audience_any_more(village: Village) -> None:
    await village.settle("phu-thong", 1)
    await village.announce()
    await village.run(FakeChannel([ContactStopped("blocked")])).work()
    plan = await village.plan(text="Mai cắt điện từ 8 giờ đến 11 giờ.")
    assert plan.audience == 0
    assert plan.unreachable == {"stopped": 1}


async def test_who_blocked_the_bot_and_comes_back_gets_the_news_again(village: Village) -> None:
    [person] = await village.settle("phu-thong", 1)
    await village.announce()
    await village.run(FakeChannel([ContactStopped("blocked")])).work()
    await village.change(person, stopped_at=None)  # as any act of theirs does
    assert (await village.plan(text="Mai cắt điện từ 8 giờ đến 11 giờ.")).audience == 1


async def test_a_wait_is_obeyed_to_the_second_and_the_same_citizen_is_tried_again(village: Village) -> None:
    await village.settle("phu-thong", 3)
    started = await village.announce()
    asked_at: list[datetime] = []

    async def wait(chat: str) -> Outcome | None:
        asked_at.append(village.clock())
        return RetryAfter(17) if len(asked_at) == 1 else None

    channel = Doing(on_send=wait)
    await village.run(channel).work()
    assert sorted(chat for chat, _ in channel.sent) == ["phu-thong-1", "phu-thong-2", "phu-thong-3"]
    later = [(moment - asked_at[0]).total_seconds() for moment in asked_at[1:]]
    assert all(span < 0.5 or span >= 17 for span in later), later
    assert (await village.progress(started)).counts == {"accepted": 3}


async def test_a_wait_survives_the_process(village: Village) -> None:
    await village.settle("phu-thong", 1)
    await village.announce()
    stop = asyncio.Event()

    async def stops(chat: str) -> Outcome | None:
        stop.set()
        return RetryAfter(600)

    with pytest.raises(Stopping):
        await village.run(Doing(on_send=stops), stop=stop).work()
    before = village.clock()
    channel = FakeChannel()
    await village.run(channel, owner="run-2").work()
    assert len(channel.sent) == 1
    assert (village.clock() - before).total_seconds() >= 599


async def test_no_line_is_tried_again_and_given_up_after_five_times(village: Village) -> None:
    await village.settle("phu-thong", 2)
    started = await village.announce()
    tried: Counter[str] = Counter()

    async def down(chat: str) -> Outcome | None:
        tried[chat] += 1
        return Transient("no route") if chat == "phu-thong-1" or tried[chat] < 3 else None

    await village.run(Doing(on_send=down)).work()
    assert tried == {"phu-thong-1": MAX_ATTEMPTS, "phu-thong-2": 3}
    assert (await village.progress(started)).counts == {"accepted": 1, "failed:unreachable": 1}


async def test_an_account_that_does_not_work_keeps_its_recipients(village: Village) -> None:
    await village.settle("phu-thong", 2)
    started = await village.announce()
    answers: list[Outcome] = [Misconfigured("401")] * 3

    async def broken(chat: str) -> Outcome | None:
        return answers.pop() if answers else None

    channel = Doing(on_send=broken)
    await village.run(channel).work()
    assert len(channel.sent) == 2
    assert (await village.progress(started)).counts == {"accepted": 2}


async def test_a_moved_chat_is_followed(village: Village) -> None:
    await village.settle("phu-thong", 1)
    await village.announce()
    channel = FakeChannel([Moved("-100200")])
    await village.run(channel).work()
    assert [chat for chat, _ in channel.sent] == ["-100200"]


@pytest.mark.parametrize("subscribed", [True, False])
async def test_a_chat_that_moved_to_one_that_is_known_gets_it_once_there(village: Village, subscribed: bool) -> None:
    people = await village.settle("phu-thong", 4)
    [there] = await village.settle("phu-thong", 1, first=9, subscribed=subscribed)
    started = await village.announce()

    async def moved(chat: str) -> Outcome | None:
        return Moved("phu-thong-9") if chat == "phu-thong-1" else None

    channel = Doing(on_send=moved)
    await village.run(channel).work()
    assert sorted(chat for chat, _ in channel.sent) == [f"phu-thong-{i}" for i in (2, 3, 4, 9)]
    states = await village.states(started)
    assert states[there] == ("accepted", None)
    assert states.get(people[0]) == (("skipped", "elsewhere") if subscribed else None)
    assert await village.store.close_finished() == [started]
    assert (await village.plan(text="Mai cắt điện từ 8 giờ.")).unreachable == {"stopped": 1}


async def test_a_fault_of_ours_is_uncertain_and_does_not_stop_the_others(village: Village) -> None:
    await village.settle("phu-thong", 3)
    started = await village.announce()

    async def breaks(chat: str) -> Outcome | None:
        if chat == "phu-thong-2":
            raise KeyError("a fault of ours")
        return None

    await village.run(Doing(on_send=breaks)).work()
    assert (await village.progress(started)).counts == {"accepted": 2, "uncertain:no_answer": 1}


async def test_what_was_on_its_way_when_a_process_died_is_uncertain_and_not_repeated(village: Village) -> None:
    people = await village.settle("phu-thong", 5)
    started = await village.announce()
    store = village.store
    assert await store.acquire(TELEGRAM, "dead")
    current = await store.pick(TELEGRAM)
    assert current is not None
    chosen, _ = await store.next_ones(TELEGRAM, "dead", current, 2)
    assert [r.conversation_id for r in chosen] == people[:2]
    # Nothing more is heard of it; its lease ends.
    village.clock.pass_(seconds=20)
    channel = FakeChannel()
    await village.run(channel, owner="alive").work()
    assert sorted(chat for chat, _ in channel.sent) == ["phu-thong-3", "phu-thong-4", "phu-thong-5"]
    assert (await village.progress(started)).counts == {"accepted": 3, "uncertain:process_died": 2}
    assert await store.close_finished() == [started]


async def test_a_process_that_was_only_slow_finds_its_lane_lost_and_writes_nothing(village: Village) -> None:
    await village.settle("phu-thong", 2)
    started = await village.announce()
    store = village.store
    assert await store.acquire(TELEGRAM, "slow")
    current = await store.pick(TELEGRAM)
    assert current is not None
    await store.next_ones(TELEGRAM, "slow", current, 1)
    assert not await store.acquire(TELEGRAM, "eager"), "the lease still holds"
    village.clock.pass_(seconds=20)
    assert await store.acquire(TELEGRAM, "eager")
    with pytest.raises(LaneLost):
        await store.next_ones(TELEGRAM, "slow", current, 1)
    with pytest.raises(LaneLost):
        await store.settle(TELEGRAM, "slow", [])
    assert not await store.renew(TELEGRAM, "slow")
    await store.release(TELEGRAM, "slow")
    assert await store.holder(TELEGRAM) == "eager"
    assert (await village.progress(started)).counts == {"queued": 1, "uncertain:process_died": 1}


async def test_stopping_hears_what_is_on_its_way_and_leaves_the_rest_for_the_next_process(village: Village) -> None:
    await village.settle("phu-thong", 50)
    started = await village.announce()
    stop = asyncio.Event()

    async def stops(chat: str) -> Outcome | None:
        if chat == "phu-thong-3":
            stop.set()
        return None

    channel = Doing(on_send=stops)
    with pytest.raises(Stopping):
        await village.run(channel, stop=stop).work()
    counts = (await village.progress(started)).counts
    assert counts["accepted"] == len(channel.sent) < 50
    assert counts["accepted"] + counts["queued"] == 50
    await village.run(channel, owner="run-2").work()
    assert Counter(chat for chat, _ in channel.sent) == {f"phu-thong-{i}": 1 for i in range(1, 51)}


async def test_the_night_interrupts_and_the_morning_goes_on(village: Village) -> None:
    village.clock.now = datetime(2026, 11, 22, 21, 59, 58, tzinfo=ZONE)
    await village.settle("phu-thong", 200)
    started = await village.announce()
    channel = FakeChannel()
    assert await village.run(channel).work() is Ended.DONE
    before = len(channel.sent)
    assert 0 < before < 200
    await village.store.fall_asleep()
    assert (await village.progress(started)).state is AnnouncementState.WAITING
    assert await village.store.close_finished() == []
    village.clock.now = datetime(2026, 11, 23, 6, 0, 1, tzinfo=ZONE)
    await village.run(channel, owner="run-2").work()
    assert len(channel.sent) == 200
    assert await village.store.close_finished() == [started]


async def test_at_night_only_the_urgent_leaves(village: Village) -> None:
    village.clock.now = datetime(2026, 11, 22, 23, 30, tzinfo=ZONE)
    await village.settle("phu-thong", 3)
    await village.announce()
    await village.announce(text="Lũ lên nhanh, bà con ven sông lên nhà văn hoá.", urgent_reason="lũ lên nhanh")
    channel = FakeChannel()
    await village.run(channel).work()
    assert len(channel.sent) == 3
    assert all("Lũ lên nhanh" in text for _, text in channel.sent)


async def test_the_urgent_overtakes_what_is_being_sent(village: Village) -> None:
    await village.settle("phu-thong", 150)
    await village.announce()
    began = False

    async def flood(chat: str) -> Outcome | None:
        nonlocal began
        if not began:
            began = True
            await village.announce(text="Lũ lên nhanh, lên nhà văn hoá ngay.", urgent_reason="lũ lên nhanh")
        return None

    channel = Doing(on_send=flood)
    await village.run(channel).work()
    urgent = [i for i, (_, text) in enumerate(channel.sent) if "Lũ lên" in text]
    assert len(channel.sent) == 300
    assert max(urgent) < 250, "the urgent one was over before the other"


async def test_a_cancelled_announcement_sends_no_more(village: Village) -> None:
    await village.settle("phu-thong", 100)
    started = await village.announce()

    async def cancels(chat: str) -> Outcome | None:
        if chat == "phu-thong-5":
            await village.announcements.cancel(started)
        return None

    channel = Doing(on_send=cancels)
    await village.run(channel).work()
    await village.store.sweep_cancelled()
    progress = await village.progress(started)
    assert sum(progress.counts.values()) == 100
    assert progress.counts["accepted"] == len(channel.sent) < 60
    assert progress.counts["skipped:cancelled"] == 100 - len(channel.sent)


async def test_on_the_web_it_lies_ready_and_counts_as_received_when_the_page_has_fetched_it(village: Village) -> None:
    people = await village.settle("phu-thong", 3, channel="web")
    started = await village.announce()
    channel = FakeChannel([LeftForPickup(3600)] * 3, name="web")
    assert await village.run(channel).work() is Ended.DONE
    assert (await village.progress(started)).counts == {"waiting_for_visit": 3}
    assert await village.store.close_finished() == [started]
    async with village.database.write() as connection:
        await connection.execute(
            update(outbox).where(outbox.c.conversation_id == people[0]).values(state="sent", sent_at=village.clock())
        )
        await connection.execute(outbox.delete().where(outbox.c.conversation_id == people[1]))
    await village.store.settle_visits()
    states = await village.states(started)
    assert [states[p] for p in people] == [("accepted", None), ("skipped", "gone"), ("waiting_for_visit", None)]
    village.clock.pass_(days=31)
    await village.store.settle_visits()
    assert (await village.states(started))[people[2]] == ("failed", "expired")


async def test_what_could_not_leave_for_days_is_given_up(village: Village) -> None:
    await village.settle("phu-thong", 2)
    started = await village.announce()
    stop = asyncio.Event()

    async def down(chat: str) -> Outcome | None:
        stop.set()
        return Misconfigured("401")

    with pytest.raises(Stopping):
        await village.run(Doing(on_send=down), stop=stop).work()
    assert await village.store.expire() == 0
    village.clock.pass_(days=3, hours=1)
    assert await village.store.expire() == 2
    assert (await village.progress(started)).counts == {"failed:expired": 2}


async def test_it_does_not_close_while_the_sums_disagree(village: Village) -> None:
    await village.settle("phu-thong", 3)
    started = await village.announce()
    await village.run(FakeChannel()).work()
    async with village.database.write() as connection:
        await connection.execute(update(announcement).where(announcement.c.id == started).values(audience=4))
    assert await village.store.close_finished() == []


async def test_an_account_that_this_process_does_not_have_is_left_alone(village: Village) -> None:
    await village.settle("phu-thong", 1)
    started = await village.announce()
    assert await village.run(FakeChannel(account="other")).work() is Ended.DONE
    assert (await village.progress(started)).counts == {"queued": 1}
    async with village.database.read() as connection:
        held = (await connection.execute(lane.select())).mappings().all()
    assert [(row["account"], row["owner"]) for row in held] == [("other", None)]
    assert [key for _, _, key in await village.store.open_lanes()] == [TELEGRAM]
    assert WEB not in [key for _, _, key in await village.store.open_lanes()]
