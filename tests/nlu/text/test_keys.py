from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlu.corrupt import telex_keys, vni_keys
from nlu.text.keys import decode_telex, decode_vni
from nlu.text.syllable import is_bare_syllable, is_syllable, place_tone, split_tone, strip_marks

WORDS = [
    "đăng",
    "ký",
    "khai",
    "sinh",
    "giấy",
    "tờ",
    "chứng",
    "thực",
    "hộ",
    "khẩu",
    "thường",
    "trú",
    "tạm",
    "vắng",
    "căn",
    "cước",
    "định",
    "danh",
    "điện",
    "tử",
    "bảo",
    "hiểm",
    "xã",
    "hội",
    "y",
    "tế",
    "thuế",
    "chuyển",
    "nhượng",
    "quyền",
    "sử",
    "dụng",
    "đất",
    "nhà",
    "ở",
    "kết",
    "hôn",
    "độc",
    "thân",
    "khuyết",
    "tật",
    "trợ",
    "cấp",
    "người",
    "có",
    "công",
    "thương",
    "binh",
    "liệt",
    "sĩ",
    "hỏi",
    "đường",
    "ngoài",
    "nghỉ",
    "việc",
    "nghèo",
    "thoát",
    "nghiệp",
    "tuyến",
    "trực",
    "tiếp",
    "quốc",
    "tịch",
    "uỷ",
    "quyền",
    "hoà",
    "giải",
    "xoá",
    "mật",
    "khẩu",
    "lừa",
    "đảo",
    "phản",
    "ánh",
    "kiến",
    "nghị",
]


@given(st.sampled_from(WORDS))
def test_what_telex_wrote_is_read_again(word: str) -> None:
    regular = place_tone(word)
    keys = telex_keys(regular)
    if keys == regular or ((is_syllable(keys) or is_bare_syllable(keys)) and "oong" not in keys):
        # "giof" spells nothing else, but "ba" is a word as it stands, and words stay; "coong" could be one and is none.
        assert decode_telex(keys) is None
    else:
        assert decode_telex(keys) == regular


@given(st.sampled_from(WORDS))
def test_what_vni_wrote_is_read_again(word: str) -> None:
    regular = place_tone(word)
    if strip_marks(regular) != regular:
        assert decode_vni(vni_keys(regular)) == regular


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("ddawng", "đăng"),
        ("kys", "ký"),
        ("ddangw", "đăng"),
        ("nguowif", "người"),
        ("giaays", "giấy"),
        ("giayas", "giấy"),
        ("tooi", "tôi"),
        ("toio", "tôi"),
        ("coong", "công"),
        ("thoong", "thông"),
    ],
)
def test_keys_may_come_late(typed: str, meant: str) -> None:
    assert decode_telex(typed) == meant


@pytest.mark.parametrize(
    "token",
    [
        "pass",
        "add",
        "tax",
        "max",
        "user",
        "khai",
        "sinh",
        "an",
        "x",
        "vneid",
        "cccd",
        "a1",
        "",
        "ssss",
        "xoong",
        "boong",
    ],
)
def test_what_is_no_telex_stays(token: str) -> None:
    assert decode_telex(token) is None


@pytest.mark.parametrize("token", ["2025", "a1b2", "b2", "18001096", "ky", "q1", "xe50", "09", ""])
def test_what_is_no_vni_stays(token: str) -> None:
    assert decode_vni(token) is None


@given(st.text(max_size=15))
def test_decoders_never_raise_and_give_syllables(token: str) -> None:
    for decoded in (decode_telex(token), decode_vni(token)):
        assert decoded is None or is_syllable(decoded)


@given(st.sampled_from(WORDS))
def test_keys_keep_the_letters(word: str) -> None:
    toneless, _ = split_tone(place_tone(word))
    assert strip_marks(toneless)[0] == telex_keys(word)[0]
