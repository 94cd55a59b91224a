"""The last component: is the message the bot's business at all, and which topics does it name, best first?"""

from __future__ import annotations

from operator import itemgetter
from typing import Any, ClassVar

from rasa.shared.nlu.constants import INTENT
from rasa.shared.nlu.training_data.message import Message

from nlu.components.base import Component
from nlu.components.keys import IN_SCOPE, NEAR, NORMALIZED, PROBABILITIES, REFUSE_AT, TOPICS
from nlu.semantic_head import FAR
from nlu.semantic_head import NEAR as NEAR_CLASS
from nlu.understanding import FOLLOW_UP, OUT_OF_SCOPE


class ScopeGate(Component):
    """Refuses what is rather out of scope than about its best topic, by the trained odds, and what has no syllable at all.

    A follow-up is taken for one only with the probability `follow_up`; else the best topic stands. `threshold` overrides the trained
    odds. Also sets Rasa's own `intent`, so that stock tools read the result.
    """

    defaults: ClassVar[dict[str, Any]] = {"threshold": None, "ranking_length": 10, "follow_up": 0.5}

    def understand(self, message: Message) -> None:
        probabilities: dict[str, float] = dict(message.get(PROBABILITIES))
        trained = not probabilities.keys().isdisjoint((FAR, NEAR_CLASS))
        far, near = probabilities.pop(FAR, 0.0), probabilities.pop(NEAR_CLASS, 0.0)
        outside = far + near
        threshold = self.config["threshold"]
        against = max(probabilities.values(), default=0.0)
        in_scope = bool(message.get(NORMALIZED).syllables) and outside < (outside + against) * (
            message.get(REFUSE_AT) if threshold is None else threshold
        )
        best = sorted(probabilities.items(), key=itemgetter(1), reverse=True)[: self.config["ranking_length"]]
        ranking = sorted([*best, (OUT_OF_SCOPE, outside)], key=itemgetter(1), reverse=True) if trained else best
        named = [item for item in best if item[0] != FOLLOW_UP or item[1] >= self.config["follow_up"]]
        name, probability = named[0] if in_scope and named else (OUT_OF_SCOPE, outside)
        message.set(TOPICS, ranking)
        message.set(IN_SCOPE, in_scope)
        message.set(NEAR, not in_scope and near > far)
        message.set(INTENT, {"name": name, "confidence": probability}, add_to_output=True)
        message.set("intent_ranking", [{"name": n, "confidence": p} for n, p in ranking], add_to_output=True)
