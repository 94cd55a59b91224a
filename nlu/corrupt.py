"""How careful sentences turn into what people type: without marks, with Telex left in, with slips, teencode, dialect spelling.

Used at training time (augmentation) and in evaluation; every function takes its random source, so that a seed repeats a run.
"""

from __future__ import annotations

import random
import re
import unicodedata
from collections.abc import Callable
from typing import Final

from nlu.text.syllable import TONES, strip_marks

_WORD: Final = re.compile(r"\w+|\W+")

TEENCODE: Final[dict[str, tuple[str, ...]]] = {
    "không": ("ko", "k", "hông", "hok", "khum", "kh"),
    "được": ("dc", "đc", "đươc"),
    "gì": ("j", "ji", "z"),
    "bao nhiêu": ("bn", "bnh", "bnhiu", "bao nhiu"),
    "như thế nào": ("ntn", "nhu tnao", "như tnao"),
    "thế nào": ("tnao", "thế lào"),
    "vậy": ("v", "z", "zậy"),
    "rồi": ("r", "rùi", "roài"),
    "với": ("vs", "zới"),
    "vợ": ("vk",),
    "chồng": ("ck",),
    "mình": ("mk", "mik", "m"),
    "em": ("e",),
    "anh": ("a",),
    "chị": ("c", "cj"),
    "tôi": ("t", "tui"),
    "người": ("ng", "ngta"),
    "muốn": ("mún", "mun"),
    "biết": ("bít", "bik", "bt"),
    "làm": ("lm", "lam"),
    "đăng ký": ("đk", "dk", "đki", "đký", "dki"),
    "giấy tờ": ("gt", "giấy tờ", "gtờ"),
    "hồ sơ": ("hs", "hso", "hsơ"),
    "thời gian": ("tg", "tgian"),
    "lệ phí": ("lp", "lphi", "lệ fí"),
    "phí": ("fí",),
    "phải": ("fải", "p", "fai"),
    "trước": ("trc",),
    "cũng": ("cx", "cg"),
    "quá": ("wá", "wa"),
    "quên": ("wên", "qên"),
    "điện thoại": ("đt", "dt"),
    "tài khoản": ("tk",),
    "mật khẩu": ("mk", "pass"),
    "thông tin": ("tt", "ttin"),
    "hướng dẫn": ("hd", "hdan"),
    "xác nhận": ("xn",),
    "căn cước công dân": ("cccd",),
    "căn cước": ("cccd", "cc"),
    "giấy phép lái xe": ("gplx", "blx"),
    "bằng lái": ("blx", "gplx"),
    "hộ kinh doanh": ("hkd",),
    "bảo hiểm y tế": ("bhyt",),
    "bảo hiểm xã hội": ("bhxh",),
    "lý lịch tư pháp": ("lltp",),
    "dịch vụ công": ("dvc",),
    "công an": ("ca",),
    "gia đình": ("gđ", "gd"),
    "mọi người": ("mn", "mng"),
    "bây giờ": ("bh", "bjo", "bgio"),
    "bao giờ": ("bh", "bgio"),
    "nhưng": ("nhg", "nh"),
    "hôm nay": ("hnay", "hn"),
    "trực tuyến": ("online", "onl"),
    "công ty": ("cty",),
    "chưa": ("ch", "chx"),
    "trong": ("trg",),
    "ạ": ("ak", "ah"),
}
_NEIGHBOURS: Final = {
    row[i]: (row[i - 1] if i else "") + (row[i + 1] if i + 1 < len(row) else "")
    for row in ("qwertyuiop", "asdfghjkl", "zxcvbnm")
    for i in range(len(row))
}
_SPELLING: Final = (
    ("l", "n"),
    ("n", "l"),
    ("s", "x"),
    ("x", "s"),
    ("ch", "tr"),
    ("tr", "ch"),
    ("d", "gi"),
    ("gi", "d"),
    ("r", "d"),
)
_TELEX_LETTERS: Final = {
    "ă": "aw",
    "â": "aa",
    "ê": "ee",
    "ô": "oo",
    "ơ": "ow",
    "ư": "uw",
    "đ": "dd",
}
_VNI_LETTERS: Final = {"ă": "a8", "â": "a6", "ê": "e6", "ô": "o6", "ơ": "o7", "ư": "u7", "đ": "d9"}
_VNI_TONES: Final = {"s": "1", "f": "2", "r": "3", "x": "4", "j": "5"}


