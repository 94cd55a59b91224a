"""The book of channel accounts: added, changed, switched off, and how each of them fares. Builds and runs nothing."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Update, and_, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from bot.accounts.vault import Vault
from bot.clock import Clock
from bot.storage.database import Database, aware
from bot.storage.tables import channel_account

NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?")
"""Account names stand in webhook addresses."""
STILL_WORKS: Final = timedelta(minutes=1)
"""An account that works is written down as such no more often than this."""


class NoAccount(LookupError):
    """There is no account of this channel and name."""


class AccountExists(ValueError):
    """There is one already."""


@dataclass(frozen=True, slots=True)
class Account:
    """One channel account without its secrets. `problem` is why it does not work, "" while it does."""

    channel: str
    account: str
    unit: str
    title: str
    options: Mapping[str, Any]
    active: bool
    version: int
    from_environment: bool = False
    receiving_problem: str = ""
    sending_problem: str = ""
    problem_at: datetime | None = None
    worked_at: datetime | None = None
    held_until: datetime | None = None
    receiver: str | None = None

    @property
    def key(self) -> tuple[str, str]:
        """By which the rest of the bot knows it."""
        return self.channel, self.account

    @property
    def problem(self) -> str:
        """The first thing to mend."""
        return self.receiving_problem or self.sending_problem


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
        """By which a change in the environment is noticed; tokens that were renewed since are then kept otherwise."""
        told = [self.unit, self.title, dict(self.secrets), dict(self.options)]
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


class AccountBook:
    """The accounts of one installation, over one database."""

    def __init__(self, database: Database, vault: Vault, clock: Clock) -> None:
        self.database = database
        self._vault = vault
        self._clock = clock

    # what officers and the environment do

    async def add(
        self,
        channel: str,
        account: str,
        *,
        unit: str,
        title: str,
        secrets: Mapping[str, str],
        options: Mapping[str, Any] | None = None,
    ) -> Account:
        """Write a new account down.

        Raises:
            AccountExists: the channel has one of this name.
            ValueError: the name is none that can stand in an address.
        """
        return await self._insert(Given(channel, account, unit, title, secrets, options or {}), None)

    async def take_given(self, given: Given) -> Account:
        """Write down, or bring up to date, the account that the environment describes.

        Secrets that changed by themselves since (renewed tokens) stay, unless the environment gives others than last time.
        """
        try:
            known = await self.get(given.channel, given.account)
        except NoAccount:
            try:
                return await self._insert(given, given.digest)
            except AccountExists:
                return await self.get(given.channel, given.account)
        async with self.database.write() as connection:
            where = and_(_is(given.channel, given.account), channel_account.c.given.is_distinct_from(given.digest))
            await connection.execute(
                update(channel_account)
                .where(where)
                .values(
                    unit=given.unit,
                    title=given.title,
                    options=dict(given.options),
                    secrets=self._vault.seal(given.secrets),
                    given=given.digest,
                    version=channel_account.c.version + 1,
                )
            )
            if not known.active and known.from_environment:
                await connection.execute(
                    update(channel_account)
                    .where(_is(given.channel, given.account))
                    .values(active=True, version=channel_account.c.version + 1)
                )
        return await self.get(given.channel, given.account)

    async def forget_given(self, still: Collection[tuple[str, str]]) -> None:
        """Switch off accounts that came from the environment and are not in it any more."""
        for known in await self.accounts():
            if known.from_environment and known.active and known.key not in still:
                await self.change(*known.key, active=False)

    async def change(
        self,
        channel: str,
        account: str,
        *,
        title: str | None = None,
        unit: str | None = None,
        options: Mapping[str, Any] | None = None,
        secrets: Mapping[str, str] | None = None,
        active: bool | None = None,
    ) -> Account:
        """Change what is given; running processes take it over within seconds. New secrets end a noted problem.

        Raises:
            NoAccount: there is none.
        """
        values: dict[str, Any] = {"version": channel_account.c.version + 1}
        if title is not None:
            values["title"] = title
        if unit is not None:
            values["unit"] = unit
        if options is not None:
            values["options"] = dict(options)
        if secrets is not None:
            values |= {"secrets": self._vault.seal(secrets), "receiving_problem": None, "sending_problem": None}
            values |= {"problem_at": None}
        if active is not None:
            values["active"] = active
        async with self.database.write() as connection:
            changed = await connection.execute(
                update(channel_account).where(_is(channel, account)).values(**values).returning(channel_account)
            )
            row = changed.mappings().one_or_none()
        if row is None:
            raise NoAccount(f"{channel}:{account}")
        return _account(row)

    async def _insert(self, given: Given, digest: str | None) -> Account:
        if not NAME.fullmatch(given.account):
            raise ValueError(f"an account's name is made of a-z, 0-9 and -: {given.account[:64]!r}")
        values = {
            "channel": given.channel,
            "account": given.account,
            "unit": given.unit,
            "title": given.title,
            "options": dict(given.options),
            "secrets": self._vault.seal(given.secrets),
            "given": digest,
            "active": True,
            "version": 1,
            "created_at": self._clock(),
        }
        try:
            async with self.database.write() as connection:
                await connection.execute(insert(channel_account).values(**values))
        except IntegrityError as error:
            raise AccountExists(f"{given.channel}:{given.account}") from error
        return await self.get(given.channel, given.account)

    # what is read

    async def get(self, channel: str, account: str) -> Account:
        """Return one account.

        Raises:
            NoAccount: there is none.
        """
        async with self.database.read() as connection:
            query = select(channel_account).where(_is(channel, account))
            row = (await connection.execute(query)).mappings().one_or_none()
        if row is None:
            raise NoAccount(f"{channel}:{account}")
        return _account(row)

    async def accounts(self, units: Collection[str] | None = None) -> list[Account]:
        """Return the accounts of some units (None: of all), by channel and name."""
        query = select(channel_account).order_by(channel_account.c.channel, channel_account.c.account)
        if units is not None:
            query = query.where(channel_account.c.unit.in_(list(units)))
        async with self.database.read() as connection:
            return [_account(row) for row in (await connection.execute(query)).mappings()]

    async def secrets(self, channel: str, account: str) -> dict[str, str]:
        """Return an account's secrets, for the channel alone.

        Raises:
            NoAccount: there is none.
            Unreadable: they were sealed with another secret key.
        """
        async with self.database.read() as connection:
            sealed = await connection.scalar(select(channel_account.c.secrets).where(_is(channel, account)))
        if sealed is None:
            raise NoAccount(f"{channel}:{account}")
        return self._vault.open(sealed)

    async def renew_secrets(self, channel: str, account: str, secrets: Mapping[str, str]) -> None:
        """Write down secrets that changed by themselves (renewed tokens); no process has to start its account anew.

        Raises:
            NoAccount: there is none.
        """
        sealed = self._vault.seal(secrets)
        if await self._write(update(channel_account).where(_is(channel, account)).values(secrets=sealed)) != 1:
            raise NoAccount(f"{channel}:{account}")

    async def versions(self) -> dict[tuple[str, str], int]:
        """Return each active account's version: what a running process compares with what it runs."""
        query = select(channel_account.c.channel, channel_account.c.account, channel_account.c.version).where(
            channel_account.c.active
        )
        async with self.database.read() as connection:
            return {(r.channel, r.account): r.version for r in await connection.execute(query)}

    async def held(self) -> dict[tuple[str, str], datetime]:
        """Return the accounts that a messenger asked to wait, and until when."""
        query = select(channel_account.c.channel, channel_account.c.account, channel_account.c.held_until).where(
            channel_account.c.held_until > self._clock()
        )
        async with self.database.read() as connection:
            rows = await connection.execute(query)
            return {(r.channel, r.account): until for r in rows if (until := aware(r.held_until)) is not None}

    # how an account fares

    async def report(self, channel: str, account: str, *, receiving: str, sending: str) -> None:
        """Write down why an account does not work, or that it does; nothing is written where nothing changed."""
        now = self._clock()
        problem = receiving or sending
        changed: ColumnElement[bool] = or_(
            func.coalesce(channel_account.c.receiving_problem, "") != receiving[:120],
            func.coalesce(channel_account.c.sending_problem, "") != sending[:120],
        )
        if not problem:
            changed = or_(
                changed, channel_account.c.worked_at.is_(None), channel_account.c.worked_at < now - STILL_WORKS
            )
        values: dict[str, Any] = {
            "receiving_problem": receiving[:120] or None,
            "sending_problem": sending[:120] or None,
            "problem_at": func.coalesce(channel_account.c.problem_at, now) if problem else None,
        }
        if not problem:
            values["worked_at"] = now
        await self._write(update(channel_account).where(_is(channel, account), changed).values(**values))

    async def hold(self, channel: str, account: str, until: datetime) -> None:
        """Note for every process that the messenger asked this account to wait."""
        later = or_(channel_account.c.held_until.is_(None), channel_account.c.held_until < until)
        await self._write(update(channel_account).where(_is(channel, account), later).values(held_until=until))

    # who receives, who renews

    async def take(self, channel: str, account: str, owner: str, span: timedelta) -> bool:
        """Become, or stay, the one process that receives for an account; False while another one is."""
        return await self._take(channel, account, "receiver", owner, span)

    async def leave(self, channel: str, account: str, owner: str) -> None:
        """Let another process receive."""
        await self._leave(channel, account, "receiver", owner)

    async def take_renewal(self, channel: str, account: str, owner: str, span: timedelta) -> bool:
        """Become the one task that renews an account's tokens; False while another one is."""
        return await self._take(channel, account, "renewer", owner, span)

    async def leave_renewal(self, channel: str, account: str, owner: str) -> None:
        """Let others renew."""
        await self._leave(channel, account, "renewer", owner)

    async def _take(self, channel: str, account: str, right: str, owner: str, span: timedelta) -> bool:
        now = self._clock()
        holder, until = channel_account.c[right], channel_account.c[f"{right}_until"]
        free = or_(holder.is_(None), holder == owner, until < now)
        mine = {right: owner, f"{right}_until": now + span}
        return await self._write(update(channel_account).where(_is(channel, account), free).values(mine)) == 1

    async def _leave(self, channel: str, account: str, right: str, owner: str) -> None:
        mine = (_is(channel, account), channel_account.c[right] == owner)
        await self._write(update(channel_account).where(*mine).values({right: None, f"{right}_until": None}))

    async def _write(self, statement: Update) -> int:
        """Run one statement as a unit, which cannot be cut short in the middle; return how many rows it changed."""
        return await self.database.unit(lambda connection: connection.execute(statement).rowcount)


def _is(channel: str, account: str) -> ColumnElement[bool]:
    return and_(channel_account.c.channel == channel, channel_account.c.account == account)


def _account(row: Any) -> Account:
    return Account(
        channel=row["channel"],
        account=row["account"],
        unit=row["unit"],
        title=row["title"],
        options=dict(row["options"]),
        active=row["active"],
        version=row["version"],
        from_environment=row["given"] is not None,
        receiving_problem=row["receiving_problem"] or "",
        sending_problem=row["sending_problem"] or "",
        problem_at=aware(row["problem_at"]),
        worked_at=aware(row["worked_at"]),
        held_until=aware(row["held_until"]),
        receiver=row["receiver"],
    )
