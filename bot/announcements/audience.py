"""Whom an announcement is for: a question that is asked anew at each sending, never a list of people.

It may ask for what a citizen gave for that purpose, for what every conversation keeps anyway (commune, channel, when they last
wrote), and, of those who agreed to being remembered, for topics, lessons and the language of their screen. Of others the last
two are not even kept.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import yaml

from bot.announcements.content import Refused
from bot.announcements.texts import told
from bot.conversation.messages import lessons
from content.places import Places, unit_title, within

LONGEST_SPAN: Final = 365
MOST: Final = 200
"""Entries of one list: all communes of the largest province, and some."""
_GROUPS: Final = Path(__file__).with_name("groups.yml")
_LISTS: Final = (
    "units", "without_units", "topics", "groups", "channels", "without_channels", "languages", "took", "not_took", "without_saved",
)  # fmt: skip
_SPANS: Final = ("topics_within_days", "seen_within_days", "not_seen_for_days", "not_contacted_days")
OWN: Final = "vi"
"""The language of everybody of whom none is known."""
_LANGUAGE: Final = re.compile("[a-z]{2,3}")


@dataclass(frozen=True, slots=True)
class Group:
    """A group of citizens, known by what they asked about."""

    slug: str
    title: str
    topics: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Audience:
    """A question. Each field narrows it; what is empty or None asks for nothing."""

    units: tuple[str, ...]
    """Communes, or the province for all of them."""
    without_units: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()
    """Asked about at least one of these …"""
    topics_within_days: int = 30
    """… by somebody who wrote in so many days."""
    groups: tuple[str, ...] = ()
    """Belongs to at least one of these groups (their topics are added to `topics`)."""
    channels: tuple[str, ...] = ()
    without_channels: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    """Their messenger speaks one of these with them ("vi", "en"); where none is known, it is Vietnamese."""
    took: tuple[str, ...] = ()
    """Read at least one of these lessons, and agreed to being remembered."""
    not_took: tuple[str, ...] = ()
    """Is not known to have read any of these lessons."""
    seen_within_days: int | None = None
    not_seen_for_days: int | None = None
    not_contacted_days: int | None = None
    """Got no announcement, of whatever unit, in so many days."""
    without_saved: tuple[str, ...] = ()
    """Not in any of these saved audiences of the unit."""
    saved: str = ""
    """The saved audience of the unit that it narrows. Only as written: what is kept is the whole question (`narrowed`)."""

    def as_json(self) -> dict[str, Any]:
        """Return the question for storage, only what it asks; `audience_of` reads it."""
        found: dict[str, Any] = {"saved": self.saved} if self.saved else {}
        for name in _LISTS:
            if values := getattr(self, name):
                found[name] = list(values)
        for name in _SPANS:
            value = getattr(self, name)
            if value is not None and not (name == "topics_within_days" and not self.asks_interest):
                found[name] = value
        return found

    @property
    def asks_interest(self) -> bool:
        """Whether it asks what somebody was interested in, which needs their consent."""
        return bool(self.topics or self.groups)

    @property
    def asks_memory(self) -> bool:
        """Whether it asks anything that is kept only of who agreed to being remembered."""
        return bool(self.asks_interest or self.took or self.not_took or self.languages or self.without_saved)

    @property
    def interests(self) -> frozenset[str]:
        """All topics that it asks for, those of the groups included."""
        return frozenset(self.topics).union(*(groups()[g].topics for g in self.groups if g in groups()))

    def wards(self, places: Places) -> tuple[str, ...]:
        """Return the national codes of its communes, in order."""
        slugs = {slug for unit in self.units for slug in within(places, unit)}
        slugs -= {slug for unit in self.without_units for slug in within(places, unit)}
        return tuple(sorted(ward.code for ward in places.wards() if ward.slug in slugs))


@lru_cache(maxsize=1)
def groups() -> dict[str, Group]:
    """Return the groups by slug (`groups.yml`)."""
    read = yaml.safe_load(_GROUPS.read_text(encoding="utf-8"))
    return {slug: Group(slug, entry["title"], tuple(entry["topics"])) for slug, entry in read.items()}


def audience_of(given: Mapping[str, Any]) -> Audience:
    """Read a question from storage, a form or the API.

    Raises:
        Refused: it asks for something that is not kept, or does not have the shape of a question.
    """
    known = {*_LISTS, *_SPANS, "saved"}
    problems = [told("audience_problems", "unknown", what=str(key)[:40]) for key in given if key not in known]
    values: dict[str, Any] = {}
    for name in _LISTS:
        listed = given.get(name) or []
        if not isinstance(listed, list | tuple) or len(listed) > MOST or not all(isinstance(v, str) for v in listed):
            problems.append(told("audience_problems", "list", what=name))
        elif listed:
            values[name] = tuple(dict.fromkeys(v.strip() for v in listed))
    for name in _SPANS:
        span = given.get(name)
        if span is None:
            continue
        if type(span) is not int or not 1 <= span <= LONGEST_SPAN:
            problems.append(told("audience_problems", "days", what=name, limit=LONGEST_SPAN))
        else:
            values[name] = span
    saved = given.get("saved", "")
    values["saved"] = saved.strip() if isinstance(saved, str) else ""
    if "saved" in given and not values["saved"]:
        problems.append(told("audience_problems", "one_saved"))
    if not values.get("units"):
        problems.append(told("audience_problems", "no_units"))
    if problems:
        raise Refused(problems)
    return Audience(**values)


def narrowed(saved: Audience, asked: Audience, speaker: str) -> Audience:
    """Return the question of a saved audience with what is asked besides.

    Args:
        speaker: the unit that announces; asking for just that says nothing besides.

    Raises:
        Refused: something is asked twice, in different ways.
    """
    values: dict[str, Any] = {}
    problems = []
    for name in (*_LISTS, *_SPANS):
        more, has, usual = getattr(asked, name), getattr(saved, name), getattr(Audience(()), name)
        if more in (usual, has) or (name == "units" and more == (speaker,)):
            continue
        if name.startswith("without_"):
            values[name] = tuple(dict.fromkeys((*has, *more)))
        elif has != usual or (name in ("topics", "groups") and saved.asks_interest):
            # Topics and groups are one condition: another of them would make it wider.
            problems.append(told("audience_problems", "asked_twice", what=name))
        else:
            values[name] = more
    if problems:
        raise Refused(problems)
    return replace(saved, **values)


def problems_of(
    audience: Audience, speaker: str, *, places: Places, topics: Collection[str], channels: Collection[str]
) -> list[str]:
    """Say what speaks against a question.

    Args:
        speaker: the unit that announces; it reaches itself and what is below it, nothing else.
        topics: slugs that exist.
        channels: those that this installation has.
    """
    below = set(within(places, speaker))
    problems = []
    for unit in (*audience.units, *audience.without_units):
        if not within(places, unit):
            problems.append(told("audience_problems", "unit", unit=unit[:64]))
        elif unit not in below:
            problems.append(told("audience_problems", "elsewhere", unit=unit[:64]))
    if not problems and not audience.wards(places):
        problems.append(told("audience_problems", "nowhere"))
    problems += [told("audience_problems", "topic", topic=t[:64]) for t in audience.topics if t not in topics]
    problems += [
        told("audience_problems", "group", name=g[:40], known=", ".join(groups()))
        for g in audience.groups
        if g not in groups()
    ]
    problems += [
        told("audience_problems", "channel", channel=c[:32], known=", ".join(sorted(channels)))
        for c in (*audience.channels, *audience.without_channels)
        if c not in channels
    ]
    problems += [
        told("audience_problems", "lesson", lesson=slug[:64], known=", ".join(lessons()))
        for slug in (*audience.took, *audience.not_took)
        if slug not in lessons()
    ]
    problems += [
        told("audience_problems", "language", language=code[:16])
        for code in audience.languages
        if not _LANGUAGE.fullmatch(code)
    ]
    return problems


def of_unit(unit: str) -> Audience:
    """Return the question for everybody of a unit."""
    return Audience((unit,))


def audience_in_words(audience: Audience, places: Places) -> str:
    """Return a question as one says it, with everything that it asks."""
    parts = [units_in_words(audience.units, places)]
    if audience.without_units:
        parts.append(told("audience_words", "without_units", units=units_in_words(audience.without_units, places)))
    if audience.asks_interest:
        names = [*audience.topics, *(g.title for slug in audience.groups if (g := groups().get(slug)) is not None)]
        parts.append(told("audience_words", "interests", names=", ".join(names), days=audience.topics_within_days))
    for key, channels in (("channels", audience.channels), ("without_channels", audience.without_channels)):
        if channels:
            parts.append(told("audience_words", key, channels=", ".join(channel_in_words(c) for c in channels)))
    if audience.languages:
        names = [language_in_words(code) for code in audience.languages]
        parts.append(told("audience_words", "languages", names=", ".join(names)))
    for key, slugs in (("took", audience.took), ("not_took", audience.not_took)):
        if slugs:
            parts.append(told("audience_words", key, names=", ".join(slugs)))
    parts += [
        told("audience_words", key, days=days)
        for key in ("seen_within_days", "not_seen_for_days", "not_contacted_days")
        if (days := getattr(audience, key)) is not None
    ]
    if audience.without_saved:
        parts.append(told("audience_words", "without_saved", names=", ".join(audience.without_saved)))
    return "; ".join(parts)


def units_in_words(units: Sequence[str], places: Places) -> str:
    """Return the names of units."""
    return ", ".join(unit_title(places, unit) for unit in units)


def language_in_words(code: str) -> str:
    """Return a language's name."""
    return _named("languages", code)


def channel_in_words(channel: str) -> str:
    """Return a channel's name."""
    return _named("channels", channel)


def _named(kind: str, slug: str) -> str:
    """Return a name; what has none here is told as it is written."""
    try:
        return told(kind, slug)
    except KeyError:
        return slug
