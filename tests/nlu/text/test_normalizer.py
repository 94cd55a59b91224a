"""Text as typed becomes regular syllables that still know where they stood."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlu.corrupt import telex_keys, vni_keys
from nlu.text.keys import decode_telex, decode_vni
from nlu.text.normalizer import MAX_CHARACTERS, Normalizer
from nlu.text.syllable import is_syllable, place_tone, strip_marks

NORMALIZE = Normalizer.from_lexicons()
WORDS = [
    "đăng",
    "ký",
    "thường",
    "trú",
    "giấy",
    "khai",
    "sinh",
    "quyền",
    "người",
    "được",
    "nghiệp",
    "thuế",
    "đường",
    "chuyển",
    "hưởng",
    "khuyết",
    "tuổi",
    "quý",
    "giờ",
    "gì",
]


@pytest.mark.parametrize(
    ("typed", "regular"),
    [
        ("Hoà, Thuỷ, Uỷ ban", "hòa thủy ủy ban"),
        ("ddawng kys khai sinh", "đăng ký khai sinh"),
        ("d9a8ng ky1", "đăng ký"),
        ("ko bt lm ntn", "không biết làm như thế nào"),
        ("đk tạm trú hết bn tiền", "đăng ký tạm trú hết bao nhiêu tiền"),
        ("cccd", "căn cước"),
        ("khai\u200bsinh", "khaisinh"),
        ("ＫＨＡＩ sinh", "khai sinh"),
        ("đẹp quáaaaa", "đẹp quá"),
        ("vneid", "vneid"),
        ("lam giay khai sinh", "lam giay khai sinh"),
    ],
)
def test_it_is_made_regular(typed: str, regular: str) -> None:
    assert NORMALIZE(typed).text == regular


@pytest.mark.parametrize("word", WORDS)
def test_keys_of_an_input_method_are_undone(word: str) -> None:
    for keys, decode in ((telex_keys(word), decode_telex), (vni_keys(word), decode_vni)):
        if keys != word:
            assert decode(keys) == place_tone(word)


@pytest.mark.parametrize("word", ["pass", "app", "tax", "web", "khai", "sinh", "facebook", "ct01"])
def test_what_is_no_residue_stays(word: str) -> None:
    assert decode_telex(word) is None
    assert decode_vni(word) is None


@pytest.mark.parametrize("word", ["được", "giếng", "quyển", "nghiêng", "khuỷu", "thuở", "gì", "già"])
def test_real_syllables(word: str) -> None:
    assert is_syllable(word)


@pytest.mark.parametrize("word", ["zzz", "xyz", "ccd", "đươcc", "pht", ""])
def test_no_syllables(word: str) -> None:
    assert not is_syllable(word)


@given(st.text(max_size=300))
def test_every_syllable_knows_where_it_stood(text: str) -> None:
    at = 0
    for syllable in NORMALIZE(text).syllables:
        assert 0 <= syllable.start < syllable.end <= len(text)
        assert syllable.start >= at or syllable.end == at
        at = syllable.end


@given(st.lists(st.sampled_from(WORDS), max_size=8).map(" ".join))
def test_composed_and_decomposed_text_read_alike(text: str) -> None:
    composed = NORMALIZE(unicodedata.normalize("NFC", text))
    assert NORMALIZE(unicodedata.normalize("NFD", text)).text == composed.text
    assert composed.bare == strip_marks(composed.text)


def test_only_the_head_of_a_huge_text_is_read() -> None:
    assert len(NORMALIZE("khai sinh " * 5000).syllables) <= MAX_CHARACTERS / 4


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("đăng kí", "đăng ký"),
        ("dang ki", "dang ky"),
        ("lí lịch", "lý lịch"),
        ("quí", "quý"),
        ("kĩ", "kỹ"),
        ("Mĩ", "mỹ"),
    ],
)
def test_i_and_y_are_one_where_the_country_writes_both(one: str, other: str) -> None:
    assert NORMALIZE(one).texts == NORMALIZE(other).texts


@pytest.mark.parametrize("text", ["phí", "nghỉ", "thì", "đi", "khi", "bị", "chí"])
def test_i_stays_where_everybody_writes_it(text: str) -> None:
    assert NORMALIZE(text).texts == [text]
