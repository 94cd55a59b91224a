"""The second stage: what the wording alone leaves open is decided with a sentence vector.

Asked only where the first stage is unsure, because a vector costs ten times as much as everything else. Measured with the
indirect tellings left out of training, so that they were new wording: indirect .79 → .84, plain .970 → .979 first.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray
from rasa.shared.nlu.training_data.message import Message

from nlu.classes import Classes
from nlu.components.base import TrainedComponent, TrainingData
from nlu.components.keys import AT_ONCE, CLASSES, CORRUPTED, LANGUAGE, OPEN, PROBABILITIES
from nlu.components.text import shares_of, syllables_of
from nlu.embedding import load_embedder
from nlu.linear import Floats
from nlu.semantic_head import FILE, Head, fit
from nlu.text.language import LanguageModel
from nlu.vectors import Vectors

_SEED: Final = 7
_ALWAYS: Final = 2.0
"""No two probabilities are so far apart."""
_TINY: Final = 1e-12


class SemanticStage(TrainedComponent):
    """Mixes the probabilities of an embedding classifier into those of the first stage, where these are low.

    The head in `nlu/semantic_head.npz` serves the project's own topics. Training data of which it knows less than `known` of the
    classes get a head of their own, from as many examples as can be embedded in `seconds` (every class in turn) or were embedded
    before (`vectors`, a file). Without an embedder the first stage stands alone; classes that a head does not know keep their probability.
    """

    defaults: ClassVar[dict[str, Any]] = {
        # Asked where the two likeliest classes are so close; of questions that name their matter that is one in a hundred, of indirect
        # tellings one in twenty. Measured with .1, .15, .25 and .4: the gain is the same from .15 on, the questions are not.
        "ask_within": 0.15,
        "share": 0.45,
        # The same of a head of its own. Where the classes have fewer than `few` examples each, it is asked always, since n-grams
        # are then surer than they may be (measured with 4 examples: .76 without, .84 within .5, .88 always).
        "own_ask_within": 0.5,
        "own_share": 0.6,
        "few": 10,
        "remembered": 2000,
        "known": 0.8,
        "seconds": 90,
        "vectors": None,
    }

    head: Head | None
    within: float
    share: float
    _classes: Classes | None = None

    def learn(self, training_data: TrainingData) -> None:
        written = [m for m in training_data.training_examples if m.get(CORRUPTED) is None]
        # An utterance of several topics is one of each; their vectors are the same.
        pairs = [(m, name) for m in written for name in shares_of(m)]
        named = [name for _, name in pairs]
        shipped = Head.load() if FILE.is_file() else None
        if shipped is not None and len(set(named) & set(shipped.classes)) >= self.config["known"] * len(set(named)):
            self.head, self.within, self.share = shipped, self.config["ask_within"], self.config["share"]
            return
        many = len(named) >= self.config["few"] * len(set(named))
        self.within, self.share = (self.config["own_ask_within"] if many else _ALWAYS), self.config["own_share"]
        embed = load_embedder(2)
        if embed is None:
            self.head = None
            return
        order = _in_turn(named)
        texts = [_restored(pairs[i][0]) for i in order]
        file = self.config["vectors"]
        found, vectors = Vectors(Path(file) if file else None).of(texts, embed, seconds=self.config["seconds"])
        self.head = fit(vectors, [named[order[i]] for i in found]) if found else None

    def understand(self, message: Message) -> None:
        first: Floats = message.get(PROBABILITIES)
        # What is left for the second likeliest is no more than what the likeliest leaves: nearly always that says enough.
        if self.head is None or 2 * first.max() - 1 >= self.within or not syllables_of(message):
            return
        if _margin(first, message.get(CLASSES)) >= self.within:
            return
        restored = _restored(message)
        if message.get(AT_ONCE) and restored not in self._told:
            message.set(OPEN, True)
            return
        here, there = self._shared(message.get(CLASSES))
        known = self._ask(restored).take(there)
        share = self.share * first.take(here).sum()
        mixed = (1 - self.share) * first
        mixed[here] += share / max(float(known.sum()), _TINY) * known
        # A class that the head does not know keeps its probability.
        mixed[self._others] = first[self._others]
        message.set(PROBABILITIES, mixed)

    def _shared(self, classes: Classes) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Where the classes that both stages know stand in the first one's and in the head's probabilities."""
        assert self.head is not None
        if classes is not self._classes:
            where = {name: i for i, name in enumerate(self.head.classes)}
            pairs = [(i, where[name]) for i, name in enumerate(classes.names) if name in where]
            self._pairs = np.array([i for i, _ in pairs], np.intp), np.array([j for _, j in pairs], np.intp)
            self._others = np.array([i for i, name in enumerate(classes.names) if name not in where], np.intp)
            self._classes = classes
        return self._pairs

    def dump(self) -> dict[str, Any]:
        head = None if self.head is None else self.head.as_dict()
        return {"head": head, "within": self.within, "share": self.share}

    def restore(self, state: dict[str, Any]) -> None:
        self.within, self.share = state["within"], state["share"]
        self._embed = load_embedder() if state["head"] is not None else None
        self.head = Head.from_dict(state["head"]) if self._embed is not None else None
        self._told: OrderedDict[str, Floats] = OrderedDict()

    def _ask(self, text: str) -> Floats:
        """The head's probabilities; of texts that come again they are remembered."""
        assert self.head is not None
        assert self._embed is not None
        told = self._told.get(text)
        if told is None:
            told = self._told[text] = self.head.probabilities(np.asarray(self._embed([text]))[0])
            while len(self._told) > self.config["remembered"]:
                self._told.popitem(last=False)
        return told


def _margin(probabilities: Floats, classes: Classes) -> float:
    """How far the likeliest class is ahead of the next; the two that are out of scope are one. 1 where there is no other."""
    if len(probabilities) < 2:
        return 1.0
    if classes.far is not None and classes.near is not None:
        probabilities = probabilities.copy()
        probabilities[classes.far] += probabilities[classes.near]
        probabilities[classes.near] = 0.0
    second, best = np.partition(probabilities, -2)[-2:].tolist()
    return float(best - second)


def _restored(message: Message) -> str:
    language: LanguageModel = message.get(LANGUAGE)
    return " ".join(language.restore(syllables_of(message)))


def _in_turn(named: Sequence[str]) -> list[int]:
    """Return all positions, so ordered that each class comes once before any comes twice; which one of a class, chance decides."""
    places: defaultdict[str, list[int]] = defaultdict(list)
    for i in np.random.default_rng(_SEED).permutation(len(named)).tolist():
        places[named[i]].append(i)
    return [i for row in zip_longest(*places.values()) for i in row if i is not None]
