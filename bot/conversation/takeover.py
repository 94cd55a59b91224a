"""When a human officer answers in the messenger's own tool: the bot keeps silent, and how a citizen calls it back.

While an officer speaks, what a citizen types is meant for the officer. The bot hears only what can be meant for nobody else:
its own buttons and links, its name, the words that stop announcements, and the words by which citizens see or erase their data.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from bot.conversation.choices import fold, is_stop
from bot.conversation.messages import say
from bot.conversation.model import AnswerStatus, Reply, Session, Turn

SILENCE: Final = timedelta(minutes=30)
"""How long the bot keeps silent after an officer's last message."""
NAMES: Final = frozenset({"bot", "goi bot", "hoi bot", "chatbot", "tra loi tu dong", "kenh tu dong"})
RIGHTS: Final = frozenset({"du lieu cua toi", "xoa du lieu cua toi", "xoa du lieu"})
"""What the bot itself tells citizens to type; it works at any moment."""


def silent(until: datetime | None, now: datetime) -> bool:
    """Whether an officer holds the conversation."""
    return until is not None and until > now


def began(session: Session, *, already: bool) -> Turn:
    """Return the turn of an officer's message: said once, and only to somebody who knows the bot."""
    replies = () if already or not session.greeted else (Reply(say("officer_speaks")),)
    return Turn(replies, session, AnswerStatus.HANDED_OVER)


def calls_back(kind: str, text: str) -> bool:
    """Whether a citizen wants the bot again."""
    if kind == "text":
        return fold(text) in NAMES | RIGHTS
    return kind == "button" or (kind == "opened" and bool(text))


def hears(kind: str, text: str) -> bool:
    """Whether the bot acts although an officer speaks."""
    if calls_back(kind, text):
        return True
    return kind == "text" and is_stop(text)


def back(kind: str, text: str, session: Session) -> Turn | None:
    """Return the turn of a citizen who called the bot by name; None for what the dialogue answers itself."""
    if kind == "text" and fold(text) in NAMES:
        return Turn((Reply(say("bot_again")),), session, AnswerStatus.ACTION_DONE)
    return None
