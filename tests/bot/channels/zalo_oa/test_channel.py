"""An account over several messages: going on, uploads, buttons, what it cost, limits, whether it works."""

from __future__ import annotations

import asyncio
import logging
import unicodedata
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.channels.health import Health
from bot.channels.zalo_oa import ZaloOaChannel, last_interactions, zalo_oa_channel
from bot.channels.zalo_oa.render import LIMIT, buttons, composed, length, texts
from bot.channels.zalo_oa.tokens import REFUSED
from bot.channels.zalo_oa.values import Charge, Left
from bot.channels.zalo_oa.windows import Window, by_day, window
from bot.clock import ZONE
from bot.conversation.model import Button, Reply, SourceLine
from bot.messages import Misconfigured, RetryAfter, Sent, Transient
from bot.storage.database import Database
from tests.builders import MORNING, Citizen, Clock
from tests.emulators.zalo_oa import APP_ID, APP_SECRET, CS, OA_ID, OA_SECRET, OAUTH, UPLOAD_FILE, Fault

from .conftest import LEAFLET, PICTURE, Setting
from .stores import MemorySecrets

pytestmark = pytest.mark.anyio
HELLO = Reply("Xin chào")
LONG = Reply("Một câu dài về giấy tờ. " * 150)
"""3,600 characters: two parts."""
PAPERS, FEE = Button("Cần giấy tờ gì", "t:khai-sinh:giay-to"), Button("Lệ phí", "t:khai-sinh:le-phi")
PORTAL = Button("Mở Cổng", url="https://dichvucong.gov.vn")


class TestGoingOn:
    async def test_the_second_attempt_leaves_out_what_arrived(self, setting: Setting) -> None:
        channel = setting.channel()
        setting.zalo.faults[CS] = [Fault(), Fault(status=502)]
        assert isinstance(await channel.send("77", LONG), Transient)
        assert isinstance(await channel.send("77", LONG), Sent)
        assert "".join(setting.zalo.texts("77")).replace(" ", "") == LONG.text.replace(" ", "")

    async def test_the_same_answer_to_a_later_question_is_whole(self, setting: Setting) -> None:
        channel = setting.channel()
        for _ in range(2):
            assert isinstance(await channel.send("77", LONG), Sent)
        assert len(setting.zalo.texts("77")) == 4

    async def test_after_a_quarter_of_an_hour_it_begins_again(self, setting: Setting) -> None:
        channel = setting.channel()
        setting.zalo.faults[CS] = [Fault(), Fault(status=502)]
        await channel.send("77", LONG)
        setting.watch.now += 1000
        await channel.send("77", LONG)
        assert len(setting.zalo.texts("77")) == 3

    async def test_the_id_of_the_whole_is_that_of_its_last_text(self, setting: Setting) -> None:
        outcome = await setting.channel().send("77", Reply(LONG.text, attachments=(LEAFLET,)))
        assert outcome == Sent("m3")  # m2 was the first part; the leaflet came behind


class TestUploads:
    async def test_a_document_is_uploaded_once_for_all(self, setting: Setting) -> None:
        channel = setting.channel()
        for user in ("77", "78"):
            assert isinstance(await channel.send(user, Reply("", attachments=(LEAFLET,))), Sent)
        assert setting.zalo.asked(UPLOAD_FILE) == 1
        assert setting.read == [LEAFLET.url]

    async def test_many_at_once_upload_once(self, setting: Setting) -> None:
        channel = setting.channel()
        for number in range(100, 120):
            setting.zalo.citizen(str(number))
        reply = Reply("", attachments=(LEAFLET,))
        outcomes = await asyncio.gather(*(channel.send(str(n), reply) for n in range(100, 120)))
        assert {type(o) for o in outcomes} == {Sent}
        assert setting.zalo.asked(UPLOAD_FILE) == 1

    async def test_after_seven_days_it_is_uploaded_again_before_zalo_refuses_it(self, setting: Setting) -> None:
        channel = setting.channel()
        await channel.send("77", Reply("", attachments=(LEAFLET,)))
        setting.clock.pass_(days=6, hours=23, minutes=30)
        setting.zalo.now = setting.clock.now
        setting.zalo.citizen("77")
        setting.interactions.ago["77"] = -timedelta(days=6, hours=23, minutes=30)
        await channel.tokens.keep_fresh()
        assert isinstance(await channel.send("77", Reply("", attachments=(LEAFLET,))), Sent)
        assert (setting.zalo.asked(UPLOAD_FILE), setting.zalo.asked(CS)) == (2, 2)

    async def test_what_an_upload_is_called_is_the_librarys_business(self, setting: Setting) -> None:
        await setting.channel().send("77", Reply("", attachments=(PICTURE,)))
        assert setting.zalo.uploads["upload-2"][0] == b"\x89PNG"

    async def test_without_an_address_of_ours_it_is_said_that_a_document_cannot_be_given_here(
        self, setting: Setting
    ) -> None:
        setting.zalo.faults[UPLOAD_FILE] = [Fault(-201, "file is invalid!")]
        assert isinstance(await setting.channel(public_url="").send("77", Reply("", attachments=(LEAFLET,))), Sent)
        (said,) = setting.zalo.sent
        assert LEAFLET.title in said.message["text"]
        assert "http" not in said.message["text"]


