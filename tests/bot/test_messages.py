"""The door masks personal numbers and caps lengths before anything is stored."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.messages import MAX_TEXT, Address, Incoming, masked

NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
WEB = Address("web", "default", "abc")


def text_message(text: str, kind: str = "text") -> Incoming:
    return Incoming(WEB, "1", kind, text, NOW)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("cccd của tôi 019203004567 bị mất", "identity_number"),
        ("số 0912 345 678 gọi giúp", "phone"),
        ("+84912345678", "phone"),
        ("mail a.b@example.com nhé", "email"),
        ("mã thẻ GD4010012345678", "insurance_number"),
        ("chứng minh 095123456", "identity_number"),
        ("mật khẩu là Abc12345", "secret"),
    ],
)
def test_personal_numbers_are_masked_and_named(text: str, kind: str) -> None:
    safe = masked(text_message(text))
    assert kind in safe.personal
    assert not any(run.isdigit() and len(run) >= 6 for run in safe.text.replace(" ", "\n").split())


@pytest.mark.parametrize(
    "text",
    [
        "gọi 18001096 được không",
        "Luật 91/2025/QH15",
        "mã 1.004194",
        "mất 129.000.000 đồng",
        "ngày 22/11/2026",
        "H55.12.34-261122-0001",
    ],
)
def test_other_numbers_stay(text: str) -> None:
    safe = masked(text_message(text))
    assert safe.text == text
    assert safe.personal == ()


def test_a_long_text_is_cut_and_said_to_be() -> None:
    safe = masked(text_message("khai sinh " * 2000))
    assert len(safe.text) <= MAX_TEXT
    assert safe.truncated


def test_a_number_across_the_cut_is_not_stored_in_part() -> None:
    safe = masked(text_message("x" * (MAX_TEXT - 5) + " 019203004567"))
    assert "0192" not in safe.text


def test_buttons_are_left_alone() -> None:
    pressed = text_message("t:khai-sinh:le-phi", kind="button")
    assert masked(pressed) is pressed


@pytest.mark.parametrize("kind", ["opened", "button"])
def test_a_number_smuggled_into_a_link_or_button_is_dropped(kind: str) -> None:
    assert (
        masked(text_message("c_vneid-nguoi-cao-tuoi_phu-thong", kind=kind)).text == "c_vneid-nguoi-cao-tuoi_phu-thong"
    )
    assert masked(text_message("gọi 0912345678", kind=kind)).text == ""


@given(st.text(max_size=500))
def test_any_text_can_be_masked_twice_without_change(text: str) -> None:
    once = masked(text_message(text))
    twice = masked(once)
    assert twice.text == once.text
    assert "\x00" not in once.text
