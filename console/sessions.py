"""What a browser carries: the session's cookie, and the token that shows that a form is ours.

A form's token is signed over the session (or, before the login, over a random cookie), so that a page elsewhere can
make nobody press our buttons. Browsers that say where a request comes from (`Sec-Fetch-Site`, `Origin`) are believed too.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import Final

from fastapi import Request, Response
from itsdangerous import BadSignature, Signer

COOKIE: Final = "congdanso_session"
VISITOR: Final = "congdanso_form"
"""Before the login: a random value that forms are bound to."""
PATH: Final = "/console"
API_COOKIE: Final = "congdanso_api"
API_PATHS: Final = ("/api/announcements", "/api/questions")
"""The same session, for the APIs that the pages use. It is never sent to the citizens' chat."""
MAX_TOKEN: Final = 200


class Forms:
    """Makes and checks the tokens of forms."""

    def __init__(self, secret_key: str) -> None:
        self._signer = Signer(secret_key, salt="console.forms", digest_method=hashlib.sha256)

    def token(self, bound_to: str) -> str:
        """Return a form's token for a session or a visitor."""
        return self._signer.sign(hashlib.sha256(bound_to.encode()).hexdigest()).decode("ascii")

    def is_ours(self, request: Request, token: str, bound_to: str) -> bool:
        """Whether a posted form was made for this browser by this server."""
        if not bound_to or len(token) > MAX_TOKEN or not from_here(request):
            return False
        try:
            value = self._signer.unsign(token).decode("ascii")
        except (BadSignature, UnicodeDecodeError):
            return False
        return secrets.compare_digest(value, hashlib.sha256(bound_to.encode()).hexdigest())


def from_here(request: Request) -> bool:
    """Whether the browser says the request comes from our own pages; True where it says nothing."""
    site = request.headers.get("Sec-Fetch-Site")
    return site in (None, "same-origin", "none")


def cookie_of(request: Request, name: str) -> str:
    """Return a cookie's value; "" for none, or for one that cannot be ours."""
    value = request.cookies.get(name, "")
    return value if len(value) <= MAX_TOKEN and value.isascii() else ""


def keep(response: Response, name: str, value: str, *, secure: bool) -> None:
    """Set one of the console's cookies; it ends with the browser, and scripts cannot read it."""
    response.set_cookie(name, value, path=PATH, httponly=True, samesite="lax", secure=secure)
    for path in API_PATHS if name == COOKIE else ():
        response.set_cookie(API_COOKIE, value, path=path, httponly=True, samesite="lax", secure=secure)


def drop(response: Response, name: str, *, secure: bool) -> None:
    """Take a cookie away again."""
    response.delete_cookie(name, path=PATH, httponly=True, samesite="lax", secure=secure)
    for path in API_PATHS if name == COOKIE else ():
        response.delete_cookie(API_COOKIE, path=path, httponly=True, samesite="lax", secure=secure)
