"""Updates on their way in, by polling or webhook: each is stored before Telegram hears that it arrived."""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from fastapi import APIRouter, Request, Response
from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from telegram.error import Conflict, InvalidToken, RetryAfter, TelegramError

from bot.channels.telegram.channel import ALLOWED_UPDATES, TelegramChannel, seconds
from bot.channels.telegram.parse import CHANNEL
from bot.messages import Incoming
from bot.storage.database import Database
from bot.storage.tables import checkpoint
from bot.turns import Clock

LONG_POLL: Final = 25
"""Seconds Telegram may hold a request open."""
PATIENCE: Final = (1, 2, 5, 10, 30)
"""Seconds before the next try after so many failures in a row."""
MAX_BODY: Final = 1024 * 1024

Accept = Callable[[Incoming], Awaitable[Any]]
log = logging.getLogger(__name__)


class TelegramPoller:
    """Fetches updates for one account, for as long as it runs."""

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
    ) -> None:
        self._channel = channel
        self._database = database
        self._accept = accept
        self._wake = wake
        self._clock = clock
        self._long_poll = long_poll
        self._patience = patience

    async def run(self) -> None:
        """Poll until cancelled; a token that Telegram does not know ends it, since no waiting helps."""
        failures = 0
        introduced = False
        while True:
            try:
                if not introduced:
                    await self._channel.bot.delete_webhook()
                    await self._channel.introduce()
                    introduced = True
                await self._once()
                failures = 0
                self._channel.problem = ""
                continue
            except InvalidToken:
                self._channel.problem = "InvalidToken"
                log.critical("Telegram does not know the token", extra={"account": self._channel.account})
                return
            except RetryAfter as error:
                wait = seconds(error)
            except Conflict:
                self._channel.problem = "Conflict"
                log.error("somebody else polls this bot", extra={"account": self._channel.account})
                wait = self._patience[-1]
            except TelegramError as error:
                log.warning("polling failed", extra={"account": self._channel.account, "error": type(error).__name__})
                wait = self._patience[min(failures, len(self._patience) - 1)]
            except Exception:
                # Most likely the database: the updates stay at Telegram, since the offset was not moved.
                log.exception("updates could not be stored")
                wait = self._patience[min(failures, len(self._patience) - 1)]
            failures += 1
            await asyncio.sleep(wait)

    async def _once(self) -> None:
        offset = await self._offset()
        updates = await self._channel.bot.get_updates(
            offset=offset,
            timeout=self._long_poll,
            read_timeout=self._long_poll + 10,
            allowed_updates=list(ALLOWED_UPDATES),
        )
        for update in updates:
            raw = update.to_dict()
            incoming = self._channel.parse(raw, self._clock())
            if incoming is not None:
                await self._accept(incoming)
                self._wake()
                await self._channel.acknowledge(raw)
            await self._store_offset(update.update_id + 1)

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


def webhook_router(
    channels: Mapping[str, TelegramChannel], accept: Accept, wake: Callable[[], None], clock: Clock
) -> APIRouter:
    """Return the webhook's route: refuse without the secret, store, then say 200; what cannot be stored gets 503."""
    router = APIRouter(tags=["channels"])

    @router.post("/channels/telegram/{account}/webhook")
    async def telegram_webhook(account: str, request: Request) -> Response:
        """An update from Telegram."""
        channel = channels.get(account)
        if channel is None:
            return Response(status_code=404)
        given = request.headers.get("X-Telegram-Bot-Api-Secret-Token", "")
        if not channel.secret or not hmac.compare_digest(given.encode(), channel.secret.encode()):
            return Response(status_code=403)
        body = await _body(request)
        if body is None:
            return Response(status_code=413)
        try:
            raw = json.loads(body)
        except ValueError:
            return Response(status_code=400)
        if not isinstance(raw, dict):
            return Response(status_code=400)
        incoming = channel.parse(raw, clock())
        if incoming is None:
            return Response(status_code=200)
        try:
            await accept(incoming)
        except Exception:
            log.exception("an update could not be stored")
            return Response(status_code=503)
        wake()
        asyncio.get_running_loop().create_task(channel.acknowledge(raw))
        return Response(status_code=200)

    return router


async def _body(request: Request) -> bytes | None:
    """Return the body; None if it is larger than any update is."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            return None
    return body
