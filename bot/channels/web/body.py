"""Reads what a browser or a program posted, and says what kind of message it is."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import parse_qsl

from fastapi import Request
from starlette.requests import ClientDisconnect

from bot.channels.web.headers import refuse
from bot.channels.web.schema import MessageIn
from nlu import personal

MAX_BODY: Final = 64 * 1024
MAX_FIELDS: Final = 20
_START: Final = re.compile(r"start(?::([A-Za-z0-9_-]{1,64}))?")
"""Opens the conversation; behind the colon what the link that was followed says (`bot.conversation.links`)."""


async def read(request: Request) -> bytes:
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


def form(body: bytes) -> dict[str, str]:
    """Read the fields of a posted form; of a name that comes twice the last one counts.

    Raises:
        HTTPException: that is no form, or has more fields than any of ours.
    """
    try:
        text = body.decode("ascii")
        return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_FIELDS))
    except ValueError as error:
        raise refuse(422, "form") from error


def kind_of(message: MessageIn) -> tuple[str, str]:
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
