"""What an officer sees before sending, and what is refused."""

from __future__ import annotations

from datetime import datetime

import pytest
from sqlalchemy import select

from bot.announcements.compose import Composer
from bot.announcements.lanes import Lane
from bot.announcements.planning import Planner
from bot.announcements.service import LONGEST, Refused
from bot.announcements.states import AnnouncementState
from bot.clock import ZONE
from bot.messages import LeftForPickup, Sent
from bot.storage.tables import outbox
from content.places import province_slug
from tests.bot.announcements.conftest import TEXT, Village
from tests.builders import FakeChannel

pytestmark = pytest.mark.anyio


async def test_the_plan_counts_who_would_get_it_and_says_who_cannot(village: Village) -> None:
    await village.settle("phu-thong", 30)
    await village.settle("phu-thong", 4, channel="web")
    await village.settle("phu-thong", 3, subscribed=False, first=100)
    await village.settle("phu-thong", 2, stopped=True, first=200)
    await village.settle("phu-thong", 1, channel="zalo-oa")
    await village.settle("duc-xuan", 50)
    plan = await village.plan()
    assert {str(r.lane): r.citizens for r in plan.reach} == {"telegram:default": 30, "web:default": 4}
    assert plan.audience == 34
    assert plan.unreachable == {"not_subscribed": 3, "stopped": 2, "no_account": 1}
    assert plan.problems == ()
    assert plan.text.startswith("Thông báo của xã Phủ Thông\nSáng thứ Bảy")
    assert "dừng" in plan.text.splitlines()[-1]


async def test_an_account_that_came_after_the_start_counts(village: Village) -> None:
    """A server wires its announcements before it has loaded its messengers."""
    await village.settle("phu-thong", 2)
    await village.settle("phu-thong", 3, channel="zalo-oa")
    lanes = [Lane("web", "default")]
    planner = Planner(
        village.database, village.places, clock=village.clock, accounts=lanes, composer=Composer(village.places)
    )
    assert (await planner.plan_text("phu-thong", TEXT)).audience == 0
    lanes += [Lane("telegram", "default"), Lane("zalo-oa", "default")]
    assert (await planner.plan_text("phu-thong", TEXT)).audience == 5


async def test_the_province_reaches_all_its_communes(village: Village) -> None:
    await village.settle("phu-thong", 2)
    await village.settle("duc-xuan", 3)
    plan = await village.plan(province_slug(village.places))
    assert plan.audience == 5
    assert plan.text.startswith("Thông báo của tỉnh Thái Nguyên\n")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("   ", "Chưa có nội dung"),
        ("Gặp ông A, số 0912 345 678", "số điện thoại di động"),
        ("Căn cước 019203004567 đã có, mời lên lấy", "số giấy tờ cá nhân"),
        ("x" * (LONGEST + 1), f"nhiều nhất {LONGEST} ký tự"),
    ],
)
async def test_a_text_that_may_not_be_sent_is_refused_in_words(village: Village, text: str, said: str) -> None:
    await village.settle("phu-thong", 1)
    plan = await village.plan(text=text)
    assert any(said in problem for problem in plan.problems)
    with pytest.raises(Refused, match=said):
        await village.announcements.start(plan, author="ban-van-hoa")
    assert await village.announcements.recent() == []


async def test_an_offices_telephone_may_stand_in_it_but_is_pointed_out(village: Village) -> None:
    await village.settle("phu-thong", 1)
    plan = await village.plan(text="Hỏi thêm: 0209 3870 123 (văn phòng xã), tổng đài 18001096.")
    assert plan.problems == ()
    assert any("điện thoại bàn" in note for note in plan.notes)


async def test_an_unknown_unit_and_a_unit_without_subscribers_are_refused(village: Village) -> None:
    unknown = await village.plan("xa-khong-co")
    assert any("xa-khong-co" in problem for problem in unknown.problems)
    empty = await village.plan()
    assert any("Chưa có ai ở Xã Phủ Thông" in problem for problem in empty.problems)


async def test_the_audience_is_counted_at_the_start_and_does_not_grow(village: Village) -> None:
    await village.settle("phu-thong", 3)
    started = await village.announce()
    await village.settle("phu-thong", 5, first=50)
    progress = await village.progress(started)
    assert progress.audience == 3
    assert progress.counts == {"queued": 3}
    assert progress.state is AnnouncementState.SENDING


async def test_the_same_key_is_the_same_announcement(village: Village) -> None:
    await village.settle("phu-thong", 3)
    first = await village.announce(key="lich-kham-11")
    assert await village.announce(key="lich-kham-11") == first
    assert len(await village.announcements.recent()) == 1


