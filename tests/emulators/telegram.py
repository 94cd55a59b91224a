"""The part of the Bot API that the channel uses, as python-telegram-bot expects it, with faults on demand.

Half of what is tested against it is therefore our own idea of Telegram; its limits and errors follow the Bot API's page.

A test plays the citizens (`message`, `press`, `membership`), reads what arrived (`sent`, `texts`, `calls`, `files`), and
makes trouble: `faults` for the next calls of a method, `chats` for a chat until the entry is removed, `latency` and
`per_second` for all. A webhook, once set, gets its updates by `deliver`; after `disorder`, which polling does not know, out of order.
"""

from __future__ import annotations

import asyncio
import html
import itertools
import json
import random
import re
import time
from collections import deque
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any, Final

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from tests.emulators.server import Dropped

TOKEN = "12345:emulated-token"
BOT = {"id": 12345, "is_bot": True, "first_name": "Công dân số", "username": "cds_test_bot"}

UPLOADS: Final = frozenset({"sendDocument", "sendPhoto"})
TAKEN: Final = frozenset({"sendMessage", *UPLOADS})
"""Methods that put a message into a chat."""


@dataclass
class Fault:
    """What one request gets instead of an answer. `drop` accepts the request and closes the connection."""

    status: int = 200
    description: str = ""
    parameters: dict[str, Any] | None = None
    delay: float = 0.0
    drop: bool = False
    page: str = ""
    """Not Telegram's answer, but the page of a firewall or proxy on the way, with the status."""


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
    headers: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    """HTTP method, path and headers of each call."""
    faults: dict[str, list[Fault]] = field(default_factory=dict)
    """By method; each fault is used once, in order."""
    chats: dict[str, Fault] = field(default_factory=dict)
    """By chat; a fault stays until the test takes it away (a citizen who blocked the bot)."""
    latency: float = 0.0
    per_second: int | None = None
    """Messages a second for the whole bot; what is beyond gets 429 and is not taken."""
    files: dict[str, bytes] = field(default_factory=dict)
    """Uploads, by the file_id given to them."""
    webhook: dict[str, Any] = field(default_factory=dict)
    token: str = TOKEN
    _updates: list[dict[str, Any]] = field(default_factory=list)
    _numbers: Any = field(default_factory=lambda: itertools.count(1000))
    _messages: Any = field(default_factory=lambda: itertools.count(1))
    _taken_at: deque[float] = field(default_factory=deque)

    def app(self) -> Starlette:
        """Return the ASGI application."""
        return Starlette(
            routes=[
                Route("/bot{token}/{method}", self._call, methods=["GET", "POST"]),
                Route("/file/bot{token}/{path}", self._download),
            ]
        )

    def reset(self) -> None:
        """Forget everything; the next test begins."""
        for kept in (
            self.sent,
            self.calls,
            self.headers,
            self.faults,
            self.chats,
            self.files,
            self.webhook,
            self._updates,
            self._taken_at,
        ):
            kept.clear()
        self.latency, self.per_second = 0.0, None

    # what citizens do

    def message(self, chat: int, text: str, /, **fields: Any) -> dict[str, Any]:
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

    def disorder(self, rng: random.Random, duplicates: float = 0.3) -> None:
        """Mix up what waits, with some of it twice: webhooks run side by side, and what was not heard comes again later."""
        self._updates.extend([update for update in self._updates if rng.random() < duplicates])
        rng.shuffle(self._updates)

    async def post_webhook(self, update: dict[str, Any], base: str | None = None, secret: str | None = None) -> int:
        """Deliver an update as Telegram does; return the status."""
        url = self.webhook["url"] if base is None else base
        headers = {
            "X-Telegram-Bot-Api-Secret-Token": self.webhook.get("secret_token", "") if secret is None else secret
        }
        async with httpx.AsyncClient(timeout=10) as client:
            return (await client.post(url, json=update, headers=headers)).status_code

    async def deliver(self, attempts: int = 5, pause: float = 0.05, base: str | None = None) -> int:
        """Post what waits to the webhook, in order; an update that is not taken is repeated. Return how many were taken."""
        taken = 0
        while self._updates and self.webhook.get("url"):
            for _ in range(attempts):
                if 200 <= await self.post_webhook(self._updates[0], base) < 300:
                    break
                await asyncio.sleep(pause)
            else:
                return taken
            self._updates.pop(0)
            taken += 1
        return taken

    def waiting(self) -> int:
        """How many updates nobody has acknowledged."""
        return len(self._updates)

    def texts(self, chat: int) -> list[str]:
        """The texts that reached a chat."""
        return [s.body["text"] for s in self.sent if s.method == "sendMessage" and s.chat == str(chat)]

    # the server

    async def _call(self, request: Request) -> Response:
        method = request.path_params["method"]
        body, uploads = await _fields(request)
        self.calls.append((method, body))
        self.headers.append((request.method, request.url.path, dict(request.headers)))
        await asyncio.sleep(self.latency)
        if request.path_params["token"] != self.token:
            return _error(401, "Unauthorized")
        fault = self._fault(method, str(body.get("chat_id", "")))
        if fault is not None:
            await asyncio.sleep(fault.delay)
            if fault.drop:
                self._take(method, body)
                return Dropped()
            if fault.page:
                return HTMLResponse(fault.page, status_code=fault.status)
            if fault.status != 200:
                return _error(fault.status, fault.description, fault.parameters)
        handler = getattr(self, f"_{method}", None)
        if handler is None:
            return _error(404, f"Not Found: method {method}")
        if method in TAKEN and self._too_fast():
            return _error(429, "Too Many Requests: retry after 1", {"retry_after": 1})
        result = await (handler(body, uploads) if method in UPLOADS else handler(body))
        return result if isinstance(result, Response) else JSONResponse({"ok": True, "result": result})

    async def _download(self, request: Request) -> Response:
        content = self.files.get(request.path_params["path"])
        if content is None or request.path_params["token"] != self.token:
            return Response(status_code=404)
        return Response(content)

    def _fault(self, method: str, chat: str) -> Fault | None:
        if waiting := self.faults.get(method):
            return waiting.pop(0)
        return self.chats.get(chat) if method in TAKEN else None

    def _too_fast(self) -> bool:
        now = time.monotonic()
        while self._taken_at and self._taken_at[0] <= now - 1:
            self._taken_at.popleft()
        if self.per_second is not None and len(self._taken_at) >= self.per_second:
            return True
        self._taken_at.append(now)
        return False

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
        for command in _json(body.get("commands")) or []:
            if not re.fullmatch(r"[a-z0-9_]{1,32}", command["command"]):
                return _error(400, "Bad Request: BOT_COMMAND_INVALID")
            if not 1 <= len(command["description"]) <= 256:
                return _error(400, "Bad Request: BOT_COMMAND_DESCRIPTION_INVALID")
        return True

    async def _setChatMenuButton(self, body: dict[str, Any]) -> Any:
        return True

    async def _deleteWebhook(self, body: dict[str, Any]) -> Any:
        self.webhook = {}
        if body.get("drop_pending_updates") in (True, "true", "True"):
            self._updates.clear()
        return True

    async def _setWebhook(self, body: dict[str, Any]) -> Any:
        if not re.fullmatch(r"[A-Za-z0-9_-]{0,256}", str(body.get("secret_token", ""))):
            return _error(400, "Bad Request: secret token contains unallowed characters")
        self.webhook = body
        return True

    async def _getWebhookInfo(self, body: dict[str, Any]) -> Any:
        return {
            "url": self.webhook.get("url", ""),
            "has_custom_certificate": False,
            "pending_update_count": len(self._updates),
        }

    async def _answerCallbackQuery(self, body: dict[str, Any]) -> Any:
        return True

    async def _sendChatAction(self, body: dict[str, Any]) -> Any:
        return True

    async def _sendMessage(self, body: dict[str, Any]) -> Any:
        return _refusal(body, "text", 4096) or self._take("sendMessage", body)

    async def _editMessageText(self, body: dict[str, Any]) -> Any:
        return _refusal(body, "text", 4096) or self._edit("editMessageText", body)

    async def _editMessageReplyMarkup(self, body: dict[str, Any]) -> Any:
        return _bad_markup(body) or self._edit("editMessageReplyMarkup", body)

    async def _deleteMessages(self, body: dict[str, Any]) -> Any:
        self.sent.append(Sent("deleteMessages", str(body.get("chat_id", "")), body))
        return True

    def _edit(self, method: str, body: dict[str, Any]) -> dict[str, Any]:
        return self._take(method, body) | {"message_id": int(body["message_id"]), "edit_date": int(time.time())}

    async def _sendDocument(self, body: dict[str, Any], uploads: dict[str, bytes]) -> Any:
        file_id = self._file(body.get("document", ""), uploads.get("document"))
        if file_id is None:
            return _error(400, "Bad Request: wrong file identifier/HTTP URL specified")
        message = _refusal(body, "caption", 1024) or self._take("sendDocument", body)
        if isinstance(message, Response):
            return message
        message.pop("text")
        return message | {"document": {"file_id": file_id, "file_unique_id": file_id[-8:], "file_name": "a.pdf"}}

    async def _sendPhoto(self, body: dict[str, Any], uploads: dict[str, bytes]) -> Any:
        file_id = self._file(body.get("photo", ""), uploads.get("photo"))
        if file_id is None:
            return _error(400, "Bad Request: wrong file identifier/HTTP URL specified")
        message = _refusal(body, "caption", 1024) or self._take("sendPhoto", body)
        if isinstance(message, Response):
            return message
        message.pop("text")
        return message | {"photo": [{"file_id": file_id, "file_unique_id": file_id[-8:], "width": 9, "height": 9}]}

    def _file(self, given: str, upload: bytes | None) -> str | None:
        """Keep an upload under a new file_id, or find a known one."""
        if upload is None:
            return given if given in self.files else None
        file_id = f"file-{len(self.files) + 1:08d}"
        self.files[file_id] = upload
        return file_id

    async def _getFile(self, body: dict[str, Any]) -> Any:
        file_id = str(body.get("file_id", ""))
        if file_id not in self.files:
            return _error(400, "Bad Request: invalid file_id")
        size = len(self.files[file_id])
        return {"file_id": file_id, "file_unique_id": file_id[-8:], "file_size": size, "file_path": file_id}

    async def _getUpdates(self, body: dict[str, Any]) -> Any:
        if self.webhook.get("url"):
            return _error(409, "Conflict: can't use getUpdates method while webhook is active")
        offset = int(body.get("offset") or 0)
        until = time.monotonic() + min(float(body.get("timeout") or 0), 2.0)
        # In place: the test's thread writes meanwhile, and nothing that it adds may get lost.
        for old in [u for u in self._updates if u["update_id"] < offset]:
            self._updates.remove(old)
        while not self._updates and time.monotonic() < until:
            await asyncio.sleep(0.02)
        return self._updates[: int(body.get("limit") or 100)]


