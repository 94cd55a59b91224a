"""What an error of python-telegram-bot means for the message, the citizen and the account."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import aiohttp
from telegram.error import (
    BadRequest,
    ChatMigrated,
    Conflict,
    Forbidden,
    InvalidToken,
    NetworkError,
    RetryAfter,
    TelegramError,
    TimedOut,
)

from bot import messages
from bot.channels.telegram.transport import NOT_SENT
from bot.messages import Outcome

_UNREACHABLE: Final = ("chat not found", "peer_id_invalid")
"""Refusals of the class 400 that speak of the citizen, not of the message."""
REASON: Final = 120


def outcome(error: TelegramError) -> Outcome:
    """Say what an error means. BadRequest is a subclass of NetworkError, and is asked for first."""
    if not from_telegram(error):
        return messages.Transient("the answer is not Telegram's", maybe_sent=type(error) is TelegramError)
    match error:
        case Forbidden():
            return messages.ContactStopped(_reason(error))
        case RetryAfter():
            return messages.RetryAfter(seconds(error))
        case ChatMigrated():
            return messages.Moved(str(error.new_chat_id))
        case InvalidToken() | Conflict():
            return messages.Misconfigured(type(error).__name__)
        case BadRequest():
            stopped = any(words in str(error).lower() for words in _UNREACHABLE)
            return messages.ContactStopped(_reason(error)) if stopped else messages.Rejected(_reason(error))
        case NetworkError() if "entity too large" in str(error).lower():
            return messages.Rejected("Request Entity Too Large")
        case NetworkError():
            return messages.Transient(type(error).__name__, maybe_sent=_may_have_arrived(error))
    return messages.Rejected(_reason(error))


def from_telegram(error: TelegramError) -> bool:
    """Whether Telegram itself said so. A firewall's or proxy's page has a status too, and must not stop a citizen.

    python-telegram-bot keeps the reading error as the cause of the status error; a bare TelegramError is a success
    that could not be read.
    """
    return type(error) is not TelegramError and not isinstance(error.__cause__, TelegramError)


def seconds(error: RetryAfter) -> float:
    """Return how long Telegram asks to wait."""
    wait = error.retry_after
    return wait.total_seconds() if isinstance(wait, timedelta) else float(wait)


def _may_have_arrived(error: NetworkError) -> bool:
    """Whether the message may be with Telegram although no good answer came."""
    if isinstance(error, TimedOut) or isinstance(error.__cause__, aiohttp.ClientError):
        return not isinstance(error.__cause__, NOT_SENT)
    return "gateway time" in str(error).lower()


def _reason(error: TelegramError) -> str:
    """Telegram's own words: they name neither the token nor a text."""
    return str(error)[:REASON]
