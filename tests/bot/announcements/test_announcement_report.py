"""What became of an announcement, in figures that sum up."""

from __future__ import annotations

from io import BytesIO

import openpyxl
import pytest
from sqlalchemy import Connection, select

from bot.announcements import attribution
from bot.announcements.content import Press, Refused
from bot.announcements.lanes import Lane
from bot.announcements.report import Reporting, use_in_words
from bot.announcements.states import DeliveryState
from bot.announcements.tables import announcement
from bot.conversation.model import AnnouncementPressed
from bot.messages import ContactStopped, Rejected
from tests.bot.announcements.conftest import Village
from tests.builders import FakeChannel

pytestmark = pytest.mark.anyio


async def announced(village: Village) -> tuple[int, list[int]]:
    """Ten of Phủ Thông and four of Đức Xuân; one blocked the bot, one message was refused, six pressed, one of them a link."""
    people = await village.settle("phu-thong", 10)
    others = await village.settle("duc-xuan", 4)
    village.staff.hire("le-thi-hoa", "approver", "thai-nguyen")
    wish = village.wish("Mời tập huấn.", "thai-nguyen", category="tap-huan", buttons=(Press("read"),))
    number = await village.announcements.start(await village.planner.plan(wish), author=village.binh)
    await village.run(FakeChannel([ContactStopped("blocked"), Rejected("bad")])).work()
    await village.store.close_finished()

    def pressing(connection: Connection) -> None:
        code = str(connection.scalar(select(announcement.c.code).where(announcement.c.id == number)))
        presses = [AnnouncementPressed(code, "read")]
        for unit, pressed in (("phu-thong", people[2:8]), ("duc-xuan", others[:2])):
            for person in pressed:
                attribution.taken(
                    connection,
                    conversation_id=person,
                    channel="telegram",
                    unit=unit,
                    at=village.clock(),
                    wrote=False,
                    presses=presses,
                )
        attribution.add(connection, number, "link-1", "", "")

    async with village.database.write() as connection:
        await connection.run_sync(pressing)
    return number, people


async def test_the_report_sums_up(village: Village) -> None:
    number, _ = await announced(village)
    reporting = Reporting(village.announcements, village.staff)
    found = await reporting.report(village.binh, number)
    assert dict(found.funnel) == {
        "audience": 14,
        "left": 14,
        "accepted": 12,
        "delivered": None,
        "seen": None,
        "clicked": 8,
    }
    assert found.reasons == {"failed:blocked": 1, "failed:rejected": 1}
    assert [(r.key, r.recipients, r.accepted, r.not_sent) for r in found.by_unit] == [
        ("phu-thong", 10, 8, 2),
        ("duc-xuan", 4, 4, 0),
    ]
    assert [(r.key, r.recipients, r.accepted, r.used) for r in found.by_channel] == [
        ("telegram", 14, 12, 8),
        ("", 0, 0, 1),
    ]
    assert any("Không rõ kênh" in line for line in reporting.lines(found))
    assert found.used == {"link-1": 1, "read": 8}
    assert found.share == pytest.approx(12 / 14)
    assert [line.split()[-3:] for line in reporting.lines(found)[4:6]] == [["kênh", "không", "báo"]] * 2
    numbers = [n for _, n in found.funnel if n is not None]
    assert numbers == sorted(numbers, reverse=True), "each step is a part of the one before"


async def test_two_people_of_a_commune_are_not_told_to_another_office(village: Village) -> None:
    number, _ = await announced(village)
    found = await Reporting(village.announcements, village.staff).report(village.binh, number)
    assert {r.key: r.used for r in found.by_unit} == {"phu-thong": 6, "duc-xuan": None}


