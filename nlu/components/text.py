"""From characters to features: augmentation (training only), normaliser, speller, tokeniser, featuriser."""

from __future__ import annotations

import random
import uuid
from dataclasses import replace
from typing import Any, ClassVar, Final

from rasa.shared.nlu.constants import TEXT, TEXT_TOKENS
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData

from nlu import corrupt
from nlu.components.base import Component, TrainedComponent
from nlu.components.keys import CORRUPTED, LANGUAGE, NORMALIZED, ORIGIN, ROW, TAIL_ROW, WORDS
from nlu.features import TwoViewVectorizer
from nlu.text.language import LanguageModel
from nlu.text.normalizer import Normalized, Normalizer, Syllable
from nlu.text.words import segment

LONG: Final = 18
"""A message of more syllables is a story whose question stands in its last `TAIL` syllables."""
TAIL: Final = 10


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
        for origin, message in enumerate(training_data.training_examples):
            message.set(ORIGIN, origin)
            for name in self.config["recipes"]:
                text = corrupt.CORRUPTIONS[name](message.get(TEXT), rng)
                if text != message.get(TEXT):
                    copies.append(Message(data={**message.data, TEXT: text, CORRUPTED: name}))
        return UncachedData([*training_data.training_examples, *copies], lookup_tables=training_data.lookup_tables)


class VietnameseNormalizer(Component):
    """Leaves a `Normalized` on the message; the original text stays as it is."""

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__(config)
        self._normalize = Normalizer.from_lexicons()

    def understand(self, message: Message) -> None:
        message.set(NORMALIZED, self._normalize(message.get(TEXT) or ""))


class Speller(TrainedComponent):
    """Replaces what is no Vietnamese syllable by the likeliest one of this field, if one slip lies between them."""

    language: LanguageModel

    def learn(self, training_data: TrainingData) -> None:
        written = [m for m in training_data.training_examples if m.get(CORRUPTED) is None]
        self.language = LanguageModel.learn([syllables_of(m) for m in written])

    def understand(self, message: Message) -> None:
        normalized: Normalized = message.get(NORMALIZED)
        repaired = self.language.repair([s.text for s in normalized.syllables])
        changed = tuple(
            Syllable(text, old.start, old.end)
            for old, texts in zip(normalized.syllables, repaired, strict=True)
            for text in texts
        )
        message.set(NORMALIZED, replace(normalized, syllables=changed))
        message.set(LANGUAGE, self.language)

    def dump(self) -> dict[str, Any]:
        return self.language.as_dict()

    def restore(self, state: dict[str, Any]) -> None:
        self.language = LanguageModel.from_dict(state)


class UndertheseaTokenizer(Component):
    """Groups the syllables into words with underthesea's segmenter; offsets stay those of the original text.

    Our own featuriser learns pairs of syllables, which made words superfluous when measured, so the segmenter (100 MB, 0.3 ms a
    message) is loaded only with `tokens`: then Rasa's own `text_tokens` are set, and stock featurizers can stand behind it.
    """

    defaults: ClassVar[dict[str, Any]] = {"tokens": False}

    def understand(self, message: Message) -> None:
        if not self.config["tokens"]:
            return
        from rasa.nlu.tokenizers.tokenizer import Token

        syllables = message.get(NORMALIZED).syllables
        words = segment([s.text for s in syllables])
        message.set(WORDS, words)
        message.set(
            TEXT_TOKENS,
            [
                Token("_".join(s.text for s in syllables[i:j]), syllables[i].start, syllables[j - 1].end)
                for i, j in words
            ],
        )


class TwoViewFeaturizer(TrainedComponent):
    """Sparse n-grams of the marked and the bare text (see `nlu.features`)."""

    defaults: ClassVar[dict[str, Any]] = {"min_count": 3}

    vectorizer: TwoViewVectorizer

    def learn(self, training_data: TrainingData) -> None:
        documents = [syllables_of(m) for m in training_data.training_examples]
        self.vectorizer = TwoViewVectorizer().fit(documents, min_count=self.config["min_count"])

    def understand(self, message: Message) -> None:
        syllables = syllables_of(message)
        message.set(ROW, self.vectorizer.row(syllables))
        if len(syllables) > LONG:
            message.set(TAIL_ROW, self.vectorizer.row(syllables[-TAIL:]))

    def dump(self) -> dict[str, Any]:
        return self.vectorizer.as_dict()

    def restore(self, state: dict[str, Any]) -> None:
        self.vectorizer = TwoViewVectorizer.from_dict(state)


def syllables_of(message: Message) -> list[str]:
    """Return the regular syllables of a normalised message."""
    normalized: Normalized = message.get(NORMALIZED)
    return [s.text for s in normalized.syllables]
