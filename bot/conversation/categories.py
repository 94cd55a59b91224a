"""The kinds of announcements a citizen may choose among. Their names stand in the catalogue."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

CATEGORIES: Final = ("dich-vu-cong", "thien-tai", "lich-y-te", "tap-huan", "an-ninh", "khac")
"""From the closed list of the field; `khac` is what fits none."""
DEFAULT: Final = "khac"


def muted_of(stored: str | None) -> tuple[str, ...]:
    """Return the kinds that a citizen does not want, as the column `conversation.muted` holds them."""
    return tuple(slug for slug in (stored or "").split(",") if slug in CATEGORIES)


def stored_of(muted: Collection[str]) -> str | None:
    """Return what the column holds: ",an-ninh,tap-huan,", with a comma on each side so that SQL can look for one; None for all."""
    kept = [slug for slug in CATEGORIES if slug in muted]
    return f",{','.join(kept)}," if kept else None
