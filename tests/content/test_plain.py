"""Whether every answer of the shipped library reads well on a cheap phone: rules over all of it, not over sentences.

`test_truth` asks whether an answer is true; here it is asked whether its first line answers, whether it is short, says
nothing twice, and uses words and figures as people do.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from datetime import date
from typing import Final, NamedTuple

import pytest

from bot.conversation.answers import BUBBLE, answer
from bot.conversation.choices import fold
from bot.conversation.messages import say
from bot.conversation.model import Reply
from content.check import amounts, claims_free
from content.library import load
from content.model import Aspect

LIBRARY: Final = load()
TODAY: Final = date(2026, 11, 22)
SERVICES: Final = tuple(slug for slug, topic in LIBRARY.items() if topic.kind == "service")
REVENUE: Final = ("bo-thue-khoan", "khai-thue-ho-kinh-doanh")


class Shown(NamedTuple):
    """An answer as a citizen gets it, in its short form and with "Xem đủ"."""

    slug: str
    aspect: Aspect
    short: Reply
    full: Reply

    @property
    def place(self) -> str:
        return f"{self.slug}.{self.aspect}"

    @property
    def first(self) -> str:
        """The first line that answers: what follows the condolences."""
        return next(line for line in self.short.text.split("\n") if line != say("mourning"))

    @property
    def lines(self) -> list[str]:
        """All lines of the full answer, without the marks before them and without the bot's own last line."""
        own = {say("mourning"), say("weak_source"), say("ask_hotline"), say("expired_note")}
        return [re.sub(r"^(?:•|\d+\.) ", "", line) for line in self.full.text.split("\n") if line not in own]


def _shown() -> Iterator[Shown]:
    for slug, topic in LIBRARY.items():
        for aspect in topic.aspects:
            short = answer(LIBRARY, slug, [aspect], TODAY)
            yield Shown(slug, aspect, short, answer(LIBRARY, slug, [aspect], TODAY, everything=True))


ANSWERS: Final = tuple(_shown())
LINES: Final = tuple((shown, line) for shown in ANSWERS for line in shown.lines)


def about(aspect: Aspect) -> list[Shown]:
    return [shown for shown in ANSWERS if shown.aspect == aspect]


# --- the first line answers ------------------------------------------------------------------------------------------

UNKNOWN: Final = re.compile(r"chưa công bố")
DURATION: Final = re.compile(
    r"\b\d+ (?:giờ|ngày)\b|trong ngày|\bngay\b|ngay sau|[Kk]hông có hạn|Cổng ghi “\d+” mà không ghi đơn vị",
    re.IGNORECASE,
)
PLACE: Final = re.compile(
    r"UBND|Công an|Trung tâm|[Cc]ơ quan|Cổng Dịch vụ công|VNeID|\.gov\.vn|Sở |Thuế|[Tt]rường|Ban Chỉ huy|[Cc]ơ sở|[Nn]ơi làm việc"
    r"|Bảo hiểm xã hội|Phòng|Kênh chưa có địa chỉ"
)


def test_a_fee_question_is_answered_by_an_amount_or_by_admitting_that_there_is_none() -> None:
    """A figure, "no fee" (traced in test_truth), the amount of somebody else's decision, or "chưa công bố"."""
    silent = [
        f"{shown.place}: {shown.first}"
        for shown in about("le-phi")
        if not amounts(shown.first)
        and not claims_free(shown.first)
        and not UNKNOWN.search(shown.first)
        and not shown.first.startswith("Số tiền nộp bằng số tiền ghi trong quyết định")
    ]
    assert silent == []


def test_a_time_question_is_answered_by_a_time() -> None:
    silent = [
        f"{s.place}: {s.first}" for s in about("thoi-gian") if not (DURATION.search(s.first) or UNKNOWN.search(s.first))
    ]
    assert silent == []


