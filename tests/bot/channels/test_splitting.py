"""A reply on a channel that shows text only: cut where a reader pauses, its buttons as a menu by number."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.channels.splitting import clean, menu, numbered, split
from bot.channels.telegram.render import length as utf16
from bot.conversation.model import Button, Reply, SourceLine

MEASURES = pytest.mark.parametrize("measure", [len, utf16])
SOURCE = SourceLine("Cổng Dịch vụ công quốc gia", "https://dichvucong.gov.vn", date(2026, 7, 20))
PAPERS, FEE = Button("Cần giấy tờ gì", "t:khai-sinh:giay-to"), Button("Lệ phí", "t:khai-sinh:le-phi")
PORTAL = Button("Mở Cổng Dịch vụ công", url="https://dichvucong.gov.vn")
buttons = st.lists(
    st.builds(Button, st.text(max_size=20), st.sampled_from(["", "t:a"]), st.sampled_from(["", "https://a.vn", "/a"])),
    max_size=8,
)


class TestSplitting:
    @MEASURES
    @given(st.text(max_size=400), st.integers(min_value=4, max_value=60))
    def test_parts_fit_and_lose_nothing_but_space(self, measure: Callable[[str], int], text: str, limit: int) -> None:
        parts = split(text, limit, measure)
        assert all(0 < measure(part) <= limit for part in parts)
        assert "".join("".join(parts).split()) == "".join(text.split())

    @MEASURES
    @given(st.text(max_size=400), st.integers(min_value=20, max_value=60))
    def test_no_part_begins_with_a_mark_that_belongs_to_the_letter_before(
        self, measure: Callable[[str], int], text: str, limit: int
    ) -> None:
        decomposed = unicodedata.normalize("NFD", f"đề nghị cấp lại thẻ căn cước {text}")
        parts = split(decomposed, limit, measure)
        assert all(0 < measure(part) <= limit for part in parts)
        assert "".join("".join(parts).split()) == "".join(decomposed.split())

    def test_a_cut_falls_between_sentences(self) -> None:
        assert split("Câu một dài. Câu hai dài. Câu ba dài.", 28) == ["Câu một dài. Câu hai dài.", "Câu ba dài."]

    def test_a_character_outside_the_basic_plane_is_not_torn(self) -> None:
        assert {len(part) for part in split("😀" * 50, 21, utf16)} == {10}

    def test_characters_are_counted_as_the_messenger_counts_them(self) -> None:
        assert [len(part) for part in split("😀" * 50, 20)] == [20, 20, 10]

    def test_a_decomposed_word_without_any_pause_is_cut_between_letters(self) -> None:
        for part in split(unicodedata.normalize("NFD", "ế" * 100), 20):
            assert len(part) % 3 == 0
            assert not unicodedata.combining(part[0])

    def test_a_joined_picture_is_not_cut(self) -> None:
        family = "👩\u200d👩\u200d👧"
        assert all(part.replace(family, "") == "" for part in split(family * 20, 20))

    def test_an_early_space_is_better_than_a_torn_word(self) -> None:
        assert split("Mã hồ sơ " + "A" * 30, 32) == ["Mã hồ sơ", "A" * 30]

    def test_what_no_request_can_carry_is_cleaned_away(self) -> None:
        assert clean(" Xin\ud83d\0 chào \n") == "Xin\ufffd chào"


class TestTheMenu:
    def test_choices_are_numbered_and_links_written_out(self) -> None:
        assert menu((PAPERS, PORTAL, FEE)) == (
            "Nhắn số để chọn:\n1. Cần giấy tờ gì\n2. Lệ phí\nMở Cổng Dịch vụ công: https://dichvucong.gov.vn"
        )

    def test_numbers_go_on_where_another_bubble_ended(self) -> None:
        assert menu((PAPERS,), first=4).splitlines()[-1] == "4. Cần giấy tờ gì"

    def test_links_alone_ask_for_no_number(self) -> None:
        assert menu((PORTAL,)) == "Mở Cổng Dịch vụ công: https://dichvucong.gov.vn"

    def test_without_buttons_there_is_no_menu(self) -> None:
        assert menu(()) == ""

    def test_a_reply_ends_with_source_and_menu(self) -> None:
        assert numbered(Reply("Miễn lệ phí.", (FEE,), source=SOURCE), 2000) == [
            "Miễn lệ phí.\nTheo Cổng Dịch vụ công quốc gia, xem ngày 20/7/2026.\n\nNhắn số để chọn:\n1. Lệ phí"
        ]

    def test_a_question_that_lists_its_choices_gets_no_second_list(self) -> None:
        asked = "Anh/chị hỏi việc nào?\n1. Cần giấy tờ gì\n2. Lệ phí\nNhắn số."
        assert numbered(Reply(asked, (PAPERS, FEE)), 2000) == [asked]
        assert numbered(Reply(asked, (PAPERS, FEE, PORTAL)), 2000) == [f"{asked}\n\n{menu((PORTAL,))}"]

    def test_a_button_that_no_number_picks_is_said_by_its_words(self) -> None:
        stop = Button("Dừng nhận thông báo", "a:tat-thong-bao")
        reply = Reply('Muốn dừng, nhắn "dừng".', (FEE, PORTAL, stop), first=0)
        [shown] = numbered(reply, 2000)
        assert shown.splitlines() == [
            'Muốn dừng, nhắn "dừng".',
            "",
            "Anh/chị có thể nhắn lại một trong các câu sau:",
            "- Lệ phí",
            "Mở Cổng Dịch vụ công: https://dichvucong.gov.vn",
        ]

    def test_how_to_stop_is_said_by_the_text_alone(self) -> None:
        stop = Button("Dừng nhận thông báo", "a:tat-thong-bao")
        assert numbered(Reply('Muốn dừng, nhắn "dừng".', (stop,), first=0), 2000) == ['Muốn dừng, nhắn "dừng".']

    def test_the_menu_of_a_second_bubble_goes_on_counting(self) -> None:
        assert numbered(Reply("Kênh hỏi đáp.", (FEE,), first=3), 2000)[0].endswith("3. Lệ phí")

    def test_a_menu_that_does_not_fit_behind_the_text_stays_whole(self) -> None:
        parts = numbered(Reply("Câu dài. " * 10, (PAPERS, FEE)), 90)
        assert parts[-1] == menu((PAPERS, FEE))

    def test_an_empty_reply_says_nothing(self) -> None:
        assert numbered(Reply(" "), 2000) == []

    @MEASURES
    @given(st.text(max_size=500), buttons, st.integers(min_value=20, max_value=300))
    def test_whatever_is_said_fits(
        self, measure: Callable[[str], int], text: str, choices: list[Button], limit: int
    ) -> None:
        parts = numbered(Reply(text, tuple(choices), source=SOURCE), limit, measure)
        assert all(0 < measure(part) <= limit for part in parts)
