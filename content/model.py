"""The shape of a topic: what the bot knows about one service or one question, and where each fact comes from.

Only the shapes live here, with the checks that one file can answer for by itself. Reading folders is `content.library`,
checks across files and dates are `content.check`.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

Aspect = Literal[
    "tong-quan", "giay-to", "cach-lam", "le-phi", "thoi-gian", "noi-nop", "doi-tuong", "can-cu", "bieu-mau", "ket-qua"
]
ASPECTS: tuple[Aspect, ...] = (
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
Confidence = Literal["cao", "vua", "thap"]
Channel = Literal["truc-tuyen", "truc-tiep", "buu-chinh"]

Slug = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=64)]
Line = Annotated[str, Field(min_length=2, max_length=260)]
NationalCode = Annotated[str, Field(pattern=r"^\d\.\d{6}$")]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Source(_Model):
    """Where facts were read, and when: `seen_on` is the day of the copy that was read, not today."""

    title: Line
    url: str | None = None
    seen_on: date


class Fact(_Model):
    """One line a citizen can act on. What it leaves out (source, confidence, dates) it inherits from its section."""

    text: Line
    when: str | None = Field(default=None, max_length=200, description="the case in which it holds; None = always")
    channel: Channel | None = None
    amount: int | None = Field(default=None, ge=0, description="in đồng, where the line states one amount")
    source: str | None = None
    confidence: Confidence | None = None
    valid_to: date | None = Field(default=None, description="last day on which the line is true")
    leads: bool = Field(default=False, description="the first line while it holds, in place of the section's `answer`")

    @model_validator(mode="after")
    def _leads_for_a_time(self) -> Fact:
        if self.leads and (self.valid_to is None or self.when is not None):
            raise ValueError(
                "a line that `leads` holds in every case and has a `valid_to`; otherwise it is the `answer`"
            )
        return self

    @model_validator(mode="before")
    @classmethod
    def _from_plain_line(cls, value: object) -> object:
        return {"text": value} if isinstance(value, str) else value


class Section(_Model):
    """What is known of one aspect. `unknown` says that nobody published it: it is shown as such, never as free."""

    answer: Line | None = Field(default=None, description="the first line of the answer, except while a fact `leads`")
    facts: tuple[Fact, ...] = ()
    unknown: bool = False
    source: str | None = None
    confidence: Confidence = "vua"
    valid_to: date | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Section:
        if sum(fact.leads for fact in self.facts) > (self.answer is not None):
            raise ValueError("one line at most `leads`, and only where an `answer` follows it")
        if not self.unknown and self.answer is None:
            raise ValueError("a section needs an `answer`, or `unknown: true`")
        if self.unknown and self.answer is not None:
            raise ValueError("`unknown: true` and an `answer` exclude each other")
        if (self.answer or self.facts) and self.source is None:
            raise ValueError("a section that states something names its `source`")
        return self


class Topic(_Model):
    """A service or a frequent question, as one YAML file holds it."""

    slug: Slug
    kind: Literal["service", "faq"]
    title: Line
    label: str = Field(min_length=2, max_length=32, description="for buttons")
    names: tuple[str, ...] = Field(default=(), description="everyday names")
    codes: tuple[NationalCode, ...] = ()
    field: str | None = Field(default=None, description="lĩnh vực")
    link: str
    tone: Literal["normal", "mourning"] = "normal"
    sources: dict[str, Source]
    aspects: dict[Aspect, Section]
    similar: tuple[Slug, ...] = ()
    next_steps: tuple[Slug, ...] = Field(default=(), description="topics that usually come after this one")

    @field_validator("aspects")
    @classmethod
    def _has_overview(cls, value: dict[Aspect, Section]) -> dict[Aspect, Section]:
        if "tong-quan" not in value:
            raise ValueError("the aspect `tong-quan` is missing")
        return value

    @model_validator(mode="after")
    def _sources_exist(self) -> Topic:
        for aspect, section in self.aspects.items():
            for key in (section.source, *(fact.source for fact in section.facts)):
                if key is not None and key not in self.sources:
                    raise ValueError(f"{aspect}: the source {key!r} is not listed under `sources`")
        if self.kind == "service" and (missing := [a for a in ASPECTS if a not in self.aspects]):
            raise ValueError(f"a service tells every aspect or says `unknown: true`; missing: {', '.join(missing)}")
        return self
