"""Officers of the test villages, without the console: who may what stands in a table that a test can change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from bot.announcements.people import ANNOUNCE, APPROVE, SEE, SET_POLICY, Actor
from bot.questions.desk import ANSWER
from content.places import Places, within

RIGHTS = {
    "viewer": {SEE},
    "officer": {SEE, ANNOUNCE, ANSWER},
    "approver": {SEE, ANNOUNCE, APPROVE, ANSWER},
    "admin": {SEE, ANNOUNCE, APPROVE, SET_POLICY, ANSWER},
}


@dataclass
class Staff:
    """An `Officers`. `roles` is by login."""

    places: Places
    people: dict[str, Actor] = field(default_factory=dict)
    roles: dict[str, str] = field(default_factory=dict)
    chats: dict[str, int] = field(default_factory=dict)

    def hire(self, login: str, role: str = "officer", unit: str = "phu-thong") -> str:
        self.people[login] = Actor(login, login.replace("-", " ").title(), unit)
        self.roles[login] = role
        return login

    def dismiss(self, login: str) -> None:
        del self.people[login]

    async def find(self, login: str) -> Actor | None:
        return self.people.get(login)

    async def may(self, login: str, action: str, unit: str) -> bool:
        known = self.people.get(login)
        return (
            known is not None
            and action in RIGHTS.get(self.roles[login], set())
            and unit in within(self.places, known.unit)
        )

    async def who_may(self, action: str, unit: str) -> Sequence[Actor]:
        return [actor for login, actor in self.people.items() if await self.may(login, action, unit)]

    async def superiors(self, unit: str) -> Sequence[Actor]:
        return await self.who_may(APPROVE, unit)

    async def conversation_of(self, login: str) -> int | None:
        return self.chats.get(login)

    async def of_conversation(self, conversation_id: int) -> Actor | None:
        return next((self.people.get(login) for login, chat in self.chats.items() if chat == conversation_id), None)
