"""Finds what is wrong, stale or forbidden in the base texts, so that nothing false reaches a citizen.

What the schema demands of one file is `content.model`'s business; here are the rules across files, against the
calendar, and about what this bot may never say. Nothing is changed and nothing is printed.
"""

from __future__ import annotations

import csv
import re
import unicodedata
from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Final, Literal

import yaml
from pydantic import ValidationError

from content.library import ContentError, read_topic
from content.model import Section, Topic
from content.packs import Pack, read_pack

Severity = Literal["error", "warning"]

SOON: Final = timedelta(days=60)
"""How long before a fact ends somebody is told."""
LONG_LINE: Final = 160
"""Characters a phone shows in about four lines; longer ones are seldom read to the end."""
CONTENT_KINDS: Final = frozenset({"service", "faq"})
"""The kinds of topic that have a file; actions and small talk are answered by the bot itself."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to mend: in which file, where in it, what (in Vietnamese, for an officer), and how bad."""

    file: str
    where: str
    message: str
    severity: Severity = "error"


@dataclass(frozen=True, slots=True)
class Expected:
    """What the table of topics says of one slug."""

    kind: str
    title: str
    codes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LinkRule:
    """One kind of address that may be given to a citizen, and why; `slug` limits it to one topic."""

    pattern: re.Pattern[str]
    reason: str
    slug: str | None = None


LINK_RULES: Final = (
    LinkRule(re.compile(r"https://dichvucong\.gov\.vn/?"), "trang chủ Cổng Dịch vụ công quốc gia"),
    LinkRule(
        re.compile(r"https://dichvucong\.gov\.vn/tim-kiem-thu-tuc-hanh-chinh\?keyword=[^\s&#]{2,}"),
        "trang tìm thủ tục theo tên; đường dẫn theo mã đã hỏng sau tháng 3/2026",
    ),
    LinkRule(
        re.compile(r"https://lienthong\.dichvucong\.gov\.vn/#/ke-khai/2\.000986"),
        "trang kê khai liên thông khai sinh",
        slug="khai-sinh-lien-thong",
    ),
)
"""The only addresses seen working in 2026; everything else on the portal moved when its owner changed."""

NAMED_SITES: Final = {
    "dichvucong.gov.vn": "Cổng Dịch vụ công quốc gia",
    "lienthong.dichvucong.gov.vn": "dịch vụ công liên thông, thuộc cổng quốc gia",
    "binhdanhocvuso.gov.vn": "trang của phong trào Bình dân học vụ số, khai trương 26/3/2025",
    "chinhphu.vn": "tên nguồn của văn bản Chính phủ",
}
"""Sites that may be named in a sentence. Provincial portals closed on 01/7/2025 and are not among them."""


@dataclass(frozen=True, slots=True)
class WordRule:
    """A wording that must not be told, and what to do instead."""

    pattern: re.Pattern[str]
    message: str
    slugs: frozenset[str] = frozenset()
    """Topics in which it may stand, because they are about that very thing."""


_GONE: Final = re.compile(
    r"không còn|bỏ cấp huyện|kết thúc|trước đây|trước kia|trước ngày|\bcũ\b|đã chuyển|chuyển (?:từ|về)"
    r"|thay (?:cho )?(?:UBND|cấp|huyện)|còn nhắc",
    re.IGNORECASE,
)
"""Words that show that a sentence speaks of the district level as a thing of the past."""
_DISTRICT: Final = re.compile(
    r"\bcấp huyện\b|\b(?:UBND|[ỦU][yỷ] ban nhân dân|Công an|Tòa án nhân dân|Toà án nhân dân|Phòng [^.;:,]{3,40}"
    r"|Chi nhánh [^.;:,]{3,40})\s+(?:cấp\s+)?(?:quận|huyện|thị xã)\b",
    re.IGNORECASE,
)
WORD_RULES: Final = (
    WordRule(re.compile(r"\bchắc chắn\b", re.IGNORECASE), "không nói “chắc chắn”: kênh không bảo đảm thay cơ quan"),
    WordRule(
        re.compile(r"(?<!bản )(?<!giấy )(?<!văn )(?<!đơn )\bcam kết\b(?! (?:của|bằng))", re.IGNORECASE),
        "không hứa “cam kết” (được nói “bản cam kết” khi đó là tên giấy tờ)",
    ),
    WordRule(re.compile(r"!"), "không dùng dấu chấm than"),
    WordRule(re.compile(r"(?<![\w/])(?:tôi|em) (?:xin|sẽ|hiểu|nghĩ|rất)\b", re.IGNORECASE), "không xưng “em”, “tôi”"),
    WordRule(
        re.compile(r"(?<![\d/])(?:\d/\d{1,2}|\d\d/(?:[12]|0[3-9]))/\d{4}(?!\d)"),
        "ngày viết hai chữ số, tháng 1 và 2 thêm số 0: 03/10/2025, 22/02/2026",
    ),
    WordRule(re.compile(r"\b0\d+ (?:ngày|giờ|tháng|năm)\b|\d %"), "số viết gọn: “3 ngày làm việc”, “50%”"),
)

