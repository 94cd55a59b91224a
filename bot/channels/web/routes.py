"""The routes of the web chat: the page `/`, its files, and `/api/chat/…` as the contract has them."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Final, Self

from fastapi import APIRouter, Depends, HTTPException, Query, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.requests import ClientDisconnect

from bot.channels.web.access import Limit, Tokens
from bot.channels.web.channel import Bells
from bot.channels.web.exchange import PATIENCE, Exchange
from bot.channels.web.page import render, static_files
from bot.channels.web.stream import LOOK, Pushed
from bot.channels.web.texts import problem
from bot.clock import Clock
from bot.conversation.model import Reply
from bot.storage.database import Database
from bot.turns import Turns
from nlu import personal

MAX_BODY: Final = 64 * 1024
PER_MINUTE: Final = 30
MAX_STREAMS: Final = 6
"""Open pages of one conversation in one process; each holds a socket."""
BUSY_RETRY: Final = 2
"""Seconds after which a client may ask again for an answer that was not ready."""
KEEP_ALIVE: Final = 15.0
SEND_TIMEOUT: Final = 30.0
"""Seconds a page may take to read an event before its stream is given up."""
MAX_EVENT_ID: Final = 2**63 - 1

CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
GUARD: Final = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
"""Headers of every response."""
PRIVATE: Final = GUARD | {"Cache-Control": "no-store"}

bearer = HTTPBearer(auto_error=False, description="The token of `POST /api/chat/sessions`.")


class MessageIn(BaseModel):
    """What a citizen did: wrote a text, or pressed a button with a payload. `id` is the client's own, for repeats."""

    model_config = ConfigDict(strict=True, title="ChatMessage")

    id: str = Field(min_length=1, max_length=64)
    text: str | None = None
    payload: str | None = Field(default=None, min_length=1, max_length=64, pattern=r"^[\x20-\x7e]+$")

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.text is None) == (self.payload is None):
            raise ValueError("exactly one of text and payload")
        return self


class ButtonOut(BaseModel):
    """A next step; with `url`, a link."""

    label: str
    payload: str
    url: str | None = None


class AttachmentOut(BaseModel):
    """A document to open."""

    title: str
    url: str
    media_type: str


class SourceOut(BaseModel):
    """What an answer is based on, and the day that was read (ISO)."""

    title: str
    url: str
    seen_on: str


class ReplyOut(BaseModel):
    """One bubble."""

    text: str
    buttons: list[ButtonOut]
    attachments: list[AttachmentOut]
    source: SourceOut | None


class AnswerOut(BaseModel):
    """One turn's answer."""

    replies: list[ReplyOut]
    topic: str | None
    aspect: str | None
    status: str


class SessionOut(BaseModel):
    """A new anonymous conversation."""

    token: str


class ProblemOut(BaseModel):
    """Why a request was refused, in Vietnamese."""

    detail: str


_START: Final = re.compile(r"start(?::([A-Za-z0-9_-]{1,64}))?")
"""Opens the conversation; behind the colon the campaign of the link that was followed."""


def _problems(*codes: int) -> dict[int | str, dict[str, Any]]:
    return {code: {"model": ProblemOut} for code in codes}


def refuse(status: int, key: str, **headers: str) -> HTTPException:
    """Return the exception that answers a request with a problem of the catalogue."""
    return HTTPException(status, problem(key), PRIVATE | {k.replace("_", "-"): v for k, v in headers.items()})


