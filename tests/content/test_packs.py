"""The outreach packs: what a pack must be, and that the five we give are."""

from __future__ import annotations

import io
from copy import deepcopy
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pypdf import PdfReader

from content import library
from content.check import check
from content.leaflet import Imprint, campaign_link, render
from content.library import ContentError
from content.packs import Pack, Packs, load, read_pack

TODAY = date(2026, 11, 23)
PROVINCE = Imprint("Tỉnh Thái Nguyên", campaign_link("https://congdanso.example.vn", "vneid"))


def pack(**changes: Any) -> dict[str, Any]:
    """Return a pack without any problem, changed at its top level."""
    good: dict[str, Any] = {
        "slug": "vneid",
        "title": "VNeID cho mọi người",
        "summary": "Cài ứng dụng và giữ an toàn.",
        "audience": "Mọi người dân.",
        "topics": ["kich-hoat-vneid"],
        "sources": {"vn": {"title": "Hướng dẫn kích hoạt VNeID", "seen_on": date(2026, 11, 22)}},
        "reviewed_on": date(2026, 11, 22),
        "items": [
            {
                "slug": "to-roi",
                "title": "Tờ rơi VNeID",
                "kind": "leaflet",
                "leaflet": {"headline": "Có VNeID", "lead": "Một dòng đầu.", "points": ["Một.", "Hai.", "Ba."]},
            },
            {"slug": "loa-xa", "title": "Bài đọc loa", "kind": "text", "text": "Kính thưa bà con."},
        ],
    }
    return deepcopy(good) | changes


def write(folder: Path, given_pack: dict[str, Any]) -> Path:
    path = folder / "packs" / f"{given_pack['slug']}.yml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(given_pack, allow_unicode=True, sort_keys=False), encoding="utf-8")
    return path


def words(pdf: bytes) -> str:
    """The text of a PDF with line breaks taken out, as a reader's copy and paste gives it."""
    return " ".join(" ".join(page.extract_text().split()) for page in PdfReader(io.BytesIO(pdf)).pages)


class TestTheFivePacks:
    @pytest.fixture
    def packs(self) -> Packs:
        return load(topics=library.load())

    def test_the_five_subjects_are_there(self, packs: Packs) -> None:
        assert set(packs) == {
            "dvc-thiet-yeu",
            "vneid-nguoi-cao-tuoi",
            "phong-chong-lua-dao",
            "ho-kinh-doanh-thue-2026",
            "binh-dan-hoc-vu-so",
        }

    def test_each_has_texts_and_a_leaflet_that_says_what_the_file_says(self, packs: Packs) -> None:
        for one in packs.values():
            pdf = render(one, PROVINCE)
            reader = PdfReader(io.BytesIO(pdf))
            assert len(reader.pages) == 1, one.slug
            assert reader.metadata is not None
            assert reader.metadata.title == one.leaflet.title
            said = words(pdf)
            sheet = one.leaflet.leaflet
            assert sheet is not None
            for line in (sheet.headline, sheet.lead, *sheet.points, *sheet.steps, sheet.warning):
                assert " ".join(line.split()) in said, (one.slug, line)
            assert "kiểm tra ngày 23/11/2026" in said
            assert "18001096" in said
            assert sum(item.kind == "text" for item in one.items) >= 2

    def test_the_one_for_the_fewest_topics_comes_first(self, packs: Packs) -> None:
        assert [p.slug for p in packs.for_topic("kich-hoat-vneid")] == ["vneid-nguoi-cao-tuoi"]
        assert packs.for_topic("ket-hon") == ()


class TestThePage:
    def test_the_same_leaflet_is_the_same_file(self) -> None:
        one = Pack.model_validate(pack())
        assert render(one, PROVINCE) == render(one, PROVINCE)

    def test_a_commune_stands_on_it_with_its_own_code(self) -> None:
        one = Pack.model_validate(pack())
        commune = render(one, Imprint("Xã Phủ Thông", campaign_link("https://a.vn", "vneid", "phu-thong")))
        assert "Xã Phủ Thông" in words(commune)
        without = render(one, Imprint("Xã Phủ Thông"))
        assert "Quét mã" not in words(without)

    def test_what_looks_like_typst_stays_words(self) -> None:
        nasty = '#import "x" $a$ *b* _c_ @d <e> \\ = "'
        sheet = {"headline": "Có #v(9cm) đây", "lead": nasty, "points": [nasty, "Hai.", "Ba."]}
        items = pack()["items"]
        items[0]["leaflet"] = sheet
        said = words(render(Pack.model_validate(pack(items=items)), PROVINCE))
        assert nasty in said
        assert "#v(9cm)" in said

    def test_too_many_words_for_a_page_are_refused(self) -> None:
        long = "Một câu rất dài về giấy tờ. " * 9
        items = pack()["items"]
        items[0]["leaflet"] = {
            "headline": "Dài",
            "lead": long,
            "points": [long] * 8,
            "steps_title": "Làm",
            "steps": [long] * 6,
            "warning": long,
        }
        with pytest.raises(ContentError, match="vneid"):
            render(Pack.model_validate(pack(items=items)), PROVINCE)

    @settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(
        lead=st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc", "Co", "Cn")), min_size=2, max_size=80)
    )
    def test_any_words_make_a_page(self, lead: str) -> None:
        items = pack()["items"]
        items[0]["leaflet"]["lead"] = lead
        pdf = render(Pack.model_validate(pack(items=items)), PROVINCE)
        assert len(PdfReader(io.BytesIO(pdf)).pages) == 1


