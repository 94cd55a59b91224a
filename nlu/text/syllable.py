"""What a Vietnamese syllable is: initials, rhymes, tones, where the tone mark stands.

The tables list the syllables of the standard orthography (initial + rhyme + tone, with the rule that rhymes ending in a stop
carry only sắc or nặng). They serve the Telex and VNI decoders, which may rewrite a token only into a real syllable.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from functools import lru_cache
from typing import Final

INITIALS: Final = tuple(
    sorted("b c ch d đ g gh gi h k kh l m n ng ngh nh p ph qu r s t th tr v x".split(), key=len, reverse=True)
)
RHYMES: Final = frozenset(
    """a ac ach ai am an ang anh ao ap at au ay ăc ăm ăn ăng ăp ăt âc âm ân âng âp ât âu ây
    e ec em en eng eo ep et ê êch êm ên ênh êp êt êu i ia ich iêc iêm iên iêng iêp iêt iêu im in inh ip it iu
    o oa oac oach oai oam oan oang oanh oao oap oat oay oăc oăm oăn oăng oăt oc oe oen oeo oet oi om on ong ooc oong op ot
    ô ôc ôi ôm ôn ông ôp ôt ơ ơi ơm ơn ơp ơt u ua uân uâng uât uây uc uê uêch uênh ui um un ung uơ uôc uôi uôm uôn uông uôt
    up ut uy uya uych uyên uyêt uynh uyt uyu ư ưa ưc ưi ưm ưn ưng ươc ươi ươm ươn ương ươp ươt ươu ưt ưu
    y yêm yên yêng yêt yêu""".split()
)
_AFTER_QU: Final = frozenset(
    """a ac ach ai an ang anh ao at au ay ăc ăm ăn ăng ăp ăt âc ân âng ât âu ây e en eo et ê ên ênh êch êt êu i it ôc ơ ơi ơt
    y ych yên yêt ynh yt ya yu""".split()
)
TONES: Final = {"\u0300": "f", "\u0301": "s", "\u0303": "x", "\u0309": "r", "\u0323": "j"}
"""Combining tone marks and their Telex keys."""
_TONE_OF_KEY: Final = {key: mark for mark, key in TONES.items()}
_VOWELS: Final = frozenset("aăâeêioôơuưy")
_STOPS: Final = ("c", "ch", "p", "t")
_STOP_TONES: Final = ("\u0301", "\u0323")
"""The tones that a rhyme with such an end can have."""


class _Letters(dict[int, str]):
    """What stands for each character, for `str.translate`; worked out when it is first met."""

    def __init__(self, left_out: Callable[[str], object]) -> None:
        super().__init__()
        self._left_out = left_out

    def __missing__(self, code: int) -> str:
        self[code] = "".join(part for part in unicodedata.normalize("NFD", chr(code)) if not self._left_out(part))
        return self[code]


_TONELESS: Final = _Letters(TONES.__contains__)
_BARE: Final = _Letters(unicodedata.combining)
_BARE.update({ord("đ"): "d", ord("Đ"): "D"})


@lru_cache(maxsize=2_000)
def _tone_of(letter: str) -> str:
    """The combining mark of a letter's tone, "" if it has none."""
    return next((part for part in reversed(unicodedata.normalize("NFD", letter)) if part in TONES), "")


def split_tone(syllable: str) -> tuple[str, str]:
    """Return the syllable without its tone mark (NFC), and the combining mark ("" for the level tone)."""
    if syllable.isascii():
        return syllable, ""
    tone = next((tone for letter in reversed(syllable) if (tone := _tone_of(letter))), "")
    return unicodedata.normalize("NFC", syllable.translate(_TONELESS)), tone


def split_initial(toneless: str) -> tuple[str, str]:
    """Split "khai" into ("kh", "ai"). A "gi" with nothing after it is g + i."""
    for initial in INITIALS:
        if toneless.startswith(initial):
            rhyme = toneless[len(initial) :]
            if initial == "gi" and (not rhyme or rhyme[0] not in _VOWELS):
                return "g", toneless[1:]
            if initial == "gi" and rhyme[0] in "êê":
                return "g", toneless[1:]
            return initial, rhyme
    return "", toneless


