"""The catalogue of the bot's own sentences (`messages.yml`), read once."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

_FILE = Path(__file__).with_name("messages.yml")


@lru_cache(maxsize=1)
def catalogue() -> dict[str, Any]:
    """Return all messages by key."""
    messages: dict[str, Any] = yaml.safe_load(_FILE.read_text(encoding="utf-8"))
    return messages


def lessons() -> tuple[str, ...]:
    """Return the topics that teach a digital skill, in the order in which they are offered."""
    return tuple(catalogue()["lessons_topics"])


def say(key: str, **values: str) -> str:
    """Return one sentence with its places filled in.

    Raises:
        KeyError: there is no such message, or a value is missing.
    """
    text: str = catalogue()[key]
    return text.format(**values) if values else text


def label(group: str, key: str) -> str:
    """Return one entry of a group of labels."""
    text: str = catalogue()[group][key]
    return text