class TestReading:
    @pytest.mark.parametrize(
        ("changes", "reason"),
        [
            ({"slug": "Vneid"}, "slug"),
            ({"slug": "a" * 31}, "slug"),
            ({"sources": {}}, "sources"),
            ({"items": pack()["items"][:1]}, "items"),
            ({"items": [*pack()["items"], pack()["items"][0] | {"slug": "to-roi-2"}]}, "exactly one leaflet"),
            ({"items": [*pack()["items"], pack()["items"][1]]}, "one slug"),
            ({"items": [pack()["items"][0], {"slug": "x", "title": "Bài", "kind": "text"}]}, "kind text has"),
            ({"colour": "red"}, "colour"),
        ],
    )
    def test_a_broken_pack_says_where(self, tmp_path: Path, changes: dict[str, Any], reason: str) -> None:
        path = tmp_path / "vneid.yml"
        path.write_text(yaml.safe_dump(pack(**changes), allow_unicode=True), encoding="utf-8")
        with pytest.raises(ContentError, match=reason):
            read_pack(path)

    def test_a_file_named_otherwise_and_a_dead_topic_are_refused(self, tmp_path: Path) -> None:
        path = write(tmp_path, pack())
        with pytest.raises(ContentError, match="kich-hoat-vneid"):
            load(path.parent, topics={"khai-sinh"})
        path.rename(path.with_name("khac.yml"))
        with pytest.raises(ContentError, match="khác tên tệp"):
            load(path.parent)

    def test_a_pack_ends_with_its_last_day(self) -> None:
        one = Pack.model_validate(pack(valid_to=TODAY))
        assert one.holds(TODAY)
        assert not one.holds(date(2026, 11, 24))


class TestChecking:
    @pytest.mark.parametrize(
        ("changes", "says"),
        [
            ({"topics": ["khong-co"]}, "không có chủ đề này"),
            ({"reviewed_on": date(2027, 1, 1)}, "ở tương lai"),
            ({"valid_to": date(2026, 1, 1)}, "đã hết hạn"),
            ({"valid_to": date(2026, 12, 1)}, "sắp hết hạn"),
            ({"summary": "Chắc chắn có ngay!"}, "chắc chắn"),
            ({"summary": "Vào trang vneid-gov.com để cài."}, "vneid-gov.com"),
            ({"summary": "Vào https://bit.ly/abc để cài."}, "đường dẫn"),
            ({"summary": "Mất 7000 đồng."}, "viết sai"),
            ({"summary": "Đến UBND huyện để nộp."}, "cấp huyện"),
            (
                {"sources": {"x": {"title": "Trang lạ", "url": "https://bit.ly/a", "seen_on": date(2026, 1, 1)}}},
                "địa chỉ",
            ),
            ({"title": None}, "phải là chữ"),
        ],
    )
    def test_what_may_not_be_given_out_is_found(self, tmp_path: Path, changes: dict[str, Any], says: str) -> None:
        write(tmp_path, pack(**changes))
        faq = (library.DATA / "faqs" / "kich-hoat-vneid.yml").read_text(encoding="utf-8")
        (tmp_path / "faqs").mkdir()
        (tmp_path / "faqs" / "kich-hoat-vneid.yml").write_text(faq, encoding="utf-8")
        found = [p for p in check(tmp_path, TODAY) if p.file.startswith("packs/")]
        assert len(found) >= 1
        assert any(says in p.message for p in found), found

    def test_a_good_pack_has_no_problem(self, tmp_path: Path) -> None:
        write(tmp_path, pack(topics=[]))
        assert check(tmp_path, TODAY) == []
