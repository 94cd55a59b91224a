"""The second stage: what the wording alone leaves open is decided with a sentence vector.

Asked only where the first stage is unsure, because a vector costs ten times as much as everything else. Measured with the
indirect tellings left out of training, so that they were new wording: indirect .79 → .84, plain .970 → .979 first.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
from rasa.shared.nlu.training_data.message import Message

from nlu.components.base import Component
from nlu.components.keys import LANGUAGE, PROBABILITIES
from nlu.components.text import syllables_of
from nlu.embedding import load_embedder
from nlu.semantic_head import FILE, Head
from nlu.text.language import LanguageModel


class SemanticStage(Component):
    """Mixes the probabilities of an embedding classifier into those of the first stage, where these are low.

    Without an embedder or a head the first stage stands alone. Classes that the head does not know keep their probability.
    """

    defaults: ClassVar[dict[str, Any]] = {
        # Asked where no class has this probability; on real questions that is one in twelve.
        "ask_below": 0.6,
        "share": 0.45,
        "remembered": 2000,
    }

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__(config)
        self._embed = load_embedder() if FILE.is_file() else None
        self._head = Head.load(FILE) if self._embed is not None else None
        self._ask = lru_cache(maxsize=config["remembered"])(self._answer)

    def understand(self, message: Message) -> None:
        first: dict[str, float] = message.get(PROBABILITIES)
        syllables = syllables_of(message)
        if self._head is None or not syllables or max(first.values()) >= self.config["ask_below"]:
            return
        language: LanguageModel = message.get(LANGUAGE)
        second = self._ask(" ".join(language.restore(syllables)))
        share = self.config["share"] * sum(p for name, p in first.items() if name in second)
        known = {name: p for name, p in second.items() if name in first}
        total = sum(known.values()) or 1.0
        mixed = {
            name: (1 - self.config["share"]) * p + share * known[name] / total if name in known else p
            for name, p in first.items()
        }
        message.set(PROBABILITIES, mixed)

    def _answer(self, text: str) -> dict[str, float]:
        assert self._embed is not None
        assert self._head is not None
        return self._head.probabilities(np.asarray(self._embed([text]))[0])
