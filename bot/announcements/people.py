"""The officers, as announcements know them. Who they are and what they may is decided above; it is asked through these."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

ANNOUNCE: Final = "announce"
"""Write, submit, schedule, pause, resume, stop and take back, within one's unit."""
APPROVE: Final = "approve_announcements"
"""Say yes or no to what somebody else wrote."""
SEE: Final = "see_announcements"
SET_POLICY: Final = "set_announcement_policy"
"""Say whether a unit's announcements need a second person."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody with an account, while they act. `unit` is theirs; what they may do is asked anew each time."""

    login: str
    name: str
    unit: str


class Officers(Protocol):
    """What the floor above answers. Everything it does not know is a no."""

    async def find(self, login: str) -> Actor | None:
        """Return an officer whose account is in use."""

    async def may(self, login: str, action: str, unit: str) -> bool:
        """Say whether an officer may do something in a unit now."""

    async def who_may(self, action: str, unit: str) -> Sequence[Actor]:
        """Return the officers who may do something in a unit."""

    async def superiors(self, unit: str) -> Sequence[Actor]:
        """Return who is to hear of what is urgent in a unit: who may approve there, and in the units above."""

    async def conversation_of(self, login: str) -> int | None:
        """Return the conversation in which an officer gets notices; None if they linked none."""

    async def of_conversation(self, conversation_id: int) -> Actor | None:
        """Return the officer to whom a conversation is linked, if their account is in use."""