class TestButtons:
    async def test_they_come_only_when_asked_for_and_below_the_numbers(self, setting: Setting) -> None:
        reply = Reply("Miễn phí", (PORTAL, PAPERS, FEE))
        for native in (False, True):
            assert isinstance(await setting.channel(native_buttons=native).send("77", reply), Sent)
        plain, with_buttons = (sent.message for sent in setting.zalo.sent)
        assert plain["text"] == with_buttons["text"]
        assert "attachment" not in plain
        assert with_buttons["attachment"] == {
            "type": "template",
            "payload": {
                "buttons": [
                    {"title": "Cần giấy tờ gì", "type": "oa.query.hide", "payload": "#t:khai-sinh:giay-to"},
                    {"title": "Lệ phí", "type": "oa.query.hide", "payload": "#t:khai-sinh:le-phi"},
                    {"title": "Mở Cổng", "type": "oa.open.url", "payload": {"url": "https://dichvucong.gov.vn"}},
                ]
            },
        }

    async def test_if_zalo_takes_none_the_citizen_gets_the_numbers_and_nobody_asks_again(
        self, setting: Setting, caplog: pytest.LogCaptureFixture
    ) -> None:
        setting.zalo.takes_buttons = False
        channel = setting.channel(native_buttons=True)
        for _ in range(2):
            assert isinstance(await channel.send("77", Reply("a", (FEE,))), Sent)
        assert setting.zalo.asked(CS) == 3
        assert [r.message for r in caplog.records if r.levelno == logging.WARNING] == ["Zalo takes no buttons"]

    async def test_only_the_last_part_has_them(self, setting: Setting) -> None:
        await setting.channel(native_buttons=True).send("77", Reply(LONG.text, (FEE,)))
        assert ["attachment" in sent.message for sent in setting.zalo.sent] == [False, True]

    def test_at_most_five_and_none_that_zalo_would_refuse(self) -> None:
        many = (Button(" ", "t:x"), Button("A", "t:" + "a" * 1000), Button("B", url="/b"), PORTAL, *[FEE] * 7)
        found = buttons(Reply("a", many))
        assert [b["type"] for b in found] == ["oa.query.hide"] * 5


class TestCost:
    async def test_an_answer_within_48_hours_is_free(self, setting: Setting) -> None:
        channel = setting.channel()
        await channel.send("77", HELLO)
        assert channel.charge == Charge("reply", Left(None, None))
        assert (channel.charge.free, channel.charged) == (True, 0)

    async def test_what_is_left_of_a_package_is_read(self, setting: Setting) -> None:
        setting.zalo.citizen("77", ago=timedelta(days=3))
        setting.zalo.paid = 7
        setting.interactions.ago["77"] = timedelta(days=3)
        channel = setting.channel(paid_messages=True)
        await channel.send("77", HELLO)
        assert channel.charge == Charge("sub_quota", Left(6, 2000), "30/04/2027")
        assert (channel.charge.free, channel.charged) == (False, 1)

    async def test_a_charge_that_nobody_allowed_is_told_once(
        self, setting: Setting, caplog: pytest.LogCaptureFixture
    ) -> None:
        setting.zalo.faults[CS] = [Fault(page='{"data":{"message_id":"m"},"error":0}')] * 2
        channel = setting.channel()
        for _ in range(2):
            assert await channel.send("77", HELLO) == Sent("m")
        assert (channel.charge, channel.charged) == (Charge("charged", Left(None, None)), 2)
        told = [r.message for r in caplog.records if r.levelno == logging.ERROR]
        assert told == ["Zalo charged a message although paid messages are off"]


