"""Accounts of officers: made by the operator, opened by a one-time link, entered with a password, left by a click.

Tokens (links, sessions) are 256 random bits; only their SHA-256 is kept, so that a copy of the database opens nothing.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Select, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.clock import Clock
from bot.storage.database import Database, aware
from console import audit
from console.passwords import Passwords, fault_of
from console.permissions import ROLES, Officer
from console.tables import (
    login_attempt,
    officer,
    officer_chat,
    officer_code,
    officer_key,
    officer_link,
    officer_session,
)
from console.units import province_of, within
from content.places import Places, slug_of

LINK_LASTS: Final = timedelta(hours=24)
IDLE: Final = timedelta(hours=2)
SESSION_LASTS: Final = timedelta(hours=12)
WINDOW: Final = timedelta(minutes=15)
PER_LOGIN: Final = 5
"""Failed logins of one account within the window; from then on the right password does not help either."""
PER_ADDRESS: Final = 20
SEEN_EVERY: Final = timedelta(minutes=1)
"""A session's last use is written down this often, not with every picture of a page."""
LONGEST_NAME: Final = 120


class AccountError(ValueError):
    """An account cannot be made or opened like this. `key` names the sentence in the catalogue."""

    def __init__(self, key: str, **values: object) -> None:
        super().__init__(key)
        self.key = key
        self.values = values


class LoginRefusal(StrEnum):
    """Why a login failed, as far as the page says it."""

    WRONG = "wrong"
    """Unknown login, wrong password, switched off, no password yet: the same answer for all."""
    TOO_MANY = "too_many"


@dataclass(frozen=True, slots=True)
class Link:
    """A one-time link that is still good. `officer` None: it makes the first administrator."""

    officer: Officer | None


