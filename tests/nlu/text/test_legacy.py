"""Text pasted from documents older than Unicode."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlu.text.legacy import decode
from nlu.text.normalizer import Normalizer

NORMALIZE = Normalizer.from_lexicons()


@pytest.mark.parametrize(
    ("pasted", "meant"),
    [
        ("§¨ng ký khai sinh cho con", "Đăng ký khai sinh cho con"),
        ("Thñ tôc cÊp l¹i thÎ c¨n c­íc", "Thủ tục cấp lại thẻ căn cước"),
        ("giÊy phÐp x©y dùng nhµ ë", "giấy phép xây dựng nhà ở"),
        ("Ñaêng kyù khai sinh cho con", "Đăng ký khai sinh cho con"),
        ("thuû tuïc caáp laïi theû caên cöôùc", "thủ tục cấp lại thẻ căn cước"),
        ("giaáy pheùp xaây döïng nhaø ôû", "giấy phép xây dựng nhà ở"),
    ],
)
def test_old_fonts_are_read(pasted: str, meant: str) -> None:
    decoded = decode(pasted)
    assert decoded is not None
    assert decoded[0] == meant
    assert NORMALIZE(pasted).text == NORMALIZE(meant).text


@pytest.mark.parametrize(
    "text",
    ["Đăng ký khai sinh ở đâu ạ", "phí 50.000đ (20 £)", "España và Malmö", "naïve café", "cần gì không? ®", "10 × 20"],
)
def test_other_texts_stay_as_they_are(text: str) -> None:
    assert decode(text) is None


def test_spans_point_at_what_was_pasted() -> None:
    pasted = "xin caáp laïi theû"
    assert [pasted[s.start : s.end] for s in NORMALIZE(pasted).syllables] == ["xin", "caáp", "laïi", "theû"]


@given(st.text(alphabet="§¨ng ký ñaêêùøûõï µ¶¸¹aeiouy\u00ad", max_size=40))
def test_every_character_knows_its_place(text: str) -> None:
    decoded = decode(text)
    if decoded is None:
        return
    characters, places = decoded
    assert len(places) == len(characters) + 1
    assert places == sorted(places)
    assert places[-1] == len(text)
