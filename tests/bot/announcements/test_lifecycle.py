"""From a draft to its end: who may do what, what a yes binds, and what is asked again at the last moment."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update

from bot.announcements.audience import Audience
from bot.announcements.content import Content, Refused
from bot.announcements.lanes import Lane
from bot.announcements.lifecycle import MOVES, TARGETS, Action, NotAllowed, after
from bot.announcements.report import Reporting
from bot.announcements.states import AnnouncementState as State
from bot.announcements.tables import announcement
from bot.clock import ZONE
from congdanso.announcing import show_plan
from tests.bot.announcements.conftest import TEXT, Village
from tests.builders import FakeChannel

pytestmark = pytest.mark.anyio


def test_each_action_leads_to_one_state_from_wherever_it_is_allowed() -> None:
    assert set(MOVES) == set(State)
    for moves in MOVES.values():
        for action, target in moves.items():
            assert target is TARGETS[action]


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("action", [a for a in Action if a in TARGETS])
def test_a_move_that_is_not_in_the_table_is_refused_with_both_states(state: State, action: Action) -> None:
    if action in MOVES[state]:
        assert after(state, action) is MOVES[state][action]
        return
    with pytest.raises(NotAllowed) as refused:
        after(state, action)
    from bot.announcements.texts import told

    assert told("announcement_states", state) in str(refused.value)
    assert told("announcement_states", TARGETS[action]) in str(refused.value)


async def test_what_lan_wrote_and_minh_approved_reaches_the_commune(village: Village) -> None:
    await village.settle("phu-thong", 3)
    number = await village.desk.draft(village.lan, village.wish())
    assert await village.state(number) is State.DRAFT
    await village.desk.submit(village.lan, number)
    assert await village.state(number) is State.IN_REVIEW
    await village.desk.approve(village.minh, number)
    assert await village.control.send(village.lan, number) is None
    channel = FakeChannel()
    await village.run(channel).work()
    assert await village.store.close_finished() == [number]
    shown = await village.viewing.show(village.lan, number)
    assert (shown.approver, shown.progress.counts) == (village.minh, {"accepted": 3})
    assert [(s.actor, s.action) for s in shown.steps] == [
        (village.lan, "revise"), (village.lan, "submit"), (village.minh, "approve"), (village.lan, "send"), (None, "begin"),
        (None, "close"),
    ]  # fmt: skip


async def test_nobody_approves_what_they_wrote_or_wrote_on(village: Village) -> None:
    await village.settle("phu-thong", 1)
    number = await village.desk.draft(village.minh, village.wish())
    await village.desk.submit(village.minh, number)
    with pytest.raises(Refused, match="không tự duyệt được"):
        await village.desk.approve(village.minh, number)
    await village.desk.revise(village.binh, number, village.wish("Mai họp thôn lúc 19 giờ."))
    await village.desk.submit(village.minh, number)
    for writer in (village.minh, village.binh):
        with pytest.raises(Refused, match="không tự duyệt được"):
            await village.desk.approve(writer, number)
    await village.desk.approve(village.staff.hire("ly-thi-mai", "approver"), number)
    assert await village.state(number) is State.APPROVED


@pytest.mark.parametrize(
    ("login", "role", "unit"),
    [
        ("a", "viewer", "phu-thong"),
        ("b", "officer", "phu-thong"),
        ("c", "approver", "duc-xuan"),
        ("d", "king", "phu-thong"),
    ],
)
async def test_only_an_approver_of_the_unit_approves(village: Village, login: str, role: str, unit: str) -> None:
    await village.settle("phu-thong", 1)
    number = await village.desk.draft(village.lan, village.wish())
    await village.desk.submit(village.lan, number)
    village.staff.hire(login, role, unit)
    with pytest.raises(Refused):
        await village.desk.approve(login, number)
    with pytest.raises(Refused, match="Không có cán bộ"):
        await village.desk.approve("khong-ai", number)
    assert await village.state(number) is State.IN_REVIEW


async def test_an_officer_of_another_commune_is_told_that_there_is_none(village: Village) -> None:
    number = await village.desk.draft(village.lan, village.wish())
    stranger = village.staff.hire("hoang-van-tu", "admin", "duc-xuan")
    for attempt in (
        village.desk.submit(stranger, number),
        village.control.cancel(stranger, number),
        village.viewing.show(stranger, number),
        village.desk.revise(stranger, number, village.wish()),
    ):
        with pytest.raises(Refused, match="Không có thông báo số"):
            await attempt
    with pytest.raises(Refused, match="không được gửi thông báo cho Xã Phủ Thông"):
        await village.desk.draft(stranger, village.wish())


@pytest.mark.parametrize(
    "change",
    [
        lambda w: replace(w, content=Content("Nội dung khác hẳn.")),
        lambda w: replace(w, content=replace(w.content, category="tap-huan")),
        lambda w: replace(w, audience=Audience(("phu-thong",), channels=("telegram",))),
        lambda w: replace(w, urgent_reason="lũ lên nhanh"),
        lambda w: replace(w, joins=True),
    ],
    ids=["text", "category", "audience", "urgency", "joins"],
)
async def test_a_change_after_the_yes_asks_again(village: Village, change: Any) -> None:
    await village.settle("phu-thong", 2)
    number = await village.approved()
    await village.desk.revise(village.lan, number, change(village.wish()))
    assert await village.state(number) is State.DRAFT
    with pytest.raises(NotAllowed):
        await village.control.send(village.lan, number)


async def test_a_yes_holds_only_for_what_the_approver_saw(village: Village) -> None:
    await village.settle("phu-thong", 2)
    number = await village.desk.draft(village.lan, village.wish())
    await village.desk.submit(village.lan, number)
    seen = (await village.desk.review(village.minh, number)).version
    await village.desk.revise(village.lan, number, village.wish("Nội dung khác hẳn."))
    await village.desk.submit(village.lan, number)
    with pytest.raises(Refused, match="đã thay đổi so với bản đã xem"):
        await village.desk.approve(village.minh, number, version=seen)
    again = (await village.desk.review(village.minh, number)).version
    await village.desk.approve(village.minh, number, version=again[:12])
    assert await village.state(number) is State.APPROVED


@pytest.mark.parametrize(
    "column", [{"text": "khác"}, {"content": Content("Nội dung lậu.").as_json()}, {"forecast": {"audience": 9}}]
)
async def test_what_was_changed_behind_everybodys_back_is_not_sent(village: Village, column: dict[str, Any]) -> None:
    await village.settle("phu-thong", 2)
    number = await village.approved()
    async with village.database.write() as connection:
        await connection.execute(update(announcement).where(announcement.c.id == number).values(**column))
    problem = await village.control.send(village.lan, number)
    assert problem == "changed"
    assert await village.state(number) is State.IN_REVIEW
    channel = FakeChannel()
    await village.run(channel).work()
    assert channel.sent == []


async def test_who_lost_the_right_meanwhile_sends_nothing(village: Village) -> None:
    await village.settle("phu-thong", 2)
    number = await village.approved()
    village.staff.roles[village.minh] = "viewer"
    assert await village.control.send(village.lan, number) == "approver"
    assert await village.state(number) is State.IN_REVIEW
    await village.desk.approve(village.binh, number)
    await village.control.schedule(village.lan, number, village.clock() + timedelta(hours=1))
    village.staff.dismiss(village.lan)
    village.clock.pass_(hours=1)
    assert await village.due.begin_due() == []
    assert await village.state(number) is State.CANCELLED


async def test_an_audience_that_grew_is_another_one(village: Village) -> None:
    await village.settle("phu-thong", 40)
    number = await village.approved()
    await village.settle("phu-thong", 20, first=100)
    await village.control.schedule(village.lan, number, village.clock() + timedelta(hours=1))
    village.clock.pass_(hours=2)
    await village.settle("phu-thong", 1, first=500)
    assert await village.due.begin_due() == []
    shown = await village.viewing.show(village.minh, number)
    assert (shown.progress.state, shown.problem, shown.forecast and shown.forecast["audience"]) == (
        State.IN_REVIEW,
        "grew",
        61,
    )
    await village.desk.approve(village.minh, number)
    assert await village.control.send(village.lan, number) is None


async def test_too_late_is_refused_and_the_author_is_told(village: Village) -> None:
    await village.settle("phu-thong", 2)
    [lans_chat] = await village.settle("duc-xuan", 1)
    village.staff.chats[village.lan] = lans_chat
    number = await village.approved(village.wish(expires_at=village.clock() + timedelta(hours=3)))
    await village.control.schedule(village.lan, number, village.clock() + timedelta(hours=2))
    village.clock.pass_(hours=4)
    assert await village.due.begin_due() == []
    assert await village.state(number) is State.CANCELLED
    assert (await village.viewing.show(village.lan, number)).problem == "too_late"
    assert any("quá hạn" in notice for notice in await village.notices(lans_chat))
    with pytest.raises(Refused, match="Hạn của thông báo đã qua"):
        await village.approved(village.wish(expires_at=village.clock()))


async def test_what_waits_for_a_process_that_was_away_for_days_is_given_up(village: Village) -> None:
    await village.settle("phu-thong", 2)
    number = await village.approved()
    await village.control.schedule(village.lan, number, village.clock() + timedelta(hours=2))
    village.clock.pass_(days=4)
    assert await village.due.begin_due() == []
    assert await village.state(number) is State.CANCELLED


async def test_at_night_what_is_due_waits_for_the_morning(village: Village) -> None:
    await village.settle("phu-thong", 2)
    number = await village.approved()
    with pytest.raises(Refused, match="giờ nghỉ đêm"):
        await village.control.schedule(village.lan, number, datetime(2026, 11, 22, 23, 0, tzinfo=ZONE))
    village.clock.now = datetime(2026, 11, 22, 22, 30, tzinfo=ZONE)
    assert await village.control.send(village.lan, number) == "night"
    assert await village.state(number) is State.SCHEDULED
    village.clock.now = datetime(2026, 11, 23, 6, 0, 1, tzinfo=ZONE)
    assert await village.due.begin_due() == [number]


async def test_the_urgent_needs_a_reason_and_the_superiors_hear_of_it(village: Village) -> None:
    await village.settle("phu-thong", 2)
    [chat] = await village.settle("duc-xuan", 1)
    village.staff.chats[village.binh] = chat
    with pytest.raises(Refused, match="phải ghi lý do"):
        await village.desk.draft(village.lan, village.wish(urgent_reason="gấp"))
    number = await village.approved(
        village.wish("Lũ lên nhanh, lên nhà văn hoá.", urgent_reason="lũ ống ở thượng nguồn")
    )
    [asked, told] = await village.notices(chat)
    assert "chờ duyệt" in asked
    assert "Lý do khẩn: lũ ống ở thượng nguồn" in told
    approve = (await village.viewing.show(village.lan, number)).steps[-1]
    assert approve.note is not None
    assert "đã báo Ha Van Binh" in approve.note


async def test_who_cannot_be_told_of_the_urgent_is_named(village: Village) -> None:
    await village.settle("phu-thong", 2)
    plan = await village.plan(text="Lũ lên nhanh.", urgent_reason="lũ ống ở thượng nguồn")
    started = await village.control.announce(village.lan, plan)
    [step] = (await village.viewing.show(village.lan, started.id)).steps
    assert step.note is not None
    assert "chưa báo được" in step.note
    assert "Tran Van Minh" in step.note


async def test_an_approver_returns_it_with_a_reason_and_the_author_hears_it(village: Village) -> None:
    await village.settle("phu-thong", 1)
    [chat] = await village.settle("duc-xuan", 1)
    village.staff.chats[village.lan] = chat
    number = await village.desk.draft(village.lan, village.wish())
    await village.desk.submit(village.lan, number)
    with pytest.raises(Refused, match="ghi lý do"):
        await village.desk.send_back(village.minh, number, " ")
    await village.desk.send_back(village.minh, number, "Sai ngày khám")
    assert await village.state(number) is State.DRAFT
    assert any("Sai ngày khám" in notice for notice in await village.notices(chat))


async def test_pausing_holds_at_once_and_resuming_goes_on(village: Village) -> None:
    await village.settle("phu-thong", 100)
    number = await village.approved()
    await village.control.send(village.lan, number)
    at_pause = -1

    from tests.bot.announcements.conftest import Doing

    async def pauses(chat: str) -> None:
        nonlocal at_pause
        if chat == "phu-thong-5":
            await village.control.pause(village.lan, number)
            at_pause = len(channel.sent)

    channel = Doing(on_send=pauses)
    await village.run(channel).work()
    assert await village.state(number) is State.PAUSED
    assert len(channel.sent) <= at_pause + 20, "only what was on its way"
    assert await village.store.close_finished() == []
    await village.control.resume(village.lan, number)
    await village.run(channel, owner="run-2").work()
    assert len({chat for chat, _ in channel.sent}) == len(channel.sent) == 100
    assert await village.store.close_finished() == [number]


async def test_after_its_end_a_paused_one_does_not_go_on(village: Village) -> None:
    await village.settle("phu-thong", 2)
    number = await village.approved(village.wish(expires_at=village.clock() + timedelta(hours=1)))
    await village.control.send(village.lan, number)
    await village.control.pause(village.lan, number)
    village.clock.pass_(hours=2)
    with pytest.raises(Refused, match="Hạn của thông báo đã qua"):
        await village.control.resume(village.lan, number)
    assert await village.store.expire() == 2
    assert await village.store.close_finished() == [number]
    assert (await village.progress(number)).counts == {"failed:expired": 2}


async def test_a_commune_trusts_its_officer_until_somebody_says_otherwise(village: Village) -> None:
    await village.settle("phu-thong", 2)
    assert (await village.control.announce(village.lan, await village.plan())).sent
    with pytest.raises(Refused, match="không được đặt quy định"):
        await village.control.set_policy(village.lan, "phu-thong", second_person=True)
    await village.control.set_policy(village.binh, "phu-thong", second_person=True)
    waiting = await village.control.announce(village.lan, await village.plan(text="Mai họp thôn."), key="hop-thon")
    assert not waiting.sent
    assert await village.state(waiting.id) is State.IN_REVIEW
    assert (
        await village.control.announce(village.lan, await village.plan(text="Mai họp thôn."), key="hop-thon") == waiting
    )


async def test_nobody_speaks_to_the_whole_province_alone(village: Village) -> None:
    await village.settle("phu-thong", 2)
    village.staff.roles[village.minh] = "officer"
    started = await village.control.announce(village.binh, await village.plan("thai-nguyen"))
    assert not started.sent, "also where there is nobody else yet: then it waits"
    assert "chưa có ai duyệt được" in started.told
    await village.control.set_policy(village.binh, "thai-nguyen", second_person=False)
    plan = await village.plan("thai-nguyen", text="Toàn tỉnh diễn tập.")
    assert not (await village.control.announce(village.binh, plan)).sent
    await village.desk.approve(village.staff.hire("le-thi-hoa", "approver", "thai-nguyen"), started.id)
    assert await village.control.send(village.binh, started.id) is None


async def test_the_history_says_whether_somebody_set_a_rule(village: Village) -> None:
    await village.settle("phu-thong", 2)
    notes = []
    for text in ("Tin một.", "Tin hai."):
        started = await village.control.announce(village.lan, await village.plan(text=text))
        notes.append(str((await village.viewing.show(village.lan, started.id)).steps[0].note))
        await village.control.set_policy(village.binh, "phu-thong", second_person=False)
    assert "chưa đặt quy định" in notes[0]
    assert "theo quy định của đơn vị" in notes[1]


@pytest.mark.parametrize(("channel", "gone", "problem"), [("telegram", 3, "shrank"), ("web", 1, "lane")])
async def test_an_audience_that_shrank_or_lost_a_channel_is_another_one(
    village: Village, channel: str, gone: int, problem: str
) -> None:
    people = {
        "telegram": await village.settle("phu-thong", 9),
        "web": await village.settle("phu-thong", 1, channel="web"),
    }
    number = await village.approved()
    for person in people[channel][:gone]:
        await village.change(person, subscribed=False)
    assert await village.control.send(village.lan, number) == problem
    assert await village.state(number) is State.IN_REVIEW
    await village.desk.approve(village.minh, number)
    for person in people["telegram"][-1:]:
        await village.change(person, subscribed=False)
    assert await village.control.send(village.lan, number) is None, "one of many is no other audience"


async def test_what_is_scheduled_can_be_held_and_goes_on_at_its_moment(village: Village) -> None:
    await village.settle("phu-thong", 2)
    number, later = await village.approved(), village.clock() + timedelta(hours=2)
    await village.control.schedule(village.lan, number, later)
    await village.control.pause(village.lan, number, "Chờ lịch mới")
    assert await village.state(number) is State.HELD
    assert await village.store.close_finished() == []
    village.clock.pass_(hours=1)
    await village.control.resume(village.lan, number)
    assert (await village.viewing.show(village.lan, number)).send_at == later
    await village.control.pause(village.lan, number)
    village.clock.pass_(hours=2)
    assert await village.due.begin_due() == [], "it is held"
    with pytest.raises(Refused, match="Hãy đặt lịch lại"):
        await village.control.resume(village.lan, number)
    await village.control.schedule(village.lan, number, village.clock() + timedelta(hours=1))
    village.clock.pass_(hours=1)
    assert await village.due.begin_due() == [number]
    assert [s.action for s in (await village.viewing.show(village.lan, number)).steps][3:] == [
        "schedule", "hold", "release", "hold", "schedule", "begin",
    ]  # fmt: skip


async def test_a_repeated_one_that_was_held_goes_on_with_its_next_time(village: Village) -> None:
    await village.settle("phu-thong", 2)
    number = await village.approved(
        village.wish(repeat={"every": "day", "at": "9:00", "since": "2026-11-20", "until": "2026-12-20"})
    )
    first = await village.control.schedule(village.lan, number)
    await village.control.pause(village.lan, number)
    village.clock.now = first + timedelta(days=2, hours=1)
    assert await village.due.begin_due() == []
    await village.control.resume(village.lan, number)
    assert (await village.viewing.show(village.lan, number)).send_at == first + timedelta(days=3)


async def test_the_night_stands_in_the_history(village: Village) -> None:
    village.clock.now = datetime(2026, 11, 22, 21, 30, tzinfo=ZONE)
    await village.settle("phu-thong", 2)
    number = await village.announce()
    village.clock.now = datetime(2026, 11, 22, 22, 30, tzinfo=ZONE)
    await village.store.fall_asleep()
    village.clock.now = datetime(2026, 11, 23, 6, 0, 1, tzinfo=ZONE)
    await village.run(FakeChannel()).work()
    await village.store.close_finished()
    steps = (await village.viewing.show(village.lan, number)).steps
    assert [(s.actor, s.action) for s in steps] == [(None, "fall_asleep"), (None, "wake"), (None, "close")]


async def test_of_what_was_too_late_in_the_middle_the_author_hears_once(village: Village) -> None:
    await village.settle("phu-thong", 3)
    [chat] = await village.settle("duc-xuan", 1)
    village.staff.chats[village.lan] = chat
    number = await village.approved(village.wish(expires_at=village.clock() + timedelta(hours=2)))
    await village.control.send(village.lan, number)
    await village.control.pause(village.lan, number)
    await village.due.work()
    village.clock.pass_(hours=3)
    await village.due.work()
    assert await village.store.expire() == 3
    await village.store.close_finished()
    await village.due.work()
    await village.due.work()
    [told] = [notice for notice in await village.notices(chat) if "đã quá hạn khi chưa gửi xong" in notice]
    assert "3 người" in told
    steps = (await village.viewing.show(village.lan, number)).steps
    [expired] = [s for s in steps if s.action == "expire"]
    assert "đã báo Nguyen Thi Lan" in str(expired.note)
    report = await Reporting(village.announcements, village.staff).report(village.lan, number)
    assert dict(report.funnel)["left"] == 0, "nothing of it left"


async def test_citizens_of_another_unit_are_not_counted(village: Village) -> None:
    await village.settle("duc-xuan", 7)
    plan = await village.planner.plan(village.wish(audience=Audience(("duc-xuan",))))
    assert (plan.audience, plan.counted, plan.whom) == (0, False, "")
    assert any("không thuộc đơn vị gửi" in problem for problem in plan.problems)
    lines: list[str] = []
    show_plan(village.viewing, plan, lines.append)
    assert not any("Người nhận ở" in line for line in lines)


async def test_nobody_is_explained_by_what_it_comes_from(village: Village) -> None:
    plan = await village.plan()
    assert any("Chưa có ai ở Xã Phủ Thông đăng ký" in problem for problem in plan.problems)
    await village.settle("phu-thong", 2)
    plan = await village.planner.plan(village.wish(audience=Audience(("phu-thong",), channels=("web",))))
    assert any("Có 2 người đăng ký" in problem and "bớt điều kiện" in problem for problem in plan.problems)


async def test_a_refusal_says_what_to_do_next(village: Village) -> None:
    await village.settle("phu-thong", 1)
    number = await village.desk.draft(village.lan, village.wish())
    await village.desk.submit(village.lan, number)
    with pytest.raises(NotAllowed, match='đang ở bước "chờ duyệt" rồi'):
        await village.desk.submit(village.lan, number)
    with pytest.raises(Refused, match="Lý do ngắn quá"):
        await village.desk.send_back(village.minh, number, "ok")
    await village.desk.approve(village.minh, number)
    with pytest.raises(Refused, match="Hãy ghi lúc gửi"):
        await village.control.schedule(village.lan, number)


async def test_whom_the_days_limit_holds_is_known(village: Village) -> None:
    await village.settle("phu-thong", 1)
    channel = FakeChannel()
    for text in ("Một.", "Hai.", "Ba."):
        await village.announce(text=text)
        await village.run(channel, owner=text).work()
    number = await village.announce(text="Bốn.")
    assert await village.announcements.held_by_limit(number) is None, "nobody tried yet"
    lane, store = Lane("telegram", "default"), village.store
    assert await store.acquire(lane, "one")
    current = await store.pick(lane)
    assert current is not None
    await store.next_ones(lane, "one", current, 10)
    held = await village.announcements.held_by_limit(number)
    assert held is not None
    assert (held.recipients, held.until > village.clock() + timedelta(hours=20)) == (1, True)


async def test_a_draft_holds_nobodys_number(village: Village) -> None:
    with pytest.raises(Refused, match="số điện thoại di động"):
        await village.desk.draft(village.lan, village.wish("Gọi ông Ba 0912 345 678"))
    number = await village.desk.draft(village.lan, village.wish(""))
    with pytest.raises(Refused, match="Chưa có nội dung"):
        await village.desk.submit(village.lan, number)


async def test_the_list_shows_ones_own_unit_and_below(village: Village) -> None:
    mine = await village.desk.draft(village.lan, village.wish())
    other = await village.desk.draft(village.binh, village.wish(unit="duc-xuan"))
    assert [p.id for p in await village.viewing.listing(village.lan)] == [mine]
    assert {p.id for p in await village.viewing.listing(village.binh)} == {mine, other}
    assert await village.viewing.listing(village.binh, states=["closed"]) == []
    assert TEXT in (await village.viewing.show(village.lan, mine)).wish.content.text
