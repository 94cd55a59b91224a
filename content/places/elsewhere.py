"""What is a place of another province, or no place at all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final

from content.places.spelling import as_heard, is_marked, may_be, plain_of, spelling_of, syllables_of
from content.places.units import Syllable
from content.places.words import EVERYDAY, HOI_NGA


@dataclass(frozen=True, slots=True)
class Nation:
    """Names of the whole country and words of the dictionary, in both spellings."""

    spelt_names: AbstractSet[str]
    plain_names: AbstractSet[str]
    spelt_words: AbstractSet[str]
    plain_words: AbstractSet[str]
    syllables: AbstractSet[str]
    """Both spellings of every syllable of the dictionary."""


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """What only looks like a place of the province. `nation` is read when first asked for: that takes half a second."""

    provinces: tuple[str, ...]
    nation: Callable[[], Nation]

    def knows(self, typed: Sequence[Syllable]) -> bool:
        """Whether a (misspelt?) name is a name or word in its own right."""
        nation = self.nation()
        if is_marked(typed):
            return spelling_of(typed) in nation.spelt_names or spelling_of(typed) in nation.spelt_words
        return plain_of(typed) in nation.plain_names or plain_of(typed) in nation.plain_words

    def is_sound(self, typed: Sequence[Syllable], name: Sequence[Syllable]) -> bool:
        """Whether the syllables that differ from a name's are good syllables: then they may be meant as they stand.

        Hỏi for ngã and ngã for hỏi is how many people speak, likewise d for r, x for s, tr for ch, n for l; that counts as a slip.
        """
        for t, n in zip(typed, name, strict=False):
            if (t.base == n.base and may_be(t, n)) or (t.shape == n.shape and {t.tone, n.tone} == HOI_NGA):
                continue
            if t.base != n.base and as_heard(t.base) == as_heard(n.base) and t.tone in ("", n.tone):
                continue
            if (t.shape + t.tone if is_marked(typed) else t.base) in self.nation().syllables:
                return True
        return False

    def is_word(self, typed: Sequence[Syllable]) -> bool:
        """Whether it is an everyday word too ("thành công", "công bằng")."""
        spelt = spelling_of(typed)
        nation = self.nation()
        known = spelt in nation.spelt_words if is_marked(typed) else plain_of(typed) in nation.plain_words
        return known or spelt in _EVERYDAY_SPELT


_EVERYDAY_SPELT: Final = frozenset(spelling_of(syllables_of(word)) for word in EVERYDAY)
