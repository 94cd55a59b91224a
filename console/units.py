"""Units as the console sees them; their rules live with the places."""

from __future__ import annotations

from content.places import province_slug as province_of
from content.places import unit_title as title_of
from content.places import within

__all__ = ["province_of", "title_of", "within"]
