"""The classes that a topic classifier tells apart: topics, follow-ups, and two for what is out of scope."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

from nlu.understanding import FOLLOW_UP, OUT_OF_SCOPE

FAR: Final = f"{OUT_OF_SCOPE}/far"
NEAR: Final = f"{OUT_OF_SCOPE}/near"
"""Two classes for what is out of scope: small talk about the weather and a marriage abroad have no words in common."""


def class_name(intent: str, near: bool | None) -> str:
    """Return the class that an example is trained as."""
    if intent != OUT_OF_SCOPE:
        return intent
    return NEAR if near else FAR


@dataclass(frozen=True, slots=True)
class Classes:
    """Names in the order of the probabilities, and where the special ones stand; None where the data have none such."""

    names: tuple[str, ...]
    far: int | None
    near: int | None
    follow_up: int | None
    outside: tuple[int, ...]
    """Where the classes stand that are out of scope."""

    @classmethod
    def of(cls, names: Sequence[str]) -> Self:
        """Find the special ones."""
        where = {name: i for i, name in enumerate(names)}
        outside = tuple(where[name] for name in (FAR, NEAR) if name in where)
        return cls(tuple(names), where.get(FAR), where.get(NEAR), where.get(FOLLOW_UP), outside)
