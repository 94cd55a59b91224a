"""Places: today's communes and wards, and what people call them."""

from __future__ import annotations

from content.places.administration import province_slug, unit_title, within
from content.places.naming import slug_of, split_kind
from content.places.resolver import Places
from content.places.spelling import syllables_of
from content.places.tables import load_places, nation, read_nation_a_little
from content.places.units import Candidate, PlaceMatch, UnknownProvince, Ward
from content.places.words import DATA

__all__ = [
    "DATA",
    "Candidate",
    "PlaceMatch",
    "Places",
    "UnknownProvince",
    "Ward",
    "load_places",
    "nation",
    "province_slug",
    "read_nation_a_little",
    "slug_of",
    "split_kind",
    "syllables_of",
    "unit_title",
    "within",
]
