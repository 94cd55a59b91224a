"""One table: a reply, what goes wrong, which requests leave, which class of outcome comes back. And what a log may hold."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.channels.zalo_bot import ZaloBotChannel, ZaloBotError, zalo_bot_channel
from bot.channels.zalo_bot.api import Done, Lost, Refused, read
from bot.channels.zalo_bot.outcomes import outcome
from bot.channels.zalo_bot.quota import Quota
from bot.channels.zalo_bot.render import LIMIT, requests
from bot.conversation.model import Attachment, Button, Reply, SourceLine
from bot.messages import ContactStopped, Misconfigured, Outcome, Rejected, RetryAfter, Sent, Transient
from bot.storage.database import Database
from tests.builders import Clock
from tests.emulators.server import serve
from tests.emulators.zalo_bot import TOKEN, Fault, ZaloBotEmulator

pytestmark = pytest.mark.anyio

PUBLIC = "https://hoi.thainguyen.example"
PAGE = "<html><body>Truy cập bị chặn</body></html>"
CHAT = "6ede9afa66b88fe6d6a9"
SOURCE = SourceLine("Cổng Dịch vụ công quốc gia", "https://dichvucong.gov.vn", date(2026, 7, 20))
LEAFLET = Attachment("Tờ rơi khai sinh", "/materials/khai-sinh.pdf", "application/pdf")
PICTURE = Attachment("Ảnh hướng dẫn", "/materials/khai-sinh.png", "image/png")
FEE = Button("Hết bao nhiêu tiền", "t:khai-sinh:le-phi")
PORTAL = Button("Mở Cổng Dịch vụ công", url="https://dichvucong.gov.vn")
LONG = "Một câu dài về giấy tờ. " * 125
"""3,000 characters: two parts."""

Row = tuple[str, Reply, dict[str, list[Fault]], Outcome | type, list[tuple[str, dict[str, Any]]]]


def message(text: str) -> tuple[str, dict[str, Any]]:
    return "sendMessage", {"chat_id": CHAT, "text": text}


def photo(**body: str) -> tuple[str, dict[str, Any]]:
    return "sendPhoto", {"chat_id": CHAT, **body}


def fails(status: int, description: str = "", **more: Any) -> dict[str, list[Fault]]:
    return {"sendMessage": [Fault(status, description=description, **more)]}


def page(status: int) -> dict[str, list[Fault]]:
    return {"sendMessage": [Fault(status, page=PAGE)]}


HELLO = Reply("Xin chào")
SAID = [message("Xin chào")]
SEND: list[Row] = [
    # what leaves
    ("one line", HELLO, {}, Sent, SAID),
    ("source", Reply("7.000 đồng", source=SOURCE), {}, Sent, [message("7.000 đồng\nTheo Cổng Dịch vụ công quốc gia, xem ngày 20/7/2026.")]),
    ("menu by number", Reply("x", (FEE, PORTAL)), {}, Sent, [message("x\n\nNhắn số để chọn:\n1. Hết bao nhiêu tiền\nMở Cổng Dịch vụ công: https://dichvucong.gov.vn")]),
    ("no mark-up", Reply("a < b & *c* _d_"), {}, Sent, [message("a < b & *c* _d_")]),
    ("spaces around", Reply("\n  Xin chào \n"), {}, Sent, SAID),
    ("half a character and NUL", Reply("Xin\ud83d\0 chào"), {}, Sent, [message("Xin\ufffd chào")]),
    ("exactly the limit", Reply("a" * 2000), {}, Sent, [message("a" * 2000)]),
    ("one above the limit", Reply("a" * 2001), {}, Sent, [message("a" * 2000), message("a")]),
    ("emoji count once", Reply("😀" * 2000), {}, Sent, [message("😀" * 2000)]),
    ("two parts, cut at a sentence", Reply(LONG), {}, Sent, [message(("Một câu dài về giấy tờ. " * 83).strip()), message(("Một câu dài về giấy tờ. " * 42).strip())]),
    ("empty", Reply(""), {}, Rejected("nothing to send"), []),
    ("only space", Reply(" \n\t"), {}, Rejected("nothing to send"), []),
    ("document as a link", Reply("x", attachments=(LEAFLET,)), {}, Sent, [message(f"x\nTờ rơi khai sinh: {PUBLIC}/materials/khai-sinh.pdf")]),
    ("document alone", Reply("", attachments=(LEAFLET,)), {}, Sent, [message(f"Tờ rơi khai sinh: {PUBLIC}/materials/khai-sinh.pdf")]),
    ("picture by its address", Reply("x", attachments=(PICTURE,)), {}, Sent, [message("x"), photo(photo=f"{PUBLIC}/materials/khai-sinh.png", caption="Ảnh hướng dẫn")]),
    ("picture refused", Reply("x", attachments=(PICTURE,)), {"sendPhoto": [Fault(400, description="Bad request")]}, Rejected("400 Bad request"), [message("x"), photo(photo=f"{PUBLIC}/materials/khai-sinh.png", caption="Ảnh hướng dẫn")]),
    ("typing refused", HELLO, {"sendChatAction": [Fault(400, description="x")]}, Sent, SAID),
    ("typing hangs", HELLO, {"sendChatAction": [Fault(drop=True)]}, Sent, SAID),
    # the documented codes
    ("400", HELLO, fails(400, "Bad request"), Rejected("400 Bad request"), SAID),
    ("401", HELLO, fails(401, "Unauthorized"), Misconfigured("401 Unauthorized"), SAID),
    ("403 is Zalo's own trouble", HELLO, fails(403, "Internal server error"), Transient("403 Internal server error"), SAID),
    ("404", HELLO, fails(404, "Not found"), Transient("404 Not found"), SAID),
    ("408", HELLO, fails(408, "Request timeout"), Transient("408 Request timeout", maybe_sent=True), SAID),
    ("429", HELLO, fails(429, "Quota exceeded"), RetryAfter(60.0), SAID),
    ("429 with a time", HELLO, fails(429, "Quota exceeded", parameters={"retry_after": 7}), RetryAfter(7.0), SAID),
    ("429 with a header", HELLO, fails(429, "Quota exceeded", headers={"Retry-After": "9"}), RetryAfter(9.0), SAID),
    ("426 too often", HELLO, fails(426, "Too often"), RetryAfter(60.0), SAID),
    ("429 inside 200", HELLO, fails(200, "Quota exceeded", code=429), RetryAfter(60.0), SAID),
    ("401 inside 200", HELLO, fails(200, "Unauthorized", code=401), Misconfigured("401 Unauthorized"), SAID),
    ("unknown code inside 200", HELLO, fails(200, "?", code=112), Rejected("112 ?"), SAID),
    # the citizen
    ("blocked", HELLO, fails(403, "Forbidden: bot was blocked by the user"), ContactStopped("403 Forbidden: bot was blocked by the user"), SAID),
    ("chat not found", HELLO, fails(400, "Bad Request: chat not found"), ContactStopped, SAID),
    ("invalid chat", HELLO, fails(400, "Invalid chat_id"), Rejected, SAID),
    ("user not found", HELLO, fails(404, "User not found"), ContactStopped, SAID),
    # the line, and what stands on it
    ("413", HELLO, fails(413, "Too large"), Rejected, SAID),
    ("500", HELLO, fails(500, "Internal Server Error"), Transient("500 Internal Server Error"), SAID),
    ("502", HELLO, fails(502, "Bad Gateway"), Transient("502 Bad Gateway"), SAID),
    ("504", HELLO, fails(504, "Gateway Timeout"), Transient("504 Gateway Timeout", maybe_sent=True), SAID),
    ("dropped after accepting", HELLO, {"sendMessage": [Fault(drop=True)]}, Transient("RemoteProtocolError", maybe_sent=True), SAID),
    ("page with 401", HELLO, page(401), Transient("the answer is not Zalo's"), SAID),
    ("page with 403", HELLO, page(403), Transient("the answer is not Zalo's"), SAID),
    ("page with 502", HELLO, page(502), Transient("the answer is not Zalo's"), SAID),
    ("page with 504", HELLO, page(504), Transient("the answer is not Zalo's", maybe_sent=True), SAID),
    ("page with 200", HELLO, page(200), Transient("the answer is not Zalo's", maybe_sent=True), SAID),
    ("null with 200", HELLO, {"sendMessage": [Fault(page="null")]}, Transient("the answer is not Zalo's", maybe_sent=True), SAID),
    ("ok without a message's id", HELLO, {"sendMessage": [Fault(page='{"ok":true}')]}, Sent(""), SAID),
]  # fmt: skip


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[ZaloBotEmulator, str]]:
    emulator = ZaloBotEmulator()
    with serve(emulator.app()) as url:
        yield emulator, url


@pytest.fixture
def emulator(server: tuple[ZaloBotEmulator, str]) -> ZaloBotEmulator:
    server[0].reset()
    return server[0]


@dataclass
class Watch:
    """A clock that the test turns."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Opened:
    channel: ZaloBotChannel
    watch: Watch = field(default_factory=Watch)


