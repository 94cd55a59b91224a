"""What the API of announcements answers, so that its description says it."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

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
    last_wrote: date | None


class Unreached(BaseModel):
    """Whom it does not reach: by the question as it stands before it begins, by its deliveries afterwards."""

    id: int
    basis: Literal["forecast", "deliveries"]
    total: int
    groups: list[Missing]
    people: list[Missed]
