"""Telegram's side of a conversation: what leaves, what each refusal means, what an update says."""

from __future__ import annotations

import asyncio
import html
import json
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import date
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot import messages
from bot.channels.telegram import TelegramChannel
from bot.channels.telegram.render import LIMIT, length, texts
from bot.conversation.actions import COMMANDS
from bot.conversation.messages import catalogue
from bot.conversation.model import Attachment, Button, Reply, SourceLine
from tests.builders import MORNING
from tests.emulators.server import serve
from tests.emulators.telegram import BOT, TOKEN, Fault, TelegramEmulator

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[TelegramEmulator, str]]:
    emulator = TelegramEmulator()
    with serve(emulator.app()) as url:
        yield emulator, url


@pytest.fixture
async def emulator(server: tuple[TelegramEmulator, str]) -> TelegramEmulator:
    found = server[0]
    found.sent.clear()
    found.calls.clear()
    found.faults.clear()
    return found


@pytest.fixture
async def channel(server: tuple[TelegramEmulator, str]) -> AsyncIterator[TelegramChannel]:
    opened = TelegramChannel("default", TOKEN, api_url=server[1], webhook_secret="s3cret")
    yield opened
    await opened.stop()


ANSWER = Reply(
    "Nộp trực tuyến: 7.000 đồng.\n• Mất 3 ngày < 5 & > 2.",
    (Button("Cần giấy tờ gì", "t:tam-tru:giay-to"), Button("Mở Cổng", url="https://dichvucong.gov.vn")),
    source=SourceLine("Cổng Dịch vụ công quốc gia, mã 1.004194", "https://dichvucong.gov.vn", date(2026, 7, 20)),
)


async def test_an_answer_leaves_as_html_with_its_buttons_and_source(
    channel: TelegramChannel, emulator: TelegramEmulator
) -> None:
    outcome = await channel.send("77", ANSWER)
    assert isinstance(outcome, messages.Sent)
    assert [method for method, _ in emulator.calls] == ["sendMessage"]
    body = emulator.sent[0].body
    assert body["chat_id"] == "77"
    assert body["parse_mode"] == "HTML"
    assert body["text"] == (
        "<b>Nộp trực tuyến: 7.000 đồng.</b>\n• Mất 3 ngày &lt; 5 &amp; &gt; 2.\n"
        "<i>Theo Cổng Dịch vụ công quốc gia, mã 1.004194, xem ngày 20/7/2026.</i>"
    )
    assert json.loads(body["reply_markup"])["inline_keyboard"] == [
        [{"text": "Cần giấy tờ gì", "callback_data": "t:tam-tru:giay-to"}],
        [{"text": "Mở Cổng", "url": "https://dichvucong.gov.vn"}],
    ]
    assert json.loads(body["link_preview_options"]) == {"is_disabled": True}


async def test_the_sign_of_typing_is_shown_where_a_citizen_has_to_wait(
    channel: TelegramChannel, emulator: TelegramEmulator
) -> None:
    await channel.send("77", Reply("dài " * 2000))
    assert [method for method, _ in emulator.calls] == ["sendChatAction", "sendMessage", "sendMessage"]


async def test_an_answer_can_be_shared_by_a_link_that_opens_it(
    channel: TelegramChannel, emulator: TelegramEmulator
) -> None:
    await channel.send("77", replace(ANSWER, about="tam-tru:le-phi"))
    assert "share" not in emulator.sent[0].body["reply_markup"]  # the bot's name is not known yet
    await channel.identify()
    await channel.send("78", replace(ANSWER, about="tam-tru:le-phi"))
    *_, [button] = json.loads(emulator.sent[1].body["reply_markup"])["inline_keyboard"]
    assert button["text"] == "Gửi cho người thân"
    opened = parse_qs(urlsplit(button["url"]).query)
    assert opened["url"] == ["https://t.me/cds_test_bot?start=t_tam-tru_le-phi"]
    assert opened["text"] == ["Nộp trực tuyến: 7.000 đồng."]


