"""Reads `dialogues*.txt`: dialogues of several turns, each turn with the topic and the aspect that it is about."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Expected:
    """One turn: what the citizen writes, and what the bot should take it to be about."""

    text: str
    topic: str | None
    aspect: str | None
    also: frozenset[str] = frozenset()
    """Topics that are as right."""


def read(name: str = "dialogues.txt") -> list[list[Expected]]:
    """Return the dialogues of a file."""
    text = (Path(__file__).parent / name).read_text(encoding="utf-8")
    blocks = [[line for line in block.splitlines() if not line.startswith("#")] for block in text.split("\n\n")]
    return [[_turn(line) for line in block] for block in blocks if block]


def _turn(line: str) -> Expected:
    said, topic, aspect = (cell.strip() for cell in line.split("|"))
    first, *also = topic.split()
    return Expected(said, None if first == "-" else first, None if aspect == "-" else aspect, frozenset(also))
