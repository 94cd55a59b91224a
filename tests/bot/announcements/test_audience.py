"""Whom an announcement is for: a question asked anew, counted by channel, and honest about what is not known."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert, select

from bot.announcements.audience import Audience, audience_in_words, audience_of, groups, narrowed
from bot.announcements.content import Refused
from bot.announcements.lanes import Lane
from bot.announcements.states import AnnouncementState as State
from bot.announcements.tables import saved_audience
from bot.conversation.model import Session
from bot.storage.tables import conversation
from congdanso.deliveries import known_topics
from tests.bot.announcements.conftest import Village
from tests.builders import FakeChannel

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "Chưa chọn xã, phường nào"),
        ({"units": []}, "Chưa chọn xã, phường nào"),
        ({"units": "phu-thong"}, "phải là danh sách"),
        ({"units": ["phu-thong"], "took": {"lesson": "vneid"}}, "phải là danh sách"),
        ({"units": ["phu-thong"], "languages": "en"}, "phải là danh sách"),
        ({"units": ["phu-thong"], "phones": ["0912345678"]}, "phones"),
        ({"units": ["phu-thong"], "seen_within_days": 0}, "từ 1 đến 365"),
        ({"units": ["phu-thong"], "seen_within_days": True}, "từ 1 đến 365"),
    ],
)
def test_what_is_not_kept_about_people_cannot_be_asked(given: dict[str, Any], said: str) -> None:
    with pytest.raises(Refused, match=said):
        audience_of(given)


SLUGS = st.lists(st.sampled_from(["phu-thong", "duc-xuan", "na-ri"]), unique=True, max_size=3).map(tuple)
DAYS = st.none() | st.integers(1, 365)


@given(
    st.builds(
        Audience,
        SLUGS.filter(bool),
        SLUGS,
        topics=st.sampled_from([(), ("tam-tru",)]),
        channels=st.sampled_from([(), ("web",)]),
        seen_within_days=DAYS,
        not_contacted_days=DAYS,
    )
)
def test_a_question_survives_storage(audience: Audience) -> None:
    assert audience_of(audience.as_json()) == audience


def test_every_topic_of_a_group_exists() -> None:
    assert {topic for group in groups().values() for topic in group.topics} <= known_topics()


@pytest.mark.parametrize(
    ("audience", "said"),
    [
        (Audience(("duc-xuan",)), "không thuộc đơn vị gửi"),
        (Audience(("khong-co",)), "Không có đơn vị"),
        (Audience(("phu-thong",), without_units=("phu-thong",)), "không còn nơi nào"),
        (Audience(("phu-thong",), topics=("khong-co",)), "Không có chủ đề"),
        (Audience(("phu-thong",), groups=("khong-co",)), "ho-kinh-doanh"),
        (Audience(("phu-thong",), channels=("zalo-oa",)), "Không có kênh"),
        (Audience(("phu-thong",), without_saved=("khong-co",)), "đã lưu"),
    ],
)
async def test_an_impossible_audience_is_refused_in_words(village: Village, audience: Audience, said: str) -> None:
    await village.settle("phu-thong", 1)
    plan = await village.planner.plan(village.wish(audience=audience))
    assert any(said in problem for problem in plan.problems), plan.problems


async def reached(village: Village, audience: Audience, unit: str = "phu-thong", **more: Any) -> set[str]:
    """The chats that get it."""
    number = await village.approved(village.wish(f"Tin cho {audience}", unit, audience=audience, **more))
    village.lanes = (*village.lanes,)
    assert await village.control.send(village.lan if unit == "phu-thong" else village.binh, number) is None
    found: set[str] = set()
    for name in ("telegram", "web"):
        channel = FakeChannel(name=name)
        await village.run(channel, owner=f"run-{number}-{name}").work()
        found |= {chat for chat, _ in channel.sent}
    await village.store.close_finished()
    return found


async def remembers(village: Village, conversation_id: int, *topics: str, consented: bool = True) -> None:
    await village.change(
        conversation_id,
        session=Session(recent=topics).as_dict(),
        consented_at=village.clock() if consented else None,
    )


async def test_topics_reach_who_asked_about_them_lately_and_agreed(village: Village) -> None:
    people = await village.settle("phu-thong", 5)
    await remembers(village, people[0], "khai-sinh", "tam-tru")
    await remembers(village, people[1], "khai-sinh")
    await remembers(village, people[2], "tam-tru", consented=False)
    await remembers(village, people[3], "tam-tru")
    await village.change(people[3], last_seen_at=village.clock() - timedelta(days=20))
    audience = Audience(("phu-thong",), topics=("tam-tru",), topics_within_days=14)
    plan = await village.planner.plan(village.wish(audience=audience))
    assert plan.audience == 1
    assert plan.unreachable["no_consent"] == 2
    assert await reached(village, audience) == {"phu-thong-1"}


async def test_lessons_reach_who_read_them_and_agreed_or_who_is_not_known_to_have(village: Village) -> None:
    people = await village.settle("phu-thong", 4)
    read = Session(lessons=("lua-dao-qua-mang", "kich-hoat-vneid")).as_dict()
    await village.change(people[0], session=read, consented_at=village.clock())
    await village.change(people[1], session=read, consented_at=None)
    other = Session(lessons=("lua-dao-qua-mang",)).as_dict()
    await village.change(people[2], session=other, consented_at=village.clock())
    took = Audience(("phu-thong",), took=("kich-hoat-vneid",))
    plan = await village.planner.plan(village.wish(audience=took))
    assert plan.unreachable["no_consent"] == 2
    assert await reached(village, took) == {"phu-thong-1"}
    not_took = Audience(("phu-thong",), not_took=("kich-hoat-vneid",))
    assert await reached(village, not_took) == {"phu-thong-2", "phu-thong-3", "phu-thong-4"}
    words = audience_in_words(not_took, village.places)
    assert "kênh chưa thấy đọc bài học kich-hoat-vneid" in words


async def test_a_language_is_that_of_the_screen_and_vietnamese_where_none_is_told(village: Village) -> None:
    people = await village.settle("phu-thong", 3)
    await village.change(people[0], language="ko")
    await village.change(people[1], language="vi")
    assert await reached(village, Audience(("phu-thong",), languages=("ko", "en"))) == {"phu-thong-1"}
    assert await reached(village, Audience(("phu-thong",), languages=("vi",))) == {"phu-thong-2", "phu-thong-3"}
    assert "điện thoại dùng tiếng Hàn, xx" in audience_in_words(
        Audience(("phu-thong",), languages=("ko", "xx")), village.places
    )


@pytest.mark.parametrize(
    ("audience", "said"),
    [
        (Audience(("phu-thong",), took=("vneid",)), "Không có bài học"),
        (Audience(("phu-thong",), not_took=("khai-sinh",)), "lua-dao-qua-mang"),
        (Audience(("phu-thong",), languages=("tiếng Tày",)), "mã hai hoặc ba chữ"),
    ],
)
async def test_lessons_and_languages_that_do_not_exist_are_refused(
    village: Village, audience: Audience, said: str
) -> None:
    [problem] = (await village.planner.plan(village.wish(audience=audience))).problems
    assert said in problem


async def test_a_group_is_its_topics(village: Village) -> None:
    people = await village.settle("phu-thong", 3)
    await remembers(village, people[1], "khai-thue-ho-kinh-doanh")
    assert await reached(village, Audience(("phu-thong",), groups=("ho-kinh-doanh",))) == {"phu-thong-2"}


async def test_channels_and_when_somebody_was_last_seen(village: Village) -> None:
    people = await village.settle("phu-thong", 3)
    await village.settle("phu-thong", 1, channel="web", first=50)
    await village.change(people[0], last_seen_at=village.clock() - timedelta(days=40))
    assert await reached(village, Audience(("phu-thong",), channels=("telegram",), seen_within_days=30)) == {
        "phu-thong-2",
        "phu-thong-3",
    }
    assert await reached(village, Audience(("phu-thong",), not_seen_for_days=30)) == {"phu-thong-1"}
    plan = await village.planner.plan(village.wish(audience=Audience(("phu-thong",), without_channels=("telegram",))))
    assert {str(r.lane): r.citizens for r in plan.reach} == {"web:default": 1}


async def test_units_with_everything_below_them_but_some(village: Village) -> None:
    for ward in ("phu-thong", "duc-xuan", "na-ri"):
        await village.settle(ward, 1)
    village.staff.hire("le-thi-hoa", "approver", "thai-nguyen")
    number = await village.desk.draft(
        village.binh, village.wish(unit="thai-nguyen", audience=Audience(("thai-nguyen",), without_units=("na-ri",)))
    )
    await village.desk.submit(village.binh, number)
    await village.desk.approve("le-thi-hoa", number)
    await village.control.send(village.binh, number)
    channel = FakeChannel()
    await village.run(channel).work()
    assert {chat for chat, _ in channel.sent} == {"phu-thong-1", "duc-xuan-1"}


async def test_who_was_told_something_lately_can_be_spared(village: Village) -> None:
    people = await village.settle("phu-thong", 3)
    await remembers(village, people[0], "tam-tru")
    await reached(village, Audience(("phu-thong",), topics=("tam-tru",)))
    village.clock.pass_(days=3)
    assert await reached(village, Audience(("phu-thong",), not_contacted_days=7)) == {"phu-thong-2", "phu-thong-3"}
    village.clock.pass_(days=8)
    assert await reached(village, Audience(("phu-thong",), not_contacted_days=2)) == {
        "phu-thong-1",
        "phu-thong-2",
        "phu-thong-3",
    }


async def test_a_saved_audience_can_be_left_out(village: Village) -> None:
    people = await village.settle("phu-thong", 2)
    await remembers(village, people[0], "khai-thue-ho-kinh-doanh")
    async with village.database.write() as connection:
        await connection.execute(
            insert(saved_audience).values(
                unit="phu-thong",
                name="nguoi-kinh-doanh",
                title="Người kinh doanh",
                query=Audience(("phu-thong",), groups=("ho-kinh-doanh",)).as_json(),
                author=village.lan,
                created_at=village.clock(),
            )
        )
    assert await reached(village, Audience(("phu-thong",), without_saved=("nguoi-kinh-doanh",))) == {"phu-thong-2"}


async def test_a_saved_audience_can_be_used_and_what_is_written_keeps_its_question(village: Village) -> None:
    await village.settle("phu-thong", 2)
    await village.settle("phu-thong", 3, channel="web")
    name = await village.desk.save_audience(
        village.lan, "phu-thong", "Người dùng web", Audience(("phu-thong",), channels=("web",))
    )
    asked = Audience(("phu-thong",), saved=name, seen_within_days=30)
    number = await village.desk.draft(village.lan, village.wish(audience=asked))
    await village.desk.save_audience(village.lan, "phu-thong", "Người dùng web", Audience(("phu-thong",)))
    await village.desk.remove_audience(village.lan, "phu-thong", name)
    shown = await village.viewing.show(village.lan, number)
    assert shown.wish.audience == Audience(("phu-thong",), channels=("web",), seen_within_days=30)
    assert (await village.desk.submit(village.lan, number)).audience == 3
    assert await village.desk.saved_audiences(village.lan, "phu-thong") == []
    with pytest.raises(Refused, match="đã lưu tên"):
        await village.desk.draft(village.lan, village.wish(audience=asked))
    with pytest.raises(Refused, match="đã lưu tên"):
        await village.desk.remove_audience(village.lan, "phu-thong", name)
    with pytest.raises(Refused, match="đã lưu khác"):
        await village.desk.save_audience(village.lan, "phu-thong", "Lồng", asked)


def test_what_narrows_a_saved_audience_adds_to_it_and_never_contradicts() -> None:
    saved = Audience(("phu-thong",), channels=("web",), groups=("ho-kinh-doanh",), without_units=("a",))
    asked = Audience(("thai-nguyen",), saved="x", channels=("web",), without_units=("b",), not_contacted_days=2)
    assert narrowed(saved, asked, "thai-nguyen") == replace(saved, without_units=("a", "b"), not_contacted_days=2)
    for more in ({"channels": ("telegram",)}, {"topics": ("tam-tru",)}, {"units": ("duc-xuan",)}):
        with pytest.raises(Refused, match="đã có điều kiện"):
            narrowed(saved, Audience(**{"units": ("thai-nguyen",), "saved": "x"} | more), "thai-nguyen")
    for wrong in ("", "  ", 3, ["x"]):
        with pytest.raises(Refused, match="saved"):
            audience_of({"units": ["phu-thong"], "saved": wrong})
    assert audience_of(asked.as_json()) == asked


async def test_the_forecast_says_by_channel_what_would_become_of_it(village: Village) -> None:
    village.lanes = (*village.lanes, Lane("zalo-oa", "default"))
    village.paying = (Lane("zalo-oa", "default"),)
    await village.settle("phu-thong", 12)
    await village.settle("phu-thong", 3, channel="web")
    people = await village.settle("phu-thong", 9, channel="zalo-oa")
    for conversation_id, days in zip(people, (0, 1, 1.9, 2.1, 4, 6.9, 7.1, 30, 90), strict=True):
        await village.change(conversation_id, last_seen_at=village.clock() - timedelta(days=days))
    plan = await village.plan()
    assert plan.forecast.in_words() == (
        "Telegram: 12 gửi ngay; Trang web: 3 khi mở lại trang; Zalo OA: 3 trong cửa sổ 48 giờ, 3 tốn phí, "
        "3 ngoài 7 ngày → cần bài viết hoặc mẫu tin"
    )
    assert plan.unreachable["outside_window"] == 3
    assert any("lâu không nhắn" in reason for reason in plan.forecast.reasons())


async def test_an_account_that_pays_nothing_reaches_nobody_after_the_free_hours(village: Village) -> None:
    village.lanes = (Lane("zalo-oa", "default"),)
    people = await village.settle("phu-thong", 4, channel="zalo-oa")
    for conversation_id, days in zip(people, (1, 3, 4, 30), strict=True):
        await village.change(conversation_id, last_seen_at=village.clock() - timedelta(days=days))
    plan = await village.plan()
    assert plan.forecast.in_words() == (
        "Zalo OA: 1 trong cửa sổ 48 giờ, 3 quá 48 giờ (tài khoản không bật tin tốn phí) → cần bài viết hoặc mẫu tin"
    )
    assert (plan.reach[0].paid, plan.reach[0].outside) == (0, 3)
    assert plan.unreachable["outside_window"] == 3


async def test_outside_the_window_the_messenger_is_not_even_asked(village: Village) -> None:
    village.lanes = (Lane("zalo-oa", "default"),)
    people = await village.settle("phu-thong", 2, channel="zalo-oa")
    number = await village.approved()
    await village.control.send(village.lan, number)
    await village.change(people[0], last_seen_at=village.clock() - timedelta(days=8))
    channel = FakeChannel(name="zalo-oa")
    await village.run(channel).work()
    assert [chat for chat, _ in channel.sent] == ["phu-thong-2"]
    assert (await village.progress(number)).counts == {"accepted": 1, "skipped:outside_window": 1}


async def test_who_joins_while_it_is_sent_gets_it_if_the_author_asked_for_that(village: Village) -> None:
    await village.settle("phu-thong", 2)
    [late] = await village.settle("phu-thong", 1, first=9, subscribed=False)
    with_them = await village.approved(village.wish("Tin một.", joins=True))
    without = await village.approved(village.wish("Tin hai."))
    for number in (with_them, without):
        await village.control.send(village.lan, number)
    village.clock.pass_(seconds=30)
    await village.change(late, subscribed=True, last_seen_at=village.clock())
    await village.due.work()
    await village.due.work()
    channel = FakeChannel()
    await village.run(channel).work()
    assert sorted(await village.store.close_finished()) == [with_them, without]
    assert ((await village.progress(with_them)).audience, (await village.progress(without)).audience) == (3, 2)
    assert [text.splitlines()[1] for chat, text in channel.sent if chat == "phu-thong-9"] == ["Tin một."]
    await village.settle("phu-thong", 1, first=20)
    await village.due.work()
    assert await village.state(with_them) is State.CLOSED
    assert (await village.progress(with_them)).audience == 3


async def test_a_session_of_nobody_is_read_without_harm(village: Village) -> None:
    [one] = await village.settle("phu-thong", 1)
    await village.change(one, session={}, consented_at=village.clock())
    plan = await village.planner.plan(village.wish(audience=Audience(("phu-thong",), topics=("tam-tru",))))
    assert plan.audience == 0
    async with village.database.read() as connection:
        assert (await connection.execute(select(conversation.c.id))).scalars().all() == [one]
