"""What each of Zalo's events says that somebody did, and what is kept of it."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.channels.zalo_oa.parse import oa_of, parse
from bot.inbox import accept
from bot.messages import Incoming, Receipt, masked
from bot.storage.database import Database
from tests.builders import MORNING
from tests.emulators.zalo_oa import OA_ID
from tests.emulators.zalo_oa_events import ZaloEvents

STAMP = str(int(MORNING.timestamp() * 1000))
USER, APP, MSG = "246845883529197922", "360846524940903967", "96d3cdf3af150460909"


def event(name: str, **fields: Any) -> dict[str, Any]:
    base = {"app_id": APP, "sender": {"id": USER}, "recipient": {"id": OA_ID}, "user_id_by_app": "552177279717587730"}
    return base | {"event_name": name, "timestamp": STAMP} | fields


def said(text: object, **more: Any) -> dict[str, Any]:
    return event("user_send_text", message={"text": text, "msg_id": MSG, **more})


def sends(what: str, payload: dict[str, Any] | None = None, **message: Any) -> dict[str, Any]:
    attachments = [{"type": what, "payload": payload}] if payload is not None else []
    return event(f"user_send_{what}", message={"msg_id": MSG, "attachments": attachments, **message})


FOLLOW = {
    "oa_id": OA_ID,
    "follower": {"id": USER},
    "user_id_by_app": "552172779717587730",
    "event_name": "follow",
    "source": "oa_profile",
    "app_id": APP,
    "timestamp": STAMP,
}
INFO = {
    "name": "Nguyễn Thị Lan",
    "phone": "84912345678",
    "user_dob": "30/10/1999",
    "gender": "Nữ",
    "full_address": {"user_city": "Tỉnh Thái Nguyên", "user_ward": "Xã Phủ Thông", "user_address": "Thôn Nà Ngăm"},
}
PICTURE = {"thumbnail": "https://t.zalo.vn/a", "url": "https://f.zalo.vn/can-cuoc.jpg"}
ANONYMOUS = {"text": "làm hộ chiếu", "msg_id": MSG, "conversation_id": "c-9"}
Kept = tuple[str, str, str] | None
"""Kind, text, chat."""

ACTS: list[tuple[str, Any, Kept]] = [
    ("text", said("làm hộ chiếu"), ("text", "làm hộ chiếu", USER)),
    ("quotes another", said("thế lệ phí", quote_msg_id="abc"), ("text", "thế lệ phí", USER)),
    ("empty text", said(""), ("text", "", USER)),
    ("no text at all", event("user_send_text", message={"msg_id": MSG}), ("text", "", USER)),
    ("text that is a list", said(["a"]), ("text", "", USER)),
    ("tap on a topic", said("#t:khai-sinh:le-phi"), ("button", "t:khai-sinh:le-phi", USER)),
    ("tap with spaces", said(" #c:ok\n"), ("button", "c:ok", USER)),
    ("tap on blame", said("#r:-1"), ("button", "r:-1", USER)),
    ("tap on skip", said("#p:-"), ("button", "p:-", USER)),
    ("tap on a menu item", said("#a:tro-giup"), ("button", "a:tro-giup", USER)),
    ("tap and words", said("#t:khai-sinh ạ"), ("text", "#t:khai-sinh ạ", USER)),
    ("hashtag", said("#dichvucong"), ("text", "#dichvucong", USER)),
    ("number sign", said("# 1"), ("text", "# 1", USER)),
    ("tap in capitals", said("#T:khai-sinh"), ("text", "#T:khai-sinh", USER)),
    ("tap longer than ours", said("#t:" + "a" * 62), ("text", "#t:" + "a" * 62, USER)),
    ("phone in a tap", said("#t:0912345678"), ("button", "", USER)),
    ("campaign", said("#c_thue-dat_phu-thong"), ("opened", "c_thue-dat_phu-thong", USER)),
    ("campaign, full stop", said("#c_thue-dat."), ("opened", "c_thue-dat", USER)),
    ("campaign and a question", said("#c_thue-dat nộp ở đâu"), ("text", "nộp ở đâu", USER)),
    ("campaign and a smile", said("#c_thue-dat :)"), ("opened", "c_thue-dat", USER)),
    ("campaign inside", said("xem #c_thue-dat"), ("text", "xem #c_thue-dat", USER)),
    ("phone in a campaign", said("#c_0912345678"), ("opened", "", USER)),
    ("campaign too long", said("#c_" + "a" * 63), ("text", "#c_" + "a" * 63, USER)),
    ("picture", sends("image", PICTURE), ("unsupported", "image", USER)),
    ("picture with words", sends("image", PICTURE, text="cccd 019203004567"), ("unsupported", "image", USER)),
    ("picture with a question", sends("image", PICTURE, text="sai tên ạ"), ("captioned", "sai tên ạ", USER)),
    ("gif", sends("gif", PICTURE), ("unsupported", "gif", USER)),
    ("link", sends("link", {"url": "https://a.vn"}, text="https://a.vn"), ("unsupported", "link", USER)),
    ("link alone", sends("link", {"url": "https://a.vn", "description": "A"}), ("unsupported", "link", USER)),
    (
        "link and a question",
        sends("link", {"url": "https://a.vn"}, text="https://a.vn có lừa đảo không"),
        ("text", "https://a.vn có lừa đảo không", USER),
    ),
    (
        "location",
        sends("location", {"coordinates": {"latitude": "21.59", "longitude": "105.84"}}),
        ("unsupported", "location", USER),
    ),
    ("location, elsewhere", sends("location", location={"latitude": "21.59"}), ("unsupported", "location", USER)),
    (
        "file",
        sends("file", {"size": "9", "name": "CCCD Lan.pdf", "checksum": "a", "type": "pdf", "url": "https://f/b"}),
        ("unsupported", "file", USER),
    ),
    ("sticker", sends("sticker", {"url": "https://s", "id": "1"}), ("unsupported", "sticker", USER)),
    ("audio", sends("audio", {"url": "https://a.amr"}), ("unsupported", "audio", USER)),
    ("video", sends("video", {"url": "https://v", "thumbnail": "t"}), ("unsupported", "video", USER)),
    ("business card", sends("business_card", {"phone": "0912345678"}), ("unsupported", "business_card", USER)),
    ("something new that citizens send", sends("hologram", {}), None),
    ("text without a sender", said("a") | {"sender": {}}, None),
    ("sender that is no id", said("a") | {"sender": {"id": "Nguyễn Lan"}}, None),
    ("sender as a number", said("a") | {"sender": {"id": 246845883529197922}}, ("text", "a", USER)),
    ("sender that is a text", said("a") | {"sender": "246"}, None),
    ("follow", FOLLOW, ("opened", "", USER)),
    ("follow, as some fixtures have it", event("follow"), ("opened", "", USER)),
    ("unfollow", FOLLOW | {"event_name": "unfollow"}, ("stopped", "", USER)),
    ("follow of nobody", {k: v for k, v in FOLLOW.items() if k != "follower"}, None),
    (
        "clicked to chat",
        {
            "app_id": APP,
            "oa_id": OA_ID,
            "user_id": USER,
            "user_id_by_app": "5",
            "event_name": "user_click_chatnow",
            "timestamp": STAMP,
        },
        ("opened", "", USER),
    ),
    ("gave name and phone", event("user_submit_info", info=INFO), None),
    ("withdraws", {"user_id": USER, "event_name": "user_withdraw", "timestamp": STAMP}, ("withdrawn", "", USER)),
    (
        "anonymous text",
        event("anonymous_send_text", message=ANONYMOUS),
        ("text", "làm hộ chiếu", f"anonymous:{USER}:c-9"),
    ),
    (
        "anonymous picture",
        event("anonymous_send_image", message=ANONYMOUS),
        ("captioned", "làm hộ chiếu", f"anonymous:{USER}:c-9"),
    ),
    (
        "anonymous file",
        event("anonymous_send_file", message=ANONYMOUS),
        ("captioned", "làm hộ chiếu", f"anonymous:{USER}:c-9"),
    ),
    (
        "anonymous sticker",
        event("anonymous_send_sticker", message=ANONYMOUS),
        ("unsupported", "sticker", f"anonymous:{USER}:c-9"),
    ),
    (
        "anonymous, ids that just fit",
        event("anonymous_send_text", message=ANONYMOUS | {"conversation_id": "c" * 60}) | {"sender": {"id": "u" * 57}},
        ("text", "làm hộ chiếu", f"anonymous:{'u' * 57}:{'c' * 60}"),
    ),
    (
        "anonymous, ids longer than the database keeps",
        event("anonymous_send_text", message=ANONYMOUS | {"conversation_id": "c" * 60}) | {"sender": {"id": "u" * 60}},
        None,
    ),
    ("anonymous, nowhere", event("anonymous_send_text", message={"text": "a", "msg_id": MSG}), None),
    ("officer answers", ZaloEvents(now=MORNING).officer(USER, "Chào bà Lan"), ("taken_over", "", USER)),
    ("we answered", ZaloEvents(now=MORNING).officer(USER, "Miễn phí", admin_id=""), None),
    ("officer in a group", ZaloEvents(now=MORNING).officer("9", "a") | {"event_name": "oa_send_group_text"}, None),
    ("something nobody described", event("user_feedback", message={"msg_id": MSG}), None),
    ("no event", {"hello": 1}, None),
    ("event that is a list", event("x") | {"event_name": ["a"]}, None),
    ("empty", {}, None),
    ("list", [1, 2], None),
    ("text", "user_send_text", None),
    ("nothing", None, None),
]


@pytest.mark.parametrize(("raw", "expected"), [a[1:] for a in ACTS], ids=[f"{n} {a[0]}" for n, a in enumerate(ACTS)])
def test_what_is_kept_of_an_event(raw: Any, expected: Kept) -> None:
    found = parse(raw, "phu-thong", MORNING)
    if expected is None:
        assert found is None
        return
    assert isinstance(found, Incoming)
    kept = masked(found)
    assert (kept.kind, kept.text, kept.address.chat) == expected
    assert (kept.address.channel, kept.address.account) == ("zalo-oa", "phu-thong")
    for private in ("Lan", "0912345678", "84912345678", "019203004567", "zalo.vn", "Nà Ngăm", "21.59", "can-cuoc"):
        assert private not in repr(kept)


RECEIPTS: list[tuple[str, dict[str, Any], tuple[str, tuple[str, ...], str] | None]] = [
    ("received", ZaloEvents().receipt(USER, "m1"), ("delivered", ("m1",), "")),
    ("seen", ZaloEvents().receipt(USER, "m1", "m2", "m1", seen=True), ("seen", ("m1", "m2"), "")),
    (
        "template by phone",
        event(
            "user_received_message",
            sender={"id": OA_ID},
            recipient={"id": "84912345678"},
            message={"msg_id": "m3", "tracking_id": "a-17", "delivery_time": STAMP},
        ),
        ("delivered", ("m3",), "a-17"),
    ),
    ("nothing to tell", event("user_seen_message", message={"msg_ids": []}), None),
    ("nonsense", event("user_seen_message", message={"msg_ids": "m1", "msg_id": {}}), None),
]


@pytest.mark.parametrize(("raw", "expected"), [r[1:] for r in RECEIPTS], ids=[r[0] for r in RECEIPTS])
def test_receipts_name_messages_and_nobody(raw: dict[str, Any], expected: Any) -> None:
    found = parse(raw, "phu-thong", MORNING)
    if expected is None:
        assert found is None
        return
    assert isinstance(found, Receipt)
    assert (found.state, found.external_ids, found.tracking_id) == expected
    assert (found.channel, found.account) == ("zalo-oa", "phu-thong")
    assert USER not in repr(found)
    assert "84912345678" not in repr(found)


class TestRepetitions:
    def ids(self, *events: dict[str, Any]) -> list[str]:
        found = [parse(raw, "a", MORNING) for raw in events]
        return [f.update_id for f in found if isinstance(f, Incoming)]

    def test_a_message_is_known_by_its_id(self) -> None:
        assert self.ids(said("a"), said("a") | {"timestamp": "1"}) == [MSG, MSG]

    def test_what_has_no_id_is_known_by_event_citizen_and_time(self) -> None:
        again = FOLLOW | {"timestamp": str(int(STAMP) + 1)}
        one, same, later, left = self.ids(FOLLOW, FOLLOW, again, FOLLOW | {"event_name": "unfollow"})
        assert one == same == f"follow:{USER}:{STAMP}"
        assert len({one, later, left}) == 3

    def test_two_texts_without_id_and_time_are_two(self) -> None:
        bare = [event("user_send_text", message={"text": t}, timestamp=None) for t in ("một", "hai", "hai")]
        one, two, again = self.ids(*bare)
        assert one != two == again

    def test_an_officers_message_is_not_the_citizens_of_the_same_id(self) -> None:
        officer = ZaloEvents().officer(USER, "a") | {"message": {"msg_id": MSG}}
        assert len(set(self.ids(said("a"), officer))) == 2

    def test_an_id_that_fits_no_column_is_shortened(self) -> None:
        long = said("a") | {"message": {"text": "a", "msg_id": "x" * 5000}}
        odd = said("a") | {"message": {"text": "a", "msg_id": "số 1\0"}}
        for found in self.ids(long, odd):
            assert len(found) == 64


class TestWhen:
    @pytest.mark.parametrize(
        ("stamp", "expected"),
        [
            (STAMP, MORNING),
            (str(int(STAMP) - 90 * 60_000), MORNING - timedelta(minutes=90)),
            (int(STAMP) - 1000, MORNING - timedelta(seconds=1)),
            ("154390853474", MORNING),
            (str(int(STAMP) + 60_000), MORNING),
            ("99999999999999", MORNING),
            ("soon", MORNING),
            ("-1", MORNING),
            (None, MORNING),
            (True, MORNING),
        ],
    )
    def test_a_time_that_cannot_be_is_now(self, stamp: object, expected: datetime) -> None:
        found = parse(said("a") | {"timestamp": stamp}, "a", MORNING)
        assert isinstance(found, Incoming)
        assert found.received_at == expected


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (said("a"), OA_ID),
        (FOLLOW, OA_ID),
        (ZaloEvents().receipt(USER, "m1"), OA_ID),
        (ZaloEvents().receipt(USER, "m1", seen=True), OA_ID),
        (ZaloEvents().officer(USER, "a"), OA_ID),
        (event("user_submit_info", info=INFO), OA_ID),
        (event("anonymous_send_text", message=ANONYMOUS), OA_ID),
        (ZaloEvents().withdraw(USER), ""),
        ({}, ""),
        (said("a") | {"recipient": {"id": "../x"}}, ""),
    ],
)
def test_which_oa_an_event_is_about(raw: dict[str, Any], expected: str) -> None:
    assert oa_of(raw) == expected


def test_what_is_left_out_is_told_by_its_name_alone(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    parse(event("user_feedback", message={"text": "bí mật của bà Lan"}), "a", MORNING)
    parse(event("bí mật của bà Lan"), "a", MORNING)
    parse(event("user_submit_info", info=INFO), "a", MORNING)
    assert [vars(record)["event"] for record in caplog.records] == ["user_feedback", "?"]
    assert "Lan" not in caplog.text


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40)
names = st.sampled_from([
    "user_send_text", "user_send_image", "user_send_link", "follow", "unfollow", "user_click_chatnow", "user_withdraw",
    "oa_send_text", "anonymous_send_text", "user_received_message", "user_seen_message", "user_submit_info", "x",
])  # fmt: skip
inner = st.dictionaries(
    st.sampled_from(["id", "admin_id", "text", "msg_id", "msg_ids", "conversation_id", "tracking_id"]),
    scalars | st.lists(scalars, max_size=3),
)
events = st.fixed_dictionaries(
    {"event_name": names | scalars},
    optional={
        **dict.fromkeys(("sender", "recipient", "follower", "message"), inner | scalars),
        **dict.fromkeys(("timestamp", "user_id", "oa_id", "app_id"), scalars | st.just(STAMP) | st.just(USER)),
    },
)


@settings(max_examples=400)
@given(events | st.recursive(scalars, lambda s: st.lists(s, max_size=3) | st.dictionaries(st.text(), s, max_size=3)))
def test_nothing_that_can_be_written_in_json_is_an_error(raw: Any) -> None:
    found = parse(raw, "a", MORNING)
    if isinstance(raw, dict):
        oa_of(raw)
    if isinstance(found, Incoming):
        kept = masked(found)
        assert 0 < len(kept.address.chat) <= 128
        assert kept.address.chat.isascii()
        assert 0 < len(kept.update_id) <= 192
        assert kept.update_id.isascii()
        assert kept.received_at.tzinfo is UTC
        assert kept.kind in (
            "text",
            "captioned",
            "button",
            "opened",
            "stopped",
            "unsupported",
            "withdrawn",
            "taken_over",
        )
        assert len(kept.kind) <= 16
    if isinstance(found, Receipt):
        assert all(len(i) <= 128 for i in (*found.external_ids, found.tracking_id))


@pytest.mark.anyio
async def test_what_a_hostile_app_writes_can_be_stored(database: Database) -> None:
    for number, text in enumerate(["\x00", "\ud800", "a" * 100_000, "\u202e", "'; DROP TABLE inbox; --", "#t:\x00"]):
        raw = json.loads(json.dumps(said(text) | {"message": {"text": text, "msg_id": f"m{number}"}}))
        found = parse(raw, "a", MORNING)
        assert isinstance(found, Incoming)
        _, new = await accept(database, found)
        assert new


@pytest.mark.anyio
async def test_whoever_writes_without_an_account_fits_the_database(database: Database) -> None:
    for who, where in (("u" * 57, "c" * 60), ("u" * 60, "c" * 57), ("u" * 60, "c" * 58), ("u" * 60, "c" * 60)):
        sent = event("anonymous_send_text", message=ANONYMOUS | {"conversation_id": where}) | {"sender": {"id": who}}
        found = parse(sent, "default", MORNING)
        assert found is None or isinstance(found, Incoming)
        assert (found is None) == (len(who + where) > 117)
        if found is not None:
            await accept(database, replace(found, update_id=where))
