"""The last component: is the message the bot's business at all?"""

from __future__ import annotations

from typing import Any, ClassVar

from rasa.shared.nlu.constants import INTENT
from rasa.shared.nlu.training_data.message import Message

from nlu.components.base import Component
from nlu.components.keys import IN_SCOPE, NORMALIZED, TOPICS
from nlu.understanding import OUT_OF_SCOPE


class ScopeGate(Component):
    """Refuses what the out-of-scope class claims with `threshold` or more, and what has no syllable at all.

    Also sets Rasa's own `intent`, so that stock tools read the result.
    """

    defaults: ClassVar[dict[str, Any]] = {"threshold": 0.5}

    def understand(self, message: Message) -> None:
        ranking: list[tuple[str, float]] = message.get(TOPICS)
        outside = next((p for name, p in ranking if name == OUT_OF_SCOPE), 0.0)
        empty = not message.get(NORMALIZED).syllables
        in_scope = not empty and outside < self.config["threshold"]
        message.set(IN_SCOPE, in_scope)
        name, probability = ranking[0]
        message.set(INTENT, {"name": name if in_scope else OUT_OF_SCOPE, "confidence": probability}, add_to_output=True)
        message.set(
            "intent_ranking", [{"name": n, "confidence": p} for n, p in ranking], add_to_output=True
        )