_FREE: Final = re.compile(
    r"(?<![“\"])miễn phí|(?:không|chẳng) (?:phải )?(?:mất|nộp|đóng|thu|tốn)(?: thêm)?(?: khoản)?"
    r" ?(?:lệ phí|phí|tiền)|miễn (?:thu |nộp )?lệ phí"
    r"|(?<![\d.])0 đồng",
    re.IGNORECASE,
)
"""Wordings that tell a citizen there is nothing to pay."""
_CITATION: Final = re.compile(
    r"\btheo\b.{0,80}(?:Luật|Nghị quyết|Nghị định|Thông tư|Quyết định|\bmã \d\.\d{6}|Cổng Dịch vụ công)|"
    r"\((?:Luật|Nghị định|Nghị quyết|Thông tư) |\bcổng (?:ghi|nêu)\b|\d+/\d{4}/[A-ZĐ]",
    re.IGNORECASE,
)
_MONEY: Final = re.compile(r"(?<![\d.,/])(\d[\d.,]*)(\s*)(triệu đồng|tỷ đồng|nghìn đồng|đồng|VNĐ|VND|đ)(?![\w/])")
_GROUPED: Final = re.compile(r"\d{1,3}(?:\.\d{3})*")
_SITE: Final = re.compile(r"(?<![\w@.-])((?:[a-z0-9-]+\.)+(?:vn|com|net|org|info))(?![\w-])", re.IGNORECASE)
_URL: Final = re.compile(r"https?://[^\s\"'”)\]]+")


def read_expected(path: Path) -> dict[str, Expected]:
    """Read the table of topics (columns topic, kind, title, national_codes)."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    return {
        row["topic"]: Expected(row["kind"], row["title"], tuple(c for c in row["national_codes"].split(",") if c))
        for row in rows
    }


def check(folder: Path, today: date, expected: Mapping[str, Expected] | None = None) -> list[Problem]:
    """Check every topic below `services/` and `faqs/`, every pack below `packs/`.

    Args:
        folder: where the two folders are.
        today: the day for which dates are judged.
        expected: the topics that must exist, by slug; None leaves that comparison out.

    Returns:
        The problems, sorted by file; empty if all is well. Files are read; nothing else happens.
    """
    problems: list[Problem] = []
    topics: dict[str, tuple[str, Topic]] = {}
    broken: set[str] = set()
    for path in sorted([*folder.glob("services/*.yml"), *folder.glob("faqs/*.yml")]):
        name = path.relative_to(folder).as_posix()
        found, topic = _read(path, name)
        problems += found
        if topic is None:
            broken.add(path.stem)
            continue
        if topic.slug != path.stem:
            problems.append(Problem(name, "slug", f"slug “{topic.slug}” khác tên tệp “{path.stem}”"))
        if topic.slug in topics:
            problems.append(Problem(name, "slug", f"slug “{topic.slug}” đã có ở {topics[topic.slug][0]}"))
            continue
        topics[topic.slug] = name, topic
    known = set(topics) | broken
    for name, topic in topics.values():
        problems += _check_topic(name, topic, known, today)
    problems += _check_packs(folder, known, today)
    problems += _same_labels(topics)
    if expected is not None:
        problems += _against_table(topics, broken, expected)
    return sorted(problems, key=lambda p: (p.file, p.severity, p.where, p.message))


# --- one file as text and as a topic -------------------------------------------------------------------------------


def _read(path: Path, name: str) -> tuple[list[Problem], Topic | None]:
    """Read one file; the topic is None where it cannot be used."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return [Problem(name, "tệp", "không phải văn bản UTF-8")], None
    problems = [
        Problem(name, f"dòng {number}", "chữ không ở dạng Unicode NFC (dấu gõ rời)")
        for number, line in enumerate(text.splitlines(), start=1)
        if not unicodedata.is_normalized("NFC", line)
    ]
    try:
        topic = read_topic(path)
    except ContentError as error:
        cause = error.__cause__
        if isinstance(cause, ValidationError):
            return [*problems, *_schema_problems(name, cause)], None
        return [*problems, Problem(name, "tệp", f"không đọc được YAML: {_yaml_reason(cause)}")], None
    problems += [
        Problem(name, f"dòng {line}", f"khoá “{key}” viết hai lần; YAML chỉ giữ lần sau") for key, line in _twice(text)
    ]
    return problems, topic


