"""Zalo's three hosts (openapi, business.openapi, oauth) as far as the channel uses them, in one server, with faults on demand.

Zalo offers no test OA, and nobody has published an emulator: this is our own idea of Zalo, made from its documentation and
official samples. What it cannot settle is listed in docs/adr/0010.

A test plays the citizens (`citizen`, `now`), reads what arrived (`sent`, `calls`, `broadcasts`), and makes trouble:
`faults` for the next calls of a path, `latency` and `per_minute` for all. Events go out by `tests.emulators.zalo_oa_events`.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import json
import time
from base64 import urlsafe_b64encode
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from tests.emulators.server import Dropped

APP_ID: Final = "360846524940903967"
APP_SECRET: Final = "emulated-app-secret"
OA_SECRET: Final = "emulated-oa-secret"
OA_ID: Final = "388613280878808645"
ZONE: Final = ZoneInfo("Asia/Ho_Chi_Minh")
CS, BROADCAST, OAUTH = "/v3.0/oa/message/cs", "/v2.0/oa/message", "/v4/oa/access_token"
TEMPLATE, TEMPLATE_BY_PHONE = "/v3.0/oa/message/template", "/message/template"
UPLOAD_FILE, UPLOAD_IMAGE = "/v2.0/oa/upload/file", "/v2.0/oa/upload/image"
ACCESS_LIFE, UPLOAD_LIFE = timedelta(hours=25), timedelta(days=7)


@dataclass
class Fault:
    """What one request gets instead of an answer. `drop` does what was asked and closes the connection."""

    error: int = 0
    message: str = ""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    drop: bool = False
    page: str = ""
    """Not Zalo's answer, but the page of a firewall or proxy on the way, with the status."""


@dataclass
class Call:
    """A request that arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: dict[str, Any]


@dataclass
class Sent:
    """A message that was taken."""

    path: str
    user: str
    message: dict[str, Any]


@dataclass
class Person:
    """A citizen with a Zalo account, as the OA knows them."""

    last_interaction: datetime
    follows: bool = True
    blocked: bool = False
    tags: set[str] = field(default_factory=set)


class Refusal(Exception):
    """An error inside HTTP 200."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.answer = {"error": code, "message": message}


