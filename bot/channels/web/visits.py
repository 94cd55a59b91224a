"""What a browser without scripts carries: the conversation's token in a cookie, the words it last sent in another.

A cookie and no hidden field, since the address after the redirect must not hold the token. Against forms of other sites:
the cookie is `SameSite=Lax`, each form is signed over the token, and a browser that says where a request comes from
(`Sec-Fetch-Site`) is believed. The citizen's words are kept nowhere but in their own browser, for an hour.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import Final

from fastapi import Request, Response
from itsdangerous import BadData, BadSignature, Signer, URLSafeTimedSerializer

from bot.channels.web.access import MAX_TOKEN, Tokens
from nlu import personal

PATH: Final = "/chat"
COOKIE: Final = "congdanso_chat"
SAID: Final = "congdanso_said"
SAID_SECONDS: Final = 3600
MAX_SAID: Final = 300
"""Characters of the citizen's words that are shown again; a cookie holds no more than 4,096 bytes."""
MAX_COOKIE: Final = 4096


class Visits:
    """Reads and writes what such a browser carries."""

    def __init__(self, tokens: Tokens, secret_key: str, *, secure: bool) -> None:
        self._tokens = tokens
        self._forms = Signer(secret_key, salt="bot.channels.web.forms", digest_method=hashlib.sha256)
        self._said = URLSafeTimedSerializer(secret_key, salt="bot.channels.web.said")
        self._secure = secure

    def token_of(self, request: Request) -> str:
        """Return the conversation's token; "" where there is none that we made."""
        token = request.cookies.get(COOKIE, "")
        return token if self._tokens.chat_of(token) else ""

    def form(self, token: str) -> str:
        """Return what shows that a form was made for the browser with this token."""
        return self._forms.sign(hashlib.sha256(token.encode()).hexdigest()).decode("ascii")

    @staticmethod
    def is_first(request: Request) -> bool:
        """Whether a form comes from our own page, as the browser says, but from a browser that carries nothing yet."""
        return COOKIE not in request.cookies and request.headers.get("Sec-Fetch-Site") == "same-origin"

    def is_ours(self, request: Request, form: str, token: str) -> bool:
        """Whether a posted form was made by us, for the browser that sends it."""
        elsewhere = request.headers.get("Sec-Fetch-Site", "none") not in ("same-origin", "none")
        if elsewhere or not token or len(form) > MAX_TOKEN:
            return False
        try:
            value = self._forms.unsign(form).decode("ascii")
        except (BadSignature, UnicodeDecodeError):
            return False
        return secrets.compare_digest(value, hashlib.sha256(token.encode()).hexdigest())

    def keep(self, response: Response, token: str) -> None:
        """Let the browser carry the token until it is closed."""
        response.set_cookie(COOKIE, token, path=PATH, httponly=True, samesite="lax", secure=self._secure)

    def keep_said(self, response: Response, update_id: str, words: str) -> None:
        """Let the browser carry what was said in a message, without personal numbers."""
        shown = personal.mask(words)[0]
        shown = shown if len(shown) <= MAX_SAID else shown[: MAX_SAID - 1] + "…"
        value = str(self._said.dumps([update_id, shown]))
        response.set_cookie(
            SAID, value, max_age=SAID_SECONDS, path=PATH, httponly=True, samesite="lax", secure=self._secure
        )

    def said(self, request: Request) -> tuple[str, str]:
        """Return the update id and the words of the last message; empty where they are not known any more."""
        value = request.cookies.get(SAID, "")
        if not value or len(value) > MAX_COOKIE:
            return "", ""
        try:
            update_id, words = self._said.loads(value, max_age=SAID_SECONDS)
        except (BadData, ValueError):
            return "", ""
        return str(update_id), str(words)

    def drop(self, response: Response) -> None:
        """Take both cookies away."""
        for name in (COOKIE, SAID):
            response.delete_cookie(name, path=PATH, httponly=True, samesite="lax", secure=self._secure)
