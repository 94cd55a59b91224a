"""Figures as lines, as a workbook and as pictures: true, readable, and never a formula."""

from __future__ import annotations

import json
import zipfile
from datetime import date
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from analytics import charts, report
from analytics.figures import ACTIONS, AnnouncementRow, DayRow, Figures, GroupRow, MaterialRow, TopicRow
from content.check import read_expected
from content.fonts import FONTS
from content.library import DATA

SHEET = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


class Names:
    """Names a little nastier than real ones."""

    def topic(self, slug: str) -> str:
        return {"evil": '=HYPERLINK("http://x")'}.get(slug, slug.replace("-", " "))

    def unit(self, slug: str) -> str:
        return f"Xã {slug}"

    def pack(self, slug: str) -> str:
        return f"Bộ {slug}"


FIGURES = Figures(
    date(2026, 11, 20),
    date(2026, 11, 22),
    None,
    askers=1234,
    questions=2000,
    statuses={"answered": 1500, "unknown": 100, "clarified": 400},
    topics=(TopicRow("khai-sinh", 1200, 1100, 10), TopicRow("evil", 3, 3, 0)),
    materials=(MaterialRow("vneid", "to-roi", None, "phu-thong", "web", 4),),
    announcements=(AnnouncementRow(7, 5, {"accepted": 4, "failed:blocked": 1}),),
    by_unit=(GroupRow("phu-thong", None, 3, 3, 0, 4, 4), GroupRow(None, 1200, 1997, 1497, 100, 0, 0)),
    by_channel=(GroupRow("web", 1234, 2000, 1500, 100, 4, 4),),
    by_day=(
        DayRow(date(2026, 11, 20), 400, 700, 0, 0),
        DayRow(date(2026, 11, 21), 0, 0, 0, 0),
        DayRow(date(2026, 11, 22), None, 1300, 4, 4),
    ),
)


def test_the_terminal_tells_it_in_vietnamese() -> None:
    text = report.as_text(FIGURES, Names())
    for line in ("từ 20/11/2026 đến 22/11/2026", "1.234", "1.500 (75 %)", "100 (5 %)", "khai sinh"):
        assert line in text


def test_json_is_json() -> None:
    told = json.loads(json.dumps(report.as_dict(FIGURES)))
    assert told["answered_share"] == 0.75
    assert told["by_day"][2] == {
        "day": "2026-11-22",
        "askers": None,
        "questions": 1300,
        "materials": 4,
        "deliveries": 4,
    }


def test_the_workbook_holds_numbers_and_no_formulas(tmp_path: Path) -> None:
    target = tmp_path / "so-lieu.xlsx"
    report.write_xlsx(FIGURES, target, Names())
    with zipfile.ZipFile(target) as book:
        names = [e.get("name") for e in ET.fromstring(book.read("xl/workbook.xml")).iter(f"{SHEET}sheet")]
        assert names == ["Tổng quan", "Chủ đề", "Xã phường", "Kênh", "Theo ngày", "Tài liệu", "Thông báo"]
        sheets = [book.read(f"xl/worksheets/sheet{i}.xml").decode() for i in range(1, len(names) + 1)]
        assert not any("<f>" in sheet or "<hyperlink" in sheet for sheet in sheets)
        topics = ET.fromstring(sheets[1])
        numbers = [c.findtext(f"{SHEET}v") for c in topics.iter(f"{SHEET}c") if c.get("t") != "s"]
        assert numbers == ["1200", "1100", "10", "3", "3", "0"]
        assert "dưới 5" in book.read("xl/sharedStrings.xml").decode()


def test_a_place_that_cannot_be_written_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="khong-co"):
        report.write_xlsx(FIGURES, tmp_path / "khong-co" / "a.xlsx", Names())


@pytest.mark.parametrize(
    "figures", [FIGURES, Figures(date(2026, 11, 22), date(2026, 11, 22), None)], ids=["some", "none"]
)
def test_the_charts_hold_the_numbers(figures: Figures) -> None:
    for chart in (charts.by_day(figures), charts.by_topic(figures, Names(), width=340)):
        assert charts.png(chart, FONTS).startswith(b"\x89PNG")
    drawn = charts.svg(charts.by_topic(figures, Names()), FONTS)
    for row in figures.topics:
        assert f">{report.number(row.questions)}<" in drawn


def test_what_is_not_counted_as_a_question_are_actions() -> None:
    table = read_expected(DATA / "topics.tsv")
    assert {table[slug].kind for slug in ACTIONS} == {"action"}