async def test_a_picture_is_sent_as_one_and_the_second_time_by_its_id(
    emulator: TelegramEmulator, server: tuple[TelegramEmulator, str]
) -> None:
    async def read(_: str) -> bytes:
        return b"png"

    channel = TelegramChannel("default", TOKEN, api_url=server[1], read_file=read)
    reply = Reply("Tờ rơi", attachments=(Attachment("Tờ rơi VNeID", "/materials/a.png", "image/png"),))
    for chat in ("1", "2"):
        assert isinstance(await channel.send(chat, reply), messages.Sent)
    await channel.stop()
    photos = [s.body for s in emulator.sent if s.method == "sendPhoto"]
    assert [p["caption"] for p in photos] == ["Tờ rơi VNeID"] * 2
    assert photos[1]["photo"] in emulator.files
    assert len(emulator.files) == 1


class TestInPlace:
    async def test_a_step_takes_the_place_of_the_one_before(
        self, channel: TelegramChannel, emulator: TelegramEmulator
    ) -> None:
        assert await channel.correct("77", "5", ANSWER) == messages.Sent("5")
        [edited] = emulator.sent
        assert (edited.method, edited.body["message_id"]) == ("editMessageText", "5")
        assert "7.000 đồng" in edited.body["text"]
        assert "reply_markup" in edited.body

    @pytest.mark.parametrize(
        ("fault", "outcome"),
        [
            (Fault(400, "Bad Request: message is not modified"), messages.Sent("5")),
            (Fault(400, "Bad Request: message to edit not found"), messages.Rejected),
            (Fault(400, "Bad Request: message can't be edited"), messages.Rejected),
            (Fault(403, "Forbidden: bot was blocked by the user"), messages.ContactStopped),
            (Fault(429, "Too Many Requests: retry after 3", {"retry_after": 3}), messages.RetryAfter(3)),
        ],
    )
    async def test_what_telegram_says(
        self, channel: TelegramChannel, emulator: TelegramEmulator, fault: Fault, outcome: Any
    ) -> None:
        emulator.faults["editMessageText"] = [fault]
        found = await channel.correct("77", "5", ANSWER)
        assert isinstance(found, outcome) if isinstance(outcome, type) else found == outcome

    @pytest.mark.parametrize(
        ("fault", "outcome"),
        [
            (None, messages.Sent("6")),
            (Fault(400, "Bad Request: message can't be deleted"), messages.Rejected),
            (Fault(429, "Too Many Requests: retry after 3", {"retry_after": 3}), messages.RetryAfter(3)),
        ],
    )
    async def test_what_went_with_a_message_can_be_taken_away(
        self, channel: TelegramChannel, emulator: TelegramEmulator, fault: Fault | None, outcome: Any
    ) -> None:
        emulator.faults["deleteMessages"] = [fault] if fault is not None else []
        found = await channel.withdraw("77:3", ["6", "7"])
        assert isinstance(found, outcome) if isinstance(outcome, type) else found == outcome
        if fault is None:
            [deleted] = emulator.sent
            assert (deleted.method, deleted.chat, deleted.body["message_ids"]) == ("deleteMessages", "77", "[6, 7]")
        assert isinstance(await channel.withdraw("77", ["x"]), messages.Rejected)

    async def test_what_is_no_single_bubble_is_sent_instead(self, channel: TelegramChannel) -> None:
        assert isinstance(await channel.correct("77", "5", Reply("dài " * 2000)), messages.Rejected)