class TestLimits:
    async def test_the_limit_of_the_app_is_read_and_kept(self, setting: Setting) -> None:
        setting.zalo.per_minute = 3
        channel = setting.channel()
        outcomes = [await channel.send("77", HELLO) for _ in range(5)]
        assert [type(o) for o in outcomes] == [Sent, Sent, Sent, RetryAfter, RetryAfter]
        assert outcomes[3] == RetryAfter(10.0)
        assert setting.zalo.asked(CS) == 3
        setting.watch.now += 11
        assert await channel.send("77", HELLO) == RetryAfter(30.0)  # Zalo itself says so now
        assert setting.zalo.asked(CS) == 4

    async def test_one_account_does_not_slow_another(self, setting: Setting) -> None:
        setting.zalo.faults[CS] = [Fault(-32, "limit", headers={"X-RateLimit-Remain": "0"})]
        one, other = setting.channel("a"), setting.channel("b")
        assert isinstance(await one.send("77", HELLO), RetryAfter)
        assert isinstance(await other.send("77", HELLO), Sent)


class TestTheAccount:
    async def test_a_refused_account_is_seen_and_a_good_answer_ends_it(self, setting: Setting) -> None:
        channel = setting.channel()
        setting.zalo.faults[CS] = [Fault(-235, "OA type is not supported")]
        await channel.send("77", HELLO)
        assert channel.problem == "-235 OA type is not supported"
        await channel.send("77", HELLO)
        assert channel.problem == ""

    async def test_a_lost_refresh_token_is_seen_while_messages_still_leave(self, setting: Setting) -> None:
        channel = setting.channel()
        setting.zalo.refresh = "somebody else's"
        await channel.tokens.keep_fresh()
        assert isinstance(await channel.send("77", HELLO), Sent)
        assert channel.problem == REFUSED

    async def test_who_keeps_the_tokens_fresh_says_that_they_work_once_it_has_seen_so(self, setting: Setting) -> None:
        async def look_once(channel: ZaloOaChannel) -> None:
            async def stop(_: float) -> None:
                raise asyncio.CancelledError

            with pytest.raises(asyncio.CancelledError):
                await channel.run(sleep=stop)

        channel = setting.channel()
        assert channel.health == Health(None, "", 0)
        setting.zalo.faults[OAUTH] = [Fault(status=502)]
        await look_once(channel)
        assert channel.health.receiving is None
        await look_once(channel)
        assert channel.health == Health("", "", 0)
        refresh, setting.zalo.refresh = setting.zalo.refresh, "somebody else's"
        setting.clock.pass_(hours=20)
        await look_once(channel)
        await channel.send("77", HELLO)
        assert channel.health == Health(REFUSED, REFUSED, 1)
        # who takes over meanwhile does not end the alarm, though the old token is still good for some hours
        other = setting.channel()
        setting.zalo.faults[OAUTH] = [Fault(status=502)]
        await look_once(other)
        assert isinstance(await other.send("77", HELLO), Sent)
        assert other.health == Health(None, "", 1)
        setting.zalo.refresh = refresh
        setting.clock.pass_(hours=2)
        await look_once(channel)
        assert channel.health == Health("", "", 1)

    async def test_no_connection_means_not_sent(self, setting: Setting) -> None:
        channel = setting.channel(api_url="http://127.0.0.1:9")
        assert await channel.send("77", HELLO) == Transient("ConnectError", maybe_sent=False)

    async def test_no_answer_in_time_may_have_been_sent(
        self, setting: Setting, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("bot.channels.zalo_oa.api.TIMEOUT", 0.2)
        setting.zalo.latency = 0.6
        channel = setting.channel(http=None)
        assert await channel.send("77", HELLO) == Transient("ReadTimeout", maybe_sent=True)
        await channel.stop()
        async with asyncio.timeout(5):  # it did arrive, only later; not in the middle of the next test
            while not setting.zalo.sent:
                await asyncio.sleep(0.02)

    async def test_an_address_that_is_none(self, setting: Setting) -> None:
        channel = setting.channel(api_url="zalo")
        assert isinstance(await channel.send("77", HELLO), Transient)

    async def test_a_database_that_does_not_answer_sends_nothing(self, setting: Setting) -> None:
        async def broken(chat: str) -> None:
            raise OSError("database is locked")

        outcome = await setting.channel(last_interaction=broken).send("77", HELLO)
        assert outcome == Transient("the last interaction cannot be read", maybe_sent=False)
        assert setting.zalo.calls == []

    async def test_it_learns_which_oa_it_is_and_renews_its_tokens_until_told_to_end(self, setting: Setting) -> None:
        channel = setting.channel(oa_id="")
        pauses: list[float] = []

        async def sleep(seconds: float) -> None:
            pauses.append(seconds)
            setting.clock.pass_(hours=21)
            setting.zalo.now = setting.clock.now
            if len(pauses) == 3:
                raise asyncio.CancelledError

        with pytest.raises(asyncio.CancelledError):
            await channel.run(sleep=sleep)
        assert channel.oa_id == OA_ID
        assert setting.zalo.asked(OAUTH) == 3
        assert setting.zalo.asked("/v2.0/oa/getoa") == 1
        assert all(480 <= pause <= 720 for pause in pauses)

    async def test_tokens_of_another_oa_are_noticed(self, setting: Setting, caplog: pytest.LogCaptureFixture) -> None:
        channel = setting.channel(oa_id="1")
        await channel.identify()
        assert "the tokens are those of another OA" in caplog.text

    async def test_several_accounts_have_tokens_of_their_own(self, setting: Setting) -> None:
        other = MemorySecrets([{"access_token": "stolen", "refresh_token": "stolen"}])
        assert isinstance(await setting.channel("a").send("77", HELLO), Sent)
        assert isinstance(await setting.channel("b", secrets=other).send("77", HELLO), Misconfigured)
        assert isinstance(await setting.channel("a").send("77", HELLO), Sent)

    async def test_an_own_client_is_closed_and_a_shared_one_is_not(self, setting: Setting) -> None:
        own = setting.channel(http=None)
        await own.send("77", HELLO)
        await own.stop()
        shared = setting.channel()
        await shared.stop()
        assert not setting.http.is_closed


class TestWindows:
    @pytest.mark.parametrize(
        ("ago", "expected"),
        [
            (timedelta(0), Window.FREE),
            (timedelta(hours=-1), Window.FREE),
            (timedelta(hours=47, minutes=59), Window.FREE),
            (timedelta(hours=47, minutes=59, seconds=1), Window.PAID),
            (timedelta(hours=48), Window.PAID),
            (timedelta(days=6, hours=23, minutes=59), Window.PAID),
            (timedelta(days=7), Window.CLOSED),
            (timedelta(days=400), Window.CLOSED),
            (None, Window.CLOSED),
        ],
    )
    def test_by_the_last_interaction(self, ago: timedelta | None, expected: Window) -> None:
        assert window(None if ago is None else MORNING - ago, MORNING) is expected

    @given(
        st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=30)),
        st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=30)),
    )
    def test_it_only_closes(self, ago: timedelta, more: timedelta) -> None:
        order = list(Window)
        first, then = (window(MORNING - a, MORNING) for a in (ago, ago + more))
        assert order.index(first) <= order.index(then)

    @pytest.mark.parametrize(
        ("hour", "minute", "day"), [(0, 0, False), (5, 59, False), (6, 0, True), (21, 59, True), (22, 0, False)]
    )
    def test_broadcasts_leave_by_day(self, hour: int, minute: int, day: bool) -> None:
        assert by_day(MORNING.astimezone(ZONE).replace(hour=hour, minute=minute)) is day

    async def test_the_conversations_know_the_last_interaction(self, database: Database) -> None:
        clock = Clock()
        look_up = last_interactions(database, "default")
        assert await look_up("77") is None
        citizen = Citizen(database, clock, chat="77", channel="zalo-oa")
        await citizen.says("xin chào")
        assert await look_up("77") == MORNING
        clock.pass_(days=1)
        await citizen.says("", kind="stopped")
        await citizen.says("", kind="taken_over")
        assert await look_up("77") == MORNING
        await citizen.presses("t:tam-tru")
        assert await look_up("77") == clock.now
        assert await last_interactions(database, "other")("77") is None


class TestRendering:
    @settings(max_examples=60)
    @given(st.text(max_size=6000), st.text(max_size=3000), st.lists(st.text(max_size=200), max_size=9))
    def test_whatever_is_said_fits_and_nothing_is_lost(self, text: str, title: str, labels: list[str]) -> None:
        offered = tuple(Button(label, f"t:{n}") for n, label in enumerate(labels))
        parts = texts(Reply(text, offered, source=SourceLine(title, "", date(2026, 7, 20))))
        assert all(0 < length(part) <= LIMIT for part in parts)
        assert all(unicodedata.is_normalized("NFC", part) for part in parts)
        told = "".join("".join(parts).split())
        assert "".join(composed(text).split()) in told
        for label in labels:
            assert "".join(composed(label).split()) in told


def test_the_factory_needs_no_network() -> None:
    made = zalo_oa_channel(
        "phu-thong",
        app_id=APP_ID,
        oa_secret=OA_SECRET,
        app_secret=APP_SECRET,
        secrets=MemorySecrets(),
        clock=Clock(),
    )
    assert (made.name, made.account, made.problem) == ("zalo-oa", "phu-thong", "")
    assert OA_SECRET not in repr(made.keys)
