"""A link says where somebody comes from: the commune's own link presets the commune, and nothing more."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest

from bot.conversation.links import pack_of, unit_of
from bot.conversation.model import AnswerStatus, Said, Session, Turn

if TYPE_CHECKING:
    from congdanso.brain import Brain

TODAY = date(2026, 11, 23)


def opened(brain: Brain, payload: str, session: Session | None = None) -> Turn:
    return brain.dialogue.reply(Said(payload=payload, opened=True), None, session or Session(), TODAY)


@pytest.mark.parametrize(
    ("payload", "pack", "unit"),
    [
        ("u_phu-thong", "", "phu-thong"),
        ("c_vneid", "vneid", ""),
        ("c_vneid_phu-thong", "vneid", "phu-thong"),
        ("c_", "", ""),
        ("u_", "", ""),
        ("", "", ""),
        ("phu-thong", "", ""),
    ],
)
def test_a_link_is_read(payload: str, pack: str, unit: str) -> None:
    assert (pack_of(payload), unit_of(payload)) == (pack, unit)


def test_a_communes_link_greets_and_presets_the_commune_without_subscribing(brain: Brain) -> None:
    ward = brain.places.by_slug("phu-thong").code
    turn = opened(brain, "u_phu-thong")
    assert turn.status == AnswerStatus.SMALLTALK
    assert (turn.session.ward, turn.session.subscribed, turn.session.consented) == (ward, False, False)
    assert turn.effects == (), "nobody has chosen anything"


def test_a_leaflet_of_a_commune_presets_it_too(brain: Brain) -> None:
    turn = opened(brain, "c_dvc-thiet-yeu_phu-thong")
    assert turn.session.ward == brain.places.by_slug("phu-thong").code
    assert turn.replies[0].attachments


def test_who_has_chosen_a_commune_keeps_it(brain: Brain) -> None:
    mine = brain.places.by_slug("bach-thong").code
    assert opened(brain, "u_phu-thong", Session(ward=mine)).session.ward == mine


@pytest.mark.parametrize("payload", ["u_khong-co", "u_", "u_Phu-Thong", "c_vneid_khong-co", ""])
def test_a_link_of_no_commune_of_ours_presets_nothing(brain: Brain, payload: str) -> None:
    assert opened(brain, payload).session.ward is None
