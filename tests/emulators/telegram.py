"""The part of the Bot API that the channel uses, as python-telegram-bot expects it, with faults on demand.

Half of what is tested against it is therefore our own idea of Telegram; its limits and errors follow the Bot API's page.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from dataclasses import dataclass, field
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

TOKEN = "12345:emulated-token"
BOT = {"id": 12345, "is_bot": True, "first_name": "Công dân số", "username": "cds_test_bot"}


@dataclass
class Fault:
    """What one request gets instead of an answer. `drop` accepts the request and closes the connection."""

    status: int = 200
    description: str = ""
    parameters: dict[str, Any] | None = None
    delay: float = 0.0
    drop: bool = False


@dataclass
class Sent:
    """A request that arrived and was taken."""

    method: str
    chat: str
    body: dict[str, Any]


@dataclass
class TelegramEmulator:
    """State of the emulated server; tests read `sent` and write `faults`."""

    sent: list[Sent] = field(default_factory=list)
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    faults: dict[str, list[Fault]] = field(default_factory=dict)
    """By method; each fault is used once, in order."""
    webhook: dict[str, Any] = field(default_factory=dict)
    token: str = TOKEN
    _updates: list[dict[str, Any]] = field(default_factory=list)
    _numbers: Any = field(default_factory=lambda: itertools.count(1000))
    _messages: Any = field(default_factory=lambda: itertools.count(1))

    def app(self) -> Starlette:
        """Return the ASGI application."""
        return Starlette(routes=[Route("/bot{token}/{method}", self._call, methods=["GET", "POST"])])

    # what citizens do

    def message(self, chat: int, text: str, **fields: Any) -> dict[str, Any]:
        """Queue a text message; return the update."""
        body: dict[str, Any] = {
            "message_id": next(self._messages),
            "date": 1_790_000_000,
            "chat": {"id": chat, "type": "private", "first_name": "Lan"},
            "from": {"id": chat, "is_bot": False, "first_name": "Lan", "username": "lan_nguyen"},
            "text": text,
        }
        if text.startswith("/"):
            body["entities"] = [{"type": "bot_command", "offset": 0, "length": len(text.split(maxsplit=1)[0])}]
        return self.update(message=body | fields)

    def press(self, chat: int, data: str) -> dict[str, Any]:
        """Queue the press of a button."""
        return self.update(
            callback_query={
                "id": f"q{next(self._numbers)}",
                "from": {"id": chat, "is_bot": False, "first_name": "Lan"},
                "chat_instance": "1",
                "data": data,
                "message": {
                    "message_id": 1,
                    "date": 1_790_000_000,
                    "chat": {"id": chat, "type": "private"},
                    "from": BOT,
                    "text": "…",
                },
            }
        )

    def membership(self, chat: int, before: str, after: str) -> dict[str, Any]:
        """Queue that a citizen blocked (member → kicked) or unblocked the bot."""
        member = {"user": BOT, "until_date": 0}
        return self.update(
            my_chat_member={
                "chat": {"id": chat, "type": "private"},
                "from": {"id": chat, "is_bot": False, "first_name": "Lan"},
                "date": 1_790_000_000,
                "old_chat_member": {"status": before, **member},
                "new_chat_member": {"status": after, **member},
            }
        )

    def update(self, **what: Any) -> dict[str, Any]:
        """Queue any update."""
        made = {"update_id": next(self._numbers), **what}
        self._updates.append(made)
        return made

    def repeat(self, update: dict[str, Any]) -> None:
        """Queue an update a second time, as Telegram does when it did not hear the answer."""
        self._updates.append(update)

    async def post_webhook(self, update: dict[str, Any], base: str | None = None, secret: str | None = None) -> int:
        """Deliver an update as Telegram does; return the status."""
        url = self.webhook["url"] if base is None else base
        headers = {
            "X-Telegram-Bot-Api-Secret-Token": self.webhook.get("secret_token", "") if secret is None else secret
        }
        async with httpx.AsyncClient(timeout=10) as client:
            return (await client.post(url, json=update, headers=headers)).status_code

    def texts(self, chat: int) -> list[str]:
        """The texts that reached a chat."""
        return [s.body["text"] for s in self.sent if s.method == "sendMessage" and s.chat == str(chat)]

    # the server

    async def _call(self, request: Request) -> Response:
        method = request.path_params["method"]
        body = await _fields(request)
        self.calls.append((method, body))
        if request.path_params["token"] != self.token:
            return _error(401, "Unauthorized")
        fault = self._fault(method)
        if fault is not None:
            await asyncio.sleep(fault.delay)
            if fault.drop:
                self._take(method, body)
                return _Dropped()
            if fault.status != 200:
                return _error(fault.status, fault.description, fault.parameters)
        handler = getattr(self, f"_{method}", None)
        if handler is None:
            return _error(404, f"Not Found: method {method}")
        result = await handler(body)
        return result if isinstance(result, Response) else JSONResponse({"ok": True, "result": result})

    def _fault(self, method: str) -> Fault | None:
        waiting = self.faults.get(method)
        return waiting.pop(0) if waiting else None

    def _take(self, method: str, body: dict[str, Any]) -> dict[str, Any]:
        self.sent.append(Sent(method, str(body.get("chat_id", "")), body))
        return {
            "message_id": next(self._messages),
            "date": int(time.time()),
            "chat": {"id": int(body.get("chat_id", 0)), "type": "private"},
            "from": BOT,
            "text": body.get("text", ""),
        }

    async def _getMe(self, body: dict[str, Any]) -> Any:
        return {**BOT, "can_join_groups": True, "can_read_all_group_messages": False, "supports_inline_queries": False}

    async def _setMyCommands(self, body: dict[str, Any]) -> Any:
        return True

    async def _deleteWebhook(self, body: dict[str, Any]) -> Any:
        self.webhook = {}
        return True

    async def _setWebhook(self, body: dict[str, Any]) -> Any:
        self.webhook = body
        return True

    async def _answerCallbackQuery(self, body: dict[str, Any]) -> Any:
        return True

    async def _sendChatAction(self, body: dict[str, Any]) -> Any:
        return True

    async def _sendMessage(self, body: dict[str, Any]) -> Any:
        text = str(body["text"])
        if not text.strip():
            return _error(400, "Bad Request: message text is empty")
        if len(text.encode("utf-16-le")) // 2 > 4096 + 200:  # mark-up does not count; ours is short
            return _error(400, "Bad Request: message is too long")
        markup = body.get("reply_markup")
        for row in (json.loads(markup) if isinstance(markup, str) else markup or {}).get("inline_keyboard", []):
            for button in row:
                if len(button.get("callback_data", "").encode()) > 64:
                    return _error(400, "Bad Request: BUTTON_DATA_INVALID")
        return self._take("sendMessage", body)

    async def _sendDocument(self, body: dict[str, Any]) -> Any:
        message = self._take("sendDocument", body)
        message.pop("text")
        given = body.get("document", "")
        file_id = given if isinstance(given, str) and given.startswith("file-") else f"file-{message['message_id']}"
        return message | {"document": {"file_id": file_id, "file_unique_id": file_id[-8:], "file_name": "a.pdf"}}

    async def _getUpdates(self, body: dict[str, Any]) -> Any:
        offset = int(body.get("offset") or 0)
        until = time.monotonic() + min(float(body.get("timeout") or 0), 2.0)
        self._updates = [u for u in self._updates if u["update_id"] >= offset]
        while not self._updates and time.monotonic() < until:
            await asyncio.sleep(0.02)
        return self._updates[: int(body.get("limit") or 100)]


class _Dropped(Response):
    """Closes the connection without an answer."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"100")]})
        await send({"type": "http.response.body", "body": b"{", "more_body": False})


def _error(status: int, description: str, parameters: dict[str, Any] | None = None) -> JSONResponse:
    body: dict[str, Any] = {"ok": False, "error_code": status, "description": description}
    if parameters:
        body["parameters"] = parameters
    return JSONResponse(body, status_code=status)


async def _fields(request: Request) -> dict[str, Any]:
    """JSON, form or multipart: python-telegram-bot sends forms, other clients JSON."""
    if request.headers.get("content-type", "").startswith("application/json"):
        return dict(await request.json())
    fields = {}
    async with request.form() as form:
        for name, value in form.items():
            fields[name] = value if isinstance(value, str) else f"upload:{value.filename}"
    return {**request.query_params, **fields}
