"""An officer sees whom an announcement does not reach and why, one by one, and never who it is."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from io import BytesIO
from typing import Any

import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete

from bot.announcements.audience import Audience
from bot.announcements.content import Refused
from bot.announcements.lanes import Lane
from bot.announcements.templates import Template
from bot.announcements.unreached import Unreached, Unreaching
from bot.messages import ContactStopped
from bot.storage.tables import conversation
from tests.bot.announcements.conftest import TELEGRAM, WEB, Village
from tests.builders import FakeChannel

pytestmark = pytest.mark.anyio

OA = Lane("zalo-oa", "default")


def lists(village: Village) -> Unreaching:
    return Unreaching(village.announcements, village.staff)


def by_reason(found: Unreached) -> dict[str, int]:
    return dict(Counter(person.reason for person in found.people))


async def test_before_it_begins_everybody_left_out_stands_in_the_list_with_a_reason(village: Village) -> None:
    village.lanes = (TELEGRAM, WEB, OA)
    await village.settle("phu-thong", 3)
    await village.settle("phu-thong", 2, subscribed=False, first=11)
    await village.settle("phu-thong", 1, stopped=True, first=21)
    [muted] = await village.settle("phu-thong", 1, first=31)
    await village.change(muted, muted=",tap-huan,")
    [gone] = await village.settle("phu-thong", 1, first=41)
    await village.change(gone, account="other")
    [silent] = await village.settle("phu-thong", 1, channel="zalo-oa")
    await village.change(silent, last_seen_at=village.clock() - timedelta(days=3))
    await village.settle("duc-xuan", 5, subscribed=False)
    number = await village.desk.draft(village.lan, village.wish(category="tap-huan"))
    found = await lists(village).unreached(village.lan, number)
    assert by_reason(found) == {"not_subscribed": 2, "stopped": 1, "muted": 1, "no_account": 1, "outside_window": 1}
    assert (found.total, found.begun) == (6, False)
    [left] = [person for person in found.people if person.reason == "outside_window"]
    assert (left.unit, left.channel) == ("phu-thong", "zalo-oa")
    assert left.last_wrote == f"{village.clock() - timedelta(days=3):%Y-%m}"
    lines = "\n".join(lists(village).lines(found))
    assert "6 người trong phạm vi không nhận được" in lines
    assert "Xã Phủ Thông, Zalo OA: lâu không nhắn nên kênh không cho gửi tin" in lines
    assert "phu-thong-11" not in lines, "a conversation's address at its messenger"


async def test_the_list_is_read_page_by_page(village: Village) -> None:
    await village.settle("phu-thong", 1)
    await village.settle("phu-thong", 7, subscribed=False, first=11)
    number = await village.desk.draft(village.lan, village.wish())
    pages = [await lists(village).unreached(village.lan, number, limit=3, offset=offset) for offset in (0, 3, 6, 9)]
    assert [len(page.people) for page in pages] == [3, 3, 1, 0]
    assert {page.total for page in pages} == {7}
    assert lists(village).lines(pages[0])[-1] == "… và 4 người nữa."
    book = BytesIO()
    lists(village).write_xlsx(pages[0], book)
    assert openpyxl.load_workbook(book)["Từng người"].cell(5, 1).value == "… và 4 người nữa.", "a cut is never silent"


async def test_once_it_has_begun_the_list_is_of_deliveries(village: Village) -> None:
    await village.settle("phu-thong", 3)
    [forgotten] = await village.settle("phu-thong", 1, first=11)
    number = await village.announce()
    await village.change(forgotten, subscribed=False)
    await village.run(FakeChannel([ContactStopped("blocked")])).work()
    await village.store.close_finished()
    async with village.database.write() as connection:
        await connection.execute(delete(conversation).where(conversation.c.id == forgotten))
    found = await lists(village).unreached(village.lan, number)
    assert (found.begun, by_reason(found)) == (True, {"failed:blocked": 1, "skipped:opted_out": 1})
    [erased] = [person for person in found.people if person.reason == "skipped:opted_out"]
    assert (erased.unit, erased.last_wrote) == ("phu-thong", None), (
        "who erased their data leaves a commune and a reason"
    )
    assert any("người dân đã chặn hoặc rời kênh" in line for line in lists(village).lines(found))


async def test_who_gets_it_on_another_channel_is_reached(village: Village) -> None:
    phone = await village.settle("phu-thong", 1)
    web = await village.settle("phu-thong", 1, channel="web")
    await village.change(phone[0], person="p" * 32, preferred=True)
    await village.change(web[0], person="p" * 32)
    number = await village.announce()
    await village.run(FakeChannel()).work()
    await village.store.close_finished()
    found = await lists(village).unreached(village.lan, number)
    assert found.total == 0
    assert lists(village).lines(found) == [f"Thông báo số {number}: chưa có ai gửi mà không tới."]


async def test_an_audience_of_interests_names_who_did_not_agree(village: Village) -> None:
    await village.settle("phu-thong", 2)
    wish = village.wish(audience=Audience(("phu-thong",), topics=("tam-tru",)))
    number = await village.desk.draft(village.lan, wish)
    found = await lists(village).unreached(village.lan, number)
    assert by_reason(found) == {"no_consent": 2}
    assert {person.last_wrote for person in found.people} == {None}, (
        "what they asked and when they wrote would be a trace"
    )


async def test_the_workbook_holds_the_sums_and_the_people(village: Village) -> None:
    await village.settle("phu-thong", 2, subscribed=False)
    number = await village.desk.draft(village.lan, village.wish())
    book = BytesIO()
    lists(village).write_xlsx(await lists(village).unreached(village.lan, number), book)
    sheets = openpyxl.load_workbook(book)
    assert sheets.sheetnames == ["Tổng hợp", "Từng người"]
    assert [[cell.value for cell in row] for row in sheets["Tổng hợp"].iter_rows()][1][3] == 2
    assert sheets["Từng người"].max_row == 3


async def test_another_units_officer_learns_nothing(village: Village) -> None:
    number = await village.desk.draft(village.lan, village.wish())
    stranger = village.staff.hire("la-van-xa", "officer", "duc-xuan")
    with pytest.raises(Refused, match="Không có thông báo"):
        await lists(village).unreached(stranger, number)


async def test_a_saved_audience_that_is_gone_is_said(village: Village) -> None:
    await village.settle("phu-thong", 1)
    audience = Audience(("phu-thong",), channels=("telegram",))
    name = await village.desk.save_audience(village.lan, "phu-thong", "Người đã học", audience)
    number = await village.desk.draft(
        village.lan, village.wish(audience=Audience(("phu-thong",), without_saved=(name,)))
    )
    await village.desk.remove_audience(village.lan, "phu-thong", name)
    with pytest.raises(Refused, match=name):
        await lists(village).unreached(village.lan, number)


PEOPLE = st.lists(
    st.fixed_dictionaries(
        {
            "channel": st.sampled_from(["telegram", "web", "zalo-oa", "zalo-oa", "zalo-oa"]),
            "account": st.sampled_from(["default", "default", "default", "other"]),
            "wants": st.sampled_from(["all", "all", "all", "nothing", "other kinds", "left"]),
            "agreed": st.booleans(),
            "days": st.sampled_from([0, 1, 3, 6, 8, 30]),
        }
    ),
    min_size=3,
    max_size=12,
)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(people=PEOPLE, pays=st.booleans(), template=st.booleans(), topics=st.booleans())
async def test_the_list_holds_as_many_as_the_forecast_counts(
    village: Village, people: list[dict[str, Any]], pays: bool, template: bool, topics: bool
) -> None:
    village.lanes = (TELEGRAM, WEB, OA)
    village.paying = (OA,) if pays else ()
    async with village.database.write() as connection:
        await connection.execute(delete(conversation))
    for number, person in enumerate(people):
        [made] = await village.settle("phu-thong", 1, channel=person["channel"], first=number)
        await village.change(
            made,
            account=person["account"],
            subscribed=person["wants"] != "nothing",
            stopped_at=village.clock() if person["wants"] == "left" else None,
            muted=",tap-huan," if person["wants"] == "other kinds" else None,
            consented_at=village.clock() if person["agreed"] else None,
            last_seen_at=village.clock() - timedelta(days=person["days"], hours=1),
        )
    audience = Audience(("phu-thong",), topics=("tam-tru",) if topics else ())
    wish = village.wish(category="tap-huan", audience=audience)
    if template:
        wish = replace(wish, content=replace(wish.content, templates=(Template("default", "301", ()),)))
    forecast = (await village.planner.plan(wish)).forecast
    found = await lists(village).unreached(village.lan, await village.desk.draft(village.lan, wish))
    assert by_reason(found) == forecast.unreachable
    assert found.total == len(found.people) == sum(forecast.unreachable.values())
