"""Syllables as they are typed, folded and compared."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from typing import Final

from content.places.units import Name, Syllable
from content.places.words import (
    BARE,
    BELOW_COMMUNE,
    CONNECTIVES,
    FILLERS,
    HARD,
    HEARD_ALIKE,
    KIND_WORDS,
    LETTERS,
    POLITE,
    SHORTEST_JOINED,
    SILENT,
    TAIL_WORDS,
    TONES,
    WHERE,
)


def syllables_of(text: str) -> list[Syllable]:
    """Cut a text into syllables. Never fails; anything that is no letter or digit separates."""
    found: list[Syllable] = []
    base: list[str] = []
    shape: list[str] = []
    tone = ""
    hard = punct = capital = False

    def close() -> None:
        nonlocal tone, hard, punct
        if base:
            found.append(_syllable("".join(base), "".join(shape), tone, hard, punct, capital))
            base.clear()
            shape.clear()
            tone, hard, punct = "", False, False

    for letter in unicodedata.normalize("NFKD", text):
        char = letter.lower()
        if char in TONES:
            tone = char
        elif unicodedata.combining(char):
            if base and (marked := LETTERS.get((base[-1], char))):
                shape[-1] = marked
        elif char.isalnum():
            if base and char.isdigit() != base[-1].isdigit():
                close()
            capital = letter.isupper() if not base else capital
            base.append("d" if char in "đð" else char)
            shape.append("đ" if char in "đð" else char)
        elif char in SILENT or unicodedata.category(char) == "Cf":
            continue
        else:
            close()
            hard = hard or char in HARD
            punct = punct or not (char.isspace() or char in "._")
    close()
    return found


def _syllable(base: str, shape: str, tone: str, hard: bool, punct: bool, capital: bool) -> Syllable:
    if base.isdigit():
        base = shape = base.lstrip("0") or "0"
    elif base.endswith("y") and len(base) > 1 and (base[-2] not in "aeou" or base == "quy"):
        base, shape = base[:-1] + "i", shape[:-1] + "i"
    return Syllable(base, shape, tone, hard, punct, capital)


def difference(typed: Sequence[Syllable], name: Sequence[Syllable]) -> tuple[int, bool]:
    """Compare syllables of equal letters: (how many carry a wrong mark, whether all marks are there).

    A mark left out is not wrong: "Duc Xuân" is Đức Xuân.
    """
    wrong = 0
    full = True
    if len(typed) == len(name) and all(t.base == n.base for t, n in zip(typed, name, strict=True)):
        for t, n in zip(typed, name, strict=True):
            if t.shape != n.shape or t.tone != n.tone:
                full = False
                wrong += not may_be(t, n)
        return wrong, full
    left, right = joined_up(t.shape for t in typed), joined_up(n.shape for n in name)
    tones = Counter(t.tone for t in typed if t.tone)
    # One token carries one tone mark only, whatever was written: of names written together the letters decide.
    wrong += any(a not in (b, b.translate(BARE)) for a, b in zip(left, right, strict=True))
    wrong += bool(tones - Counter(n.tone for n in name if n.tone))
    return wrong, left == right and not wrong and bool(tones) == any(n.tone for n in name)


def joined_up(parts: Iterable[str]) -> str:
    """Write syllables together. Inside such a word nobody can tell which y stands for i, so all do."""
    return "".join(parts).replace("y", "i")


def cut_alike(typed: Sequence[Syllable], name: Name) -> bool:
    """Whether words end where syllables of the name do: "vihuong" does, "va nhan" is no Văn Hán."""
    if len(typed) >= len(name.syllables):
        return [t.base for t in typed] == [n.base for n in name.syllables]
    ends = set(accumulate(len(n.base) for n in name.syllables))
    return len(name.base) >= SHORTEST_JOINED and ends.issuperset(accumulate(len(t.base) for t in typed))


def may_be(typed: Syllable, name: Syllable) -> bool:
    """Return whether a typed syllable can stand for one of a name: marks left out, never other ones."""
    return typed.tone in ("", name.tone) and all(
        a in (b, b.translate(BARE)) for a, b in zip(typed.shape, name.shape, strict=True)
    )


def is_marked(typed: Iterable[Syllable]) -> bool:
    """Return whether any syllable was typed with a mark."""
    return any(s.tone or s.shape != s.base for s in typed)


def plain_of(typed: Iterable[Syllable]) -> str:
    """Return the bare letters, syllables apart."""
    return " ".join(s.base for s in typed)


def spelling_of(typed: Iterable[Syllable]) -> str:
    """One spelling with its marks, in a form to compare (tones after the syllable)."""
    return " ".join(s.shape + s.tone for s in typed)


def _lexicon(words: str) -> Mapping[str, tuple[tuple[Syllable, ...], ...]]:
    """Words by their letters; see `is_word`."""
    found: dict[str, tuple[tuple[Syllable, ...], ...]] = {}
    for word in words.split(", "):
        syllables = tuple(syllables_of(word))
        found[plain_of(syllables)] = (*found.get(plain_of(syllables), ()), syllables)
    return found


def is_word(typed: Sequence[Syllable], lexicon: Mapping[str, tuple[tuple[Syllable, ...], ...]]) -> bool:
    """Return whether syllables spell one of the words of a lexicon."""
    return any(not difference(typed, word)[0] for word in lexicon.get(plain_of(typed), ()))


WHERE_LEXICON: Final = _lexicon(WHERE)

OPENING_LEXICON: Final = _lexicon(f"{WHERE}, {POLITE}, nhà, quê")

HOME_LEXICON: Final = _lexicon("ở, quê, ngụ")

LEAD_LEXICON: Final = _lexicon(f"{WHERE}, {POLITE}, {FILLERS}")

TAIL_LEXICON: Final = _lexicon(TAIL_WORDS)

CONNECTIVE_LEXICON: Final = _lexicon(CONNECTIVES)

PLACE_LEXICON: Final = _lexicon("ở, tại")

ASKING_LEXICON: Final = _lexicon("nào, gì, mới, cũ, này, đâu, chỗ, đây, đó, mấy")

BELOW_LEXICON: Final = _lexicon(BELOW_COMMUNE)

OLD_LEXICON: Final = _lexicon("cũ")

NEW_LEXICON: Final = _lexicon("mới")

KIND_LEXICON: Final = {
    plain_of(syllables_of(word)): (tuple(syllables_of(word)), kind) for word, kind in KIND_WORDS.items()
}


def as_heard(base: str) -> str:
    """Return a bare syllable with its initial as half the region says it: "tr" as "ch", "x" as "s", "gi", "r" as "d", "l" as "n".

    >>> as_heard("ra"), as_heard("trung")
    ('da', 'chung')
    """
    for written, heard in HEARD_ALIKE:
        if base.startswith(written):
            return heard + base[len(written) :]
    return base
