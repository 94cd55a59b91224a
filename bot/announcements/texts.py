"""The catalogue of what stands around an announcement and what officers are told about it (`texts.yml`), read once."""

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


def say(key: str, **values: object) -> str:
    """Return one sentence with its places filled in.

    Raises:
        KeyError: there is no such sentence, or a value is missing.
    """
    text: str = texts()[key]
    return text.format(**values) if values else text


def told(group: str, key: str, **values: object) -> str:
    """Return one entry of a group, filled in.

    Raises:
        KeyError: there is no such entry, or a value is missing.
    """
    text: str = texts()[group][key]
    return text.format(**values) if values else text


def state_in_words(coded: str) -> str:
    """Return a coded state ("failed:blocked") as an officer reads it."""
    state, _, reason = coded.partition(":")
    words = told("states", state)
    return f"{words}: {told('reasons', reason)}" if reason else words


def grouped(value: int) -> str:
    """Write a whole number as people here do.

    >>> grouped(1204)
    '1.204'
    """
    return f"{value:,}".replace(",", ".")
