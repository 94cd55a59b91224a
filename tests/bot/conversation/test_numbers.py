"""Where there are no buttons, the number of a button does what the button does: whatever was said, in whichever bubble."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from bot.channels.splitting import numbered
from bot.clock import ZONE
from bot.conversation.model import Button, Said, Session, Turn
from tests.builders import MORNING

if TYPE_CHECKING:
    from congdanso.brain import Brain

TODAY = MORNING.astimezone(ZONE).date()
SAID = [
    "làm giấy khai sinh cần giấy tờ gì",
    "đăng ký tạm trú hết bao nhiêu tiền",
    "làm lại giấy tờ bị mất",
    "chọn xã",
    "chọn xã Tân Thành",
    "xã Phủ Thông",
    "gặp cán bộ",
    "xin giấy phép mở quán karaoke",
    "mai có mưa không",
    "tài liệu tuyên truyền",
    "dữ liệu của tôi",
    "xoá dữ liệu của tôi",
    "đánh giá",
    "trợ giúp",
    "học kỹ năng số",
    "/start",
    "nhận thông báo",
    "xin chào",
]


def choices(turn: Turn) -> Iterator[tuple[int, Button]]:
    """Each button of a turn with the number that the bubble shows for it."""
    for reply in turn.replies:
        shown = "\n".join(numbered(reply, 4000)).splitlines()
        offered = [b for b in reply.buttons if b.payload]
        for number, button in enumerate(offered, reply.first):
            assert f"{number}. {button.label}" in shown
            yield number, button


@pytest.mark.parametrize("greeted", [True, False])
@pytest.mark.parametrize("text", SAID)
def test_a_number_does_what_its_button_does(brain: Brain, text: str, greeted: bool) -> None:
    asked = brain.answer(text, Session(greeted=greeted), MORNING)
    offered = list(choices(asked))
    assert [number for number, _ in offered] == list(range(1, len(offered) + 1))
    for number, button in offered:
        pressed = brain.dialogue.reply(Said(payload=button.payload), None, asked.session, TODAY)
        typed = brain.answer(str(number), asked.session, MORNING)
        assert typed == pressed, (number, button)


def test_the_introduction_behind_an_answer_can_be_agreed_to_by_word(brain: Brain) -> None:
    first = brain.answer("làm giấy khai sinh cần giấy tờ gì", Session(), MORNING)
    assert brain.answer("đồng ý", first.session, MORNING).session.consented


def test_the_numbers_outlive_the_process(brain: Brain) -> None:
    first = brain.answer("làm giấy khai sinh cần giấy tờ gì", Session(), MORNING)
    assert Session.from_dict(first.session.as_dict()) == first.session


def test_a_number_of_an_ambiguous_place_chooses_it(brain: Brain) -> None:
    awaited = brain.answer("chọn xã", Session(greeted=True), MORNING)
    asked = brain.answer("Tân Thành", awaited.session, MORNING)
    assert [number for number, _ in choices(asked)] == [1, 2]
    assert brain.answer("2", asked.session, MORNING).session.ward == asked.replies[0].buttons[1].payload.removeprefix(
        "p:"
    )


def test_a_session_of_before_the_numbers_is_read(brain: Brain) -> None:
    session = brain.answer("chọn xã", Session(greeted=True), MORNING).session
    state = session.as_dict()
    del state["pending"]["more"]
    assert Session.from_dict(state) == session
