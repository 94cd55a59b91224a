"""Keeps a channel's token out of the log: the messengers whose address holds it are called by libraries that name each address."""

from __future__ import annotations

import logging
from typing import Final

HTTP: Final = ("httpx",)
"""Loggers that name the address of every request."""


class WithoutToken(logging.Filter):
    """Replaces a token in the lines of the libraries below, and drops their debugging."""

    def __init__(self, token: str, loggers: tuple[str, ...] = HTTP) -> None:
        super().__init__()
        self._token = token
        self._loggers = loggers

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
        for name in self._loggers:
            logging.getLogger(name).addFilter(self)

    def detach(self) -> None:
        """End."""
        for name in self._loggers:
            logging.getLogger(name).removeFilter(self)
