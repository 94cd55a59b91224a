"""N-grams of a message in two views, as typed and without marks, as a sparse row.

The bare view makes "lam giay khai sinh" and "làm giấy khai sinh" neighbours; the marked view keeps apart what only the marks
tell apart. Weights are sublinear tf times idf, each view scaled to unit length, so that a long story and a bare keyword weigh alike.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from nlu.text.syllable import strip_marks


@dataclass(frozen=True, slots=True)
class View:
    """One family of n-grams: `kind` c (characters within syllable pairs) or s (syllables), over marked or bare text."""

    name: str
    bare: bool
    kind: str
    low: int
    high: int
    weight: float = 1.0


DEFAULT_VIEWS = (
    View("cb", bare=True, kind="c", low=2, high=5),
    View("cm", bare=False, kind="c", low=2, high=4),
    View("sb", bare=True, kind="s", low=1, high=3, weight=1.2),
    View("sm", bare=False, kind="s", low=1, high=2, weight=0.8),
)


def grams(view: View, syllables: Sequence[str]) -> Iterable[str]:
    """Yield the n-grams of one view, each with the view's name in front."""
    if view.kind == "s":
        for n in range(view.low, view.high + 1):
            for i in range(len(syllables) - n + 1):
                yield f"{view.name}:{' '.join(syllables[i : i + n])}"
        return
    for syllable in syllables:
        padded = f" {syllable} "
        length = len(padded)
        for n in range(view.low, min(view.high, length) + 1):
            for i in range(length - n + 1):
                yield f"{view.name}:{padded[i : i + n]}"


class TwoViewVectorizer:
    """Learns a vocabulary with idf weights; turns syllables into unit-length sparse rows."""

    def __init__(self, views: Sequence[View] = DEFAULT_VIEWS) -> None:
        self.views = tuple(views)
        self.vocabulary: dict[str, int] = {}
        self.idf: NDArray[np.float32] = np.zeros(0, dtype=np.float32)

    def fit(self, documents: Sequence[Sequence[str]], *, min_count: int = 2) -> TwoViewVectorizer:
        """Learn from documents, each a sequence of syllables; n-grams in fewer than `min_count` documents are dropped."""
        seen: Counter[str] = Counter()
        for document in documents:
            seen.update({gram for view in self.views for gram in grams(view, self._side(view, document))})
        kept = sorted(gram for gram, count in seen.items() if count >= min_count)
        self.vocabulary = {gram: i for i, gram in enumerate(kept)}
        total = len(documents)
        self.idf = np.array([math.log((1 + total) / (1 + seen[g])) + 1 for g in kept], dtype=np.float32)
        return self

    @staticmethod
    def _side(view: View, syllables: Sequence[str]) -> Sequence[str]:
        return [strip_marks(s) for s in syllables] if view.bare else syllables

    def row(self, syllables: Sequence[str]) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Return (columns, weights) of one message."""
        columns: list[int] = []
        weights: list[float] = []
        get = self.vocabulary.get
        for view in self.views:
            counts: dict[int, int] = {}
            for gram in grams(view, self._side(view, syllables)):
                column = get(gram)
                if column is not None:
                    counts[column] = counts.get(column, 0) + 1
            if not counts:
                continue
            values = [(1 + math.log(n)) * float(self.idf[c]) for c, n in counts.items()]
            scale = view.weight / math.sqrt(sum(v * v for v in values))
            columns.extend(counts)
            weights.extend(v * scale for v in values)
        return np.array(columns, dtype=np.int32), np.array(weights, dtype=np.float32)

    def matrix(self, documents: Sequence[Sequence[str]]) -> csr_matrix:
        """Return the documents as rows, shape (len(documents), len(vocabulary))."""
        rows = [self.row(document) for document in documents]
        indptr = np.cumsum([0, *(len(columns) for columns, _ in rows)])
        columns = np.concatenate([c for c, _ in rows]) if rows else np.zeros(0, np.int32)
        weights = np.concatenate([w for _, w in rows]) if rows else np.zeros(0, np.float32)
        return csr_matrix((weights, columns, indptr), shape=(len(documents), len(self.vocabulary)))

    def as_dict(self) -> dict[str, Any]:
        """Return what `from_dict` needs, as JSON-like values and arrays."""
        return {
            "views": [[v.name, v.bare, v.kind, v.low, v.high, v.weight] for v in self.views],
            "vocabulary": list(self.vocabulary),
            "idf": self.idf,
        }

    @classmethod
    def from_dict(cls, state: dict[str, Any]) -> TwoViewVectorizer:
        vectorizer = cls([View(*view) for view in state["views"]])
        vectorizer.vocabulary = {gram: i for i, gram in enumerate(state["vocabulary"])}
        vectorizer.idf = np.asarray(state["idf"], dtype=np.float32)
        return vectorizer
