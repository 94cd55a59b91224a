"""Broadcasts, templates, quotas, followers and tags: what leaves, what comes back, and what does not leave by night."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from bot.channels.zalo_oa import ZaloOaClient, ZaloRefused
from bot.channels.zalo_oa.client import NIGHT, commune_tag
from bot.channels.zalo_oa.values import Article, CitizenQuota, Left, OaProfile, OaQuota, Picture, Target
from bot.conversation.model import Reply
from bot.messages import ContactStopped, OutsideWindow, Rejected, RetryAfter, Sent, Transient
from tests.builders import MORNING
from tests.emulators.zalo_oa import BROADCAST, CS, OA_ID, TEMPLATE, TEMPLATE_BY_PHONE, Call, Fault

from .conftest import Setting

pytestmark = pytest.mark.anyio
CREATE, VERIFY = "/v2.0/article/create", "/v2.0/article/verify"
LIST, QUOTA = "/v3.0/oa/user/getlist", "/v3.0/oa/quota/message"
ARTICLE = Article(
    "Nộp thuế đất trước 30/11",
    "UBND xã Phủ Thông",
    "Ai phải nộp, nộp ở đâu.",
    "https://cds.example.vn/a.png",
    ("Bà con nộp tại …", Picture("https://cds.example.vn/b.png", "Trung tâm")),
)


@pytest.fixture
def client(setting: Setting) -> ZaloOaClient:
    return setting.channel().client


def waiting(setting: Setting, pauses: list[float]) -> ZaloOaClient:
    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    made = setting.channel().client
    made._sleep = sleep
    return made


def last(setting: Setting, path: str) -> Call:
    return [call for call in setting.zalo.calls if call.path == path][-1]


class TestBroadcast:
    async def test_an_article_is_made_waited_for_and_sent(self, setting: Setting) -> None:
        pauses: list[float] = []
        setting.zalo.article_polls = 3
        client = waiting(setting, pauses)
        article = await client.article_id(await client.create_article(ARTICLE))
        assert isinstance(await client.broadcast(article, Target(gender=0, cities=4)), Sent)
        assert last(setting, CREATE).body == {
            "type": "normal",
            "title": "Nộp thuế đất trước 30/11",
            "author": "UBND xã Phủ Thông",
            "cover": {"cover_type": "photo", "photo_url": "https://cds.example.vn/a.png", "status": "show"},
            "description": "Ai phải nộp, nộp ở đâu.",
            "body": [
                {"type": "text", "content": "Bà con nộp tại …"},
                {"type": "image", "url": "https://cds.example.vn/b.png", "caption": "Trung tâm"},
            ],
            "status": "show",
            "comment": "hide",
        }
        assert setting.zalo.asked(VERIFY) == 4
        assert pauses == [2.0, 2.0, 2.0]
        assert setting.zalo.broadcasts == [
            {
                "recipient": {"target": {"gender": 0, "cities": 4}},
                "message": {
                    "attachment": {
                        "type": "template",
                        "payload": {
                            "template_type": "media",
                            "elements": [{"media_type": "article", "attachment_id": article}],
                        },
                    }
                },
            }
        ]

    async def test_an_article_that_is_not_ready_in_time_can_be_asked_for_again(self, setting: Setting) -> None:
        setting.zalo.article_polls = 5
        client = waiting(setting, [])
        token = await client.create_article(ARTICLE)
        with pytest.raises(ZaloRefused) as refused:
            await client.article_id(token, within=4)
        assert isinstance(refused.value.outcome, Transient)
        assert (await client.article_id(token)).startswith("article-id")

    async def test_a_refused_article(self, setting: Setting, client: ZaloOaClient) -> None:
        setting.zalo.faults[CREATE] = [Fault(-223, "article quota")]
        with pytest.raises(ZaloRefused, match="Misconfigured"):
            await client.create_article(ARTICLE)
        with pytest.raises(ZaloRefused, match="Rejected"):
            await client.article_id("nobody's token")

    @pytest.mark.parametrize("hour", [22, 23, 0, 3, 5])
    async def test_by_night_no_request_leaves(self, setting: Setting, client: ZaloOaClient, hour: int) -> None:
        setting.clock.pass_(hours=(hour - 9) % 24)
        until_six = OutsideWindow(NIGHT, MORNING + timedelta(hours=21))
        assert await client.broadcast("a", Target()) == until_six
        assert await client.send_template("77", "t", {}, promotional=True) == until_six
        by_phone = client.send_template_by_phone("84912345678", "t", {}, tracking_id="1", promotional=True)
        assert await by_phone == until_six
        assert setting.zalo.calls == []

    @pytest.mark.parametrize("code", [-234, -133, -218, -211])
    async def test_zalos_own_word_is_outside_the_window_too(
        self, setting: Setting, client: ZaloOaClient, code: int
    ) -> None:
        setting.zalo.faults[BROADCAST] = [Fault(code, "x")]
        assert await client.broadcast("a", Target()) == OutsideWindow(
            f"{code} x", MORNING + timedelta(minutes=30) if code in (-234, -133) else None
        ), "for Zalo it is night, for us it is not: ask again soon"

    async def test_the_emulated_zalo_refuses_by_night_as_well(self, setting: Setting, client: ZaloOaClient) -> None:
        setting.zalo.now = MORNING + timedelta(hours=14)
        soon = MORNING + timedelta(minutes=30)
        assert await client.broadcast("a", Target()) == OutsideWindow("-234 Broadcasts are not allowed at night", soon)

    @pytest.mark.parametrize(
        ("field", "value"),
        [("title", ""), ("title", "a" * 151), ("author", "a" * 51), ("description", "a" * 301), ("body", ())],
    )
    def test_an_article_that_zalo_would_refuse_cannot_be_made(self, field: str, value: Any) -> None:
        fields = {name: getattr(ARTICLE, name) for name in ("title", "author", "description", "cover_url", "body")}
        with pytest.raises(ValueError, match=r"article"):
            Article(**(fields | {field: value}))


class TestTemplates:
    async def test_to_a_citizen(self, setting: Setting, client: ZaloOaClient) -> None:
        assert isinstance(await client.send_template("77", "217", {"xa": "Phủ Thông"}), Sent)
        assert last(setting, TEMPLATE).body == {
            "user_id": "77",
            "template_id": "217",
            "template_data": {"xa": "Phủ Thông"},
        }

    async def test_a_warning_leaves_by_night(self, setting: Setting, client: ZaloOaClient) -> None:
        setting.clock.pass_(hours=14)
        assert isinstance(await client.send_template("77", "lu-quet", {}), Sent)

    async def test_to_a_phone(self, setting: Setting, client: ZaloOaClient, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.DEBUG)
        outcome = await client.send_template_by_phone(
            "84912345678", "217", {"xa": "Phủ Thông"}, tracking_id="a-17", development=True
        )
        assert isinstance(outcome, Sent)
        assert outcome.external_id
        assert last(setting, TEMPLATE_BY_PHONE).body == {
            "phone": "84912345678",
            "template_id": "217",
            "template_data": {"xa": "Phủ Thông"},
            "tracking_id": "a-17",
            "mode": "development",
        }
        assert "84912345678" not in caplog.text + repr(outcome)

    @pytest.mark.parametrize("tracking", ["", "a" * 49])
    async def test_a_tracking_id_fits(self, setting: Setting, client: ZaloOaClient, tracking: str) -> None:
        assert isinstance(await client.send_template_by_phone("84", "1", {}, tracking_id=tracking), Rejected)
        assert setting.zalo.calls == []

    async def test_the_other_hosts_word_for_a_stale_token_renews_it(
        self, setting: Setting, client: ZaloOaClient
    ) -> None:
        setting.zalo.faults[TEMPLATE_BY_PHONE] = [Fault(-124, "access token invalid")]
        assert isinstance(await client.send_template_by_phone("84912345678", "1", {}, tracking_id="1"), Sent)

    async def test_somebody_who_blocked_the_oa(self, setting: Setting, client: ZaloOaClient) -> None:
        setting.zalo.people["77"].blocked = True
        assert isinstance(await client.send_template("77", "1", {}), ContactStopped)


class TestReading:
    async def test_what_may_still_be_sent_to_a_citizen(self, setting: Setting, client: ZaloOaClient) -> None:
        assert await client.quota_of("77") == CitizenQuota(MORNING, Left(8, 8), Left(1, 1), Left(4, 4))
        assert last(setting, QUOTA).body == {"user_id": "77"}

    async def test_what_packages_the_oa_has(self, setting: Setting, client: ZaloOaClient) -> None:
        setting.zalo.paid = 12
        assert await client.quotas() == (OaQuota("8c27", "cs", "sub_quota", "30/04/2027", Left(12, 2000)),)
        assert last(setting, QUOTA).body == {"quota_owner": "OA", "product_type": "cs"}

    async def test_which_oa_it_is(self, client: ZaloOaClient) -> None:
        assert await client.profile() == OaProfile(OA_ID, "Xã Phủ Thông", verified=True)

    async def test_followers_page_by_page(self, setting: Setting, client: ZaloOaClient) -> None:
        for number in range(118):
            setting.zalo.citizen(f"9{number:04d}")
        found = [user async for user in client.followers()]
        assert len(found) == len(set(found)) == 120
        asked = [call.body for call in setting.zalo.calls if call.path == LIST]
        assert asked == [{"offset": n, "count": 50, "is_follower": True} for n in (0, 50, 100)]
        assert {call.method for call in setting.zalo.calls} == {"GET"}

    async def test_followers_by_tag_and_last_interaction(self, setting: Setting, client: ZaloOaClient) -> None:
        setting.zalo.people["77"].tags.add("xa-phuong:phu-thong")
        setting.zalo.citizen("79", ago=timedelta(days=9), tags={"xa-phuong:phu-thong"})
        tag = commune_tag("phu-thong")
        assert [u async for u in client.followers(tag=tag)] == ["77", "79"]
        assert [u async for u in client.followers(tag=tag, period="L7D")] == ["77"]
        assert json.dumps(last(setting, LIST).body, sort_keys=True) == (
            '{"count": 50, "is_follower": true, "last_interaction_period": "L7D", "offset": 0,'
            ' "tag_name": "xa-phuong:phu-thong"}'
        )

    async def test_no_followers(self, setting: Setting, client: ZaloOaClient) -> None:
        setting.zalo.people.clear()
        assert [u async for u in client.followers()] == []

    async def test_more_than_zalo_shows_is_said_and_not_passed_over(
        self, setting: Setting, client: ZaloOaClient
    ) -> None:
        for number in range(10_100):
            setting.zalo.citizen(f"9{number:05d}")
        found: set[str] = set()

        async def collect() -> None:
            async for user in client.followers():
                found.add(user)

        with pytest.raises(ZaloRefused, match="ask tag by tag"):
            await collect()
        assert len(found) == 10_000

    async def test_tags(self, setting: Setting, client: ZaloOaClient) -> None:
        await client.tag("77", "a")
        await client.tag("78", "b")
        assert await client.tags() == ("a", "b")
        await client.untag("77", "a")
        await client.remove_tag("b")
        assert await client.tags() == ()
        with pytest.raises(ZaloRefused):
            await client.tag("nobody", "a")

    async def test_nobody_asks_who_a_follower_is(self, setting: Setting, client: ZaloOaClient) -> None:
        await client.tag("77", "a")
        [u async for u in client.followers()]
        await client.quota_of("77")
        assert setting.zalo.asked("/v3.0/oa/user/detail") == 0


READS: dict[str, tuple[str, Callable[[ZaloOaClient], Any]]] = {
    "profile": ("/v2.0/oa/getoa", lambda c: c.profile()),
    "quota of a citizen": (QUOTA, lambda c: c.quota_of("77")),
    "quotas": (QUOTA, lambda c: c.quotas()),
    "tags": ("/v2.0/oa/tag/gettagsofoa", lambda c: c.tags()),
    "article": (CREATE, lambda c: c.create_article(ARTICLE)),
}


@pytest.mark.parametrize(("path", "call"), READS.values(), ids=READS)
@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        (Fault(-32, "x"), RetryAfter(30.0)),
        (Fault(status=503), Transient("HTTP 503")),
        (Fault(page="<html>"), Transient("the answer is not Zalo's", maybe_sent=True)),
        (Fault(-201, "x"), Rejected("-201 x")),
    ],
    ids=["limit", "503", "page", "refused"],
)
async def test_what_cannot_be_read_says_why(
    setting: Setting, client: ZaloOaClient, path: str, call: Callable[[ZaloOaClient], Any], fault: Fault, outcome: Any
) -> None:
    setting.zalo.faults[path] = [fault]
    with pytest.raises(ZaloRefused) as refused:
        await call(client)
    assert refused.value.outcome == outcome


@pytest.mark.parametrize("data", ["null", "[]", '"x"', "7", '{"users":null,"total":"many"}', '{"users":[1,{}]}'])
async def test_data_of_another_shape_is_no_error_of_ours(setting: Setting, client: ZaloOaClient, data: str) -> None:
    page = f'{{"error":0,"data":{data}}}'
    for path in (LIST, QUOTA, "/v2.0/oa/getoa", "/v2.0/oa/tag/gettagsofoa"):
        setting.zalo.faults[path] = [Fault(page=page)] * 2
    assert [u async for u in client.followers()] == []
    await client.quota_of("77")
    await client.quotas()
    await client.profile()
    await client.tags()
    setting.zalo.faults[CS] = [Fault(page=page)]
    assert isinstance(await setting.channel().send("77", Reply("a")), Sent)
