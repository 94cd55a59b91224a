"""`/chat`: the conversation for a browser without scripts. A form, a redirect, a page; nothing moves by itself."""

from __future__ import annotations

import hashlib
import math
import re
import secrets
from collections.abc import Mapping
from typing import Final

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import ValidationError
from starlette.background import BackgroundTask

from bot.channels.web import body
from bot.channels.web.access import Limit, Tokens
from bot.channels.web.bubbles import bubble
from bot.channels.web.exchange import Exchange, update_id_of
from bot.channels.web.headers import CONTENT_SECURITY_POLICY, PRIVATE, refuse
from bot.channels.web.history import History, history
from bot.channels.web.page import Exchange as Shown
from bot.channels.web.page import Pages, Plain
from bot.channels.web.pages import link
from bot.channels.web.schema import MessageIn
from bot.channels.web.stream import Pushed
from bot.channels.web.texts import texts
from bot.channels.web.visits import PATH, Visits
from bot.conversation.links import UNIT
from bot.storage.database import Database

START: Final = "start"
"""The message that opens a conversation; what it is answered stands on the page anyway."""
ARRIVED: Final = "gui"
"""In the address after the first message: a browser that comes back without its cookie keeps none."""
_ONCE: Final = re.compile(r"[A-Za-z0-9_-]{8,32}")
_UNIT: Final = re.compile(r"[a-z0-9-]{1,48}")
_PAGE: Final = PRIVATE | {"Content-Security-Policy": CONTENT_SECURITY_POLICY}


class PlainChat:
    """The conversation as pages."""

    def __init__(
        self,
        database: Database,
        tokens: Tokens,
        visits: Visits,
        limit: Limit,
        exchange: Exchange,
        pushed: Pushed,
        pages: Pages,
    ) -> None:
        self._database = database
        self._tokens = tokens
        self._visits = visits
        self._limit = limit
        self._exchange = exchange
        self._pushed = pushed
        self._pages = pages

    async def show(
        self, request: Request, *, refused: HTTPException | None = None, fields: Mapping[str, str] | None = None
    ) -> Response:
        """Return the page; after a refusal with the reason, and with what was typed still in the box."""
        given = fields or {}
        held = self._visits.token_of(request)
        if refused is None and not held and ARRIVED in request.query_params:
            refused = refuse(403, "form_stale")
        token = held or self._tokens.new()
        chat = self._tokens.chat_of(token) or ""
        found = await self._known(chat) if held else History()
        said_in, said = self._visits.said(request)
        once = given.get("once", "") if refused is not None and refused.status_code == 503 else ""
        view = Plain(
            form=self._visits.form(token),
            once=once or secrets.token_urlsafe(9),
            unit=(_UNIT.fullmatch(given.get("unit", "")) and given["unit"]) or link(request, "u"),
            campaign=link(request, "c"),
            exchanges=tuple(
                Shown(
                    said if past.update_id == said_in else "",
                    tuple(bubble(reply) for reply in past.replies),
                    unasked=not past.update_id,
                )
                for past in found.past
            ),
            problem=str(refused.detail) if refused is not None else "",
            draft=given.get("text", "") if refused is not None else "",
        )
        response = HTMLResponse(self._pages.plain(view), headers=_PAGE)
        if refused is not None:
            response.status_code = refused.status_code
            if "Retry-After" in (refused.headers or {}):
                response.headers["Retry-After"] = (refused.headers or {})["Retry-After"]
        if not held:
            self._visits.keep(response, token)
        if found.unseen and request.method != "HEAD":
            # As with the stream: nobody calls it fetched before the page has left.
            response.background = BackgroundTask(self._pushed.mark_sent, chat, list(found.unseen))
        return response

    async def take(self, request: Request) -> Response:
        """Take what was posted, and send the browser to the page that shows its answer."""
        fields: dict[str, str] = {}
        try:
            fields = body.form(await body.read(request))
            return await self._taken(request, fields)
        except HTTPException as refused:
            return await self.show(request, refused=refused, fields=fields)

    async def _taken(self, request: Request, fields: Mapping[str, str]) -> Response:
        token, once = self._visits.token_of(request), fields.get("once", "")
        response = RedirectResponse("chat#latest", status_code=303, headers=PRIVATE)
        if self._visits.is_first(request):
            # From `/`, whose form bears no mark: many see it who never write.
            token, once = self._tokens.new(), secrets.token_urlsafe(9)
            self._visits.keep(response, token)
            response.headers["Location"] = f"chat?{ARRIVED}=1#latest"
        elif not self._visits.is_ours(request, fields.get("form", ""), token) or not _ONCE.fullmatch(once):
            raise refuse(403, "form_stale")
        if "afresh" in fields:
            self._visits.drop(response)
            response.headers["Location"] = "chat"
            return response
        message = _message(once, fields)
        kind, text = body.kind_of(message)
        chat = self._tokens.chat_of(token) or ""
        if (wait := self._limit.take(chat)) > 0:
            raise refuse(429, "too_many", Retry_After=str(math.ceil(wait)))
        found = await self._known(chat)
        if not found.past:
            unit = fields.get("unit", "")
            arrived = f"{UNIT}{unit}" if _UNIT.fullmatch(unit) else ""
            await self._exchange.answer(chat, START, "opened", arrived)
        if await self._exchange.answer(chat, message.id, kind, text) is None:
            raise refuse(503, "busy")
        words = message.text if message.text is not None else self._label(found, message.payload or "")
        self._visits.keep_said(response, update_id_of(chat, message.id), words)
        return response

    async def _known(self, chat: str) -> History:
        return await history(self._database, chat, without=[update_id_of(chat, START)])

    def _label(self, found: History, payload: str) -> str:
        """Return what stood on the button that was pressed."""
        if payload.startswith(f"{START}:"):
            return str(texts()["plain"]["open_material"])
        shown = (b.label for b in self._pages.introduction.buttons if b.payload == payload)
        return found.label_of(payload) or next(shown, "")


def _message(once: str, fields: Mapping[str, str]) -> MessageIn:
    """Return the message of a form.

    Its id is the page's own mark and what was said: pressed twice it is one message, and a page that the browser kept
    and shows again can say something else.

    Raises:
        HTTPException: no form of ours has such fields.
    """
    payload, text = fields.get("payload"), fields.get("text")
    said = f"p:{payload}" if payload is not None else f"t:{text}"
    digest = hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    try:
        return MessageIn(id=f"{once}.{digest}", text=None if payload is not None else text, payload=payload)
    except ValidationError as error:
        raise refuse(422, "form") from error


def routes(chat: PlainChat) -> APIRouter:
    """Return the routes of the page without scripts."""
    made = APIRouter(include_in_schema=False)

    @made.api_route(PATH, methods=["GET", "HEAD"])
    async def show(request: Request) -> Response:
        """The page."""
        return await chat.show(request)

    @made.post(PATH)
    async def take(request: Request) -> Response:
        """A question, a pressed button, or the wish to begin again."""
        return await chat.take(request)

    return made
