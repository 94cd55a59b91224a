"""The last component: is the message the bot's business at all, and which topics does it name, best first?"""

from __future__ import annotations

from operator import itemgetter
from typing import Any, ClassVar

from rasa.shared.nlu.constants import INTENT
from rasa.shared.nlu.training_data.message import Message

from nlu.classes import Classes
from nlu.components.base import Component
from nlu.components.keys import CLASSES, IN_SCOPE, NEAR, NORMALIZED, PROBABILITIES, REFUSE_AT, TOPICS
from nlu.linear import Floats
from nlu.understanding import FOLLOW_UP, OUT_OF_SCOPE


class ScopeGate(Component):
    """Refuses what is rather out of scope than about its best topic, by the trained odds, and what has no syllable at all.

    A follow-up is taken for one only with the probability `follow_up`; else the best topic stands. `threshold` overrides the trained
    odds. Also sets Rasa's own `intent`, so that stock tools read the result.
    """

    defaults: ClassVar[dict[str, Any]] = {"threshold": None, "ranking_length": 10, "follow_up": 0.5}

    def understand(self, message: Message) -> None:
        classes: Classes = message.get(CLASSES)
        probabilities: Floats = message.get(PROBABILITIES)
        far = 0.0 if classes.far is None else float(probabilities[classes.far])
        near = 0.0 if classes.near is None else float(probabilities[classes.near])
        outside = far + near
        outsiders = classes.outside
        listed = probabilities.tolist()
        order = probabilities.argsort()[: -self.config["ranking_length"] - len(outsiders) - 1 : -1].tolist()
        best = [(classes.names[i], listed[i]) for i in order if i not in outsiders][: self.config["ranking_length"]]
        threshold = self.config["threshold"]
        against = best[0][1] if best else 0.0
        in_scope = bool(message.get(NORMALIZED).syllables) and outside < (outside + against) * (
            message.get(REFUSE_AT) if threshold is None else threshold
        )
        ranking = sorted([*best, (OUT_OF_SCOPE, outside)], key=itemgetter(1), reverse=True) if outsiders else best
        named = (item for item in best if item[0] != FOLLOW_UP or item[1] >= self.config["follow_up"])
        name, probability = next(named, (OUT_OF_SCOPE, outside)) if in_scope else (OUT_OF_SCOPE, outside)
        message.set(TOPICS, ranking)
        message.set(IN_SCOPE, in_scope)
        message.set(NEAR, not in_scope and near > far)
        message.set(INTENT, {"name": name, "confidence": probability}, add_to_output=True)
        message.set("intent_ranking", [{"name": n, "confidence": p} for n, p in ranking], add_to_output=True)