def router(
    database: Database,
    turns: Turns,
    wake: Callable[[], None],
    clock: Clock,
    secret_key: str,
    province_title: str,
    *,
    introduction: Reply,
    bells: Bells,
    examples: Sequence[str] | None = None,
    per_minute: int = PER_MINUTE,
    patience: float = PATIENCE,
    look: float = LOOK,
    keep_alive: float = KEEP_ALIVE,
) -> APIRouter:
    """Return the routes of the web chat.

    Args:
        wake: tells the pump that something is left to do.
        secret_key: signs the tokens; all processes of one installation share it.
        province_title: as it stands after "tỉnh", e.g. "Thái Nguyên".
        introduction: the bubble the page opens with (`dialogue.actions.introduction()`).
        bells: shared with the `WebChannel` of this process.
        examples: questions offered under the introduction; None for those of `texts.yml`.
        per_minute: messages of one conversation in a minute, in this process.
        patience: seconds a request waits while the conversation is worked on elsewhere.
        look: seconds between two looks of an open stream when no bell rings.
        keep_alive: seconds between two comments on an otherwise silent stream.
    """
    tokens = Tokens(secret_key)
    limit = Limit(per_minute, clock)
    exchange = Exchange(database, turns, wake, clock, patience=patience)
    pushed = Pushed(database, turns, bells, clock, look=look)
    files = static_files()
    page = render(files, introduction, province_title, examples)
    routes = APIRouter()

    def chat_of(token: str | None) -> str:
        chat = tokens.chat_of(token) if token else None
        if chat is None:
            raise refuse(401, "token", WWW_Authenticate="Bearer")
        return chat

    @routes.api_route("/", methods=["GET", "HEAD"], include_in_schema=False)
    async def show_page() -> Response:
        """The citizens' page."""
        headers = GUARD | {"Content-Security-Policy": CONTENT_SECURITY_POLICY, "Cache-Control": "no-cache"}
        return HTMLResponse(page, headers=headers)

    @routes.get("/static/web/{name}", include_in_schema=False)
    async def show_file(name: str) -> Response:
        """A file of the page; its address carries its version, so it may be kept for ever."""
        file = files.get(name)
        if file is None:
            return Response(status_code=404, headers=PRIVATE)
        kept = {"Cache-Control": "public, max-age=31536000, immutable"}
        return Response(file.content, media_type=file.media_type, headers=GUARD | kept)

    @routes.post("/api/chat/sessions", tags=["chat"], response_model=SessionOut)
    async def open_session() -> Response:
        """Begin an anonymous conversation."""
        return JSONResponse({"token": tokens.new()}, headers=PRIVATE)

    @routes.post(
        "/api/chat/messages",
        tags=["chat"],
        response_model=AnswerOut,
        responses=_problems(401, 413, 422, 429, 503),
        openapi_extra={
            "requestBody": {
                "required": True,
                "content": {"application/json": {"schema": MessageIn.model_json_schema()}},
            }
        },
    )
    async def take_message(
        request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]
    ) -> Response:
        """Answer one message. The same `id` again returns the same answer and does nothing twice."""
        chat = chat_of(credentials.credentials if credentials else None)
        body = await _body(request)
        try:
            message = MessageIn.model_validate_json(body)
        except ValidationError as error:
            raise refuse(422, "shape") from error
        if (wait := limit.take(chat)) > 0:
            raise refuse(429, "too_many", Retry_After=str(math.ceil(wait)))
        kind, text = _kind(message)
        answer = await exchange.answer(chat, message.id, kind, text)
        if answer is None:
            raise refuse(503, "busy", Retry_After=str(BUSY_RETRY))
        return JSONResponse(answer.as_dict(), headers=PRIVATE)

    @routes.get(
        "/api/chat/stream",
        tags=["chat"],
        response_class=EventSourceResponse,
        responses=_problems(401, 429) | {200: {"content": {"text/event-stream": {}}}},
    )
    async def stream(
        request: Request,
        credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
        token: Annotated[str | None, Query(description="For an EventSource, which cannot set headers.")] = None,
    ) -> Response:
        """What the bot says unasked, each event one reply; `Last-Event-ID` resumes."""
        chat = chat_of(credentials.credentials if credentials else token)
        if bells.count(chat) >= MAX_STREAMS:
            raise refuse(429, "too_many_streams", Retry_After="60")
        return EventSourceResponse(
            pushed.events(chat, _event_id(request.headers.get("Last-Event-ID", ""))),
            headers=PRIVATE,
            ping=keep_alive,
            ping_message_factory=lambda: ServerSentEvent(comment="."),
            send_timeout=SEND_TIMEOUT,
        )

    return routes


def _kind(message: MessageIn) -> tuple[str, str]:
    """Return the kind and text of a message as `Incoming` has them.

    Raises:
        HTTPException: a payload that carries a personal number; no button of ours does.
    """
    if message.payload is None:
        text = message.text or ""
        return ("opened", "") if text.strip() == "/start" else ("text", text)
    if personal.REFUSED.intersection(personal.mask(message.payload)[1]):
        raise refuse(422, "payload")
    if match := _START.fullmatch(message.payload):
        return "opened", match.group(1) or ""
    return "button", message.payload


def _event_id(given: str) -> int | None:
    """Read a Last-Event-ID; one that cannot be ours counts as none."""
    if not (given.isascii() and given.isdigit() and len(given) <= 19):
        return None
    return min(int(given), MAX_EVENT_ID)


async def _body(request: Request) -> bytes:
    """Read a body of at most `MAX_BODY` bytes, whatever its headers claim.

    Raises:
        HTTPException: it is larger, or the client went away.
    """
    declared = request.headers.get("Content-Length", "")
    if declared.isascii() and declared.isdigit() and len(declared) < 20 and int(declared) > MAX_BODY:
        raise refuse(413, "body_too_large")
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_BODY:
                raise refuse(413, "body_too_large")
    except ClientDisconnect as error:
        raise refuse(400, "body_broken") from error
    return bytes(body)
