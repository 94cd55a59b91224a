"""One table: a reply, what goes wrong, which requests leave (method, address, headers, body), which outcome comes back."""

from __future__ import annotations

import logging
import unicodedata
from datetime import date, timedelta
from typing import Any

import httpx
import pytest

from bot.channels.zalo_oa.api import _wait
from bot.conversation.model import Attachment, Button, Reply, SourceLine
from bot.messages import ContactStopped, Misconfigured, Outcome, OutsideWindow, Rejected, RetryAfter, Sent, Transient
from tests.emulators.zalo_oa import APP_SECRET, BROADCAST, CS, OA_SECRET, OAUTH, UPLOAD_FILE, UPLOAD_IMAGE, Fault

from .conftest import GONE, LARGE, LEAFLET, PICTURE, SHEET, Setting

pytestmark = pytest.mark.anyio

Faults = dict[str, list[Fault]]
Requests = list[tuple[str, dict[str, Any]]]
"""Path and body of each request in order; each is a POST with the account's token."""
PAGE = "<html><body>Truy cập bị chặn</body></html>"
SOURCE = SourceLine("Cổng Dịch vụ công quốc gia", "https://dichvucong.gov.vn", date(2026, 7, 20))
SOURCED = "Theo Cổng Dịch vụ công quốc gia, xem ngày 20/7/2026."
PAPERS, FEE = Button("Cần giấy tờ gì", "t:khai-sinh:giay-to"), Button("Lệ phí", "t:khai-sinh:le-phi")
PORTAL = Button("Mở Cổng", url="https://dichvucong.gov.vn/p?a=1")
MENU = "Nhắn số để chọn:\n1. Cần giấy tờ gì\n2. Lệ phí"
HELLO = Reply("Xin chào")


def to(message: dict[str, Any], user: str = "77") -> tuple[str, dict[str, Any]]:
    return CS, {"recipient": {"user_id": user}, "message": message}


def text(words: str) -> tuple[str, dict[str, Any]]:
    return to({"text": words})


def says(code: int, message: str = "") -> Faults:
    return {CS: [Fault(code, message)]}


def page(status: int) -> Faults:
    return {CS: [Fault(status=status, page=PAGE)]}


def link(attachment: Attachment) -> tuple[str, dict[str, Any]]:
    return text(f"{attachment.title}: https://cds.example.vn{attachment.url}")


def document(token: str = "upload-2") -> tuple[str, dict[str, Any]]:
    return to({"attachment": {"type": "file", "payload": {"token": token}}})


UPLOADED = (UPLOAD_FILE, {"file": "8 bytes"})
PICTURED = to(
    {
        "text": "Áp phích",
        "attachment": {
            "type": "template",
            "payload": {
                "template_type": "media",
                "elements": [{"media_type": "image", "attachment_id": "upload-2"}],
            },
        },
    }
)
SAID = [text("Xin chào")]
TWICE = [text("Xin chào"), (OAUTH, {"grant_type": "refresh_token", "refresh_token": "refresh-1"}), text("Xin chào")]

