"""Whole dialogues, with the real library, places and language model: how many turns are about what they should be about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.conversation.model import Session
from tests.bot.conversation.dialogues import Expected, read
from tests.builders import MORNING

if TYPE_CHECKING:
    from bot.conversation.model import Turn
    from congdanso.brain import Brain

DIALOGUES = read()


def held(brain: Brain) -> list[tuple[Expected, Turn]]:
    turns = []
    for dialogue in DIALOGUES:
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
