"""Personal numbers in a text: found, and masked before anything is stored or logged.

Identity cards (12 digits, old 9), phones, e-mails, bank cards, social and health insurance numbers, tax codes, passports, plates.
Not personal: hotlines, dates, sums of money, numbers of laws and procedures, dossier codes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

REFUSED: Final = frozenset({"identity_number", "phone", "email", "bank_card", "insurance_number", "passport", "secret"})
"""Kinds whose presence makes the bot refuse the message. A plate is only masked."""

_SEP = r"[ .\-\u00a0]?"
_DIGITS_BEFORE = r"(?<![\d/])(?<!\d[.,])"
_DIGITS_AFTER = r"(?![\d/])(?![.,]\d)"

_PATTERNS: Final[tuple[tuple[str, re.Pattern[str]], ...]] = (
    ("email", re.compile(r"[\w.+\-]{1,64}@[\w\-]{1,63}(?:\.[\w\-]{1,63})+")),
    ("insurance_number", re.compile(rf"(?<!\w)[A-Za-z]{{2}}{_SEP}\d(?:{_SEP}\d){{12}}(?!\w)")),
    ("bank_card", re.compile(rf"{_DIGITS_BEFORE}\d{{4}}(?:{_SEP}\d{{4}}){{3}}(?:{_SEP}\d{{1,3}})?{_DIGITS_AFTER}")),
    ("phone", re.compile(rf"(?<![\d/.])(?:\+?84|0){_SEP}2(?:{_SEP}\d){{9}}{_DIGITS_AFTER}")),
    ("phone", re.compile(rf"(?<![\d/.])(?:\+?84|0){_SEP}[235789](?:{_SEP}\d){{8}}{_DIGITS_AFTER}")),
    ("identity_number", re.compile(rf"{_DIGITS_BEFORE}\d{{3}}{_SEP}\d{{3}}{_SEP}\d{{3}}{_SEP}\d{{3}}{_DIGITS_AFTER}")),
    ("identity_number", re.compile(r"(?<![\d/])(?<!\d[.,])\d{3}[ \-\u00a0]?\d{3}[ \-\u00a0]?\d{3}(?![\d/])(?![.,]\d)")),
    ("identity_number", re.compile(rf"{_DIGITS_BEFORE}\d(?:{_SEP}\d){{9,13}}{_DIGITS_AFTER}")),
    ("passport", re.compile(r"(?<!\w)[A-Za-z]\d{7,8}(?!\w)")),
    (
        "secret",
        re.compile(
            r"(?i)(?<!\w)(?:otp|mật khẩu|mat khau|passcode|pass|password)(?:\s+(?:của|cua)\s+\w+)?\s*(?:là|la|:|=)\s*(?=\S*\d)\S{4,}"
        ),
    ),
    ("plate", re.compile(r"(?<!\w)\d{2}[ \-]?[A-Za-zĐđ]\d?[ \-]\d{3}[. ]?\d{2}(?!\d)")),
)
_MONEY: Final = re.compile(
    r"(?<![\d.])\d{1,3}(?:[.,]000)+(?![\d])|(?<!\d)\d{1,3}(?:[.,]\d{3})+\s*(?:đ|đồng|dong|vnđ|vnd)\b", re.I
)
_DOSSIER: Final = re.compile(r"(?<!\w)(?:\d{3}\.\d{2}\.\d{2}\.)?[A-Z]\d{2}(?:\.\d{1,3}){0,4}-\d{6}-\d{3,6}(?!\d)", re.I)

_POSSIBLE: Final = re.compile(r"[\d@]")
"""Every pattern needs a digit (of any script) or an at sign; most messages have neither."""


@dataclass(frozen=True, slots=True)
class Found:
    """A personal number at `start:end` of the text; the number itself is not kept."""

    kind: str
    start: int
    end: int


MASKS: Final = {
    "identity_number": "[số giấy tờ]",
    "phone": "[số điện thoại]",
    "email": "[thư điện tử]",
    "bank_card": "[số thẻ]",
    "insurance_number": "[số bảo hiểm]",
    "passport": "[số hộ chiếu]",
    "secret": "[mật khẩu]",
    "plate": "[biển số]",
}
_FULL_WIDTH: Final = {0xFF10 + i: ord("0") + i for i in range(10)} | {0x0660 + i: ord("0") + i for i in range(10)}


def find(text: str) -> list[Found]:
    """Return the personal numbers of a text, in order and without overlaps."""
    if not _POSSIBLE.search(text):
        return []
    plain = text.translate(_FULL_WIDTH)
    taken = [m.span() for rx in (_DOSSIER, _MONEY) for m in rx.finditer(plain)]
    found: list[Found] = []
    for kind, pattern in _PATTERNS:
        for match in pattern.finditer(plain):
            if all(match.end() <= start or match.start() >= end for start, end in taken):
                taken.append(match.span())
                found.append(Found(kind, *match.span()))
    return sorted(found, key=lambda f: f.start)


def find_dossier_codes(text: str) -> list[tuple[int, int]]:
    """Return the spans of dossier codes such as H55.12.34-261122-0001."""
    return [m.span() for m in _DOSSIER.finditer(text)] if _POSSIBLE.search(text) else []


def mask(text: str) -> tuple[str, tuple[str, ...]]:
    """Return the text with every personal number replaced by its mask, and the kinds found."""
    found = find(text)
    out = []
    at = 0
    for item in found:
        out += [text[at : item.start], MASKS[item.kind]]
        at = item.end
    return "".join([*out, text[at:]]), tuple(f.kind for f in found)