Row = tuple[str, Reply, Faults, Outcome | type, Requests]
SEND: list[Row] = [
    # what leaves
    ("one line", HELLO, {}, Sent, SAID),
    ("two lines", Reply("Lệ phí\n7.000 đồng"), {}, Sent, [text("Lệ phí\n7.000 đồng")]),
    ("source", Reply("7.000 đồng", source=SOURCE), {}, Sent, [text(f"7.000 đồng\n{SOURCED}")]),
    ("menu", Reply("Miễn phí", (PAPERS, FEE)), {}, Sent, [text(f"Miễn phí\n\n{MENU}")]),
    ("source and menu", Reply("a", (PAPERS, FEE), source=SOURCE), {}, Sent, [text(f"a\n{SOURCED}\n\n{MENU}")]),
    (
        "link below the menu",
        Reply("a", (PORTAL, PAPERS)),
        {},
        Sent,
        [text("a\n\nNhắn số để chọn:\n1. Cần giấy tờ gì\nMở Cổng: https://dichvucong.gov.vn/p?a=1")],
    ),
    ("link to nowhere", Reply("a", (Button("A", url="/materials/a"),)), {}, Sent, [text("a")]),
    ("listed already", Reply("1. Lệ phí\nNhắn số.", (FEE,)), {}, Sent, [text("1. Lệ phí\nNhắn số.")]),
    ("mark-up is text", Reply("a < b & <b>c</b>"), {}, Sent, [text("a < b & <b>c</b>")]),
    ("marks inside letters", Reply(unicodedata.normalize("NFD", "Lệ phí")), {}, Sent, [text("Lệ phí")]),
    ("spaces around", Reply("\n  Xin chào \n"), {}, Sent, SAID),
    ("half a character", Reply("Xin\ud83d chào"), {}, Sent, [text("Xin\ufffd chào")]),
    ("NUL", Reply("Xin\0 chào"), {}, Sent, SAID),
    ("empty", Reply(""), {}, Rejected("nothing to send"), []),
    ("only space", Reply(" \n\t"), {}, Rejected("nothing to send"), []),
    ("exactly the limit", Reply("a" * 2000), {}, Sent, [text("a" * 2000)]),
    ("one above the limit", Reply("a" * 2001), {}, Sent, [text("a" * 2000), text("a")]),
    ("decomposed at the limit", Reply(unicodedata.normalize("NFD", "ế" * 2000)), {}, Sent, [text("ế" * 2000)]),
    ("emoji count twice", Reply("😀" * 1001), {}, Sent, [text("😀" * 1000), text("😀")]),
    (
        "cut at a sentence",
        Reply(f"{'a' * 1400}. {'b' * 900}."),
        {},
        Sent,
        [text(f"{'a' * 1400}."), text(f"{'b' * 900}.")],
    ),
    (
        "menu in the last part",
        Reply("a" * 2001, (FEE,)),
        {},
        Sent,
        [text("a" * 2000), text(f"a\n\n{MENU[:17]}1. Lệ phí")],
    ),
    ("document", Reply("x", attachments=(LEAFLET,)), {}, Sent, [text("x"), UPLOADED, document("upload-3")]),
    ("document alone", Reply("", attachments=(LEAFLET,)), {}, Sent, [UPLOADED, document()]),
    ("picture", Reply("", attachments=(PICTURE,)), {}, Sent, [(UPLOAD_IMAGE, {"file": "4 bytes"}), PICTURED]),
    ("document too large", Reply("", attachments=(LARGE,)), {}, Sent, [link(LARGE)]),
    ("kind that Zalo does not take", Reply("", attachments=(SHEET,)), {}, Sent, [link(SHEET)]),
    ("document that is not there", Reply("", attachments=(GONE,)), {}, Sent, [link(GONE)]),
    (
        "document refused",
        Reply("", attachments=(LEAFLET,)),
        {UPLOAD_FILE: [Fault(-201, "file is invalid!")]},
        Sent,
        [UPLOADED, link(LEAFLET)],
    ),
    (
        "upload expired at Zalo",
        Reply("", attachments=(LEAFLET,)),
        says(-100, "attachment has expired"),
        Sent,
        [UPLOADED, document(), UPLOADED, document("upload-3")],
    ),
    (
        "upload expired twice",
        Reply("", attachments=(LEAFLET,)),
        {CS: [Fault(-100, "expired"), Fault(-100, "expired")]},
        Sent,
        [UPLOADED, document(), UPLOADED, document("upload-3"), link(LEAFLET)],
    ),
    (
        "upload out of reach",
        Reply("", attachments=(LEAFLET,)),
        {UPLOAD_FILE: [Fault(status=503)]},
        Transient("HTTP 503"),
        [UPLOADED],
    ),
    (
        "upload cut off: nothing reached the citizen",
        Reply("", attachments=(LEAFLET,)),
        {UPLOAD_FILE: [Fault(drop=True)]},
        Transient("RemoteProtocolError", maybe_sent=False),
        [UPLOADED],
    ),
    (
        "too many uploads",
        Reply("", attachments=(LEAFLET,)),
        {UPLOAD_FILE: [Fault(-32, "limit")]},
        RetryAfter(30.0),
        [UPLOADED],
    ),
    # the token
    ("token invalid", HELLO, says(-216, "Access token is invalid"), Sent, TWICE),
    ("token expired", HELLO, says(-220, "Access token has expired"), Sent, TWICE),
    ("token invalid, said by the other host", HELLO, says(-124, "invalid"), Sent, TWICE),
    (
        "token invalid twice",
        HELLO,
        {CS: [Fault(-216, "invalid"), Fault(-216, "invalid")]},
        Misconfigured("-216 invalid"),
        TWICE,
    ),
    (
        "token cannot be renewed now",
        HELLO,
        says(-216, "invalid") | {OAUTH: [Fault(status=502)]},
        Transient("HTTP 502"),
        TWICE[:2],
    ),
    # the citizen
    ("does not follow", HELLO, says(-213, "User has not followed"), ContactStopped("-213 User has not followed"), SAID),
    ("refused to follow", HELLO, says(-217), ContactStopped, SAID),
    ("away for 45 days (older code)", HELLO, says(-222), ContactStopped, SAID),
    ("away for 45 days", HELLO, says(-227), ContactStopped, SAID),
    ("restricted the OA", HELLO, says(-244), ContactStopped, SAID),
    ("nobody has this id", HELLO, says(-201, "user_id is invalid!"), ContactStopped("-201 user_id is invalid!"), SAID),
    # the window
    ("seven days", HELLO, says(-230), OutsideWindow, SAID),
    ("seven days, other code", HELLO, says(-232), OutsideWindow, SAID),
    ("48 hours (older rule)", HELLO, says(-305), OutsideWindow, SAID),
    ("answers used up (older rule)", HELLO, says(-311), OutsideWindow, SAID),
    ("out of quota", HELLO, says(-211, "Out of quota"), OutsideWindow("-211 Out of quota"), SAID),
    ("citizen's quota", HELLO, says(-218), OutsideWindow, SAID),
    ("night", HELLO, says(-234), OutsideWindow, SAID),
    ("night of templates", HELLO, says(-133), OutsideWindow, SAID),
    ("no account to pay from", HELLO, says(-320), OutsideWindow, SAID),
    ("nothing to pay with", HELLO, says(-321), OutsideWindow, SAID),
    # the account
    *(
        (f"account: {code}", HELLO, says(code, "x"), Misconfigured(f"{code} x"), SAID)
        for code in (-202, -204, -205, -207, -208, -209, -212, -215, -219, -221, -223, -224, -235, -240, -242)
    ),
    # the message
    *(
        (f"message: {code}", HELLO, says(code, "text is invalid!"), Rejected(f"{code} text is invalid!"), SAID)
        for code in (-201, -210, -233, -248, -249)
    ),
    # the moment
    ("limit", HELLO, says(-32, "Rate limit exceeded"), RetryAfter(30.0), SAID),
    ("limit, other code", HELLO, says(-144), RetryAfter(30.0), SAID),
    ("429", HELLO, {CS: [Fault(status=429, headers={"Retry-After": "7"})]}, RetryAfter(7.0), SAID),
    ("429 without a time", HELLO, {CS: [Fault(status=429)]}, RetryAfter(30.0), SAID),
    ("429 with nonsense", HELLO, {CS: [Fault(status=429, headers={"Retry-After": "soon"})]}, RetryAfter(30.0), SAID),
    ("429 for two hours", HELLO, {CS: [Fault(status=429, headers={"Retry-After": "7200"})]}, RetryAfter(7200.0), SAID),
    ("429 for a week", HELLO, {CS: [Fault(status=429, headers={"Retry-After": "604800"})]}, RetryAfter(86400.0), SAID),
    ("429 and a half", HELLO, {CS: [Fault(status=429, headers={"Retry-After": "1.5"})]}, RetryAfter(1.5), SAID),
    ("429 before", HELLO, {CS: [Fault(status=429, headers={"Retry-After": "-1"})]}, RetryAfter(30.0), SAID),
    ("something failed", HELLO, says(-200, "failed"), Transient("-200 failed"), SAID),
    ("article processing", HELLO, says(-214), Transient("-214"), SAID),
    ("code that nobody knows", HELLO, says(-9999, "?"), Transient("-9999 ?"), SAID),
    ("500", HELLO, {CS: [Fault(status=500)]}, Transient("HTTP 500"), SAID),
    ("502", HELLO, page(502), Transient("HTTP 502"), SAID),
    ("503", HELLO, {CS: [Fault(status=503)]}, Transient("HTTP 503"), SAID),
    ("504", HELLO, page(504), Transient("HTTP 504", maybe_sent=True), SAID),
    ("dropped", HELLO, {CS: [Fault(drop=True)]}, Transient("RemoteProtocolError", maybe_sent=True), SAID),
    # a page from the way says nothing about the citizen, the message or the token
    *(
        (
            f"page with {status}",
            HELLO,
            page(status),
            Transient("the answer is not Zalo's", maybe_sent=status == 200),
            SAID,
        )
        for status in (200, 302, 400, 401, 403, 404)
    ),
    ("null with 200", HELLO, {CS: [Fault(page="null")]}, Transient("the answer is not Zalo's", True), SAID),
    ("no error code", HELLO, {CS: [Fault(page='{"data":{}}')]}, Transient("the answer is not Zalo's", True), SAID),
    ("error as a text", HELLO, {CS: [Fault(page='{"error":"-213"}')]}, ContactStopped("-213"), SAID),
    ("taken without an id", HELLO, {CS: [Fault(page='{"error":0}')]}, Sent(""), SAID),
]


