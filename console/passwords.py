"""Passwords: what is accepted, how it is kept (Argon2id), how it is compared."""

from __future__ import annotations

import asyncio
import unicodedata
from functools import lru_cache
from pathlib import Path
from typing import Final

from argon2 import PasswordHasher, profiles
from argon2.exceptions import InvalidHashError, VerificationError

from content.places import slug_of

SHORTEST: Final = 12
LONGEST: Final = 200
"""Characters. The longest is there only so that nobody makes the server hash a book."""
FEWEST_DIFFERENT: Final = 5
AT_ONCE: Final = 2
"""Hashes computed at the same time in one process; each takes 64 MiB."""
HASHER: Final = PasswordHasher.from_parameters(profiles.RFC_9106_LOW_MEMORY)


def normal(password: str) -> str:
    """Return a password in one spelling: keyboards write "ế" as one character or as three."""
    return unicodedata.normalize("NFC", password)


@lru_cache(maxsize=1)
def _common() -> frozenset[str]:
    lines = Path(__file__).with_name("common-passwords.txt").read_text(encoding="utf-8").splitlines()
    return frozenset(line.strip() for line in lines if line.strip() and not line.startswith("#"))


def fault_of(password: str, *personal: str) -> str | None:
    """Return why a password is not accepted, as a key of the catalogue: short, long, digits, simple, common. None: it is.

    The rules are those of NIST SP 800-63B, 5.1.1.2: length, and no password that is expected; no demand for signs and
    capitals. A row of digits alone is refused too: at this length it is most likely an identity number.

    Args:
        personal: words that say too much of the owner: login, name.
    """
    password = normal(password)
    if len(password) < SHORTEST:
        return "short"
    if len(password) > LONGEST:
        return "long"
    letters = slug_of(password).replace("-", "")
    if password.replace(" ", "").isdigit():
        return "digits"
    if len(set(password.casefold())) < FEWEST_DIFFERENT or _repeats(password.casefold()):
        return "simple"
    core = letters.strip("0123456789")
    own = {slug_of(word).replace("-", "") for word in personal}
    if letters in _common() | own or core in _common() | own | {""}:
        return "common"
    return None


def _repeats(password: str) -> bool:
    """Whether a password is one short piece over and over."""
    return any(
        (password[:size] * (len(password) // size + 1)).startswith(password) for size in range(1, len(password) // 2)
    )


class Passwords:
    """Hashes and compares in threads, so that the pages of others do not wait."""

    def __init__(self, hasher: PasswordHasher = HASHER) -> None:
        self._hasher = hasher
        self._turn = asyncio.Semaphore(AT_ONCE)
        self._nobody: str | None = None

    async def hash(self, password: str) -> str:
        """Return the Argon2id hash of a password."""
        async with self._turn:
            return await asyncio.to_thread(self._hasher.hash, normal(password))

    async def fits(self, kept: str | None, password: str) -> bool:
        """Compare a password with the kept hash. Without one it takes as long, and the answer is no."""
        if kept is None and self._nobody is None:
            self._nobody = await self.hash("nobody has this password")
        async with self._turn:
            fits = await asyncio.to_thread(self._compare, kept or self._nobody or "", normal(password))
        return fits and kept is not None

    def _compare(self, kept: str, password: str) -> bool:
        try:
            return self._hasher.verify(kept, password)
        except (VerificationError, InvalidHashError):
            return False
