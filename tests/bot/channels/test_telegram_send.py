"""One table: a reply, what goes wrong, which requests leave, which class of outcome comes back. And what a log may hold."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.channels.telegram import TelegramChannel
from bot.channels.telegram.render import LIMIT, texts
from bot.conversation.model import Attachment, Button, Reply, SourceLine
from bot.messages import ContactStopped, Misconfigured, Moved, Outcome, Rejected, RetryAfter, Sent, Transient
from tests.emulators.server import serve
from tests.emulators.telegram import TOKEN, Fault, TelegramEmulator

pytestmark = pytest.mark.anyio

PAGE = "<html><body>Truy cập bị chặn</body></html>"
SOURCE = SourceLine("Cổng Dịch vụ công quốc gia", "https://dichvucong.gov.vn", date(2026, 7, 20))
SOURCE_HTML = "<i>Theo Cổng Dịch vụ công quốc gia, xem ngày 20/7/2026.</i>"
LEAFLET = Attachment("Tờ rơi", "/materials/a.pdf", "application/pdf")
LONG = "Một câu dài về giấy tờ. " * 250
"""6,000 characters: two parts."""

FORM, FILES = "application/x-www-form-urlencoded", "multipart/form-data"
Leaves = tuple[str, str, str, dict[str, Any]]
"""Of a request: HTTP method, path, content type and the whole body."""
Row = tuple[str, Reply, dict[str, list[Fault]], Outcome | type, list[Leaves]]


def plain(text: str, **more: Any) -> Leaves:
    body = {"chat_id": "77", "text": text, "link_preview_options": {"is_disabled": True}, **more}
    return "POST", f"/bot{TOKEN}/sendMessage", FORM, body


def message(text: str, **more: Any) -> Leaves:
    return plain(text, parse_mode="HTML", **more)


def document(**body: Any) -> Leaves:
    return "POST", f"/bot{TOKEN}/sendDocument", FILES, {"chat_id": "77", "document": "upload:a.pdf", **body}


def fails(status: int, description: str = "", **parameters: Any) -> dict[str, list[Fault]]:
    return {"sendMessage": [Fault(status, description, parameters or None)]}


def blocked_by_a_firewall(status: int) -> dict[str, list[Fault]]:
    return {"sendMessage": [Fault(status, page=PAGE)]}


HELLO = Reply("Xin chào")
SAID = [message("Xin chào")]
SEND: list[Row] = [
    # what leaves
    ("one line", HELLO, {}, Sent, SAID),
    ("two lines", Reply("Lệ phí\n7.000 đồng"), {}, Sent, [message("<b>Lệ phí</b>\n7.000 đồng")]),
    ("source", Reply("7.000 đồng", source=SOURCE), {}, Sent, [message(f"7.000 đồng\n{SOURCE_HTML}")]),
    ("mark-up of ours", Reply("a < b & <b>c</b>"), {}, Sent, [message("a &lt; b &amp; &lt;b&gt;c&lt;/b&gt;")]),
    ("quotes", Reply("""nhắn "dừng" và 'xoá'"""), {}, Sent, [message("""nhắn "dừng" và 'xoá'""")]),
    ("ampersand alone", Reply("&lt; &amp;"), {}, Sent, [message("&amp;lt; &amp;amp;")]),
    ("spaces around", Reply("\n  Xin chào \n"), {}, Sent, SAID),
    ("half a character", Reply("Xin\ud83d chào"), {}, Sent, [message("Xin\ufffd chào")]),
    ("a pair of halves", Reply("\ud83d\ude00"), {}, Sent, [message("😀")]),
    ("NUL", Reply("Xin\0 chào"), {}, Sent, SAID),
    ("empty", Reply(""), {}, Rejected("nothing to send"), []),
    ("only space", Reply(" \n\t"), {}, Rejected("nothing to send"), []),
    ("exactly the limit", Reply("a" * 4096), {}, Sent, [message("a" * 4096)]),
    ("one above the limit", Reply("a" * 4097), {}, Sent, [message("a" * 4096), message("a")]),
    ("escaping does not count", Reply("&" * 4096), {}, Sent, [message("&amp;" * 4096)]),
    ("emoji count twice", Reply("😀" * 2049), {}, Sent, [message("😀" * 2048), message("😀")]),
    (
        "buttons under the last part",
        Reply("a" * 4097, (Button("Tiếp", "t:x"),)),
        {},
        Sent,
        [
            message("a" * 4096),
            message("a", reply_markup={"inline_keyboard": [[{"text": "Tiếp", "callback_data": "t:x"}]]}),
        ],
    ),
    (
        "link",
        Reply("x", (Button("Mở", url="https://dichvucong.gov.vn/p?a=1&b=2"),)),
        {},
        Sent,
        [
            message(
                "x", reply_markup={"inline_keyboard": [[{"text": "Mở", "url": "https://dichvucong.gov.vn/p?a=1&b=2"}]]}
            )
        ],
    ),
    (
        "data of 64 bytes",
        Reply("x", (Button("A", "t:" + "a" * 62),)),
        {},
        Sent,
        [message("x", reply_markup={"inline_keyboard": [[{"text": "A", "callback_data": "t:" + "a" * 62}]]})],
    ),
    ("data of 65 bytes", Reply("x", (Button("A", "a" * 65),)), {}, Sent, [message("x")]),
    ("data in Vietnamese", Reply("x", (Button("A", "ế" * 22),)), {}, Sent, [message("x")]),
    ("button without use", Reply("x", (Button("A"),)), {}, Sent, [message("x")]),
    ("button without label", Reply("x", (Button(" ", "a"),)), {}, Sent, [message("x")]),
    ("link to nowhere", Reply("x", (Button("A", url="/materials/a"),)), {}, Sent, [message("x")]),
    (
        "no preview",
        Reply("https://a.vn"),
        {},
        Sent,
        [message("https://a.vn")],
    ),
    (
        "document",
        Reply("x", attachments=(LEAFLET,)),
        {},
        Sent,
        [message("x"), document(caption="Tờ rơi")],
    ),
    ("document alone", Reply("", attachments=(LEAFLET,)), {}, Sent, [document(caption="Tờ rơi")]),
    (
        "document that is not there",
        Reply("x", attachments=(Attachment("a", "/none.pdf", "application/pdf"),)),
        {},
        Rejected("the document cannot be read"),
        [message("x")],
    ),
    (
        "document too large",
        Reply("x", attachments=(LEAFLET,)),
        {"sendDocument": [Fault(413, "Request Entity Too Large")]},
        Rejected,
        [message("x"), document(caption="Tờ rơi")],
    ),
    (
        "mark-up not taken",
        Reply("a\nb < c"),
        fails(400, "Bad Request: can't parse entities: x"),
        Sent,
        [message("<b>a</b>\nb &lt; c"), plain("a\nb < c")],
    ),
    ("typing refused", HELLO, {"sendChatAction": [Fault(403, "Forbidden: x")]}, Sent, SAID),
    # what comes back
    ("blocked", HELLO, fails(403, "Forbidden: bot was blocked by the user"), ContactStopped, SAID),
    ("deactivated", HELLO, fails(403, "Forbidden: user is deactivated"), ContactStopped, SAID),
    ("kicked", HELLO, fails(403, "Forbidden: bot was kicked from the group chat"), ContactStopped, SAID),
    ("chat not found", HELLO, fails(400, "Bad Request: chat not found"), ContactStopped, SAID),
    ("peer", HELLO, fails(400, "Bad Request: PEER_ID_INVALID"), ContactStopped, SAID),
    ("flood", HELLO, fails(429, "Too Many Requests", retry_after=7), RetryAfter(7.0), SAID),
    ("long flood", HELLO, fails(429, "Too Many Requests", retry_after=3600), RetryAfter(3600.0), SAID),
    ("migrated", HELLO, fails(400, "Bad Request: x", migrate_to_chat_id=-1005), Moved("-1005"), SAID),
    ("too long", HELLO, fails(400, "Bad Request: message is too long"), Rejected("Message is too long"), SAID),
    ("no rights", HELLO, fails(400, "Bad Request: not enough rights"), Rejected, SAID),
    ("token", HELLO, fails(401, "Unauthorized"), Misconfigured("InvalidToken"), SAID),
    ("not found", HELLO, fails(404, "Not Found"), Misconfigured("InvalidToken"), SAID),
    ("conflict", HELLO, fails(409, "Conflict: x"), Misconfigured("Conflict"), SAID),
    ("500", HELLO, fails(500, "Internal Server Error"), Transient("NetworkError"), SAID),
    ("502", HELLO, fails(502, "Bad Gateway"), Transient("NetworkError"), SAID),
    ("503", HELLO, fails(503, "Service Unavailable"), Transient("NetworkError"), SAID),
    ("504", HELLO, fails(504, "Gateway Timeout"), Transient("NetworkError", maybe_sent=True), SAID),
    ("dropped", HELLO, {"sendMessage": [Fault(drop=True)]}, Transient("NetworkError", maybe_sent=True), SAID),
    # a page from the way says nothing about the citizen, the message or the token
    ("page with 400", HELLO, blocked_by_a_firewall(400), Transient("the answer is not Telegram's"), SAID),
    ("page with 401", HELLO, blocked_by_a_firewall(401), Transient("the answer is not Telegram's"), SAID),
    ("page with 403", HELLO, blocked_by_a_firewall(403), Transient("the answer is not Telegram's"), SAID),
    ("page with 404", HELLO, blocked_by_a_firewall(404), Transient("the answer is not Telegram's"), SAID),
    ("page with 502", HELLO, blocked_by_a_firewall(502), Transient("the answer is not Telegram's"), SAID),
    ("page with 200", HELLO, blocked_by_a_firewall(200), Transient("the answer is not Telegram's", True), SAID),
    (
        "null with 200",
        HELLO,
        {"sendMessage": [Fault(page="null")]},
        Transient("the answer is not Telegram's", True),
        SAID,
    ),
    ("no message with 200", HELLO, {"sendMessage": [Fault(page='{"ok":true,"result":{}}')]}, Transient, SAID),
]


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[TelegramEmulator, str]]:
    emulator = TelegramEmulator()
    with serve(emulator.app()) as url:
        yield emulator, url


@pytest.fixture
def emulator(server: tuple[TelegramEmulator, str]) -> TelegramEmulator:
    server[0].reset()
    return server[0]


async def library(url: str) -> bytes:
    if url != LEAFLET.url:
        raise FileNotFoundError(url)
    return b"%PDF-1.7"


@dataclass
class Watch:
    """A clock that the test turns."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Opened:
    channel: TelegramChannel
    watch: Watch = field(default_factory=Watch)


