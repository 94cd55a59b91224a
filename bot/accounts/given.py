"""An account as the environment describes it, and what a new description changes: never a token renewed since."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

TOKENS: Final = frozenset({"access_token", "refresh_token"})
"""Secrets that a channel renews by itself."""
NOTES: Final = frozenset({"granted_at", "expires_at", "renewal_began", "seed"})
"""What a channel notes beside its tokens, about this very pair (`bot.channels.zalo_oa.tokens`)."""


@dataclass(frozen=True, slots=True)
class Given:
    """An account as the environment describes it."""

    channel: str
    account: str
    unit: str
    title: str
    secrets: Mapping[str, str] = field(repr=False)
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """By which a change of what is not secret is noticed; secrets are compared one by one (`news`)."""
        return _digest([self.unit, self.title, dict(self.options)])

    def digest_of_old(self, unit: str, title: str, options: Mapping[str, Any]) -> str:
        """Return the digest that earlier versions stored of these secrets and such a description, in one."""
        return _digest([unit, title, dict(self.secrets), dict(options)])


def news(given: Mapping[str, str], last: Mapping[str, str]) -> dict[str, str]:
    """Return the secrets that are given otherwise than last time.

    One that is not given any more stays as it is: a process started without a variable takes nothing from the others.
    """
    return {name: value for name, value in given.items() if value and value != last.get(name)}


def merged(stored: Mapping[str, str], changes: Mapping[str, str]) -> dict[str, str]:
    """Return the secrets after some were replaced; "" removes one. What was noted about replaced tokens goes with them."""
    stale = NOTES if TOKENS & changes.keys() else frozenset()
    both = {name: value for name, value in stored.items() if name not in stale} | dict(changes)
    return {name: value for name, value in both.items() if value}


def _digest(told: list[Any]) -> str:
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
