"""The book of channel accounts: added, changed, switched off, and how each of them fares. Builds and runs nothing."""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, RowMapping, Update, and_, case, func, insert, literal, null, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.accounts.given import Given, merged, news
from bot.accounts.vault import Unreadable, Vault
from bot.clock import Clock
from bot.storage.database import Database, aware
from bot.storage.tables import Moment, channel_account

NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?")
"""Account names stand in webhook addresses."""
STILL_WORKS: Final = timedelta(minutes=1)
"""An account that works is written down as such no more often than this."""
LONGEST: Final = 400
"""Characters of a problem; the column's length. The longest of ours also says what to do, so it has to fit."""
MENDED: Final[dict[str, Any]] = {"receiving_problem": None, "sending_problem": None, "problem_at": None}

log = logging.getLogger(__name__)


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
        given = Given(channel, account, unit, title, secrets, options or {})
        return await self._insert(given, from_environment=False)

    async def take_given(self, given: Given) -> Account:
        """Write down, or bring up to date, the account that the environment describes.

        Each secret is replaced only if the environment gives another one than last time: what a channel renewed since is
        newer than what still stands there. Whether the account is on is the officers' affair, and stays as it is.
        """
        async with self.database.write() as connection:
            known = await self._locked(connection, given.channel, given.account)
            if known is not None and (values := self._changes(known, given)):
                await connection.execute(
                    update(channel_account).where(_is(given.channel, given.account)).values(**values)
                )
        if known is None:
            try:
                return await self._insert(given, from_environment=True)
            except AccountExists:
                log.info("another process has just written the account down", extra={"account": given.account})
        return await self.get(given.channel, given.account)

    def _changes(self, known: RowMapping, given: Given) -> dict[str, Any]:
        """Return what the environment changes of an account; {} for nothing."""
        old = known["given"] if known["given_secrets"] is None else None
        if old == given.digest_of_old(given.unit, given.title, given.options):
            return {"given": given.digest, "given_secrets": self._vault.seal(given.secrets)}
        values: dict[str, Any] = {}
        if known["given"] != given.digest:
            values = {"unit": given.unit, "title": given.title, "options": dict(given.options), "given": given.digest}
        try:
            stored = self._vault.open(known["secrets"])
            last = {} if known["given_secrets"] is None else self._vault.open(known["given_secrets"])
        except Unreadable:
            # Most likely it is this process that has the wrong key: what the others can read is left alone.
            log.error("secrets sealed with another key are left as they are", extra={"account": given.account})
            return values and values | {"version": channel_account.c.version + 1}
        if old == given.digest_of_old(known["unit"], known["title"], known["options"]):
            last = dict(given.secrets)
        if changed := news(given.secrets, last):
            values |= MENDED | {"secrets": self._vault.seal(merged(stored, changed))}
        if values:
            values["version"] = channel_account.c.version + 1
        if changed or known["given_secrets"] is None:
            values["given_secrets"] = self._vault.seal(last | changed)
        return values

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

        Args:
            secrets: those that are replaced, the others stay; "" removes one. Where tokens may be renewed at the same
                time, hold `SecretKeeper.lease`.

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
        if active is not None:
            values["active"] = active
        async with self.database.write() as connection:
            if secrets is not None and (known := await self._locked(connection, channel, account)) is not None:
                values |= MENDED | {"secrets": self._vault.seal(merged(self._readable(known["secrets"]), secrets))}
            changed = await connection.execute(
                update(channel_account).where(_is(channel, account)).values(**values).returning(channel_account)
            )
            row = changed.mappings().one_or_none()
        if row is None:
            raise NoAccount(f"{channel}:{account}")
        return _account(row)

    async def _locked(self, connection: AsyncConnection, channel: str, account: str) -> RowMapping | None:
        """Return an account's row, which nobody else changes before the transaction ends; None if there is none."""
        query = select(channel_account).where(_is(channel, account)).with_for_update()
        return (await connection.execute(query)).mappings().one_or_none()

    def _readable(self, sealed: str) -> dict[str, str]:
        """Return the secrets; {} if another key sealed them, since new ones are the way out of that."""
        try:
            return self._vault.open(sealed)
        except Unreadable:
            return {}

    async def _insert(self, given: Given, *, from_environment: bool) -> Account:
        if not NAME.fullmatch(given.account):
            raise ValueError(f"an account's name is made of a-z, 0-9 and -: {given.account[:64]!r}")
        values = {
            "channel": given.channel,
            "account": given.account,
            "unit": given.unit,
            "title": given.title,
            "options": dict(given.options),
            "secrets": self._vault.seal(merged({}, given.secrets)),
            "given": given.digest if from_environment else None,
            "given_secrets": self._vault.seal(given.secrets) if from_environment else None,
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

    async def report(
        self, channel: str, account: str, *, receiving: str | None = None, sending: str | None = None
    ) -> None:
        """Write down why an account does not work, or that it does; nothing is written where nothing changed.

        Args:
            receiving, sending: the problem, "" for none; None leaves what others have written.
        """
        now = self._clock()
        columns = channel_account.c
        told = {"receiving_problem": receiving, "sending_problem": sending}
        news_of = {name: problem[:LONGEST] for name, problem in told.items() if problem is not None}
        then = [literal(news_of[n]) if n in news_of else func.coalesce(columns[n], "") for n in told]
        works = and_(*(problem == "" for problem in then))
        changed = or_(
            *(func.coalesce(columns[name], "") != problem for name, problem in news_of.items()),
            and_(works, or_(columns.worked_at.is_(None), columns.worked_at < now - STILL_WORKS)),
        )
        values: dict[str, Any] = {name: problem or None for name, problem in news_of.items()}
        values["problem_at"] = case((works, null()), else_=func.coalesce(columns.problem_at, literal(now, Moment)))
        values["worked_at"] = case((works, literal(now, Moment)), else_=columns.worked_at)
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
