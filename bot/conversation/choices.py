"""What a short answer means while the bot waits for one: a number, an ordinal, a label, yes, no, none of these.

Works on text without marks, since half of all answers come without them.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Final

from bot.conversation.model import Button
from nlu.text.syllable import without_marks

_NUMBERS: Final = {
    "mot": 1,
    "nhat": 1,
    "dau": 1,
    "dau tien": 1,
    "hai": 2,
    "nhi": 2,
    "ba": 3,
    "bon": 4,
    "tu": 4,
    "nam": 5,
    "sau": 6,
}
_NO_WORD: Final = re.compile(r"[^\w]+|_")
_CHOICE: Final = re.compile(
    r"^(?:(?:a|u|uh|da|vang|thi|the|em|toi|minh|chau|bac|ba|ong)\s+)*(?:chon|nhan|lay|la|bam|hoi|cho)?\s*"
    r"(?:so|cai|cau|muc|y|viec|dong|lua chon|phuong an|o)?\s*(?:so|thu)?\s*"
    r"(\d{1,2}|mot|nhat|dau tien|dau|hai|nhi|ba|bon|tu|nam|sau)(?:\s+(?:a|ay|nhe|di|nha|day|do|nay|roi|thoi|co|em|anh|chi"
    r"|bac|oi))*$"
)
_LAST: Final = re.compile(r"\b(?:cuoi|cuoi cung|duoi cung)\b")
_ARTICLE: Final = re.compile(r"^(?:chon|lay|cai|so|muc|thu|\d)")
_NONE: Final = re.compile(
    r"^(?:deu\s+)?(?:khong|ko|k|hong|chang|chua)\s+(?:phai|dung|co|cai nao|phai may cai|giong)\b"
    r"|^(?:khong|ko|k|hong)(?:\s+a)?$|\b(?:cai khac|viec khac|khong cai nao)\b"
)
_SAID_WITH_IT: Final = (
    "a|ak|roi|nhe|nha|nhi|di|luon|het|em|anh|chi|chau|bac|ong|ba|toi|minh|the|vay|day|do|chu|thi|cung|ngay"
    "|giup|voi|ca|oi|bot"
)
_YES_WORDS: Final = (
    "chinh xac|tiep tuc|bat dau|thong bao|dong y|nhat tri|co|ok|okay|oke|oki|okie|okela|uki|vang|da|u|uh|uhm"
    "|um|uk|duoc|dc|phai|dung|chuan|yes|y|nhan|lay|xoa|lam|chot"
)
_YES: Final = re.compile(rf"^(?:(?:{_SAID_WITH_IT})\s+)*(?:{_YES_WORDS})(?:\s+(?:{_YES_WORDS}|{_SAID_WITH_IT}))*$")
_NO_WORDS: Final = "de luc khac|de sau|bo qua|giu lai|khong|ko|k|hong|hem|thoi|chua|dung|huy|bo|no|khoi"
_NO: Final = re.compile(
    rf"^(?:(?:da|{_SAID_WITH_IT})\s+)*(?:{_NO_WORDS})"
    rf"(?:\s+(?:{_NO_WORDS}|{_SAID_WITH_IT}|dau|can|nhan|xoa|dong y|nua|muon|gui|phai|duoc))*$"
)
STOP_WORDS: Final = frozenset(
    {
        "stop", "dung", "dung lai", "dung thong bao", "dung nhan tin", "dung gui", "dung gui tin", "tat thong bao",
        "huy thong bao", "huy dang ky", "huy nhan tin", "tu choi", "tu choi nhan tin", "ngung", "ngung thong bao",
        "dung nhan thong bao",
    }
)  # fmt: skip


def fold(text: str) -> str:
    """Return the text in lower case, without marks and punctuation, single-spaced."""
    return " ".join(_NO_WORD.sub(" ", without_marks(text.lower())).split())


def begins_with_child(text: str) -> bool:
    """Whether a text begins with "con" that is a child or an animal: where other words carry marks, "còn" would carry its own."""
    words = unicodedata.normalize("NFC", text.lower()).split()
    return words[:1] == ["con"] and any(not word.isascii() for word in words)


def chosen(text: str, options: Sequence[Button]) -> Button | None:
    """Return the option that a text picks by number, ordinal or label; None if it picks none."""
    folded = fold(text)
    if not folded or not options:
        return None
    if _LAST.search(folded) and _ARTICLE.match(folded):
        return options[-1]
    if _CHOICE.match(folded):
        return by_number(text, options)
    return _by_label(folded, options)


def by_number(text: str, options: Sequence[Button]) -> Button | None:
    """Return the option whose number a text as a whole is; None if it is none."""
    if (match := _CHOICE.match(fold(text))) is None:
        return None
    word = match.group(1)
    number = int(word) if word.isdigit() else _NUMBERS[word]
    return options[number - 1] if 1 <= number <= len(options) else None


def _by_label(folded: str, options: Sequence[Button]) -> Button | None:
    labels = [fold(option.label) for option in options]
    exact = [o for o, name in zip(options, labels, strict=True) if name == folded]
    if exact:
        return exact[0]
    words = set(folded.split())
    inside = [o for o, name in zip(options, labels, strict=True) if words <= set(name.split())]
    return inside[0] if len(inside) == 1 and len(folded) >= 3 else None


def picks_none(text: str) -> bool:
    """Whether a text says that none of the options is meant."""
    return bool(_NONE.search(fold(text)))


def is_yes(text: str) -> bool:
    """Whether a text as a whole is a yes."""
    return bool(_YES.match(fold(text)))


def is_no(text: str) -> bool:
    """Whether a text as a whole is a no; "đúng" and "đừng" differ only in their marks."""
    return bool(_NO.match(fold(text))) and not _says_right(text)


def is_stop(text: str) -> bool:
    """Whether a text is a word that stops announcements. "Đúng" folds to the same letters as "dừng", and is a yes."""
    return fold(text) in STOP_WORDS and not _says_right(text)


def _says_right(text: str) -> bool:
    return "đúng" in unicodedata.normalize("NFC", text).lower()
