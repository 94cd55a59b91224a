from __future__ import annotations

import time
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlu.text.normalizer import MAX_CHARACTERS, Normalizer, read_lexicons, repair_token

NORMALIZE = Normalizer.from_lexicons()
VIETNAMESE = st.text(
    alphabet="aăâbcdđeêghiklmnoôơpqrstuưvxy áàảãạấầẩẫậắằẳẵặéèẻẽẹếềểễệíìỉĩịóòỏõọốồổỗộớờởỡợúùủũụứừửữựýỳỷỹỵ 0123456789.,?!-",
    max_size=60,
)


@given(st.one_of(st.text(max_size=80), VIETNAMESE))
def test_every_span_lies_in_the_text_in_order(text: str) -> None:
    at = 0
    last = (0, 0)
    for syllable in NORMALIZE(text).syllables:
        assert 0 <= syllable.start < syllable.end <= len(text)
        # Syllables of one expanded abbreviation share their span; otherwise spans follow each other.
        assert (syllable.start, syllable.end) == last or syllable.start >= at
        at, last = syllable.end, (syllable.start, syllable.end)
        assert syllable.text


@given(VIETNAMESE)
def test_composed_and_decomposed_text_are_the_same(text: str) -> None:
    composed = NORMALIZE(unicodedata.normalize("NFC", text))
    decomposed = NORMALIZE(unicodedata.normalize("NFD", text))
    assert composed.text == decomposed.text


@given(VIETNAMESE)
def test_case_does_not_matter(text: str) -> None:
    assert NORMALIZE(text.upper()).text == NORMALIZE(text).text


def test_spans_point_at_what_was_typed() -> None:
    text = "Em mất CCCD, k bik lm ntn ạ"
    normalized = NORMALIZE(text)
    found = {s.text: text[s.start : s.end] for s in normalized.syllables}
    assert found["căn"] == found["cước"] == "CCCD"
    assert found["như"] == "ntn"
    assert normalized.bare == "em mat can cuoc khong biet lam nhu the nao a"


@pytest.mark.parametrize(
    ("typed", "regular"),
    [
        ("ddawng kys khai sinh", "đăng ký khai sinh"),
        ("d9a8ng ky1", "đăng ký"),
        ("hoà giải", "hòa giải"),
        ("trờiiiii ơi", "trời ơi"),
        ("quên mk vneid", "quên mật khẩu vneid"),
        ("mk muốn hỏi", "mình muốn hỏi"),
        ("con e là hs lớp 9", "con em là học sinh lớp 9"),
        ("hs gồm j", "hồ sơ gồm gì"),
        ("k dk à", "không được à"),
        ("đk kết hôn", "đăng ký kết hôn"),
        ("nhập hk cho con", "nhập hộ khẩu cho con"),
        ("thẻ bh hết hạn", "thẻ bảo hiểm hết hạn"),
        ("bằng hạng a", "bằng hạng a"),
        ("ＣＣＣＤ", "căn cước"),
        ("kh\u200bai s\u00adinh", "khai sinh"),
    ],
)
def test_everyday_writing_becomes_regular(typed: str, regular: str) -> None:
    assert NORMALIZE(typed).text == regular


@pytest.mark.parametrize(
    "text",
    [
        "công ty cổ phần",
        "chụp ảnh thẻ",
        "đi máy bay",
        "chi phí của chi nhánh",
        "mô hình kinh tế",
        "thắc mắc về trái tuyến",
        "mua nha o xa hoi",
        "the hong roi",
        "nhổ răng",
        "quán giò chả",
        "bai hoc so hai",
    ],
)
def test_the_lexicon_leaves_ordinary_words_alone(text: str) -> None:
    assert NORMALIZE(text).text == text


@pytest.mark.parametrize("text", ["tat ca giay to", "bai hoc so hai", "ban do xa", "dang o nha", "hoi cho me"])
def test_the_lexicon_may_give_bare_words_their_marks_but_no_other_letters(text: str) -> None:
    assert NORMALIZE(text).bare == text


def test_lexicon_values_are_regular_themselves() -> None:
    loose = Normalizer({})
    broken = {
        value
        for value in read_lexicons(Path(__file__).parents[2] / "nlu" / "lexicon").values()
        if not loose(value).text
    }
    assert not broken


@pytest.mark.parametrize("token", ["cccd", "vneid", "18001096", "pass", "khai"])
def test_tokens_that_need_nothing_stay(token: str) -> None:
    assert repair_token(token) == token


@pytest.mark.parametrize(
    "text",
    [
        "",
        " \n\t",
        "😀" * 400,
        "\x00\x01\x1f",
        "مرحبا שלום",
        "\u200b" * 3000,
        "a" * 20_000,
        "đăng ký " * 2500,
        "a\u0301" * 9000,
        "x1" * 9000,
    ],
)
def test_odd_texts_are_read_quickly(text: str) -> None:
    begin = time.process_time()
    syllables = NORMALIZE(text).syllables
    assert time.process_time() - begin < 0.5
    assert all(s.end <= MAX_CHARACTERS for s in syllables)
