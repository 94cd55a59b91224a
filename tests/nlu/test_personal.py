"""Personal numbers are found whatever way they are written; other numbers are left alone."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlu.personal import find, find_dossier_codes, mask


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("019203004567", "identity_number"),
        ("cccd 019 203 004 567 ạ", "identity_number"),
        ("số 019.203.004.567", "identity_number"),
        ("019-203-004-567", "identity_number"),
        ("cmnd 095123456", "identity_number"),
        ("095 123 456", "identity_number"),
        ("mã số thuế 4600123456", "identity_number"),
        ("mst 4600123456-001", "identity_number"),
        ("0912345678", "phone"),
        ("0912 345 678", "phone"),
        ("0912.345.678", "phone"),
        ("+84 912 345 678", "phone"),
        ("84912345678", "phone"),
        ("gọi 0208 3851 234 nhé", "phone"),
        ("lan.nguyen@example.com", "email"),
        ("GD4010012345678", "insurance_number"),
        ("thẻ GD 4 01 00 1234 5678", "insurance_number"),
        ("4111 1111 1111 1111", "bank_card"),
        ("hộ chiếu B1234567", "passport"),
        ("otp là 123456", "secret"),
        ("mật khẩu: Abc12345", "secret"),
        ("biển 20A-123.45", "plate"),
        ("０９１２３４５６７８", "phone"),
    ],
)
def test_it_is_found(text: str, kind: str) -> None:
    assert kind in {found.kind for found in find(text)}
    assert not re.search(r"\d{4}", mask(text)[0].translate({0xFF10 + i: ord("0") + i for i in range(10)}))


@pytest.mark.parametrize(
    "text",
    [
        "18001096",
        "1900.0368",
        "gọi 1900 0368",
        "22/11/2026",
        "ngày 01/7/2025",
        "Luật 91/2025/QH15",
        "Nghị định 141/2026/NĐ-CP",
        "mã 1.001193",
        "mã 2.000635",
        "129.000.000 đồng",
        "phạt 4.000.000đ",
        "1.000.000.000",
        "H55.12.34-261122-0001",
        "000.00.01.H55-261122-0012",
        "tôi 72 tuổi",
        "sinh năm 1954",
        "5656",
        "mẫu CT01",
        "thửa 123 tờ bản đồ 45",
        "quên mật khẩu thì làm sao",
        "mã otp là gì",
    ],
)
def test_it_is_left_alone(text: str) -> None:
    assert find(text) == []
    assert mask(text) == (text, ())


def test_a_dossier_code_is_found() -> None:
    assert find_dossier_codes("hồ sơ H55.12.34-261122-0001 đến đâu") == [(6, 27)]


@given(st.text(alphabet="0123456789 abcđ.,-/", max_size=60))
def test_no_plain_run_of_nine_to_fourteen_digits_survives(text: str) -> None:
    masked, _ = mask(text)
    for run in re.findall(r"(?<![\w./,\-])\d{9,14}(?![\w./,\-])", masked):
        pytest.fail(f"{run} in {masked!r}")


@given(st.text(max_size=200))
def test_masking_twice_changes_nothing_more(text: str) -> None:
    once, _ = mask(text)
    assert mask(once)[0] == once
