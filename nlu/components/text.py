"""From characters to features: augmentation (training only), normaliser, speller, tokeniser, featuriser."""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Final

from rasa.shared.nlu.constants import INTENT, METADATA, TEXT, TEXT_TOKENS
from rasa.shared.nlu.training_data.message import Message

from nlu import corrupt
from nlu.classes import class_name
from nlu.components.base import Component, TrainedComponent, TrainingData
from nlu.components.keys import CORRUPTED, LANGUAGE, NORMALIZED, ORIGIN, PART_ROWS, ROW, SHARES, WORDS
from nlu.features import TwoViewVectorizer
from nlu.text.language import LanguageModel
from nlu.text.normalizer import Normalized, Normalizer, Syllable
from nlu.text.words import segment
from nlu.understanding import FOLLOW_UP

LONG: Final = 18
"""A message of more syllables is a story with one question or several in it: it is read in parts, too,"""
PART: Final = 10
"""of so many syllables,"""
STEP: Final = 5
"""of which one begins so many before the next."""
_SPOKEN: Final = re.compile(r"[^\W\d_]+")
GENERAL: Final = "tong-quan"
_TWO_ASKED: Final = 0.6
"""Share of tellings with one question that get a second one,"""
_ASKED_FIRST: Final = 0.2
"""and of those whose first question stands in front of what happened."""
_HEARD: Final = 4.0
"""Messages that a fragment stands in,"""
_HEARD_SHARE: Final = 0.12
"""the share of them that makes a class one of its meanings,"""
_HEARD_TOGETHER: Final = 0.8
"""and the share that these classes have together; what everybody says ("bao nhiêu") means nothing by itself."""


class Augmenter(Component):
    """Adds corrupted copies of every training example, so that the classifiers meet text as it is really typed.

    And questions put into one message ("cần giấy tờ gì, mà bao lâu thì xong"): a short one about a topic and a follow-up that asks
    for something else, so that both aspects are found and the topic stands; or what happened with one or two follow-ups.

    And fragments ("mất thẻ", "đóng thuế"): few words that several topics share mean each of them as often as it says them, so that
    whoever writes no more is asked back; they also teach which phrases carry a topic (measured: indirect tellings two points better).
    """

    defaults: ClassVar[dict[str, Any]] = {
        "seed": 20261122,
        "recipes": ["no_accents", "mixed"],
        "joined": 2000,
        "told": 3000,
        "fragments": 3000,
        "joints": [" và ", ", ", " với lại ", ". ", " rồi ", "? ", " và cả ", ", còn ", " mà "],
    }

    def understand(self, message: Message) -> None:
        """Nothing to do for a message that a citizen wrote."""

    def process_training_data(self, training_data: TrainingData) -> TrainingData:
        from nlu.training import UncachedData

        rng = random.Random(self.config["seed"])
        copies = []
        for origin, message in enumerate(training_data.training_examples):
            message.set(ORIGIN, origin)
            for name in self.config["recipes"]:
                text = corrupt.CORRUPTIONS[name](message.get(TEXT), rng)
                if text != message.get(TEXT):
                    copies.append(Message(data={**message.data, TEXT: text, CORRUPTED: name}))
        copies += self._joined(training_data.training_examples, rng)
        copies += _fragments(training_data.training_examples, self.config["fragments"])
        return UncachedData([*training_data.training_examples, *copies], lookup_tables=training_data.lookup_tables)

    def _joined(self, written: list[Message], rng: random.Random) -> Iterator[Message]:
        labelled = [(m, labelled_aspects(m)) for m in written]
        follow_ups = [(m, a) for m, a in labelled if m.get(INTENT) == FOLLOW_UP and a and a != [GENERAL]]
        short = [(m, a) for m, a in labelled if m.get(INTENT) != FOLLOW_UP and a and len(m.get(TEXT).split()) <= LONG]
        single = [(m, a) for m, a in follow_ups if len(a) == 1]
        firsts = [(m, a) for m, a in short if len(a) == 1 and a != [GENERAL]]
        stories = [(m, a) for m, a in short if a == [GENERAL]]
        for _ in range(self.config["joined"] if firsts and single else 0):
            first, (second, asked) = rng.choice(firsts), rng.choice(single)
            if asked != first[1]:
                yield self._one(first[0], [first[0], second], [*first[1], *asked], "joined", rng)
        for _ in range(self.config["told"] if stories and single else 0):
            story, (question, asked), (other, more) = rng.choice(stories), rng.choice(follow_ups), rng.choice(single)
            both = len(asked) == 1 and more != asked and rng.random() < _TWO_ASKED
            parts = [story[0], question, other] if both else [story[0], question]
            if rng.random() < _ASKED_FIRST:
                parts[:2] = parts[1::-1]
            yield self._one(story[0], parts, [*asked, *more] if both else asked, "told", rng)

    def _one(self, topic: Message, parts: list[Message], aspects: list[str], made: str, rng: random.Random) -> Message:
        """Put messages into one, which is about the topic of one of them."""
        first, *others = (part.get(TEXT) for part in parts)
        text = first
        for other in others:
            text = text.rstrip(" ?.!") + rng.choice(self.config["joints"]) + other
        recipe = rng.choice((None, None, *self.config["recipes"]))
        text = corrupt.CORRUPTIONS[recipe](text, rng) if recipe else text
        labels = {**((topic.get(METADATA) or {}).get("intent") or {}), "aspects": aspects}
        return Message(data={**topic.data, TEXT: text, CORRUPTED: made, METADATA: {"intent": labels}})


