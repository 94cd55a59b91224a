"""Presses, links and replies are counted, and nobody can be found in the counts."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import Connection, select, update

from bot.announcements import attribution
from bot.announcements.attribution import Used, receipt, taken
from bot.announcements.content import Press
from bot.announcements.links import router
from bot.announcements.states import DeliveryState
from bot.announcements.tables import announcement, count
from bot.conversation.model import AnnouncementPressed
from bot.storage.tables import outbox
from tests.bot.announcements.conftest import Village
from tests.builders import FakeChannel

pytestmark = pytest.mark.anyio
LINK = Press("link", "Xem lịch", "https://thainguyen.gov.vn/lich")


async def sent(village: Village, channel: str = "telegram", **more: Any) -> tuple[int, str]:
    plan = await village.planner.plan(village.wish(**more))
    number = await village.announcements.start(plan, author=village.lan)
    await village.run(FakeChannel(name=channel)).work()
    async with village.database.read() as connection:
        code = await connection.scalar(select(announcement.c.code).where(announcement.c.id == number))
    return number, str(code)


async def turn(
    village: Village,
    conversation_id: int,
    *presses: AnnouncementPressed,
    wrote: bool = False,
    left: bool = False,
    channel: str = "telegram",
) -> list[Used]:
    return await village.database.unit(
        lambda connection: taken(
            connection,
            conversation_id=conversation_id,
            channel=channel,
            unit="phu-thong",
            at=village.clock(),
            wrote=wrote,
            presses=presses,
            left=left,
        )
    )


async def counted(village: Village) -> dict[tuple[str, str, str], int]:
    async with village.database.read() as connection:
        rows = (await connection.execute(select(count))).mappings().all()
    return {(r["what"], r["channel"], r["unit"]): r["number"] for r in rows}


async def test_a_press_is_counted_and_the_delivery_says_clicked(village: Village) -> None:
    people = await village.settle("phu-thong", 3)
    number, code = await sent(village, buttons=(Press("read"),))
    for person in people[:2]:
        assert await turn(village, person, AnnouncementPressed(code, "read"), wrote=False) == [
            Used(number, "read", "telegram")
        ]
    await turn(village, people[0], AnnouncementPressed(code, "read"))
    assert await counted(village) == {("read", "telegram", "phu-thong"): 3}
    assert (await village.progress(number)).counts == {"accepted": 1, "clicked": 2}


async def test_a_press_under_a_trial_or_a_forged_one_counts_nothing(village: Village) -> None:
    [person] = await village.settle("phu-thong", 1)
    await sent(village)
    assert await turn(village, person, AnnouncementPressed("", "read")) == []
    assert await turn(village, person, AnnouncementPressed("zzzzzzzz", "read")) == []


async def test_what_somebody_writes_within_a_day_is_a_reply(village: Village) -> None:
    told, other = await village.settle("phu-thong", 1), await village.settle("duc-xuan", 1)
    number, _ = await sent(village)
    village.clock.pass_(hours=23)
    assert await turn(village, told[0], wrote=True) == [Used(number, "reply", "telegram")]
    assert await turn(village, other[0], wrote=True) == []
    village.clock.pass_(hours=2)
    assert await turn(village, told[0], wrote=True) == []
    assert await counted(village) == {("reply", "telegram", "phu-thong"): 1}


async def test_who_wants_no_more_did_not_reply(village: Village) -> None:
    one, other = await village.settle("phu-thong", 2)
    number, _ = await sent(village)
    assert await turn(village, one, wrote=True, left=True) == [Used(number, "stop", "telegram")]
    assert await turn(village, other, left=True) == [Used(number, "stop", "telegram")], "pressed"
    village.clock.pass_(hours=25)
    assert await turn(village, one, wrote=True, left=True) == [], "for another reason"
    assert await counted(village) == {("stop", "telegram", "phu-thong"): 2}


async def test_on_the_page_a_day_begins_when_the_page_was_opened(village: Village) -> None:
    early, late = await village.settle("phu-thong", 2, channel="web")
    number, _ = await sent(village, "web")
    assert await turn(village, early, wrote=True, channel="web") == [], "not shown yet"
    village.clock.pass_(hours=24 * 12)
    async with village.database.write() as connection:
        opened = update(outbox).where(outbox.c.conversation_id == late)
        await connection.execute(opened.values(state="sent", sent_at=village.clock()))
    village.clock.pass_(hours=23)
    assert await turn(village, late, wrote=True, channel="web") == [Used(number, "reply", "web")]
    assert await turn(village, early, wrote=True, channel="web") == []
    village.clock.pass_(hours=2)
    assert await turn(village, late, wrote=True, channel="web") == []


async def test_a_link_leads_on_and_is_counted_without_knowing_whom(village: Village) -> None:
    await village.settle("phu-thong", 1)
    number, code = await sent(village, text="Đọc https://thainguyen.gov.vn/doc nhé.", buttons=(Press("read"), LINK))
    noted: list[Used] = []

    def note(_: Any, used: Used) -> None:
        noted.append(used)

    app = FastAPI()
    app.include_router(router(village.database, note))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        answer = await client.get(f"/t/{code}/2")
        assert (answer.status_code, answer.headers["location"]) == (302, LINK.target)
        assert answer.headers["cache-control"] == "no-store"
        for path in (f"/t/{code}/2/telegram", f"/t/{code}/2/telegram", f"/t/{code}/2/zalo-bot"):
            assert (await client.get(path)).headers["location"] == LINK.target
        assert (await client.get(f"/t/{code}/11/telegram")).headers["location"] == "https://thainguyen.gov.vn/doc"
        for path in (f"/t/{code}/1", f"/t/{code}/3", f"/t/{code}/12", "/t/zzzzzzzz/1"):
            assert (await client.get(path)).status_code == 404, path
        for path in (f"/t/{code}/0", "/t/..%2f/1", "/t/ABC/1"):
            assert (await client.get(path)).status_code in (404, 422), path
    assert noted[:2] == [Used(number, "link-2"), Used(number, "link-2", "telegram")]
    assert await counted(village) == {
        ("link-2", "", ""): 2,  # nobody knows where; and a channel on which it was not sent
        ("link-2", "telegram", ""): 2,
        ("text-1", "telegram", ""): 1,
    }


@pytest.mark.parametrize(
    ("told", "coded"),
    [
        (["delivered"], "delivered"),
        (["delivered", "seen"], "seen"),
        (["seen", "delivered"], "seen"),
        (["seen", "seen"], "seen"),
    ],
)
async def test_a_receipt_moves_a_delivery_on_and_never_back(village: Village, told: list[str], coded: str) -> None:
    from bot.announcements.lanes import Lane

    village.lanes = (Lane("zalo-oa", "default"),)
    await village.settle("phu-thong", 1, channel="zalo-oa")
    number, _ = await sent(village, "zalo-oa")

    def heard(connection: Connection) -> bool:
        for state in told:
            receipt(connection, "zalo-oa", "default", "1", DeliveryState(state))
        return receipt(connection, "zalo-oa", "other", "1", DeliveryState.SEEN)

    assert not await village.database.unit(heard)
    assert (await village.progress(number)).counts == {coded: 1}


async def test_no_count_can_name_a_person(village: Village) -> None:
    assert {c.name for c in count.columns} == {"announcement_id", "what", "channel", "unit", "number"}
    assert attribution.NOWHERE == ""
