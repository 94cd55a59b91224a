"""The part of the Zalo Bot Platform that the channel uses, as its documentation describes it, with faults on demand.

It is our own idea of Zalo; python-zalo-bot, written by somebody else, works against it too (tests/bot/channels/test_zalo_bot_client.py).

A test plays the citizens (`message`, `event`), reads what arrived (`sent`, `texts`, `calls`), and makes trouble: `faults` for
the next calls of a method, `latency` and `per_second` for all, `month` for the plan's quota. A webhook, once set, gets its
updates by `deliver`; `disorder` mixes them up, for a poll too.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

TOKEN = "1459232241454765289:emulated-secret"
BOT = {
    "id": "1459232241454765289",
    "account_name": "bot.congdanso",
    "account_type": "BASIC",
    "can_join_groups": True,
}
TAKEN: Final = frozenset({"sendMessage", "sendPhoto", "sendSticker"})
"""Methods that put a message into a chat."""


@dataclass
class Fault:
    """What one request gets instead of an answer. `drop` accepts the request and closes the connection."""

    status: int = 200
    code: int | None = None
    """The error_code in the body; the status if None. Zalo sends some refusals with the status 200."""
    description: str = ""
    parameters: dict[str, Any] | None = None
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    drop: bool = False
    page: str = ""
    """Not Zalo's answer, but the page of a firewall or proxy on the way, with the status."""


@dataclass
class Sent:
    """A request that arrived and was taken."""

    method: str
    chat: str
    body: dict[str, Any]


