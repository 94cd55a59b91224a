"""What `content check` finds: one small broken file a kind of problem."""

from __future__ import annotations

import unicodedata
from copy import deepcopy
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from content.check import LINK_RULES, Expected, allowed_link, amounts, check, claims_free, read_expected
from content.library import DATA

TODAY = date(2026, 11, 22)
SEARCH = "https://dichvucong.gov.vn/tim-kiem-thu-tuc-hanh-chinh?keyword=Khai+sinh"


def topic(slug: str = "khai-sinh", **changes: Any) -> dict[str, Any]:
    """Return a topic without any problem, changed at its top level."""
    good: dict[str, Any] = {
        "slug": slug,
        "kind": "faq",
        "title": "Đăng ký khai sinh",
        "label": f"Nhãn {slug}",
        "link": SEARCH,
        "codes": ["1.001193"],
        "sources": {"cong": {"title": "Cổng Dịch vụ công quốc gia", "url": SEARCH, "seen_on": date(2026, 7, 20)}},
        "aspects": {"tong-quan": {"answer": "Đăng ký khai sinh trong 60 ngày.", "source": "cong"}},
    }
    return deepcopy(good) | changes


def with_fee(facts: list[Any] | None = None, **section: Any) -> dict[str, Any]:
    """Return a topic with a section on fees."""
    fee = {"answer": "20.000 đồng một lần.", "source": "cong"} | section
    if facts is not None:
        fee["facts"] = facts
    fee = {key: value for key, value in fee.items() if value is not None}
    return topic(aspects=topic()["aspects"] | {"le-phi": fee})


def with_answer(text: str, **changes: Any) -> dict[str, Any]:
    """Return a topic whose overview says something else."""
    return topic(**changes) | {"aspects": {"tong-quan": {"answer": text, "source": "cong"}}}


def write(folder: Path, *topics: dict[str, Any], place: str = "services") -> Path:
    """Write topics as files of a library and return its folder."""
    for one in topics:
        path = folder / place / f"{one['slug']}.yml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump(one, allow_unicode=True, sort_keys=False, width=10_000), encoding="utf-8")
    return folder


def raw(folder: Path, text: str, name: str = "khai-sinh") -> Path:
    """Write a file as it stands."""
    path = folder / "services" / f"{name}.yml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return folder


def found(folder: Path, expected: dict[str, Expected] | None = None) -> list[tuple[str, str, str]]:
    """Return where, severity and message of what is found."""
    return [(p.where, p.severity, p.message) for p in check(folder, TODAY, expected)]


def test_a_good_file_has_no_problem(tmp_path: Path) -> None:
    facts = [{"text": "20.000 đồng một lần.", "channel": "truc-tiep", "amount": 20000}, "Mẫu đơn số 1đ."]
    assert found(write(tmp_path, with_fee(facts))) == []


SCHEMA: list[tuple[dict[str, Any], str, str]] = [
    (topic(label="x" * 33), "label", "dài quá 32 ký tự"),
    (topic(codes=["1001193"]), "codes.0", "mã thủ tục “1001193” sai dạng"),
    (topic(aspects={"tong-quan": {"answer": "Một câu."}}), "aspects.tong-quan", "phải ghi `source`"),
    (topic(aspects={"tong-quan": {"answer": "Một câu.", "source": "la"}}), "tệp", "nguồn không có trong `sources`"),
    (topic(aspects={"le-phi": {"unknown": True}}), "aspects", "thiếu mục `tong-quan`"),
    (topic(aspects={"tong-quan": {"source": "cong"}}), "aspects.tong-quan", "phải có `answer`"),
    (topic(kind="service"), "tệp", "dịch vụ phải nói đủ các mục"),
    (topic(kind="khac"), "kind", "danh sách cho phép"),
    (topic(mau="xanh"), "mau", "không có trong khuôn mẫu"),
    ({k: v for k, v in topic().items() if k != "sources"}, "sources", "thiếu mục này"),
    (topic(sources={"cong": {"title": "Cổng", "seen_on": "hôm qua"}}), "sources.cong.seen_on", "ngày sai dạng"),
]


@pytest.mark.parametrize(("broken", "where", "message"), SCHEMA, ids=[where for _, where, _ in SCHEMA])
def test_a_broken_schema_is_told_in_vietnamese(
    tmp_path: Path, broken: dict[str, Any], where: str, message: str
) -> None:
    problems = found(write(tmp_path, broken))
    assert [p[:2] for p in problems] == [(where, "error")]
    assert message in problems[0][2]


