"""The frame of a question: what is asked, with the topic's own words left open. For the aspect classifier."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from math import sqrt
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from nlu.cues import cues
from nlu.features import Row, damped, effective_number, idf_of
from nlu.pairs import Group, PairTable, counted
from nlu.text.syllable import strip_marks
from nlu.understanding import ASPECTS


class FrameVectorizer:
    """The frame of a question: the syllables that are said about every topic, what lies between them left open.

    "làm … cần những gì", "… có phải … không" ask the same of any service. Syllables are learnt to belong to the frame where they
    spread over `SPREAD` topics or more; features are the frame's single syllables, neighbours, and pairs up to `REACH` places apart;
    and what the words ask for by themselves (`nlu.cues`), of which the last says the most.
    """

    SPREAD: Final = 30.0
    REACH: Final = 8
    CUE: Final = 0.5

    def __init__(self) -> None:
        self.frame: frozenset[str] = frozenset()
        self.idf: NDArray[np.float32] = np.zeros(0, np.float32)
        self._pairs = PairTable([Group(0, (0, 1)), Group(0, tuple(range(2, self.REACH + 1)))])
        self._standing = lru_cache(maxsize=50_000)(self._standing_of)

    def __len__(self) -> int:
        return len(self._pairs) + _CUE_COUNT

    def fit(self, documents: Sequence[Sequence[str]], topics: Sequence[str], *, min_count: int = 3) -> FrameVectorizer:
        """Learn from documents, each a sequence of syllables, and the topic of each."""
        seen: dict[str, Counter[str]] = {}
        for document, topic in zip(documents, topics, strict=True):
            for bare in {strip_marks(s) for s in document}:
                seen.setdefault(bare, Counter())[topic] += 1
        self.frame = frozenset(s for s, n in seen.items() if effective_number(n.values()) >= self.SPREAD)
        self._standing.cache_clear()
        kept = (self._kept(document) for document in documents)
        idf = idf_of(self._pairs.fit(([names] for names in kept), min_count), len(documents))
        self.idf = np.concatenate([idf, np.full(_CUE_COUNT, self.CUE, np.float32)])
        return self

    def row(self, syllables: Sequence[str]) -> Row:
        """Return (columns, weights) of one message; a column comes once."""
        names = self._kept(syllables)
        found = self._pairs.find([self._numbers(names)])
        repeated = len(set(names)) < len(names)
        if repeated:
            found, counts = counted(found)
        columns = np.concatenate([found, [*self._asked(syllables)]])
        values = self.idf.take(columns)
        if len(found):
            frame = values[: len(found)]
            if repeated:
                frame *= damped(counts)
            frame *= 1 / sqrt(frame.dot(frame))
        return columns, values

    def places(self, syllables: Sequence[str]) -> dict[int, int]:
        """Return for each column of a message's row the syllable at which it first stands."""
        at: list[int] = []
        columns, left = self._pairs.find_at([self._numbers(self._kept(syllables, at))])
        # Of what comes again the first place counts, hence from the end.
        first = dict(zip(reversed(columns.tolist()), (at[i] for i in reversed(left.tolist())), strict=True))
        return first | self._asked(syllables)

    def _asked(self, syllables: Sequence[str]) -> dict[int, int]:
        """Which aspects the words ask for by themselves, as columns, and where first."""
        begin = len(self._pairs)
        asked: dict[int, int] = {}
        last, furthest = _NO_CUE, -1
        for aspect, place in cues([strip_marks(s) for s in syllables]):
            asked.setdefault(begin + _CUES[aspect], place)
            if place > furthest:
                last, furthest = _LAST_CUES[aspect], place
        asked[begin + last] = max(furthest, 0)
        return asked

    def _kept(self, syllables: Sequence[str], places: list[int] | None = None) -> list[str]:
        """The frame's syllables and what is left open between them; the place of each is added to `places`."""
        names, at = [_BEGIN], [0]
        for place, name in enumerate(map(self._standing, syllables)):
            if name != _OPEN or names[-1] != _OPEN:
                names.append(name)
                at.append(place)
        names.append(_END)
        if places is not None:
            places += [*at, len(syllables)]
        return names

    def _standing_of(self, syllable: str) -> str:
        """What stands for a syllable: itself, or that something is left open."""
        return syllable if strip_marks(syllable) in self.frame else _OPEN

    def _numbers(self, names: Sequence[str]) -> list[int]:
        return [self._pairs.number(0, name) for name in names]

    def as_dict(self) -> dict[str, Any]:
        """Return what `from_dict` needs, as JSON-like values and arrays."""
        return {"frame": sorted(self.frame), "pairs": self._pairs.as_dict(), "idf": self.idf}

    @classmethod
    def from_dict(cls, state: dict[str, Any]) -> FrameVectorizer:
        vectorizer = cls()
        vectorizer.frame = frozenset(state["frame"])
        vectorizer._pairs.restore(state["pairs"])
        vectorizer.idf = state["idf"]
        return vectorizer


_BEGIN: Final = "^"
_END: Final = "$"
_OPEN: Final = "_"
_NO_CUE: Final = 0
_CUES: Final = {aspect: i for i, aspect in enumerate(ASPECTS, 1)}
_LAST_CUES: Final = {aspect: i for i, aspect in enumerate(ASPECTS, 1 + len(ASPECTS))}
"""Features of what the words ask for, behind the columns of pairs: each aspect, and the one that is asked for last."""
_CUE_COUNT: Final = 1 + 2 * len(ASPECTS)