FAULTS: list[tuple[str, Fault, Any]] = [
    ("blocked", Fault(403, "Forbidden: bot was blocked by the user"), messages.ContactStopped),
    ("deactivated", Fault(403, "Forbidden: user is deactivated"), messages.ContactStopped),
    ("kicked", Fault(403, "Forbidden: bot was kicked from the group chat"), messages.ContactStopped),
    ("no initiative", Fault(403, "Forbidden: bot can't initiate conversation with a user"), messages.ContactStopped),
    ("unknown chat", Fault(400, "Bad Request: chat not found"), messages.ContactStopped),
    ("too long", Fault(400, "Bad Request: message is too long"), messages.Rejected),
    ("empty", Fault(400, "Bad Request: message text is empty"), messages.Rejected),
    ("button data", Fault(400, "Bad Request: BUTTON_DATA_INVALID"), messages.Rejected),
    ("no rights", Fault(400, "Bad Request: not enough rights to send text messages"), messages.Rejected),
    ("topic closed", Fault(400, "Bad Request: TOPIC_CLOSED"), messages.Rejected),
    ("wait", Fault(429, "Too Many Requests: retry after 7", {"retry_after": 7}), messages.RetryAfter(7.0)),
    (
        "wait long",
        Fault(429, "Too Many Requests: retry after 3600", {"retry_after": 3600}),
        messages.RetryAfter(3600.0),
    ),
    (
        "moved",
        Fault(400, "Bad Request: group chat was upgraded", {"migrate_to_chat_id": -100500}),
        messages.Moved("-100500"),
    ),
    ("unauthorized", Fault(401, "Unauthorized"), messages.Misconfigured),
    ("no such bot", Fault(404, "Not Found"), messages.Misconfigured),
    ("conflict", Fault(409, "Conflict: terminated by other getUpdates request"), messages.Misconfigured),
    ("500", Fault(500, "Internal Server Error"), messages.Transient),
    ("502", Fault(502, "Bad Gateway"), messages.Transient),
    ("503", Fault(503, "Service Unavailable"), messages.Transient),
    ("504", Fault(504, "Gateway Timeout"), messages.Transient),
    ("dropped after accepting", Fault(drop=True), messages.Transient),
]


@pytest.mark.parametrize(("fault", "expected"), [f[1:] for f in FAULTS], ids=[f[0] for f in FAULTS])
async def test_each_refusal_means_one_thing(
    channel: TelegramChannel, emulator: TelegramEmulator, fault: Fault, expected: Any
) -> None:
    emulator.faults["sendMessage"] = [fault]
    outcome = await channel.send("77", ANSWER)
    if isinstance(expected, type):
        assert isinstance(outcome, expected)
    else:
        assert outcome == expected
    assert TOKEN not in repr(outcome)