def _error(status: int, description: str, parameters: dict[str, Any] | None = None) -> JSONResponse:
    body: dict[str, Any] = {"ok": False, "error_code": status, "description": description}
    if parameters:
        body["parameters"] = parameters
    return JSONResponse(body, status_code=status)


async def _fields(request: Request) -> tuple[dict[str, Any], dict[str, bytes]]:
    """JSON, form, multipart or query: python-telegram-bot sends forms, other clients JSON. Files are returned beside."""
    query: dict[str, Any] = dict(request.query_params)
    if request.headers.get("content-type", "").startswith("application/json"):
        return {**query, **await request.json()}, {}
    fields: dict[str, Any] = {}
    uploads: dict[str, bytes] = {}
    async with request.form() as form:
        for name, value in form.items():
            if isinstance(value, str):
                fields[name] = value
            else:
                fields[name] = f"upload:{value.filename}"
                uploads[name] = await value.read()
    return {**query, **fields}, uploads


def _json(value: Any) -> Any:
    """A parameter of a form is JSON in a text."""
    return json.loads(value) if isinstance(value, str) else value


def _refusal(body: dict[str, Any], name: str, limit: int) -> Response | None:
    """What Telegram says to a text (or caption) that it does not take."""
    text = str(body.get(name, ""))
    if body.get("parse_mode") == "HTML":
        reader = _Html()
        try:
            reader.feed(text)
            reader.close()
        except ValueError as error:
            return _error(400, f"Bad Request: can't parse entities: {error}")
        if reader.open:
            return _error(
                400, f"Bad Request: can't parse entities: can't find end tag corresponding to {reader.open[-1]}"
            )
        text = "".join(reader.text)
    if name == "text" and not text.strip():
        return _error(400, "Bad Request: message text is empty")
    if len(text.encode("utf-16-le")) // 2 > limit:
        return _error(400, f"Bad Request: {'message' if name == 'text' else 'message caption'} is too long")
    return _bad_markup(body)


