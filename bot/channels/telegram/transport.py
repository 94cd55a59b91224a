"""python-telegram-bot's requests, kept from telling the log what nobody may read there: the token, and what was written."""

from __future__ import annotations

import json
import logging
from typing import Any, Final

from telegram.error import TelegramError
from telegram.request import HTTPXRequest

_TALKATIVE: Final = ("httpx", "telegram.Bot")
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


class WithoutToken(logging.Filter):
    """Replaces a token in the lines of the libraries below, and drops their debugging."""

    def __init__(self, token: str) -> None:
        super().__init__()
        self._token = token

    def filter(self, record: logging.LogRecord) -> bool:
        """Keep the line, without the token; debugging lines hold what citizens wrote and are dropped."""
        if record.levelno < logging.INFO:
            return False
        text = record.getMessage()
        if self._token in text:
            record.msg, record.args = text.replace(self._token, "<token>"), ()
        return True

    def attach(self) -> None:
        """Begin."""
        for name in _TALKATIVE:
            logging.getLogger(name).addFilter(self)

    def detach(self) -> None:
        """End."""
        for name in _TALKATIVE:
            logging.getLogger(name).removeFilter(self)
