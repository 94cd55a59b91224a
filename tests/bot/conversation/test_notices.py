"""A citizen chooses kinds of announcements, ends one or all, and presses what stands under one."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest

from bot.conversation.categories import CATEGORIES
from bot.conversation.dialogue import Dialogue
from bot.conversation.model import AnnouncementPressed, CategoriesChosen, Said, Session, Turn, Unsubscribed
from bot.conversation.notices import left
from tests.builders import understood

if TYPE_CHECKING:
    from congdanso.brain import Brain

SUBSCRIBED = Session(greeted=True, ward="01864", subscribed=True)


@pytest.fixture(scope="module")
def dialogue(brain: Brain) -> Dialogue:
    return brain.dialogue


def says(dialogue: Dialogue, text: str, session: Session = SUBSCRIBED) -> Turn:
    return dialogue.reply(Said(text=text), understood(None, text=text, in_scope=False), session, date(2026, 11, 22))


def presses(dialogue: Dialogue, payload: str, session: Session = SUBSCRIBED) -> Turn:
    return dialogue.reply(Said(payload=payload), None, session, date(2026, 11, 22))


@pytest.mark.parametrize(
    "text",
    [
        "dừng tập huấn",
        "Dung tin tap huan",
        "không nhận tin tập huấn",
        "dừng thông báo về tập huấn",
        "/dung tập huấn",
        "/dung tap-huan",
    ],
)
def test_one_kind_ends_by_a_word_or_a_command_at_once(dialogue: Dialogue, text: str) -> None:
    turn = says(dialogue, text)
    assert turn.effects == (CategoriesChosen(("tap-huan",)),)
    assert "Kênh không gửi thông báo loại tập huấn" in turn.replies[0].text
    assert turn.session.subscribed, "the others still come"


@pytest.mark.parametrize("text", ["dừng", "dừng thông báo", "/dung", "huỷ đăng ký"])
def test_all_end_by_a_word_or_a_command(dialogue: Dialogue, text: str) -> None:
    assert says(dialogue, text).effects == (Unsubscribed(),)


def test_who_leaves_is_told_from_who_comes_back(dialogue: Dialogue) -> None:
    turns = [says(dialogue, text) for text in ("dừng", "/dung", "dừng tin tập huấn")]
    turns += [presses(dialogue, payload) for payload in ("a:tat-thong-bao", "g:-tap-huan")]
    assert all(left(turn.topic, turn.effects) for turn in turns)
    stays = [says(dialogue, "dừng xe ở đâu"), presses(dialogue, "g:+tap-huan"), presses(dialogue, "a:nhan-thong-bao")]
    assert not any(left(turn.topic, turn.effects) for turn in stays)


@pytest.mark.parametrize("text", ["dừng xe ở đâu", "bỏ tập", "không nhận lương hưu", "tắt máy"])
def test_other_sentences_that_begin_so_are_not_taken_for_it(dialogue: Dialogue, text: str) -> None:
    assert says(dialogue, text).effects == ()


def test_the_kinds_are_buttons_that_turn_each_other_round(dialogue: Dialogue) -> None:
    listed = presses(dialogue, "g:")
    assert [b.payload for b in listed.replies[0].buttons] == [f"g:-{slug}" for slug in CATEGORIES]
    off = presses(dialogue, "g:-thien-tai")
    assert off.session.muted == ("thien-tai",)
    again = presses(dialogue, "g:", off.session)
    assert "g:+thien-tai" in [b.payload for b in again.replies[0].buttons]
    assert presses(dialogue, "g:+thien-tai", off.session).effects == (CategoriesChosen(()),)
    assert presses(dialogue, "g:-quang-cao").effects == ()


def test_my_data_names_what_is_not_wanted(dialogue: Dialogue) -> None:
    muted = presses(dialogue, "g:-thien-tai").session
    assert "có, trừ: Thiên tai" in presses(dialogue, "a:du-lieu-cua-toi", muted).replies[0].text


def test_under_an_announcement(dialogue: Dialogue) -> None:
    assert presses(dialogue, "b:bcdfghjk:read").effects == (AnnouncementPressed("bcdfghjk", "read"),)
    asked = presses(dialogue, "b:bcdfghjk:ask:tam-tru")
    assert (asked.topic, asked.effects) == ("tam-tru", (AnnouncementPressed("bcdfghjk", "ask"),))
    assert presses(dialogue, "b:bcdfghjk:ask:khong-co").replies[0].text.startswith("Anh/chị cần hỏi gì")
    assert presses(dialogue, "b:bcdfghjk:buy").effects == ()
