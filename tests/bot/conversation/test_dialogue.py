"""Dialogues as citizens hold them, with the real library, places and language model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.clock import ZONE
from bot.conversation.answers import source_text
from bot.conversation.dialogue import Dialogue
from bot.conversation.model import (
    AnswerStatus,
    QuestionRecorded,
    Said,
    Session,
    Subscribed,
    Turn,
    Unsubscribed,
    WardChosen,
)
from nlu.understanding import Alternative
from tests.builders import MORNING, understood

if TYPE_CHECKING:
    from congdanso.brain import Brain

TODAY = MORNING.astimezone(ZONE).date()
Talk = Callable[..., list[Turn]]


@pytest.fixture
def talk(brain: Brain) -> Talk:
    """Hold a dialogue; return its turns."""

    def hold(*texts: str, session: Session | None = None) -> list[Turn]:
        turns = []
        state = session or Session(greeted=True)
        for text in texts:
            turn = brain.answer(text, state, MORNING)
            state = turn.session
            turns.append(turn)
        return turns

    return hold


def first(turn: Turn) -> str:
    return turn.replies[0].text


class TestAnswering:
    def test_a_question_without_marks_gets_the_papers_and_their_source(self, talk: Talk) -> None:
        [turn] = talk("lam giay khai sinh cho con can gi")
        assert (turn.topic, turn.aspect, turn.status) == ("khai-sinh", "giay-to", AnswerStatus.ANSWERED)
        assert "giấy chứng sinh" in first(turn).splitlines()[0].lower()
        source = turn.replies[0].source
        assert source is not None
        assert source_text(source).startswith("Theo Cổng Dịch vụ công quốc gia, mã 1.001193, xem ngày ")

    def test_two_aspects_are_both_answered(self, talk: Talk) -> None:
        [turn] = talk("đăng ký tạm trú cần giấy tờ gì và hết bao nhiêu tiền")
        assert "7.000 đồng" in first(turn)
        assert "CT01" in first(turn)

    def test_an_unpublished_fee_is_said_to_be_unpublished_and_never_free(self, talk: Talk) -> None:
        [turn] = talk("đăng ký khai sinh mất bao nhiêu tiền")
        assert "chưa công bố" in first(turn)
        assert "18001096" in first(turn)
        assert "miễn phí" not in first(turn).lower()

    def test_a_bubble_fits_a_phone_and_the_rest_comes_on_request(self, talk: Talk) -> None:
        [short] = talk("làm giấy khai sinh cần giấy tờ gì")
        assert len(first(short)) <= 700
        assert short.replies[0].buttons[0].label == "Xem đủ"
        [_, full] = talk("làm giấy khai sinh cần giấy tờ gì", "xem đủ")
        assert len(first(full)) > len(first(short))

    def test_condolences_come_first_where_somebody_died(self, talk: Talk) -> None:
        [turn] = talk("bố em vừa mất sáng nay, giờ phải làm gì")
        assert turn.topic == "khai-tu"
        assert first(turn).startswith("Xin chia buồn")


class TestContext:
    def test_six_turns_keep_topic_and_aspect(self, talk: Talk) -> None:
        turns = talk(
            "đổi thẻ căn cước cần giấy tờ gì",
            "thế lệ phí bao nhiêu?",
            "còn cấp lại thì sao?",
            "mất mấy ngày vậy",
            "đk tạm trú nộp ở đâu",
            "quay lại cái căn cước lúc nãy",
        )
        assert [(t.topic, t.aspect) for t in turns[:5]] == [
            ("can-cuoc-doi", "giay-to"),
            ("can-cuoc-doi", "le-phi"),
            ("can-cuoc-cap-lai", "le-phi"),
            ("can-cuoc-cap-lai", "thoi-gian"),
            ("tam-tru", "noi-nop"),
        ]
        assert turns[5].topic == "can-cuoc-cap-lai"

    def test_a_follow_up_without_a_topic_asks_which(self, talk: Talk) -> None:
        [turn] = talk("thế lệ phí bao nhiêu?")
        assert turn.status == AnswerStatus.CLARIFIED
        assert "thủ tục nào" in first(turn)

    def test_going_back_names_the_topic_of_before(self, talk: Talk) -> None:
        turns = talk("làm giấy khai sinh cần gì", "đăng ký kết hôn ở đâu", "quay lại cái khai sinh lúc nãy")
        assert turns[-1].topic == "khai-sinh"

    def test_going_back_with_nothing_before_says_so(self, talk: Talk) -> None:
        [turn] = talk("quay lại cái lúc nãy")
        assert turn.status == AnswerStatus.CLARIFIED


class TestDoubt:
    OFFERED = ("can-cuoc-cap-lai", "cap-lai-giay-phep-lai-xe", "cap-lai-so-bhxh-the-bhyt")

    @pytest.fixture
    def asked(self, brain: Brain) -> Turn:
        unsure = understood(
            self.OFFERED[0],
            "giay-to",
            confidence=0.3,
            alternatives=tuple(Alternative(slug, 0.2) for slug in self.OFFERED[1:]),
        )
        said = Said(text="làm lại giấy tờ bị mất")
        return brain.dialogue.reply(said, unsure, Session(greeted=True, consented=True), TODAY)

    def test_the_likely_topics_are_offered_with_numbers(self, asked: Turn) -> None:
        assert asked.status == AnswerStatus.CLARIFIED
        assert "1. " in first(asked)
        assert "3. " in first(asked)
        assert [b.payload.split(":")[1] for b in asked.replies[0].buttons] == list(self.OFFERED)
        assert asked.effects == (QuestionRecorded("làm lại giấy tờ bị mất", "unclear"),)

    @pytest.mark.parametrize(
        ("typed", "topic"),
        [
            ("2", "cap-lai-giay-phep-lai-xe"),
            ("Nhắn 2", "cap-lai-giay-phep-lai-xe"),
            ("cái thứ hai", "cap-lai-giay-phep-lai-xe"),
            ("số 1", "can-cuoc-cap-lai"),
            ("cái cuối", "cap-lai-so-bhxh-the-bhyt"),
        ],
    )
    def test_a_choice_is_answered_with_the_aspect_that_was_asked(
        self, talk: Talk, asked: Turn, typed: str, topic: str
    ) -> None:
        [turn] = talk(typed, session=asked.session)
        assert (turn.topic, turn.aspect, turn.status) == (topic, "giay-to", AnswerStatus.ANSWERED)

    def test_none_of_them_asks_again_in_other_words(self, talk: Talk, asked: Turn) -> None:
        [turn] = talk("không phải", session=asked.session)
        assert turn.status == AnswerStatus.CLARIFIED
        assert turn.session.pending is None

    def test_a_new_question_instead_of_a_choice_is_answered(self, talk: Talk, asked: Turn) -> None:
        [turn] = talk("đăng ký kết hôn cần những giấy tờ gì", session=asked.session)
        assert turn.topic == "ket-hon"


class TestLimits:
    def test_what_is_not_the_bots_business_is_declined_with_what_it_can_do(self, talk: Talk) -> None:
        [turn] = talk("mai có mưa không")
        assert turn.status == AnswerStatus.OUT_OF_SCOPE
        assert "nằm ngoài việc của kênh" in first(turn)
        assert turn.replies[0].buttons

    def test_an_unknown_service_is_admitted_and_an_officer_offered(self, talk: Talk) -> None:
        [turn] = talk("xin giấy phép mở quán karaoke thế nào", session=Session(greeted=True, consented=True))
        assert turn.status == AnswerStatus.UNKNOWN
        assert [b.payload for b in turn.replies[0].buttons if b.payload] == ["o:ask"]
        assert turn.effects == (QuestionRecorded("xin giấy phép mở quán karaoke thế nào", "unknown"),)

    def test_a_question_goes_to_the_officer_in_the_next_message(self, talk: Talk) -> None:
        turns = talk("gặp cán bộ", "ruộng nhà tôi chưa có sổ, hỏi ai")
        assert turns[1].status == AnswerStatus.HANDED_OVER
        assert turns[1].effects == (QuestionRecorded("ruộng nhà tôi chưa có sổ, hỏi ai", "officer"),)

    @pytest.mark.parametrize(
        "text", ["cccd 019203004567 của tôi mất rồi", "gọi tôi số 0912345678", "mk của tôi là: abc12345, pass=abc12345"]
    )
    def test_personal_numbers_are_refused(self, talk: Talk, text: str) -> None:
        [turn] = talk(text)
        assert turn.status == AnswerStatus.REFUSED_PERSONAL_DATA
        assert turn.effects == ()

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "   ",
            "😀😀😀",
            "\x00\x01\x02",
            "؟",
            "\u200b\u200b\u200d",
            "'; DROP TABLE conversation; --",
            "<script>alert(1)</script>",
            "?" * 20_000,
            "khai sinh " * 2_000,
            "\u202eảnh gnụv",
            "la\u0300m gia\u0302\u0301y khai sinh ca\u0302\u0300n gi\u0300",
            "1",
            "/khongco",
            "/help",
            "không",
        ],
    )
    def test_bad_input_gets_a_polite_answer(self, talk: Talk, text: str) -> None:
        [turn] = talk(text)
        assert first(turn).strip()
        assert turn.status != AnswerStatus.ERROR
        assert "Traceback" not in first(turn)

    @settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
    @given(texts=st.lists(st.text(max_size=120), min_size=1, max_size=4))
    def test_no_dialogue_breaks(self, talk: Talk, texts: list[str]) -> None:
        for turn in talk(*texts):
            assert turn.replies
            assert Session.from_dict(turn.session.as_dict()) == turn.session


class TestFirstContact:
    def test_the_first_answer_comes_before_the_introduction(self, brain: Brain) -> None:
        turn = brain.answer("làm giấy khai sinh cần gì", Session(), MORNING)
        assert turn.topic == "khai-sinh"
        assert "Kênh ghi lại câu hỏi" in turn.replies[-1].text
        assert [b.payload for b in turn.replies[-1].buttons] == ["c:ok", "c:more"]

    def test_agreeing_leads_to_the_commune_and_its_announcements(self, brain: Brain, talk: Talk) -> None:
        opened = brain.dialogue.reply(Said(opened=True), None, Session(), TODAY)
        agreed = brain.dialogue.reply(Said(payload="c:ok"), None, opened.session, TODAY)
        assert agreed.session.consented
        turns = talk("vi huong bach thong", "có", session=agreed.session)
        assert "Vi Hương" in first(turns[0])
        assert "xã Phủ Thông" in first(turns[0])
        assert any(isinstance(e, WardChosen) for e in turns[0].effects)
        assert turns[1].effects == (Subscribed(),)

    def test_who_came_from_a_communes_site_is_asked_about_its_announcements(self, brain: Brain, talk: Talk) -> None:
        came = Session(greeted=True, ward=brain.places.by_slug("phu-thong").code)
        agreed = brain.dialogue.reply(Said(payload="c:ok"), None, came, TODAY)
        assert "nhận thông báo của xã Phủ Thông không" in first(agreed)
        [turn] = talk("có", session=agreed.session)
        assert turn.effects == (Subscribed(),)
        told = brain.dialogue.reply(Said(payload="c:ok"), None, replace(came, subscribed=True), TODAY)
        assert "nhận thông báo" not in first(told)

    def test_silence_is_not_consent(self, talk: Talk) -> None:
        turns = talk("xin chào", "làm hộ chiếu ở đâu", "cảm ơn", session=Session())
        assert not turns[-1].session.consented

    def test_the_commune_may_be_skipped(self, brain: Brain, talk: Talk) -> None:
        agreed = brain.dialogue.reply(Said(payload="c:ok"), None, Session(greeted=True), TODAY)
        [turn] = talk("bỏ qua", session=agreed.session)
        assert turn.session.ward is None
        assert turn.status == AnswerStatus.ACTION_DONE

    def test_a_question_instead_of_a_commune_is_answered(self, brain: Brain, talk: Talk) -> None:
        agreed = brain.dialogue.reply(Said(payload="c:ok"), None, Session(greeted=True), TODAY)
        [turn] = talk("đăng ký kết hôn cần giấy tờ gì", session=agreed.session)
        assert turn.topic == "ket-hon"

    @pytest.mark.parametrize("text", ["dừng thông báo", "stop", "đừng gửi thông báo nữa", "/dung"])
    def test_stopping_takes_one_message(self, talk: Talk, text: str) -> None:
        subscribed = Session(greeted=True, ward="01864", subscribed=True)
        [turn] = talk(text, session=subscribed)
        assert turn.effects == (Unsubscribed(),)
        assert not turn.session.subscribed


def test_old_communes_are_told_by_their_new_name(talk: Talk) -> None:
    [turn] = talk("xã Vi Hương giờ thuộc xã nào")
    assert "nay thuộc xã Phủ Thông" in first(turn)
    assert turn.replies[0].source is not None


def test_every_payload_fits_a_telegram_button(brain: Brain) -> None:
    """64 bytes, ASCII."""
    dialogue: Dialogue = brain.dialogue
    for slug, topic in brain.library.items():
        for aspect in topic.aspects:
            turn = dialogue.reply(Said(payload=f"t:{slug}:{aspect}"), None, Session(greeted=True), TODAY)
            assert turn.status == AnswerStatus.ANSWERED
            for button in turn.replies[0].buttons:
                assert len(button.payload.encode("ascii")) <= 64


def test_a_button_of_an_older_version_asks_to_type(brain: Brain) -> None:
    for payload in ("t:no-such-topic", "zzz", "p:99999", "noop"):
        turn = brain.dialogue.reply(Said(payload=payload), None, Session(greeted=True), TODAY)
        assert turn.status == AnswerStatus.CLARIFIED


def test_the_dialogue_changes_nothing_it_was_given(brain: Brain) -> None:
    session = Session(greeted=True, topic="tam-tru", recent=("tam-tru",))
    before = replace(session)
    brain.answer("thế lệ phí bao nhiêu", session, MORNING)
    assert session == before


def test_a_shared_link_opens_the_answer_it_stands_for(brain: Brain) -> None:
    opened = Said(payload="t_tam-tru_le-phi", opened=True)
    turn = brain.dialogue.reply(opened, None, Session(), date(2026, 11, 22))
    assert (turn.topic, turn.aspect) == ("tam-tru", "le-phi")
    assert "7.000 đồng" in turn.replies[0].text
    assert turn.replies[0].about == "tam-tru:le-phi"
    assert len(turn.replies) == 2  # … and who it is that answers


@pytest.mark.parametrize("payload", ["t_", "t_khong-co", "t_../..", "t_tam-tru_gia-bia"])
def test_a_link_to_nothing_is_an_introduction_or_the_topic(brain: Brain, payload: str) -> None:
    turn = brain.dialogue.reply(Said(payload=payload, opened=True), None, Session(), date(2026, 11, 22))
    assert turn.topic in (None, "tam-tru")
    assert turn.replies
