"""What the message is about: topic (softmax over all topics, out of scope and follow-ups) and aspects (one yes or no each)."""

from __future__ import annotations

from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray
from rasa.shared.nlu.constants import INTENT, METADATA
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData

from nlu import linear
from nlu.components.base import TrainedComponent
from nlu.components.keys import ASPECTS, CORRUPTED, ORIGIN, PROBABILITIES, REFUSE_AT, ROW, TAIL_ROW
from nlu.features import Row, stack
from nlu.linear import Floats, LinearModel
from nlu.semantic_head import FAR, NEAR, class_name
from nlu.understanding import ASPECTS as ALL_ASPECTS

LEAST_REFUSAL: Final = 0.1
"""Whatever the training data say, nothing is refused below this probability of being out of scope."""


def class_of(message: Message) -> str:
    """Return the class that a training example belongs to."""
    return class_name(message.get(INTENT), _metadata(message).get("near"))


def labelled_aspects(message: Message) -> list[str]:
    """Return the aspects that the training file gives for this message's block."""
    return list(_metadata(message).get("aspects") or [])


def _metadata(message: Message) -> dict[str, Any]:
    return (message.get(METADATA) or {}).get("intent") or {}


class TopicClassifier(TrainedComponent):
    """Gives every trained class a calibrated probability.

    One part in `folds` of the utterances, with their copies, is left out of a first model, which then says how far its
    probabilities can be believed (temperature) and from where on to refuse; the final model learns from everything.
    """

    defaults: ClassVar[dict[str, Any]] = {
        "epochs": 4,
        "rate": 0.4,
        "seed": 7,
        "folds": 6,
        # Share of in-scope utterances that may be refused on the part left out.
        "wrongly_refused": 0.05,
    }

    classes: list[str]
    model: LinearModel
    refuse_at: float

    def learn(self, training_data: TrainingData) -> None:
        messages = training_data.training_examples
        named = [class_of(m) for m in messages]
        self.classes = sorted(set(named))
        index = {name: i for i, name in enumerate(self.classes)}
        labels = np.array([index[name] for name in named])
        matrix = stack([m.get(ROW) for m in messages], 1 + max(int(m.get(ROW)[0].max(initial=0)) for m in messages))
        left_out = np.random.default_rng(self.config["seed"]).permutation(len(messages)) % self.config["folds"] == 0
        left_out = left_out[[m.get(ORIGIN, i) for i, m in enumerate(messages)]]
        temperature, self.refuse_at = 1.0, 0.5
        if left_out.any() and not left_out.all():
            weights, bias = self._fit(matrix[~left_out], labels[~left_out])
            logits = matrix[left_out] @ weights + bias
            temperature = linear.best_temperature(logits, labels[left_out])
            written = np.array([m.get(CORRUPTED) is None for m in messages])[left_out]
            self.refuse_at = self._threshold(
                linear.softmax(logits[written] / np.float32(temperature)), labels[left_out][written]
            )
        self.model = LinearModel.of(*self._fit(matrix, labels), temperature)

    def _fit(self, matrix: Any, labels: NDArray[np.int64]) -> tuple[Floats, Floats]:
        targets = np.zeros((len(labels), len(self.classes)), np.float32)
        targets[np.arange(len(labels)), labels] = 1
        # Classes differ in size (out of scope is large); the square root keeps big ones from drowning small ones.
        sizes = np.maximum(targets.sum(axis=0), 1)
        return linear.train(
            matrix,
            targets,
            sample_weights=np.sqrt(sizes.mean() / sizes[labels]).astype(np.float32),
            epochs=self.config["epochs"],
            rate=self.config["rate"],
            seed=self.config["seed"],
        )

    def _threshold(self, probabilities: Floats, labels: NDArray[np.int64]) -> float:
        """The probability of being out of scope that `wrongly_refused` of the in-scope examples reach."""
        outside = np.array([name in (FAR, NEAR) for name in self.classes])
        inside = probabilities[~outside[labels]][:, outside].sum(axis=1)
        if not len(inside):
            return 0.5
        return max(LEAST_REFUSAL, float(np.quantile(inside, 1 - self.config["wrongly_refused"])))

    def understand(self, message: Message) -> None:
        probabilities = self.model.softmax(*message.get(ROW))
        message.set(PROBABILITIES, dict(zip(self.classes, probabilities.tolist(), strict=True)))
        message.set(REFUSE_AT, self.refuse_at)

    def dump(self) -> dict[str, Any]:
        return {"classes": self.classes, "model": self.model.as_dict(), "refuse_at": self.refuse_at}

    def restore(self, state: dict[str, Any]) -> None:
        self.classes = state["classes"]
        self.model = LinearModel.from_dict(state["model"])
        self.refuse_at = state["refuse_at"]


class AspectClassifier(TrainedComponent):
    """Says which aspects are asked for: none, one or several.

    A long story is read twice, whole and by its end, and both readings count the same: stories end in their question.
    """

    defaults: ClassVar[dict[str, Any]] = {"epochs": 4, "rate": 0.4, "seed": 7, "threshold": 0.5}

    model: LinearModel

    def learn(self, training_data: TrainingData) -> None:
        rows: list[Row] = []
        labels: list[list[str]] = []
        for message in training_data.training_examples:
            for row in (message.get(ROW), message.get(TAIL_ROW)):
                if row is not None and labelled_aspects(message):
                    rows.append(row)
                    labels.append(labelled_aspects(message))
        targets = np.zeros((len(rows), len(ALL_ASPECTS)), np.float32)
        for i, aspects in enumerate(labels):
            for aspect in aspects:
                targets[i, ALL_ASPECTS.index(aspect)] = 1
        width = 1 + max((int(columns.max(initial=0)) for columns, _ in rows), default=0)
        settings = {key: self.config[key] for key in ("epochs", "rate", "seed")}
        self.model = LinearModel.of(*linear.train(stack(rows, width), targets, multilabel=True, **settings))

    def understand(self, message: Message) -> None:
        readings = [self._read(row) for row in (message.get(ROW), message.get(TAIL_ROW)) if row is not None]
        scores = np.mean(readings, axis=0)
        order = np.argsort(scores)[::-1]
        chosen = [ALL_ASPECTS[i] for i in order if scores[i] >= self.config["threshold"]] or [ALL_ASPECTS[order[0]]]
        # A question for something special is not also a question in general.
        message.set(ASPECTS, [a for a in chosen if a != "tong-quan"] or chosen)

    def _read(self, row: Row) -> Floats:
        columns, values = row
        known = columns < len(self.model.weights)
        return self.model.sigmoid(columns[known], values[known])

    def dump(self) -> dict[str, Any]:
        return {"model": self.model.as_dict()}

    def restore(self, state: dict[str, Any]) -> None:
        self.model = LinearModel.from_dict(state["model"])
