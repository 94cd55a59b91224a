"""One request to the Zalo Bot Platform, and what came back as a value. The token stands in the address: it is never logged.

Facts: docs.zaloplatforms.com/docs/BOT (call_api, error_code). An answer is `{"ok": true, "result": …}` or `{"ok": false,
"error_code": …, "description": …}`, the latter with the status of an error or with 200.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Any, Final

import httpx

API_URL: Final = "https://bot-api.zaloplatforms.com"
TIMEOUT: Final = 15.0
"""Seconds for one request; the sender's own limit is above it."""
CONNECT: Final = 5.0
DESCRIPTION: Final = 120
"""Characters kept of Zalo's own words."""
_NOT_SENT: Final = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.LocalProtocolError,
    httpx.InvalidURL,
)
"""Faults before the request was on its way; after any other fault of the line Zalo may have taken it."""


@dataclass(frozen=True, slots=True)
class Done:
    """Zalo did it; `result` is what it says, None if it says nothing."""

    result: Any


@dataclass(frozen=True, slots=True)
class Refused:
    """Zalo itself says no; `wait` are the seconds it asks for, if it names any."""

    code: int
    description: str
    wait: float | None = None


@dataclass(frozen=True, slots=True)
class Lost:
    """No answer of Zalo's came: the line broke, or somebody on the way answered. `arrived`: Zalo may have done it."""

    reason: str
    arrived: bool


Answer = Done | Refused | Lost


class Api:
    """The methods of one bot."""

    def __init__(self, token: str, api_url: str = API_URL) -> None:
        self._base = f"{api_url.rstrip('/')}/bot{token}"
        limits = httpx.Limits(max_connections=32, max_keepalive_connections=16)
        timeout = httpx.Timeout(TIMEOUT, connect=CONNECT, pool=CONNECT)
        self._client = httpx.AsyncClient(timeout=timeout, limits=limits, follow_redirects=False)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def call(self, method: str, body: dict[str, Any] | None = None, *, seconds: float = TIMEOUT) -> Answer:
        """Call a method and wait at most so many seconds for all of the answer; every failure comes back as a value."""
        limits = httpx.Timeout(seconds, connect=min(CONNECT, seconds), pool=min(CONNECT, seconds))
        try:
            async with asyncio.timeout(seconds):
                response = await self._client.post(f"{self._base}/{method}", json=body or {}, timeout=limits)
        except TimeoutError:
            return Lost("TimeoutError", arrived=True)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            # The error's own words may hold the address, and the token in it.
            return Lost(type(error).__name__, arrived=not isinstance(error, _NOT_SENT))
        return read(response.status_code, response.content, response.headers.get("retry-after"))


def read(status: int, content: bytes, retry_after: str | None = None) -> Answer:
    """Return what an answer says. A page of a firewall or proxy says nothing about citizen, message or token."""
    try:
        body = json.loads(content.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict) or not isinstance(body.get("ok"), bool):
        return Lost("the answer is not Zalo's", arrived=status < 400 or status == 504)
    if body["ok"]:
        return Done(body.get("result"))
    code = next((c for c in (body.get("error_code"), body.get("errorCode")) if type(c) is int), status)
    return Refused(code, str(body.get("description") or "")[:DESCRIPTION], _seconds(body, retry_after))


def _seconds(body: dict[str, Any], retry_after: str | None) -> float | None:
    """Return how long Zalo asks to wait: in the body (as Telegram does) or in the header; undocumented, so often None."""
    parameters = body.get("parameters")
    named = parameters.get("retry_after") if isinstance(parameters, dict) else None
    for value in (named, retry_after):
        try:
            seconds = float(value)  # type: ignore[arg-type]
        except (TypeError, ValueError):
            continue
        if 0 <= seconds <= 86_400:
            return seconds
    return None