def _yaml_reason(error: BaseException | None) -> str:
    mark = getattr(error, "problem_mark", None)
    reason = getattr(error, "problem", None) or str(error)
    return f"{reason} (dòng {mark.line + 1})" if mark is not None else str(reason)


def _twice(text: str) -> Iterator[tuple[str, int]]:
    """Find keys that a mapping holds twice, with their lines."""
    todo: list[yaml.Node | None] = [yaml.compose(text, Loader=yaml.CSafeLoader)]
    while todo:
        node = todo.pop()
        if isinstance(node, yaml.SequenceNode):
            todo += node.value
        elif isinstance(node, yaml.MappingNode):
            seen: set[str] = set()
            for key, value in node.value:
                if key.value in seen:
                    yield key.value, key.start_mark.line + 1
                seen.add(key.value)
                todo.append(value)


_SCHEMA: Final = {
    "missing": "thiếu mục này",
    "extra_forbidden": "mục này không có trong khuôn mẫu",
    "literal_error": "giá trị không nằm trong danh sách cho phép",
    "date_from_datetime_parsing": "ngày sai dạng; viết như 2026-07-20",
    "date_parsing": "ngày sai dạng; viết như 2026-07-20",
    "string_type": "phải là chữ",
    "model_type": "phải là một khối có các mục bên trong",
    "dict_type": "phải là một khối có các mục bên trong",
    "tuple_type": "phải là một danh sách",
    "int_parsing": "phải là số nguyên",
    "greater_than_equal": "không được là số âm",
}
_OWN: Final = (
    ("needs an `answer`", "phải có `answer`, hoặc ghi `unknown: true`"),
    ("exclude each other", "đã ghi `unknown: true` thì không có `answer`"),
    ("line that `leads`", "dòng có `leads` phải có `valid_to` và không có `when`"),
    ("one line at most", "chỉ một dòng có `leads`, và mục phải có `answer` để thay khi dòng đó hết hạn"),
    ("names its `source`", "nêu điều gì thì phải ghi `source`"),
    ("`tong-quan` is missing", "thiếu mục `tong-quan`"),
    ("is not listed under `sources`", "dùng một nguồn không có trong `sources`"),
    ("a service tells every aspect", "dịch vụ phải nói đủ các mục hoặc ghi `unknown: true`"),
)
"""The checks of `content.model` itself, by a part of their message, in words for an officer."""


def _schema_problems(name: str, error: ValidationError) -> Iterator[Problem]:
    """Tell what broke the schema, one problem an entry, in Vietnamese."""
    for entry in error.errors():
        where = ".".join(map(str, entry["loc"])) or "tệp"
        context = entry.get("ctx", {})
        message = entry["msg"]
        if entry["type"] == "string_pattern_mismatch":
            text = (
                f"mã thủ tục “{entry['input']}” sai dạng; viết như 1.001193"
                if where.startswith("codes")
                else f"“{entry['input']}” sai dạng; chỉ dùng chữ thường không dấu, số và gạch nối"
            )
        elif entry["type"] == "string_too_long":
            text = f"dài quá {context['max_length']} ký tự"
        elif entry["type"] == "string_too_short":
            text = "để trống hoặc quá ngắn"
        elif entry["type"] == "value_error":
            text = next((f"{own} ({message})" for part, own in _OWN if part in message), message)
        else:
            text = _SCHEMA.get(entry["type"], message)
        yield Problem(name, where, text)


