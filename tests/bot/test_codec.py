"""Replies survive the way through JSON."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date

import pytest

from bot.codec import reply_from_json, reply_to_json
from bot.conversation.model import Attachment, Button, Pending, Reply, Session, SourceLine

REPLY = Reply(
    "Nộp trực tuyến: 7.000 đồng.",
    (Button("Cần giấy tờ gì", "t:tam-tru:giay-to"), Button("Mở Cổng", url="https://dichvucong.gov.vn")),
    (Attachment("Tờ rơi", "/m/1.pdf", "application/pdf"),),
    SourceLine("Cổng, mã 1.004194", "https://dichvucong.gov.vn", date(2026, 7, 20)),
)


@pytest.mark.parametrize("first", [0, 1, 4])
def test_a_reply_comes_back_as_it_was(first: int) -> None:
    reply = replace(REPLY, first=first)
    assert reply_from_json(json.loads(json.dumps(reply_to_json(reply)))) == reply


def test_a_reply_has_the_fields_of_the_contract() -> None:
    shape = reply_to_json(REPLY)
    assert set(shape) == {"text", "buttons", "attachments", "source"}
    assert shape["source"] == {
        "title": "Cổng, mã 1.004194",
        "url": "https://dichvucong.gov.vn",
        "seen_on": "2026-07-20",
    }
    assert reply_to_json(Reply("x"))["source"] is None


def test_a_session_comes_back_as_it_was() -> None:
    session = Session(
        greeted=True,
        ward="01840",
        topic="tam-tru",
        aspect="le-phi",
        recent=("tam-tru", "khai-sinh"),
        pending=Pending("topics", (Button("A", "t:a"),), (Button("Đồng ý", "c:ok"),)),
    )
    assert Session.from_dict(json.loads(json.dumps(session.as_dict()))) == session


def test_a_session_of_an_older_version_gets_the_defaults() -> None:
    assert Session.from_dict({"topic": "tam-tru"}) == Session(topic="tam-tru")