class Accounts:
    """Officers, their links and their sessions, over one database."""

    def __init__(
        self, database: Database, places: Places, clock: Clock, passwords: Passwords | None = None, *, key: bytes = b""
    ) -> None:
        """`key` is mixed into what is kept of addresses that failed to log in."""
        self.database = database
        self._places = places
        self.clock = clock
        self._passwords = passwords or Passwords()
        self._key = key

    # making accounts

    async def add(self, name: str, unit: str, role: str, *, by: Officer | None = None) -> tuple[Officer, str]:
        """Make an account; return it with the token of its one-time link.

        Args:
            by: who makes it; None for the operator's command line.

        Raises:
            AccountError: the name is empty, the unit or the role does not exist.
        """
        name = " ".join(name.split())
        if not name or len(name) > LONGEST_NAME or not slug_of(name):
            raise AccountError("name")
        if role not in ROLES:
            raise AccountError("role", roles=", ".join(ROLES))
        if not within(self._places, unit):
            raise AccountError("unit", unit=unit[:64], province=province_of(self._places))
        now = self.clock()
        async with self.database.write() as connection:
            made = await self._insert(connection, name, unit, role, now)
            token = await self._link(connection, made, now)
            await audit.note(
                connection,
                at=now,
                action=audit.OFFICER_ADDED,
                officer_id=by.id if by else None,
                unit=unit,
                subject=made.login,
            )
        return made, token

    async def list(self, units: Sequence[str] | None = None) -> list[Officer]:
        """Return the accounts of some units (None: of all), by unit and login."""
        query = _officers().order_by(officer.c.unit, officer.c.login)
        if units is not None:
            query = query.where(officer.c.unit.in_(units))
        async with self.database.read() as connection:
            return [_officer(row) for row in (await connection.execute(query)).mappings()]

    async def by_login(self, login: str) -> Officer | None:
        """Return the account with a login."""
        async with self.database.read() as connection:
            row = (await connection.execute(_officers().where(officer.c.login == login))).mappings().one_or_none()
        return None if row is None else _officer(row)

    async def by_id(self, officer_id: int) -> Officer | None:
        """Return the account with an id."""
        async with self.database.read() as connection:
            row = (await connection.execute(_officers().where(officer.c.id == officer_id))).mappings().one_or_none()
        return None if row is None else _officer(row)

    async def disable(self, login: str, *, by: Officer | None = None) -> Officer:
        """Switch an account off; its sessions, links, codes, keys and its conversation end at once.

        Raises:
            AccountError: there is no such account.
        """
        now = self.clock()
        async with self.database.write() as connection:
            known = await self._known(connection, login)
            await connection.execute(update(officer).where(officer.c.id == known.id).values(active=False))
            await connection.execute(delete(officer_session).where(officer_session.c.officer_id == known.id))
            for table in (officer_link, officer_code, officer_chat, officer_key):
                await connection.execute(delete(table).where(table.c.officer_id == known.id))
            await audit.note(
                connection,
                at=now,
                action=audit.OFFICER_DISABLED,
                officer_id=by.id if by else None,
                unit=known.unit,
                subject=login,
            )
        return known

    async def reset_link(self, login: str, *, by: Officer | None = None) -> str:
        """Return a new one-time link; the password of before, all sessions, codes, keys and its conversation end.

        An account that was off is on again.

        Raises:
            AccountError: there is no such account.
        """
        now = self.clock()
        async with self.database.write() as connection:
            known = await self._known(connection, login)
            await connection.execute(
                update(officer).where(officer.c.id == known.id).values(password_hash=None, active=True)
            )
            for table in (officer_session, officer_code, officer_chat, officer_key):
                await connection.execute(delete(table).where(table.c.officer_id == known.id))
            token = await self._link(connection, known, now)
            await audit.note(
                connection,
                at=now,
                action=audit.LINK_MADE,
                officer_id=by.id if by else None,
                unit=known.unit,
                subject=login,
            )
        return token

    async def first_link(self) -> str | None:
        """Return a link that makes the first administrator; None once there is one with a password."""
        now = self.clock()
        async with self.database.write() as connection:
            if await self._has_administrator(connection):
                return None
            await connection.execute(delete(officer_link).where(officer_link.c.officer_id.is_(None)))
            return await self._link(connection, None, now)

    # links

    async def link(self, token: str) -> Link | None:
        """Return what a link is for; None if it was used, is too old or never was."""
        async with self.database.read() as connection:
            return await self._good_link(connection, token)

    async def use_link(self, token: str, password: str, name: str = "") -> Officer:
        """Set the password through a one-time link, and make the first administrator if that is what it is for.

        Raises:
            AccountError: the link is not good, or the password (or name) is not accepted.
        """
        now = self.clock()
        async with self.database.read() as connection:
            good = await self._good_link(connection, token)
        if good is None:
            raise AccountError("link")
        name = " ".join(name.split())
        if good.officer is None and (not name or len(name) > LONGEST_NAME or not slug_of(name)):
            raise AccountError("name")
        personal = (good.officer.name, good.officer.login) if good.officer else (name,)
        if fault := fault_of(password, *personal):
            raise AccountError(f"password_{fault}")
        hashed = await self._passwords.hash(password)
        async with self.database.write() as connection:
            used = await connection.execute(
                update(officer_link)
                .where(officer_link.c.token_hash == _digest(token), officer_link.c.used_at.is_(None))
                .values(used_at=now)
                .returning(officer_link.c.token_hash)
            )
            if used.first() is None:
                raise AccountError("link")
            owner = good.officer
            if owner is None:
                if await self._has_administrator(connection):
                    raise AccountError("link")
                owner = await self._insert(connection, name, province_of(self._places), "admin", now)
            await connection.execute(update(officer).where(officer.c.id == owner.id).values(password_hash=hashed))
            await connection.execute(delete(officer_session).where(officer_session.c.officer_id == owner.id))
            await audit.note(
                connection,
                at=now,
                action=audit.PASSWORD_SET,
                officer_id=owner.id,
                unit=owner.unit,
                subject=owner.login,
            )
        found = await self.by_login(owner.login)
        assert found is not None, "it was written a moment ago"
        return found

    # sessions

    async def login(self, login: str, password: str, address: str) -> str | LoginRefusal:
        """Return the token of a new session, or why not.

        A login that does not exist takes as long as a wrong password and gets the same answer.
        """
        now = self.clock()
        keys = (self._attempt_key("login", login.casefold()), self._attempt_key("address", address))
        async with self.database.read() as connection:
            failed = [await _failures(connection, key, now) for key in keys]
            row = (
                (await connection.execute(select(officer).where(officer.c.login == login.strip().lower())))
                .mappings()
                .one_or_none()
            )
        if failed[0] >= PER_LOGIN or failed[1] >= PER_ADDRESS:
            async with self.database.write() as connection:
                await audit.note(connection, at=now, action=audit.LOGIN_THROTTLED)
            return LoginRefusal.TOO_MANY
        kept = row["password_hash"] if row is not None and row["active"] else None
        fits = await self._passwords.fits(kept, password)
        async with self.database.write() as connection:
            await connection.execute(delete(login_attempt).where(login_attempt.c.at < now - WINDOW))
            if row is None or not fits:
                await connection.execute(insert(login_attempt), [{"key": key, "at": now} for key in keys])
                await audit.note(connection, at=now, action=audit.LOGIN_FAILED)
                return LoginRefusal.WRONG
            still = await connection.scalar(select(officer.c.active).where(officer.c.id == row["id"]))
            if not still:
                return LoginRefusal.WRONG
            token = secrets.token_urlsafe(32)
            await connection.execute(
                insert(officer_session).values(
                    token_hash=_digest(token), officer_id=row["id"], created_at=now, last_seen_at=now
                )
            )
            await connection.execute(delete(officer_session).where(officer_session.c.created_at < now - SESSION_LASTS))
            await connection.execute(update(officer).where(officer.c.id == row["id"]).values(last_login_at=now))
            await connection.execute(delete(login_attempt).where(login_attempt.c.key == keys[0]))
            await audit.note(
                connection,
                at=now,
                action=audit.LOGIN,
                officer_id=row["id"],
                unit=row["unit"],
                subject=row["login"],
            )
        return token

    async def session(self, token: str) -> Officer | None:
        """Return whose session a token is; None if it ended or never was."""
        now = self.clock()
        query = (
            select(officer, officer_session.c.created_at.label("began"), officer_session.c.last_seen_at.label("seen"))
            .join(officer_session, officer_session.c.officer_id == officer.c.id)
            .where(officer_session.c.token_hash == _digest(token), officer.c.active)
        )
        async with self.database.read() as connection:
            row = (await connection.execute(query)).mappings().one_or_none()
        if row is None:
            return None
        began, seen = aware(row["began"]) or now, aware(row["seen"]) or now
        if now - began >= SESSION_LASTS or now - seen >= IDLE:
            await self.logout(token)
            return None
        if now - seen >= SEEN_EVERY:
            async with self.database.write() as connection:
                await connection.execute(
                    update(officer_session)
                    .where(officer_session.c.token_hash == _digest(token))
                    .values(last_seen_at=now)
                )
        return _officer(row)

    async def logout(self, token: str) -> None:
        """End a session."""
        async with self.database.write() as connection:
            gone = await connection.execute(
                delete(officer_session)
                .where(officer_session.c.token_hash == _digest(token))
                .returning(officer_session.c.officer_id)
            )
            for officer_id in gone.scalars():
                await audit.note(connection, at=self.clock(), action=audit.LOGOUT, officer_id=officer_id)

    # parts

    def _attempt_key(self, kind: str, value: str) -> str:
        return hashlib.blake2b(f"{kind}:{value}".encode(), key=self._key[:64], digest_size=16).hexdigest()

    async def _insert(self, connection: AsyncConnection, name: str, unit: str, role: str, now: datetime) -> Officer:
        base = slug_of(name)[:36].strip("-")
        taken = set(
            (await connection.execute(select(officer.c.login).where(officer.c.login.like(f"{base}%")))).scalars()
        )
        login = next(
            candidate for i in range(1, 10_000) if (candidate := base if i == 1 else f"{base}-{i}") not in taken
        )
        values = {"name": name, "login": login, "unit": unit, "role": role, "active": True, "created_at": now}
        try:
            made = await connection.execute(insert(officer).values(**values).returning(officer.c.id))
        except IntegrityError as error:
            raise AccountError("busy") from error
        return Officer(made.scalar_one(), name, login, unit, role, True, False, now, None)

    async def _link(self, connection: AsyncConnection, owner: Officer | None, now: datetime) -> str:
        if owner is not None:
            await connection.execute(delete(officer_link).where(officer_link.c.officer_id == owner.id))
        token = secrets.token_urlsafe(32)
        await connection.execute(
            insert(officer_link).values(
                token_hash=_digest(token),
                officer_id=owner.id if owner else None,
                created_at=now,
                expires_at=now + LINK_LASTS,
            )
        )
        return token

    async def _good_link(self, connection: AsyncConnection, token: str) -> Link | None:
        query = select(officer_link).where(officer_link.c.token_hash == _digest(token))
        row = (await connection.execute(query)).mappings().one_or_none()
        if row is None or row["used_at"] is not None or (aware(row["expires_at"]) or self.clock()) <= self.clock():
            return None
        if row["officer_id"] is None:
            return None if await self._has_administrator(connection) else Link(None)
        owner = (
            (await connection.execute(_officers().where(officer.c.id == row["officer_id"], officer.c.active)))
            .mappings()
            .one_or_none()
        )
        return None if owner is None else Link(_officer(owner))

    async def _known(self, connection: AsyncConnection, login: str) -> Officer:
        row = (await connection.execute(_officers().where(officer.c.login == login))).mappings().one_or_none()
        if row is None:
            raise AccountError("unknown", login=login[:40])
        return _officer(row)

    async def _has_administrator(self, connection: AsyncConnection) -> bool:
        query = select(officer.c.id).where(
            officer.c.role == "admin", officer.c.active, officer.c.password_hash.is_not(None)
        )
        return (await connection.execute(query.limit(1))).first() is not None


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _officers() -> Select[Any]:
    return select(officer)


def _officer(row: Any) -> Officer:
    return Officer(
        row["id"],
        row["name"],
        row["login"],
        row["unit"],
        row["role"],
        bool(row["active"]),
        row["password_hash"] is not None,
        aware(row["created_at"]) or row["created_at"],
        aware(row["last_login_at"]),
    )


async def _failures(connection: AsyncConnection, key: str, now: datetime) -> int:
    query = (
        select(func.count())
        .select_from(login_attempt)
        .where(login_attempt.c.key == key, login_attempt.c.at > now - WINDOW)
    )
    return int(await connection.scalar(query) or 0)
