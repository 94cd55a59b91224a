"""What the shipped texts may never say: one test for each of the ten traps found while the facts were gathered.

Each of them once stood in a source that looks official: an empty cell that reads "Miễn phí", a discount that has
ended, a decree that was replaced. A test here fails as soon as a text of the library falls into its trap.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from typing import Final, NamedTuple
from urllib.parse import urlsplit

import pytest

from bot.conversation.answers import answer
from content.check import allowed_link, amounts, claims_free
from content.library import load
from content.model import ASPECTS, Aspect, Fact, Section, Topic

LIBRARY: Final = load()
TODAY: Final = date(2026, 11, 22)
LAST_DAY_OF_HALF: Final = date(2026, 12, 31)
"""Thông tư 64/2025/TT-BTC: half of some fees up to and including this day."""
NEW_YEAR: Final = date(2027, 1, 1)


class Told(NamedTuple):
    """One sentence of the library with its place; `fact` is None for the first line of a section."""

    slug: str
    aspect: Aspect
    text: str
    section: Section
    fact: Fact | None

    @property
    def place(self) -> str:
        return f"{self.slug}.{self.aspect}: {self.text}"


def told(topic: Topic) -> Iterator[Told]:
    """Return every sentence of a topic as a citizen reads it."""
    for aspect, section in topic.aspects.items():
        if section.answer is not None:
            yield Told(topic.slug, aspect, section.answer, section, None)
        for fact in section.facts:
            text = f"{fact.when}: {fact.text}" if fact.when else fact.text
            yield Told(topic.slug, aspect, text, section, fact)


EVERYTHING: Final = tuple(line for topic in LIBRARY.values() for line in told(topic))

_RELIEF: Final = "chú thích ở ô phí của cổng miễn lệ phí cho ba diện này bằng lời, không phải ô trống"
_FIRST_CARD: Final = "bản ghi 1.116405 (18/9/2026) ghi rõ: cấp mới miễn phí"
_MERGER_CARD: Final = "bản ghi 1.116405 (18/9/2026) ghi rõ: cấp đổi do sắp xếp đơn vị hành chính miễn phí"
_IN_TIME: Final = "chú thích ở 1.000656: miễn lệ phí đối với trường hợp đăng ký khai tử đúng hạn"
_MARRIAGE: Final = "chú thích ở 1.000894: “Miễn lệ phí.” cho cả ba cách nộp"
_ADOPTION: Final = "chú thích ở 2.001263 kể các trường hợp miễn lệ phí đăng ký nuôi con nuôi"
_GUARDIAN: Final = "chú thích ở 1.004845, nộp trực tiếp, miễn cho ba diện"
_COOPERATIVE: Final = "chú thích ở 2.002637: không thu đối với tổ hợp tác (khoản 2 Điều 22 Luật Hợp tác xã)"
_FARM_LOAN: Final = "chú thích ở 2.001035: không phải nộp phí chứng thực hợp đồng thế chấp vay làm nông nghiệp"
_NOT_A_FEE: Final = "không khẳng định thủ tục nào không mất phí"

FREE_AND_WHY: Final = {
    "Thử nghiệm trên VNeID từ 22/5/2025; một số nhà cung cấp miễn phí khi dùng cho dịch vụ công.": _NOT_A_FEE,
    "Được miễn lệ phí trước bạ: giấy tờ chứng minh nhà đất hoặc chủ nhà đất thuộc diện miễn.": _NOT_A_FEE,
    "Muốn đổi thẻ căn cước vì sắp xếp đơn vị hành chính thì không mất lệ phí.": _MERGER_CARD,
    "Đổi thẻ căn cước vì sáp nhập xã, tỉnh: không mất lệ phí (Cổng ghi rõ ở mã 1.116405).": _MERGER_CARD,
    "Muốn đổi thẻ vì sáp nhập thì không mất lệ phí.": _MERGER_CARD,
    "Đổi thẻ căn cước: 50.000 đồng một thẻ; đổi vì sáp nhập xã, tỉnh thì không mất lệ phí.": _MERGER_CARD,
    "Đổi vì sáp nhập xã, tỉnh: không mất lệ phí; Cổng ghi rõ ở mã 1.116405.": _MERGER_CARD,
    "Cổng ghi rõ gia đình có công với cách mạng, hộ nghèo, người khuyết tật được miễn lệ phí.": _RELIEF,
    "Cấp thẻ lần đầu không mất lệ phí.": _FIRST_CARD,
    "Cấp thẻ căn cước lần đầu: không mất lệ phí (Cổng ghi rõ ở mã 1.116405).": _FIRST_CARD,
    "Có thẻ sau 7 ngày làm việc; cấp lần đầu không mất lệ phí.": _FIRST_CARD,
    "Cấp thẻ căn cước lần đầu cho trẻ: không mất lệ phí (Cổng ghi rõ ở mã 1.116405).": _FIRST_CARD,
    "Cá nhân, hộ gia đình vay tổ chức tín dụng làm nông nghiệp, nông thôn: không phải nộp phí chứng "
    "thực hợp đồng thế chấp tài sản.": _FARM_LOAN,
    "Chấm dứt giám hộ, nộp trực tiếp: miễn lệ phí cho gia đình có công, hộ nghèo, người khuyết tật.": _GUARDIAN,
    "Đăng ký kết hôn tại UBND xã, phường, được miễn lệ phí; cả hai người cùng đến ký khi nhận giấy.": _MARRIAGE,
    "Đăng ký kết hôn: miễn lệ phí, cách nộp nào cũng vậy (Cổng ghi rõ ở mã 1.000894).": _MARRIAGE,
    "Khai tử trong 15 ngày kể từ ngày mất; đúng hạn thì miễn lệ phí khai tử.": _IN_TIME,
    "Phần khai tử: đúng hạn (trong 15 ngày) thì miễn lệ phí.": _IN_TIME,
    "Đăng ký đúng hạn thì được miễn lệ phí.": _IN_TIME,
    "Đăng ký khai tử đúng hạn (trong 15 ngày): miễn lệ phí.": _IN_TIME,
    "Cha dượng, mẹ kế nhận con riêng; cô, cậu, dì, chú, bác ruột nhận cháu: miễn lệ phí.": _ADOPTION,
    "Nhận trẻ khuyết tật, nhiễm HIV/AIDS hoặc mắc bệnh hiểm nghèo: miễn lệ phí.": _ADOPTION,
    "Người có công với cách mạng nhận con nuôi: miễn lệ phí.": _ADOPTION,
    "Tổ hợp tác không mất lệ phí đăng ký; hợp tác xã nộp theo mức của Hội đồng nhân dân tỉnh, chưa "
    "rõ số tiền.": _COOPERATIVE,
    "Tổ hợp tác: không thu lệ phí đăng ký, cách nộp nào cũng vậy (Luật Hợp tác xã 2023, khoản 2 "
    "Điều 22).": _COOPERATIVE,
}
"""Every sentence of the library that tells of nothing to pay, with the official sentence it rests on."""

CARDS: Final = ("can-cuoc-lan-dau", "can-cuoc-tre-em", "can-cuoc-doi", "can-cuoc-cap-lai")
CIVIL_STATUS: Final = ("khai-sinh", "khai-sinh-lai", "tinh-trang-hon-nhan", "cai-chinh-ho-tich", "nhan-cha-me-con")
HOUSEHOLD_BUSINESS: Final = (
    "thanh-lap-ho-kinh-doanh",
    "thay-doi-ho-kinh-doanh",
    "tam-ngung-ho-kinh-doanh",
    "cham-dut-ho-kinh-doanh",
    "cap-lai-dang-ky-ho-kinh-doanh",
)
LAND: Final = (
    "so-do-lan-dau",
    "bien-dong-dat-dai",
    "cap-doi-so-do",
    "tach-thua-hop-thua",
    "dinh-chinh-so-do",
    "chuyen-muc-dich-dat",
    "tranh-chap-dat-dai",
)
BUILDING: Final = ("giay-phep-xay-dung", "giay-phep-sua-chua-nha", "gia-han-giay-phep-xay-dung")


# --- the ten traps ---------------------------------------------------------------------------------------------------


def test_trap_1_an_empty_cell_is_not_free() -> None:
    """ "Miễn phí" on the portal is often an empty cell."""
    claims = {line.text: line.place for line in EVERYTHING if claims_free(line.text)}
    assert [place for text, place in claims.items() if text not in FREE_AND_WHY] == []
    assert [text for text in FREE_AND_WHY if text not in claims] == [], "a reason is kept for a sentence that is gone"
    assert all(FREE_AND_WHY.values())


@pytest.mark.parametrize("slug", [*CIVIL_STATUS, *HOUSEHOLD_BUSINESS, *LAND, *BUILDING])
def test_trap_2_fees_of_the_province_are_not_invented(slug: str) -> None:
    """Fees of the provincial People's Council are unknown until its resolution is read; copies (8.000) are national."""
    section = LIBRARY[slug].aspects["le-phi"]
    assert section.unknown
    told_amounts = [a for fact in section.facts for a in amounts(fact.text)]
    assert set(told_amounts) <= {8000}


