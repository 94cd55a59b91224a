"""The catalogue of what reports say (`texts.yml`), and numbers and days as people here write them."""

from __future__ import annotations

from datetime import date
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
    """Return one text with its values filled in.

    Raises:
        KeyError: there is no such text.
    """
    found: Any = texts()
    for key in keys:
        found = found[key]
    return str(found).format(**values) if values else str(found)


def number(value: int | None, least: int = 5) -> str:
    """Write a whole number as 7.000; one that is hidden as "dưới 5"."""
    return say("hidden", least=least) if value is None else f"{value:,}".replace(",", ".")


def share(value: float | None) -> str:
    """Write a share as 61 %."""
    return say("none") if value is None else f"{value * 100:.0f} %"


def day(value: date) -> str:
    """Write a day as 22/11/2026."""
    return f"{value:%d/%m/%Y}"
