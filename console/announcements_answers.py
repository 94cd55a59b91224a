"""What the API of announcements answers, so that its description says it."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel


class Row(BaseModel):
    """One announcement of a list. `counts` is by coded state: "accepted", "failed:blocked"."""

    id: int
    unit: str
    state: str
    author: str
    text: str
    recipients: int
    counts: dict[str, int]
    created_at: datetime


class State(BaseModel):
    """Where an announcement stands after an act. `version` is what an approval names."""

    id: int
    state: str
    version: str
    problem: str | None
    send_at: datetime | None


class Begun(State):
    """After `send`: it leaves now, or when the night is over."""

    begins: Literal["now", "morning"]


class Lane(BaseModel):
    """Citizens of one channel account."""

    citizens: int
    paid: int
    outside: int
    templated: int = 0
    price: int | None = None


class Forecast(BaseModel):
    """Whom it would reach: `lanes` by channel and account, `unreachable` by reason."""

    audience: int
    lanes: dict[str, Lane]
    unreachable: dict[str, int]


class Planned(BaseModel):
    """What would become of it. With `problems` it may not be sent; `notes` are good to know."""

    text: str
    recipients: int
    forecast: Forecast
    forecast_in_words: str
    not_reached: list[str]
    problems: list[str]
    notes: list[str]


class Drafted(Planned):
    """What was kept, and what would become of it."""

    id: int


class Preview(BaseModel):
    """A message as one channel shows it."""

    channel: str
    parts: list[str]
    buttons: list[str]
    documents: list[str]


class Looked(Planned):
    """What would become of it, and how it looks."""

    previews: list[Preview]


class Submitted(State, Planned):
    """What was asked approval for."""


class Policy(BaseModel):
    """Whether a unit's announcements need a second person's approval."""

    unit: str
    second_person: bool


class Tried(BaseModel):
    """Who was sent a trial, by login."""

    sent_to: list[str]


class Named(BaseModel):
    """The name under which an audience is kept."""

    name: str


class Missing(BaseModel):
    """How many of one commune and channel it does not reach, for one reason; `words` say it."""

    unit: str
    channel: str
    reason: str
    words: str
    number: int


class Missed(BaseModel):
    """One citizen whom it does not reach; nothing says who."""

    unit: str
    channel: str
    account: str
    reason: str
    words: str
    last_wrote: str | None
    """The month, "2026-11"; null: gone, or the audience asks for what people were interested in."""


class Unreached(BaseModel):
    """Whom it does not reach: by the question as it stands before it begins, by its deliveries afterwards."""

    id: int
    basis: Literal["forecast", "deliveries"]
    total: int
    groups: list[Missing]
    people: list[Missed]


class Step(BaseModel):
    """One line of the history. `actor` null: time itself."""

    at: datetime
    actor: str | None
    action: str
    state: str
    note: str | None


class Article(BaseModel):
    """The announcement as an article of a Zalo OA."""

    account: str
    state: str
    at: datetime
    actor: str
    problem: str | None


class Shown(BaseModel):
    """One announcement. `content`, `audience` and `repeat` as they are written; `forecast` as it was seen when it was submitted."""

    id: int
    unit: str
    state: str
    state_in_words: str
    text: str
    content: dict[str, Any]
    audience: dict[str, Any]
    urgent_reason: str | None
    joins: bool
    repeat: dict[str, Any] | None
    expires_at: datetime | None
    send_at: datetime | None
    author: str
    approver: str | None
    approved_at: datetime | None
    version: str
    problem: str | None
    forecast: dict[str, Any] | None
    recipients: int
    counts: dict[str, int]
    created_at: datetime
    started_at: datetime | None
    closed_at: datetime | None
    parent: int | None
    children: list[int]
    articles: list[Article]
    steps: list[Step]


class Figures(BaseModel):
    """One commune or channel. `used` null: too few people of another unit to be told."""

    key: str
    recipients: int
    accepted: int
    not_sent: int
    used: int | None


class Earlier(BaseModel):
    """An earlier announcement of the unit, to compare with."""

    id: int
    recipients: int
    accepted_share: float | None
    pressed: int
    replied: int
    stopped: int


class Report(BaseModel):
    """What became of an announcement. `funnel` from the audience to who pressed something; null: its channels do not tell."""

    id: int
    state: str
    funnel: dict[str, int | None]
    reasons: dict[str, int]
    by_unit: list[Figures]
    by_channel: list[Figures]
    used: dict[str, int]
    linked: int
    accepted_share: float | None
    earlier: list[Earlier]


class Saved(BaseModel):
    """An audience that is kept under a name."""

    name: str
    title: str
    audience: dict[str, Any]


class Group(BaseModel):
    """Citizens who are known by the topics they asked about."""

    slug: str
    title: str
    topics: list[str]


class Audiences(BaseModel):
    """What an audience can be made of."""

    saved: list[Saved]
    groups: list[Group]
