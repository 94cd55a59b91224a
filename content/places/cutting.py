"""Cuts a text into the names of one province and the words between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from content.places.reading import bearing, kind_at
from content.places.spelling import cut_alike, difference, is_marked, joined_up, syllables_of
from content.places.units import Item, Name, Syllable
from content.places.words import (
    BARE,
    JOINED_KINDS,
    LONGEST_JOINED,
    MAX_SYLLABLES,
    ROLES_OF_KIND,
    SHORTEST_JOINED,
    WARD_ROLES,
)


class Cutter:
    """Knows the names by their letters, written together."""

    def __init__(self, index: Mapping[str, Sequence[Name]]) -> None:
        self._index = index

    def segment(self, tokens: Sequence[Syllable]) -> list[Item]:
        """Return the pieces of a text in order: names with their kind words, and single words."""
        items: list[Item] = []
        marked = is_marked(tokens)
        i = 0
        while i < len(tokens):
            item = self._name_at(tokens, i, i, "", marked)
            if kind := kind_at(tokens, i):
                word, width = kind
                named = self._name_at(tokens, i, i + width, word, marked)
                if item is None or (named and named.end > item.end):  # "phuong tien phong" is no Phượng Tiến
                    item = named or Item(i, i + width, kind=word)
            if item is None and 2 * SHORTEST_JOINED - 2 < len(tokens[i].base) <= LONGEST_JOINED:
                pieces = self._unjoin(tokens[i].base, tokens[i].shape, i)
                if pieces:
                    items.extend(pieces)
                    i += 1
                    continue
            item = item or Item(i, i + 1)
            items.append(item)
            i = item.end
        return items

    def _name_at(self, tokens: Sequence[Syllable], start: int, at: int, kind: str, marked: bool) -> Item | None:
        """Return the longest name that begins at `at`, if it can bear the kind word that began at `start`."""
        base = ""
        best: Item | None = None
        for end in range(at + 1, min(at + MAX_SYLLABLES, len(tokens)) + 1):
            if end - 1 > at and tokens[end - 1].hard:
                break
            base += tokens[end - 1].base
            spelt: dict[bool, list[Name]] = {}
            for name in self._index.get(joined_up([base]), ()):
                typed = tokens[at:end]
                if not cut_alike(typed, name):
                    continue
                if (
                    len(base) <= 2
                    and not kind
                    and not is_marked(typed)
                    and not (at and any(unit.role not in WARD_ROLES for unit in name.units))
                ):
                    continue
                if base.isdigit() and not kind:
                    continue
                wrong, full = difference(typed, name.syllables)
                if not wrong:
                    spelt.setdefault(full and marked, []).append(name)
            names = spelt.get(True) or spelt.get(False)
            if names and (units := bearing(names, kind)):
                best = Item(start, end, tuple(names), units, kind)
        return best

    def _unjoin(self, base: str, shape: str, at: int) -> list[Item]:
        """Read kind, name and district written in one word ("xavihuongbachthong"); empty if letters are left over."""
        for kind in JOINED_KINDS:
            if base.startswith(kind) and (rest := self._unjoin_names(base[len(kind) :], shape[len(kind) :], at)):
                word = next(k for k in ROLES_OF_KIND if "".join(s.base for s in syllables_of(k)) == kind)
                if units := bearing(rest[0].names, word):
                    return [replace(rest[0], kind=word, units=units), *rest[1:]]
        return self._unjoin_names(base, shape, at)

    def _unjoin_names(self, base: str, shape: str, at: int) -> list[Item]:
        for end in range(len(base), SHORTEST_JOINED - 1, -1):
            names = tuple(
                name
                for name in self._index.get(joined_up([base[:end]]), ())
                if all(
                    a in (b, b.translate(BARE))
                    for a, b in zip(joined_up([shape]), joined_up(s.shape for s in name.syllables), strict=False)
                )
            )
            if not names:
                continue
            rest = self._unjoin_names(base[end:], shape[end:], at) if end < len(base) else []
            if rest or end == len(base):
                return [Item(at, at + 1, names, bearing(names, "")), *rest]
        return []
