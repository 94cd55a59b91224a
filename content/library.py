"""Reads the base texts of a folder into topics, and answers for them by slug."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

import yaml
from pydantic import ValidationError

from content.model import Aspect, Fact, Section, Source, Topic

DATA: Final = Path(__file__).parent / "data"


class ContentError(Exception):
    """A file of the library cannot be used; the message names the file and what is wrong."""


@dataclass(frozen=True, slots=True)
class KnownFact:
    """A fact with everything it inherits filled in, true on the day it was asked for."""

    text: str
    when: str | None
    source: Source
    confidence: str
    valid_to: date | None


@dataclass(frozen=True, slots=True)
class Known:
    """What may be said of one aspect on one day. `answer` is None where nobody published it (or it has expired)."""

    answer: KnownFact | None
    facts: tuple[KnownFact, ...]
    expired: bool


class Library(Mapping[str, Topic]):
    """All topics by slug."""

    def __init__(self, topics: Mapping[str, Topic]) -> None:
        self._topics = dict(topics)

    def __getitem__(self, slug: str) -> Topic:
        return self._topics[slug]

    def __iter__(self) -> Iterator[str]:
        return iter(self._topics)

    def __len__(self) -> int:
        return len(self._topics)

    def known(self, slug: str, aspect: Aspect, today: date) -> Known:
        """Return what may be said of an aspect on a day; expired facts are left out.

        Raises:
            KeyError: there is no such topic.
        """
        topic = self._topics[slug]
        section = topic.aspects.get(aspect)
        if section is None:
            return Known(None, (), expired=False)
        heads = [_known(topic, section, fact) for fact in section.facts if fact.leads]
        if section.answer is not None:
            heads.append(_known(topic, section, Fact(text=section.answer)))
        facts = [_known(topic, section, fact) for fact in section.facts if not fact.leads]
        expired = any(not _holds(f, today) for f in heads + facts)
        answer = next((head for head in heads if _holds(head, today)), None)
        return Known(answer, tuple(f for f in facts if _holds(f, today)), expired)


def _known(topic: Topic, section: Section, fact: Fact) -> KnownFact:
    source = fact.source or section.source
    assert source is not None, "the schema demands a source wherever something is stated"
    return KnownFact(
        text=fact.text,
        when=fact.when,
        source=topic.sources[source],
        confidence=fact.confidence or section.confidence,
        valid_to=fact.valid_to or section.valid_to,
    )


def _holds(fact: KnownFact, today: date) -> bool:
    return fact.valid_to is None or today <= fact.valid_to


def read_topic(path: Path) -> Topic:
    """Read one file.

    Raises:
        ContentError: it is no YAML, or breaks the schema.
    """
    try:
        return Topic.model_validate(yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader))
    except yaml.YAMLError as error:
        raise ContentError(f"{path}: không đọc được YAML: {error}") from error
    except ValidationError as error:
        details = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'tệp'}: {e['msg']}" for e in error.errors())
        raise ContentError(f"{path}: {details}") from error


def load(folder: Path = DATA) -> Library:
    """Read every topic below `services/` and `faqs/`.

    Raises:
        ContentError: a file is broken, or two files claim one slug.
    """
    topics: dict[str, Topic] = {}
    for path in sorted([*folder.glob("services/*.yml"), *folder.glob("faqs/*.yml")]):
        topic = read_topic(path)
        if topic.slug != path.stem:
            raise ContentError(f"{path}: slug {topic.slug!r} khác tên tệp")
        if topic.slug in topics:
            raise ContentError(f"{path}: slug {topic.slug!r} đã có ở tệp khác")
        topics[topic.slug] = topic
    return Library(topics)
