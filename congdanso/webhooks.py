"""The messengers' webhooks. Routes are there always; a channel's own code is loaded with its first account."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final, cast

from fastapi import APIRouter, Request, Response

from bot.channels.webhook import body_of
from bot.clock import Clock
from bot.messages import Channels, Incoming, Receipt

if TYPE_CHECKING:
    from bot.channels.zalo_oa.updates import Others

Accept = Callable[[Incoming], Awaitable[Any]]
Note = Callable[[Receipt], Awaitable[Any]]
ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "Stored, or seen before."},
    400: {"description": "Not what this messenger sends."},
    403: {"description": "Not signed with this account's secret."},
    404: {"description": "No such account here."},
    413: {"description": "Longer than any message of this messenger."},
    503: {"description": "It could not be stored in time; it is to be sent again."},
}
"""What a webhook answers; the messengers look at nothing but the code."""
BODY: Final[dict[str, Any]] = {
    "requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}}
}
"""What it reads; the shapes are the messengers' own and change without notice."""


def webhooks(
    channels: Channels, accept: Accept, clock: Clock, note: Note | None = None, resting: Others | None = None
) -> APIRouter:
    """Return the routes; an account that this server does not have is 404.

    Args:
        note: takes the receipts of what was sent.
        resting: the Official Accounts that are switched off.
    """
    router = APIRouter(tags=["channels"])

    @router.post("/channels/telegram/{account}/webhook", response_class=Response, responses=ANSWERS, openapi_extra=BODY)
    async def telegram(account: str, request: Request) -> Response:
        """An update from Telegram."""
        if (found := channels.get("telegram", account)) is None:
            return Response(status_code=404)
        from bot.channels.telegram import TelegramChannel, take_webhook

        return await take_webhook(cast("TelegramChannel", found), request, accept, clock)

    @router.post("/channels/zalo-bot/{account}/webhook", response_class=Response, responses=ANSWERS, openapi_extra=BODY)
    async def zalo_bot(account: str, request: Request) -> Response:
        """An update from the Zalo Bot Platform."""
        if (found := channels.get("zalo-bot", account)) is None:
            return Response(status_code=404)
        from bot.channels.zalo_bot import ZaloBotChannel, take_webhook

        return await take_webhook(cast("ZaloBotChannel", found), request, accept, clock)

    @router.post("/channels/zalo-oa/webhook", response_class=Response, responses=ANSWERS, openapi_extra=BODY)
    async def zalo_oa(request: Request) -> Response:
        """An event from Zalo, for one of the Official Accounts."""
        found = [channels.get(*key) for key in channels.present() if key[0] == "zalo-oa"]
        if not found and not (resting and await resting()):
            # Zalo asks with an empty object whether somebody lives here, before there is an account.
            return Response(status_code=200 if await body_of(request, 16) == b"{}" else 404)
        from bot.channels.zalo_oa import Accounts, ZaloOaChannel, take_event

        accounts = Accounts(lambda: [cast("ZaloOaChannel", channel) for channel in found])
        return await take_event(accounts, request, accept, clock, note, resting)

    return router
