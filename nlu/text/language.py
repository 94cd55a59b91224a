"""What people of this field write: counts of syllables and pairs, learnt from the training utterances.

Two uses. `repair` replaces what is no Vietnamese syllable ("dagn", "khaisinh") by the likeliest syllable one slip away. `restore`
gives unmarked syllables their marks back ("khai sinh cho con" from "khai sinh cho con" typed bare), by a Viterbi search over
pairs; only the semantic stage needs it, since the bare view of the features does not look at marks.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any, Final

from rapidfuzz.distance import OSA

from nlu.text.keys import ENGLISH
from nlu.text.syllable import is_bare_syllable, is_syllable, strip_marks

_KEPT: Final = 0.4
"""Back-off (Brants et al., 2007): an unseen pair costs as much as its second syllable alone, times this."""
_LONGEST_REPAIRED: Final = 14
_START: Final = "^"


class LanguageModel:
    """Counts over marked syllables. Asking changes nothing but a cache."""

    def __init__(self, singles: dict[str, int], pairs: dict[str, int]) -> None:
        self.singles = singles
        self.pairs = pairs
        self._total = sum(singles.values()) or 1
        self._marked: dict[str, list[str]] = {}
        for syllable in singles:
            self._marked.setdefault(strip_marks(syllable), []).append(syllable)
        self._deletes: dict[str, list[str]] = {}
        for bare in self._marked:
            if is_bare_syllable(bare) and len(bare) > 1:
                for shorter in {bare, *_without_one(bare)}:
                    self._deletes.setdefault(shorter, []).append(bare)
        self.candidates = lru_cache(maxsize=20_000)(self._candidates)

    @classmethod
    def learn(cls, documents: Iterable[Sequence[str]], min_count: int = 2) -> LanguageModel:
        """Count regular syllables; those of fewer than `min_count` occurrences are taken for slips."""
        singles: Counter[str] = Counter()
        pairs: Counter[str] = Counter()
        for document in documents:
            singles.update(document)
            pairs.update(f"{a} {b}" for a, b in pairwise([_START, *document]))
        kept = {s: n for s, n in singles.items() if n >= min_count and not s.isdigit()}
        kept[_START] = 0
        return cls(kept, {p: n for p, n in pairs.items() if n >= min_count and all(s in kept for s in p.split())})

    def cost(self, left: str, right: str) -> float:
        """Negative log probability of `right` behind `left`."""
        both = self.pairs.get(f"{left} {right}")
        if both:
            return math.log(max(self.singles.get(left, 0), both)) - math.log(both)
        alone = self.singles.get(right, 0)
        return math.log(self._total) - math.log(alone or 0.5) - math.log(_KEPT)

    def needs_repair(self, syllables: Sequence[str]) -> bool:
        """Whether any of the tokens may be a slip."""
        return not all(map(self.singles.__contains__, syllables)) and any(map(self._is_broken, syllables))

    def repair(self, syllables: Sequence[str]) -> list[list[str]]:
        """Return for each token what stands for it: itself, one syllable, or two that were written together."""
        out: list[list[str]] = []
        left = _START
        for at, token in enumerate(syllables):
            found = [token]
            if self._is_broken(token) and (options := self.candidates(token)):
                right = syllables[at + 1] if at + 1 < len(syllables) else None
                best = options[0] if len(options) == 1 else min(options, key=lambda o: self._fit(left, o, right))
                found = best.split()
            out.append(found)
            left = found[-1]
        return out

    def restore(self, syllables: Sequence[str]) -> list[str]:
        """Return the syllables with the likeliest marks where they have none."""
        best: list[tuple[float, str, int]] = [(0.0, _START, -1)]
        layers = [best]
        for token in syllables:
            options = self._marked.get(token, ()) if token.isascii() else ()
            layer = []
            for option in options or (token,):
                cost, back = min((before + self.cost(name, option), i) for i, (before, name, _) in enumerate(best))
                layer.append((cost, option, back))
            layers.append(layer)
            best = layer
        at = min(range(len(best)), key=lambda i: best[i][0])
        out = []
        for layer in reversed(layers[1:]):
            _, syllable, back = layer[at]
            out.append(syllable)
            at = back
        return out[::-1]

    def _is_broken(self, token: str) -> bool:
        if len(token) < 3 or len(token) > _LONGEST_REPAIRED or token in self.singles or token in ENGLISH:
            return False
        return token.isalpha() and not is_syllable(token) and not is_bare_syllable(token)

    def _candidates(self, token: str) -> tuple[str, ...]:
        bare = strip_marks(token)
        near = {c for d in {bare, *_without_one(bare)} for c in self._deletes.get(d, ())}
        # One letter lost, added, exchanged, or two neighbours swapped.
        near = {c for c in near if OSA.distance(bare, c, score_cutoff=1) <= 1}
        found = {form for c in near for form in self._marked[c] if _marks_agree(token, form)}
        for cut in range(2, len(bare) - 1):
            if bare[:cut] in self._marked and bare[cut:] in self._marked:
                found.update(
                    f"{a} {b}"
                    for a in self._marked[bare[:cut]]
                    for b in self._marked[bare[cut:]]
                    if f"{a} {b}" in self.pairs and _marks_agree(token, a + b)
                )
        return tuple(sorted(found))

    def _fit(self, left: str, option: str, right: str | None) -> float:
        parts = option.split()
        chain = [left, *parts, *([right] if right else [])]
        return sum(self.cost(a, b) for a, b in pairwise(chain)) / len(parts)

    def as_dict(self) -> dict[str, Any]:
        return {"singles": self.singles, "pairs": self.pairs}

    @classmethod
    def from_dict(cls, state: dict[str, Any]) -> LanguageModel:
        return cls(state["singles"], state["pairs"])


def _without_one(word: str) -> set[str]:
    return {word[:i] + word[i + 1 :] for i in range(len(word))}


def _marks_agree(typed: str, meant: str) -> bool:
    """What has marks was meant with marks: each marked letter typed must be in the word; bare text may mean anything."""
    return all(char in meant for char in typed if not char.isascii())
