"""Whole dialogues, with the real library, places and language model: how many turns are about what they should be about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.conversation.model import AnswerStatus, Session
from tests.bot.conversation.dialogues import Expected, read
from tests.builders import MORNING

if TYPE_CHECKING:
    from bot.conversation.model import Turn
    from congdanso.brain import Brain

DIALOGUES = read()
OTHERS = read("dialogues-others.txt")
"""By writers who saw none of the training data."""
LEFT_ALONE = {
    AnswerStatus.OUT_OF_SCOPE,
    AnswerStatus.SMALLTALK,
    AnswerStatus.ACTION_DONE,
    AnswerStatus.CLARIFIED,
    AnswerStatus.UNKNOWN,
    AnswerStatus.HANDED_OVER,
}
"""How turns end that are about no service."""


def held(brain: Brain, dialogues: list[list[Expected]] = DIALOGUES) -> list[tuple[Expected, Turn]]:
    turns = []
    for dialogue in dialogues:
        session = Session(greeted=True)
        for expected in dialogue:
            turn = brain.answer(expected.text, session, MORNING)
            session = turn.session
            turns.append((expected, turn))
    return turns


def test_there_are_forty_dialogues_of_several_turns() -> None:
    assert len(DIALOGUES) >= 40
    assert all(len(dialogue) >= 3 for dialogue in DIALOGUES)


def test_the_topic_is_kept_changed_and_gone_back_to(brain: Brain) -> None:
    turns = held(brain)
    wrong = [(e.text, e.topic, t.topic) for e, t in turns if t.topic != e.topic]
    assert len(wrong) <= 0.08 * len(turns), wrong


def test_the_topic_is_tracked_in_conversations_of_others(brain: Brain) -> None:
    turns = held(brain, OTHERS)
    wrong = [
        (e.text, e.topic, t.topic)
        for e, t in turns
        if (t.status not in LEFT_ALONE if e.topic is None else t.topic != e.topic and t.topic not in e.also)
    ]
    assert len(turns) >= 400
    assert len(wrong) <= 0.08 * len(turns), wrong


def test_a_child_may_be_whom_the_question_is_about(brain: Brain) -> None:
    session = brain.answer("làm hộ chiếu cần giấy tờ gì", Session(greeted=True), MORNING).session
    assert brain.answer("con 4 tuổi thì sao", session, MORNING).topic == "ho-chieu"


def test_circumstances_may_turn_to_a_neighbour(brain: Brain) -> None:
    session = brain.answer("đăng ký tạm trú cần gì", Session(greeted=True), MORNING).session
    assert brain.answer("hết hạn thì sao", session, MORNING).topic == "gia-han-tam-tru"
    assert brain.answer("hết bao nhiêu tiền", session, MORNING).topic == "tam-tru"


def test_a_topic_of_before_that_is_named_is_gone_back_to(brain: Brain) -> None:
    session = brain.answer("khai tử cần giấy gì", Session(greeted=True), MORNING).session
    session = brain.answer("tiền mai táng được bao nhiêu", session, MORNING).session
    assert brain.answer("thế cái khai tử phải làm trong mấy ngày", session, MORNING).topic == "khai-tu"


def test_the_aspect_is_the_one_asked_for(brain: Brain) -> None:
    asked = [(e, t) for e, t in held(brain) if e.aspect is not None and t.topic == e.topic]
    wrong = [(e.text, e.aspect, t.aspect) for e, t in asked if t.aspect != e.aspect]
    assert len(wrong) <= 0.08 * len(asked), wrong


def test_who_names_a_topic_of_their_own_is_not_taken_to_go_on(brain: Brain) -> None:
    session = brain.answer("lệ phí sang tên xe máy bao nhiêu", Session(greeted=True), MORNING).session
    turn = brain.answer("toi 82 tuoi co duoc tien gi ko", session, MORNING)
    assert turn.topic == "tro-cap-huu-tri-xa-hoi"


def test_a_child_is_no_word_for_going_on(brain: Brain) -> None:
    session = brain.answer("lệ phí sang tên xe máy bao nhiêu", Session(greeted=True), MORNING).session
    turn = brain.answer("con nợ tiền điện thì tắt máy à", session, MORNING)
    assert turn.topic is None
