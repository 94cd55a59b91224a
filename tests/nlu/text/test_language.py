from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlu.text.language import LanguageModel
from nlu.text.syllable import strip_marks

SENTENCES = [
    "tôi muốn đăng ký khai sinh cho con",
    "đăng ký kết hôn cần giấy tờ gì",
    "xin giấy xác nhận độc thân ở đâu",
    "lệ phí đăng ký khai sinh bao nhiêu",
    "con tôi mất giấy khai sinh",
    "cơn mưa lớn",
] * 3


@pytest.fixture(scope="module")
def language() -> LanguageModel:
    return LanguageModel.learn([s.split() for s in SENTENCES])


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("dagn ky khai sinh", "đăng ky khai sinh"),
        ("đăng ký khaisinh", "đăng ký khai sinh"),
        ("xác nhnậ độc thân", "xác nhận độc thân"),
        ("giấyy khai sinh", "giấy khai sinh"),
        ("vneid của tôi", "vneid của tôi"),
        ("pass wifi", "pass wifi"),
    ],
)
def test_slips_are_repaired_only_in_what_is_no_syllable(language: LanguageModel, typed: str, meant: str) -> None:
    assert " ".join(s for part in language.repair(typed.split()) for s in part) == meant


def test_marks_that_were_typed_are_kept(language: LanguageModel) -> None:
    assert language.repair(["gíâyy"]) == [["gíâyy"]]


def test_marks_are_given_back_by_the_neighbours(language: LanguageModel) -> None:
    assert language.restore(["toi", "muon", "dang", "ky", "khai", "sinh", "cho", "con"]) == SENTENCES[0].split()
    assert language.restore(["con", "mua", "lon"]) == ["cơn", "mưa", "lớn"]
    assert language.restore([]) == []


def test_marked_and_unknown_syllables_are_not_changed(language: LanguageModel) -> None:
    assert language.restore(["cớn", "xyz", "khai"]) == ["cớn", "xyz", "khai"]


@given(st.lists(st.text(alphabet="abcdđeêghikmnoôstưuy", min_size=1, max_size=16), max_size=12))
def test_nothing_is_lost(tokens: list[str]) -> None:
    model = LanguageModel.learn([s.split() for s in SENTENCES])
    assert len(model.repair(tokens)) == len(tokens)
    restored = model.restore(tokens)
    assert [strip_marks(r) if t.isascii() else r for r, t in zip(restored, tokens, strict=True)] == tokens


def test_a_saved_model_answers_alike(language: LanguageModel) -> None:
    again = LanguageModel.from_dict(language.as_dict())
    assert again.restore(["giay", "to", "gi"]) == language.restore(["giay", "to", "gi"]) == ["giấy", "tờ", "gì"]
