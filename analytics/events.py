"""Engagement events: one documented dataclass each, written within the transaction of what they tell of.

No event holds a text, a name or a number of a person. `visitor` is a keyed hash of the conversation and the day: it counts
how many different people asked on a day, and is useless for following one.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, ClassVar, Final
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from analytics.tables import event

_ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
_CODE = re.compile(r"[a-z0-9]+(?:[-_:.][a-z0-9]+)*", re.ASCII)
_NUMBER = re.compile(r"\d{7}")
"""What an event may say: slugs and codes. No sentence and no personal number fits, whoever makes a mistake above."""
_COLUMNS = ("unit", "channel", "visitor", "topic", "aspect", "status")


@dataclass(frozen=True, slots=True)
class Event:
    """What all events share."""

    name: ClassVar[str]

    at: datetime
    unit: str | None
    channel: str | None


@dataclass(frozen=True, slots=True)
class TurnAnswered(Event):
    """A citizen said something and the bot replied."""

    name: ClassVar[str] = "turn"

    visitor: str
    kind: str
    status: str
    topic: str | None
    aspect: str | None
    confidence: float | None
    first: bool


@dataclass(frozen=True, slots=True)
class MaterialGiven(Event):
    """A pack's item was given out. Counted by topic, unit and channel, never by person: there is no visitor."""

    name: ClassVar[str] = "material"

    topic: str | None
    pack: str
    item: str


@dataclass(frozen=True, slots=True)
class SubscriptionChanged(Event):
    """Somebody began or ended receiving their commune's announcements."""

    name: ClassVar[str] = "subscription"

    subscribed: bool


@dataclass(frozen=True, slots=True)
class CommuneChosen(Event):
    """Somebody said which commune they belong to (`unit`)."""

    name: ClassVar[str] = "commune"


@dataclass(frozen=True, slots=True)
class Rated(Event):
    """Praise or blame for an answer."""

    name: ClassVar[str] = "rating"

    topic: str | None
    aspect: str | None
    helpful: bool


@dataclass(frozen=True, slots=True)
class DeliveryEnded(Event):
    """An announcement's delivery to one citizen reached a coded state; `unit` is the citizen's commune."""

    name: ClassVar[str] = "delivery"

    announcement_id: int
    state: str
    reason: str | None
    again: bool = False
    """It was told of before, as waiting for the citizen's visit."""


@dataclass(frozen=True, slots=True)
class AnnouncementUsed(Event):
    """Somebody replied to an announcement, pressed a button under it or followed its link. There is no visitor."""

    name: ClassVar[str] = "announcement"

    announcement_id: int
    what: str
    """reply, stop, read, join, ask, link-1, text-1 …"""


@dataclass(frozen=True, slots=True)
class QuestionEnded(Event):
    """An officer answered or closed a question that the bot could not answer. There is no visitor."""

    name: ClassVar[str] = "question"

    what: str
    """answered, closed"""
    kind: str
    """Why it was kept: officer, unknown, unclear"""
    hours: int
    """That it waited."""


def visitor_of(key: bytes, conversation_id: int, at: datetime) -> str:
    """Return the day's pseudonym of a conversation, 16 hex digits; another one tomorrow."""
    day = at.astimezone(_ZONE).date().isoformat()
    return hmac.new(key, f"{day}:{conversation_id}".encode(), hashlib.sha256).hexdigest()[:16]


def append(connection: Connection, happened: Sequence[Event]) -> None:
    """Append events in the caller's unit of work (see `record_many`)."""
    if happened:
        connection.execute(_APPEND, [_row(one) for one in happened])


async def record_many(connection: AsyncConnection, happened: Sequence[Event]) -> None:
    """Append events in the caller's transaction, in one statement.

    Raises:
        ValueError: a value is no slug or code; nothing is written.
    """
    if happened:
        await connection.execute(insert(event), [_row(one) for one in happened])


def _row(happened: Event) -> dict[str, Any]:
    values: dict[str, Any] = asdict(happened)
    for name, value in values.items():
        if isinstance(value, str) and name != "visitor" and (not _CODE.fullmatch(value) or _NUMBER.search(value)):
            raise ValueError(f"an event holds codes only; {happened.name}.{name} is none")
    row = {"at": values.pop("at"), "name": happened.name}
    row |= {column: values.pop(column, None) for column in _COLUMNS}
    return row | {"data": values}


_APPEND: Final = insert(event)