def _bad_markup(body: dict[str, Any]) -> Response | None:
    """What Telegram says to buttons that it does not take."""
    for row in (_json(body.get("reply_markup")) or {}).get("inline_keyboard", []):
        for button in row:
            if not button.get("text"):
                return _error(400, "Bad Request: inline keyboard button text must be non-empty")
            if "url" in button:
                if not re.match(r"(https?|tg)://\S+$", button["url"]):
                    return _error(400, "Bad Request: BUTTON_URL_INVALID")
            elif not 1 <= len(button.get("callback_data", "").encode()) <= 64:
                return _error(400, "Bad Request: BUTTON_DATA_INVALID")
    return None


class _Html(HTMLParser):
    """Telegram's own little HTML: some tags, four named entities, everything closed in order."""

    TAGS = frozenset({"b", "strong", "i", "em", "u", "ins", "s", "strike", "del", "a", "code", "pre", "blockquote"})

    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.open: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        if tag not in self.TAGS:
            raise ValueError(f'unsupported start tag "{tag}"')
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            raise ValueError(f'unmatched end tag "{tag}"')

    def handle_data(self, data: str) -> None:
        if "<" in data:
            raise ValueError("unexpected <")
        self.text.append(data)

    def handle_entityref(self, name: str) -> None:
        self.text.append(html.unescape(f"&{name};") if name in ("lt", "gt", "amp", "quot") else f"&{name};")

    def handle_charref(self, name: str) -> None:
        self.text.append(html.unescape(f"&#{name};"))
