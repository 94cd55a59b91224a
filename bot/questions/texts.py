"""The catalogue of what a citizen reads around an officer's answer, and what officers are told (`texts.yml`)."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

_FILE = Path(__file__).with_name("texts.yml")


@lru_cache(maxsize=1)
def texts() -> dict[str, Any]:
    """Return all texts by key."""
    found: dict[str, Any] = yaml.safe_load(_FILE.read_text(encoding="utf-8"))
    return found


def say(*keys: str, **values: object) -> str:
    """Return one text with its places filled in.

    Raises:
        KeyError: there is no such text, or a value is missing.
    """
    found: Any = texts()
    for key in keys:
        found = found[key]
    return str(found).format(**values) if values else str(found)
