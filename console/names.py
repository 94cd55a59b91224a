"""What reports and pages call things: topics by their short names, units by their full ones."""

from __future__ import annotations

from collections.abc import Mapping

from console.units import title_of
from content.library import Library
from content.places import Places


class CatalogueNames:
    """An `analytics.report.Names` over the library, the places and the packs (slug → title)."""

    def __init__(self, library: Library, places: Places, packs: Mapping[str, str]) -> None:
        self._library = library
        self._places = places
        self._packs = packs

    def topic(self, slug: str) -> str:
        """Return a topic's short name; the slug for an action or a topic that is gone."""
        return self._library[slug].label if slug in self._library else slug

    def unit(self, slug: str) -> str:
        """Return a unit's full name."""
        return title_of(self._places, slug)

    def pack(self, slug: str) -> str:
        """Return a pack's title."""
        return self._packs.get(slug, slug)
