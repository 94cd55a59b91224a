"""Units that act: the communes of one province by slug, and the province itself above them."""

from __future__ import annotations

from typing import Final

from content.places.naming import slug_of
from content.places.resolver import Places

PROVINCE_PREFIX: Final = "tinh-"


def province_slug(places: Places) -> str:
    """Return the province's slug as a unit.

    Where a commune bears the same name (Lào Cai, Phú Thọ, Quảng Trị: their wards have the plain slug), the province is told
    apart by a prefix, so that nobody of the ward acts for the province.
    """
    slug = slug_of(places.title)
    taken = {ward.slug for ward in places.wards()}
    while slug in taken:
        slug = PROVINCE_PREFIX + slug
    return slug


def within(places: Places, unit: str) -> tuple[str, ...]:
    """Return the slugs of a unit and of all below it, the unit first; nothing for a slug that does not exist."""
    wards = tuple(ward.slug for ward in places.wards())
    if unit == province_slug(places):
        return unit, *wards
    return (unit,) if unit in wards else ()


def unit_title(places: Places, unit: str | None) -> str:
    """Return a unit's full name; the slug itself for a unit that is gone, so that old records stay readable."""
    if unit is None or unit == province_slug(places):
        return f"Tỉnh {places.title}" if unit else "Chưa rõ nơi"
    try:
        return places.by_slug(unit).name
    except KeyError:
        return unit
