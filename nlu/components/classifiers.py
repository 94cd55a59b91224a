"""What the message is about: topic (softmax over all topics, out of scope and follow-ups) and aspects (one yes or no each)."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from rasa.shared.nlu.constants import INTENT, METADATA
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData
from scipy.sparse import csr_matrix

from nlu import linear
from nlu.components.base import TrainedComponent
from nlu.components.keys import ASPECTS, ROW, TOPICS
from nlu.linear import LinearModel
from nlu.understanding import ASPECTS as ALL_ASPECTS


def rows_of(messages: list[Message]) -> csr_matrix:
    """Stack the feature rows of featurised messages, shape (messages, columns)."""
    rows = [m.get(ROW) for m in messages]
    indptr = np.cumsum([0, *(len(columns) for columns, _ in rows)])
    columns = np.concatenate([c for c, _ in rows])
    values = np.concatenate([v for _, v in rows])
    return csr_matrix((values, columns, indptr), shape=(len(rows), int(columns.max()) + 1))


def labelled_aspects(message: Message) -> list[str]:
    """Return the aspects that the training file gives for this message's block."""
    metadata = message.get(METADATA) or {}
    return list((metadata.get("intent") or {}).get("aspects") or [])


class TopicClassifier(TrainedComponent):
    """Ranks all trained classes by calibrated probability."""

    defaults: ClassVar[dict[str, Any]] = {"epochs": 10, "rate": 0.02, "decay": 1e-6, "seed": 7, "temperature": 1.0}

    classes: list[str]
    model: LinearModel

    def learn(self, training_data: TrainingData) -> None:
        messages = training_data.training_examples
        self.classes = sorted({m.get(INTENT) for m in messages})
        index = {name: i for i, name in enumerate(self.classes)}
        targets = np.zeros((len(messages), len(self.classes)), np.float32)
        targets[np.arange(len(messages)), [index[m.get(INTENT)] for m in messages]] = 1
        # Classes differ in size (out of scope is large); the square root keeps big ones from drowning small ones.
        sizes = targets.sum(axis=0)
        weights = np.sqrt(sizes.mean() / (targets @ sizes)).astype(np.float32)
        self.model = linear.train(
            rows_of(messages),
            targets,
            sample_weights=weights,
            epochs=self.config["epochs"],
            rate=self.config["rate"],
            decay=self.config["decay"],
            seed=self.config["seed"],
        )
        self.model.temperature = self.config["temperature"]

    def understand(self, message: Message) -> None:
        columns, values = message.get(ROW)
        probabilities = self.model.softmax(columns, values)
        best = np.argsort(probabilities)[::-1][:10]
        message.set(TOPICS, [(self.classes[i], float(probabilities[i])) for i in best])

    def dump(self) -> dict[str, Any]:
        return {"classes": self.classes, "model": self.model.as_dict()}

    def restore(self, state: dict[str, Any]) -> None:
        self.classes = state["classes"]
        self.model = LinearModel.from_dict(state["model"])


class AspectClassifier(TrainedComponent):
    """Says which aspects are asked for: none, one or several."""

    defaults: ClassVar[dict[str, Any]] = {"epochs": 10, "rate": 0.02, "decay": 1e-6, "seed": 7, "threshold": 0.5}

    model: LinearModel

    def learn(self, training_data: TrainingData) -> None:
        messages = [m for m in training_data.training_examples if labelled_aspects(m)]
        targets = np.zeros((len(messages), len(ALL_ASPECTS)), np.float32)
        for i, message in enumerate(messages):
            for aspect in labelled_aspects(message):
                targets[i, ALL_ASPECTS.index(aspect)] = 1
        self.model = linear.train(
            rows_of(messages),
            targets,
            multilabel=True,
            epochs=self.config["epochs"],
            rate=self.config["rate"],
            decay=self.config["decay"],
            seed=self.config["seed"],
        )

    def understand(self, message: Message) -> None:
        columns, values = message.get(ROW)
        kept = columns < len(self.model.weights)
        scores = 1 / (1 + np.exp(-self.model.logits(columns[kept], values[kept])))
        order = np.argsort(scores)[::-1]
        chosen = [ALL_ASPECTS[i] for i in order if scores[i] >= self.config["threshold"]]
        if not chosen:
            chosen = [ALL_ASPECTS[order[0]]]
        # A question for something special is not also a question in general.
        message.set(ASPECTS, [a for a in chosen if a != "tong-quan"] or chosen)

    def dump(self) -> dict[str, Any]:
        return {"model": self.model.as_dict()}

    def restore(self, state: dict[str, Any]) -> None:
        self.model = LinearModel.from_dict(state["model"])
