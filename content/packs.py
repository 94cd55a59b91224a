"""Outreach packs: sets of materials made once, used by every agency and commune. Read from `data/packs/*.yml`.

A pack holds short texts, ready for the village loudspeaker or a group chat, and a leaflet to print. Everything a pack states
stands on sources of the pack, each with the day it was read; what stops being true on a day says so (`valid_to`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Final, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from content.library import DATA, ContentError
from content.model import Line, Slug, Source

PACKS: Final = DATA / "packs"
LONGEST_TEXT: Final = 900
"""Characters of a text item: read aloud in a minute, and one message on every messenger."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Leaflet(_Model):
    """What a leaflet says, from top to bottom; it has to fit one page."""

    headline: Annotated[str, Field(min_length=3, max_length=60)]
    lead: Line
    points: Annotated[tuple[Line, ...], Field(min_length=3, max_length=8)]
    steps_title: Annotated[str, Field(max_length=80)] = ""
    steps: Annotated[tuple[Line, ...], Field(max_length=6)] = ()
    warning: Annotated[str, Field(max_length=260)] = ""


class Item(_Model):
    """One material of a pack: a text to pass on, or the leaflet."""

    slug: Slug
    title: Annotated[str, Field(min_length=3, max_length=60)]
    kind: Literal["text", "leaflet"]
    text: Annotated[str, Field(max_length=LONGEST_TEXT)] = ""
    leaflet: Leaflet | None = None

    @model_validator(mode="after")
    def _is_what_it_says(self) -> Self:
        if (self.kind == "leaflet") != (self.leaflet is not None) or (self.kind == "text") != bool(self.text.strip()):
            raise ValueError("an item of kind text has `text`, one of kind leaflet has `leaflet`, none has both")
        return self


class Pack(_Model):
    """A set of materials on one subject."""

    slug: Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=30)]
    """Short: with an item's slug it has to fit a button's 64 bytes."""
    title: Annotated[str, Field(min_length=3, max_length=60)]
    summary: Line
    audience: Line
    topics: tuple[Slug, ...] = Field(description="topics under whose answers the pack is offered")
    sources: dict[str, Source] = Field(min_length=1)
    reviewed_on: date
    valid_to: date | None = Field(default=None, description="last day on which all of it is true")
    items: Annotated[tuple[Item, ...], Field(min_length=2, max_length=9)]

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        slugs = [item.slug for item in self.items]
        if len(set(slugs)) != len(slugs):
            raise ValueError("two items have one slug")
        if sum(item.kind == "leaflet" for item in self.items) != 1:
            raise ValueError("a pack has exactly one leaflet")
        if any(len(f"k:{self.slug}:{slug}") > 64 for slug in slugs):
            raise ValueError("slugs of pack and item are too long together for a button")
        return self

    @property
    def leaflet(self) -> Item:
        """The item that is printed."""
        return next(item for item in self.items if item.kind == "leaflet")

    def holds(self, today: date) -> bool:
        """Whether the pack may be given on a day."""
        return self.valid_to is None or today <= self.valid_to


class Packs(Mapping[str, Pack]):
    """All packs by slug, in the order of their files."""

    def __init__(self, packs: Mapping[str, Pack]) -> None:
        self._packs = dict(packs)

    def __getitem__(self, slug: str) -> Pack:
        return self._packs[slug]

    def __iter__(self) -> Iterator[str]:
        return iter(self._packs)

    def __len__(self) -> int:
        return len(self._packs)

    def for_topic(self, topic: str) -> tuple[Pack, ...]:
        """Return the packs that fit a topic, the most special first (the one for the fewest topics)."""
        fitting = [pack for pack in self._packs.values() if topic in pack.topics]
        return tuple(sorted(fitting, key=lambda pack: len(pack.topics)))


def read_pack(path: Path) -> Pack:
    """Read one file.

    Raises:
        ContentError: it is no YAML, or breaks the schema.
    """
    try:
        return Pack.model_validate(yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader))
    except yaml.YAMLError as error:
        raise ContentError(f"{path}: không đọc được YAML: {error}") from error
    except ValidationError as error:
        details = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'tệp'}: {e['msg']}" for e in error.errors())
        raise ContentError(f"{path}: {details}") from error


def load(folder: Path = PACKS, *, topics: Collection[str] | None = None) -> Packs:
    """Read every pack of a folder.

    Args:
        topics: slugs that exist; None: not checked.

    Raises:
        ContentError: a file is broken, is named otherwise than its pack, or names a topic that does not exist.
    """
    found: dict[str, Pack] = {}
    for path in sorted(folder.glob("*.yml")):
        pack = read_pack(path)
        if pack.slug != path.stem:
            raise ContentError(f"{path}: slug {pack.slug!r} khác tên tệp")
        if topics is not None and (dead := [slug for slug in pack.topics if slug not in topics]):
            raise ContentError(f"{path}: không có chủ đề {', '.join(dead)}")
        found[pack.slug] = pack
    return Packs(found)
