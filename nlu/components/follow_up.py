"""A follow-up names no topic, so each of its words is one that follow-ups are made of.

"ly hôn cần giấy tờ gì" looks like one to a classifier that never saw a divorce; answering it with the topic of before would be wrong.
"""

from __future__ import annotations

from typing import Any, ClassVar, Final

from rasa.shared.nlu.constants import INTENT
from rasa.shared.nlu.training_data.message import Message

from nlu.components.base import TrainedComponent, TrainingData
from nlu.components.keys import CLASSES, ENTITIES, NORMALIZED, PROBABILITIES
from nlu.linear import Floats
from nlu.text.syllable import strip_marks
from nlu.understanding import FOLLOW_UP

_NEGLIGIBLE: Final = 1e-3


class FollowUpGuard(TrainedComponent):
    """Takes probability from "follow-up" for every word that no follow-up in the training data has, and gives it to the others.

    Each gets as much more as it is likely: "tách hộ mất mấy ngày" goes to the topic, "ly hôn cần giấy tờ gì" to what is out of scope.
    """

    defaults: ClassVar[dict[str, Any]] = {"kept_per_strange_word": 0.2}

    words: set[str]

    def learn(self, training_data: TrainingData) -> None:
        said = {
            syllable.text
            for message in training_data.training_examples
            if message.get(INTENT) == FOLLOW_UP
            for syllable in message.get(NORMALIZED).syllables
        }
        # A word typed with its marks must be known with them: "hôn" is not the "hơn" of a follow-up.
        self.words = said | {strip_marks(word) for word in said}

    def understand(self, message: Message) -> None:
        at = message.get(CLASSES).follow_up
        probabilities: Floats = message.get(PROBABILITIES)
        if at is None or probabilities[at] < _NEGLIGIBLE:
            return
        named = [(e.start, e.end) for e in message.get(ENTITIES) if e.kind == "place"]
        strange = sum(
            s.text not in self.words and not any(start <= s.start < end for start, end in named)
            for s in message.get(NORMALIZED).syllables
        )
        if not strange:
            return
        kept = float(probabilities[at]) * self.config["kept_per_strange_word"] ** strange
        others = float(probabilities.sum() - probabilities[at])
        changed = probabilities * ((1 - kept) / others if others else 0.0)
        changed[at] = kept
        message.set(PROBABILITIES, changed)

    def dump(self) -> dict[str, Any]:
        return {"words": sorted(self.words)}

    def restore(self, state: dict[str, Any]) -> None:
        self.words = set(state["words"])
