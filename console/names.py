"""What reports and pages call things: topics by their short names, units by their full ones."""

from __future__ import annotations

from collections.abc import Mapping

from console.units import title_of
from content.check import read_expected
from content.library import DATA, Library
from content.places import Places


class CatalogueNames:
    """An `analytics.report.Names` over the library, the places and the packs (slug → title)."""

    def __init__(self, library: Library, places: Places, packs: Mapping[str, str]) -> None:
        self._library = library
        self._places = places
        self._packs = packs
        self._titles = {known: row.title for known, row in read_expected(DATA / "topics.tsv").items()}

    def topic(self, slug: str) -> str:
        """Return a topic's short name; an action's title; the slug for a topic that is gone."""
        if slug in self._library:
            return self._library[slug].label
        return self._titles.get(slug, slug)

    def unit(self, slug: str) -> str:
        """Return a unit's full name."""
        return title_of(self._places, slug)

    def pack(self, slug: str) -> str:
        """Return a pack's title."""
        return self._packs.get(slug, slug)