@pytest.fixture
async def opened(server: tuple[TelegramEmulator, str]) -> AsyncIterator[Opened]:
    watch = Watch()
    channel = TelegramChannel("default", TOKEN, api_url=server[1], read_file=library, monotonic=watch)
    yield Opened(channel, watch)
    await channel.stop()


def left(emulator: TelegramEmulator) -> list[Leaves]:
    """The requests that put something into a chat, JSON parameters read."""
    found = []
    for (method, body), (verb, path, headers) in zip(emulator.calls, emulator.headers, strict=True):
        if method == "sendChatAction":
            continue
        read = {k: json.loads(v) if k in ("reply_markup", "link_preview_options") else v for k, v in body.items()}
        found.append((verb, path, headers["content-type"].partition(";")[0], read))
    return found


@pytest.mark.parametrize(("reply", "faults", "expected", "requests"), [r[1:] for r in SEND], ids=[r[0] for r in SEND])
async def test_send(
    opened: Opened,
    emulator: TelegramEmulator,
    reply: Reply,
    faults: dict[str, list[Fault]],
    expected: Outcome | type,
    requests: list[Leaves],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    emulator.faults |= {method: list(some) for method, some in faults.items()}
    outcome = await opened.channel.send("77", reply)
    if isinstance(expected, type):
        assert type(outcome) is expected
    else:
        assert outcome == expected
    assert left(emulator) == requests
    assert TOKEN not in repr(outcome) + caplog.text
    assert "Xin chào" not in caplog.text


def test_the_table_is_long_enough() -> None:
    assert len(SEND) >= 40
    assert len({row[0] for row in SEND}) == len(SEND)


class TestGoingOn:
    """A reply that stopped half way goes on where it stopped."""

    async def test_the_second_attempt_leaves_out_what_arrived(self, opened: Opened, emulator: TelegramEmulator) -> None:
        emulator.faults["sendMessage"] = [Fault(), Fault(429, "Too Many Requests", {"retry_after": 2})]
        assert await opened.channel.send("77", Reply(LONG)) == RetryAfter(2.0)
        assert isinstance(await opened.channel.send("77", Reply(LONG)), Sent)
        assert "".join(emulator.texts(77)).replace(" ", "") == LONG.replace(" ", "")

    async def test_a_later_question_with_the_same_answer_gets_all_of_it(
        self, opened: Opened, emulator: TelegramEmulator
    ) -> None:
        for _ in range(2):
            assert isinstance(await opened.channel.send("77", Reply(LONG)), Sent)
        assert len(emulator.texts(77)) == 4

    @pytest.mark.parametrize(
        ("chat", "text", "later"), [("78", LONG, 0.0), ("77", LONG + "!", 0.0), ("77", LONG, 1000.0)]
    )
    async def test_another_chat_or_text_or_hour_begins_again(
        self, opened: Opened, emulator: TelegramEmulator, chat: str, text: str, later: float
    ) -> None:
        emulator.faults["sendMessage"] = [Fault(), Fault(502, "Bad Gateway")]
        await opened.channel.send("77", Reply(LONG))
        opened.watch.now += later
        before = len(emulator.sent)
        assert isinstance(await opened.channel.send(chat, Reply(text)), Sent)
        assert len(emulator.sent) - before == 2

    async def test_a_failed_document_does_not_repeat_the_text(self, opened: Opened, emulator: TelegramEmulator) -> None:
        emulator.faults["sendDocument"] = [Fault(502, "Bad Gateway")]
        reply = Reply("x", attachments=(LEAFLET,))
        assert isinstance(await opened.channel.send("77", reply), Transient)
        assert isinstance(await opened.channel.send("77", reply), Sent)
        assert [s.method for s in emulator.sent] == ["sendMessage", "sendDocument"]

    async def test_a_document_whose_id_is_forgotten_is_uploaded_again(
        self, opened: Opened, emulator: TelegramEmulator
    ) -> None:
        reply = Reply("x", attachments=(LEAFLET,))
        await opened.channel.send("77", reply)
        emulator.files.clear()
        assert isinstance(await opened.channel.send("78", reply), Sent)
        assert [s.body["document"] for s in emulator.sent if s.method == "sendDocument"] == ["upload:a.pdf"] * 2


class TestTheAccount:
    async def test_a_refused_token_is_seen_and_a_good_answer_ends_it(
        self, opened: Opened, emulator: TelegramEmulator
    ) -> None:
        emulator.faults["sendMessage"] = [Fault(401, "Unauthorized")]
        await opened.channel.send("77", HELLO)
        assert opened.channel.problem == "InvalidToken"
        await opened.channel.send("77", HELLO)
        assert opened.channel.problem == ""

    async def test_a_sent_message_does_not_hide_that_nothing_comes_in(
        self, opened: Opened, emulator: TelegramEmulator
    ) -> None:
        opened.channel.problem = "Conflict"
        await opened.channel.send("77", HELLO)
        assert opened.channel.problem == "Conflict"

    async def test_no_connection_means_not_sent(self) -> None:
        channel = TelegramChannel("default", TOKEN, api_url="http://127.0.0.1:9")
        assert await channel.send("77", HELLO) == Transient("NetworkError", maybe_sent=False)
        await channel.stop()

    async def test_bulk_goes_without_the_typing_sign(self, opened: Opened, emulator: TelegramEmulator) -> None:
        await opened.channel.send("77", HELLO, typing=False)
        assert [method for method, _ in emulator.calls] == ["sendMessage"]

    async def test_a_citizen_who_blocked_the_bot_stays_unreachable(
        self, opened: Opened, emulator: TelegramEmulator
    ) -> None:
        emulator.chats["77"] = Fault(403, "Forbidden: bot was blocked by the user")
        outcomes = [await opened.channel.send(chat, HELLO) for chat in ("77", "78", "77")]
        assert [type(o) for o in outcomes] == [ContactStopped, Sent, ContactStopped]

    async def test_the_rate_of_the_bot_is_held_against_it(self, opened: Opened, emulator: TelegramEmulator) -> None:
        emulator.per_second = 2
        outcomes = await asyncio.gather(*(opened.channel.send(str(n), HELLO, typing=False) for n in range(1, 5)))
        assert sorted(type(o).__name__ for o in outcomes) == ["RetryAfter", "RetryAfter", "Sent", "Sent"]
        assert len(emulator.sent) == 2


class TestRendering:
    @given(st.text(max_size=9000), st.text(max_size=6000))
    def test_whatever_is_said_fits_and_is_well_formed(self, text: str, title: str) -> None:
        from tests.emulators.telegram import _refusal

        for part in texts(Reply(text, source=SourceLine(title, "", date(2026, 7, 20)))):
            assert _refusal({"text": part, "parse_mode": "HTML"}, "text", LIMIT) is None
