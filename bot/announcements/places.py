"""Places to fill in, and what must not stand in a text that many people get: somebody's number."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Final

from bot.announcements.texts import told
from nlu import personal

PLACES: Final = ("xa", "tinh", "ten_don_vi", "ngay")
"""What may stand in braces: the citizen's commune, the province, the unit that speaks, the day of sending."""
_PLACE: Final = re.compile(r"\{([^{}\s]{1,40})\}")
_OFFICE_PREFIXES: Final = ("02", "842", "+842")
"""Landlines: an office's number may stand in an announcement."""


def filled(text: str, values: Mapping[str, str]) -> str:
    """Return a text with its places filled in; braces that hold none of the values stay as they are."""
    return _PLACE.sub(lambda m: values.get(m.group(1), m.group(0)), text)


def unknown_places(text: str, known: Collection[str] = PLACES) -> list[str]:
    """Return the places of a text that nobody can fill in, with their braces."""
    return [f"{{{name}}}" for name in dict.fromkeys(_PLACE.findall(text)) if name not in known]


def personal_kinds(text: str) -> list[str]:
    """Return in words what kinds of somebody's number stand in a text."""
    kinds = {
        f.kind
        for f in personal.find(text)
        if f.kind in personal.REFUSED and not (f.kind == "phone" and _is_office(text[f.start : f.end]))
    }
    return [told("kinds", kind) for kind in sorted(kinds)]


def personal_problems(text: str) -> list[str]:
    """Say that a text holds somebody's number."""
    kinds = personal_kinds(text)
    return [told("problems", "personal", kinds=", ".join(kinds))] if kinds else []


def names_office(text: str) -> bool:
    """Whether a landline stands in a text, which the officer should look at once more."""
    return any(f.kind == "phone" and _is_office(text[f.start : f.end]) for f in personal.find(text))


def _is_office(number: str) -> bool:
    return number.replace(" ", "").replace(".", "").replace("-", "").startswith(_OFFICE_PREFIXES)
