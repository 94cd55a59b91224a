"""Short answers while the bot waits: numbers, ordinals, labels, yes, no, none of these."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.conversation.choices import begins_with_child, chosen, fold, is_no, is_stop, is_yes, picks_none
from bot.conversation.model import Button

OPTIONS = (
    Button("Cấp lại thẻ căn cước", "t:can-cuoc-cap-lai"),
    Button("Cấp lại bằng lái", "t:cap-lai-giay-phep-lai-xe"),
    Button("Sổ BHXH, thẻ BHYT", "t:cap-lai-so-bhxh-the-bhyt"),
    Button("Bản sao khai sinh", "t:trich-luc-ho-tich"),
)


@pytest.mark.parametrize(
    ("typed", "number"),
    [
        ("2", 2),
        ("Nhắn 2", 2),
        ("số 3", 3),
        ("so 3 a", 3),
        ("cái thứ hai", 2),
        ("cai thu hai", 2),
        ("chọn cái thứ ba nhé", 3),
        ("cái đầu tiên", 1),
        ("thứ nhất", 1),
        ("em chọn số 4", 4),
        ("cái cuối", 4),
        ("cái cuối cùng ạ", 4),
        ("cau 1", 1),
        ("4.", 4),
        ("Cấp lại bằng lái", 2),
        ("bằng lái", 2),
        ("bang lai", 2),
        ("thẻ BHYT", 3),
        ("căn cước", 1),
    ],
)
def test_a_short_answer_picks_its_option(typed: str, number: int) -> None:
    assert chosen(typed, OPTIONS) == OPTIONS[number - 1]


@pytest.mark.parametrize(
    "typed",
    [
        "5",
        "0",
        "cái thứ năm",
        "",
        "  ",
        "khai sinh cần gì",
        "cấp lại",
        "2 triệu đồng",
        "tôi 2 con",
        "làm hộ chiếu",
        "a",
        "không",
    ],
)
def test_what_picks_nothing_or_more_than_one_is_no_choice(typed: str) -> None:
    assert chosen(typed, OPTIONS) is None


def test_without_options_nothing_is_picked() -> None:
    assert chosen("1", ()) is None


@pytest.mark.parametrize(
    "typed", ["có", "Có ạ", "vâng", "dạ vâng ạ", "ok", "đồng ý", "dong y", "ừ", "đúng rồi", "chuẩn luôn", "xoá hết"]
)
def test_forms_of_yes(typed: str) -> None:
    assert is_yes(typed)
    assert not is_no(typed)


@pytest.mark.parametrize(
    "typed", ["không", "ko", "thôi ạ", "không cần đâu", "thôi khỏi", "bỏ qua", "dạ không ạ", "chưa", "huỷ"]
)
def test_forms_of_no(typed: str) -> None:
    assert is_no(typed)
    assert not is_yes(typed)


@pytest.mark.parametrize(
    "typed", ["không phải", "ko phai", "không đúng", "không phải mấy cái đó", "đều không phải", "cái khác"]
)
def test_none_of_the_options(typed: str) -> None:
    assert picks_none(typed)


@pytest.mark.parametrize("typed", ["có phải mang theo gì không", "làm khai sinh", "được không ạ"])
def test_a_question_is_neither_yes_nor_no_nor_none(typed: str) -> None:
    assert not is_yes(typed)
    assert not is_no(typed)
    assert not picks_none(typed)


@given(st.text(max_size=200))
def test_any_text_folds_to_plain_words(text: str) -> None:
    folded = fold(text)
    assert folded == " ".join(folded.split())
    assert fold(folded) == folded
    chosen(text, OPTIONS)


@pytest.mark.parametrize("text", ["dừng", "Dừng lại", "dung", "STOP", "tắt thông báo", "hủy đăng ký"])
def test_a_word_stops_announcements(text: str) -> None:
    assert is_stop(text)


@pytest.mark.parametrize("text", ["đúng", "Đúng", unicodedata.normalize("NFD", "đúng"), "dừng xe ở đâu", ""])
def test_right_is_not_stop(text: str) -> None:
    assert not is_stop(text)


@pytest.mark.parametrize(
    ("typed", "child"),
    [
        ("con nợ tiền điện thì sao", True),
        ("Con tôi 3 tuổi", True),
        ("còn cấp lại thì sao", False),
        ("con cap lai thi sao", False),
        ("cháu còn nhỏ", False),
        ("", False),
    ],
)
def test_con_is_a_child_where_other_words_carry_their_marks(typed: str, child: bool) -> None:
    assert begins_with_child(typed) is child