RULES: list[tuple[str, dict[str, Any], str, str, str]] = [
    ("dead link", topic(link="https://dichvucong.gov.vn/p/home/a.html?ma=1"), "link", "error", "không được phép"),
    (
        "address of a source",
        topic(sources={"cong": {"title": "Báo", "url": "https://bao.vn/a", "seen_on": date(2026, 7, 20)}}),
        "sources.cong.url",
        "error",
        "không được phép",
    ),
    ("address in the words", with_answer("Xem https://bit.ly/x nhé."), "tong-quan.answer", "error", "không được phép"),
    (
        "closed site",
        with_answer("Vào dichvucong.thainguyen.gov.vn để nộp."),
        "tong-quan.answer",
        "error",
        "chưa có trong danh sách",
    ),
    ("dead similar", topic(similar=["khong-co"]), "similar", "error", "không có chủ đề này"),
    ("dead next step", topic(next_steps=["khong-co"]), "next_steps", "error", "không có chủ đề này"),
    ("itself", topic(similar=["khai-sinh"]), "similar", "error", "chính chủ đề này"),
    (
        "seen in the future",
        topic(sources={"cong": {"title": "Cổng", "seen_on": date(2026, 11, 23)}}),
        "sources.cong.seen_on",
        "error",
        "ở tương lai",
    ),
    (
        "expired fact",
        with_fee([{"text": "Giảm một nửa.", "valid_to": date(2026, 11, 21)}]),
        "le-phi.facts[1]",
        "error",
        "đã hết hạn từ 21/11/2026",
    ),
    ("expired section", with_fee(valid_to=date(2025, 12, 31)), "le-phi", "error", "đã hết hạn"),
    (
        "soon expired",
        with_fee([{"text": "Giảm một nửa.", "valid_to": date(2026, 12, 31)}]),
        "le-phi.facts[1]",
        "warning",
        "sắp hết hạn (31/12/2026)",
    ),
    (
        "amount not in the words",
        with_fee([{"text": "20.000 đồng một lần.", "amount": 2000}]),
        "le-phi.facts[1]",
        "error",
        "không có trong câu",
    ),
    (
        "amount missing",
        with_fee([{"text": "15.000 đồng một lần.", "channel": "truc-tuyen"}]),
        "le-phi.facts[1]",
        "warning",
        "thiếu `amount`",
    ),
    ("digits not grouped", with_fee(answer="20000 đồng một lần."), "le-phi.answer", "error", "viết sai"),
    ("digits badly grouped", with_fee(answer="20,000 đồng một lần."), "le-phi.answer", "error", "viết sai"),
    ("short unit", with_fee(answer="20.000đ một lần."), "le-phi.answer", "error", "có dấu cách"),
    ("free without source", with_fee(answer="Miễn phí."), "le-phi.answer", "error", "không mất phí"),
    ("nothing to pay", with_fee(["Không mất lệ phí."]), "le-phi.facts[1]", "error", "không mất phí"),
    ("certain", with_answer("Chắc chắn được nhận trong ngày."), "tong-quan.answer", "error", "chắc chắn"),
    ("promise", with_answer("Xã cam kết trả đúng hạn."), "tong-quan.answer", "error", "cam kết"),
    ("exclamation", with_answer("Nộp ngay hôm nay!"), "tong-quan.answer", "error", "chấm than"),
    ("person", with_answer("Việc này em xin trả lời."), "tong-quan.answer", "error", "xưng"),
    ("district office", with_answer("Nộp tại UBND huyện nơi ở."), "tong-quan.answer", "error", "cấp huyện"),
    ("district police", with_answer("Đến Công an huyện làm thẻ."), "tong-quan.answer", "error", "cấp huyện"),
    ("district level", with_answer("Do cơ quan thuế cấp huyện cấp."), "tong-quan.answer", "error", "cấp huyện"),
    ("date without zero", with_answer("Từ ngày 3/10/2025."), "tong-quan.answer", "error", "03/10/2025"),
    ("month without zero", with_answer("Từ ngày 22/2/2026."), "tong-quan.answer", "error", "03/10/2025"),
    ("month with a zero too many", with_answer("Từ ngày 22/03/2026."), "tong-quan.answer", "error", "03/10/2025"),
    ("number as in an office", with_answer("Trả sau 03 ngày làm việc."), "tong-quan.answer", "error", "viết gọn"),
    ("long line", with_answer("Giấy " + "tờ " * 60), "tong-quan.answer", "warning", "dòng dài"),
]


