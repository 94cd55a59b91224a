"""Reads `dialogues.txt`: dialogues of several turns, each turn with the topic and the aspect that it is about."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Expected:
    """One turn: what the citizen writes, and what the bot should take it to be about."""

    text: str
    topic: str | None
    aspect: str | None


def read() -> list[list[Expected]]:
    """Return the dialogues of the file."""
    text = (Path(__file__).parent / "dialogues.txt").read_text(encoding="utf-8")
    blocks = [[line for line in block.splitlines() if not line.startswith("#")] for block in text.split("\n\n")]
    return [[_turn(line) for line in block] for block in blocks if block]


def _turn(line: str) -> Expected:
    said, topic, aspect = (cell.strip() for cell in line.split("|"))
    return Expected(said, None if topic == "-" else topic, None if aspect == "-" else aspect)