def test_trap_3_expired_discounts_are_not_told() -> None:
    """The portal keeps printing 160.000/320.000 (passport) and 115.000 (driving licence) long after they ended."""
    gone = re.compile(r"(?<![\d.])(?:160|320|115)\.000(?![\d.])|(?<!\d)(?:160000|320000|115000)(?!\d)")
    assert [line.place for line in EVERYTHING if gone.search(line.text)] == []
    stored = {line.fact.amount for line in EVERYTHING if line.fact is not None}
    assert stored.isdisjoint({160_000, 320_000, 115_000})
    discounts = [line for line in EVERYTHING if re.search(r"\b50 ?%|một nửa", line.text) and line.aspect == "le-phi"]
    assert {line.slug for line in discounts} >= {"can-cuoc-doi", "can-cuoc-cap-lai", "phi-khi-nop-truc-tuyen"}
    for line in discounts:
        end = (line.fact.valid_to if line.fact else None) or line.section.valid_to
        assert end == LAST_DAY_OF_HALF, line.place


@pytest.mark.parametrize(
    ("slug", "half", "full"), [("can-cuoc-doi", "25.000", "50.000"), ("can-cuoc-cap-lai", "35.000", "70.000")]
)
def test_trap_3_the_half_fee_of_identity_cards_ends_with_the_year(slug: str, half: str, full: str) -> None:
    """On the first day of 2027 neither the library nor a composed answer tells the half fee any more."""
    for day, is_told in ((TODAY, True), (LAST_DAY_OF_HALF, True), (NEW_YEAR, False)):
        known = LIBRARY.known(slug, "le-phi", day)
        assert known.answer is not None
        assert (half in known.answer.text) is is_told
        assert known.expired is not is_told
        for everything in (False, True):
            text = answer(LIBRARY, slug, ["le-phi"], day, everything=everything).text
            assert (half in text or "một nửa" in text) is is_told
            assert full in text


