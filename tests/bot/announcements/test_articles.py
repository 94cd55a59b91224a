"""An approved announcement as an article of the commune's OA: broadcast once, by day, and never twice; against Zalo's emulator."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from sqlalchemy import insert, update

from bot.announcements.articles import Articles, ArticleState, Draft, Press
from bot.announcements.audience import audience_of
from bot.announcements.content import Content, Refused, plain_content
from bot.announcements.content import Press as Button
from bot.announcements.tables import announcement
from bot.announcements.texts import told
from bot.channels.zalo_oa import seeded, zalo_oa_channel
from bot.channels.zalo_oa.api import http_client
from bot.messages import Channels, Outcome
from bot.storage.tables import channel_account
from congdanso.press import OaPress, press_of
from tests.bot.announcements.conftest import TEXT, Revised, Village
from tests.bot.channels.zalo_oa.stores import MemorySecrets
from tests.emulators.server import serve
from tests.emulators.zalo_oa import APP_ID, APP_SECRET, BROADCAST, OA_SECRET, Fault, ZaloOaEmulator

pytestmark = pytest.mark.anyio
COVER = "https://cds.example.vn/anh-bia.jpg"
CREATE = "/v2.0/article/create"


@dataclass
class Oa:
    """The OA of Phủ Thông in the village."""

    village: Village
    zalo: ZaloOaEmulator
    channels: Channels
    press: Press | None = field(default=None)

    @property
    def articles(self) -> Articles:
        return Articles(self.village.desk, lambda account: self.press or press_of(self.channels, account))

    async def publish(self, number: int, account: str = "default") -> ArticleState:
        return (await self.articles.publish(self.village.lan, number, account)).state

    async def refused(self, number: int, account: str = "default") -> str:
        with pytest.raises(Refused) as error:
            await self.publish(number, account)
        return str(error.value)

    async def state(self, number: int) -> ArticleState:
        [one] = (await self.village.viewing.show(self.village.lan, number)).articles
        return one.state


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[ZaloOaEmulator, str]]:
    emulator = ZaloOaEmulator()
    with serve(emulator.app()) as url:
        yield emulator, url


@pytest.fixture
async def oa(village: Village, server: tuple[ZaloOaEmulator, str]) -> AsyncIterator[Oa]:
    zalo, url = server
    zalo.reset()
    zalo.now = village.clock()
    zalo.article_polls = 0
    village.public_url = "https://cds.example.vn"
    await village.settle("phu-thong", 2)
    for name, unit in (("default", "phu-thong"), ("tinh", "thai-nguyen")):
        async with village.database.write() as connection:
            await connection.execute(
                insert(channel_account).values(
                    channel="zalo-oa", account=name, unit=unit, title="OA", options={"cover_url": COVER}, secrets="",
                    active=True, version=1, created_at=village.clock(),
                )
            )  # fmt: skip
    secrets = MemorySecrets()
    given = seeded({}, *zalo.pair())
    assert given is not None
    await secrets.write(given)
    async with http_client() as http:
        channel = zalo_oa_channel(
            "default", app_id=APP_ID, oa_secret=OA_SECRET, app_secret=APP_SECRET, secrets=secrets, clock=village.clock,
            api_url=url, business_url=url, oauth_url=url, http=http,
        )  # fmt: skip
        yield Oa(village, zalo, Channels({("zalo-oa", "default"): channel}))


async def test_an_approved_announcement_becomes_an_article_and_is_broadcast_once(oa: Oa) -> None:
    text = f"{TEXT}\nĐịa điểm: trạm y tế {{xa}}."
    content = Content(
        text, buttons=(Button("link", "Xem lịch", "https://phuthong.example.vn/lich"),), documents=("vneid",)
    )
    wish = oa.village.wish()
    number = await oa.village.approved(type(wish)(wish.unit, content, wish.audience))
    assert await oa.publish(number) is ArticleState.SENT
    [created] = [c.body for c in oa.zalo.calls if c.path == CREATE]
    assert created["title"] == "Sáng thứ Bảy 28/11/2026, trạm y tế khám sức khoẻ cho người cao tuổi"
    assert created["cover"]["photo_url"] == COVER
    assert [part["content"] for part in created["body"]] == [
        TEXT,
        "Địa điểm: trạm y tế xã Phủ Thông.",
        "Xem lịch: https://phuthong.example.vn/lich",
        "Tờ rơi VNeID: https://cds.example.vn/materials/vneid.pdf",
    ]
    assert len(oa.zalo.broadcasts) == 1
    assert "đã được phát trên default; không phát lần nữa" in await oa.refused(number)
    assert len(oa.zalo.broadcasts) == 1
    shown = await oa.village.viewing.show(oa.village.lan, number)
    assert [(a.account, a.state) for a in shown.articles] == [("default", ArticleState.SENT)]
    assert shown.as_json()["articles"][0]["actor"] == oa.village.lan
    assert (shown.steps[-1].action, shown.steps[-1].note) == ("article", "default: Zalo đã nhận")


async def test_what_was_changed_behind_the_approval_is_not_broadcast(oa: Oa) -> None:
    shelf = Revised()
    oa.village.shelf = shelf
    number = await oa.village.approved(oa.village.wish(documents=("vneid",)))
    shelf.edition = "2"
    assert told("begin_problems", "changed") in await oa.refused(number)
    shelf.edition = "1"
    async with oa.village.database.write() as connection:
        await connection.execute(update(announcement).values(content=plain_content("Lời khác").as_json()))
    assert told("begin_problems", "changed") in await oa.refused(number)
    assert [c for c in oa.zalo.calls if c.path == CREATE] == []


async def test_what_nobody_approved_or_somebody_took_back_is_not_broadcast(oa: Oa) -> None:
    draft = await oa.village.desk.draft(oa.village.lan, oa.village.wish())
    assert 'ở bước "bản nháp"' in (await oa.refused(draft)).lower()
    number = await oa.village.approved()
    await oa.village.control.cancel(oa.village.lan, number)
    await oa.refused(number)
    other = await oa.village.approved()
    oa.village.staff.dismiss(oa.village.minh)
    assert "Người duyệt không còn được duyệt" in await oa.refused(other)
    assert [c for c in oa.zalo.calls if c.path == CREATE] == []


async def test_by_night_nothing_leaves_however_urgent(oa: Oa) -> None:
    number = await oa.village.approved(oa.village.wish(urgent_reason="lũ lên nhanh, cần sơ tán"))
    oa.village.clock.pass_(hours=14)
    assert "từ 6 giờ đến 22 giờ" in await oa.refused(number)
    assert oa.zalo.calls == []


async def test_an_article_reaches_nobody_for_whom_it_was_not_meant(oa: Oa) -> None:
    everybody = await oa.village.approved()
    assert "rộng hơn người nhận đã duyệt" in await oa.refused(everybody, "tinh")
    seen = audience_of({"units": ["phu-thong"], "seen_within_days": 30})
    some = await oa.village.approved(oa.village.wish(audience=seen))
    assert "rộng hơn người nhận đã duyệt" in await oa.refused(some)
    assert "không có Zalo OA" in await oa.refused(everybody, "cam-giang")
    assert oa.zalo.calls == []


async def test_a_refusal_is_told_and_the_next_try_goes_on_where_it_stopped(oa: Oa) -> None:
    number = await oa.village.approved()
    oa.zalo.faults["/v2.0/article/verify"] = [Fault(-224, "OA needs to upgrade its package")]
    assert "-224 OA needs to upgrade its package" in await oa.refused(number)
    assert await oa.state(number) is ArticleState.CREATED
    oa.zalo.faults[BROADCAST] = [Fault(-218, "Out of quota")]
    assert "-218 Out of quota. Chưa có gì được phát" in await oa.refused(number)
    assert await oa.state(number) is ArticleState.READY
    assert await oa.publish(number) is ArticleState.SENT
    assert oa.zalo.asked(CREATE) == 1, "the article that Zalo made is the one that is sent"
    assert len(oa.zalo.broadcasts) == 1


async def test_a_broadcast_whose_answer_was_lost_is_uncertain_and_not_repeated(oa: Oa) -> None:
    number = await oa.village.approved()
    oa.zalo.faults[BROADCAST] = [Fault(drop=True)]
    assert await oa.publish(number) is ArticleState.UNCERTAIN
    assert "Không rõ" in await oa.refused(number)
    assert len(oa.zalo.broadcasts) == 1


class Dies:
    """The process dies at one of the steps, after Zalo did it."""

    def __init__(self, press: Any, step: str) -> None:
        self._press, self._step = press, step

    async def _then(self, step: str, done: Any) -> Any:
        found = await done
        if step == self._step:
            raise asyncio.CancelledError
        return found

    async def create(self, draft: Draft) -> str | Outcome:
        return await self._then("create", self._press.create(draft))

    async def made(self, token: str) -> str | Outcome:
        return await self._then("made", self._press.made(token))

    async def broadcast(self, article_id: str) -> Outcome:
        return await self._then("broadcast", self._press.broadcast(article_id))


@pytest.mark.parametrize(
    ("step", "after", "sent"),
    [("create", ArticleState.SENT, 1), ("made", ArticleState.SENT, 1), ("broadcast", ArticleState.UNCERTAIN, 1)],
)
async def test_a_crash_at_any_step_broadcasts_at_most_once(oa: Oa, step: str, after: ArticleState, sent: int) -> None:
    number = await oa.village.approved()
    living = press_of(oa.channels, "default")
    assert isinstance(living, OaPress)
    oa.press = Dies(living, step)
    with pytest.raises(asyncio.CancelledError):
        await oa.publish(number)
    oa.press = None
    assert "đang được xử lý" in await oa.refused(number), "the other one may only be slow"
    oa.village.clock.pass_(minutes=6)
    if after is ArticleState.SENT:
        assert await oa.publish(number) is after
    else:
        assert await oa.state(number) is after
        assert "Không rõ" in await oa.refused(number)
    assert await oa.state(number) is after
    assert len(oa.zalo.broadcasts) == sent


async def test_of_two_at_the_same_moment_one_is_refused(oa: Oa) -> None:
    number = await oa.village.approved()
    found = await asyncio.gather(*(oa.publish(number) for _ in range(2)), return_exceptions=True)
    assert sorted(type(f).__name__ for f in found) == ["ArticleState", "Refused"]
    assert len(oa.zalo.broadcasts) == 1


async def test_what_is_taken_back_while_zalo_makes_it_is_not_broadcast(oa: Oa) -> None:
    number = await oa.village.approved()
    living = press_of(oa.channels, "default")
    assert living is not None

    class Slow(Dies):
        async def _then(self, step: str, done: Any) -> Any:
            found = await done
            if step == "made":
                await oa.village.control.cancel(oa.village.lan, number)
            return found

    oa.press = Slow(living, "made")
    assert "dừng" in await oa.refused(number)
    assert oa.zalo.broadcasts == []
