from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlu.text.syllable import (
    RHYMES,
    apply_tone_key,
    is_bare_syllable,
    is_regular,
    is_syllable,
    place_tone,
    split_initial,
    split_tone,
    strip_marks,
)


@pytest.mark.parametrize(
    "word",
    [
        "đăng",
        "ký",
        "khai",
        "sinh",
        "giấy",
        "nghiệp",
        "quyết",
        "nguyễn",
        "thuế",
        "uỷ",
        "hoà",
        "thủy",
        "xoá",
        "gìn",
        "gì",
        "giếng",
        "khuya",
        "quạ",
        "yêu",
        "ươm",
        "phường",
    ],
)
def test_real_words_are_syllables(word: str) -> None:
    assert is_syllable(place_tone(word))


@pytest.mark.parametrize(
    "word", ["vneid", "cccd", "dagn", "khaisinh", "pq", "stress", "facebook", "ngh", "đđ", "1", ""]
)
def test_other_tokens_are_none(word: str) -> None:
    assert not is_syllable(word)
    assert not is_bare_syllable(word)


@pytest.mark.parametrize(
    ("word", "possible"), [("phát", True), ("phạt", True), ("phàt", False), ("phảt", False), ("phat", True)]
)
def test_a_stop_final_carries_only_two_tones(word: str, *, possible: bool) -> None:
    assert is_syllable(word) is possible


def test_a_missing_tone_can_be_refused() -> None:
    assert not is_syllable("phat", tone_may_be_missing=False)
    assert is_syllable("phan", tone_may_be_missing=False)


@pytest.mark.parametrize("word", ["duong", "nghiep", "quyet", "dang", "ky", "giay"])
def test_unmarked_words_are_bare_syllables(word: str) -> None:
    assert is_bare_syllable(word)


@pytest.mark.parametrize(
    ("typed", "regular"),
    [
        ("hoà", "hòa"),
        ("hòa", "hòa"),
        ("hòan", "hoàn"),
        ("thuỷ", "thủy"),
        ("qúy", "quý"),
        ("uỷ", "ủy"),
        ("giá", "giá"),
        ("khai", "khai"),
    ],
)
def test_tone_marks_have_one_place(typed: str, regular: str) -> None:
    assert place_tone(typed) == regular
    assert place_tone(unicodedata.normalize("NFD", typed)) == regular


@pytest.mark.parametrize(
    ("syllable", "parts"),
    [("khai", ("kh", "ai")), ("nghiêp", ("ngh", "iêp")), ("gi", ("g", "i")), ("gia", ("gi", "a")), ("an", ("", "an"))],
)
def test_initials_are_split_off(syllable: str, parts: tuple[str, str]) -> None:
    assert split_initial(syllable) == parts


def test_tones_are_split_off_and_put_back() -> None:
    toneless, tone = split_tone("giấy")
    assert (toneless, tone) == ("giây", "\u0301")
    assert apply_tone_key("giây", "s") == "giấy"


def test_marks_are_stripped_with_the_case_kept() -> None:
    assert strip_marks("Đăng ký ở Phường Đức Xuân") == "Dang ky o Phuong Duc Xuan"


_LETTERS = "abcdeghiklmnopqrstuvxyăâêôơưđàáảãạắằâấầẩễệìíòóờởùúứừựỳýỷ"


@given(st.text(_LETTERS, min_size=1, max_size=6))
def test_what_is_looked_up_is_what_would_be_worked_out(token: str) -> None:
    toneless, tone = split_tone(token)
    initial, rhyme = split_initial(toneless)
    by_the_rules = rhyme in RHYMES if initial != "qu" else is_syllable(toneless)
    if rhyme.endswith(("c", "ch", "p", "t")):
        by_the_rules = by_the_rules and tone in ("", "\u0301", "\u0323")
    assert is_syllable(token) == by_the_rules
    assert is_regular(token) == (by_the_rules and place_tone(token) == token)


def test_a_stop_without_its_tone_is_told_apart() -> None:
    assert is_regular("phat")
    assert not is_syllable("phat", tone_may_be_missing=False)
    assert is_syllable("phát", tone_may_be_missing=False)


def test_letters_of_other_scripts_are_left_as_they_are() -> None:
    assert split_tone("дом") == ("дом", "")
    assert strip_marks("Đường ñ дом") == "Duong n дом"