def test_a_place_question_is_answered_by_a_place() -> None:
    assert [f"{s.place}: {s.first}" for s in about("noi-nop") if not PLACE.search(s.first)] == []


@pytest.mark.parametrize("slug", REVENUE)
@pytest.mark.parametrize("aspects", [[], ["doi-tuong"], ["le-phi"]], ids=["overview", "who", "how much"])
def test_whoever_asks_from_which_revenue_they_pay_reads_the_threshold_first(slug: str, aspects: list[str]) -> None:
    """Nghị định 141/2026/NĐ-CP: 1 tỷ đồng a year, from 01/01/2026."""
    assert "1 tỷ đồng một năm" in answer(LIBRARY, slug, aspects, TODAY).text.split("\n")[0]


def test_who_opens_a_shop_is_told_the_threshold() -> None:
    for aspects in ([], ["le-phi"]):
        assert "1 tỷ đồng một năm" in answer(LIBRARY, "thanh-lap-ho-kinh-doanh", aspects, TODAY).text


def test_a_time_the_portal_prints_without_a_unit_is_told_so_and_sent_to_the_hotline() -> None:
    bare = [shown for shown in ANSWERS if "mà không ghi đơn vị" in shown.first]
    assert len(bare) >= 5
    for shown in bare:
        assert LIBRARY[shown.slug].aspects[shown.aspect].confidence == "thap"
        assert shown.short.text.endswith(say("weak_source"))


# --- short -----------------------------------------------------------------------------------------------------------


def test_a_first_bubble_fits_a_phone() -> None:
    """About 600 characters, the first line and five more, condolences and whom to ask included."""
    long = [f"{s.place}: {len(s.short.text)}" for s in ANSWERS if len(s.short.text) > BUBBLE + 20]
    assert long == []
    assert [s.place for s in ANSWERS if len(s.short.text.split("\n")) > 8] == []


@pytest.mark.parametrize("pair", [("giay-to", "le-phi"), ("thoi-gian", "noi-nop"), ("cach-lam", "giay-to")])
def test_a_question_about_two_things_fits_a_phone_too(pair: tuple[Aspect, Aspect]) -> None:
    long = [s for s in SERVICES if len(answer(LIBRARY, s, pair, TODAY).text) > BUBBLE + 120]
    assert long == []


def test_no_line_is_longer_than_five_rows_of_a_phone() -> None:
    assert [f"{s.place}: {line}" for s, line in LINES if len(line) > 200] == []


def test_few_buttons_and_each_leads_to_an_answer() -> None:
    """Three at most (a pack of materials may be the fourth); no button to an aspect that is unknown."""
    for shown in ANSWERS:
        assert 0 < len(shown.short.buttons) <= 3, shown.place
        for button in shown.short.buttons:
            kind, slug, *aspect = button.payload.split(":")
            assert slug in LIBRARY, shown.place
            if kind == "t" and aspect:
                assert LIBRARY.known(slug, aspect[0], TODAY).answer is not None, f"{shown.place} → {button.payload}"  # type: ignore[arg-type]


# --- nothing twice ---------------------------------------------------------------------------------------------------


def test_no_answer_has_a_line_twice() -> None:
    for shown in ANSWERS:
        folded = [fold(line) for line in shown.lines]
        assert len(set(folded)) == len(folded), shown.place


@pytest.mark.parametrize("aspect", ["le-phi", "thoi-gian"])
def test_figures_of_the_first_line_are_not_told_again_in_the_same_words(aspect: Aspect) -> None:
    """A line under the first one brings a figure or at least two words that the first line does not have."""
    again = []
    for shown in about(aspect):
        first = set(fold(shown.first).split())
        for line in shown.lines[1:]:
            new = [word for word in set(fold(line).split()) - first if word.isdigit() or len(word) > 1]
            if len(new) < 2 and not any(word.isdigit() for word in new):
                again.append(f"{shown.place}: {line}")
    assert again == []