@pytest.mark.parametrize(("broken", "where", "severity", "message"), [r[1:] for r in RULES], ids=[r[0] for r in RULES])
def test_a_rule_is_broken(tmp_path: Path, broken: dict[str, Any], where: str, severity: str, message: str) -> None:
    problems = found(write(tmp_path, broken))
    assert [p[:2] for p in problems] == [(where, severity)]
    assert message in problems[0][2]


ALLOWED: list[tuple[str, dict[str, Any]]] = [
    ("free, source of its own", with_fee([{"text": "Miễn lệ phí.", "source": "cong"}])),
    ("free, rule named", with_fee(answer="Không mất lệ phí, theo Thông tư 64/2025/TT-BTC.")),
    ("free, the portal says so in words", with_fee(["Cổng ghi rõ việc này."], answer="Miễn lệ phí.")),
    ("free only quoted", with_fee(["Chữ “Miễn phí” trên trang có khi chỉ là ô trống."])),
    ("free and counted", with_fee([{"text": "Không thu lệ phí.", "amount": 0, "source": "cong"}])),
    ("name of a paper", with_answer("Nộp bản cam kết an toàn.")),
    ("district of the past", with_answer("Không còn UBND huyện, việc này về xã.")),
    ("the topic on two levels", with_answer("Việc của UBND huyện nay do xã làm.", slug="chinh-quyen-hai-cap")),
    ("site that may be named", with_answer("Vào dichvucong.gov.vn hoặc binhdanhocvuso.gov.vn.")),
    ("dates as they are written", with_answer("Từ 01/7/2025 đến hết ngày 28/02/2026, hoặc 12/11/2026.")),
    ("millions", with_fee(answer="1 tỷ đồng hoặc 129 triệu đồng.")),
    ("last day is 61 days ahead", with_fee([{"text": "Giảm một nửa.", "valid_to": date(2027, 1, 22)}])),
]


@pytest.mark.parametrize("good", [a[1] for a in ALLOWED], ids=[a[0] for a in ALLOWED])
def test_what_is_allowed_stays_allowed(tmp_path: Path, good: dict[str, Any]) -> None:
    assert found(write(tmp_path, good)) == []


def test_broken_yaml_names_the_line(tmp_path: Path) -> None:
    problems = found(raw(tmp_path, "slug: khai-sinh\ntitle: [một\n"))
    assert len(problems) == 1
    assert "không đọc được YAML" in problems[0][2]
    assert "dòng 3" in problems[0][2]


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    raw(tmp_path, "")
    (tmp_path / "services" / "khai-sinh.yml").write_bytes(b"slug: \xff\xfe")
    assert found(tmp_path) == [("tệp", "error", "không phải văn bản UTF-8")]


def test_a_key_written_twice(tmp_path: Path) -> None:
    text = yaml.safe_dump(topic(), allow_unicode=True, sort_keys=False) + "title: Tên khác\n"
    problems = found(raw(tmp_path, text))
    assert [p[1] for p in problems] == ["error"]
    assert "“title” viết hai lần" in problems[0][2]


def test_letters_with_loose_marks(tmp_path: Path) -> None:
    text = unicodedata.normalize("NFD", yaml.safe_dump(topic(), allow_unicode=True, sort_keys=False))
    problems = found(raw(tmp_path, text))
    assert problems
    assert all("NFC" in message for _, _, message in problems)


def test_a_slug_other_than_the_file_name(tmp_path: Path) -> None:
    text = yaml.safe_dump(topic("ket-hon"), allow_unicode=True, sort_keys=False)
    assert found(raw(tmp_path, text)) == [("slug", "error", "slug “ket-hon” khác tên tệp “khai-sinh”")]


def test_one_slug_in_two_folders(tmp_path: Path) -> None:
    write(tmp_path, topic(), place="faqs")
    problems = check(write(tmp_path, topic(label="Nhãn khác")), TODAY)
    assert [(p.file, p.message) for p in problems] == [
        ("services/khai-sinh.yml", "slug “khai-sinh” đã có ở faqs/khai-sinh.yml")
    ]


