"""Zalo's OAuth: consent of an OA's administrator, a pair of tokens for a code, a new pair for a refresh token.

Zalo answers refusals with HTTP 200 too, as `error_name`, `error_reason`, `error_description`, with or without a number; whatever
does not hold both tokens is therefore no grant.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlencode

import httpx

LIFETIME: Final = timedelta(hours=25)
"""Of an access token, should Zalo not name it; a refresh token lives three months."""
LONGEST: Final = timedelta(days=90)
TIMEOUT: Final = 15.0
"""Seconds; a lease on the tokens must last longer than this."""
NOT_SENT: Final = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.LocalProtocolError,
    httpx.InvalidURL,
)
"""Faults before a request was on its way; after any other fault of the line it may have been carried out."""


@dataclass(frozen=True, slots=True)
class Granted:
    """A new pair. The access token before it, and the refresh token that paid for it, are dead."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    lifetime: timedelta


@dataclass(frozen=True, slots=True)
class Refused:
    """Zalo does not take the code or the refresh token."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unavailable:
    """No answer of Zalo's; `maybe_done`: the refresh token may be used up all the same."""

    reason: str
    maybe_done: bool


Answer = Granted | Refused | Unavailable


def pkce(randomness: bytes) -> tuple[str, str]:
    """Return a verifier of 43 characters and its challenge, from 32 random bytes (RFC 7636, S256, without padding).

    Raises:
        ValueError: there are not 32 bytes.
    """
    if len(randomness) != 32:
        raise ValueError("a PKCE verifier is made of 32 random bytes")
    verifier = _unpadded(randomness)
    return verifier, _unpadded(hashlib.sha256(verifier.encode()).digest())


def _unpadded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class OAuth:
    """The OAuth side of one app."""

    def __init__(self, http: httpx.AsyncClient, app_id: str, app_secret: str, *, url: str) -> None:
        self._http = http
        self._app_id = app_id
        self._app_secret = app_secret
        self._url = url.rstrip("/")

    def consent_url(self, redirect_uri: str, challenge: str, state: str) -> str:
        """Return where an administrator of the OA gives consent; Zalo comes back to `redirect_uri` with `code` and `oa_id`."""
        asked = {
            "app_id": self._app_id,
            "redirect_uri": redirect_uri,
            "code_challenge": challenge,
            "state": state,
        }
        return f"{self._url}/v4/oa/permission?{urlencode(asked)}"

    async def exchange(self, code: str, verifier: str) -> Answer:
        """Return the first pair of tokens for a code, which lives ten minutes."""
        return await self._ask(grant_type="authorization_code", code=code, code_verifier=verifier)

    async def renew(self, refresh_token: str) -> Answer:
        """Return the next pair for a refresh token, which works once."""
        return await self._ask(grant_type="refresh_token", refresh_token=refresh_token)

    async def _ask(self, **form: str) -> Answer:
        try:
            response = await self._http.post(
                f"{self._url}/v4/oa/access_token",
                data={"app_id": self._app_id, **form},
                headers={"secret_key": self._app_secret},
                timeout=TIMEOUT,
            )
        except NOT_SENT as error:
            return Unavailable(type(error).__name__, maybe_done=False)
        except httpx.HTTPError as error:
            return Unavailable(type(error).__name__, maybe_done=True)
        return _read(response)


def _read(response: httpx.Response) -> Answer:
    if response.status_code >= 500:
        return Unavailable(f"HTTP {response.status_code}", maybe_done=True)
    try:
        body = response.json()
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        return Unavailable("the answer is not Zalo's", maybe_done=True)
    access, refresh = body.get("access_token"), body.get("refresh_token")
    if isinstance(access, str) and access and isinstance(refresh, str) and refresh:
        return Granted(access, refresh, _lifetime(body.get("expires_in")))
    return Refused(_reason(body))


def _lifetime(value: object) -> timedelta:
    """Zalo writes the seconds as a text: "90000"."""
    text = str(value)
    if not (text.isascii() and text.isdigit() and len(text) < 10) or int(text) == 0:
        return LIFETIME
    return min(timedelta(seconds=int(text)), LONGEST)


def _reason(body: dict[str, Any]) -> str:
    told = [str(body[name]) for name in ("error", "error_name", "error_reason") if body.get(name)]
    return " ".join(told)[:120] or "no tokens in the answer"