@dataclass
class ZaloBotEmulator:
    """State of the emulated server; tests read `sent` and write `faults`."""

    sent: list[Sent] = field(default_factory=list)
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    headers: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    """HTTP method, path and headers of each call."""
    faults: dict[str, list[Fault]] = field(default_factory=dict)
    """By method; each fault is used once, in order."""
    latency: float = 0.0
    per_second: int | None = None
    """Messages a second for the whole bot; what is beyond gets 429 and is not taken."""
    month: int | None = None
    """Messages the plan still allows; what is beyond gets 429."""
    webhook: dict[str, Any] = field(default_factory=dict)
    token: str = TOKEN
    longest_poll: float = 2.0
    _updates: deque[dict[str, Any]] = field(default_factory=deque)
    _numbers: Any = field(default_factory=lambda: itertools.count(0x2D758CB5E222177A))
    _taken_at: deque[float] = field(default_factory=deque)

    def app(self) -> Starlette:
        """Return the ASGI application."""
        return Starlette(routes=[Route("/bot{token}/{method}", self._call, methods=["GET", "POST"])])

    def reset(self) -> None:
        """Forget everything; the next test begins."""
        for kept in (
            self.sent,
            self.calls,
            self.headers,
            self.faults,
            self.webhook,
            self._updates,
            self._taken_at,
        ):
            kept.clear()
        self.latency, self.per_second, self.month = 0.0, None, None

    # what citizens do

    def message(self, chat: str, text: str, **fields: Any) -> dict[str, Any]:
        """Queue a text message; return the update."""
        return self.event("message.text.received", chat, text=text, **fields)

    def event(self, name: str, chat: str, *, group: bool = False, **fields: Any) -> dict[str, Any]:
        """Queue an event about a message."""
        body = {
            "message_id": f"{next(self._numbers):020x}",
            "from": {"id": f"{chat}-lan" if group else chat, "display_name": "Lan", "is_bot": False},
            "chat": {"id": chat, "chat_type": "GROUP" if group else "PRIVATE"},
            "date": int(time.time() * 1000),
        }
        return self.update({"event_name": name, "message": body | fields})

    def update(self, made: dict[str, Any]) -> dict[str, Any]:
        """Queue any update; a second time too, as Zalo does when it did not hear the answer."""
        self._updates.append(made)
        return made

    def disorder(self, rng: random.Random, duplicates: float = 0.3) -> None:
        """Mix up what waits, with some of it twice: Zalo promises no order, and sends again what it did not hear the answer of."""
        self._updates.extend([update for update in self._updates if rng.random() < duplicates])
        rng.shuffle(self._updates)

    async def post_webhook(
        self, update: dict[str, Any], base: str | None = None, secret: str | None = None, *, wrapped: bool = True
    ) -> int:
        """Deliver an update as Zalo does; return the status."""
        url = self.webhook["url"] if base is None else base
        given = self.webhook.get("secret_token", "") if secret is None else secret
        body = {"ok": True, "result": update} if wrapped else update
        async with httpx.AsyncClient(timeout=10) as client:
            answer = await client.post(url, json=body, headers={"X-Bot-Api-Secret-Token": given})
        return answer.status_code

    async def deliver(self, base: str | None = None) -> int:
        """Deliver what waits, in order, until one is not acknowledged; return how many were."""
        taken = 0
        while self._updates and await self.post_webhook(self._updates[0], base) == 200:
            self._updates.popleft()
            taken += 1
        return taken

    def texts(self, chat: str) -> list[str]:
        """The texts that reached a chat."""
        return [s.body["text"] for s in self.sent if s.method == "sendMessage" and s.chat == chat]

    def waiting(self) -> int:
        """How many updates nobody has fetched."""
        return len(self._updates)

    # the server

    async def _call(self, request: Request) -> Response:
        method = request.path_params["method"]
        body = await _fields(request)
        self.calls.append((method, body))
        self.headers.append((request.method, request.url.path, dict(request.headers)))
        await asyncio.sleep(self.latency)
        if request.path_params["token"] != self.token:
            return _error(401, "Unauthorized")
        if waiting := self.faults.get(method):
            fault = waiting.pop(0)
            await asyncio.sleep(fault.delay)
            if fault.drop:
                if method in TAKEN:
                    self._take(method, body)
                return _Dropped()
            if fault.page:
                return HTMLResponse(fault.page, status_code=fault.status)
            if fault.status != 200 or fault.code is not None or fault.description:
                return _error(fault.status, fault.description, fault.code, fault.parameters, fault.headers)
        handler = getattr(self, f"_{method}", None)
        if handler is None:
            return _error(404, f"Not found: {method}")
        if method in TAKEN and (refused := self._too_much()):
            return refused
        result = await handler(body)
        return result if isinstance(result, Response) else JSONResponse({"ok": True, "result": result})

    def _too_much(self) -> Response | None:
        now = time.monotonic()
        while self._taken_at and self._taken_at[0] <= now - 1:
            self._taken_at.popleft()
        if self.per_second is not None and len(self._taken_at) >= self.per_second:
            return _error(429, "Quota exceeded")
        if self.month is not None:
            if self.month <= 0:
                return _error(429, "Quota exceeded")
            self.month -= 1
        self._taken_at.append(now)
        return None

    def _take(self, method: str, body: dict[str, Any]) -> dict[str, Any]:
        self.sent.append(Sent(method, str(body.get("chat_id", "")), body))
        return {"message_id": f"{next(self._numbers):020x}", "date": int(time.time() * 1000)}

    async def _getMe(self, body: dict[str, Any]) -> Any:
        return BOT

    async def _setWebhook(self, body: dict[str, Any]) -> Any:
        if not 8 <= len(str(body.get("secret_token", ""))) <= 256:
            return _error(400, "Bad request: secret_token must have 8 to 256 characters")
        if not str(body.get("url", "")).startswith("https://"):
            return _error(400, "Bad request: url must be https")
        self.webhook = dict(body)
        verified = {"ok": True, "outcome": "webhook.ok", "status_code": 200}
        return {"url": body["url"], "updated_at": int(time.time() * 1000), "verification": verified}

    async def _deleteWebhook(self, body: dict[str, Any]) -> Any:
        if not self.webhook:
            return _error(404, "Not found: no webhook")
        self.webhook = {}
        return {"url": "", "updated_at": int(time.time() * 1000)}

    async def _getWebhookInfo(self, body: dict[str, Any]) -> Any:
        if not self.webhook:
            return _error(404, "Not found: no webhook")
        return {"url": self.webhook["url"], "updated_at": int(time.time() * 1000)}

    async def _getUpdates(self, body: dict[str, Any]) -> Any:
        if self.webhook:
            return _error(400, "Bad request: a webhook is active")
        until = time.monotonic() + min(float(body.get("timeout") or 30), self.longest_poll)
        while not self._updates:
            if time.monotonic() >= until:
                return _error(408, "Request timeout")
            await asyncio.sleep(0.02)
        return self._updates.popleft()

    async def _sendMessage(self, body: dict[str, Any]) -> Any:
        return _bad_text(body, "text", 1) or _no_chat(body) or self._take("sendMessage", body)

    async def _sendPhoto(self, body: dict[str, Any]) -> Any:
        if not str(body.get("photo", "")).startswith("https://"):
            return _error(400, "Bad request: photo must be a https address")
        return _bad_text(body, "caption", 0) or _no_chat(body) or self._take("sendPhoto", body)

    async def _sendSticker(self, body: dict[str, Any]) -> Any:
        return _no_chat(body) or self._take("sendSticker", body)

    async def _sendChatAction(self, body: dict[str, Any]) -> Any:
        if body.get("action") != "typing":
            return _error(400, "Bad request: unknown action")
        return _no_chat(body) or JSONResponse({"ok": True})


class _Dropped(Response):
    """Closes the connection without an answer."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"100")]})
        await send({"type": "http.response.body", "body": b"{", "more_body": False})


def _error(
    status: int,
    description: str,
    code: int | None = None,
    parameters: dict[str, Any] | None = None,
    headers: dict[str, str] | None = None,
) -> JSONResponse:
    body: dict[str, Any] = {"ok": False, "error_code": status if code is None else code, "description": description}
    if parameters:
        body["parameters"] = parameters
    return JSONResponse(body, status_code=status, headers=headers)


async def _fields(request: Request) -> dict[str, Any]:
    """JSON, form or query: the documentation's examples send JSON, python-zalo-bot sends forms."""
    query: dict[str, Any] = dict(request.query_params)
    if request.headers.get("content-type", "").startswith("application/json"):
        found = await request.json()
        return {**query, **found} if isinstance(found, dict) else query
    async with request.form() as form:
        return {**query, **{name: value for name, value in form.items() if isinstance(value, str)}}


def _bad_text(body: dict[str, Any], name: str, least: int) -> Response | None:
    text = body.get(name, "" if least == 0 else None)
    if not isinstance(text, str) or not least <= len(text.strip()) or len(text) > 2000:
        return _error(400, f"Bad request: {name} must have 1 to 2000 characters")
    return None


def _no_chat(body: dict[str, Any]) -> Response | None:
    return None if body.get("chat_id") else _error(400, "Bad request: chat_id is empty")
