"""Names of units: their kind, their slug, everything a province has by name."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence

from content.places.units import Row, Unit
from content.places.words import ROLES_OF_KIND


def split_kind(full: str) -> tuple[str, str]:
    """Split a full name into the kind in lower case and the bare name: ("thị trấn", "Bằng Lũng").

    >>> split_kind("Thị trấn Bằng Lũng")
    ('thị trấn', 'Bằng Lũng')
    """
    for kind in ROLES_OF_KIND:
        if full.lower().startswith(kind + " "):
            return kind, full[len(kind) + 1 :]
    return "", full


def slug_of(name: str) -> str:
    """Return a name in ASCII for addresses: "Phủ Thông" → "phu-thong"."""
    decomposed = unicodedata.normalize("NFD", name.lower()).replace("đ", "d")
    bare = "".join(char if char.isalnum() else " " for char in decomposed if not unicodedata.combining(char))
    return "-".join(bare.split())


def slugs_of(rows: Sequence[Row]) -> dict[str, str]:
    """Give each unit of today a slug; units that would share one get the old district added, at need the code."""
    plain = {row.code: slug_of(split_kind(row.ward)[1]) for row in rows}
    for lengthen in (
        {row.code: slug_of(split_kind(row.district)[1]) for row in reversed(rows)},
        {code: code for code in plain},
    ):
        taken = Counter(plain.values())
        plain = {code: f"{slug}-{lengthen[code]}" if taken[slug] > 1 else slug for code, slug in plain.items()}
    return plain


def units_of(title: str, rows: Sequence[Row], provinces: Sequence[str]) -> Iterator[tuple[str, Unit]]:
    """Yield every (bare name, unit) of a province, and the other provinces' names."""
    new: dict[str, str] = {}
    old: dict[tuple[str, str, str], list[Row]] = {}
    districts: dict[tuple[str, str], list[str]] = {}
    from_province: dict[str, list[str]] = {}
    for row in rows:
        new.setdefault(row.code, row.ward)
        old.setdefault((row.province, row.district, row.old_ward), []).append(row)
        districts.setdefault((row.province, row.district), []).append(row.code)
        from_province.setdefault(row.province, []).append(row.code)
    for code, full in new.items():
        kind, bare = split_kind(full)
        yield bare, Unit("new", kind, full, (code,))
    for (province, district, full), pieces in old.items():
        kind, bare = split_kind(full)
        codes = tuple(row.code for row in sorted(pieces, key=lambda row: row.share == "part"))
        yield bare, Unit("old", kind, full, codes, (province, district), split_kind(province)[1])
    for key, into in districts.items():
        kind, bare = split_kind(key[1])
        yield bare, Unit("district", kind, key[1], tuple(dict.fromkeys(into)), key, split_kind(key[0])[1])
    own = {title}
    for full, into in from_province.items():
        kind, bare = split_kind(full)
        if bare != title:
            own.add(bare)
            yield bare, Unit("province", kind, full, tuple(dict.fromkeys(into)), province=bare)
    yield title, Unit("province", "tỉnh", title, tuple(new), province=title)
    for name in provinces:
        if name not in own:
            yield name, Unit("foreign", "", name)