@pytest.mark.parametrize(("reply", "faults", "expected", "requests"), [r[1:] for r in SEND], ids=[r[0] for r in SEND])
async def test_send(
    setting: Setting,
    reply: Reply,
    faults: Faults,
    expected: Outcome | type,
    requests: Requests,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    setting.zalo.faults |= {path: list(some) for path, some in faults.items()}
    outcome = await setting.channel().send("77", reply)
    if isinstance(expected, type):
        assert type(outcome) is expected
    else:
        assert outcome == expected
    found = setting.zalo.calls
    assert [call.path for call in found] == [path for path, _ in requests]
    for call, (path, body) in zip(found, requests, strict=True):
        assert call.method == "POST"
        assert {name: call.body.get(name) for name in body} == body
        if path == OAUTH:
            assert call.headers["secret_key"] == APP_SECRET
            assert "access_token" not in call.headers
        else:
            assert call.headers["access_token"].startswith("access-")
            assert "authorization" not in call.headers
    told = repr(outcome) + caplog.text
    assert not [secret for secret in ("access-", "refresh-", APP_SECRET, OA_SECRET, "Xin chào") if secret in told]


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "Sun, 22 Nov 2026 02:00:45 GMT", "Date": "Sun, 22 Nov 2026 02:00:00 GMT"}, 45.0),
        ({"Retry-After": "Sun, 22 Nov 2026 01:00:00 GMT", "Date": "Sun, 22 Nov 2026 02:00:00 GMT"}, 30.0),
        ({"Retry-After": "Sun, 22 Nov 2026 02:00:45 GMT"}, 30.0),
        ({"Retry-After": "nan"}, 30.0),
        ({"Retry-After": "inf"}, 86_400.0),
    ],
)
def test_a_wait_until_a_moment_is_read_by_the_clock_of_who_says_so(headers: dict[str, str], seconds: float) -> None:
    assert _wait(httpx.Headers(headers)) == seconds


