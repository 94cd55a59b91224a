"""What the bot cannot read gets a kind answer that says what to do."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from bot.clock import ZONE
from bot.conversation.messages import catalogue, say
from bot.conversation.model import AnswerStatus, Said, Session
from tests.builders import MORNING

if TYPE_CHECKING:
    from congdanso.brain import Brain

TODAY = MORNING.astimezone(ZONE).date()
ANSWERS = [
    ("voice", "chưa nghe được tin thoại"),
    ("audio", "chưa nghe được tin thoại"),
    ("photo", "không được tải về"),
    ("image", "căn cước"),
    ("video", "không xem được video"),
    ("video_note", "không xem được video"),
    ("document", "không nhận hồ sơ"),
    ("file", "không nhận hồ sơ"),
    ("sticker", "hình dán"),
    ("animation", "hình dán"),
    ("gif", "hình dán"),
    ("location", "chọn xã"),
    ("venue", "không lưu vị trí"),
    ("contact", "số điện thoại"),
    ("link", "đừng bấm"),
    ("poll", "chỉ đọc được chữ"),
    ("unsupported", "chỉ đọc được chữ"),
    ("something of next year", "chỉ đọc được chữ"),
]


@pytest.mark.parametrize(("kind", "words"), ANSWERS)
def test_each_kind_is_told_what_to_do(brain: Brain, kind: str, words: str) -> None:
    turn = brain.dialogue.reply(Said(unsupported=kind), None, Session(greeted=True), TODAY)
    [reply] = turn.replies
    assert words in reply.text
    assert "gõ" in reply.text
    assert len(reply.text) <= 400
    assert turn.status == AnswerStatus.CLARIFIED
    assert turn.effects == ()


def test_what_an_answer_tells_to_type_is_understood(brain: Brain) -> None:
    said = "\n".join(catalogue()["unsupported"].values())
    for typed, topic in (
        ("lam giay khai sinh can gi", "khai-sinh"),
        ("nộp hồ sơ trực tuyến", "nop-ho-so-truc-tuyen"),
        ("lừa đảo qua mạng", "lua-dao-qua-mang"),
        ("chọn xã", "chon-xa-phuong"),
    ):
        assert f'"{typed}"' in said
        assert brain.answer(typed, Session(greeted=True), MORNING).topic == topic


def test_what_the_bot_waited_for_it_still_waits_for(brain: Brain) -> None:
    asked = brain.answer("gặp cán bộ", Session(greeted=True), MORNING)
    turn = brain.dialogue.reply(Said(unsupported="voice"), None, asked.session, TODAY)
    assert turn.session == asked.session
    assert replace(turn.session, pending=None) != turn.session


def test_a_question_under_a_picture_is_answered_first_and_the_picture_named_after(brain: Brain) -> None:
    said = Said("làm giấy khai sinh cần gì", unsupported="other")
    understood = brain.engine.understand(said.text)
    plain = brain.dialogue.reply(replace(said, unsupported=""), understood, Session(greeted=True), TODAY)
    turn = brain.dialogue.reply(said, understood, Session(greeted=True), TODAY)
    assert (turn.topic, turn.session) == ("khai-sinh", plain.session)
    assert turn.replies[0].text == f"{plain.replies[0].text}\n\n{say('with_picture')}"
    assert turn.replies[0].buttons == plain.replies[0].buttons
