"""What a text means behind an answer, and what is said instead of something taken back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.conversation.context import correction, weighed
from bot.conversation.model import Session
from nlu.understanding import FOLLOW_UP, Alternative
from tests.builders import understood

if TYPE_CHECKING:
    from congdanso.brain import Brain

BEHIND = Session(topic="the-bao-hiem-y-te", recent=("the-bao-hiem-y-te",))


@pytest.mark.parametrize(
    ("text", "instead"),
    [
        ("không phải, ý tôi là cấp lại cơ", "cấp lại cơ"),
        ("à nhầm, làm hộ chiếu cần gì", "làm hộ chiếu cần gì"),
        ("ý em là đổi bằng lái", "đổi bằng lái"),
        ("khong phai y toi la dang ky xe", "dang ky xe"),
        ("không đúng rồi em ơi, tách hộ khẩu", "tách hộ khẩu"),
        ("không phải", None),
        ("không phải đâu", None),
        ("nhầm", None),
        ("có phải đổi căn cước không", None),
        ("khai sinh cần gì", None),
        ("", None),
    ],
)
def test_what_is_said_instead_is_heard(text: str, instead: str | None) -> None:
    assert correction(text) == instead


@given(st.text(max_size=60))
def test_a_correction_is_the_end_of_what_was_said(text: str) -> None:
    instead = correction(text)
    assert instead is None or " ".join(text.split()).endswith(instead.split()[-1])


class TestWeighed:
    def test_a_question_without_a_topic_goes_on_with_the_one_before(self, brain: Brain) -> None:
        unsure = understood(
            None, "noi-nop", text="mua ở đâu", intent="ngoai-pham-vi", confidence=0.1, in_scope=False,
            alternatives=(Alternative("dang-ky-xe", 0.1),), follow_up=0.15, outside=0.4,
        )  # fmt: skip
        read = weighed(unsure, BEHIND, brain.library)
        assert (read.intent, read.in_scope, read.topic) == (FOLLOW_UP, True, None)

    def test_nothing_before_changes_nothing(self, brain: Brain) -> None:
        unsure = understood("dang-ky-xe", text="mua ở đâu", confidence=0.2, follow_up=0.15)
        assert weighed(unsure, Session(), brain.library) is unsure

    def test_who_names_a_topic_clearly_is_believed(self, brain: Brain) -> None:
        clear = understood("ket-hon", text="đăng ký kết hôn", confidence=0.95, follow_up=0.04)
        assert weighed(clear, BEHIND, brain.library) is clear

    def test_what_is_surely_out_of_scope_stays_so(self, brain: Brain) -> None:
        far = understood(
            None, text="mai mưa không", intent="ngoai-pham-vi", confidence=0.01, in_scope=False,
            alternatives=(Alternative("the-bao-hiem-y-te", 0.02),), follow_up=0.01, outside=0.96,
        )  # fmt: skip
        assert weighed(far, BEHIND, brain.library) is far

    def test_a_few_words_about_filing_mean_the_service_before(self, brain: Brain) -> None:
        general = understood("nop-ho-so-truc-tuyen", "cach-lam", text="nộp qua mạng thế nào", confidence=0.95)
        assert weighed(general, BEHIND, brain.library).intent == FOLLOW_UP

    def test_the_topic_before_wins_among_equals(self, brain: Brain) -> None:
        torn = understood(
            "bhxh-mot-lan", text="thẻ thì sao", confidence=0.4, alternatives=(Alternative("the-bao-hiem-y-te", 0.35),)
        )
        read = weighed(torn, BEHIND, brain.library)
        assert read.topic == "the-bao-hiem-y-te"
        assert read.confidence > 0.6
