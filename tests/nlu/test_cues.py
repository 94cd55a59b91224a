"""Words that ask for an aspect, whatever the topic is."""

from __future__ import annotations

import pytest

from nlu.cues import cues
from nlu.text.normalizer import Normalizer

NORMALIZE = Normalizer.from_lexicons()


def asked(text: str) -> set[str]:
    return {aspect for aspect, _ in cues(NORMALIZE(text).bare.split())}


@pytest.mark.parametrize(
    ("text", "aspect"),
    [
        ("hết bao nhiêu tiền", "le-phi"),
        ("mấy nghìn một bản", "le-phi"),
        ("lệ phí thế nào", "le-phi"),
        ("mất mấy ngày", "thoi-gian"),
        ("bao lâu thì xong", "thoi-gian"),
        ("hạn nộp là ngày nào", "thoi-gian"),
        ("nộp ở đâu", "noi-nop"),
        ("báo cho ai", "noi-nop"),
        ("cần giấy tờ gì", "giay-to"),
        ("mang theo những gì", "giay-to"),
        ("làm thế nào", "cach-lam"),
        ("bấm vào đâu", "cach-lam"),
        ("ai được hưởng", "doi-tuong"),
        ("điều kiện là gì", "doi-tuong"),
        ("doanh thu bao nhiêu thì phải nộp thuế", "doi-tuong"),
        ("theo nghị định nào", "can-cu"),
        ("mẫu tờ khai", "bieu-mau"),
        ("được hưởng những gì", "ket-qua"),
        ("công dân số là gì", "tong-quan"),
    ],
)
def test_a_question_asks_for_its_aspect(text: str, aspect: str) -> None:
    assert aspect in asked(text)


def test_an_amount_that_decides_who_must_is_no_fee() -> None:
    assert "le-phi" not in asked("doanh thu bao nhiêu thì phải khai")


def test_a_telling_asks_for_nothing() -> None:
    assert asked("vợ tôi vừa sinh cháu gái") == set()


def test_a_place_is_the_syllable_where_the_words_begin() -> None:
    assert list(cues(["vo", "toi", "nop", "o", "dau"])) == [("noi-nop", 3)]
