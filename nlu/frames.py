"""The frame of a question: what is asked, with the topic's own words left open. For the aspect classifier."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import sqrt
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from nlu.cues import cues
from nlu.features import effective_number, idf_of
from nlu.pairs import Group, PairTable
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
    _OPEN: Final = "_"

    def __init__(self) -> None:
        self.frame: frozenset[str] = frozenset()
        self.idf: NDArray[np.float32] = np.zeros(0, np.float32)
        self._pairs = PairTable([Group(0, (0, 1)), Group(0, tuple(range(2, self.REACH + 1)))])

    def __len__(self) -> int:
        return len(self._pairs) + _CUE_COUNT

    def fit(self, documents: Sequence[Sequence[str]], topics: Sequence[str], *, min_count: int = 3) -> FrameVectorizer:
        """Learn from documents, each a sequence of syllables, and the topic of each."""
        seen: dict[str, Counter[str]] = {}
        for document, topic in zip(documents, topics, strict=True):
            for bare in {strip_marks(s) for s in document}:
                seen.setdefault(bare, Counter())[topic] += 1
        self.frame = frozenset(s for s, n in seen.items() if effective_number(n.values()) >= self.SPREAD)
        kept = (self._kept(document, [strip_marks(s) for s in document])[0] for document in documents)
        idf = idf_of(self._pairs.fit(([names] for names in kept), min_count), len(documents))
        self.idf = np.concatenate([idf, np.full(_CUE_COUNT, self.CUE, np.float32)])
        return self

    def row(self, syllables: Sequence[str]) -> tuple[NDArray[np.intp], NDArray[np.float32], list[int]]:
        """Return (columns, weights, places) of one message; a place is the syllable at which the feature first stands."""
        bare = [strip_marks(s) for s in syllables]
        names, places = self._kept(syllables, bare)
        found, _, left = self._pairs.find([names])
        counts: dict[int, int] = {}
        first: list[int] = []
        for column, place in zip(found.tolist(), left.tolist(), strict=True):
            if column in counts:
                counts[column] += 1
            else:
                counts[column] = 1
                first.append(places[place])
        asked = self._asked(bare)
        columns = np.array([*counts, *asked], np.intp)
        values = self.idf.take(columns)
        if counts:
            frame = values[: len(counts)]
            if len(counts) < len(found):
                frame *= _DAMPED.take(np.array([*counts.values()]), mode="clip")
            frame /= sqrt(frame @ frame)
        return columns, values, [*first, *asked.values()]

    def _asked(self, bare: Sequence[str]) -> dict[int, int]:
        """Which aspects the words ask for by themselves, as columns, and where first."""
        begin = len(self._pairs)
        asked: dict[int, int] = {}
        last, furthest = _NO_CUE, -1
        for aspect, place in cues(bare):
            asked.setdefault(begin + _CUES[aspect], place)
            if place > furthest:
                last, furthest = _LAST_CUES[aspect], place
        asked[begin + last] = max(furthest, 0)
        return asked

    def _kept(self, syllables: Sequence[str], bare: Sequence[str]) -> tuple[list[str], list[int]]:
        """The frame's syllables and what is left open between them, and the place of each."""
        names, places = ["^"], [0]
        for place, (syllable, plain) in enumerate(zip(syllables, bare, strict=True)):
            if plain in self.frame:
                names.append(syllable)
                places.append(place)
            elif names[-1] != self._OPEN:
                names.append(self._OPEN)
                places.append(place)
        names.append("$")
        places.append(len(syllables))
        return names, places

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


_DAMPED: Final = (1 + np.log(np.maximum(np.arange(256), 1))).astype(np.float32)
"""How much a feature counts that comes so often."""
_NO_CUE: Final = 0
_CUES: Final = {aspect: i for i, aspect in enumerate(ASPECTS, 1)}
_LAST_CUES: Final = {aspect: i for i, aspect in enumerate(ASPECTS, 1 + len(ASPECTS))}
"""Features of what the words ask for, behind the columns of pairs: each aspect, and the one that is asked for last."""
_CUE_COUNT: Final = 1 + 2 * len(ASPECTS)
