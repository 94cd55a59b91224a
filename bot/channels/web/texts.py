"""The catalogue of the page's own words and of the API's complaints (`texts.yml`), read once."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

_FILE = Path(__file__).with_name("texts.yml")


@lru_cache(maxsize=1)
def texts() -> dict[str, Any]:
    """Return all texts: `page` and `script` for the page, `problems` for the API."""
    found: dict[str, Any] = yaml.safe_load(_FILE.read_text(encoding="utf-8"))
    return found


def problem(key: str) -> str:
    """Return what the API says when it refuses a request."""
    text: str = texts()["problems"][key]
    return text
