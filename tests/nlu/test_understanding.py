"""The shipped model on the repository's own held-out split, and on input that nobody should send."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from nlu.dataset import read
from nlu.engine import DATA, Engine
from nlu.evaluation import Report, evaluate
from nlu.text.syllable import without_marks

if TYPE_CHECKING:
    from pathlib import Path

    from congdanso.brain import Brain


@pytest.fixture(scope="module")
def report(brain: Brain) -> Report:
    return evaluate(brain.engine, read(sorted((DATA / "heldout").glob("*.yml"))))


@pytest.mark.xdist_group("report")
class TestHeldOut:
    def test_proper_vietnamese(self, report: Report) -> None:
        assert report.accuracy["clean"].first >= 0.93
        assert report.accuracy["clean"].first_three >= 0.98

    @pytest.mark.parametrize(
        ("corruption", "loss"),
        [("no_accents", 0.02), ("typos", 0.06), ("teencode", 0.06), ("telex", 0.06), ("mixed", 0.06)],
    )
    def test_as_really_typed(self, report: Report, corruption: str, loss: float) -> None:
        assert report.accuracy[corruption].first >= report.accuracy["clean"].first - loss

    @pytest.mark.parametrize("kind", ["indirect", "long"])
    def test_indirect_and_long_tellings(self, report: Report, kind: str) -> None:
        assert report.kinds[kind].first >= 0.80
        assert report.kinds[kind].first_three >= 0.93

    def test_aspects(self, report: Report) -> None:
        assert report.aspect is not None
        assert report.aspect >= 0.92

    def test_all_that_a_story_asks_for(self, brain: Brain) -> None:
        stories = evaluate(brain.engine, read([DATA / "heldout" / "ke-chuyen.yml"]))
        assert stories.aspect is not None
        assert stories.aspect_sets is not None
        assert stories.aspect >= 0.92
        assert stories.aspect_sets >= 0.75

    def test_scope(self, report: Report) -> None:
        assert report.scope["far"].auroc >= 0.99
        assert report.scope["near"].auroc >= 0.90
        assert report.refused_in_scope <= 0.03


BEGINNINGS = (
    "làm giấy khai tử cho bố", "đăng ký kết hôn", "làm lại thẻ căn cước", "đổi bằng lái xe", "xin giấy phép xây nhà",
    "đăng ký tạm trú", "làm hộ chiếu", "mở quán tạp hoá", "sang tên xe máy", "đóng bảo hiểm y tế hộ gia đình", "khai sinh cho con",
    "nhà em mới xây, xin giấy phép", "chồng em mất rồi, khai tử", "con em đủ 14 tuổi, làm căn cước", "tách sổ đỏ cho con",
)  # fmt: skip
ASKED = {
    "noi-nop": ("ở đâu", "nộp ở đâu", "khai báo ở đâu", "ra đâu làm", "đến chỗ nào"),
    "giay-to": ("cần giấy gì", "cần giấy tờ gì", "phải mang những gì", "hồ sơ gồm những gì"),
    "le-phi": ("hết bao nhiêu tiền", "lệ phí bao nhiêu", "có mất tiền không", "tốn nhiêu"),
    "thoi-gian": ("mấy ngày có", "bao lâu xong", "mất mấy ngày", "bao giờ lấy được"),
}


def test_what_is_asked_in_a_row_is_heard_one_by_one(brain: Brain) -> None:
    chance = random.Random(11)
    right = 0
    for number in range(300):
        aspects = chance.sample(sorted(ASKED), chance.choice((2, 2, 3)))
        first, *others = (chance.choice(ASKED[aspect]) for aspect in aspects)
        text = f"{chance.choice(BEGINNINGS)} {first}"
        for other in others:
            text += chance.choice((" với ", ", ", " và ", " rồi ")) + other
        found = brain.engine.understand(without_marks(text) if number % 2 else text).aspects
        right += set(found) == set(aspects)
    assert right >= 0.87 * 300


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "😀",
        "\x00\x07",
        "\u202e\u200b",
        "'; DROP TABLE x; --",
        "<b>x</b>",
        "x" * 20_000,
        "khai sinh " * 3000,
        "\u0301\u0323",
    ],
)
def test_any_text_is_understood_somehow(brain: Brain, text: str) -> None:
    understanding = brain.engine.understand(text)
    assert understanding.text == text
    assert 0 <= understanding.confidence <= 1
    for entity in understanding.entities:
        assert 0 <= entity.start < entity.end <= len(text)


def test_a_question_about_something_else_is_no_follow_up(brain: Brain) -> None:
    assert brain.engine.understand("thế lệ phí bao nhiêu").topic is None
    assert brain.engine.understand("thế lệ phí bao nhiêu").in_scope
    assert brain.engine.understand("ly hôn thì cần giấy tờ gì").intent != "hoi-tiep"


def test_entities_point_into_the_text_as_typed(brain: Brain) -> None:
    text = "ở xã Phủ Thông, hồ sơ H55.12.34-261122-0001 đến đâu"
    found = {e.kind: text[e.start : e.end] for e in brain.engine.understand(text).entities}
    assert found == {"place": "Phủ Thông", "dossier_code": "H55.12.34-261122-0001"}


def test_a_personal_number_is_named_but_not_repeated(brain: Brain) -> None:
    [entity] = brain.engine.understand("số 019203004567").entities
    assert entity.kind == "identity_number"
    assert "019" not in entity.value


def test_what_needs_the_encoder_is_left_open_at_once_and_known_afterwards(model_archive: Path) -> None:
    engine = Engine.load(model_archive)
    texts = [e.text for e in read(sorted((DATA / "heldout").glob("*.yml")))][::3]
    left_open = [text for text in texts if engine.at_once(text) is None]
    assert 0 < len(left_open) < len(texts) / 10
    for text in left_open[:3]:
        assert engine.understand(text) == engine.at_once(text)


def test_what_does_not_need_it_means_the_same_at_once(brain: Brain) -> None:
    assert brain.engine.at_once("làm hộ chiếu hết bao nhiêu tiền") == brain.engine.understand(
        "làm hộ chiếu hết bao nhiêu tiền"
    )
