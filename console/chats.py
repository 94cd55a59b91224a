"""What leads from a conversation or a program to an account: one-time codes, linked chats, keys of the API.

Codes and keys are random; only their SHA-256 is kept. A code holds for a quarter of an hour and once.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.clock import Clock
from bot.storage.database import Database, aware
from console import audit
from console.accounts import AccountError, Accounts
from console.permissions import Officer
from console.tables import login_attempt, officer_chat, officer_code, officer_key

CODE_LASTS: Final = timedelta(minutes=15)
KEY_LASTS: Final = timedelta(days=90)
LETTERS: Final = "bcdfghjkmnpqrstvwxz"
"""Nothing that looks like something else, nothing that a filter takes for somebody's number."""
CODE_LENGTH: Final = 10
GUESSES: Final = 5
"""Wrong codes of one conversation within a quarter of an hour."""
KEY_PREFIX: Final = "cds_"


class Chats:
    """Links between accounts, conversations and programs, over one database."""

    def __init__(self, database: Database, accounts: Accounts, clock: Clock) -> None:
        self._database = database
        self._accounts = accounts
        self._clock = clock

    @classmethod
    def of(cls, accounts: Accounts) -> Chats:
        """Return the links over the same database and clock as the accounts."""
        return cls(accounts.database, accounts, accounts.clock)

    async def make_code(self, login: str) -> str:
        """Return a code that links the next conversation that says it to an account; an older code ends.

        Raises:
            AccountError: there is no such account in use.
        """
        owner = await self._in_use(login)
        code = "".join(secrets.choice(LETTERS) for _ in range(CODE_LENGTH))
        now = self._clock()
        async with self._database.write() as connection:
            await connection.execute(delete(officer_code).where(officer_code.c.officer_id == owner.id))
            await connection.execute(
                insert(officer_code).values(code_hash=_digest(code), officer_id=owner.id, expires_at=now + CODE_LASTS)
            )
            await audit.note(
                connection, at=now, action=audit.CODE_MADE, officer_id=owner.id, unit=owner.unit, subject=login
            )
        return code

    async def use_code(self, code: str, conversation_id: int) -> Officer | None:
        """Link a conversation to the account of a code; None for a code that is not good, or after too many guesses."""
        now = self._clock()
        key = f"chat:{conversation_id}"
        async with self._database.write() as connection:
            await connection.execute(delete(login_attempt).where(login_attempt.c.at < now - CODE_LASTS))
            guesses = await connection.execute(select(login_attempt.c.id).where(login_attempt.c.key == key))
            if len(guesses.all()) >= GUESSES:
                return None
            used = await connection.execute(
                delete(officer_code)
                .where(officer_code.c.code_hash == _digest(code.strip().lower()), officer_code.c.expires_at > now)
                .returning(officer_code.c.officer_id)
            )
            officer_id = used.scalar_one_or_none()
            if officer_id is None:
                await connection.execute(insert(login_attempt).values(key=key, at=now))
                return None
            await self._unlink(connection, officer_chat.c.officer_id == officer_id)
            await self._unlink(connection, officer_chat.c.conversation_id == conversation_id)
            await connection.execute(
                insert(officer_chat).values(officer_id=officer_id, conversation_id=conversation_id, linked_at=now)
            )
            await audit.note(connection, at=now, action=audit.CHAT_LINKED, officer_id=officer_id)
        return await self.officer_of(conversation_id)

    async def unlink(self, conversation_id: int) -> bool:
        """Cut a conversation loose; False if it was linked to nobody."""
        async with self._database.write() as connection:
            return await self._unlink(connection, officer_chat.c.conversation_id == conversation_id)

    async def officer_of(self, conversation_id: int) -> Officer | None:
        """Return whose conversation it is; None if nobody's, or if their account is off."""
        async with self._database.read() as connection:
            query = select(officer_chat.c.officer_id).where(officer_chat.c.conversation_id == conversation_id)
            officer_id = await connection.scalar(query)
        found = None if officer_id is None else await self._accounts.by_id(officer_id)
        return found if found is not None and found.active else None

    async def conversation_of(self, officer_id: int) -> int | None:
        """Return the conversation of an account."""
        async with self._database.read() as connection:
            query = select(officer_chat.c.conversation_id).where(officer_chat.c.officer_id == officer_id)
            return await connection.scalar(query)

    async def make_key(self, login: str) -> str:
        """Return a key with which a program acts as an officer.

        Raises:
            AccountError: there is no such account in use.
        """
        owner = await self._in_use(login)
        key, now = KEY_PREFIX + secrets.token_urlsafe(32), self._clock()
        async with self._database.write() as connection:
            await connection.execute(delete(officer_key).where(officer_key.c.expires_at <= now))
            await connection.execute(
                insert(officer_key).values(
                    token_hash=_digest(key), officer_id=owner.id, created_at=now, expires_at=now + KEY_LASTS
                )
            )
            await audit.note(
                connection, at=now, action=audit.KEY_MADE, officer_id=owner.id, unit=owner.unit, subject=login
            )
        return key

    async def officer_of_key(self, key: str) -> Officer | None:
        """Return as whom a key acts; None for one that is not good (any more)."""
        async with self._database.read() as connection:
            row = (
                await connection.execute(select(officer_key).where(officer_key.c.token_hash == _digest(key)))
            ).mappings().one_or_none()  # fmt: skip
        if row is None or _over(row["expires_at"], self._clock()):
            return None
        found = await self._accounts.by_id(row["officer_id"])
        return found if found is not None and found.active else None

    async def _in_use(self, login: str) -> Officer:
        owner = await self._accounts.by_login(login)
        if owner is None or not owner.active:
            raise AccountError("unknown", login=login[:40])
        return owner

    async def _unlink(self, connection: AsyncConnection, where: object) -> bool:
        gone = await connection.execute(
            delete(officer_chat).where(where).returning(officer_chat.c.officer_id)  # type: ignore[arg-type]
        )
        ids = gone.scalars().all()
        for officer_id in ids:
            await audit.note(connection, at=self._clock(), action=audit.CHAT_UNLINKED, officer_id=officer_id)
        return bool(ids)


def _over(expires_at: datetime, now: datetime) -> bool:
    return (aware(expires_at) or now) <= now


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
