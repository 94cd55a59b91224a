"""Logs as one JSON object a line. What citizens write, and tokens, are never handed to a logger in the first place."""

from __future__ import annotations

import logging
import sys
from typing import Final

from nlu.lazy import without

with without("rich"):
    # Only the coloured console output of structlog wants it, and its import costs more than ours of structlog.
    import structlog

_QUIET: Final = ("httpx", "httpcore", "telegram", "apscheduler", "aiosqlite", "rasa", "urllib3", "alembic", "dbos")
"""Libraries whose INFO lines name addresses with tokens in them, or say nothing an operator needs."""


def setup(level: int = logging.INFO) -> None:
    """Send all logging through structlog to standard error."""
    shared: list[structlog.types.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(ensure_ascii=False),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