@pytest.mark.parametrize("slug", CARDS)
def test_trap_4_identity_cards_follow_the_rules_of_2026(slug: str) -> None:
    """The codes and forms changed in summer 2026: 1.116405, 1.116410; Thông tư 118/2026/TT-BCA."""
    topic = LIBRARY[slug]
    assert topic.codes[:2] == ("1.116410", "1.116405")
    source = topic.sources[topic.aspects["bieu-mau"].source or ""]
    assert "1.116405" in source.title
    assert "1.116410" in source.title
    assert source.seen_on >= date(2026, 9, 1)
    forms = topic.aspects["bieu-mau"].answer or ""
    assert all(name in forms for name in ("CC01", "DC01", "DC02", "118/2026/TT-BCA"))
    basis = [line.text for line in told(topic) if line.aspect == "can-cu"]
    assert any("118/2026/TT-BCA" in text for text in basis)


@pytest.mark.parametrize("slug", HOUSEHOLD_BUSINESS)
def test_trap_5_household_business_says_that_the_rules_were_amended(slug: str) -> None:
    """The crawled rows are older than Nghị định 296/2026/NĐ-CP of 23/7/2026."""
    sections = LIBRARY[slug].aspects
    assert all(section.confidence == "thap" for section in sections.values() if section.answer)
    assert any("296/2026/NĐ-CP" in line.text for line in told(LIBRARY[slug]) if line.aspect == "tong-quan")
    assert not any("2353/QĐ-BTC" in line.text for line in told(LIBRARY[slug]))


