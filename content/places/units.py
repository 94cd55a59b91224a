"""Units, names and readings: the values that resolving a place works with."""

from __future__ import annotations

from dataclasses import dataclass, field

from content.places.words import Role


class UnknownProvince(ValueError):
    """There is no province of this slug; the message lists the known ones."""


@dataclass(frozen=True, slots=True)
class Ward:
    """A commune, ward or special zone of today; `former` are the full names of the old units (or pieces) in it."""

    code: str
    name: str
    kind: str
    former: tuple[str, ...]
    slug: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """One of several units a text may mean; `old_ward` where an old name leads there."""

    ward: str
    code: str
    old_ward: str | None = None

    def as_dict(self) -> dict[str, str | None]:
        """Return the shape of the command `place`."""
        return {"ward": self.ward, "code": self.code, "old_ward": self.old_ward}


@dataclass(frozen=True, slots=True)
class PlaceMatch:
    """What a text means. Without `ward`: what it may mean; without candidates: no place of the province."""

    text: str
    ward: str | None = None
    code: str | None = None
    old_ward: str | None = None
    candidates: tuple[Candidate, ...] = ()

    def as_dict(self) -> dict[str, object]:
        """Return the shape of the command `place` (the contract)."""
        return {
            "text": self.text,
            "ward": self.ward,
            "code": self.code,
            "old_ward": self.old_ward,
            "candidates": [candidate.as_dict() for candidate in self.candidates],
        }


@dataclass(frozen=True, slots=True)
class Row:
    """One old unit (or a piece of it) and the unit of today it went to."""

    code: str
    ward: str
    old_ward: str
    district: str
    province: str
    share: str


@dataclass(frozen=True, slots=True)
class Syllable:
    """A syllable read in three depths: `base` "thuy", `shape` without the tone, `tone` mark. Mĩ = Mỹ, hoà = hòa."""

    base: str
    shape: str
    tone: str
    hard: bool = False
    """A comma, bracket or line end stands before it."""
    punct: bool = False
    """Some other mark, such as a hyphen, stands before it."""
    capital: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Unit:
    """Something a name may stand for."""

    role: Role
    kind: str
    full: str
    codes: tuple[str, ...] = ()
    """Of a unit of today: its own. Of an old one, a district, a province: where it went, the largest piece first."""
    district: tuple[str, str] = ("", "")
    """Of an old unit or a district: (province, district)."""
    province: str = ""


@dataclass(slots=True)
class Name:
    """One spelling with everything it stands for."""

    syllables: tuple[Syllable, ...]
    units: list[Unit] = field(default_factory=list)

    @property
    def base(self) -> str:
        return "".join(s.base for s in self.syllables)


@dataclass(frozen=True, slots=True)
class Item:
    """A piece of the text: a known name (with its kind word), or a word."""

    start: int
    end: int
    names: tuple[Name, ...] = ()
    units: tuple[Unit, ...] = ()
    kind: str = ""

    def having(self, *roles: Role) -> tuple[Unit, ...]:
        return tuple(unit for unit in self.units if unit.role in roles)


@dataclass(frozen=True, slots=True)
class Reading:
    """One unit of today a name may mean, by way of an old unit or directly (`unit` is then the unit of today)."""

    code: str
    unit: Unit


@dataclass(frozen=True, slots=True)
class Finding:
    """What a text may mean. It is `settled` if it means one unit; else the citizen has to choose, even from one."""

    readings: tuple[Reading, ...]
    settled: bool

    @property
    def is_old(self) -> bool:
        return self.readings[0].unit.role == "old"


@dataclass(frozen=True, slots=True)
class Context:
    """What stands around a name."""

    areas: tuple[Item, ...]
    hint: str
    """"cũ", "mới" or nothing."""
    anchored: bool
    """The text says by its words that a place is meant."""
    needs_area: bool
    """The name may only be believed if a district or province agrees."""
    sentence: bool
    """A sentence goes on after the name."""
