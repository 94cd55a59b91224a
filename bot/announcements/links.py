"""The address of an announcement's link: counts that it was followed, and leads on. The same for everybody."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, HTTPException, Path
from fastapi.responses import RedirectResponse
from sqlalchemy import Connection

from bot.announcements.addresses import MOST
from bot.announcements.attribution import Used, follow
from bot.storage.database import Database

Code = Annotated[str, Path(pattern=r"^[a-z]{4,16}$")]
Number = Annotated[int, Path(ge=1, le=MOST)]
ChannelName = Annotated[str, Path(pattern=r"^[a-z-]{2,16}$")]
Note = Callable[[Connection, Used], None]


def router(database: Database, note: Note) -> APIRouter:
    """Return the route. `note` tells the analytics, in the same transaction."""
    routes = APIRouter()

    @routes.get(
        "/t/{code}/{number}/{channel}",
        tags=["announcements"],
        response_class=RedirectResponse,
        status_code=302,
        responses={404: {"description": "No such link."}},
    )
    async def link_of_channel(code: Code, number: Number, channel: ChannelName) -> RedirectResponse:
        """Where a link of an announcement leads, as it was sent on a channel."""
        return await led_on(code, number, channel)

    @routes.get(
        "/t/{code}/{number}",
        tags=["announcements"],
        response_class=RedirectResponse,
        status_code=302,
        responses={404: {"description": "No such link."}},
    )
    async def link(code: Code, number: Number) -> RedirectResponse:
        """Where a link of an announcement leads, as it was sent before it said on which channel."""
        return await led_on(code, number, "")

    async def led_on(code: str, number: int, channel: str) -> RedirectResponse:
        def unit(connection: Connection) -> tuple[Used, str] | None:
            found = follow(connection, code, number, channel)
            if found is not None:
                note(connection, found[0])
            return found

        found = await database.unit(unit)
        if found is None:
            raise HTTPException(404)
        # Not remembered by browsers: each time somebody follows it is counted. The target learns nothing of where we are.
        headers = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
        return RedirectResponse(found[1], status_code=302, headers=headers)

    return routes
