"""`/api/chat/…` as the contract has it: a token, one message and its answer, the stream of what the bot says first."""

from __future__ import annotations

import math
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse
from fastapi.security import APIKeyQuery, HTTPAuthorizationCredentials, HTTPBearer
from pydantic import ValidationError
from sse_starlette import EventSourceResponse, ServerSentEvent

from bot.channels.web import body
from bot.channels.web.access import Limit, Tokens
from bot.channels.web.channel import Bells
from bot.channels.web.exchange import Exchange
from bot.channels.web.headers import PRIVATE, refuse
from bot.channels.web.schema import AnswerOut, MessageIn, ProblemOut, SessionOut
from bot.channels.web.stream import Pushed

MAX_STREAMS: Final = 6
"""Open pages of one conversation in one process; each holds a socket."""
BUSY_RETRY: Final = 2
"""Seconds after which a client may ask again for an answer that was not ready."""
SEND_TIMEOUT: Final = 30.0
"""Seconds a page may take to read an event before its stream is given up."""
MAX_EVENT_ID: Final = 2**63 - 1

in_address = APIKeyQuery(name="token", auto_error=False, description="For an EventSource, which cannot set headers.")
bearer = HTTPBearer(auto_error=False, description="The token of `POST /api/chat/sessions`.")


def _problems(*codes: int) -> dict[int | str, dict[str, Any]]:
    return {code: {"model": ProblemOut} for code in codes}


def routes(
    tokens: Tokens, limit: Limit, exchange: Exchange, pushed: Pushed, bells: Bells, *, keep_alive: float
) -> APIRouter:
    """Return the API's routes; `keep_alive` is the seconds between two comments on an otherwise silent stream."""
    made = APIRouter()

    def chat_of(token: str | None) -> str:
        chat = tokens.chat_of(token) if token else None
        if chat is None:
            raise refuse(401, "token", WWW_Authenticate="Bearer")
        return chat

    @made.post("/api/chat/sessions", tags=["chat"], response_model=SessionOut)
    async def open_session() -> Response:
        """Begin an anonymous conversation."""
        return JSONResponse({"token": tokens.new()}, headers=PRIVATE)

    @made.post(
        "/api/chat/messages",
        tags=["chat"],
        response_model=AnswerOut,
        responses=_problems(401, 413, 422, 429, 503),
        dependencies=[Depends(bearer)],
        openapi_extra={
            "requestBody": {
                "required": True,
                "content": {"application/json": {"schema": MessageIn.model_json_schema()}},
            }
        },
    )
    async def take_message(request: Request) -> Response:
        """Answer one message. The same `id` again returns the same answer and does nothing twice."""
        credentials = await bearer(request)
        chat = chat_of(credentials.credentials if credentials else None)
        given = await body.read(request)
        try:
            message = MessageIn.model_validate_json(given)
        except ValidationError as error:
            raise refuse(422, "shape") from error
        if (wait := limit.take(chat)) > 0:
            raise refuse(429, "too_many", Retry_After=str(math.ceil(wait)))
        kind, text = body.kind_of(message)
        answer = await exchange.answer(chat, message.id, kind, text)
        if answer is None:
            raise refuse(503, "busy", Retry_After=str(BUSY_RETRY))
        return JSONResponse(answer.as_dict(), headers=PRIVATE)

    @made.get(
        "/api/chat/stream",
        tags=["chat"],
        response_class=EventSourceResponse,
        responses=_problems(401, 429) | {200: {"content": {"text/event-stream": {}}}},
    )
    async def stream(
        request: Request,
        credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
        token: Annotated[str | None, Depends(in_address)],
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

    return made


def _event_id(given: str) -> int | None:
    """Read a Last-Event-ID; one that cannot be ours counts as none."""
    if not (given.isascii() and given.isdigit() and len(given) <= 19):
        return None
    return min(int(given), MAX_EVENT_ID)
