"""Secrets at rest: sealed with a key that is worked out from the installation's secret key, never stored beside them."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Final

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

PURPOSE: Final = b"congdanso channel accounts v1"
"""Binds the worked-out key to this use: the same secret key signs tokens elsewhere."""


class Unreadable(ValueError):
    """The secrets were sealed with another key, or were changed."""


class Vault:
    """Seals and opens small sets of named secrets.

    Args:
        keys: the secret key in use first; earlier ones after it can still open what they sealed.
    """

    def __init__(self, keys: Sequence[bytes]) -> None:
        if not keys:
            raise ValueError("the vault needs a secret key")
        self._fernet = MultiFernet([_fernet(key) for key in keys])

    def seal(self, secrets: Mapping[str, str]) -> str:
        """Return the secrets as text that only this key opens."""
        return self._fernet.encrypt(json.dumps(dict(secrets), sort_keys=True).encode()).decode("ascii")

    def open(self, sealed: str) -> dict[str, str]:
        """Return the secrets.

        Raises:
            Unreadable: another key sealed them.
        """
        try:
            plain = self._fernet.decrypt(sealed.encode("ascii"))
        except (InvalidToken, ValueError) as error:
            raise Unreadable("the secrets of this account were sealed with another secret key") from error
        return {str(name): str(value) for name, value in json.loads(plain).items()}


def _fernet(key: bytes) -> Fernet:
    worked_out = HKDF(algorithm=SHA256(), length=32, salt=None, info=PURPOSE).derive(key)
    return Fernet(base64.urlsafe_b64encode(worked_out))