def test_two_topics_with_one_label(tmp_path: Path) -> None:
    problems = check(write(tmp_path, topic(label="Làm giấy"), topic("ket-hon", label="làm giấy")), TODAY)
    assert [(p.file, p.where) for p in problems] == [("services/khai-sinh.yml", "label")]
    assert "trùng với services/ket-hon.yml" in problems[0].message


def test_a_broken_file_is_no_dead_end_for_others(tmp_path: Path) -> None:
    write(tmp_path, topic("ket-hon", similar=["khai-sinh"]))
    problems = check(raw(tmp_path, "slug: ["), TODAY)
    assert [p.file for p in problems] == ["services/khai-sinh.yml"]


def test_the_table_of_topics_is_compared(tmp_path: Path) -> None:
    expected = {
        "khai-sinh": Expected("service", "Đăng ký khai sinh", ("1.001193", "1.004884")),
        "ket-hon": Expected("service", "Đăng ký kết hôn", ()),
        "tong-dai": Expected("faq", "Tổng đài", ()),
        "cam-on": Expected("smalltalk", "Cảm ơn", ()),
    }
    problems = check(write(tmp_path, topic()), TODAY, expected)
    assert [(p.file, p.where) for p in problems] == [
        ("faqs/tong-dai.yml", "tệp"),
        ("services/ket-hon.yml", "tệp"),
        ("services/khai-sinh.yml", "codes"),
        ("services/khai-sinh.yml", "kind"),
    ]
    assert problems[2].message == "ghi 1.001193, danh mục ghi 1.001193, 1.004884"


def test_every_link_rule_gives_its_reason() -> None:
    assert len(LINK_RULES) == 3
    assert all(rule.reason for rule in LINK_RULES)


@pytest.mark.parametrize(
    ("url", "slug", "allowed"),
    [
        ("https://dichvucong.gov.vn", "a", True),
        ("https://dichvucong.gov.vn/tim-kiem-thu-tuc-hanh-chinh?keyword=Đăng+ký+tạm+trú", "a", True),
        ("https://dichvucong.gov.vn/tim-kiem-thu-tuc-hanh-chinh?keyword=", "a", False),
        ("https://lienthong.dichvucong.gov.vn/#/ke-khai/2.000986", "khai-sinh-lien-thong", True),
        ("https://lienthong.dichvucong.gov.vn/#/ke-khai/2.000986", "khai-tu-lien-thong", False),
        ("https://dichvucong.gov.vn/dich-vu-cong-truc-tuyen/1.004194", "a", False),
        ("http://dichvucong.gov.vn", "a", False),
        ("https://dichvucong.gov.vn.example.com", "a", False),
    ],
)
def test_links(url: str, slug: str, allowed: bool) -> None:
    assert allowed_link(url, slug) is allowed


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("7.000 đồng một lần.", [7000]),
        ("Đổi 25.000 đồng, cấp lại 35.000 đồng.", [25000, 35000]),
        ("1 tỷ đồng", []),
        ("Thông tư 64/2025/TT-BTC", []),
    ],
)
def test_amounts(text: str, told: list[int]) -> None:
    assert amounts(text) == told


@pytest.mark.parametrize(
    ("text", "free"),
    [
        ("Miễn phí.", True),
        ("Anh/chị không mất tiền.", True),
        ("Không phải nộp lệ phí.", True),
        ("Chữ “Miễn phí” là ô trống.", False),
        ("Trường hợp được miễn giấy phép.", False),
        ("20.000 đồng.", False),
    ],
)
def test_claims_of_no_charge(text: str, free: bool) -> None:
    assert claims_free(text) is free


def test_the_project_has_its_own_table_of_topics() -> None:
    table = read_expected(DATA / "topics.tsv")
    assert len(table) == 157
    assert table["tam-tru"] == Expected("service", "Đăng ký tạm trú", ("1.004194",))
    assert table["cap-dien"].codes == ()


def test_the_shipped_texts_have_no_error() -> None:
    problems = check(DATA, date(2026, 11, 23), read_expected(DATA / "topics.tsv"))
    assert [p for p in problems if p.severity == "error"] == []
    assert [p for p in problems if "sắp hết hạn" not in p.message] == []
