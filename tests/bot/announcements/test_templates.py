"""Citizens of an OA who wrote long ago get an approved template, at a price that the officer sees; against Zalo's emulator."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from bot.announcements.content import Content, content_of
from bot.announcements.lanes import Lane
from bot.announcements.templates import Template
from bot.channels.zalo_oa import ZaloOaChannel, last_interactions, seeded, zalo_oa_channel
from bot.channels.zalo_oa.api import http_client
from tests.bot.announcements.conftest import TEXT, Village
from tests.bot.channels.zalo_oa.stores import MemorySecrets
from tests.emulators.server import serve
from tests.emulators.zalo_oa import APP_ID, APP_SECRET, OA_SECRET, TEMPLATE, Fault, ZaloOaEmulator

pytestmark = pytest.mark.anyio

ZALO = Lane("zalo-oa", "default")
NOTICE = Template("default", "301", (("noi_dung", "{noi_dung}"), ("xa", "{xa}")), price=120)
PROMOTIONAL = Template("default", "302", (("noi_dung", "{noi_dung}"),), promotional=True)


@dataclass
class Oa:
    """An OA in the village: Zalo's clock is the village's."""

    village: Village
    zalo: ZaloOaEmulator
    channel: ZaloOaChannel

    async def citizens(self, *ago: timedelta) -> list[int]:
        """Citizens of Phủ Thông who last wrote so long ago."""
        found = await self.village.settle("phu-thong", len(ago), channel="zalo-oa")
        for number, (conversation, span) in enumerate(zip(found, ago, strict=True), 1):
            await self.village.change(conversation, last_seen_at=self.village.clock() - span)
            self.zalo.citizen(f"phu-thong-{number}", ago=span)
        return found

    async def deliver(self, *templates: Template, **wish: Any) -> int:
        content = Content(TEXT, templates=templates)
        made = self.village.wish()
        made = type(made)(made.unit, content, made.audience, **wish)
        number = await self.village.approved(made)
        await self.village.control.send(self.village.lan, number)
        await self.village.run(self.channel).work()
        return number

    @property
    def by_template(self) -> list[tuple[str, dict[str, str]]]:
        return [(s.user, s.message["template_data"]) for s in self.zalo.sent if s.path == TEMPLATE]


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
    village.lanes = (ZALO,)
    secrets = MemorySecrets()
    given = seeded({}, *zalo.pair())
    assert given is not None
    await secrets.write(given)
    async with http_client() as http:
        channel = zalo_oa_channel(
            "default", app_id=APP_ID, oa_secret=OA_SECRET, app_secret=APP_SECRET, secrets=secrets, clock=village.clock,
            api_url=url, business_url=url, oauth_url=url, http=http,
            last_interaction=last_interactions(village.database, "default"),
        )  # fmt: skip
        yield Oa(village, zalo, channel)


async def test_whoever_wrote_lately_gets_the_text_and_the_others_the_template(oa: Oa) -> None:
    lately, four_days, two_weeks = await oa.citizens(timedelta(hours=1), timedelta(days=4), timedelta(days=14))
    number = await oa.deliver(NOTICE)
    assert await oa.village.states(number) == dict.fromkeys((lately, four_days, two_weeks), ("accepted", None))
    assert TEXT in oa.zalo.texts("phu-thong-1")[0]
    assert sorted(oa.by_template) == [
        (user, {"noi_dung": TEXT, "xa": "xã Phủ Thông"}) for user in ("phu-thong-2", "phu-thong-3")
    ]
    assert len(oa.zalo.sent) == 3, "nobody got both"


async def test_without_a_template_they_are_left_out_as_before(oa: Oa) -> None:
    _, long_ago = await oa.citizens(timedelta(hours=1), timedelta(days=14))
    number = await oa.deliver()
    assert (await oa.village.states(number))[long_ago] == ("skipped", "outside_window")
    assert oa.by_template == []


@pytest.mark.parametrize(
    ("pays", "words", "by_template"),
    [
        (True, "1 tốn phí, 2 ngoài 7 ngày, gửi bằng mẫu tin (phí nhiều nhất 360 đồng)", 2),
        (
            False,
            "3 quá 48 giờ (tài khoản không bật tin tốn phí), gửi bằng mẫu tin (phí nhiều nhất 360 đồng)",
            3,
        ),
    ],
)
async def test_the_officer_sees_beforehand_what_it_costs(oa: Oa, pays: bool, words: str, by_template: int) -> None:
    await oa.citizens(timedelta(hours=1), timedelta(days=4), timedelta(days=14), timedelta(days=30))
    oa.village.paying = oa.village.lanes if pays else ()
    wish = oa.village.wish()
    plan = await oa.village.planner.plan(type(wish)(wish.unit, Content(TEXT, templates=(NOTICE,)), wish.audience))
    assert plan.problems == ()
    assert plan.forecast.in_words() == f"Zalo OA: 1 trong cửa sổ 48 giờ, {words}"
    assert "outside_window" not in plan.unreachable
    assert any(f"mẫu tin 301 gửi cho {by_template} người" in note for note in plan.notes)


async def test_where_zalo_counts_the_hours_otherwise_the_template_goes_instead(oa: Oa) -> None:
    [citizen] = await oa.citizens(timedelta(hours=47))
    oa.zalo.citizen("phu-thong-1", ago=timedelta(days=8))
    number = await oa.deliver(NOTICE)
    assert (await oa.village.states(number))[citizen] == ("accepted", None)
    assert [user for user, _ in oa.by_template] == ["phu-thong-1"]


async def test_what_zalo_calls_night_waits_and_is_no_failure(oa: Oa) -> None:
    [citizen] = await oa.citizens(timedelta(days=14))
    oa.zalo.faults[TEMPLATE] = [Fault(-234, "Not allowed at night")]
    number = await oa.deliver(PROMOTIONAL)
    assert (await oa.village.states(number))[citizen] == ("accepted", None)
    assert oa.zalo.asked(TEMPLATE) == 2


async def test_an_urgent_promotional_template_waits_for_the_morning_and_a_plain_one_does_not(oa: Oa) -> None:
    oa.village.clock.pass_(hours=14)
    night = oa.village.clock()
    oa.zalo.now = night
    await oa.citizens(timedelta(days=14))
    await oa.deliver(NOTICE, urgent_reason="lũ lên nhanh, cần sơ tán")
    assert oa.village.clock() - night < timedelta(minutes=5)
    await oa.deliver(PROMOTIONAL, urgent_reason="lũ lên nhanh, cần sơ tán")
    assert oa.village.clock() - night >= timedelta(hours=7), "at six"
    assert len(oa.by_template) == 2


async def test_a_blocked_citizen_ends_as_everywhere(oa: Oa) -> None:
    [blocked] = await oa.citizens(timedelta(days=14))
    oa.zalo.people["phu-thong-1"].blocked = True
    number = await oa.deliver(NOTICE)
    assert await oa.village.states(number) == {blocked: ("failed", "blocked")}


async def test_a_lost_answer_is_not_sent_again(oa: Oa) -> None:
    [lost] = await oa.citizens(timedelta(days=14))
    oa.zalo.faults[TEMPLATE] = [Fault(drop=True)]
    number = await oa.deliver(NOTICE)
    assert await oa.village.states(number) == {lost: ("uncertain", "no_answer")}
    assert oa.zalo.asked(TEMPLATE) == 1


async def test_a_template_is_bound_by_the_yes(oa: Oa) -> None:
    plain, with_one = oa.village.wish().content, Content(TEXT, templates=(NOTICE,))
    assert "templates" not in plain.as_json(), "what was approved before there were templates stays approved"
    assert content_of(with_one.as_json()) == with_one
    other = Content(TEXT, templates=(Template("default", "999", NOTICE.data, price=120),))
    wish = oa.village.wish()
    digests = {type(wish)(wish.unit, c, wish.audience).digest({}) for c in (plain, with_one, other)}
    assert len(digests) == 3


@pytest.mark.parametrize(
    ("template", "said"),
    [
        (Template("bach-thong", "1"), 'Không có tài khoản Zalo OA "bach-thong"'),
        (Template("default", "mẫu 1"), 'Mã mẫu tin "mẫu 1" không đúng'),
        (Template("default", "1", (("a", "{ten_rieng}"),)), "Không điền được {ten_rieng}"),
        (Template("default", "1", (("a", "gọi 0912345678"),)), "số"),
        (Template("default", "1", (("a", ""),)), 'Tham số "a" của mẫu tin đang để trống'),
        (Template("default", "1", (("a", "{noi_dung}" * 6),)), "nhiều nhất 400"),
    ],
)
async def test_what_cannot_be_a_template_is_said_in_words(oa: Oa, template: Template, said: str) -> None:
    await oa.citizens(timedelta(hours=1))
    wish = oa.village.wish()
    plan = await oa.village.planner.plan(type(wish)(wish.unit, Content(TEXT, templates=(template,)), wish.audience))
    assert any(said in problem for problem in plan.problems), plan.problems
