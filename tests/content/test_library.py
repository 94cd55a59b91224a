"""Reading the base texts: inheritance of source and confidence, expired facts, broken files."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from content.library import ContentError, load, read_topic

TOPIC: dict[str, Any] = {
    "slug": "lop-hoc",
    "kind": "faq",
    "title": "Lớp học",
    "label": "Lớp học",
    "link": "https://dichvucong.gov.vn",
    "sources": {
        "mot": {"title": "Nguồn một", "seen_on": date(2026, 7, 20)},
        "hai": {"title": "Nguồn hai", "seen_on": date(2026, 9, 18)},
    },
    "aspects": {
        "tong-quan": {"answer": "Lớp học ở xã.", "source": "mot"},
        "le-phi": {
            "answer": "20.000 đồng.",
            "source": "mot",
            "confidence": "cao",
            "facts": [
                "Nộp ở xã.",
                {"text": "10.000 đồng.", "source": "hai", "confidence": "thap", "valid_to": date(2026, 12, 31)},
            ],
        },
        "thoi-gian": {"answer": "Học đến hết năm.", "source": "mot", "valid_to": date(2026, 12, 31)},
    },
}


def write(folder: Path, topic: dict[str, Any], place: str = "faqs", name: str | None = None) -> Path:
    """Write a topic as a file of a library."""
    path = folder / place / f"{name or topic['slug']}.yml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(topic, allow_unicode=True), encoding="utf-8")
    return path


def test_a_fact_inherits_what_it_leaves_out(tmp_path: Path) -> None:
    write(tmp_path, TOPIC)
    plain, special = load(tmp_path).known("lop-hoc", "le-phi", date(2026, 11, 22)).facts
    assert (plain.source.title, plain.confidence, plain.valid_to) == ("Nguồn một", "cao", None)
    assert (special.source.title, special.confidence, special.valid_to) == ("Nguồn hai", "thap", date(2026, 12, 31))


@pytest.mark.parametrize(
    ("day", "facts", "expired"),
    [(date(2026, 12, 31), ["Nộp ở xã.", "10.000 đồng."], False), (date(2027, 1, 1), ["Nộp ở xã."], True)],
)
def test_a_fact_is_told_up_to_and_including_its_last_day(
    tmp_path: Path, day: date, facts: list[str], expired: bool
) -> None:
    write(tmp_path, TOPIC)
    known = load(tmp_path).known("lop-hoc", "le-phi", day)
    assert [f.text for f in known.facts] == facts
    assert known.expired is expired
    assert known.answer is not None


HALF: dict[str, Any] = {"text": "10.000 đồng đến hết năm.", "leads": True, "valid_to": date(2026, 12, 31)}


def with_fee(answer: str | None, *facts: dict[str, Any]) -> dict[str, Any]:
    """The class with a fee section of these lines."""
    section = {"source": "mot", "facts": list(facts), **({"answer": answer} if answer else {"unknown": True})}
    return TOPIC | {"aspects": TOPIC["aspects"] | {"le-phi": section}}


@pytest.mark.parametrize(
    ("day", "first", "expired"),
    [(date(2026, 12, 31), "10.000 đồng đến hết năm.", False), (date(2027, 1, 1), "20.000 đồng.", True)],
)
def test_a_line_leads_until_its_last_day(tmp_path: Path, day: date, first: str, expired: bool) -> None:
    """A fee of today is the first line; tomorrow's fee takes over by itself, and neither stands among the facts."""
    write(tmp_path, with_fee("20.000 đồng.", HALF))
    known = load(tmp_path).known("lop-hoc", "le-phi", day)
    assert known.answer is not None
    assert (known.answer.text, known.facts, known.expired) == (first, (), expired)


@pytest.mark.parametrize(
    ("answer", "facts"),
    [
        ("20.000 đồng.", [HALF | {"valid_to": None}]),
        ("20.000 đồng.", [HALF | {"when": "Nộp trực tuyến"}]),
        ("20.000 đồng.", [HALF, HALF]),
        (None, [HALF]),
    ],
    ids=["without end", "for one case", "two at once", "nothing to follow it"],
)
def test_a_line_that_cannot_lead_is_refused(tmp_path: Path, answer: str | None, facts: list[dict[str, Any]]) -> None:
    with pytest.raises(ContentError, match="leads"):
        read_topic(write(tmp_path, with_fee(answer, *facts)))


def test_an_expired_section_has_no_answer_any_more(tmp_path: Path) -> None:
    write(tmp_path, TOPIC)
    known = load(tmp_path).known("lop-hoc", "thoi-gian", date(2027, 1, 1))
    assert known.answer is None
    assert known.expired


def test_an_aspect_that_is_not_told_is_unknown(tmp_path: Path) -> None:
    write(tmp_path, TOPIC)
    known = load(tmp_path).known("lop-hoc", "can-cu", date(2026, 11, 22))
    assert (known.answer, known.facts, known.expired) == (None, (), False)


def test_services_and_faqs_are_one_library(tmp_path: Path) -> None:
    write(tmp_path, TOPIC)
    write(tmp_path, TOPIC | {"slug": "lop-hai", "label": "Lớp hai"})
    library = load(tmp_path)
    assert list(library) == ["lop-hai", "lop-hoc"]
    assert len(library) == 2
    with pytest.raises(KeyError):
        library["lop-ba"]


def test_a_slug_must_be_the_name_of_its_file(tmp_path: Path) -> None:
    write(tmp_path, TOPIC, name="khac")
    with pytest.raises(ContentError, match=r"khac\.yml: slug 'lop-hoc' khác tên tệp"):
        load(tmp_path)


def test_two_files_cannot_claim_one_slug(tmp_path: Path) -> None:
    write(tmp_path, TOPIC)
    write(tmp_path, TOPIC, place="services")
    with pytest.raises(ContentError, match="đã có ở tệp khác"):
        load(tmp_path)


def test_broken_yaml_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "hong.yml"
    path.write_text("slug: [", encoding="utf-8")
    with pytest.raises(ContentError, match=r"hong\.yml: không đọc được YAML"):
        read_topic(path)


def test_a_broken_schema_names_the_place(tmp_path: Path) -> None:
    path = write(tmp_path, TOPIC | {"label": "x" * 33})
    with pytest.raises(ContentError, match=r"lop-hoc\.yml: label: "):
        read_topic(path)


def test_the_shipped_library_has_all_topics() -> None:
    library = load()
    assert len(library) == 140
    assert {library[s].kind for s in library} == {"service", "faq"}
