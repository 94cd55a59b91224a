"""Places: today's communes and wards, and what people call them."""

from __future__ import annotations

from content.places.naming import slug_of, split_kind
from content.places.resolver import Places
from content.places.spelling import syllables_of
from content.places.tables import load_places
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
    "slug_of",
    "split_kind",
    "syllables_of",
]
