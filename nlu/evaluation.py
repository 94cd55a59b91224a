"""How well an engine understands: figures over labelled examples, as plain values, a dict and Markdown.

Everything here is a pure function of the engine, the examples and a seed (latencies aside). Nothing is tuned here: thresholds and
temperatures come out of training, on training data.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Protocol

from nlu import corrupt
from nlu.beside import beside
from nlu.dataset import Example
from nlu.understanding import FOLLOW_UP, Understanding

CLEAN: Final = "clean"
CORRUPTIONS: Final = ("no_accents", "typos", "teencode", "telex", "mixed")
"""What the examples are put through besides being read as they stand."""
CALIBRATION_BINS: Final = 15
RECALL: Final = 0.95
"""Share of in-scope messages that must pass when false positives are counted."""
_CONFUSIONS: Final = 30


class Understands(Protocol):
    """What is measured: `nlu.engine.Engine`, or anything that answers like it."""

    def understand(self, text: str) -> Understanding: ...


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Shares of `count` messages whose topic came first, or among the first three."""

    count: int
    first: float
    first_three: float


@dataclass(frozen=True, slots=True)
class TopicScores:
    """`support` is the number of messages of this topic."""

    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True, slots=True)
class Scope:
    """Telling out-of-scope messages from the others by confidence alone, and what the gate refused."""

    count: int
    auroc: float
    false_positives: float
    """Share of out-of-scope messages that pass at the threshold where 95 % of the in-scope ones pass."""
    refused: float
    """Share that `in_scope` refused."""


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds a message."""

    p50: float
    p95: float
    p99: float


@dataclass(frozen=True, slots=True)
class Bin:
    """Messages whose confidence lies in one of the equal-width bins."""

    count: int
    confidence: float
    """Mean confidence of these messages."""
    right: float
    """Share of them whose first topic was right."""


@dataclass(frozen=True, slots=True)
class Report:
    """All figures of one evaluation; shares are between 0 and 1."""

    examples: int
    accuracy: dict[str, Accuracy]
    """By corruption, over plain messages that name a topic; `clean` is as written."""
    kinds: dict[str, Accuracy]
    """By kind of telling (plain, indirect, long), as written."""
    aspect: float | None
    """The first aspect found is one of those asked for; None where no message is labelled with aspects."""
    aspect_sets: float | None
    """The aspects found are exactly those asked for; None likewise."""
    follow_ups: float | None
    """Messages without a topic that were seen as follow-ups; None where there are none."""
    refused_in_scope: float
    """In-scope messages that the gate refused."""
    scope: dict[str, Scope]
    """`far` and `near` out-of-scope messages."""
    calibration_error: float
    """Expected calibration error of the confidence in the first topic."""
    latency: Latency
    topics: dict[str, TopicScores]
    reliability: list[Bin] = field(default_factory=list)
    """The confidence in the first topic against how often it was right."""
    confusions: list[tuple[str, str, int]] = field(default_factory=list)
    """(meant, found, how often), most frequent first; found is "-" where no topic was."""

    def as_dict(self) -> dict[str, Any]:
        """JSON-like values under the names of the fields."""
        return asdict(self)

    def as_markdown(self) -> str:
        """Tables for people."""
        lines = ["| messages | count | first | first three |", "| --- | ---: | ---: | ---: |"]
        for name, row in [*self.accuracy.items(), *((f"{k} (telling)", v) for k, v in self.kinds.items())]:
            lines.append(f"| {name} | {row.count} | {row.first:.3f} | {row.first_three:.3f} |")
        lines += ["", "| out of scope | count | AUROC | false positives at 95 % recall | refused |"]
        lines += ["| --- | ---: | ---: | ---: | ---: |"]
        for name, scope in self.scope.items():
            lines.append(
                f"| {name} | {scope.count} | {scope.auroc:.3f} | {scope.false_positives:.3f} | {scope.refused:.3f} |"
            )
        lines += ["", "| figure | value |", "| --- | ---: |"]
        figures = {
            "in-scope messages refused": self.refused_in_scope,
            "aspect, first": self.aspect,
            "aspects, whole set": self.aspect_sets,
            "follow-ups recognised": self.follow_ups,
            "calibration error": self.calibration_error,
        }
        lines += [f"| {name} | {value:.3f} |" for name, value in figures.items() if value is not None]
        lines += [f"| latency {name}, ms | {getattr(self.latency, name):.2f} |" for name in ("p50", "p95", "p99")]
        lines += ["", "| meant | found | times |", "| --- | --- | ---: |"]
        lines += [f"| {meant} | {found} | {count} |" for meant, found, count in self.confusions]
        lines += ["", "| topic | precision | recall | F1 | messages |", "| --- | ---: | ---: | ---: | ---: |"]
        for name, t in sorted(self.topics.items(), key=lambda item: item[1].f1):
            lines.append(f"| {name} | {t.precision:.3f} | {t.recall:.3f} | {t.f1:.3f} | {t.support} |")
        return "\n".join(lines) + "\n"


def evaluate(
    engine: Understands,
    examples: Sequence[Example],
    *,
    corruptions: Sequence[str] = CORRUPTIONS,
    seed: int = 20261201,
    clock: Callable[[], float] = time.perf_counter,
) -> Report:
    """Ask the engine about every example, as written and corrupted.

    Args:
        corruptions: names of `nlu.corrupt.CORRUPTIONS`.
        clock: seconds; only latencies depend on it.
    """
    times: list[float] = []

    def ask(text: str) -> Understanding:
        begin = clock()
        answer = engine.understand(text)
        times.append(clock() - begin)
        return answer

    def corrupted() -> tuple[dict[str, Accuracy], list[float]]:
        found = {}
        for name in corruptions:
            rng = random.Random(seed)
            damaged = [(e, corrupt.CORRUPTIONS[name](e.text, rng)) for e in examples if _is_plain(e)]
            found[name] = _accuracy([(e, ask(text)) for e, text in damaged])
        return found, times

    with beside(corrupted) as others:
        answers = [ask(e.text) for e in examples]
    damaged_accuracy, other_times = others()
    times += other_times if other_times is not times else []
    asked = [(e, u) for e, u in zip(examples, answers, strict=True) if names_topic(e)]
    plain = [(e, u) for e, u in asked if _is_plain(e)]
    inside = [u for e, u in zip(examples, answers, strict=True) if not e.out_of_scope]
    with_aspects = [(e, u) for e, u in zip(examples, answers, strict=True) if e.aspects and not e.out_of_scope]
    follow_ups = [u for e, u in zip(examples, answers, strict=True) if e.intent == FOLLOW_UP]
    outside = {
        name: [u for e, u in zip(examples, answers, strict=True) if e.out_of_scope and e.near is near]
        for name, near in (("far", False), ("near", True))
    }
    pairs = Counter((e.intent, u.topic or "-") for e, u in asked if u.topic != e.intent)
    outcomes = [(u.confidence, u.topic == e.intent) for e, u in asked]
    return Report(
        examples=len(examples),
        accuracy={CLEAN: _accuracy(plain)} | damaged_accuracy,
        kinds={k: _accuracy([(e, u) for e, u in asked if e.kind == k]) for k in sorted({e.kind for e, _ in asked})},
        aspect=_share([u.aspect in e.aspects for e, u in with_aspects]) if with_aspects else None,
        aspect_sets=_share([set(u.aspects) == set(e.aspects) for e, u in with_aspects]) if with_aspects else None,
        follow_ups=_share([u.intent == FOLLOW_UP for u in follow_ups]) if follow_ups else None,
        refused_in_scope=_share([not u.in_scope for u in inside]),
        scope={name: _scope(inside, found) for name, found in outside.items() if found},
        calibration_error=calibration_error(outcomes),
        reliability=reliability(outcomes),
        latency=Latency(*(round(1000 * quantile(times, q), 3) for q in (0.5, 0.95, 0.99))),
        topics=topic_scores([(e.intent, u.topic) for e, u in asked]),
        confusions=[(meant, found, n) for (meant, found), n in pairs.most_common(_CONFUSIONS)],
    )


def names_topic(example: Example) -> bool:
    """Whether the example is about one of the topics (neither out of scope nor a follow-up)."""
    return not example.out_of_scope and example.intent != FOLLOW_UP


def _is_plain(example: Example) -> bool:
    return names_topic(example) and example.kind == "plain"


def first_three(understanding: Understanding) -> list[str]:
    """The topics a bot would offer: the topic, then its alternatives, three in all."""
    best = [understanding.topic] if understanding.topic else []
    return [*best, *(a.topic for a in understanding.alternatives)][:3]


def topic_scores(pairs: Sequence[tuple[str, str | None]]) -> dict[str, TopicScores]:
    """Precision, recall and F1 by topic from (meant, found) pairs; a topic that was never found has precision 0."""
    meant = Counter(m for m, _ in pairs)
    found = Counter(f for _, f in pairs)
    right = Counter(m for m, f in pairs if m == f)
    scores = {}
    for topic, support in sorted(meant.items()):
        precision = right[topic] / found[topic] if found[topic] else 0.0
        recall = right[topic] / support
        f1 = 2 * precision * recall / (precision + recall) if right[topic] else 0.0
        scores[topic] = TopicScores(precision, recall, f1, support)
    return scores


def auroc(inside: Sequence[float], outside: Sequence[float]) -> float:
    """Probability that a random inside score lies above a random outside one, ties counting half."""
    ranked = sorted([(score, 1) for score in inside] + [(score, 0) for score in outside])
    below, won, at = 0, 0.0, 0
    while at < len(ranked):
        end = at
        while end < len(ranked) and ranked[end][0] == ranked[at][0]:
            end += 1
        here = sum(label for _, label in ranked[at:end])
        won += here * (below + (end - at - here) / 2)
        below += end - at - here
        at = end
    return won / (len(inside) * len(outside)) if inside and outside else float("nan")


def calibration_error(outcomes: Sequence[tuple[float, bool]], bins: int = CALIBRATION_BINS) -> float:
    """Mean distance between confidence and share of right answers over equal-width bins, weighted by their size."""
    found = reliability(outcomes, bins)
    return sum(bin_.count * abs(bin_.confidence - bin_.right) for bin_ in found) / max(len(outcomes), 1)


def reliability(outcomes: Sequence[tuple[float, bool]], bins: int = CALIBRATION_BINS) -> list[Bin]:
    """Sort (confidence, right) into equal-width bins; empty bins are left out."""
    groups: dict[int, list[tuple[float, bool]]] = {}
    for confidence, right in outcomes:
        groups.setdefault(min(int(confidence * bins), bins - 1), []).append((confidence, right))
    return [
        Bin(len(group), sum(c for c, _ in group) / len(group), sum(r for _, r in group) / len(group))
        for _, group in sorted(groups.items())
    ]


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` of the values do not exceed; 0 where there are none."""
    ordered = sorted(values)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)] if ordered else 0.0


def _accuracy(pairs: Sequence[tuple[Example, Understanding]]) -> Accuracy:
    return Accuracy(
        len(pairs),
        _share([u.topic == e.intent for e, u in pairs]),
        _share([e.intent in first_three(u) for e, u in pairs]),
    )


def _scope(inside: Sequence[Understanding], outside: Sequence[Understanding]) -> Scope:
    scores = [u.confidence for u in outside]
    threshold = quantile([u.confidence for u in inside], 1 - RECALL)
    return Scope(
        count=len(outside),
        auroc=auroc([u.confidence for u in inside], scores),
        false_positives=_share([score >= threshold for score in scores]),
        refused=_share([not u.in_scope for u in outside]),
    )


def _share(outcomes: Sequence[bool]) -> float:
    return sum(outcomes) / len(outcomes) if outcomes else 0.0