async def test_earlier_ones_stand_beside_it(village: Village) -> None:
    await village.settle("phu-thong", 2)
    numbers = []
    for text in ("Một.", "Hai."):
        number = await village.announce(text=text)
        await village.run(FakeChannel([Rejected("bad")] if text == "Một." else []), owner=text).work()
        await village.store.close_finished()
        numbers.append(number)
    async with village.database.write() as connection:
        for what in ("read", "link-1", "link-1", "reply"):
            await connection.run_sync(attribution.add, numbers[0], what, "telegram", "phu-thong")
    reporting = Reporting(village.announcements, village.staff)
    found = await reporting.report(village.lan, numbers[1])
    assert [e.progress.id for e in found.earlier] == [numbers[0]]
    assert any("50,0%  3 lượt bấm, 1 lượt nhắn lại, 0 lượt dừng nhận" in line for line in reporting.lines(found))
    assert found.as_json()["earlier"] == [
        {"id": numbers[0], "recipients": 2, "accepted_share": 0.5, "pressed": 3, "replied": 1, "stopped": 0}
    ]


async def test_what_only_some_channels_tell_is_counted_on_those(village: Village) -> None:
    village.lanes = (Lane("zalo-oa", "default"), Lane("telegram", "default"))
    await village.settle("phu-thong", 5)
    await village.settle("phu-thong", 3, channel="zalo-oa")
    number = await village.announce()
    for name in ("telegram", "zalo-oa"):
        await village.run(FakeChannel(name=name), owner=name).work()

    def arrived(connection: Connection) -> None:
        attribution.receipt(connection, "zalo-oa", "default", "1", DeliveryState.DELIVERED)
        attribution.receipt(connection, "zalo-oa", "default", "2", DeliveryState.SEEN)

    async with village.database.write() as connection:
        await connection.run_sync(arrived)
    found = await Reporting(village.announcements, village.staff).report(village.lan, number)
    assert dict(found.funnel) == {"audience": 8, "left": 8, "accepted": 8, "delivered": 2, "seen": 1, "clicked": 0}


async def test_somebody_on_two_channels_is_one_recipient(village: Village) -> None:
    people = await village.settle("phu-thong", 2)
    also = await village.settle("phu-thong", 1, channel="web")
    for conversation_id in (people[0], also[0]):
        await village.change(conversation_id, person="p1", preferred=conversation_id == people[0])
    number = await village.announce()
    await village.run(FakeChannel()).work()
    await village.store.close_finished()
    reporting = Reporting(village.announcements, village.staff)
    found = await reporting.report(village.lan, number)
    assert (dict(found.funnel)["audience"], found.linked, found.share) == (2, 1, 1.0)
    assert found.reasons == {}
    assert [(r.key, r.recipients) for r in found.by_channel] == [("telegram", 2)]
    assert [(r.key, r.recipients) for r in found.by_unit] == [("phu-thong", 2)]
    assert any("1 nơi nhận nữa của cùng những người này" in line for line in reporting.lines(found))


async def test_the_workbook_has_a_sheet_for_each_table(village: Village) -> None:
    number, _ = await announced(village)
    reporting = Reporting(village.announcements, village.staff)
    book = BytesIO()
    reporting.write_xlsx(await reporting.report(village.binh, number), book)
    read = openpyxl.load_workbook(book)
    assert read.sheetnames == [
        "Tổng quan",
        "Lý do",
        "Người dân đã làm",
        "Theo kênh",
        "Theo xã, phường",
        "So với lần trước",
    ]
    units = {row[0]: row[1:] for row in read["Theo xã, phường"].iter_rows(min_row=2, values_only=True)}
    assert units["Xã Phủ Thông"] == (10, 8, 2, 6)
    assert units["Phường Đức Xuân"] == (4, 4, 0, "dưới 5")


async def test_another_commune_sees_no_report(village: Village) -> None:
    await village.settle("phu-thong", 1)
    number = await village.announce()
    stranger = village.staff.hire("tu", "admin", "duc-xuan")
    with pytest.raises(Refused, match="Không có thông báo"):
        await Reporting(village.announcements, village.staff).report(stranger, number)


def test_every_use_has_words() -> None:
    assert use_in_words("link-2") == "lượt bấm đường dẫn ở nút 2"
    assert use_in_words("text-1") == "lượt bấm đường dẫn thứ 1 trong tin"
    assert all(use_in_words(what) for what in ("reply", "stop", "read", "join", "ask"))