async def test_what_was_sent_lately_is_not_sent_again_by_oversight(village: Village) -> None:
    await village.settle("phu-thong", 3)
    await village.announce()
    village.clock.pass_(hours=5)
    with pytest.raises(Refused, match="người dân nhận hai lần"):
        await village.announce()
    await village.announce(again=True)
    village.clock.pass_(days=8)
    await village.announce()
    assert len(await village.announcements.recent()) == 3


async def test_at_night_it_waits_unless_it_is_urgent_for_a_reason(village: Village) -> None:
    village.clock.now = datetime(2026, 11, 22, 23, 0, tzinfo=ZONE)
    await village.settle("phu-thong", 3)
    plan = await village.plan()
    assert any("06:00 23/11/2026" in note for note in plan.notes)
    assert (await village.progress(await village.announce())).state is AnnouncementState.WAITING
    without = await village.plan(urgent_reason=" ")
    assert any("phải ghi lý do" in problem for problem in without.problems)
    urgent = await village.announce(text="Lũ lên nhanh, bà con ven sông lên nhà văn hoá.", urgent_reason="lũ lên nhanh")
    progress = await village.progress(urgent)
    assert progress.state is AnnouncementState.SENDING
    assert progress.text.startswith("Thông báo khẩn của xã Phủ Thông")


async def test_cancelling_keeps_back_what_has_not_left(village: Village) -> None:
    await village.settle("phu-thong", 4)
    started = await village.announce()
    assert await village.announcements.cancel(started)
    progress = await village.progress(started)
    assert progress.state is AnnouncementState.CANCELLED
    assert progress.counts == {"skipped:cancelled": 4}
    assert not await village.announcements.cancel(started)
    assert not await village.announcements.cancel(9999)


async def test_a_trial_reaches_one_conversation_and_says_that_it_is_one(village: Village) -> None:
    [officer] = await village.settle("phu-thong", 1)
    village.staff.chats[village.minh] = officer
    channel = FakeChannel()
    outcome = await village.desk.trial(village.lan, await village.plan(), officer, channel.channels())
    assert isinstance(outcome, Sent)
    [(chat, text)] = channel.sent
    assert chat == "phu-thong-1"
    assert text.startswith("(Tin gửi thử")
    assert TEXT in text
    assert await village.announcements.recent() == []


async def test_a_trial_on_the_web_is_laid_ready(village: Village) -> None:
    [officer] = await village.settle("phu-thong", 1, channel="web")
    channel = FakeChannel([LeftForPickup(3600), LeftForPickup(3600)], name="web")
    await village.announcements.trial(await village.plan(), officer, channel.channels())
    async with village.database.read() as connection:
        rows = (await connection.execute(select(outbox.c.state, outbox.c.reply))).all()
    assert [(r.state, r.reply["text"][:12]) for r in rows] == [("queued", "(Tin gửi thử")]


async def test_a_trial_goes_to_officers_only(village: Village) -> None:
    """Nobody approved it yet, so no citizen may get it; and what may not be sent at all is not tried either."""
    citizen, phone = await village.settle("phu-thong", 2)
    village.staff.chats[village.lan] = phone
    channel, plan = FakeChannel(), await village.plan()
    with pytest.raises(Refused, match="không phải của cán bộ nào"):
        await village.desk.trial(village.lan, plan, citizen, channel.channels())
    secret = await village.plan(text="Gọi ông Ba 0912 345 678")
    with pytest.raises(Refused, match="số điện thoại"):
        await village.desk.trial(village.lan, secret, phone, channel.channels())
    for login in (village.staff.hire("vien", "viewer"), village.staff.hire("tu", "admin", "duc-xuan")):
        with pytest.raises(Refused, match="không được gửi thông báo"):
            await village.desk.trial(login, plan, phone, channel.channels())
    village.staff.dismiss(village.lan)
    village.staff.chats.pop(village.lan)
    with pytest.raises(Refused, match="không phải của cán bộ nào"):
        await village.desk.trial(village.minh, plan, phone, channel.channels())
    assert channel.sent == []


async def test_a_trial_to_nobody_is_refused(village: Village) -> None:
    await village.settle("phu-thong", 1)
    plan = await village.plan()
    with pytest.raises(Refused, match="Không có cuộc trò chuyện số 77"):
        await village.announcements.trial(plan, 77, FakeChannel().channels())
    [gone] = await village.settle("duc-xuan", 1, stopped=True)
    with pytest.raises(Refused, match="đã chặn"):
        await village.announcements.trial(plan, gone, FakeChannel().channels())


async def test_the_newest_stands_first_and_other_units_are_not_shown(village: Village) -> None:
    await village.settle("phu-thong", 1)
    await village.settle("duc-xuan", 1)
    first = await village.announce("phu-thong")
    second = await village.announce("duc-xuan")
    assert [p.id for p in await village.announcements.recent()] == [second, first]
    assert [p.id for p in await village.announcements.recent(["phu-thong"])] == [first]