def test_trap_6_the_tax_threshold_is_one_billion() -> None:
    """Nghị định 141/2026/NĐ-CP: 1 tỷ đồng a year; 200 and 500 triệu only as figures of the past."""
    for slug in ("bo-thue-khoan", "khai-thue-ho-kinh-doanh"):
        first = LIBRARY[slug].aspects["tong-quan"].answer or ""
        assert "1 tỷ đồng" in first
    past = re.compile(r"mức cũ|không còn đúng|trước đây")
    figure = re.compile(r"\b(?:200|500)(?: triệu|\.000\.000)|\b200 và 500 triệu")
    old = [line for line in EVERYTHING if figure.search(line.text)]
    assert [line.place for line in old if not past.search(line.text)] == []
    assert [line.place for line in EVERYTHING if "68/2026" in line.text and "141/2026" not in line.text] == []


def test_trap_7_the_old_decree_on_personal_data_is_not_in_force() -> None:
    """Nghị định 356/2025/NĐ-CP replaced 13/2023/NĐ-CP; 118/2025 was amended by 367/2025."""
    mentions = [line for line in EVERYTHING if "13/2023/NĐ-CP" in line.text]
    assert [line.place for line in mentions if "không còn hiệu lực" not in line.text] == []
    assert any("356/2025/NĐ-CP" in line.text for line in told(LIBRARY["bao-ve-du-lieu-ca-nhan"]))
    assert not any("72 giờ" in line.text for line in EVERYTHING)
    window = [line for line in told(LIBRARY["nop-ho-so-o-dau"]) if "118/2025/NĐ-CP" in line.text]
    assert window
    assert all("367/2025/NĐ-CP" in line.text for line in window)


def test_trap_8_only_links_that_were_seen_to_work() -> None:
    """The portal moved in March 2026; provincial portals are closed."""
    bad = []
    for slug, topic in LIBRARY.items():
        urls = [topic.link, *(source.url for source in topic.sources.values() if source.url)]
        urls += [url for line in told(topic) for url in re.findall(r"https?://\S+", line.text)]
        bad += [(slug, url) for url in urls if not allowed_link(url, slug)]
    assert bad == []
    closed = re.compile(r"dichvucong\.(?:thainguyen|backan)|/p/home|ma_thu_tuc=", re.IGNORECASE)
    assert [line.place for line in EVERYTHING if closed.search(line.text)] == []


@pytest.mark.parametrize("slug", LAND)
def test_trap_9_land_warns_of_the_rules_of_the_province(slug: str) -> None:
    """Land procedures are issued by each province; the national text is only a fallback."""
    for aspect in ("tong-quan", "thoi-gian"):
        section = LIBRARY[slug].aspects[aspect]
        assert section.confidence == "thap"
    overview = answer(LIBRARY, slug, [], TODAY).text
    assert "Thái Nguyên có thể có quy trình riêng" in overview
    assert "18001096" in answer(LIBRARY, slug, ["thoi-gian"], TODAY).text


