"""Who may do what: roles, their actions, and the rule of one's own unit and below. Everything unknown is refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Final

from bot.announcements import people
from bot.questions import desk as questions
from console.units import within
from content.places import Places

ROLES: Final = ("viewer", "officer", "approver", "admin")
"""From the lowest to the highest; a role that is not here ranks below all of them."""

SEE_FIGURES: Final = "see_figures"
SEE_ANNOUNCEMENTS: Final = people.SEE
ANNOUNCE: Final = people.ANNOUNCE
APPROVE: Final = people.APPROVE
SET_POLICY: Final = people.SET_POLICY
ANSWER_QUESTIONS: Final = questions.ANSWER
"""What citizens wrote is shown to those who answer it, and to nobody else."""
SEE_PACKS: Final = "see_packs"
MANAGE_USERS: Final = "manage_users"

_SEE: Final = frozenset({SEE_FIGURES, SEE_ANNOUNCEMENTS, SEE_PACKS})
PERMISSIONS: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "viewer": _SEE,
        "officer": _SEE | {ANNOUNCE, ANSWER_QUESTIONS},
        "approver": _SEE | {ANNOUNCE, APPROVE, ANSWER_QUESTIONS},
        "admin": _SEE | {ANNOUNCE, APPROVE, SET_POLICY, MANAGE_USERS, ANSWER_QUESTIONS},
    }
)
"""What each role may do within its unit. Nobody approves what they wrote themselves, whatever their role."""


@dataclass(frozen=True, slots=True)
class Officer:
    """Somebody with an account. `has_password` is false until the one-time link was used."""

    id: int
    name: str
    login: str
    unit: str
    role: str
    active: bool
    has_password: bool
    created_at: datetime
    last_login_at: datetime | None


def rank(role: str) -> int:
    """Return a role's place among the roles, 0 for the lowest; -1 for an unknown one, so a comparison fails closed."""
    return ROLES.index(role) if role in ROLES else -1


def allowed(officer: Officer, action: str) -> bool:
    """Say whether an officer may do something at all, in whatever unit."""
    return officer.active and action in PERMISSIONS.get(officer.role, frozenset())


def may(officer: Officer, action: str, unit_slug: str, places: Places) -> bool:
    """Say whether an officer may do something in a unit: their own or one below it.

    False for an account that is switched off, and for a role, action or unit nobody knows.
    """
    return allowed(officer, action) and unit_slug in within(places, officer.unit)
