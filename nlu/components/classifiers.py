"""What the message is about: topic (softmax over all topics, out of scope and follow-ups) and aspects (one yes or no each)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray
from rasa.shared.nlu.constants import INTENT
from rasa.shared.nlu.training_data.message import Message

from nlu import linear
from nlu.beside import beside
from nlu.classes import Classes
from nlu.components.base import TrainedComponent, TrainingData
from nlu.components.keys import ASPECTS, CLASSES, CORRUPTED, ORIGIN, PART_ROWS, PROBABILITIES, REFUSE_AT, ROW
from nlu.components.text import labelled_aspects, parts_of, shares_of, syllables_of
from nlu.cues import cues
from nlu.features import Row, generality, stack
from nlu.frames import FrameVectorizer
from nlu.linear import Floats, LinearModel
from nlu.text.syllable import strip_marks
from nlu.understanding import ASPECTS as ALL_ASPECTS

GENERAL: Final = ALL_ASPECTS.index("tong-quan")
LEAST_REFUSAL: Final = 0.1
"""Whatever the training data say, nothing is refused where being out of scope is so much less likely than the best topic."""


class TopicClassifier(TrainedComponent):
    """Gives every trained class a calibrated probability.

    One part in `folds` of the utterances, with their copies, is left out of a first model, which then says how far its
    probabilities can be believed (temperature) and from where on to refuse; the final model learns from everything. An utterance
    of several topics gives each an equal share of its probability, so that the next one like it is asked back about.
    """

    defaults: ClassVar[dict[str, Any]] = {
        "epochs": 3,
        # A handful of examples is gone through more often, until so many steps are made.
        "least_steps": 240,
        "rate": 0.5,
        "seed": 7,
        "folds": 6,
        # Messages of the part left out that are looked at; more tell nothing more.
        "calibrated_on": 6000,
        # How much more an utterance of several topics counts (there are few, against many that are sure), and how much less
        # a fragment that nobody wrote.
        "doubtful": 4.0,
        "fragment": 0.4,
        # Share of in-scope utterances that may be refused on the part left out.
        "wrongly_refused": 0.05,
    }

    classes: Classes
    model: LinearModel
    refuse_at: float

    def learn(self, training_data: TrainingData) -> None:
        # Tellings with questions behind them are for the aspects; topics got surer by them than a few words may be.
        messages = [m for m in training_data.training_examples if m.get(CORRUPTED) != "told"]
        named = [shares_of(m) for m in messages]
        self.classes = Classes.of(sorted({name for names in named for name in names}))
        index = {name: i for i, name in enumerate(self.classes.names)}
        targets = stack(
            [
                (np.array([index[n] for n in names], np.intp), np.array(list(names.values()), np.float32))
                for names in named
            ],
            len(self.classes.names),
        )
        matrix = stack([m.get(ROW) for m in messages], _width(training_data.training_examples))
        left_out = np.random.default_rng(self.config["seed"]).permutation(len(messages)) % self.config["folds"] == 0
        left_out = left_out[[m.get(ORIGIN, i) for i, m in enumerate(messages)]]
        made = np.array([m.get(CORRUPTED) or "" for m in messages])
        importance = self._importance(targets, made)
        with beside(lambda: self._believed(matrix, targets, importance, left_out, made)) as believed:
            weights, bias = self._fit(matrix, targets, importance)
        temperature, self.refuse_at = believed()
        self.model = LinearModel.of(weights, bias, temperature)

    def _believed(
        self,
        matrix: Any,
        targets: Any,
        importance: Floats,
        left_out: NDArray[np.bool_],
        made: NDArray[np.str_],
    ) -> tuple[float, float]:
        """The temperature, and the probability of being out of scope from which to refuse, by a model that lacks a part."""
        if not left_out.any() or left_out.all():
            return 1.0, 0.5
        weights, bias = self._fit(matrix[~left_out], targets[~left_out], importance[~left_out])
        # What belongs to several topics has no right answer to be sure of.
        single = np.diff(targets.indptr) == 1
        asked = np.flatnonzero(left_out & single)
        asked = np.random.default_rng(self.config["seed"]).permutation(asked)[: self.config["calibrated_on"]]
        logits, labels, kept = matrix[asked] @ weights + bias, targets[asked].indices, made[asked] == ""
        temperature = linear.best_temperature(logits, labels)
        probabilities = linear.softmax(logits[kept] / np.float32(temperature))
        return temperature, self._threshold(probabilities, labels[kept])

    def _importance(self, targets: Any, made: NDArray[np.str_]) -> Floats:
        """How much each message counts, shape (messages,); `made` says how each was made up, and is empty of what a person wrote."""
        # Classes differ in size (out of scope is large); the square root keeps big ones from drowning small ones.
        sizes = np.maximum(np.asarray(targets.sum(axis=0)).ravel(), 1)
        likeliest = np.asarray(targets.argmax(axis=1)).ravel()
        importance: Floats = np.sqrt(sizes.mean() / sizes[likeliest]).astype(np.float32)
        importance[(np.diff(targets.indptr) > 1) & (made != "fragment")] *= self.config["doubtful"]
        importance[made == "fragment"] *= self.config["fragment"]
        return importance

    def _fit(self, matrix: Any, targets: Any, importance: Floats) -> tuple[Floats, Floats]:
        settings = {key: self.config[key] for key in ("epochs", "least_steps", "rate", "seed")}
        return linear.train(matrix, targets, sample_weights=importance, **settings)

    def _threshold(self, probabilities: Floats, labels: NDArray[np.int64]) -> float:
        """The odds of being out of scope against the best topic that `wrongly_refused` of the in-scope examples reach, as a share."""
        outside = np.zeros(len(self.classes.names), np.bool_)
        outside[[*self.classes.outside]] = True
        inside = probabilities[~outside[labels]]
        if not len(inside) or not outside.any():
            return 0.5
        strange, best = inside[:, outside].sum(axis=1), inside[:, ~outside].max(axis=1)
        return max(LEAST_REFUSAL, float(np.quantile(strange / (strange + best), 1 - self.config["wrongly_refused"])))

    def understand(self, message: Message) -> None:
        message.set(PROBABILITIES, self.model.softmax(*message.get(ROW)))
        message.set(CLASSES, self.classes)
        message.set(REFUSE_AT, self.refuse_at)

    def dump(self) -> dict[str, Any]:
        return {"classes": list(self.classes.names), "model": self.model.as_dict(), "refuse_at": self.refuse_at}

    def restore(self, state: dict[str, Any]) -> None:
        self.classes = Classes.of(state["classes"])
        self.model = LinearModel.from_dict(state["model"])
        self.refuse_at = state["refuse_at"]


class AspectClassifier(TrainedComponent):
    """Says which aspects are asked for: none, one or several, in the order in which they are asked.

    What names the topic says little about the aspect: each n-gram counts by how many topics it occurs in, and the question's frame
    is looked at without the topic's words. A long story is also read in parts, and what any of them asks for counts more than what
    the whole does, where each of several questions is a small share. Measured (150 stories by another writer, the whole set of aspects
    right): .67 with the whole and its end, .81 with all parts.
    """

    defaults: ClassVar[dict[str, Any]] = {
        "epochs": 4,
        "rate": 0.4,
        "seed": 7,
        # A question asks for something special from this probability on, and for one thing more from the second on.
        "threshold": 0.55,
        "one_more": 0.5,
        # An aspect that the words name outright ("ở đâu") is one thing more from this probability on: in a row of questions each is
        # a small share of the message. Measured (600 rows of two or three made up by code): .80 of the sets right without, .91 with.
        "named": 0.3,
        "frame_weight": 0.8,
        # How much the parts of a long message count beside its whole, in log-odds: a part that is sure outweighs a whole that is not.
        "parts": 0.6,
        # Corrupted copies that teach nothing about aspects: "mixed" leaves marks out as well.
        "left_out": ["no_accents"],
    }

    words: LinearModel
    asked: LinearModel
    frames: FrameVectorizer
    labelled: bool

    def learn(self, training_data: TrainingData) -> None:
        """Learn; from data of another field, which label no aspects, nothing is learnt and no aspect found."""
        copies = self.config["left_out"]
        messages = training_data.training_examples
        labelled = [m for m in messages if labelled_aspects(m) and m.get(CORRUPTED) not in copies]
        readings = [(m, row, part) for m in labelled for row, part in _taught(m)]
        topics = [m.get(INTENT) for m, _, _ in readings]
        self.frames = FrameVectorizer().fit([part for _, _, part in readings], topics)
        self.labelled = bool(readings)
        if not readings:
            self.words = self.asked = LinearModel.of(
                np.zeros((0, len(ALL_ASPECTS)), np.float32), np.zeros(len(ALL_ASPECTS), np.float32)
            )
            return
        width = _width(messages)
        numbers = [[ALL_ASPECTS.index(aspect) for aspect in labelled_aspects(message)] for message, _, _ in readings]
        targets = stack([(np.array(n, np.intp), np.ones(len(n), np.float32)) for n in numbers], len(ALL_ASPECTS))
        general = generality(stack([row for _, row, _ in readings], width), topics)
        rows = []
        for _, (columns, values), part in readings:
            frame, weights = self.frames.row(part)
            weighted = [values * general[columns], weights * np.float32(self.config["frame_weight"])]
            rows.append((np.concatenate([columns, width + frame]), np.concatenate(weighted)))
        settings = {key: self.config[key] for key in ("epochs", "rate", "seed")}
        weights, bias = linear.train(stack(rows, width + len(self.frames)), targets, multilabel=True, **settings)
        # Scaled once here, the features need not be scaled in each message.
        self.words = LinearModel.of(weights[:width] * general[:, None], bias)
        self.asked = LinearModel.of(weights[width:] * np.float32(self.config["frame_weight"]), np.zeros_like(bias))

    def understand(self, message: Message) -> None:
        if not self.labelled:
            message.set(ASPECTS, [])
            return
        readings = _readings(message)
        odds = [self.words.logits(*row) + self.asked.logits(*self.frames.row(part)) for row, part in readings]
        scores = linear.sigmoid(self._together(odds)).tolist()
        chosen = self._with_named(self._choose(scores), scores, readings[0][1])
        if len(chosen) > 1:
            chosen = self._in_order(chosen, readings[0][1])
        message.set(ASPECTS, [ALL_ASPECTS[i] for i in chosen], add_to_output=True)

    def _together(self, odds: list[Floats]) -> Floats:
        """One logit an aspect, from those of the whole message and then of its parts, if it has any.

        Something special is asked for if any part asks for it, nothing special if no part does.
        """
        whole, *parts = odds
        if not parts:
            return whole
        told = np.max(parts, axis=0)
        told[GENERAL] = min(part[GENERAL] for part in parts)
        share = np.float32(self.config["parts"])
        together: Floats = (1 - share) * whole + share * told
        return together

    def _choose(self, scores: list[float]) -> list[int]:
        """Numbers of the aspects asked for; a question for something special is not also a question in general."""
        special = sorted((i for i in range(len(scores)) if i != GENERAL), key=lambda i: -scores[i])
        best = scores[special[0]]
        if best < self.config["threshold"] and scores[GENERAL] >= best:
            return [GENERAL]
        return [special[0], *(i for i in special[1:] if scores[i] >= self.config["one_more"])]

    def _with_named(self, chosen: list[int], scores: list[float], syllables: Sequence[str]) -> list[int]:
        """Add to something special what the words name outright and the scores nearly say."""
        near = [i for i, n in enumerate(scores) if n >= self.config["named"] and i != GENERAL and i not in chosen]
        if chosen == [GENERAL] or not near:
            return chosen
        named = {aspect for aspect, _ in cues([strip_marks(s) for s in syllables])}
        return [*chosen, *(i for i in near if ALL_ASPECTS[i] in named)]

    def _in_order(self, chosen: list[int], syllables: Sequence[str]) -> list[int]:
        """Order aspects by the place of what speaks for them most in the question's frame."""
        columns, values = self.frames.row(syllables)
        places = self.frames.places(syllables)
        speaks = (values * self.asked.scales[columns])[:, None] * self.asked.weights[columns][:, chosen]
        where = {}
        for i, aspect in enumerate(chosen):
            most = speaks[:, i].max()
            # Of what speaks alike the first place counts.
            standing = [places[column] for column in columns[speaks[:, i] == most].tolist()]
            where[aspect] = min(standing) if most > 0 else len(syllables)
        return sorted(chosen, key=lambda aspect: where[aspect])

    def dump(self) -> dict[str, Any]:
        models = {"words": self.words.as_dict(), "asked": self.asked.as_dict()}
        return {**models, "frames": self.frames.as_dict(), "labelled": self.labelled}

    def restore(self, state: dict[str, Any]) -> None:
        self.words = LinearModel.from_dict(state["words"])
        self.asked = LinearModel.from_dict(state["asked"])
        self.frames = FrameVectorizer.from_dict(state["frames"])
        self.labelled = state["labelled"]


def _width(messages: Sequence[Message]) -> int:
    """How many features a message can have, also those that only messages have of which nothing is learnt."""
    return 1 + max(int(m.get(ROW)[0].max(initial=0)) for m in messages)


def _readings(message: Message) -> list[tuple[Row, Sequence[str]]]:
    """The rows of a message with the syllables each was made of: the whole, then the parts of a long one."""
    syllables = syllables_of(message)
    return [(message.get(ROW), syllables), *zip(message.get(PART_ROWS), parts_of(syllables), strict=True)]


def _taught(message: Message) -> list[tuple[Row, Sequence[str]]]:
    """The readings whose labels are known: the whole; every part of what asks for nothing special; of what a person wrote the end,
    since stories ask there.
    """
    whole, *parts = _readings(message)
    if labelled_aspects(message) == [ALL_ASPECTS[GENERAL]]:
        return [whole, *parts]
    return [whole] if message.get(CORRUPTED) in ("joined", "told") else [whole, *parts[-1:]]