async def test_no_answer_in_time_may_have_been_sent(
    emulator: TelegramEmulator, server: tuple[TelegramEmulator, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.channels.telegram.channel.TIMEOUT", 0.2)
    channel = TelegramChannel("default", TOKEN, api_url=server[1])
    emulator.faults["sendMessage"] = [Fault(delay=0.6)]
    assert await channel.send("77", ANSWER) == messages.Transient("TimedOut", maybe_sent=True)
    await channel.stop()
    async with asyncio.timeout(5):  # it did arrive, only later; not in the middle of the next test
        while not emulator.sent:
            await asyncio.sleep(0.02)


async def test_a_server_that_is_not_there_is_a_passing_fault() -> None:
    channel = TelegramChannel("default", TOKEN, api_url="http://127.0.0.1:9")
    assert isinstance(await channel.send("77", ANSWER), messages.Transient)
    await channel.stop()


async def test_text_that_telegram_cannot_parse_goes_as_plain_text(
    channel: TelegramChannel, emulator: TelegramEmulator
) -> None:
    emulator.faults["sendMessage"] = [Fault(400, "Bad Request: can't parse entities: unsupported start tag")]
    assert isinstance(await channel.send("77", ANSWER), messages.Sent)
    body = emulator.sent[0].body
    assert "parse_mode" not in body
    assert body["text"].startswith("Nộp trực tuyến: 7.000 đồng.\n• Mất 3 ngày < 5 & > 2.\nTheo")


async def test_a_failed_typing_sign_does_not_stop_the_answer(
    channel: TelegramChannel, emulator: TelegramEmulator
) -> None:
    emulator.faults["sendChatAction"] = [Fault(500, "Internal Server Error")]
    assert isinstance(await channel.send("77", ANSWER), messages.Sent)


async def test_a_long_answer_has_its_buttons_under_the_last_part(
    channel: TelegramChannel, emulator: TelegramEmulator
) -> None:
    await channel.send("77", Reply("Một câu khá dài về giấy tờ. " * 400, ANSWER.buttons, source=ANSWER.source))
    assert len(emulator.sent) > 2
    assert ["reply_markup" in s.body for s in emulator.sent] == [False] * (len(emulator.sent) - 1) + [True]
    assert emulator.sent[-1].body["text"].endswith("20/7/2026.</i>")


async def test_a_document_is_uploaded_once_and_then_sent_by_its_id(
    emulator: TelegramEmulator, server: tuple[TelegramEmulator, str]
) -> None:
    read: list[str] = []

    async def read_file(url: str) -> bytes:
        read.append(url)
        return b"%PDF-1.7"

    channel = TelegramChannel("default", TOKEN, api_url=server[1], read_file=read_file)
    reply = Reply("Tờ rơi", attachments=(Attachment("Hai mươi lăm dịch vụ", "/materials/a.pdf", "application/pdf"),))
    assert isinstance(await channel.send("77", reply), messages.Sent)
    assert isinstance(await channel.send("78", reply), messages.Sent)
    documents = [s.body["document"] for s in emulator.sent if s.method == "sendDocument"]
    assert documents[0] == "upload:a.pdf"
    assert documents[1].startswith("file-")
    assert read == ["/materials/a.pdf"]
    await channel.stop()


async def test_the_menu_lists_commands_the_bot_knows(channel: TelegramChannel, emulator: TelegramEmulator) -> None:
    await channel.identify()
    await channel.set_commands()
    menus = [body for method, body in emulator.calls if method == "setMyCommands"]
    assert [(m.get("language_code"), "scope" in m) for m in menus] == [
        (None, False),
        ("vi", False),
        (None, True),
        ("vi", True),
    ]
    assert json.loads(menus[2]["scope"]) == {"type": "all_group_chats"}
    assert {c["command"] for c in json.loads(menus[2]["commands"])} == set(catalogue()["telegram_group_commands"])
    assert "setChatMenuButton" in [method for method, _ in emulator.calls]
    listed = {c["command"] for c in json.loads(menus[0]["commands"])}
    assert listed == set(catalogue()["telegram_commands"])
    assert listed <= set(COMMANDS)


def strip_tags(part: str) -> str:
    return html.unescape(re.sub(r"</?[bi]>", "", part))


FORUM = {"id": -1005, "type": "supergroup", "title": "Xã", "is_forum": True}


class TestForum:
    """The topics of a forum are conversations of their own, and one group to Telegram's limits."""

    @pytest.mark.parametrize(
        ("thread", "chat"),
        [
            ({"message_thread_id": 12, "is_topic_message": True}, "-1005:12"),
            ({"message_thread_id": 12}, "-1005"),
            ({}, "-1005"),
        ],
        ids=["topic", "thread of replies", "general"],
    )
    async def test_a_question_is_kept_with_its_topic(
        self, channel: TelegramChannel, thread: dict[str, Any], chat: str
    ) -> None:
        await channel.identify()
        asked = channel.parse(group(chat=FORUM, text="/trogiup", **thread), MORNING)
        assert asked is not None
        assert asked.address.chat == chat
        message = group(chat=FORUM, text="x", **thread)["message"]
        query = {"id": "q", "chat_instance": "1", "data": "c:ok", "from": message["from"], "message": message}
        pressed = channel.parse({"update_id": 9, "callback_query": query}, MORNING)
        assert pressed is not None
        assert pressed.address.chat == chat

    async def test_an_answer_stays_in_it(
        self, emulator: TelegramEmulator, server: tuple[TelegramEmulator, str]
    ) -> None:
        async def read(_: str) -> bytes:
            return b"pdf"

        channel = TelegramChannel("default", TOKEN, api_url=server[1], read_file=read)
        reply = Reply("Tờ rơi", attachments=(Attachment("Tờ rơi", "/materials/a.pdf", "application/pdf"),))
        sent = await channel.send("-1005:12", reply)
        assert isinstance(sent, messages.Sent)
        assert [int(number) - int(sent.external_id) for number in sent.more] == [1], "to be taken back with it"
        await channel.correct("-1005:12", "5", ANSWER)
        await channel.stop()
        bodies = [body for _, body in emulator.calls]
        assert {body["chat_id"] for body in bodies} == {"-1005"}
        assert [b.get("message_thread_id") for b in bodies] == ["12", "12", "12", None], "an edit needs no topic"

    async def test_the_group_has_one_pace(self, channel: TelegramChannel) -> None:
        assert channel.pace("-1005:12") == channel.pace("-1005")
        assert channel.pace("77") != channel.pace("-1005")


async def test_a_reply_costs_what_leaves(channel: TelegramChannel) -> None:
    assert channel.cost("77", ANSWER) == 1
    long = Reply("dài " * 2000)
    assert channel.cost("77", long) == 2
    channel._half_way.advance(channel._half_way.progress("77", long), 1)
    assert channel.cost("77", long) == 1, "the first part is there already"


class TestRendering:
    @given(st.text(min_size=1, max_size=9000))
    def test_any_answer_is_within_the_limit_and_well_formed(self, text: str) -> None:
        for part in texts(Reply(text, source=ANSWER.source)):
            assert length(strip_tags(part)) <= LIMIT
            assert part.count("<b>") == part.count("</b>")
            assert part.count("<i>") == part.count("</i>")


def private(**message: Any) -> dict[str, Any]:
    base = {"message_id": 5, "date": 1_790_000_000, "chat": {"id": 77, "type": "private"}}
    return {"update_id": 9, "message": base | {"from": {"id": 77, "is_bot": False, "first_name": "Lan"}} | message}


def group(**message: Any) -> dict[str, Any]:
    return private(**({"chat": {"id": -5, "type": "group", "title": "Thôn"}} | message))


PHOTO = [{"file_id": "a", "file_unique_id": "b", "width": 1, "height": 1}]
FILE = {"file_id": "a", "file_unique_id": "b"}
UPDATES: list[tuple[str, dict[str, Any], tuple[str, str] | None]] = [
    ("text", private(text="làm hộ chiếu"), ("text", "làm hộ chiếu")),
    ("start", private(text="/start"), ("opened", "")),
    ("start with campaign", private(text="/start c_thue-dat_qr01"), ("opened", "c_thue-dat_qr01")),
    ("start named", private(text=f"/start@{BOT['username']}"), ("opened", "")),
    ("other command", private(text="/privacy"), ("text", "/privacy")),
    ("photo", private(photo=PHOTO), ("unsupported", "photo")),
    ("photo with caption", private(photo=PHOTO, caption="cccd 019203004567"), ("unsupported", "photo")),
    (
        "photo with a question",
        private(photo=PHOTO, caption="sai tên phải làm gì"),
        ("captioned", "sai tên phải làm gì"),
    ),
    ("document with a question", private(document=FILE, caption="/start nộp ở đâu"), ("captioned", "/start nộp ở đâu")),
    ("photo with a smile", private(photo=PHOTO, caption=":)"), ("unsupported", "photo")),
    ("voice", private(voice=FILE | {"duration": 3}), ("unsupported", "voice")),
    ("document", private(document=FILE), ("unsupported", "document")),
    ("location", private(location={"latitude": 21.5, "longitude": 105.8}), ("unsupported", "location")),
    ("contact", private(contact={"phone_number": "0912345678", "first_name": "Lan"}), ("unsupported", "contact")),
    ("service message", private(new_chat_title="x"), None),
    ("edited", {"update_id": 9, "edited_message": private(text="x")["message"]}, None),
    ("channel post", {"update_id": 9, "channel_post": private(text="x")["message"]}, None),
    ("group talk", group(text="mai đi họp không"), None),
    ("group mention", group(text=f"@{BOT['username']} làm hộ chiếu"), ("text", "làm hộ chiếu")),
    ("group mention in other case", group(text=f"@{BOT['username'].upper()} hộ chiếu"), ("text", "hộ chiếu")),
    (
        "group reply to us",
        group(text="thế lệ phí", reply_to_message=private(text="x")["message"] | {"from": BOT}),
        ("text", "thế lệ phí"),
    ),
    (
        "group reply to another",
        group(text="ừ", reply_to_message=private(text="x")["message"]),
        None,
    ),
    ("group command", group(text="/trogiup"), ("text", "/trogiup")),
    ("group command for another bot", group(text="/help@other_bot"), None),
    ("group photo", group(photo=PHOTO), None),
    ("group photo with talk", group(photo=PHOTO, caption="đẹp quá"), None),
    (
        "group photo with mention",
        group(photo=PHOTO, caption=f"@{BOT['username']} nộp ở đâu"),
        ("captioned", "nộp ở đâu"),
    ),
    (
        "button",
        {
            "update_id": 9,
            "callback_query": {
                "id": "q",
                "chat_instance": "1",
                "data": "t:tam-tru",
                "from": {"id": 77, "is_bot": False, "first_name": "Lan"},
                "message": private(text="x")["message"],
            },
        },
        ("button", "t:tam-tru"),
    ),
    ("empty", {"update_id": 9}, None),
    ("no update", {"hello": 1}, None),
    ("broken message", {"update_id": 9, "message": {"text": "x"}}, None),
]


@pytest.mark.parametrize(("raw", "expected"), [u[1:] for u in UPDATES], ids=[u[0] for u in UPDATES])
async def test_each_update_is_read_as_what_a_citizen_did(
    channel: TelegramChannel, emulator: TelegramEmulator, raw: dict[str, Any], expected: tuple[str, str] | None
) -> None:
    await channel.identify()
    await channel.set_commands()
    incoming = channel.parse(raw, MORNING)
    if expected is None:
        assert incoming is None
        return
    assert incoming is not None
    assert (incoming.kind, incoming.text) == expected
    assert incoming.update_id == "9"
    assert incoming.address.chat in {"77", "-5"}
    for secret in ("Lan", "0912345678", "019203004567"):
        assert secret not in repr(incoming)


@pytest.mark.parametrize(
    ("code", "chat", "language"),
    [("vi", 77, "vi"), ("pt-br", 77, "pt"), (None, 77, ""), ("<b>", 77, ""), ("ko", -5, "")],
)
async def test_the_language_of_a_citizens_own_screen_is_noted_and_none_of_a_group(
    channel: TelegramChannel, emulator: TelegramEmulator, code: str | None, chat: int, language: str
) -> None:
    await channel.identify()
    sender = {"id": 77, "is_bot": False, "first_name": "Lan"} | ({} if code is None else {"language_code": code})
    more = {} if chat == 77 else {"chat": {"id": chat, "type": "group", "title": "Thôn 1"}}
    incoming = channel.parse(emulator.message(chat, "/trogiup", **{"from": sender}, **more), MORNING)
    assert incoming is not None
    assert incoming.language == language


@pytest.mark.parametrize(
    ("before", "after", "kind"),
    [
        ("member", "kicked", "stopped"),
        ("kicked", "member", "resumed"),
        ("left", "member", "resumed"),
        ("member", "member", None),
    ],
)
async def test_blocking_and_coming_back(
    channel: TelegramChannel, emulator: TelegramEmulator, before: str, after: str, kind: str | None
) -> None:
    incoming = channel.parse(emulator.membership(77, before, after), MORNING)
    assert (incoming.kind if incoming else None) == kind
    emulator._updates.clear()
