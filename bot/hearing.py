"""What a conversation in hand says to the dialogue: where it was left, and what the citizen did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from bot.conversation.categories import muted_of
from bot.conversation.model import Said, Session
from bot.storage.database import aware
from bot.work import Work

NO_BUTTON: Final = "noop"


@dataclass(frozen=True, slots=True)
class Left:
    """What a conversation is left with."""

    session: Session
    silent_until: datetime | None


def left_of(held: Work) -> Left:
    """What the conversation in hand was left with before its turns."""
    return Left(session_of(held.row), aware(held.row["silent_until"]))


def session_of(row: Mapping[str, Any]) -> Session:
    """The session of a conversation. The columns decide: they change without a turn too, when a citizen blocks the bot or
    chooses on a linked channel.
    """
    kept = Session.from_dict(dict(row["session"]))
    return replace(
        kept,
        # Where nothing was chosen, the commune whose leaflet or site somebody came from.
        ward=row["ward"] or kept.ward,
        subscribed=row["subscribed"],
        muted=muted_of(row["muted"]),
        consented=row["consented_at"] is not None,
        linked=row["person"] is not None,
        preferred=row["preferred"],
        language=row["language"] or "",
    )


def said_of(row: Mapping[str, Any]) -> Said | None:
    """What a citizen did, as the dialogue hears it; None for what it does not hear of."""
    kind, text = row["kind"], row["text"] or ""
    if kind in ("stopped", "resumed", "taken_over"):
        return None
    if kind == "opened":
        return Said(payload=text, opened=True)
    if kind == "button":
        return Said(payload=text or NO_BUTTON)
    if kind == "unsupported":
        return Said(unsupported=text or "unsupported")
    if kind == "captioned":
        return Said(text=text, personal=tuple(row["personal"]), unsupported="other")
    return Said(text=text, personal=tuple(row["personal"]))
