"""Updates on their way in, by polling or webhook: each is stored before Telegram hears that it arrived."""

from __future__ import annotations

import asyncio
import hmac
import logging
import random
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from fastapi import APIRouter, Request, Response
from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from telegram.error import Conflict, InvalidToken, RetryAfter, TelegramError

from bot.channels.telegram.channel import TelegramChannel
from bot.channels.telegram.outcomes import from_telegram, seconds
from bot.channels.telegram.parse import CHANNEL
from bot.channels.webhook import body_of, object_of, stored
from bot.clock import Clock
from bot.messages import Incoming
from bot.storage.database import Database
from bot.storage.tables import checkpoint

LONG_POLL: Final = 25
"""Seconds Telegram may hold a request open."""
PATIENCE: Final = (1, 2, 5, 10, 30)
"""Seconds before the next try after so many failures in a row."""
MAX_BODY: Final = 1024 * 1024

Accept = Callable[[Incoming], Awaitable[Any]]
log = logging.getLogger(__name__)


class TelegramPoller:
    """Fetches updates for one account, for as long as it runs. The channel's `problem` says why nothing comes in."""

    def __init__(
        self,
        channel: TelegramChannel,
        database: Database,
        accept: Accept,
        wake: Callable[[], None],
        clock: Clock,
        *,
        long_poll: int = LONG_POLL,
        patience: tuple[float, ...] = PATIENCE,
        rng: random.Random | None = None,
    ) -> None:
        self._channel = channel
        self._database = database
        self._accept = accept
        self._wake = wake
        self._clock = clock
        self._long_poll = long_poll
        self._patience = patience
        self._rng = rng or random.Random()

    async def run(self) -> None:
        """Poll until cancelled; a token that Telegram does not know ends it, since no waiting helps."""
        failures = 0
        alone = False
        while True:
            try:
                if not alone:
                    await self._channel.delete_webhook()
                    await self._channel.identify()
                    alone = True
                    await self._channel.set_menu()
                await self._once()
                failures = 0
                continue
            except InvalidToken as error:
                if from_telegram(error):
                    self._channel.problem = "InvalidToken"
                    log.critical("Telegram does not know the token", extra=self._about())
                    return
                wait = self._failed("NotTelegram", failures)
            except RetryAfter as error:
                wait = seconds(error)
            except Conflict:
                # Two pollers, or a webhook that somebody set behind our back: the latter is ended at the next try.
                if self._channel.problem != "Conflict":
                    log.error("somebody else polls this bot", extra=self._about())
                self._channel.problem = "Conflict"
                alone = False
                wait = self._patience[-1]
            except TelegramError as error:
                wait = self._failed(type(error).__name__, failures)
            except Exception as error:
                # Most likely the database: the updates stay at Telegram, since the offset was not moved. The error's
                # own words are not logged: a database's name what it was to store.
                log.error("updates could not be stored", extra=self._about() | {"error": type(error).__name__})
                wait = self._pause(failures)
            failures += 1
            await asyncio.sleep(wait)

    def _about(self) -> dict[str, str]:
        return {"account": self._channel.account}

    def _failed(self, error: str, failures: int) -> float:
        """Log a failure; return how long to wait. One failure is weather, several in a row are a problem."""
        log.warning("polling failed", extra=self._about() | {"error": error})
        if failures >= 2:
            self._channel.problem = error
        return self._pause(failures)

    def _pause(self, failures: int) -> float:
        return self._patience[min(failures, len(self._patience) - 1)] * self._rng.uniform(0.8, 1.2)

    async def _once(self) -> None:
        found = await self._channel.fetch(await self._offset(), self._long_poll)
        self._channel.problem = ""
        for raw in found:
            incoming = self._channel.parse(raw, self._clock())
            if incoming is not None:
                await self._accept(incoming)
                self._wake()
                self._channel.acknowledge_soon(raw)
            await self._store_offset(raw["update_id"] + 1)

    async def _offset(self) -> int | None:
        async with self._database.read() as connection:
            value = await connection.scalar(
                select(checkpoint.c.value).where(
                    checkpoint.c.channel == CHANNEL, checkpoint.c.account == self._channel.account
                )
            )
        return None if value is None else int(value)

    async def _store_offset(self, offset: int) -> None:
        upsert = sqlite.insert if self._database.is_sqlite else postgresql.insert
        values = {"channel": CHANNEL, "account": self._channel.account, "value": str(offset)}
        async with self._database.write() as connection:
            await connection.execute(
                upsert(checkpoint)
                .values(**values)
                .on_conflict_do_update(index_elements=["channel", "account"], set_={"value": str(offset)})
            )


def webhook_router(channels: Mapping[str, TelegramChannel], accept: Accept, clock: Clock) -> APIRouter:
    """Return the webhook's route over some accounts (see `take_webhook`)."""
    router = APIRouter(tags=["channels"])

    @router.post("/channels/telegram/{account}/webhook")
    async def telegram_webhook(account: str, request: Request) -> Response:
        """An update from Telegram."""
        channel = channels.get(account)
        if channel is None:
            return Response(status_code=404)
        return await take_webhook(channel, request, accept, clock)

    return router


async def take_webhook(channel: TelegramChannel, request: Request, accept: Accept, clock: Clock) -> Response:
    """Answer one delivery: refuse without the secret, store, then say 200; what cannot be stored or read yet gets 503."""
    given = request.headers.get("X-Telegram-Bot-Api-Secret-Token", "")
    if not channel.secret or not hmac.compare_digest(given.encode(), channel.secret.encode()):
        return Response(status_code=403)
    body = await body_of(request, MAX_BODY)
    if body is None:
        return Response(status_code=413)
    if (raw := object_of(body)) is None:
        return Response(status_code=400)
    if channel.undecided(raw):
        # Telegram repeats it; by then the name is known, which is asked for beside this (`congdanso.builders`).
        return Response(status_code=503)
    incoming = channel.parse(raw, clock())
    if incoming is None:
        return Response(status_code=200)
    answer = await stored(accept(incoming), channel.account)
    if answer.status_code == 200:
        channel.acknowledge_soon(raw)
    return answer