@lru_cache(maxsize=50_000)
def is_syllable(token: str, *, tone_may_be_missing: bool = True) -> bool:
    """Whether a lower-case NFC token is a possible Vietnamese syllable.

    With `tone_may_be_missing`, "phat" passes although its stop final demands a tone: people leave tones out.
    """
    if is_regular(token):
        return tone_may_be_missing or not token.endswith(_STOPS) or bool(split_tone(token)[1])
    toneless, tone = split_tone(token)
    initial, rhyme = split_initial(toneless)
    if rhyme not in (_AFTER_QU if initial == "qu" else RHYMES):
        return False
    if rhyme.endswith(_STOPS):
        return tone in _STOP_TONES or (tone == "" and tone_may_be_missing)
    return True


def is_regular(token: str) -> bool:
    """Whether a token is a syllable, its tone perhaps left out, with the tone mark where `place_tone` puts it: looked up, not worked out."""
    return token in _regular_syllables()


@lru_cache(maxsize=1)
def _regular_syllables() -> frozenset[str]:
    """Some 20,000; made in 20 ms, a tenth of what working each out would take."""
    toned: dict[str, list[str]] = {}
    for rhyme in RHYMES | _AFTER_QU:
        tones = _STOP_TONES if rhyme.endswith(_STOPS) else TONES
        toned[rhyme] = [rhyme, *(_with_tone(rhyme, tone) for tone in tones)]
    return frozenset(
        initial + form
        for initial in ("", *INITIALS)
        for rhyme in (_AFTER_QU if initial == "qu" else RHYMES)
        if split_initial(initial + rhyme) == (initial, rhyme)
        for form in toned[rhyme]
    )


@lru_cache(maxsize=50_000)
def is_bare_syllable(token: str) -> bool:
    """Whether an ASCII token is some syllable with all its marks left out ("duong" for "đường")."""
    return token in _bare_syllables()


@lru_cache(maxsize=1)
def _bare_syllables() -> frozenset[str]:
    bare = set()
    for initial in ("", *INITIALS):
        for rhyme in _AFTER_QU if initial == "qu" else RHYMES:
            if initial or rhyme:
                bare.add(strip_marks(initial + rhyme))
    return frozenset(bare)


@lru_cache(maxsize=50_000)
def place_tone(syllable: str) -> str:
    """Return the syllable with its tone mark where the common typewriting habit puts it (hòa, thủy, toán, quý).

    Both "hoà" and "hòa", and slips such as "hòan", come out alike.
    """
    toneless, tone = split_tone(syllable)
    if not tone:
        return toneless
    return _with_tone(toneless, tone)


_LONE_I: Final = re.compile(r"([hklmst]|qu)([iìíỉĩị])")
_AS_Y: Final = dict(zip("iìíỉĩị", "yỳýỷỹỵ", strict=True))


@lru_cache(maxsize=50_000)
def spell(syllable: str) -> str:
    """Return the one spelling of what is written with i or with y ("đăng kí", "đăng ký"): y where nothing else follows."""
    match = _LONE_I.fullmatch(syllable)
    return match[1] + _AS_Y[match[2]] if match else syllable


def _with_tone(toneless: str, tone: str) -> str:
    initial, rhyme = split_initial(toneless)
    offset = len(initial)
    vowels = [i for i, char in enumerate(rhyme) if char in _VOWELS]
    if not vowels:
        return toneless
    marked = [i for i in vowels if rhyme[i] in "ăâêôơư"]
    if marked:
        at = marked[-1]
    elif len(vowels) == 1:
        at = vowels[0]
    elif len(vowels) == 2:
        # An open pair (hòa, mùa, mía) is marked on its first vowel, a closed one (toán) on its second.
        at = vowels[1] if vowels[1] < len(rhyme) - 1 else vowels[0]
    else:
        at = vowels[1]
    position = offset + at
    return unicodedata.normalize("NFC", toneless[: position + 1] + tone + toneless[position + 1 :])


def apply_tone_key(toneless: str, key: str) -> str:
    """Return the syllable with the tone of a Telex key (s f r x j)."""
    return _with_tone(toneless, _TONE_OF_KEY[key])


def without_marks(text: str) -> str:
    """Return a text of any length without tone and letter marks, "đ" as "d" (case is kept)."""
    return text if text.isascii() else text.translate(_BARE)


@lru_cache(maxsize=50_000)
def strip_marks(syllable: str) -> str:
    """Return the same of a syllable, which is remembered."""
    return without_marks(syllable)