# --- rules of one topic --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Line:
    """One sentence a citizen may read, with what the rules need to know of its place."""

    where: str
    text: str
    aspect: str = ""


def _lines(topic: Topic) -> Iterator[_Line]:
    yield _Line("title", topic.title)
    yield _Line("label", topic.label)
    for aspect, section in topic.aspects.items():
        if section.answer is not None:
            yield _Line(f"{aspect}.answer", section.answer, aspect)
        for number, fact in enumerate(section.facts, start=1):
            yield _Line(f"{aspect}.facts[{number}]", f"{fact.when}: {fact.text}" if fact.when else fact.text, aspect)


def _check_topic(name: str, topic: Topic, known: set[str], today: date) -> Iterator[Problem]:
    for field, slugs in (("similar", topic.similar), ("next_steps", topic.next_steps)):
        for slug in slugs:
            if slug not in known:
                yield Problem(name, field, f"trỏ tới “{slug}”, nhưng không có chủ đề này")
            elif slug == topic.slug:
                yield Problem(name, field, "trỏ tới chính chủ đề này")
    yield from _check_links(name, topic)
    for key, source in topic.sources.items():
        if source.seen_on > today:
            yield Problem(name, f"sources.{key}.seen_on", f"ngày xem {_day(source.seen_on)} ở tương lai")
    for aspect, section in topic.aspects.items():
        yield from _check_dates(name, aspect, section, today)
        yield from _check_amounts(name, aspect, section)
    yield from _check_free(name, topic)
    for line in _lines(topic):
        yield from _check_words(name, topic.slug, line)


def _check_links(name: str, topic: Topic) -> Iterator[Problem]:
    addresses = [("link", topic.link)]
    addresses += [(f"sources.{key}.url", s.url) for key, s in topic.sources.items() if s.url is not None]
    addresses += [(line.where, url) for line in _lines(topic) for url in _URL.findall(line.text)]
    for where, url in addresses:
        if not allowed_link(url, topic.slug):
            yield Problem(name, where, f"địa chỉ không được phép: {url}; chỉ dùng {_kinds()}")
    for line in _lines(topic):
        for site in _SITE.findall(_URL.sub(" ", line.text)):
            if site.lower().removeprefix("www.") not in NAMED_SITES:
                yield Problem(name, line.where, f"nhắc tới trang “{site}” chưa có trong danh sách trang được nêu")


def allowed_link(url: str, slug: str) -> bool:
    """Whether an address may be given to citizens in this topic."""
    return any(rule.pattern.fullmatch(url) and rule.slug in (None, slug) for rule in LINK_RULES)


def _kinds() -> str:
    return "; ".join(rule.reason.split(";")[0] for rule in LINK_RULES)


def _check_dates(name: str, aspect: str, section: Section, today: date) -> Iterator[Problem]:
    ends = [(aspect, section.valid_to)]
    ends += [(f"{aspect}.facts[{n}]", fact.valid_to) for n, fact in enumerate(section.facts, start=1)]
    for where, end in ends:
        yield from _check_end(name, where, end, today)


def _check_end(name: str, where: str, end: date | None, today: date) -> Iterator[Problem]:
    if end is None:
        return
    if end < today:
        yield Problem(name, where, f"đã hết hạn từ {_day(end)}; bỏ đi hoặc thay bằng quy định mới")
    elif end - today <= SOON:
        yield Problem(name, where, f"sắp hết hạn ({_day(end)}); chuẩn bị nội dung thay thế", "warning")


