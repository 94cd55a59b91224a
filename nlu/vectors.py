"""Sentence vectors that were made before, in a file: embedding is the slow part of training, and most texts were seen last time."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from nlu.embedding import Embedder
from nlu.linear import Floats

_BATCH: Final = 16
"""Texts embedded before the time is looked at again."""


class Vectors:
    """Vectors by text. With a file, what is embedded is added to it, in half precision; without one, nothing is kept."""

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self._known: dict[int, Floats] = {}
        if file is not None and file.is_file():
            with np.load(file, allow_pickle=False) as arrays:
                self._known = dict(zip(arrays["keys"].tolist(), arrays["vectors"], strict=True))

    def of(
        self,
        texts: Sequence[str],
        embed: Embedder,
        *,
        seconds: float = float("inf"),
        clock: Callable[[], float] = time.monotonic,
    ) -> tuple[list[int], Floats]:
        """Return which of the texts have a vector, in order, and the vectors, shape (those texts, dimensions).

        Args:
            seconds: once they are over, texts that are not known yet are left out; those in front come first.
        """
        keys = [_key(text) for text in texts]
        missing = [i for i, key in enumerate(keys) if key not in self._known]
        until = clock() + seconds
        for begin in range(0, len(missing), _BATCH):
            if clock() >= until:
                break
            batch = missing[begin : begin + _BATCH]
            for i, vector in zip(batch, embed([texts[i] for i in batch]), strict=True):
                self._known[keys[i]] = vector.astype(np.float16)
        if missing:
            self._keep()
        found = [i for i, key in enumerate(keys) if key in self._known]
        rows = np.array([self._known[keys[i]] for i in found], np.float32)
        return found, rows

    def _keep(self) -> None:
        if self._file is None or not self._known:
            return
        self._file.parent.mkdir(parents=True, exist_ok=True)
        partial = self._file.with_suffix(".partial.npz")
        np.savez(partial, keys=np.array(list(self._known), np.uint64), vectors=np.array(list(self._known.values())))
        partial.replace(self._file)


def _key(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest())
