"""What every response of the web chat says to the browser, and how a request is refused."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from fastapi import HTTPException

from bot.channels.web.texts import problem

GUARD: Final = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
"""Headers of every response."""
PRIVATE: Final = GUARD | {"Cache-Control": "no-store"}
KEPT: Final = GUARD | {"Cache-Control": "public, max-age=31536000, immutable"}
"""For a file whose address changes with its content."""
CHECKED: Final = GUARD | {"Cache-Control": "no-cache"}
"""For a file under a fixed address: kept, but asked for again each time."""


def content_security_policy(ancestors: Iterable[str] = ()) -> str:
    """Return the pages' policy: nothing from elsewhere, and framed by nobody but `ancestors` (origins, checked before)."""
    framed = " ".join(ancestors) or "'none'"
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
        "connect-src 'self'; manifest-src 'self'; worker-src 'self'; form-action 'self'; base-uri 'none'; "
        f"frame-ancestors {framed}"
    )


CONTENT_SECURITY_POLICY: Final = content_security_policy()
PAGE: Final = CHECKED | {"Content-Security-Policy": CONTENT_SECURITY_POLICY}


def refuse(status: int, key: str, **headers: str) -> HTTPException:
    """Return the exception that answers a request with a problem of the catalogue."""
    return HTTPException(status, problem(key), PRIVATE | {k.replace("_", "-"): v for k, v in headers.items()})