def _check_amounts(name: str, aspect: str, section: Section) -> Iterator[Problem]:
    """Compare the amounts of money in the words with the ones for machines."""
    texts = [(f"{aspect}.answer", section.answer)] if section.answer else []
    texts += [(f"{aspect}.facts[{n}]", fact.text) for n, fact in enumerate(section.facts, start=1)]
    for where, text in texts:
        for figure, gap, unit in _MONEY.findall(text):
            if unit == "đồng" and not _GROUPED.fullmatch(figure.rstrip(".,")):
                yield Problem(name, where, f"số tiền “{figure} {unit}” viết sai; viết như 7.000 đồng")
            elif unit == "đ" and len(figure) < 4:
                continue  # the name of a form: "mẫu 1đ"
            elif unit in {"VNĐ", "VND", "đ"} or not gap:
                yield Problem(name, where, f"số tiền “{figure}{gap}{unit}”: viết “7.000 đồng”, có dấu cách")
    for number, fact in enumerate(section.facts, start=1):
        where = f"{aspect}.facts[{number}]"
        told = amounts(fact.text)
        if fact.amount is not None and fact.amount not in told and not (fact.amount == 0 and _FREE.search(fact.text)):
            yield Problem(name, where, f"`amount: {fact.amount}` không có trong câu “{fact.text}”")
        elif fact.amount is None and aspect == "le-phi" and fact.channel is not None and len(told) == 1:
            yield Problem(name, where, f"câu nêu {told[0]} đồng cho một cách nộp nhưng thiếu `amount`", "warning")


def amounts(text: str) -> list[int]:
    """Return the amounts in đồng that a sentence tells in figures ("7.000 đồng" → 7000)."""
    return [
        int(figure.rstrip(".,").replace(".", ""))
        for figure, _, unit in _MONEY.findall(text)
        if unit == "đồng" and _GROUPED.fullmatch(figure.rstrip(".,"))
    ]


def claims_free(text: str) -> bool:
    """Whether a sentence tells a citizen that there is nothing to pay."""
    return _FREE.search(text) is not None


def _check_free(name: str, topic: Topic) -> Iterator[Problem]:
    """Find "free" without a source of its own or a rule named beside it: an empty cell of the portal reads so too."""
    section = topic.aspects.get("le-phi")
    if section is None:
        return
    lines: list[tuple[str, str, str | None]] = [("le-phi.answer", section.answer or "", None)]
    lines += [(f"le-phi.facts[{n}]", fact.text, fact.source) for n, fact in enumerate(section.facts, start=1)]
    if any(_CITATION.search(text) for _, text, _ in lines):
        return
    for where, text, source in lines:
        if claims_free(text) and source is None:
            message = "nói không mất phí thì dòng phải có `source` riêng, hoặc mục nêu quy định, lời ghi của cổng"
            yield Problem(name, where, message)


def _check_words(name: str, slug: str, line: _Line) -> Iterator[Problem]:
    for rule in WORD_RULES:
        if slug not in rule.slugs and rule.pattern.search(line.text):
            yield Problem(name, line.where, rule.message)
    if slug != "chinh-quyen-hai-cap" and _DISTRICT.search(line.text) and not _GONE.search(line.text):
        yield Problem(name, line.where, "chỉ người dân tới cấp huyện, cấp này không còn từ 01/7/2025")
    if line.where != "title" and len(line.text) > LONG_LINE:
        yield Problem(name, line.where, f"dòng dài {len(line.text)} ký tự, nên dưới {LONG_LINE}", "warning")


# --- outreach packs ------------------------------------------------------------------------------------------------


def _check_packs(folder: Path, known: Container[str], today: date) -> Iterator[Problem]:
    """Check every pack below `packs/`, as far as it can be read without drawing it."""
    for path in sorted(folder.glob("packs/*.yml")):
        name = path.relative_to(folder).as_posix()
        text = path.read_bytes().decode("utf-8", "replace")
        if not unicodedata.is_normalized("NFC", text):
            yield Problem(name, "tệp", "chữ không ở dạng Unicode NFC (dấu gõ rời)")
        try:
            pack = read_pack(path)
        except ContentError as error:
            if isinstance(error.__cause__, ValidationError):
                yield from _schema_problems(name, error.__cause__)
            else:
                yield Problem(name, "tệp", f"không đọc được YAML: {_yaml_reason(error.__cause__)}")
            continue
        yield from _check_pack(name, path.stem, pack, known, today)


