"""The catalogue of what the console says (`texts.yml`), and numbers and moments as people here write them."""

from __future__ import annotations

from datetime import date, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from bot.clock import ZONE
from bot.storage.database import aware

_FILE = Path(__file__).with_name("texts.yml")


@lru_cache(maxsize=1)
def texts() -> dict[str, Any]:
    """Return all texts, by page."""
    found: dict[str, Any] = yaml.safe_load(_FILE.read_text(encoding="utf-8"))
    return found


def say(page: str, key: str, **values: object) -> str:
    """Return one text with its values filled in."""
    text: str = texts()[page][key]
    return text.format(**values) if values else text


def number(value: int | None) -> str:
    """Write a whole number as 7.000; what is not known as a dash.

    >>> number(1234567)
    '1.234.567'
    """
    return "–" if value is None else f"{value:,}".replace(",", ".")


def day(value: date | None) -> str:
    """Write a day as 22/11/2026."""
    return "–" if value is None else value.strftime("%d/%m/%Y")


def moment(value: datetime | None) -> str:
    """Write a moment as 09:05 22/11/2026, by the clock of the province."""
    known = aware(value)
    return "–" if known is None else known.astimezone(ZONE).strftime("%H:%M %d/%m/%Y")
