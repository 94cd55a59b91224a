"""python-telegram-bot's requests, kept from telling the log what was written to the bot."""

from __future__ import annotations

import json
from typing import Any, Final

from telegram.error import TelegramError
from telegram.request import HTTPXRequest

from bot.channels.tokens import HTTP

TALKATIVE: Final = (*HTTP, "telegram.Bot")
"""httpx names the address, and the token in it, of every request; telegram.Bot names all parameters when debugging."""


class QuietRequest(HTTPXRequest):
    """Requests whose unreadable answers are not logged: a cut-off getUpdates is full of names and texts."""

    @staticmethod
    def parse_json_payload(payload: bytes) -> dict[str, Any]:
        """Return the JSON of an answer.

        Raises:
            TelegramError: it is no JSON object.
        """
        try:
            parsed = json.loads(payload.decode("utf-8", "replace"))
        except (ValueError, RecursionError):
            parsed = None
        if not isinstance(parsed, dict):
            raise TelegramError("Invalid server response")
        return parsed
