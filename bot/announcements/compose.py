"""What a citizen receives: the unit's name in front, the officer's words, and how to stop, in the text and as a button."""

from __future__ import annotations

from typing import Final

from bot.announcements.texts import say
from bot.conversation.model import Button, Reply

STOP_PAYLOAD: Final = "a:tat-thong-bao"


def composed(unit_name: str, text: str, *, urgent: bool) -> str:
    """Return the whole text of an announcement."""
    heading = say("heading_urgent" if urgent else "heading", unit=unit_name[:1].lower() + unit_name[1:])
    return f"{heading}\n{text.strip()}\n\n{say('footer')}"


def reply_of(text: str) -> Reply:
    """Return a composed text with its button; no number stands for it, since a number answers what the bot asked last."""
    return Reply(text, (Button(say("stop_button"), STOP_PAYLOAD),), first=0)


def trial_of(text: str) -> Reply:
    """Return a composed text as an officer tries it on themselves."""
    return reply_of(f"{say('trial')}\n{text}")
