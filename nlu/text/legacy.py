"""Vietnamese from before Unicode, pasted from old documents: TCVN3 (".VnTime" fonts) and VNI Windows, seen as Latin letters.

"§¨ng ký khai sinh" and "Ñaêng kyù khai sinh" are both "Đăng ký khai sinh". A text is taken for old only if that makes more of its
words Vietnamese syllables; every character of the result knows where it stood.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from nlu.text.syllable import is_bare_syllable, is_syllable

_TCVN3: Final[dict[str, str]] = dict(
    zip(
        "µ¶·¸¹¨»¼½¾Æ©ÇÈÉÊË®ÌÎÏÐÑªÒÓÔÕÖ×ØÜÝÞßáâãä«åæçèé¬êëìíîïñòóô\u00adõö÷øùúûüýþ¡¢£¤¥¦§",
        "àảãáạăằẳẵắặâầẩẫấậđèẻẽéẹêềểễếệìỉĩíịòỏõóọôồổỗốộơờởỡớợùủũúụưừửữứựỳỷỹýỵĂÂÊÔƠƯĐ",
        strict=True,
    )
)
_VNI_TONES: Final = {"ù": "\u0301", "ø": "\u0300", "û": "\u0309", "õ": "\u0303", "ï": "\u0323"}
_VNI_HATS: Final = {
    "ê": "\u0306", "é": "\u0306\u0301", "è": "\u0306\u0300", "ú": "\u0306\u0309", "ü": "\u0306\u0303", "ë": "\u0306\u0323",
    "â": "\u0302", "á": "\u0302\u0301", "à": "\u0302\u0300", "å": "\u0302\u0309", "ã": "\u0302\u0303", "ä": "\u0302\u0323",
}  # fmt: skip
"""What stands behind a vowel: breve or circumflex, with the tone."""
_VNI_LETTERS: Final = {"ñ": "đ", "ô": "ơ", "ö": "ư", "æ": "ỉ", "ó": "ĩ", "ò": "ị", "î": "ỵ"}
_OLD: Final = re.compile("[µ¶·¸¹¨»¼½¾®©ª«¬§¡¢£¤¥¦×ß÷þÆñÑöÖøØûïëåäüæ]")
"""At least one of these is in any old text of some length, and none in today's Vietnamese."""
_WORD: Final = re.compile(r"\S+")
_EDGES: Final = "\"'“”‘’.,;:?!()[]…-/"
_Decoded = tuple[str, list[int]]


def decode(text: str) -> _Decoded | None:
    """Return an old text in Unicode, and the place of each of its characters in `text` (one more for the end); None for any other."""
    if not _OLD.search(text):
        return None
    best, most = None, _vietnamese(text)
    for found in (_tcvn3(text), _vni(text)):
        if (count := _vietnamese(found[0])) > most:
            best, most = found, count
    return best


def _tcvn3(text: str) -> _Decoded:
    return "".join(_TCVN3.get(char, char) for char in text), list(range(len(text) + 1))


def _vni(text: str) -> _Decoded:
    out: list[str] = []
    places: list[int] = []
    for at, char in enumerate(text):
        low = char.lower()
        marks = _VNI_TONES.get(low) or _VNI_HATS.get(low)
        if marks is not None and out and _bears(out[-1], marks):
            out[-1] = unicodedata.normalize("NFC", out[-1] + marks)
            continue
        letter = _VNI_LETTERS.get(low, low)
        out.append(letter.upper() if char != low else letter)
        places.append(at)
    return "".join(out), [*places, len(text)]


def _bears(letter: str, marks: str) -> bool:
    """Whether a letter can take the marks: hats stand on a, e, o; tones on any vowel, with or without a horn."""
    low = letter.lower()
    if marks[0] == "\u0306":
        return low == "a"
    return low in "aeo" if marks[0] == "\u0302" else low in "aeiouyơư"


def _vietnamese(text: str) -> int:
    """How many words of two letters or more are Vietnamese syllables; one with marks says more than one without."""
    words = [word.strip(_EDGES).lower() for word in _WORD.findall(text)]
    return sum(2 * is_syllable(w) - is_bare_syllable(w) for w in words if len(w) > 1)
