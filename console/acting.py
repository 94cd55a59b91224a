"""Who acts over an API: the officer of a key (`Authorization: Bearer`, `congdanso user api-key`) or of the console's session.

A session alone changes nothing: the request has to carry the page's form token too, so that no page elsewhere can press our
buttons.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import Depends, Header, HTTPException, Request, Security
from fastapi.security import HTTPBearer

from console.accounts import Accounts
from console.chats import Chats
from console.permissions import Officer
from console.sessions import API_COOKIE, Forms, cookie_of

SAFE: Final = ("GET", "HEAD")
FORM_HEADER: Final = "X-Form-Token"
LONGEST: Final = 200
BEARER: Final = HTTPBearer(
    auto_error=False, scheme_name="officer", description="an officer's key: congdanso user api-key LOGIN"
)
"""Only declared by this: who acts is found below, where another scheme than this one is refused."""


@dataclass(frozen=True, slots=True)
class Callers:
    """Where those who may call are known."""

    accounts: Accounts
    chats: Chats
    secret_key: str


def known_to(callers: Callers) -> Callable[[Request], Awaitable[None]]:
    """Return the dependency by which a router says who its callers are."""

    async def provide(request: Request) -> None:
        request.state.callers = callers

    return provide


async def acting(
    request: Request,
    _: Annotated[object, Security(BEARER)] = None,
    form: Annotated[str, Header(alias=FORM_HEADER, max_length=400)] = "",
) -> Officer:
    """Return who acts.

    Raises:
        HTTPException: nobody is named, or a page that may not be ours acts in somebody's name.
    """
    callers: Callers = request.state.callers
    authorization = request.headers.get("authorization", "")
    if authorization:
        scheme, _, key = authorization.partition(" ")
        found = await callers.chats.officer_of_key(key) if _is_key(scheme, key) else None
    else:
        session = cookie_of(request, API_COOKIE)
        found = await callers.accounts.session(session) if session else None
        ours = request.method in SAFE or Forms(callers.secret_key).is_ours(request, form, session)
        if found is not None and not ours:
            raise HTTPException(403, "form token missing or not ours")
    if found is None:
        raise HTTPException(401, headers={"WWW-Authenticate": "Bearer"})
    return found


def _is_key(scheme: str, key: str) -> bool:
    return scheme.lower() == "bearer" and key.isascii() and len(key) <= LONGEST


Who = Annotated[Officer, Depends(acting)]
