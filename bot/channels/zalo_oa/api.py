"""One request to Zalo and what came of it: token, time limit, errors inside HTTP 200, rate headers. No exception leaves here."""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

import httpx

from bot.channels.zalo_oa.oauth import NOT_SENT
from bot.channels.zalo_oa.outcomes import STALE_TOKEN, Failed
from bot.channels.zalo_oa.tokens import Tokens
from bot.channels.zalo_oa.values import number
from bot.messages import Misconfigured, RetryAfter, Transient

TIMEOUT: Final = 15.0
"""Seconds for one request; the sender's own limit is above it."""
SPENT: Final = 10.0
"""Seconds without a request once Zalo says that none is left: the count is one of minutes, whose beginning is not told."""
TOO_MANY: Final = 30.0
"""Seconds to wait after HTTP 429 without a `Retry-After`."""
LONGEST_WAIT: Final = 86_400.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Done:
    """Zalo did it; `data` is what it says about it."""

    data: Any


@dataclass(frozen=True, slots=True)
class Rate:
    """What the last answer said about requests a minute; None where it said nothing."""

    limit: int | None = None
    remaining: int | None = None


@dataclass(frozen=True, slots=True)
class File:
    """A file to upload."""

    name: str
    content: bytes
    media_type: str


Answer = Done | Failed | RetryAfter | Transient | Misconfigured


def http_client() -> httpx.AsyncClient:
    """Return a client with time limits; all accounts of a process may share it."""
    return httpx.AsyncClient(
        timeout=httpx.Timeout(TIMEOUT, connect=5.0, pool=5.0),
        limits=httpx.Limits(max_connections=64, max_keepalive_connections=16),
        follow_redirects=False,
    )


class Api:
    """Calls Zalo for one OA."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        tokens: Tokens,
        *,
        url: str,
        business_url: str,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._http = http
        self._tokens = tokens
        self._url = url.rstrip("/")
        self._business_url = business_url.rstrip("/")
        self._monotonic = monotonic
        self._rests_until = float("-inf")
        self.rate = Rate()

    def rests(self) -> float:
        """Return for how many seconds this account had better ask nothing; 0 if it may."""
        return max(0.0, self._rests_until - self._monotonic())

    async def post(
        self, path: str, body: Mapping[str, Any] | None = None, *, file: File | None = None, business: bool = False
    ) -> Answer:
        """POST JSON, or a file as multipart; `business` is the host of templates by phone."""
        base = self._business_url if business else self._url
        if file is not None:
            parts = {"file": (file.name, file.content, file.media_type)}
            return await self._call(lambda: self._http.build_request("POST", f"{base}{path}", files=parts))
        return await self._call(lambda: self._http.build_request("POST", f"{base}{path}", json=body or {}))

    async def get(self, path: str, data: Mapping[str, Any] | None = None) -> Answer:
        """GET; Zalo takes all parameters as one JSON text named `data`."""
        query = {} if data is None else {"data": json.dumps(data, ensure_ascii=False)}
        return await self._call(lambda: self._http.build_request("GET", f"{self._url}{path}", params=query))

    async def _call(self, request: Callable[[], httpx.Request]) -> Answer:
        """Call once; if the token is stale, renew it once and call once more."""
        token = await self._tokens.access()
        if not isinstance(token, str):
            return token
        answer = await self._once(request, token)
        if isinstance(answer, Failed) and answer.code in STALE_TOKEN:
            token = await self._tokens.renewed(token)
            if not isinstance(token, str):
                return token
            answer = await self._once(request, token)
        return answer

    async def _once(self, request: Callable[[], httpx.Request], token: str) -> Answer:
        try:
            made = request()
            made.headers["access_token"] = token
            response = await self._http.send(made)
        except NOT_SENT as error:
            return Transient(type(error).__name__)
        except (httpx.HTTPError, UnicodeError) as error:
            return Transient(type(error).__name__, maybe_sent=isinstance(error, httpx.HTTPError))
        self._note_rate(response.headers)
        return _read(response)

    def _note_rate(self, headers: httpx.Headers) -> None:
        limit = number(headers.get("X-RateLimit-Limit"))
        remaining = number(headers.get("X-RateLimit-Remain") or headers.get("X-RateLimit-Remaining"))
        if limit is None and remaining is None:
            return
        self.rate = Rate(limit, remaining)
        if remaining is not None and remaining < 1:
            self._rests_until = self._monotonic() + SPENT


def _read(response: httpx.Response) -> Answer:
    """Read an answer. A firewall's or proxy's page has a status too, and must not stop a citizen or an account."""
    status = response.status_code
    if status == 429:
        return RetryAfter(_wait(response.headers))
    try:
        body = response.json()
    except (ValueError, RecursionError):
        body = None
    code = number(body.get("error")) if isinstance(body, dict) else None
    if not isinstance(body, dict) or code is None:
        if status >= 500:
            # A gateway that gave up waiting does not know what the server behind it did.
            return Transient(f"HTTP {status}", maybe_sent=status == 504)
        return Transient("the answer is not Zalo's", maybe_sent=status == 200)
    if code == 0:
        return Done(body.get("data"))
    return Failed(code, str(body.get("message") or ""))


def _wait(headers: httpx.Headers) -> float:
    """Return the seconds that `Retry-After` names: as a number, or as the moment until when, by the clock of who says so."""
    value = headers.get("Retry-After", "").strip()
    try:
        seconds = float(value)
    except ValueError:
        until, now = _moment(value), _moment(headers.get("Date", ""))
        seconds = math.nan if until is None or now is None else (until - now).total_seconds()
    return min(seconds, LONGEST_WAIT) if seconds >= 0 else TOO_MANY


def _moment(value: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(value)
    except ValueError:
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