@dataclass
class ZaloOaEmulator:
    """State of the emulated servers; tests read `sent` and write `faults`."""

    sent: list[Sent] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    faults: dict[str, list[Fault]] = field(default_factory=dict)
    """By path; each fault is used once, in order."""
    people: dict[str, Person] = field(default_factory=dict)
    uploads: dict[str, tuple[bytes, datetime]] = field(default_factory=dict)
    broadcasts: list[dict[str, Any]] = field(default_factory=list)
    articles: dict[str, int] = field(default_factory=dict)
    """By token: how often to ask before the article is ready."""
    codes: dict[str, str] = field(default_factory=dict)
    """Authorization codes with the challenge each was given for."""
    latency: float = 0.0
    per_minute: int | None = None
    takes_buttons: bool = True
    paid: int = 0
    """Messages left that the OA has paid for, for the time after 48 hours."""
    article_polls: int = 1
    now: datetime | None = None
    """None: the real time."""
    access: dict[str, datetime] = field(default_factory=dict)
    refresh: str = ""
    _numbers: Any = field(default_factory=lambda: itertools.count(1))
    _requests: deque[float] = field(default_factory=deque)

    def app(self) -> Starlette:
        """Return the ASGI application."""
        return Starlette(routes=[Route("/{path:path}", self._call, methods=["GET", "POST"])])

    def reset(self) -> None:
        """Forget everything; the next test begins."""
        fresh = ZaloOaEmulator()
        for name, value in vars(fresh).items():
            setattr(self, name, value)

    def moment(self) -> datetime:
        """What time it is for Zalo."""
        return self.now or datetime.now(UTC)

    # what a test sets up

    def pair(self) -> tuple[str, str]:
        """Give the OA a new pair of tokens; the old pair is dead."""
        number = next(self._numbers)
        self.access = {f"access-{number}": self.moment() + ACCESS_LIFE}
        self.refresh = f"refresh-{number}"
        return f"access-{number}", self.refresh

    def citizen(self, user: str, *, ago: timedelta = timedelta(0), **fields: Any) -> Person:
        """Have somebody turn to the OA, so long ago."""
        self.people[user] = Person(self.moment() - ago, **fields)
        return self.people[user]

    def texts(self, user: str) -> list[str]:
        """The texts that reached a citizen."""
        return [s.message["text"] for s in self.sent if s.user == user and "text" in s.message]

    def asked(self, path: str) -> int:
        """How often a path was asked."""
        return sum(call.path == path for call in self.calls)

    # the servers

    async def _call(self, request: Request) -> Response:
        path = request.url.path
        body = await _body(request)
        self.calls.append(Call(request.method, path, dict(request.headers), _readable(body)))
        await asyncio.sleep(self.latency)
        waiting = self.faults.get(path)
        fault = waiting.pop(0) if waiting else None
        if fault is not None:
            await asyncio.sleep(fault.delay)
            if fault.page:
                return HTMLResponse(fault.page, status_code=fault.status, headers=fault.headers)
            if fault.status >= 400:
                return JSONResponse({"message": fault.message}, status_code=fault.status, headers=fault.headers)
            if fault.error:
                return JSONResponse({"error": fault.error, "message": fault.message}, headers=fault.headers)
        answer, headers = self._answer(request, path, body)
        if fault is not None and fault.drop:
            return Dropped()
        return JSONResponse(answer, headers=headers | (fault.headers if fault is not None else {}))

    def _answer(self, request: Request, path: str, body: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
        if path == OAUTH:
            return self._oauth(request, body), {}
        headers: dict[str, str] = {}
        try:
            self._authorise(request, path)
            headers = self._count()
            data = HANDLERS.get((request.method, path), E._unknown)(self, body)
        except Refusal as refusal:
            return refusal.answer, headers
        return {"data": data, "error": 0, "message": "Success"}, headers

    def _authorise(self, request: Request, path: str) -> None:
        token = request.headers.get("access_token", "")
        business = path.startswith("/message/")
        if token not in self.access:
            raise Refusal(-124 if business else -216, "Access token is invalid")
        if self.access[token] <= self.moment():
            raise Refusal(-124 if business else -220, "Access token has expired")

    def _count(self) -> dict[str, str]:
        if self.per_minute is None:
            return {}
        now = time.monotonic()
        while self._requests and self._requests[0] <= now - 60:
            self._requests.popleft()
        if len(self._requests) >= self.per_minute:
            raise Refusal(-32, "Rate limit exceeded")
        self._requests.append(now)
        left = self.per_minute - len(self._requests)
        return {"X-RateLimit-Limit": str(self.per_minute), "X-RateLimit-Remain": str(left)}

    def _oauth(self, request: Request, form: dict[str, Any]) -> dict[str, Any]:
        if request.headers.get("secret_key") != APP_SECRET or form.get("app_id") != APP_ID:
            return {"error_name": "Invalid app", "error_reason": "secret_key is invalid", "error": -14002}
        if form.get("grant_type") == "authorization_code":
            challenge = self.codes.pop(str(form.get("code")), None)
            digest = hashlib.sha256(str(form.get("code_verifier")).encode()).digest()
            if challenge is None or challenge != urlsafe_b64encode(digest).rstrip(b"=").decode():
                return {"error_name": "Invalid code", "error_reason": "code or verifier is invalid", "error": -14003}
        elif not self.refresh or form.get("refresh_token") != self.refresh:
            return {"error_name": "Invalid refresh token", "error_reason": "refresh token is invalid", "error": -14014}
        access, refresh = self.pair()
        return {"access_token": access, "refresh_token": refresh, "expires_in": "90000"}

    def _person(self, user: object) -> Person:
        person = self.people.get(str(user))
        if person is None:
            raise Refusal(-201, "user_id is invalid!")
        if person.blocked:
            raise Refusal(-227, "User has blocked the OA or was away for 45 days")
        return person

    def _cs(self, body: dict[str, Any]) -> dict[str, Any]:
        recipient = _part(body, "recipient")
        message = self._message(body)
        if "anonymous_id" in recipient:
            return self._take(CS, f"{recipient['anonymous_id']}:{recipient['conversation_id']}", message)
        person = self._person(recipient.get("user_id"))
        age = self.moment() - person.last_interaction
        if age > timedelta(days=7):
            raise Refusal(-230, "User has not interacted with the OA in the past 7 days")
        quota: dict[str, Any] = {"quota": {"quota_type": "reply"}}
        if age > timedelta(hours=48):
            if self.paid < 1:
                raise Refusal(-211, "Out of quota")
            self.paid -= 1
            quota = {
                "quota": {"quota_type": "sub_quota", "remain": self.paid, "total": 2000, "expired_date": "30/04/2027"}
            }
        return self._take(CS, str(recipient["user_id"]), message) | quota

    def _message(self, body: dict[str, Any]) -> dict[str, Any]:
        message = _part(body, "message")
        text, attachment = message.get("text"), _part(message, "attachment")
        if not text and not attachment:
            raise Refusal(-201, "message is invalid!")
        if text is not None and not (isinstance(text, str) and 0 < len(text.encode("utf-16-le")) // 2 <= 2000):
            raise Refusal(-210, "text is longer than 2000 characters")
        payload = _part(attachment, "payload")
        buttons = payload.get("buttons", [])
        if len(buttons) > 5 or any(not button.get("title") or not button.get("payload") for button in buttons):
            raise Refusal(-210, "buttons are outside the permitted range")
        if buttons and not self.takes_buttons:
            raise Refusal(-233, "Message type is invalid or not supported")
        handles = [payload["token"]] if "token" in payload else []
        handles += [e["attachment_id"] for e in payload.get("elements", []) if "attachment_id" in e]
        for handle in handles:
            kept = self.uploads.get(handle)
            if kept is None or kept[1] + UPLOAD_LIFE <= self.moment():
                raise Refusal(-100, "attachment has expired")
        return message

    def _take(self, path: str, user: str, message: dict[str, Any]) -> dict[str, Any]:
        self.sent.append(Sent(path, user, message))
        now = str(int(self.moment().timestamp() * 1000))
        return {"message_id": f"m{next(self._numbers)}", "user_id": user, "sent_time": now}

    def _old_message(self, body: dict[str, Any]) -> dict[str, Any]:
        """The second version's interface, of which broadcasts and anonymous messages are left."""
        recipient = _part(body, "recipient")
        if "anonymous_id" in recipient:
            who = f"{recipient['anonymous_id']}:{recipient['conversation_id']}"
            return self._take(BROADCAST, who, self._message(body))
        if "target" not in recipient:
            raise Refusal(-240, "This API is no longer supported")
        if not 6 <= self.moment().astimezone(ZONE).hour < 22:
            raise Refusal(-234, "Broadcasts are not allowed at night")
        elements = _part(_part(_part(body, "message"), "attachment"), "payload").get("elements", [])
        if len(elements) != 1 or elements[0].get("media_type") != "article":
            raise Refusal(-201, "attachment is invalid!")
        self.broadcasts.append(body)
        return {"message_id": f"b{next(self._numbers)}"}

    def _template(self, body: dict[str, Any]) -> dict[str, Any]:
        self._person(body.get("user_id"))
        return self._take(TEMPLATE, str(body["user_id"]), body)

    def _template_by_phone(self, body: dict[str, Any]) -> dict[str, Any]:
        if not str(body.get("phone", "")).startswith("84"):
            raise Refusal(-201, "phone is invalid!")
        taken = self._take(TEMPLATE_BY_PHONE, "", {k: v for k, v in body.items() if k != "phone"})
        quota = {"dailyQuota": "500", "remainingQuota": "499"}
        return {"msg_id": taken["message_id"], "sent_time": taken["sent_time"], "sending_mode": "1", "quota": quota}

    def _upload(self, body: dict[str, Any], name: str, limit: int) -> dict[str, Any]:
        content = body.get("file")
        if not isinstance(content, bytes) or len(content) > limit:
            raise Refusal(-210, "file is outside the permitted range")
        handle = f"upload-{next(self._numbers)}"
        self.uploads[handle] = content, self.moment()
        return {name: handle}

    def _create_article(self, body: dict[str, Any]) -> dict[str, Any]:
        if not 0 < len(body.get("title", "")) <= 150 or not body.get("body"):
            raise Refusal(-201, "title is invalid!")
        token = f"article-token-{next(self._numbers)}"
        self.articles[token] = self.article_polls
        return {"token": token}

    def _verify_article(self, body: dict[str, Any]) -> dict[str, Any]:
        token = str(body.get("token"))
        if token not in self.articles:
            raise Refusal(-201, "token is invalid!")
        self.articles[token] -= 1
        if self.articles[token] >= 0:
            raise Refusal(-214, "Article is being processed")
        return {"id": token.replace("token", "id")}

    def _quota(self, body: dict[str, Any]) -> Any:
        if body.get("quota_owner"):
            entry = {"asset_id": "8c27", "product_type": body.get("product_type", "cs"), "quota_type": "sub_quota"}
            return [entry | {"valid_through": "30/04/2027", "total": 2000, "remain": self.paid}]
        person = self._person(body.get("user_id"))
        promotion = {"daily_remain": 1, "daily_total": 1, "monthly_remain": 4, "monthly_total": 4}
        last = str(int(person.last_interaction.timestamp() * 1000))
        return {"last_interaction": last, "cs_reply": {"remain": 8, "total": 8}, "promotion": promotion}

    def _followers(self, query: dict[str, Any]) -> dict[str, Any]:
        offset, count = int(query.get("offset", 0)), int(query.get("count", 0))
        if not 0 < count <= 50 or not 0 <= offset <= 9951:
            raise Refusal(-210, "offset or count is outside the permitted range")
        tag, week = query.get("tag_name"), query.get("last_interaction_period") == "L7D"
        fitting = [
            user
            for user, person in self.people.items()
            if person.follows
            and (not tag or tag in person.tags)
            and (not week or self.moment() - person.last_interaction <= timedelta(days=7))
        ]
        page = fitting[offset : offset + count]
        return {"total": len(fitting), "count": len(page), "offset": offset, "users": [{"user_id": u} for u in page]}

    def _tag(self, body: dict[str, Any]) -> None:
        self._person(body.get("user_id")).tags.add(str(body["tag_name"]))

    def _untag(self, body: dict[str, Any]) -> None:
        self._person(body.get("user_id")).tags.discard(str(body["tag_name"]))

    def _tags(self, _: dict[str, Any]) -> list[str]:
        return sorted({tag for person in self.people.values() for tag in person.tags})

    def _remove_tag(self, body: dict[str, Any]) -> None:
        for person in self.people.values():
            person.tags.discard(str(body["tag_name"]))

    def _profile(self, _: dict[str, Any]) -> dict[str, Any]:
        return {"oa_id": OA_ID, "name": "Xã Phủ Thông", "is_verified": True, "num_follower": len(self.people)}

    def _unknown(self, _: dict[str, Any]) -> None:
        raise Refusal(-201, "method is invalid!")

    def _detail(self, query: dict[str, Any]) -> dict[str, Any]:
        self._person(query.get("user_id"))
        return {"user_id": str(query["user_id"]), "display_name": "Nguyễn Thị Lan", "user_is_follower": True}


E = ZaloOaEmulator
HANDLERS: Final[dict[tuple[str, str], Any]] = {
    ("POST", CS): E._cs,
    ("POST", BROADCAST): E._old_message,
    ("POST", TEMPLATE): E._template,
    ("POST", TEMPLATE_BY_PHONE): E._template_by_phone,
    ("POST", UPLOAD_FILE): lambda e, body: e._upload(body, "token", 5 * 1024 * 1024),
    ("POST", UPLOAD_IMAGE): lambda e, body: e._upload(body, "attachment_id", 1024 * 1024),
    ("POST", "/v2.0/article/create"): E._create_article,
    ("POST", "/v2.0/article/verify"): E._verify_article,
    ("POST", "/v3.0/oa/quota/message"): E._quota,
    ("GET", "/v3.0/oa/user/getlist"): E._followers,
    ("GET", "/v3.0/oa/user/detail"): E._detail,
    ("POST", "/v2.0/oa/tag/tagfollower"): E._tag,
    ("POST", "/v2.0/oa/tag/rmfollowerfromtag"): E._untag,
    ("GET", "/v2.0/oa/tag/gettagsofoa"): E._tags,
    ("POST", "/v2.0/oa/tag/rmtag"): E._remove_tag,
    ("GET", "/v2.0/oa/getoa"): E._profile,
}


async def _body(request: Request) -> dict[str, Any]:
    """JSON, form or multipart; of a GET the parameter `data`. A file is returned as bytes."""
    if request.method == "GET":
        found = json.loads(request.query_params.get("data", "{}"))
        return found if isinstance(found, dict) else {}
    if request.headers.get("content-type", "").startswith("application/json"):
        found = await request.json()
        return found if isinstance(found, dict) else {}
    async with request.form() as form:
        return {name: value if isinstance(value, str) else await value.read() for name, value in form.items()}


def _readable(body: dict[str, Any]) -> dict[str, Any]:
    return {name: f"{len(value)} bytes" if isinstance(value, bytes) else value for name, value in body.items()}


def _part(body: dict[str, Any], name: str) -> dict[str, Any]:
    found = body.get(name)
    return found if isinstance(found, dict) else {}