def _check_pack(name: str, stem: str, pack: Pack, known: Container[str], today: date) -> Iterator[Problem]:
    if pack.slug != stem:
        yield Problem(name, "slug", f"slug “{pack.slug}” khác tên tệp “{stem}”")
    for slug in pack.topics:
        if slug not in known:
            yield Problem(name, "topics", f"trỏ tới “{slug}”, nhưng không có chủ đề này")
    for key, source in pack.sources.items():
        if source.seen_on > today:
            yield Problem(name, f"sources.{key}.seen_on", f"ngày xem {_day(source.seen_on)} ở tương lai")
        if source.url is not None and not allowed_link(source.url, pack.slug):
            yield Problem(name, f"sources.{key}.url", f"địa chỉ không được phép: {source.url}; chỉ dùng {_kinds()}")
    if pack.reviewed_on > today:
        yield Problem(name, "reviewed_on", f"ngày kiểm tra {_day(pack.reviewed_on)} ở tương lai")
    yield from _check_end(name, "valid_to", pack.valid_to, today)
    for line in _pack_lines(pack):
        yield from _check_pack_line(name, pack.slug, line)


def _check_pack_line(name: str, slug: str, line: _Line) -> Iterator[Problem]:
    # A text that is read aloud may have longer lines than an answer on a phone.
    yield from (problem for problem in _check_words(name, slug, line) if problem.severity == "error")
    for url in _URL.findall(line.text):
        yield Problem(name, line.where, f"bài viết không chứa đường dẫn ({url}); nêu tên trang để bà con tự gõ")
    for site in _SITE.findall(_URL.sub(" ", line.text)):
        if site.lower().removeprefix("www.") not in NAMED_SITES:
            yield Problem(name, line.where, f"nhắc tới trang “{site}” chưa có trong danh sách trang được nêu")
    for figure, gap, unit in _MONEY.findall(line.text):
        if unit in {"VNĐ", "VND"} or not gap or (unit == "đồng" and not _GROUPED.fullmatch(figure.rstrip(".,"))):
            yield Problem(name, line.where, f"số tiền “{figure}{gap}{unit}” viết sai; viết như 7.000 đồng")


def _pack_lines(pack: Pack) -> Iterator[_Line]:
    yield _Line("title", pack.title)
    yield _Line("summary", pack.summary)
    for item in pack.items:
        yield _Line(f"{item.slug}.title", item.title)
        yield from (_Line(item.slug, line) for line in item.text.splitlines())
        if (sheet := item.leaflet) is not None:
            words = (sheet.headline, sheet.lead, *sheet.points, sheet.steps_title, *sheet.steps, sheet.warning)
            yield from (_Line(item.slug, line) for line in words)


# --- rules across topics -------------------------------------------------------------------------------------------


def _same_labels(topics: Mapping[str, tuple[str, Topic]]) -> Iterator[Problem]:
    by_label: defaultdict[str, list[str]] = defaultdict(list)
    for name, topic in topics.values():
        by_label[topic.label.casefold()].append(name)
    for names in by_label.values():
        for name in names[1:]:
            yield Problem(name, "label", f"nhãn nút trùng với {names[0]}; người dân không phân biệt được")


def _against_table(
    topics: Mapping[str, tuple[str, Topic]], broken: Iterable[str], expected: Mapping[str, Expected]
) -> Iterator[Problem]:
    there = set(topics) | set(broken)
    for slug, row in expected.items():
        if row.kind in CONTENT_KINDS and slug not in there:
            folder = "services" if row.kind == "service" else "faqs"
            yield Problem(f"{folder}/{slug}.yml", "tệp", f"thiếu chủ đề “{row.title}”")
    for slug, (name, topic) in topics.items():
        if slug not in expected:
            continue
        row = expected[slug]
        if topic.kind != row.kind:
            yield Problem(name, "kind", f"ghi “{topic.kind}”, danh mục ghi “{row.kind}”")
        if topic.codes != row.codes:
            yield Problem(name, "codes", f"ghi {_codes(topic.codes)}, danh mục ghi {_codes(row.codes)}")


def _codes(codes: tuple[str, ...]) -> str:
    return ", ".join(codes) or "không mã"


def _day(day: date) -> str:
    return f"{day.day}/{day.month}/{day.year}"
