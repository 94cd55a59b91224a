"""Logs as one JSON object a line. What citizens write, and tokens, are never handed to a logger in the first place."""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import MutableMapping
from typing import Any, Final

from nlu.lazy import without

with without("rich"):
    # Only the coloured console output of structlog wants it, and its import costs more than ours of structlog.
    import structlog

_QUIET: Final = ("httpx", "httpcore", "telegram", "apscheduler", "aiosqlite", "rasa", "urllib3", "alembic", "dbos")
"""Libraries whose INFO lines name addresses with tokens in them, or say nothing an operator needs."""


def where_it_broke(_: Any, __: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Tell an exception by its kinds and places, without its words: a library's message may quote what a citizen wrote."""
    info = line.pop("exc_info", None)
    error = info if isinstance(info, BaseException) else info[1] if isinstance(info, tuple) else sys.exc_info()[1]
    if not info or error is None:
        return line
    told: list[str] = []
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        number = f" {error.errno}" if isinstance(error, OSError) and error.errno is not None else ""
        told.append(f"{type(error).__module__}.{type(error).__qualname__}{number}")
        told += [
            f"  {frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(error.__traceback__)
        ]
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    line["exception"] = "\n".join(told)
    return line


def setup(level: int = logging.INFO) -> None:
    """Send all logging through structlog to standard error."""
    shared: list[structlog.types.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        where_it_broke,
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
