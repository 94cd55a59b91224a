"""What is understood of one message. Plain values only; how they come about is `nlu.engine`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

ASPECTS: Final = (
    "tong-quan",
    "giay-to",
    "cach-lam",
    "le-phi",
    "thoi-gian",
    "noi-nop",
    "doi-tuong",
    "can-cu",
    "bieu-mau",
    "ket-qua",
)
OUT_OF_SCOPE: Final = "ngoai-pham-vi"
"""The trained class of messages that no topic answers."""
FOLLOW_UP: Final = "hoi-tiep"
"""The trained class of questions that name an aspect but no topic ("thế lệ phí bao nhiêu")."""


@dataclass(frozen=True, slots=True)
class Entity:
    """Something named in the message; `start` and `end` are character offsets into the text as it was received."""

    kind: str
    value: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Alternative:
    """A topic that the message may also mean, with its calibrated probability."""

    topic: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Understanding:
    """`topic` is the best topic's slug, None where the message names none or is out of scope."""

    text: str
    intent: str
    topic: str | None
    aspects: tuple[str, ...]
    entities: tuple[Entity, ...]
    confidence: float
    in_scope: bool
    alternatives: tuple[Alternative, ...]
    near: bool = False
    """True where the message is out of scope but sounds like public services, so that a referral helps more than a refusal."""
    follow_up: float = 0.0
    """Probability that it names an aspect but no topic."""
    outside: float = 0.0
    """Probability that no topic answers it."""
    names_nothing: bool = False
    """True where all its words are said about very many topics, so that by itself it is about none."""

    @property
    def aspect(self) -> str | None:
        """The first aspect asked for; None for what is out of scope."""
        return self.aspects[0] if self.aspects and self.in_scope else None

    def as_dict(self) -> dict[str, Any]:
        """The JSON object of `congdanso understand`."""
        return {
            "text": self.text,
            "intent": self.intent,
            "topic": self.topic,
            "aspect": self.aspect,
            "aspects": list(self.aspects) if self.in_scope else [],
            "entities": [{"kind": e.kind, "value": e.value, "start": e.start, "end": e.end} for e in self.entities],
            "confidence": round(self.confidence, 4),
            "in_scope": self.in_scope,
            "near": self.near,
            "alternatives": [{"topic": a.topic, "confidence": round(a.confidence, 4)} for a in self.alternatives],
        }