# --- words and figures -----------------------------------------------------------------------------------------------

STIFF: Final = re.compile(
    r"\b(?:bạn|quý khách|quý vị|chúng tôi|công dân vui lòng)\b|theo quy định của pháp luật|nêu trên|căn cứ vào|nhằm mục đích"
    r"|nghĩa vụ tài chính|đối với trường hợp|tổ chức, cá nhân có nhu cầu|TTHC|CSDL|ĐVHC|HĐND|QLNN|GPLX|BTXH",
    re.IGNORECASE,
)
KNOWN_LETTERS: Final = frozenset(
    {
        "UBND",
        "OTP",
        "QR",
        "NFC",
        "BHXH",
        "BHYT",
        "CMND",
        "TNHH",
        "HIV",
        "PET",
        "ATM",
        "CH",
        "VNPAY",
        "BIDV",
        "II",
        "III",
        "IV",
        "XII",
    }
)
"""Letters that people read every day or that stand on the thing itself (a card, a shop, an appendix)."""
_NAMES_OF_PAPERS: Final = re.compile(r"[\w.]*\d[\w.]*[/\-][\w./\-]*|[A-ZĐ]{2,}[\w.]*[/\-][\w./\-]*|\b\w*\d\w*\b")
_DATE: Final = re.compile(r"(?<![\d/])\d{1,2}/\d{1,2}/\d{4}(?!\d)")


def test_no_stiff_or_strange_words() -> None:
    assert [f"{s.place}: {line}" for s, line in LINES if STIFF.search(line)] == []


def test_every_abbreviation_is_one_that_people_read_every_day() -> None:
    strange = {
        word: shown.place
        for shown, line in LINES
        for word in re.findall(r"\b[A-ZĐ]{2,}\b", _NAMES_OF_PAPERS.sub(" ", line))
        if word not in KNOWN_LETTERS
    }
    assert strange == {}


def test_dates_exist_and_numbers_are_written_as_people_write_them() -> None:
    for shown, line in LINES:
        for written in _DATE.findall(line):
            day, month, year = map(int, written.split("/"))
            date(year, month, day)
            assert written == f"{day:02d}/{month if month > 2 else f'{month:02d}'}/{year}", f"{shown.place}: {line}"
        assert not re.search(r"\b0\d+ (?:ngày|giờ|tháng|năm|bản)\b|\d %", line), f"{shown.place}: {line}"


def test_marks_are_set_as_in_print() -> None:
    """“Quoted”, no double spaces, no space before a comma, a full stop or a question mark at the end."""
    for shown, line in LINES:
        assert not re.search(r"\s[,.;:?]|[,;:]{2}|\s{2}", line), f"{shown.place}: {line}"
        assert line.rstrip("”")[-1] in ".?…)", f"{shown.place}: {line}"
        assert line.count("“") == line.count("”"), f"{shown.place}: {line}"


def test_nothing_of_this_year_outlives_it() -> None:
    """On the first day of 2027 no answer tells a half fee or a term that ended with 2026."""
    gone = re.compile(r"31/12/2026|một nửa|(?<![\d.])(?:25|35)\.000 đồng")
    late = [
        f"{slug}.{aspect}"
        for slug, aspect in ((s.slug, s.aspect) for s in ANSWERS)
        if gone.search(answer(LIBRARY, slug, [aspect], date(2027, 1, 1), everything=True).text)
    ]
    assert late == []


def test_the_decree_on_one_stop_shops_is_never_named_without_its_amendment() -> None:
    """118/2025/NĐ-CP was amended by 367/2025/NĐ-CP, in what is told and in the sources that are shown."""
    shown = itertools.chain(
        ((s.place, line) for s, line in LINES),
        ((slug, source.title) for slug, topic in LIBRARY.items() for source in topic.sources.values()),
    )
    assert [place for place, text in shown if "118/2025/NĐ-CP" in text and "367/2025" not in text] == []
