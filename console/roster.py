"""The officers as announcements ask for them: `bot.announcements.people.Officers` over the accounts and their rights."""

from __future__ import annotations

from collections.abc import Sequence

from bot.announcements.people import APPROVE, Actor
from console.accounts import Accounts
from console.chats import Chats
from console.permissions import Officer, may
from content.places import Places


class Roster:
    """Answers from the accounts, anew each time: a right that was taken away a moment ago is gone."""

    def __init__(self, accounts: Accounts, chats: Chats, places: Places) -> None:
        self._accounts = accounts
        self._chats = chats
        self._places = places

    async def find(self, login: str) -> Actor | None:
        """Return an officer whose account is in use."""
        found = await self._accounts.by_login(login)
        return actor_of(found) if found is not None and found.active else None

    async def may(self, login: str, action: str, unit: str) -> bool:
        """Say whether an officer may do something in a unit now."""
        found = await self._accounts.by_login(login)
        return found is not None and may(found, action, unit, self._places)

    async def who_may(self, action: str, unit: str) -> Sequence[Actor]:
        """Return the officers who may do something in a unit."""
        return [actor_of(o) for o in await self._accounts.list() if may(o, action, unit, self._places)]

    async def superiors(self, unit: str) -> Sequence[Actor]:
        """Return who is to hear of what is urgent in a unit: who may approve there, of it and of the units above."""
        return await self.who_may(APPROVE, unit)

    async def conversation_of(self, login: str) -> int | None:
        """Return the conversation in which an officer gets notices."""
        found = await self._accounts.by_login(login)
        return None if found is None else await self._chats.conversation_of(found.id)

    async def of_conversation(self, conversation_id: int) -> Actor | None:
        """Return the officer to whom a conversation is linked."""
        found = await self._chats.officer_of(conversation_id)
        return None if found is None else actor_of(found)


def actor_of(officer: Officer) -> Actor:
    """Return an officer as somebody who acts."""
    return Actor(officer.login, officer.name, officer.unit)
