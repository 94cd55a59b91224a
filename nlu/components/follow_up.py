"""A follow-up names no topic, so each of its words is one that follow-ups are made of.

"ly hôn cần giấy tờ gì" looks like one to a classifier that never saw a divorce; answering it with the topic of before would be wrong.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any, ClassVar, Final

import numpy as np
from rasa.shared.nlu.constants import INTENT
from rasa.shared.nlu.training_data.message import Message

from nlu.components.base import TrainedComponent, TrainingData
from nlu.components.keys import CLASSES, CORRUPTED, ENTITIES, NAMES_NOTHING, NORMALIZED, PROBABILITIES
from nlu.features import effective_number
from nlu.linear import Floats
from nlu.text.syllable import strip_marks
from nlu.understanding import FOLLOW_UP, OUT_OF_SCOPE

_NEGLIGIBLE: Final = 1e-3


class FollowUpGuard(TrainedComponent):
    """Takes probability from "follow-up" for every word that no follow-up in the training data has, and gives it to the others.

    Each gets as much more as it is likely: "tách hộ mất mấy ngày" goes to the topic, "ly hôn cần giấy tờ gì" to what is out of scope.
    So it does for every word more than nearly all follow-ups have: who tells so much speaks for themselves.

    Also says whether a text names nothing: all its words are said about `spread` topics or more ("hồ sơ gồm gì", "xin ở xã nào").
    Whatever topic it is closest to by itself, behind an answer it asks on. Measured on three sets of conversations: 6 of 10 questions
    that go on are of such words, 1 of 20 that begin anew.
    """

    defaults: ClassVar[dict[str, Any]] = {
        "kept_per_strange_word": 0.2,
        # A word is strange that fewer follow-ups have, copies counted; where there are only a few of them, that none has.
        "least": 3,
        "few": 1000,
        "kept_per_word_more": 0.6,
        "nearly_all": 0.97,
        "spread": 20,
    }

    words: set[str]
    longest: int
    common: set[str]

    def learn(self, training_data: TrainingData) -> None:
        follow_ups = [m for m in training_data.training_examples if m.get(INTENT) == FOLLOW_UP]
        self.common = _common(training_data.training_examples, self.config["spread"])
        heard = Counter(text for m in follow_ups for text in set(m.get(NORMALIZED).texts))
        # What one of very many says may be chance ("nợ", "tắt").
        least = 1 if len(follow_ups) < self.config["few"] else self.config["least"]
        said = {text for text, count in heard.items() if count >= least} | self.common
        # A word typed with its marks must be known with them: "hôn" is not the "hơn" of a follow-up.
        self.words = said | {strip_marks(word) for word in said}
        lengths = [len(m.get(NORMALIZED).texts) for m in follow_ups if m.get(CORRUPTED) is None]
        self.longest = int(np.quantile(lengths, self.config["nearly_all"])) if lengths else 0

    def understand(self, message: Message) -> None:
        named = [(e.start, e.end) for e in message.get(ENTITIES) if e.kind == "place"]
        texts = message.get(NORMALIZED).texts
        if named:
            syllables = message.get(NORMALIZED).syllables
            texts = [s.text for s in syllables if not any(start <= s.start < end for start, end in named)]
        message.set(NAMES_NOTHING, bool(texts) and self.common.issuperset(texts))
        at = message.get(CLASSES).follow_up
        probabilities: Floats = message.get(PROBABILITIES)
        if at is None or probabilities[at] < _NEGLIGIBLE:
            return
        strange = sum(text not in self.words for text in texts)
        more = max(0, len(texts) - self.longest)
        if not strange and not more:
            return
        kept = float(probabilities[at])
        kept *= self.config["kept_per_strange_word"] ** strange * self.config["kept_per_word_more"] ** more
        others = float(probabilities.sum() - probabilities[at])
        changed = probabilities * ((1 - kept) / others if others else 0.0)
        changed[at] = kept
        message.set(PROBABILITIES, changed)

    def dump(self) -> dict[str, Any]:
        return {"words": sorted(self.words), "longest": self.longest, "common": sorted(self.common)}

    def restore(self, state: dict[str, Any]) -> None:
        self.words = set(state["words"])
        self.longest = state["longest"]
        self.common = set(state["common"])


def _common(messages: Sequence[Message], spread: float) -> set[str]:
    """The syllables, with their marks and without, that are said about so many topics, each counted by how often."""
    seen: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for message in messages:
        if message.get(INTENT) not in (None, OUT_OF_SCOPE):
            texts = message.get(NORMALIZED).texts
            for form in {*texts, *map(strip_marks, texts)}:
                seen[form][message.get(INTENT)] += 1
    return {form for form, counts in seen.items() if effective_number(counts.values()) >= spread}