def test_trap_10_no_procedure_of_another_province() -> None:
    """3.000243 looks national and is one of Hà Tĩnh."""
    assert [slug for slug, topic in LIBRARY.items() if "3.000243" in topic.codes] == []
    assert [line.place for line in EVERYTHING if "3.000243" in line.text] == []
    assert [s.title for topic in LIBRARY.values() for s in topic.sources.values() if "3.000243" in s.title] == []


# --- what every answer must be ---------------------------------------------------------------------------------------

UNKNOWN_FEES: Final = [s for s, t in LIBRARY.items() if "le-phi" in t.aspects and t.aspects["le-phi"].unknown]


@pytest.mark.parametrize("slug", UNKNOWN_FEES)
def test_an_unknown_fee_is_told_as_unknown(slug: str) -> None:
    """First line "chưa công bố", where to ask, and a link to the portal; never as nothing to pay."""
    reply = answer(LIBRARY, slug, ["le-phi"], TODAY)
    first = reply.text.split("\n")[0]
    assert first.endswith("chưa công bố.")
    assert not claims_free(first)
    assert "18001096" in reply.text
    assert reply.source is not None
    assert urlsplit(reply.source.url).hostname in {"dichvucong.gov.vn", "lienthong.dichvucong.gov.vn"}


@pytest.mark.parametrize("slug", LIBRARY)
def test_every_answer_is_short_sourced_and_dated(slug: str) -> None:
    """What a phone shows: a first line that answers, at most 900 characters, a source with the day it was read."""
    for aspect in ASPECTS:
        if aspect not in LIBRARY[slug].aspects:
            continue
        reply = answer(LIBRARY, slug, [aspect], TODAY)
        assert 0 < len(reply.text.split("\n")[0]) <= 200, aspect
        assert len(reply.text) <= 900, aspect
        assert reply.source is not None, aspect
        assert reply.source.title, aspect
        assert date(2009, 1, 1) < reply.source.seen_on <= TODAY, aspect
        complete = answer(LIBRARY, slug, [aspect], TODAY, everything=True)
        assert len(complete.text) <= 2000, "one message of a messenger"


@pytest.mark.parametrize("slug", [s for s, t in LIBRARY.items() if t.kind == "service"])
def test_a_service_tells_each_aspect_or_says_that_it_does_not_know(slug: str) -> None:
    for aspect in ASPECTS:
        section = LIBRARY[slug].aspects[aspect]
        assert section.unknown or section.answer


def test_a_case_reads_on_after_its_colon() -> None:
    """ "Nộp trực tiếp: mang …": no capital after the colon, unless a name follows."""
    names = re.compile(
        r"UBND|Công an|Trung tâm|Luật|Nghị định|Thông tư|Nghị quyết|Quyết định \d|Hội đồng|Thuế|Cục|Sở|Phòng|Văn phòng"
        r"|Chủ tịch|Toà|Ngân hàng|Bộ|Cổng|Ban |VNeID|[A-ZĐ][A-ZĐ0-9]"
    )
    wrong = [
        line.place
        for line in EVERYTHING
        if line.fact is not None
        and line.fact.when is not None
        and line.fact.text[0].isupper()
        and not names.match(line.fact.text)
    ]
    assert wrong == []


def test_nobody_is_sent_to_the_old_office_for_a_criminal_record() -> None:
    """Since 2025 the provincial police issue it."""
    first = [LIBRARY["ly-lich-tu-phap"].aspects[a].answer or "" for a in ("tong-quan", "noi-nop", "cach-lam")]
    assert any("Công an tỉnh" in text for text in first)
    assert not any("Sở Tư pháp" in text for text in first)


@pytest.mark.parametrize("slug", [s for s, t in LIBRARY.items() if t.tone == "mourning"])
def test_who_mourns_is_not_greeted_with_cheer(slug: str) -> None:
    text = answer(LIBRARY, slug, [], TODAY).text
    assert text.startswith("Xin chia buồn cùng gia đình.")
    assert "!" not in text
