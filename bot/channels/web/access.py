"""Who may speak: tokens of anonymous conversations, and how often one may speak in a minute."""

from __future__ import annotations

import hashlib
import secrets
from collections import OrderedDict, deque
from typing import Final

from itsdangerous import BadSignature, Signer

from bot.clock import Clock

TOKEN_BYTES: Final = 24
"""Random bytes of a token (192 bits); the signature follows them."""
MAX_TOKEN: Final = 200
WINDOW: Final = 60.0
"""Seconds over which messages are counted."""


class Tokens:
    """Makes and reads the tokens of web conversations.

    A token is random and signed, so a forged one is refused without asking the database, and nobody fills the
    database by asking for tokens: a conversation is stored with its first message. Only a token's hash is stored.
    """

    def __init__(self, secret_key: str) -> None:
        if not secret_key:
            raise ValueError("the web chat needs a secret key to sign its tokens")
        self._signer = Signer(secret_key, salt="bot.channels.web", digest_method=hashlib.sha256)

    def new(self) -> str:
        """Return a token nobody can guess."""
        return self._signer.sign(secrets.token_urlsafe(TOKEN_BYTES)).decode("ascii")

    def chat_of(self, token: str) -> str | None:
        """Return the chat id that stands for a token in the database; None for a token we did not make."""
        if len(token) > MAX_TOKEN:
            return None
        try:
            value = self._signer.unsign(token)
        except BadSignature:
            return None
        # Without the signature: that has several spellings in base64, and one conversation has only one hash.
        return hashlib.sha256(value).hexdigest()


class Limit:
    """So many messages a minute for each key, counted in the memory of this process."""

    def __init__(self, per_minute: int, clock: Clock) -> None:
        self._per_minute = per_minute
        self._clock = clock
        self._times: OrderedDict[str, deque[float]] = OrderedDict()

    def take(self, key: str) -> float:
        """Count one message; return 0.0, or the seconds to wait if it is one too many (which is then not counted)."""
        now = self._clock().timestamp()
        self._forget(now - WINDOW)
        times = self._times.setdefault(key, deque())
        while times and times[0] <= now - WINDOW:
            times.popleft()
        if len(times) >= self._per_minute:
            return max(times[0] + WINDOW - now, 1.0)
        times.append(now)
        self._times.move_to_end(key)
        return 0.0

    def _forget(self, before: float) -> None:
        """Drop keys that were quiet for the whole window: the oldest stand first, so memory follows the traffic."""
        while self._times:
            key, times = next(iter(self._times.items()))
            if times and times[-1] > before:
                return
            del self._times[key]
