"""The frame of a question: what is asked, with the topic's own words left open. For the aspect classifier."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from nlu.cues import cues
from nlu.features import effective_number
from nlu.text.syllable import strip_marks


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
        self.vocabulary: dict[str, int] = {}
        self.idf: list[float] = []
        self._beside: dict[str, dict[str, int]] = {}
        self._behind: dict[str, dict[str, int]] = {}

    def _learn(self, vocabulary: Sequence[str], idf: list[float]) -> None:
        self.vocabulary = {gram: i for i, gram in enumerate(vocabulary)}
        self.idf = idf
        # Pairs are looked up by their first syllable, as in `TwoViewVectorizer`.
        self._beside, self._behind = {}, {}
        for gram, column in self.vocabulary.items():
            if " " in gram:
                left, *_, right = gram.split(" ")
                pairs = self._behind if " .. " in gram else self._beside
                pairs.setdefault(left, {})[right] = column

    def fit(self, documents: Sequence[Sequence[str]], topics: Sequence[str], *, min_count: int = 3) -> FrameVectorizer:
        """Learn from documents, each a sequence of syllables, and the topic of each."""
        seen: dict[str, Counter[str]] = {}
        for document, topic in zip(documents, topics, strict=True):
            for bare in {strip_marks(s) for s in document}:
                seen.setdefault(bare, Counter())[topic] += 1
        self.frame = frozenset(s for s, n in seen.items() if effective_number(n.values()) >= self.SPREAD)
        counts: Counter[str] = Counter()
        for document in documents:
            counts.update({gram for gram, _ in chain(self._grams(document), self._asked(document))})
        kept = sorted(gram for gram, count in counts.items() if count >= min_count)
        self._learn(kept, [math.log((1 + len(documents)) / (1 + counts[g])) + 1 for g in kept])
        return self

    def row(self, syllables: Sequence[str]) -> tuple[NDArray[np.int32], NDArray[np.float32], list[int]]:
        """Return (columns, weights, places) of one message; a place is the syllable at which the feature first stands."""
        first: dict[int, int] = {}
        counts: dict[int, int] = {}
        get = self.vocabulary.get
        for column, place in self._found(syllables):
            counts[column] = counts.get(column, 0) + 1
            first.setdefault(column, place)
        idf = self.idf
        values = [idf[c] if n == 1 else (1 + math.log(n)) * idf[c] for c, n in counts.items()]
        scale = 1 / math.sqrt(sum(v * v for v in values)) if values else 0.0
        weights = np.array([v * scale for v in values], dtype=np.float32)
        columns, places = np.array(list(counts), dtype=np.int32), list(first.values())
        asked = {c: place for gram, place in self._asked(syllables) if (c := get(gram)) is not None}
        columns = np.concatenate([columns, np.array(list(asked), dtype=np.int32)])
        weights = np.concatenate([weights, np.full(len(asked), self.CUE, np.float32)])
        return columns, weights, [*places, *asked.values()]

    def _asked(self, syllables: Sequence[str]) -> Iterator[tuple[str, int]]:
        found = list(cues([strip_marks(s) for s in syllables]))
        for aspect, place in found:
            yield f"?{aspect}", place
        if found:
            aspect, place = max(found, key=lambda cue: cue[1])
            yield f"??{aspect}", place
        else:
            yield "?", 0

    def _kept(self, syllables: Sequence[str]) -> list[tuple[str, int]]:
        kept: list[tuple[str, int]] = [("^", 0)]
        for place, syllable in enumerate(syllables):
            if strip_marks(syllable) in self.frame:
                kept.append((syllable, place))
            elif kept[-1][0] != self._OPEN:
                kept.append((self._OPEN, place))
        kept.append(("$", len(syllables)))
        return kept

    def _found(self, syllables: Sequence[str]) -> Iterator[tuple[int, int]]:
        """Yield (column, place) of each known feature of `_grams`, without putting the others together."""
        kept = self._kept(syllables)
        names = [name for name, _ in kept]
        get = self.vocabulary.get
        nothing: dict[str, int] = {}
        for i, (left, place) in enumerate(kept):
            if (column := get(left)) is not None:
                yield column, place
            if i + 1 < len(kept) and (column := self._beside.get(left, nothing).get(names[i + 1])) is not None:
                yield column, place
            if (behind := self._behind.get(left)) is not None:
                for right in names[i + 2 : i + 1 + self.REACH]:
                    if (column := behind.get(right)) is not None:
                        yield column, place

    def _grams(self, syllables: Sequence[str]) -> Iterator[tuple[str, int]]:
        kept = self._kept(syllables)
        for i, (left, place) in enumerate(kept):
            yield left, place
            for distance, (right, _) in enumerate(kept[i + 1 : i + 1 + self.REACH]):
                yield (f"{left} {right}" if not distance else f"{left} .. {right}"), place

    def as_dict(self) -> dict[str, Any]:
        """Return what `from_dict` needs, as JSON-like values and arrays."""
        return {
            "frame": sorted(self.frame),
            "vocabulary": list(self.vocabulary),
            "idf": np.array(self.idf, dtype=np.float32),
        }

    @classmethod
    def from_dict(cls, state: dict[str, Any]) -> FrameVectorizer:
        vectorizer = cls()
        vectorizer.frame = frozenset(state["frame"])
        vectorizer._learn(state["vocabulary"], state["idf"].tolist())
        return vectorizer
