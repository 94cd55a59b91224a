"""The messengers' webhooks. Routes are there always; a channel's own code is loaded with its first account."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, cast

from fastapi import APIRouter, Request, Response

from bot.clock import Clock
from bot.messages import Channels, Incoming

Accept = Callable[[Incoming], Awaitable[Any]]


def webhooks(channels: Channels, accept: Accept, clock: Clock) -> APIRouter:
    """Return the routes; an account that this server does not have is 404."""
    router = APIRouter(tags=["channels"])

    @router.post("/channels/telegram/{account}/webhook")
    async def telegram(account: str, request: Request) -> Response:
        """An update from Telegram."""
        if (found := channels.get("telegram", account)) is None:
            return Response(status_code=404)
        from bot.channels.telegram import TelegramChannel, take_webhook

        return await take_webhook(cast("TelegramChannel", found), request, accept, clock)

    return router
