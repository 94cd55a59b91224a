"""Small decisions while a text is read as a place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from rapidfuzz.distance import OSA

from content.places.spelling import KIND_LEXICON, as_heard, cut_alike, difference, may_be, plain_of
from content.places.units import Finding, Item, Name, Reading, Syllable, Unit
from content.places.words import LENIENT_KINDS, ROLES_OF_KIND, SHORTEST_MISSPELT, WARD_ROLES

AREA: Final = Unit("district", "", "")

"""Stands for the way by a district or province in a reading."""


def is_foreign(item: Item) -> bool:
    """Return whether every unit of an item lies in another province."""
    return bool(item.units) and all(unit.role == "foreign" for unit in item.units)


def says_more(found: Finding, than: Finding) -> bool:
    """Whether a finding is clearer: one unit instead of several, an old name instead of its new one."""
    if found.settled != than.settled:
        return found.settled
    return found.settled and found.is_old and not than.is_old


def absorb(readings: list[Reading]) -> list[Reading]:
    """Drop old units that the unit of today of the same name took in: the new one is meant."""
    new = {r.code for r in readings if r.unit.role == "new"}
    return [r for r in readings if r.unit.role == "new" or not new.intersection(r.unit.codes)]


def bearing(names: Iterable[Name], kind: str) -> tuple[Unit, ...]:
    """Return the units of these names that may bear a kind word."""
    units = [unit for name in names for unit in name.units]
    if not kind:
        return tuple(units)
    strict = [unit for unit in units if unit.role in ROLES_OF_KIND[kind]]
    if any(unit.kind == kind and unit.role not in WARD_ROLES for unit in strict):
        strict = [unit for unit in strict if unit.kind == kind or unit.role == "foreign"]
    return tuple(strict or (unit for unit in units if unit.role in LENIENT_KINDS.get(kind, ())))


def kind_at(tokens: Sequence[Syllable], i: int) -> tuple[str, int] | None:
    """Return the kind word at a position ("thị trấn") and how many syllables it takes."""
    for width in (2, 1):
        typed = tokens[i : i + width]
        if len(typed) == width and (known := KIND_LEXICON.get(plain_of(typed))):
            word, kind = known
            if not any(t.hard for t in typed[1:]) and not difference(typed, word)[0]:
                return kind, width
    return None


def shortened(base: str) -> Iterator[str]:
    """Yield the letters, and the letters with each one left out in turn."""
    yield base
    for i in range(len(base)):
        yield base[:i] + base[i + 1 :]


def neighbourhood(names: Iterable[Name]) -> dict[str, list[Name]]:
    """Index names by their letters with one letter left out: two spellings one slip apart share such a form."""
    near: dict[str, list[Name]] = {}
    for name in names:
        if len(name.base) >= SHORTEST_MISSPELT:
            for shorter in dict.fromkeys(shortened(name.base)):
                near.setdefault(shorter, []).append(name)
    return near


def is_slip(typed: Sequence[Syllable], name: Name) -> bool:
    """Whether one slip lies between what was typed and a name: a wrong accent, a wrong letter, a space moved."""
    left, right = "".join(t.base for t in typed), name.base
    if left == right:
        return difference(typed, name.syllables)[0] == int(cut_alike(typed, name))
    if len(typed) != len(name.syllables):
        return False
    heard = [t.base != n.base for t, n in zip(typed, name.syllables, strict=True)].count(True) == 1 and all(
        as_heard(t.base) == as_heard(n.base) for t, n in zip(typed, name.syllables, strict=True)
    )
    if not heard and OSA.distance(left, right, score_cutoff=1) != 1:
        return False
    small = heard or sorted(left) == sorted(right)
    return len(right) >= SHORTEST_MISSPELT + (not small) and all(
        may_be(t, n) if t.base == n.base else t.tone in ("", n.tone) for t, n in zip(typed, name.syllables, strict=True)
    )
