"""Materials in a conversation: the list, a pack with its leaflet, a text to pass on, a leaflet's code."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from bot.conversation.model import AnswerStatus, MaterialGiven, Said, Session, Turn
from tests.builders import MORNING

if TYPE_CHECKING:
    from congdanso.brain import Brain

TODAY = date(2026, 11, 23)
MET = Session(greeted=True)


def press(brain: Brain, payload: str, session: Session = MET) -> Turn:
    return brain.dialogue.reply(Said(payload=payload), None, session, TODAY)


def test_asking_for_materials_lists_the_packs_and_a_number_picks_one(brain: Brain) -> None:
    turn = brain.answer("cho tôi xin tài liệu tuyên truyền", MET, MORNING)
    assert turn.topic == "tai-lieu-tuyen-truyen"
    assert len(turn.replies[0].buttons) == 5
    picked = brain.answer("2", turn.session, MORNING)
    [leaflet] = picked.replies[0].attachments
    slug = turn.replies[0].buttons[1].payload.removeprefix("k:")
    assert leaflet.url == f"/materials/{slug}.pdf"
    assert picked.effects == (MaterialGiven(slug, "to-roi", None),)
    assert picked.replies[0].source is not None


def test_a_fitting_answer_offers_its_pack_which_remembers_the_topic(brain: Brain) -> None:
    answer = brain.answer("công an gọi điện bảo cập nhật vneid có phải lừa đảo không", MET, MORNING)
    assert answer.topic == "lua-dao-qua-mang"
    button = answer.replies[0].buttons[-1]
    assert button.payload == "k:phong-chong-lua-dao"
    given = press(brain, button.payload, answer.session)
    assert given.effects == (MaterialGiven("phong-chong-lua-dao", "to-roi", "lua-dao-qua-mang"),)
    text = press(brain, "k:phong-chong-lua-dao:loa-xa", given.session)
    assert "Kính thưa bà con" in text.replies[0].text
    assert text.effects == (MaterialGiven("phong-chong-lua-dao", "loa-xa", "lua-dao-qua-mang"),)


def test_an_answer_without_a_pack_has_no_such_button(brain: Brain) -> None:
    answer = brain.answer("đăng ký kết hôn cần giấy tờ gì", MET, MORNING)
    assert not [b for b in answer.replies[0].buttons if (b.payload or "").startswith("k:")]


def test_in_the_list_the_pack_of_the_present_topic_comes_first(brain: Brain) -> None:
    asked = brain.answer("bỏ thuế khoán là sao", MET, MORNING)
    assert asked.topic == "bo-thue-khoan"
    turn = press(brain, "a:tai-lieu-tuyen-truyen", asked.session)
    assert turn.replies[0].buttons[0].payload == "k:ho-kinh-doanh-thue-2026"


def test_a_leaflets_code_opens_its_pack_and_then_says_who_speaks(brain: Brain) -> None:
    turn = brain.dialogue.reply(Said(payload="c_dvc-thiet-yeu_phu-thong", opened=True), None, Session(), TODAY)
    assert [a.url for a in turn.replies[0].attachments] == ["/materials/dvc-thiet-yeu.pdf"]
    assert len(turn.replies) == 2
    assert turn.session.greeted


def test_a_code_of_something_gone_is_a_plain_hello(brain: Brain) -> None:
    for payload in ("", "c_khong-con", "xyz", "c_"):
        turn = brain.dialogue.reply(Said(payload=payload, opened=True), None, Session(), TODAY)
        assert len(turn.replies) == 1
        assert turn.status == AnswerStatus.SMALLTALK
        assert turn.effects == ()


def test_a_button_of_a_pack_that_is_gone_asks_again(brain: Brain) -> None:
    for payload in ("k:khong-con", "k:dvc-thiet-yeu:khong-con", "k:"):
        assert press(brain, payload).status == AnswerStatus.CLARIFIED
