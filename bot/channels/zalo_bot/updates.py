"""Updates on their way in, by polling or webhook: each is stored before the next is fetched, or before Zalo hears 200.

Polling has no offset: Zalo forgets an update once it has handed it over. What the database cannot take at once is held in
memory and tried again before anything else is fetched. A crash between fetch and store loses that one message (the citizen
gets no answer and asks again); with the webhook, Zalo gets a 503 instead and the message stays with it. So: the webhook
where there is a public address, polling for trials.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from fastapi import APIRouter, Request, Response

from bot.channels.webhook import body_of, object_of, stored
from bot.channels.zalo_bot.api import Refused
from bot.channels.zalo_bot.channel import ZaloBotChannel, ZaloBotError
from bot.clock import Clock
from bot.messages import Incoming

LONG_POLL: Final = 25
"""Seconds Zalo may hold a request open."""
PATIENCE: Final = (1, 2, 5, 10, 30)
"""Seconds before the next try after so many failures in a row."""
LAST: Final = 5.0
"""Seconds in which a store under way may finish when the poller is ended."""
MAX_BODY: Final = 256 * 1024

Accept = Callable[[Incoming], Awaitable[Any]]
log = logging.getLogger(__name__)


class ZaloBotPoller:
    """Fetches updates for one account, for as long as it runs. The channel's `problem` says why nothing comes in."""

    def __init__(
        self,
        channel: ZaloBotChannel,
        accept: Accept,
        wake: Callable[[], None],
        clock: Clock,
        *,
        long_poll: int = LONG_POLL,
        patience: tuple[float, ...] = PATIENCE,
        rng: random.Random | None = None,
    ) -> None:
        self._channel = channel
        self._accept = accept
        self._wake = wake
        self._clock = clock
        self._long_poll = long_poll
        self._patience = patience
        self._rng = rng or random.Random()

    async def run(self) -> None:
        """Poll until cancelled; a token that Zalo does not know ends it, since no waiting helps."""
        failures = 0
        alone = False
        while True:
            try:
                if not alone:
                    await self._channel.delete_webhook()
                    await self._channel.identify()
                    alone = True
                await self._once()
                failures = 0
                continue
            except ZaloBotError as error:
                answer = error.answer
                if isinstance(answer, Refused) and answer.code == 401:
                    self._channel.problem = "InvalidToken"
                    log.critical("Zalo does not know the token", extra=self._about())
                    return
                if isinstance(answer, Refused) and "webhook" in answer.description.lower():
                    # Somebody set a webhook behind our back; it is ended at the next try.
                    log.error("a webhook takes this bot's updates", extra=self._about())
                    self._channel.problem, alone = "Conflict", False
                wait = self._failed(answer, failures)
            except Exception as error:
                log.error("polling failed", extra=self._about() | {"error": type(error).__name__})
                wait = self._pause(failures)
            failures += 1
            await asyncio.sleep(wait)

    def _about(self) -> dict[str, str]:
        return {"account": self._channel.account}

    def _failed(self, answer: Any, failures: int) -> float:
        """Log a failure; return how long to wait. One failure is weather, several in a row are a problem."""
        reason = str(answer.code) if isinstance(answer, Refused) else answer.reason
        log.warning("polling failed", extra=self._about() | {"error": reason})
        if failures >= 2 and not self._channel.problem:
            self._channel.problem = reason
        named = answer.wait if isinstance(answer, Refused) else None
        return named or self._pause(failures)

    def _pause(self, failures: int) -> float:
        return self._patience[min(failures, len(self._patience) - 1)] * self._rng.uniform(0.8, 1.2)

    async def _once(self) -> None:
        began = time.monotonic()
        found = await self._channel.fetch(self._long_poll)
        self._channel.problem = ""
        for update in found:
            incoming = self._channel.parse(update, self._clock())
            if incoming is not None:
                await self._store(incoming)
        if not found and time.monotonic() - began < min(1.0, self._long_poll / 2):
            # An empty answer that did not wait would otherwise be asked for without end.
            await asyncio.sleep(self._pause(0))

    async def _store(self, incoming: Incoming) -> None:
        """Store an update, however long that takes: nobody else has it. Whoever ends the poller grants it a last attempt."""
        failures = 0
        while not await self._stored(incoming):
            self._channel.problem = "NotStored"
            try:
                await asyncio.sleep(self._pause(failures))
            except asyncio.CancelledError:
                if not await self._stored(incoming):
                    log.critical("an update is lost", extra=self._about())
                raise
            failures += 1
        self._channel.problem = ""
        self._wake()

    async def _stored(self, incoming: Incoming) -> bool:
        """Try once; a store under way is not cut off by the end."""
        store = asyncio.ensure_future(self._accept(incoming))
        try:
            await asyncio.shield(store)
        except asyncio.CancelledError:
            await asyncio.wait({store}, timeout=LAST)
            raise
        except Exception as error:
            # The error's own words are not logged: a database's name what it was to store.
            log.error("an update could not be stored", extra=self._about() | {"error": type(error).__name__})
            return False
        return True


def webhook_router(channels: Mapping[str, ZaloBotChannel], accept: Accept, clock: Clock) -> APIRouter:
    """Return the webhook's route over some accounts (see `take_webhook`)."""
    router = APIRouter(tags=["channels"])

    @router.post("/channels/zalo-bot/{account}/webhook")
    async def zalo_bot_webhook(account: str, request: Request) -> Response:
        """An update from the Zalo Bot Platform."""
        channel = channels.get(account)
        if channel is None:
            return Response(status_code=404)
        return await take_webhook(channel, request, accept, clock)

    return router


async def take_webhook(channel: ZaloBotChannel, request: Request, accept: Accept, clock: Clock) -> Response:
    """Answer one delivery: refuse without the secret, store, then say 200; what cannot be stored in time gets 503."""
    given = request.headers.get("X-Bot-Api-Secret-Token", "")
    if not channel.secret or not hmac.compare_digest(given.encode(), channel.secret.encode()):
        return Response(status_code=403)
    body = await body_of(request, MAX_BODY)
    if body is None:
        return Response(status_code=413)
    if (raw := object_of(body)) is None:
        return Response(status_code=400)
    incoming = channel.parse(raw, clock())
    if incoming is None:
        return Response(status_code=200)
    return await stored(accept(incoming), channel.account)
