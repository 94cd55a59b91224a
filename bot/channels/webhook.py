"""What every messenger's webhook does alike: read a body of bounded size, and say 200 only for what is stored."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable
from typing import Any, Final

from fastapi import Request, Response

STORED_WITHIN: Final = 1.5
"""Seconds after which an update counts as not stored, and the messenger is told to repeat it: Zalo waits for two.

What is being stored then is stored after all; the repetition is recognised by its id.
"""

log = logging.getLogger(__name__)


async def body_of(request: Request, limit: int) -> bytes | None:
    """Return the body; None if it is longer than `limit` bytes."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            return None
    return body


def object_of(body: bytes) -> dict[str, Any] | None:
    """Return the JSON object in a body; None if there is none."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


async def stored(storing: Awaitable[Any], account: str) -> Response:
    """Wait until something is stored; return what the messenger is told."""
    try:
        async with asyncio.timeout(STORED_WITHIN):
            await storing
    except Exception as error:
        # The error's own words are not logged: a database's name what it was to store.
        log.error("an update could not be stored", extra={"account": account, "error": type(error).__name__})
        return Response(status_code=503)
    return Response(status_code=200)