@pytest.fixture
async def opened(server: tuple[ZaloBotEmulator, str]) -> AsyncIterator[Opened]:
    watch = Watch()
    channel = ZaloBotChannel("default", TOKEN, api_url=server[1], public_url=PUBLIC, monotonic=watch)
    yield Opened(channel, watch)
    await channel.stop()


def left(emulator: ZaloBotEmulator) -> list[tuple[str, dict[str, Any]]]:
    """The requests that put something into a chat."""
    return [(method, body) for method, body in emulator.calls if method != "sendChatAction"]


@pytest.mark.parametrize(("reply", "faults", "expected", "leaves"), [r[1:] for r in SEND], ids=[r[0] for r in SEND])
async def test_send(
    opened: Opened,
    emulator: ZaloBotEmulator,
    reply: Reply,
    faults: dict[str, list[Fault]],
    expected: Outcome | type,
    leaves: list[tuple[str, dict[str, Any]]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    emulator.faults |= {method: list(some) for method, some in faults.items()}
    found = await opened.channel.send(CHAT, reply)
    if isinstance(expected, type):
        assert type(found) is expected
    else:
        assert found == expected
    assert left(emulator) == leaves
    for verb, path, headers in emulator.headers:
        assert verb == "POST"
        assert path.startswith(f"/bot{TOKEN}/")
        assert headers["content-type"] == "application/json"
    assert TOKEN not in caplog.text
    assert "Xin chào" not in caplog.text


class TestSending:
    async def test_the_typing_sign_comes_first_and_not_for_bulk(
        self, opened: Opened, emulator: ZaloBotEmulator
    ) -> None:
        await opened.channel.send(CHAT, HELLO)
        await opened.channel.send(CHAT, HELLO, typing=False)
        assert [method for method, _ in emulator.calls] == ["sendChatAction", "sendMessage", "sendMessage"]
        assert emulator.calls[0][1] == {"chat_id": CHAT, "action": "typing"}

    async def test_without_a_public_address_a_document_is_left_out_with_a_hint(
        self, server: tuple[ZaloBotEmulator, str], emulator: ZaloBotEmulator
    ) -> None:
        for public_url in ("", "http://127.0.0.1:8000"):
            channel = ZaloBotChannel("default", TOKEN, api_url=server[1], public_url=public_url)
            assert isinstance(await channel.send(CHAT, Reply("x", attachments=(LEAFLET, PICTURE))), Sent)
            await channel.stop()
        assert [method for method, _ in left(emulator)] == ["sendMessage", "sendMessage"]
        for text in emulator.texts(CHAT):
            assert "http" not in text
            assert text.count("chưa gửi được tệp") == 2

    async def test_a_reply_that_stopped_half_way_goes_on_there(self, opened: Opened, emulator: ZaloBotEmulator) -> None:
        emulator.faults["sendMessage"] = [Fault(), Fault(500, description="x")]
        assert isinstance(await opened.channel.send(CHAT, Reply(LONG)), Transient)
        assert isinstance(await opened.channel.send(CHAT, Reply(LONG)), Sent)
        assert len(emulator.texts(CHAT)) == 2

    async def test_a_reply_that_stopped_long_ago_begins_again(self, opened: Opened, emulator: ZaloBotEmulator) -> None:
        emulator.faults["sendMessage"] = [Fault(), Fault(500, description="x")]
        await opened.channel.send(CHAT, Reply(LONG))
        opened.watch.now += 901
        await opened.channel.send(CHAT, Reply(LONG))
        assert len(emulator.texts(CHAT)) == 3

    async def test_no_connection_means_not_sent(self) -> None:
        channel = ZaloBotChannel("default", TOKEN, api_url="http://127.0.0.1:9")
        assert await channel.send(CHAT, HELLO) == Transient("ConnectError", maybe_sent=False)
        await channel.stop()

    async def test_an_address_that_is_none_is_no_crash(self) -> None:
        channel = ZaloBotChannel("default", TOKEN, api_url="https://[bad")
        found = await channel.send(CHAT, HELLO)
        assert isinstance(found, Transient)
        assert TOKEN not in repr(found)
        await channel.stop()

    async def test_an_answer_that_does_not_come_is_not_waited_for_without_end(
        self, opened: Opened, emulator: ZaloBotEmulator
    ) -> None:
        emulator.faults["getMe"] = [Fault(delay=5)]
        began = time.monotonic()
        answer = await opened.channel._api.call("getMe", seconds=0.2)
        assert isinstance(answer, Lost)
        assert answer.arrived
        assert time.monotonic() - began < 2

    async def test_a_refused_token_is_seen_and_a_good_answer_ends_it(
        self, opened: Opened, emulator: ZaloBotEmulator
    ) -> None:
        emulator.faults["sendMessage"] = [Fault(401, description="Unauthorized")]
        await opened.channel.send(CHAT, HELLO)
        assert opened.channel.problem == "401 Unauthorized"
        await opened.channel.send(CHAT, HELLO)
        assert opened.channel.problem == ""

    async def test_a_token_nobody_knows_is_said_to_be_one(self, server: tuple[ZaloBotEmulator, str]) -> None:
        channel = ZaloBotChannel("default", "1:other", api_url=server[1])
        assert isinstance(await channel.send(CHAT, HELLO), Misconfigured)
        with pytest.raises(ZaloBotError, match="401"):
            await channel.identify()
        await channel.stop()


class TestTheWebhooksAddress:
    @pytest.fixture
    async def hooked(self, server: tuple[ZaloBotEmulator, str]) -> AsyncIterator[ZaloBotChannel]:
        channel = ZaloBotChannel("xa-a", TOKEN, api_url=server[1], webhook_secret="12345678")
        yield channel
        await channel.stop()

    async def test_it_is_told_to_zalo_with_the_secret(self, hooked: ZaloBotChannel, emulator: ZaloBotEmulator) -> None:
        await hooked.set_webhook(PUBLIC)
        assert emulator.webhook == {
            "url": f"{PUBLIC}/channels/zalo-bot/xa-a/webhook",
            "secret_token": "12345678",
        }
        assert hooked.problem == ""

    async def test_what_zalo_would_refuse_is_not_asked(
        self, server: tuple[ZaloBotEmulator, str], hooked: ZaloBotChannel, emulator: ZaloBotEmulator
    ) -> None:
        with pytest.raises(ZaloBotError, match="https"):
            await hooked.set_webhook("http://127.0.0.1")
        for secret in ("", "1234567", "x" * 257):
            channel = ZaloBotChannel("default", TOKEN, api_url=server[1], webhook_secret=secret)
            with pytest.raises(ZaloBotError, match="secret"):
                await channel.set_webhook(PUBLIC)
            await channel.stop()
        assert emulator.calls == []

    async def test_an_address_that_zalo_cannot_reach_is_a_problem(
        self, hooked: ZaloBotChannel, emulator: ZaloBotEmulator
    ) -> None:
        answer = '{"ok":true,"result":{"url":"x","verification":{"ok":false,"outcome":"webhook.timeout"}}}'
        emulator.faults["setWebhook"] = [Fault(page=answer)]
        await hooked.set_webhook(PUBLIC)
        assert hooked.problem == "WebhookNotReached"

    async def test_ending_a_webhook_that_is_not_there_is_no_error(
        self, hooked: ZaloBotChannel, emulator: ZaloBotEmulator
    ) -> None:
        await hooked.set_webhook(PUBLIC)
        await hooked.delete_webhook()
        await hooked.delete_webhook()
        assert emulator.webhook == {}


class TestTheQuota:
    async def test_every_message_of_a_month_counts_and_the_next_month_begins_anew(self, database: Database) -> None:
        clock = Clock()
        quotas = [Quota(database, account, clock) for account in ("default", "default", "xa-a")]
        for quota in quotas:
            await quota.count()
        assert [await quota.used() for quota in quotas] == [2, 2, 1]
        clock.pass_(days=9)
        assert await quotas[0].used() == 0
        await quotas[0].count(3)
        assert await quotas[0].used() == 3

    async def test_a_month_begins_at_midnight_in_the_province(self, database: Database) -> None:
        clock = Clock()
        clock.now = clock.now.replace(month=11, day=30, hour=16, minute=59)
        quota = Quota(database, "default", clock)
        await quota.count()
        clock.pass_(minutes=1)
        assert await quota.used() == 0

    @pytest.mark.parametrize(
        ("sent", "warning"),
        [(79, ""), (80, "quota 80/100"), (95, "quota 95/100"), (101, "quota 101/100")],
    )
    async def test_the_operator_is_warned(self, database: Database, sent: int, warning: str) -> None:
        quota = Quota(database, "default", Clock(), 100)
        await quota.count(sent)
        assert quota.warning == warning

    async def test_each_threshold_is_logged_once(self, database: Database, caplog: pytest.LogCaptureFixture) -> None:
        quota = Quota(database, "default", Clock(), 100)
        for _ in range(110):
            await quota.count()
        assert [r.sent for r in caplog.records if "quota" in r.message] == [80, 95, 100]  # type: ignore[attr-defined]

    async def test_a_plan_without_a_limit_warns_of_nothing(self, database: Database) -> None:
        quota = Quota(database, "default", Clock(), 0)
        await quota.count(10_000)
        assert quota.warning == ""

    async def test_the_channel_counts_what_zalo_took_and_what_it_may_have_taken(
        self, server: tuple[ZaloBotEmulator, str], emulator: ZaloBotEmulator, database: Database
    ) -> None:
        channel = zalo_bot_channel(
            "default", TOKEN, database=database, clock=Clock(), api_url=server[1], messages_a_month=4
        )
        assert channel.quota is not None
        emulator.faults["sendMessage"] = [Fault(), Fault(), Fault(drop=True), Fault(500), Fault(429, description="x")]
        for reply in (Reply(LONG), HELLO, HELLO, HELLO):
            await channel.send(CHAT, reply)
        assert await channel.quota.used() == 3
        await channel.send(CHAT, HELLO)
        assert channel.warning == "quota 4/4"
        await channel.stop()

    async def test_a_message_that_cannot_be_counted_is_sent_all_the_same(
        self, server: tuple[ZaloBotEmulator, str], emulator: ZaloBotEmulator, database: Database
    ) -> None:
        channel = zalo_bot_channel("default", TOKEN, database=database, clock=Clock(), api_url=server[1])
        async with database.write() as connection:
            await connection.exec_driver_sql("DROP TABLE checkpoint")
        assert isinstance(await channel.send(CHAT, HELLO), Sent)
        await channel.stop()

    async def test_an_exhausted_plan_makes_the_account_wait(self, opened: Opened, emulator: ZaloBotEmulator) -> None:
        emulator.month = 1
        assert isinstance(await opened.channel.send(CHAT, HELLO), Sent)
        assert await opened.channel.send(CHAT, HELLO) == RetryAfter(60.0)


replies = st.builds(
    Reply,
    st.text(max_size=5000),
    st.lists(
        st.builds(Button, st.text(max_size=60), st.sampled_from(["", "t:a"]), st.sampled_from(["", "https://a.vn"])),
        max_size=8,
    ).map(tuple),
    st.lists(
        st.builds(Attachment, st.text(max_size=3000), st.sampled_from(["/m/a.pdf", "/m/a.png"]), st.sampled_from(["application/pdf", "image/png"])),
        max_size=3,
    ).map(tuple),
    st.none() | st.builds(SourceLine, st.text(max_size=100), st.just(""), st.just(date(2026, 7, 20))),
)  # fmt: skip


class TestWhateverIsSaid:
    @given(replies, st.sampled_from(["", "http://127.0.0.1:8000", PUBLIC, f"{PUBLIC}/"]))
    def test_every_request_is_one_that_zalo_takes(self, reply: Reply, public_url: str) -> None:
        for request in requests(reply, public_url):
            text = request.body.get("text", request.body.get("caption", "x"))
            assert 0 < len(text.strip()) <= LIMIT
            text.encode()
            if request.method == "sendPhoto":
                assert request.body["photo"] in (f"{PUBLIC}/m/a.pdf", f"{PUBLIC}/m/a.png")

    @given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode), st.integers(100, 599))
    def test_every_answer_has_an_outcome(self, content: bytes, status: int) -> None:
        assert isinstance(outcome(read(status, content)), Outcome)

    @given(
        st.fixed_dictionaries(
            {"ok": st.booleans()},
            optional={
                "error_code": st.integers() | st.text(max_size=5) | st.booleans(),
                "description": st.text(max_size=300) | st.none(),
                "result": st.none() | st.dictionaries(st.just("message_id"), st.integers() | st.text(max_size=300)),
                "parameters": st.none() | st.dictionaries(st.just("retry_after"), st.floats() | st.text(max_size=4)),
            },
        ),
        st.integers(100, 599),
    )
    def test_every_envelope_has_an_outcome(self, body: dict[str, Any], status: int) -> None:
        answer = read(status, json.dumps(body).encode())
        assert isinstance(answer, Done if body["ok"] else Refused)
        found = outcome(answer)
        assert isinstance(found, Outcome)
        assert not isinstance(found, RetryAfter) or 0 <= found.seconds <= 86_400
        assert isinstance(found, Sent) == body["ok"]
