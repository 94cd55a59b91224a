"""Pairs of symbols as features: which single symbols and which two at a distance a text has, counted in a few array operations.

A symbol is a syllable of one view of the text, a feature a pair of symbols packed into one number. Looking a text's hundred pairs
up in a sorted array costs a tenth of putting a hundred strings together and looking those up.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]

_BITS: Final = 24
_NOTHING: Final = 0
"""The symbol beside a single one."""
_UNKNOWN: Final = (1 << _BITS) - 1
"""A symbol that was not learnt: no feature has it."""
_REMEMBERED: Final = 64
"""Positions are worked out anew for texts of more symbols."""


@dataclass(frozen=True, slots=True)
class Group:
    """One family of features: pairs of symbols of the text number `text`, so many places apart; 0 means the single symbol."""

    text: int
    distances: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Positions:
    """Where the pairs of a text stand: `left` and `right` in its joined symbols, `group` of each, what marks the group in a key."""

    left: Integers
    right: Integers
    group: Integers
    marks: Integers


class PairTable:
    """Learns which pairs occur in enough texts; finds them in others. Asking changes nothing but a cache of positions."""

    def __init__(self, groups: Sequence[Group]) -> None:
        self.groups = tuple(groups)
        self.texts = 1 + max(group.text for group in groups)
        self.keys: Integers = np.zeros(0, np.int64)
        self._numbers: list[dict[str, int]] = [{} for _ in range(self.texts)]
        self._positions = lru_cache(maxsize=_REMEMBERED)(self._positions_of)

    def __len__(self) -> int:
        """How many features were learnt; their columns are 0 … len - 1."""
        return len(self.keys)

    def fit(self, documents: Iterable[Sequence[Sequence[str]]], min_count: int) -> NDArray[np.int64]:
        """Learn from documents, each its symbols in every text; return in how many documents each kept feature is."""
        numbered = [[self._learnt(text, symbols) for text, symbols in enumerate(texts)] for texts in documents]
        found = [np.unique(self._keys_of(numbers)[0]) for numbers in numbered]
        keys, counts = np.unique(np.concatenate(found) if found else np.zeros(0, np.int64), return_counts=True)
        kept = counts >= min_count
        self.keys = keys[kept]
        return counts[kept]

    def _learnt(self, text: int, symbols: Sequence[str]) -> list[int]:
        numbers = self._numbers[text]
        return [numbers.setdefault(symbol, len(numbers) + 1) for symbol in symbols]

    def number(self, text: int, symbol: str) -> int:
        """Return the number of a symbol of the text number `text`; one number for all that were not learnt."""
        return self._numbers[text].get(symbol, _UNKNOWN)

    def find(self, numbers: Sequence[Sequence[int]]) -> NDArray[np.intp]:
        """Return the columns of the known features of one text, one entry an occurrence.

        Args:
            numbers: its symbols by their numbers, for every text alike many.
        """
        return self._find(numbers)[0]

    def find_at(self, numbers: Sequence[Sequence[int]]) -> tuple[NDArray[np.intp], Integers]:
        """Return (columns, left) of the known features of one text, one entry an occurrence, ordered by `left`, a place in the
        joined texts.
        """
        columns, known, positions = self._find(numbers)
        return columns, positions.left.take(known)

    def groups_of(self, columns: NDArray[np.intp]) -> Integers:
        """Return which group each of some columns belongs to, shape as theirs."""
        return self.keys.take(columns) >> 2 * _BITS

    def _find(self, numbers: Sequence[Sequence[int]]) -> tuple[NDArray[np.intp], NDArray[np.intp], Positions]:
        """The columns, the positions they were found at, and all positions."""
        keys, positions = self._keys_of(numbers)
        if not len(self.keys):
            return np.zeros(0, np.intp), np.zeros(0, np.intp), positions
        columns = self.keys.searchsorted(keys)
        known = (self.keys.take(columns, mode="clip") == keys).nonzero()[0]
        return columns.take(known), known, positions

    def _keys_of(self, numbers: Sequence[Sequence[int]]) -> tuple[Integers, Positions]:
        positions = self._positions(len(numbers[0]))
        joined = np.array([*chain.from_iterable(numbers), _NOTHING], np.int64)
        keys = joined.take(positions.left)
        keys <<= _BITS
        keys |= joined.take(positions.right)
        keys |= positions.marks
        return keys, positions

    def _positions_of(self, count: int) -> Positions:
        """Where the pairs of texts of `count` symbols stand."""
        nothing = count * self.texts
        found = sorted(
            (group.text * count + i, group.text * count + i + distance if distance else nothing, number)
            for number, group in enumerate(self.groups)
            for i in range(count)
            for distance in group.distances
            if i + distance < count
        )
        left, right, group = (np.array(column, np.int64) for column in zip(*found, strict=True)) if found else _NONE
        return Positions(left, right, group, group << 2 * _BITS)

    def as_dict(self) -> dict[str, Any]:
        """Return what `restore` needs, as arrays and JSON values."""
        return {"keys": self.keys, "symbols": [list(numbers) for numbers in self._numbers]}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what `as_dict` returned."""
        self.keys = state["keys"]
        self._numbers = [{symbol: i for i, symbol in enumerate(symbols, 1)} for symbols in state["symbols"]]


def counted(columns: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return each column once, sorted, and how often it came; `numpy.unique` takes three times as long."""
    if not len(columns):
        return columns, columns
    ordered = np.sort(columns)
    begins = np.concatenate([_FIRST, (ordered[1:] != ordered[:-1]).nonzero()[0] + 1, [len(columns)]])
    return ordered.take(begins[:-1]), begins[1:] - begins[:-1]


_FIRST: Final = np.zeros(1, np.intp)
_NONE: Final = (np.zeros(0, np.int64),) * 3
