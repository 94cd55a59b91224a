"""From the characters as typed to regular syllables, each tied to the place in the text where it stood.

The order matters: fonts from before Unicode and Unicode itself first, then the teencode lexicon, then input-method residue, then squeezing of drawn-out letters
(squeezing first would turn "cccd" into "cd"). Every syllable keeps `start` and `end` in the original text, so that
whatever is found later can be pointed at in what the citizen wrote.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Final, NamedTuple

import yaml

from nlu.text.keys import ENGLISH, decode_telex, decode_vni
from nlu.text.legacy import decode
from nlu.text.syllable import is_bare_syllable, is_regular, is_syllable, place_tone, spell, strip_marks

MAX_CHARACTERS: Final = 2000
"""What is read of one message: some 450 syllables; the longest real stories have 150."""
MAX_TOKEN: Final = 30
"""A longer token is no word of any language and is left out ("khaisinhchocontrai" has 17 letters)."""

_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_LEXICON: Final = Path(__file__).parent.parent / "lexicon"
_INVISIBLE: Final = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff]"
)
_TOKEN: Final = re.compile("[^\\W_](?:[^\\W_]|[\u0300-\u036f\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff])*")
_LOOKALIKES: Final = str.maketrans({"ð": "đ", "Ð": "Đ", "ɖ": "đ", "’": "'", "ı": "i"})
_DRAWN_OUT: Final = re.compile(r"(.)\1{2,}")
_DOUBLED: Final = re.compile(r"(.)\1+")


class Syllable(NamedTuple):
    """One regular syllable (lower case, NFC, tone in the usual place) and where it came from in the original text."""

    text: str
    start: int
    end: int


@dataclass(frozen=True)
class Normalized:
    """A message as regular syllables."""

    original: str
    syllables: tuple[Syllable, ...]

    @cached_property
    def texts(self) -> list[str]:
        """The syllables alone."""
        return [s.text for s in self.syllables]

    @property
    def text(self) -> str:
        return " ".join(self.texts)

    @property
    def bare(self) -> str:
        """The same without tone and letter marks."""
        return strip_marks(self.text)


class Normalizer:
    """Applies the lexicons. Cheap to ask, safe to share between threads."""

    def __init__(self, phrases: Mapping[str, str]) -> None:
        self._phrases = {
            tuple(_regular(token) for token in key.split()): tuple(spell(place_tone(t)) for t in value.split())
            for key, value in phrases.items()
        }
        self._longest: dict[str, int] = {}
        for key in self._phrases:
            self._longest[key[0]] = max(self._longest.get(key[0], 0), len(key))
        self._single = lru_cache(maxsize=50_000)(self._single_of)

    @classmethod
    def from_lexicons(cls, folder: Path = _LEXICON) -> Normalizer:
        """Read every lexicon file of the folder; a later file (by name) wins over an earlier one."""
        return cls(read_lexicons(folder))

    def __call__(self, text: str) -> Normalized:
        """Return the regular syllables of the first `MAX_CHARACTERS` characters of `text`."""
        head = text[:MAX_CHARACTERS]
        old = decode(head)
        if old is not None:
            head, places = old
            tokens = [
                (r, places[m.start()], places[m.end()]) for m in _TOKEN.finditer(head) if (r := _regular(m.group()))
            ]
        else:
            tokens = [(r, *m.span()) for m in _TOKEN.finditer(head) if (r := _regular(m.group()))]
        return Normalized(text, tuple(self._expand(tokens)))

    def _expand(self, tokens: list[tuple[str, int, int]]) -> list[Syllable]:
        out: list[Syllable] = []
        texts = tuple(token[0] for token in tokens)
        behind = 0
        for at, (token, start, end) in enumerate(tokens):
            if at < behind:
                continue
            if token in self._longest and (found := self._phrase_at(texts, at)) is not None:
                behind, words = found
                end = tokens[behind - 1][2]
            else:
                words = self._single(token)
            for word in words:
                out.append(Syllable(word, start, end))
        return out

    def _phrase_at(self, texts: tuple[str, ...], at: int) -> tuple[int, tuple[str, ...]] | None:
        """Where the longest phrase of the lexicons that begins here ends, and what it stands for."""
        for behind in range(min(at + self._longest[texts[at]], len(texts)), at, -1):
            words = self._phrases.get(texts[at:behind])
            if words is not None:
                return behind, words
        return None

    def _single_of(self, token: str) -> tuple[str, ...]:
        repaired = spell(repair_token(token))
        return self._phrases.get((repaired,), (repaired,))


def read_lexicons(folder: Path) -> dict[str, str]:
    """Return all phrases of the lexicon files in a folder, typed form → regular form."""
    phrases: dict[str, str] = {}
    for path in sorted(folder.glob("*.yml")):
        for key, value in yaml.load(path.read_text(encoding="utf-8"), Loader=_LOADER).items():
            phrases[str(key)] = str(value)
    return phrases


@lru_cache(maxsize=50_000)
def _regular(token: str) -> str:
    """Unicode repairs of one token: composition, width, invisible characters, case, tone placement; and i or y."""
    simple = token.lower()
    if simple.isascii() or is_regular(simple):
        return spell(simple)
    clean = _INVISIBLE.sub("", unicodedata.normalize("NFKC", token)).translate(_LOOKALIKES)
    lowered = unicodedata.normalize("NFC", clean.lower())
    return spell(lowered if lowered.isascii() else place_tone(_undrawn(lowered)))


def _undrawn(token: str) -> str:
    """Shorten drawn-out letters ("rùiii", "quáaaa"); a marked vowel is drawn out by its bare letter."""
    squeezed = _DRAWN_OUT.sub(r"\1", token)
    kept = [c for i, c in enumerate(squeezed) if i == 0 or c != strip_marks(squeezed[i - 1]) or c == squeezed[i - 1]]
    shorter = "".join(kept)
    return shorter if shorter != squeezed and is_syllable(shorter) and not is_syllable(squeezed) else squeezed


@lru_cache(maxsize=50_000)
def repair_token(token: str) -> str:
    """Undo Telex or VNI residue and drawn-out letters of one regular token; return it unchanged if it needs nothing."""
    if is_syllable(token) or is_bare_syllable(token):
        return token
    if (decoded := decode_telex(token) or decode_vni(token)) is not None:
        return decoded
    squeezed = _DOUBLED.sub(r"\1", token)
    if squeezed != token and not token.isdigit() and token not in ENGLISH:
        if is_syllable(squeezed) or is_bare_syllable(squeezed):
            return squeezed
        if (decoded := decode_telex(squeezed)) is not None:
            return decoded
    return token
