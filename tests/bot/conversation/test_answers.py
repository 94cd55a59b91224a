"""How a bubble is put together: what stands in it, in which order, what is left for "Xem đủ"."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from bot.conversation.answers import BUBBLE, answer
from bot.conversation.messages import say
from content.library import Library
from content.model import Topic

TODAY = date(2026, 11, 22)
LAST_DAY = date(2026, 12, 31)


def library(*, tone: str = "normal", **aspects: dict[str, Any]) -> Library:
    """A library of one question, "Học nghề"; each aspect (`le_phi` is le-phi) as its section, with a source filled in."""
    sections = {name.replace("_", "-"): {"source": "mot", **section} for name, section in aspects.items()}
    topic = {
        "slug": "hoc-nghe",
        "kind": "faq",
        "title": "Học nghề",
        "label": "Học nghề",
        "link": "https://dichvucong.gov.vn",
        "tone": tone,
        "sources": {key: {"title": f"Nguồn {key}", "seen_on": date(2026, 7, 20)} for key in ("mot", "hai")},
        "aspects": {"tong-quan": {"answer": "Học nghề ở trung tâm của tỉnh.", "source": "mot"}, **sections},
    }
    return Library({"hoc-nghe": Topic.model_validate(topic)})


def lines(known: Library, *aspects: str, today: date = TODAY, everything: bool = False) -> list[str]:
    return answer(known, "hoc-nghe", aspects, today, everything=everything).text.split("\n")


def line(text: str, when: str | None = None, **more: Any) -> dict[str, Any]:
    return {"text": text, "when": when, **more}


class TestNothingIsSaidTwice:
    @pytest.mark.parametrize(
        ("first", "again"),
        [
            ("Nộp trực tuyến: 7.000 đồng một lần (cá nhân).", line("7.000 đồng một lần.", "Cá nhân, nộp trực tuyến")),
            ("50.000 đồng một bản, cách nộp nào cũng vậy.", line("50.000 đồng một bản.", "Gửi qua bưu điện")),
            ("Xoá thường trú: 5 ngày. Xoá tạm trú: 2 ngày.", line("Xoá tạm trú: 2 ngày.")),
            ("Nộp tờ khai mẫu 01 và ảnh.", line("Nộp: tờ khai mẫu 01.")),
        ],
    )
    def test_a_line_that_repeats_the_first_one_is_left_out(self, first: str, again: dict[str, Any]) -> None:
        known = library(le_phi={"answer": first, "facts": [again, "Thu bằng tiền mặt."]})
        for everything in (False, True):
            assert lines(known, "le-phi", everything=everything) == [first, "• Thu bằng tiền mặt."]

    @pytest.mark.parametrize(
        ("first", "other"),
        [
            ("Nộp trực tuyến: 7.000 đồng một lần.", line("10.000 đồng một lần.", "Nộp trực tuyến")),
            ("50.000 đồng một bản khi nộp trực tiếp.", line("50.000 đồng một bản.", "Gửi qua bưu điện")),
            ("Học ở trung tâm.", line("Không học ở trung tâm.", "Người ở xa")),
            ("Có người nước ngoài đến thì khai báo.", line("Khai báo ngay khi người nước ngoài đến.")),
        ],
        ids=["another figure", "a way the first line did not speak of", "the opposite", "a word that matters"],
    )
    def test_a_line_that_says_more_stays(self, first: str, other: dict[str, Any]) -> None:
        known = library(le_phi={"answer": first, "facts": [other]})
        assert len(lines(known, "le-phi")) == 2

    def test_steps_are_never_left_out(self) -> None:
        known = library(cach_lam={"answer": "Mở ứng dụng rồi chọn lớp.", "facts": ["Mở ứng dụng.", "Chọn lớp."]})
        assert lines(known, "cach-lam")[1:] == ["1. Mở ứng dụng.", "2. Chọn lớp."]


class TestTheOrder:
    def test_what_holds_always_comes_before_what_holds_in_a_case(self) -> None:
        known = library(giay_to={"answer": "Đơn.", "facts": [line("thêm ảnh.", "Học lái xe"), "Giấy khám sức khoẻ."]})
        assert lines(known, "giay-to") == ["Đơn.", "• Giấy khám sức khoẻ.", "• Học lái xe: thêm ảnh."]

    def test_todays_fee_leads_and_tomorrows_takes_over(self) -> None:
        half = line("25.000 đồng đến hết năm (một nửa mức 50.000 đồng).", leads=True, valid_to=LAST_DAY)
        known = library(le_phi={"answer": "50.000 đồng một người.", "facts": [half]})
        assert lines(known, "le-phi", today=LAST_DAY) == [half["text"]]
        assert lines(known, "le-phi", today=date(2027, 1, 1)) == ["50.000 đồng một người.", say("expired_note")]

    def test_condolences_stand_before_the_overview_only(self) -> None:
        known = library(tone="mourning", le_phi={"answer": "50.000 đồng."})
        assert lines(known)[0] == say("mourning")
        assert lines(known, "le-phi") == ["50.000 đồng."]

    @pytest.mark.parametrize(
        ("section", "last"),
        [
            ({"answer": "50.000 đồng."}, "50.000 đồng."),
            ({"answer": "50.000 đồng.", "confidence": "thap"}, say("weak_source")),
            ({"answer": "50.000 đồng.", "facts": [line("Có nơi thu thêm.", confidence="thap")]}, say("weak_source")),
            ({"unknown": True}, say("ask_hotline")),
        ],
        ids=["known", "weak source", "one weak line", "unknown"],
    )
    def test_the_last_line_says_whom_to_ask_where_it_is_needed(self, section: dict[str, Any], last: str) -> None:
        assert lines(library(le_phi=section), "le-phi")[-1] == last


class TestTheSource:
    def named(self, *titles: str) -> str:
        """What stands below an answer whose lines rest on sources with these titles."""
        topic = library(le_phi={"answer": "50.000 đồng.", "facts": [{"text": "Thu tiền mặt.", "source": "hai"}]})[
            "hoc-nghe"
        ]
        sources = {
            key: topic.sources["mot"].model_copy(update={"title": title})
            for key, title in zip(("mot", "hai"), titles, strict=True)
        }
        shown = answer(
            Library({"hoc-nghe": topic.model_copy(update={"sources": sources})}), "hoc-nghe", ["le-phi"], TODAY
        )
        assert shown.source is not None
        return shown.source.title

    def test_two_pages_of_one_site_name_it_once(self) -> None:
        assert (
            self.named("Cổng quốc gia, mã 1.000656", "Cổng quốc gia, mã 1.002635")
            == "Cổng quốc gia, mã 1.000656; mã 1.002635"
        )

    def test_two_sites_are_both_named(self) -> None:
        assert self.named("Luật Hộ tịch", "Luật Cư trú, Điều 20") == "Luật Hộ tịch; Luật Cư trú, Điều 20"

    def test_one_source_is_named_once(self) -> None:
        assert self.named("Luật Hộ tịch", "Luật Hộ tịch") == "Luật Hộ tịch"


class TestTheRoom:
    LONG = "Giấy tờ " * 14

    def test_a_bubble_holds_its_last_line_too(self) -> None:
        facts = [line(f"{self.LONG}{n}.", confidence="thap") for n in range(9)]
        known = library(giay_to={"answer": "Các giấy tờ.", "facts": facts})
        reply = answer(known, "hoc-nghe", ["giay-to"], TODAY)
        assert len(reply.text) <= BUBBLE + reply.text.count("\n")
        assert reply.text.endswith(say("weak_source"))
        assert next(b.label for b in reply.buttons) == say("see_all")

    def test_at_most_five_lines_follow_the_first(self) -> None:
        known = library(giay_to={"answer": "Các giấy tờ.", "facts": [f"Giấy số {n}." for n in range(9)]})
        assert len(lines(known, "giay-to")) == 6
        assert len(lines(known, "giay-to", everything=True)) == 10

    def test_the_rest_is_offered_for_the_aspect_that_has_a_rest(self) -> None:
        """Two aspects were asked and the second one is long: "Xem đủ" opens the second."""
        known = library(
            le_phi={"answer": "50.000 đồng."},
            giay_to={"answer": "Các giấy tờ.", "facts": [f"Giấy số {n}." for n in range(9)]},
        )
        reply = answer(known, "hoc-nghe", ["le-phi", "giay-to"], TODAY)
        assert reply.buttons[0].payload == "m:hoc-nghe:giay-to"

    def test_three_buttons_at_most_and_only_to_what_is_known(self) -> None:
        told = {"answer": "Có ở đây."}
        known = library(
            giay_to={"answer": "Các giấy tờ.", "facts": [f"Giấy số {n}." for n in range(9)]},
            cach_lam=told,
            le_phi={"unknown": True},
            thoi_gian=told,
            noi_nop=told,
        )
        buttons = answer(known, "hoc-nghe", ["giay-to"], TODAY).buttons
        assert [b.payload for b in buttons] == ["m:hoc-nghe:giay-to", "t:hoc-nghe:cach-lam", "t:hoc-nghe:thoi-gian"]
