"""Data of another field: flights, medicine, students' feedback; few examples, Vietnamese labels, entities, very long texts."""

from __future__ import annotations

from pathlib import Path

import pytest

from nlu import embedding
from nlu.dataset import read, read_lookups
from nlu.engine import Engine, train

FOLDER = Path(__file__).parent / "foreign"
ASKED = {
    "chuyen-bay.yml": {
        "mai có chuyến bay nào từ Đà Nẵng ra Hà Nội không": "tìm chuyến bay",
        "co chuyen nao di can tho toi nay": "tìm chuyến bay",
        "vé đi Vinh giá bao nhiêu": "giá vé",
        "ve khu hoi het bao nhieu tien": "giá vé",
        "hành lý ký gửi quá cân tính thế nào": "hành lý",
        "xách tay được mấy cân": "hành lý",
        "cho tôi dời sang chuyến ngày mai": "đổi vé",
        "muốn huỷ vé và nhận lại tiền": "hoàn vé",
        "ra sân bay bằng xe gì": "phương tiện ra sân bay",
        "có xe buýt về trung tâm không": "phương tiện ra sân bay",
    },
    "y-te.yml": {
        "sốt cao nổi ban có sao không bác sĩ": "triệu chứng",
        "viêm họng thì uống thuốc gì": "điều trị",
        "làm thế nào để tránh bị lây cúm": "phòng bệnh",
        "vì sao da hay bị khô": "nguyên nhân",
        "tai sao rung toc nhieu": "nguyên nhân",
    },
    "gop-y.tsv": {
        "cô giảng rất dễ hiểu và tận tình": "tích cực",
        "thay giang nhanh qua khong theo kip": "tiêu cực",
        "nên tăng thêm giờ thực hành": "góp ý",
        "mong thầy cho thêm ví dụ": "góp ý",
        "máy chiếu hỏng suốt, phòng nóng": "tiêu cực",
    },
}


@pytest.fixture(scope="module", params=sorted(ASKED))
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Engine]:
    folder = tmp_path_factory.mktemp("foreign")
    file = FOLDER / request.param
    archive = train([file], read_lookups([file]), folder / "model.tar.gz", vectors=folder / "vectors.npz")
    return request.param, Engine.load(archive)


class TestAnotherField:
    def test_new_wording_is_understood(self, trained: tuple[str, Engine]) -> None:
        name, engine = trained
        right = [engine.understand(text).topic == intent for text, intent in ASKED[name].items()]
        assert sum(right) >= 0.8 * len(right)

    def test_nothing_of_our_own_field_is_found(self, trained: tuple[str, Engine]) -> None:
        name, engine = trained
        understanding = engine.understand(next(iter(ASKED[name])))
        known = {example.intent for example in read([FOLDER / name])}
        assert understanding.in_scope
        assert understanding.aspects == ()
        assert {understanding.topic, *(a.topic for a in understanding.alternatives)} <= known

    def test_any_text_is_understood_somehow(self, trained: tuple[str, Engine]) -> None:
        _, engine = trained
        for text in ("", "😀", "zzz qqq www", "vé " * 3000):
            assert 0 <= engine.understand(text).confidence <= 1


def test_entities_are_learnt_from_annotations_and_lookup_tables(tmp_path: Path) -> None:
    names = read_lookups([FOLDER / "chuyen-bay.yml"])
    assert set(names) == {"hang_bay", "thanh_pho"}
    assert {"Hà Nội", "Nha Trang"} <= set(names["thanh_pho"])
    assert all("[" not in example.text for example in read([FOLDER / "chuyen-bay.yml"]))
    engine = Engine.load(train([FOLDER / "chuyen-bay.yml"], names, tmp_path / "model.tar.gz"))
    text = "bay Vietjet từ ha noi vào Đà Nẵng"
    found = [(e.kind, e.value, text[e.start : e.end]) for e in engine.understand(text).entities]
    assert found == [
        ("hang_bay", "Vietjet", "Vietjet"),
        ("thanh_pho", "Hà Nội", "ha noi"),
        ("thanh_pho", "Đà Nẵng", "Đà Nẵng"),
    ]


def test_vectors_are_kept_for_the_next_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = tmp_path / "vectors.npz"
    train([FOLDER / "y-te.yml"], {}, tmp_path / "first.tar.gz", vectors=vectors)

    def refuse(texts: object) -> object:
        raise AssertionError(f"embedded again: {texts}")

    monkeypatch.setattr("nlu.components.semantic.load_embedder", lambda *_: refuse)
    train([FOLDER / "y-te.yml"], {}, tmp_path / "second.tar.gz", vectors=vectors)


def test_without_an_embedder_the_first_stage_stands_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert embedding.load_embedder() is not None
    monkeypatch.setattr("nlu.components.semantic.load_embedder", lambda *_: None)
    engine = Engine.load(train([FOLDER / "chuyen-bay.yml"], {}, tmp_path / "model.tar.gz"))
    assert engine.understand("vé đi Vinh giá bao nhiêu").topic == "giá vé"