async def test_what_has_no_public_address_is_told_in_words_and_the_rest_goes_on(setting: Setting) -> None:
    channel = setting.channel(public_url="")
    assert isinstance(await channel.send("77", Reply("x", attachments=(LARGE, SHEET, PICTURE))), Sent)
    said = [call.body["message"] for call in setting.zalo.calls if call.path == CS]
    assert len(said) == 4
    for message, attachment in zip(said[1:3], (LARGE, SHEET), strict=True):
        assert message["text"].startswith(f"{attachment.title}: ")
        assert "cứ hỏi" in message["text"]
    assert said[3]["text"] == PICTURE.title


async def test_a_reply_costs_what_leaves(setting: Setting) -> None:
    channel = setting.channel()
    assert channel.cost("77", HELLO) == 1
    assert channel.cost("77", Reply("dài " * 1000, attachments=(LEAFLET,))) == 3


def test_the_table_is_long_enough() -> None:
    assert len(SEND) >= 60
    assert len({row[0] for row in SEND}) == len(SEND)


# by the citizen's window: (hours since the last interaction, paid messages allowed, messages paid for, outcome, requests)
WINDOWS: list[tuple[float | None, bool, int, type, int]] = [
    (0, False, 0, Sent, 1),
    (47, False, 0, Sent, 1),
    (48, False, 0, OutsideWindow, 0),
    (72, False, 5, OutsideWindow, 0),
    (72, True, 5, Sent, 1),
    (72, True, 0, OutsideWindow, 1),
    (167, True, 5, Sent, 1),
    (168, True, 5, OutsideWindow, 0),
    (9000, True, 5, OutsideWindow, 0),
    (None, True, 5, OutsideWindow, 0),
]


@pytest.mark.parametrize(("hours", "allowed", "paid", "expected", "requests"), WINDOWS)
async def test_nothing_leaves_outside_the_window(
    setting: Setting, hours: float | None, allowed: bool, paid: int, expected: type, requests: int
) -> None:
    ago = None if hours is None else timedelta(hours=hours)
    setting.zalo.citizen("77", ago=ago or timedelta(0))
    setting.zalo.paid = paid
    setting.interactions.ago["77"] = ago
    assert type(await setting.channel(paid_messages=allowed).send("77", HELLO)) is expected
    assert setting.zalo.asked(CS) == requests


async def test_people_without_an_account_are_answered_where_they_write(setting: Setting) -> None:
    chat = "anonymous:5521:c-9"
    setting.interactions.ago[chat] = timedelta(0)
    channel = setting.channel(native_buttons=True)
    assert isinstance(await channel.send(chat, Reply("a", (FEE,), attachments=(LEAFLET,))), Sent)
    recipient = {"anonymous_id": "5521", "conversation_id": "c-9"}
    said = [call for call in setting.zalo.calls if call.path in (CS, BROADCAST)]
    assert [(call.path, call.body["recipient"]) for call in said] == [(BROADCAST, recipient), (CS, recipient)]
    assert said[0].body["message"] == {"text": f"a\n\n{MENU[:17]}1. Lệ phí"}
