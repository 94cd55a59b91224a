"""Whereto a text goes on from the topic before: back to one that it names, over to a neighbour, or nowhere.

The language model reads single texts; here it is asked again with the topic's name added.
"""

from __future__ import annotations

from typing import Final, Protocol

from bot.conversation import choices, context
from content.library import Library
from nlu.understanding import Understanding

SWITCH_WORDS: Final = ("con", "the", "vay", "neu")
SWITCH_FILLERS: Final = frozenset({"con", "the", "vay", "neu", "thi", "sao", "a", "nhi", "ha", "nao"})
CIRCUMSTANCES: Final = frozenset({"tong-quan", "doi-tuong", "cach-lam"})
"""What is asked for by "… thì sao"; whoever asks so may be turning to a neighbour of the topic."""
TURNED: Final = 0.5
"""Probability from which on that is believed. Measured on three sets of conversations: four were, all rightly."""
SWITCH_FLOOR: Final = 0.2
"""A neighbour less probable than this is not what was meant."""


class Understand(Protocol):
    """Asks the language model what a text means."""

    def __call__(self, text: str, /) -> Understanding: ...


class GoingOn:
    """Asks the library and the language model. Holds nothing of any conversation."""

    def __init__(self, library: Library, understand: Understand | None) -> None:
        self.library = library
        self._understand = understand

    def named_among(self, folded: str, slugs: tuple[str, ...]) -> str | None:
        """The recent topic whose name or everyday name stands in the text, the longest name first, then the latest topic."""
        names = [
            (choices.fold(name), -age, slug)
            for age, slug in enumerate(slugs)
            if slug in self.library
            for name in (
                self.library[slug].label,
                self.library[slug].title,
                *self.library[slug].names,
                slug.replace("-", " "),
            )
        ]
        inside = [(len(name), later, slug) for name, later, slug in names if name and f" {name} " in f" {folded} "]
        return max(inside)[2] if inside else None

    def turned_to(self, u: Understanding, topic: str) -> str | None:
        """The neighbour that goes on from a topic under these circumstances: "hết hạn thì sao" behind temporary residence.

        Whoever asks for a fee or a place asks no such thing.
        """
        if not set(u.aspects) <= CIRCUMSTANCES and not what_if(u.text):
            return None
        slug = self._meant_beside(u, topic)
        return slug if slug in context.family(self.library, topic) and slug in self.library else None

    def is_case_of(self, u: Understanding, topic: str) -> bool:
        """Say whether a child's case that is told is one of the topic: "con 4 tuổi thì sao" behind passports."""
        child = choices.begins_with_child(u.text) and what_if(u.text)
        return child and self._meant_beside(u, topic) == topic

    def _meant_beside(self, u: Understanding, topic: str) -> str | None:
        """What a short text means with the topic's name added: with the name that makes it surest."""
        if self._understand is None or len(u.text.split()) > context.SHORT:
            return None
        known = self.library[topic]
        readings = [self._understand(f"{u.text} {name}") for name in (known.label, *known.names[:1])]
        surest = max(readings, key=lambda reading: reading.confidence)
        return surest.topic if surest.in_scope and surest.confidence >= TURNED else None

    def sibling(self, u: Understanding, topic: str) -> str | None:
        """The neighbour that a switch most likely means: asked again with the current topic's name added."""
        known = self.library[topic]
        family = context.family(self.library, topic)
        readings = [u]
        if self._understand is not None:
            core = " ".join(w for w in u.text.split() if choices.fold(w) not in SWITCH_FILLERS)
            alone = self._understand(core)
            if alone.in_scope and alone.topic in self.library and alone.confidence >= context.SURE:
                return alone.topic if alone.topic != topic else None
            readings += [alone, *(self._understand(f"{core} {name}") for name in (known.label, *known.names[:1]))]
        scores: dict[str, float] = {}
        for reading in readings:
            for slug, p in (
                (reading.topic, reading.confidence),
                *((a.topic, a.confidence) for a in reading.alternatives),
            ):
                if slug is not None and slug in self.library and slug != topic:
                    scores[slug] = scores.get(slug, 0.0) + p * (1.0 if slug in family else 0.25)
        best = max(scores, key=lambda slug: scores[slug], default=None)
        certain = u.in_scope and u.topic in self.library and u.confidence >= context.SURE
        if certain and u.topic != topic:
            return u.topic
        return best if best is not None and scores[best] >= SWITCH_FLOOR else None


def what_if(text: str) -> bool:
    """Say whether a text only tells circumstances and asks what then: "hết hạn thì sao"."""
    return choices.fold(text).split()[-2:] == ["thi", "sao"]


def switches(text: str) -> bool:
    """Say whether a short text goes over to a neighbour of the topic: "còn …", "thế … thì sao"."""
    words = choices.fold(text).split()
    goes_on = "con" in words[:2] and not choices.begins_with_child(text)
    return 0 < len(words) <= 9 and words[0] in SWITCH_WORDS and (goes_on or "sao" in words[-2:])
