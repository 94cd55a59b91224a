"""From characters to features: augmentation (training only), normaliser, tokeniser, two-view featuriser."""

from __future__ import annotations

import random
import uuid
from typing import Any, ClassVar

from rasa.shared.nlu.constants import TEXT, TEXT_TOKENS
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData

from nlu import corrupt
from nlu.components.base import Component, TrainedComponent
from nlu.components.keys import NORMALIZED, ROW, WORDS
from nlu.features import TwoViewVectorizer
from nlu.text.normalizer import Normalized, Normalizer
from nlu.text.words import segment

CORRUPTED = "corrupted"
"""Marks an augmented copy, so that evaluation and weights can tell it from what a person wrote."""


class UncachedData(TrainingData):
    """Training data that Rasa need not hash after every node: nothing is cached, and hashing costs more than training."""

    def fingerprint(self) -> str:
        return uuid.uuid4().hex


class Augmenter(Component):
    """Adds corrupted copies of every training example, so that the classifiers meet text as it is really typed."""

    defaults: ClassVar[dict[str, Any]] = {"seed": 20261122, "recipes": ["no_accents", "mixed"]}

    def understand(self, message: Message) -> None:
        """Nothing to do for a message that a citizen wrote."""

    def process_training_data(self, training_data: TrainingData) -> TrainingData:
        rng = random.Random(self.config["seed"])
        copies = []
        for message in training_data.training_examples:
            for name in self.config["recipes"]:
                text = corrupt.CORRUPTIONS[name](message.get(TEXT), rng)
                if text != message.get(TEXT):
                    copies.append(Message(data={**message.data, TEXT: text, CORRUPTED: name}))
        return UncachedData(
            [*training_data.training_examples, *copies], lookup_tables=training_data.lookup_tables
        )


class VietnameseNormalizer(Component):
    """Leaves a `Normalized` on the message; the original text stays as it is."""

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__(config)
        self._normalize = Normalizer.from_lexicons()

    def understand(self, message: Message) -> None:
        message.set(NORMALIZED, self._normalize(message.get(TEXT) or ""))


class UndertheseaTokenizer(Component):
    """Groups the syllables into words with underthesea's segmenter; offsets stay those of the original text.

    With `tokens`, also sets Rasa's own `text_tokens`, which stock featurizers behind it need.
    """

    defaults: ClassVar[dict[str, Any]] = {"tokens": False}

    def understand(self, message: Message) -> None:
        normalized: Normalized = message.get(NORMALIZED)
        words = segment([s.text for s in normalized.syllables])
        message.set(WORDS, words)
        if self.config["tokens"]:
            from rasa.nlu.tokenizers.tokenizer import Token

            syllables = normalized.syllables
            message.set(
                TEXT_TOKENS,
                [
                    Token("_".join(s.text for s in syllables[i:j]), syllables[i].start, syllables[j - 1].end)
                    for i, j in words
                ],
            )


class TwoViewFeaturizer(TrainedComponent):
    """Sparse n-grams of the marked and the bare text (see `nlu.features`)."""

    defaults: ClassVar[dict[str, Any]] = {"min_count": 2}

    vectorizer: TwoViewVectorizer

    def learn(self, training_data: TrainingData) -> None:
        documents = [_syllables(m) for m in training_data.training_examples]
        self.vectorizer = TwoViewVectorizer().fit(documents, min_count=self.config["min_count"])

    def understand(self, message: Message) -> None:
        message.set(ROW, self.vectorizer.row(_syllables(message)))

    def dump(self) -> dict[str, Any]:
        return self.vectorizer.as_dict()

    def restore(self, state: dict[str, Any]) -> None:
        self.vectorizer = TwoViewVectorizer.from_dict(state)


def _syllables(message: Message) -> list[str]:
    normalized: Normalized = message.get(NORMALIZED)
    return [s.text for s in normalized.syllables]