def _fragments(written: list[Message], most: int) -> list[Message]:
    """The most frequent runs of two or three words that several classes say but that nobody wrote as a message, with their shares."""
    heard: dict[str, defaultdict[str, float]] = {}
    whole = set()
    for message in written:
        words = _SPOKEN.findall(message.get(TEXT).lower())
        whole.add(" ".join(words))
        for run in {" ".join(words[i : i + n]) for n in (2, 3) for i in range(len(words) - n + 1)}:
            said = heard.setdefault(run, defaultdict(float))
            for name, share in shares_of(message).items():
                said[name] += share
    found: list[tuple[float, str, dict[str, float]]] = []
    for run, said in heard.items():
        total = sum(said.values())
        shares = {name: n / total for name, n in said.items() if n >= _HEARD_SHARE * total}
        known = sum(shares.values())
        if run in whole or total < _HEARD or len(shares) < 2 or known < _HEARD_TOGETHER or FOLLOW_UP in shares:
            continue
        found.append((total, run, {name: share / known for name, share in shares.items()}))
    found.sort(key=lambda item: (-item[0], item[1]))
    return [Message(data={TEXT: run, CORRUPTED: "fragment", SHARES: shares}) for _, run, shares in found[:most]]


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
        message.set(LANGUAGE, self.language)
        if not self.language.needs_repair(normalized.texts):
            return
        repaired = self.language.repair(normalized.texts)
        changed = tuple(
            Syllable(text, old.start, old.end)
            for old, texts in zip(normalized.syllables, repaired, strict=True)
            for text in texts
        )
        message.set(NORMALIZED, replace(normalized, syllables=changed))

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

    # Of few documents every feature is kept.
    defaults: ClassVar[dict[str, Any]] = {"min_count": 3, "few": 3000}

    vectorizer: TwoViewVectorizer

    def learn(self, training_data: TrainingData) -> None:
        documents = [syllables_of(m) for m in training_data.training_examples]
        min_count = 1 if len(documents) < self.config["few"] else self.config["min_count"]
        self.vectorizer = TwoViewVectorizer().fit(documents, min_count=min_count)

    def understand(self, message: Message) -> None:
        syllables = syllables_of(message)
        message.set(ROW, self.vectorizer.row(syllables))
        message.set(PART_ROWS, [self.vectorizer.row(part) for part in parts_of(syllables)])

    def dump(self) -> dict[str, Any]:
        return self.vectorizer.as_dict()

    def restore(self, state: dict[str, Any]) -> None:
        self.vectorizer = TwoViewVectorizer.from_dict(state)


def shares_of(message: Message) -> dict[str, float]:
    """Return how far a training example belongs to which class; nearly always to one alone."""
    given: dict[str, float] | None = message.get(SHARES)
    if given is not None:
        return given
    metadata = (message.get(METADATA) or {}).get("intent") or {}
    names = list(metadata.get("topics") or ()) or [class_name(message.get(INTENT), metadata.get("near"))]
    return {name: 1 / len(names) for name in names}


def labelled_aspects(message: Message) -> list[str]:
    """Return the aspects that the training file gives for this message's block."""
    return list(((message.get(METADATA) or {}).get("intent") or {}).get("aspects") or [])


def parts_of(syllables: Sequence[str]) -> list[Sequence[str]]:
    """Return the overlapping parts in which a long message is read, the last one its end; none of a short one."""
    if len(syllables) <= LONG:
        return []
    ends = range(len(syllables), PART // 2, -STEP)
    return [syllables[max(0, end - PART) : end] for end in reversed(ends)]


def syllables_of(message: Message) -> list[str]:
    """Return the regular syllables of a normalised message."""
    normalized: Normalized = message.get(NORMALIZED)
    return normalized.texts