def no_accents(text: str, rng: random.Random) -> str:
    """All marks left out, as on a phone without a Vietnamese keyboard."""
    del rng
    return strip_marks(text)


def some_accents(text: str, rng: random.Random) -> str:
    """Marks left out of about half the words."""
    return _each_word(text, lambda word: strip_marks(word) if rng.random() < 0.5 else word)


def telex(text: str, rng: random.Random, share: float = 0.3) -> str:
    """Some words as the keys of the Telex method, its software being off."""
    return _each_word(text, lambda word: telex_keys(word) if rng.random() < share else word)


def vni(text: str, rng: random.Random, share: float = 0.3) -> str:
    """Some words as the keys of the VNI method."""
    return _each_word(text, lambda word: vni_keys(word) if rng.random() < share else word)


def typos(text: str, rng: random.Random, share: float = 0.1) -> str:
    """Slips in about one character in ten words: neighbours exchanged, a key beside, a letter lost or doubled."""
    out = []
    for piece in _WORD.findall(text):
        out.append(_slip(piece, rng) if len(piece) > 2 and piece.isalpha() and rng.random() < share * 3 else piece)
    return "".join(out)


def teencode(text: str, rng: random.Random, share: float = 0.7) -> str:
    """Everyday short forms for what has one."""
    lowered = text.lower()
    for long in sorted(TEENCODE, key=len, reverse=True):
        if long in lowered and rng.random() < share:
            short = rng.choice(TEENCODE[long])
            lowered = re.sub(rf"(?<!\w){re.escape(long)}(?!\w)", short, lowered)
    return lowered


def spelling(text: str, rng: random.Random, share: float = 0.25) -> str:
    """Initials as they are heard in the region: l/n, s/x, tr/ch, d/gi/r."""

    def slip(word: str) -> str:
        for wrong, right in rng.sample(_SPELLING, len(_SPELLING)):
            if word.startswith(wrong) and len(word) > len(wrong) and rng.random() < share:
                return right + word[len(wrong) :]
        return word

    return _each_word(text, slip)


def mixed(text: str, rng: random.Random) -> str:
    """Teencode, then slips, then half or all of the marks gone."""
    text = teencode(text, rng, 0.5)
    text = typos(text, rng, 0.06)
    return rng.choice((no_accents, some_accents, telex))(text, rng)


CORRUPTIONS: Final[dict[str, Callable[[str, random.Random], str]]] = {
    "no_accents": no_accents,
    "typos": typos,
    "teencode": teencode,
    "telex": telex,
    "vni": vni,
    "spelling": spelling,
    "mixed": mixed,
}


def telex_keys(word: str) -> str:
    """Return the keys that type a word in Telex, the tone key at the end ("đăng" → "ddawng")."""
    return _keys(word, _TELEX_LETTERS, TONES)


def vni_keys(word: str) -> str:
    """Return the keys that type a word in VNI."""
    return _keys(word, _VNI_LETTERS, {mark: _VNI_TONES[key] for mark, key in TONES.items()})


def _keys(word: str, letters: dict[str, str], tones: dict[str, str]) -> str:
    tone = ""
    rest = []
    for char in unicodedata.normalize("NFD", word):
        if char in tones:
            tone = tones[char]
        else:
            rest.append(char)
    toneless = unicodedata.normalize("NFC", "".join(rest))
    return "".join(letters.get(c, c) for c in toneless) + tone


def _each_word(text: str, change: Callable[[str], str]) -> str:
    return "".join(change(piece) if piece[:1].isalpha() else piece for piece in _WORD.findall(text))


def _slip(word: str, rng: random.Random) -> str:
    at = rng.randrange(len(word) - 1)
    kind = rng.randrange(4)
    if kind == 0:
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    if kind == 1:
        return word[:at] + word[at + 1 :]
    if kind == 2:
        return word[: at + 1] + word[at:]
    beside = _NEIGHBOURS.get(strip_marks(word[at]).lower(), "")
    return word[:at] + rng.choice(beside) + word[at + 1 :] if beside else word
