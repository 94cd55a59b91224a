"""The API of announcements, for programs and pages: the same acts, the same checks, as one officer each time.

Who acts is found by `console.acting`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, FastAPI, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from bot.announcements.audience import audience_of, groups
from bot.announcements.content import Refused, content_of
from bot.announcements.control import Control
from bot.announcements.desk import Desk
from bot.announcements.lifecycle import NotAllowed
from bot.announcements.people import ANNOUNCE, SEE
from bot.announcements.planning import Plan, Wish
from bot.announcements.reading import Progress
from bot.announcements.report import Reporting
from bot.announcements.schedules import BadSchedule, repeat_of
from bot.announcements.viewing import Viewing
from bot.clock import ZONE, Clock
from console.accounts import Accounts
from console.acting import Callers, Who, known_to
from console.chats import Chats
from console.permissions import Officer

PREFIX: Final = "/api/announcements"
XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
Text = Annotated[str, Field(max_length=8_000)]
Short = Annotated[str, Field(max_length=500)]
Unit = Annotated[str, Field(max_length=64)]
REFUSALS: Final[dict[int | str, dict[str, Any]]] = {
    400: {"description": "the body is no JSON"},
    401: {"description": "nobody is named"},
    403: {"description": "the form token is missing"},
    409: {"description": "the state does not allow it; both states are named"},
    422: {"description": "refused, each problem in a sentence"},
}


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)


class Button(_Body):
    """A button of the officer's: `target` is a link's address, or a question's topic."""

    kind: Literal["link", "read", "join", "ask"]
    label: Annotated[str, Field(max_length=64)] = ""
    target: Annotated[str, Field(max_length=600)] = ""


class Template(_Body):
    """A template that Zalo approved, for citizens of one account who wrote too long ago for free text; costs money."""

    account: Short
    id: Annotated[str, Field(max_length=32)]
    data: dict[str, Annotated[str, Field(max_length=600)]] = Field(
        default={}, description="its parameters; places as in the text, and {noi_dung} for the text itself"
    )
    promotional: bool = False
    price: Annotated[int, Field(ge=0, lt=10**7)] | None = Field(default=None, description="đồng a message")


class Content(_Body):
    """What is said. Places to fill in: {xa}, {tinh}, {ten_don_vi}, {ngay}."""

    text: Text
    category: Annotated[str, Field(max_length=32)] = "khac"
    buttons: list[Button] = []
    documents: list[Short] = []
    bodies: dict[str, Text] = Field(default={}, description="a wording of its own for a channel")
    templates: list[Template] = []


class Writing(_Body):
    """An announcement as it is written."""

    unit: Unit
    content: Content
    audience: dict[str, Any] = Field(
        default={}, description="units, topics, groups, channels …; left out: everybody of the unit"
    )
    urgent_reason: Annotated[str, Field(max_length=300)] | None = None
    repeat: dict[str, Any] | None = Field(default=None, description='{"every": "week", "weekdays": [0], "at": "7:30"}')
    joins: bool = False
    expires_at: datetime | None = None
    key: Annotated[str, Field(max_length=64)] | None = None


class Approval(_Body):
    """A yes to exactly one version."""

    version: Annotated[str, Field(min_length=12, max_length=64, description="as `show` or `submit` told it")]
    note: Short = ""


class Reason(_Body):
    """Why."""

    reason: Short


class Moment(_Body):
    """When; null for a repeated one, which follows its own rule."""

    at: datetime | None = None


class SavedAudience(_Body):
    """A question kept under a name."""

    unit: Unit
    title: Annotated[str, Field(max_length=120)]
    audience: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Rooms:
    """What the API stands on."""

    accounts: Accounts
    chats: Chats
    desk: Desk
    control: Control
    viewing: Viewing
    reporting: Reporting
    clock: Clock
    secret_key: str


def router(rooms: Rooms) -> APIRouter:
    """Return the routes, all under `/api/announcements`."""
    known = Depends(known_to(Callers(rooms.accounts, rooms.chats, rooms.secret_key)))
    routes = APIRouter(prefix=PREFIX, tags=["announcements"], responses=REFUSALS, dependencies=[known])
    _reading(routes, rooms)
    _writing(routes, rooms)
    _acts(routes, rooms)
    return routes


def _reading(routes: APIRouter, rooms: Rooms) -> None:
    @routes.get("")
    async def listing(
        officer: Who,
        state: Annotated[list[str] | None, Query()] = None,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
    ) -> list[dict[str, Any]]:
        """The newest announcements of the officer's unit and below."""
        return [_row(p) for p in await rooms.viewing.listing(officer.login, states=state or (), limit=limit)]

    @routes.get("/audiences")
    async def audiences(officer: Who, unit: Annotated[str, Query(max_length=64)]) -> dict[str, Any]:
        """The saved audiences of a unit, and the groups there are."""
        saved = await rooms.desk.saved_audiences(officer.login, unit)
        return {
            "saved": [{"name": name, "title": title, "audience": query.as_json()} for name, title, query in saved],
            "groups": [{"slug": g.slug, "title": g.title, "topics": list(g.topics)} for g in groups().values()],
        }

    @routes.get("/{number}")
    async def show(officer: Who, number: int) -> dict[str, Any]:
        """One announcement with its history."""
        return (await rooms.viewing.show(officer.login, number)).as_json()

    @routes.get("/{number}/report")
    async def report(officer: Who, number: int) -> dict[str, Any]:
        """Funnel, reasons, communes and channels, what people did, earlier ones."""
        return (await rooms.reporting.report(officer.login, number)).as_json()

    @routes.get("/{number}/report.xlsx")
    async def workbook(officer: Who, number: int) -> Response:
        """The report as a workbook."""
        found = await rooms.reporting.report(officer.login, number)
        book = BytesIO()
        await asyncio.to_thread(rooms.reporting.write_xlsx, found, book)
        name = f'attachment; filename="thong-bao-{number}.xlsx"'
        headers = {"Content-Disposition": name, "Cache-Control": "no-store"}
        return Response(book.getvalue(), media_type=XLSX, headers=headers)

    @routes.get("/{number}/preview")
    async def preview(officer: Who, number: int) -> list[dict[str, Any]]:
        """How it looks on each channel."""
        return _previews(rooms, (await rooms.desk.review(officer.login, number, SEE)).plan)


def _writing(routes: APIRouter, rooms: Rooms) -> None:

    @routes.post("", status_code=201)
    async def draft(officer: Who, body: Writing) -> dict[str, Any]:
        """Keep a draft; return its number and what would become of it."""
        wish = _wish(body, rooms.clock)
        number = await rooms.desk.draft(officer.login, wish, key=body.key)
        return {"id": number, **_plan(await rooms.desk.planner.plan(wish))}

    @routes.post("/forecast")
    async def forecast(officer: Who, body: Writing) -> dict[str, Any]:
        """Say whom it would reach, what speaks against it, and how it looks; keep nothing."""
        await rooms.desk.actor(officer.login, ANNOUNCE, body.unit)
        plan = await rooms.desk.planner.plan(_wish(body, rooms.clock))
        return {**_plan(plan), "previews": _previews(rooms, plan)}

    @routes.post("/audiences", status_code=201)
    async def save_audience(officer: Who, body: SavedAudience) -> dict[str, str]:
        """Keep an audience's question under a name."""
        audience = audience_of({"units": [body.unit], **body.audience})
        return {"name": await rooms.desk.save_audience(officer.login, body.unit, body.title, audience)}

    @routes.delete("/audiences/{name}", status_code=204)
    async def remove_audience(officer: Who, name: Unit, unit: Annotated[str, Query(max_length=64)]) -> None:
        """Forget a saved audience; what was written with it keeps its question."""
        await rooms.desk.remove_audience(officer.login, unit, name)

    @routes.put("/{number}")
    async def revise(officer: Who, number: int, body: Writing) -> dict[str, Any]:
        """Change it; what was submitted or approved has to be submitted again."""
        wish = _wish(body, rooms.clock)
        await rooms.desk.revise(officer.login, number, wish)
        return {"id": number, **_plan(await rooms.desk.planner.plan(wish))}

    @routes.post("/{number}/submit")
    async def submit(officer: Who, number: int) -> dict[str, Any]:
        """Ask for approval."""
        plan = await rooms.desk.submit(officer.login, number)
        return {**(await _state(rooms, officer, number)), **_plan(plan)}

    @routes.post("/{number}/approve")
    async def approve(officer: Who, number: int, body: Approval) -> dict[str, Any]:
        """Say yes to one version; whoever wrote on it cannot."""
        await rooms.desk.approve(officer.login, number, version=body.version, note=body.note)
        return await _state(rooms, officer, number)

    @routes.post("/{number}/return")
    async def send_back(officer: Who, number: int, body: Reason) -> dict[str, Any]:
        """Return it to its author."""
        await rooms.desk.send_back(officer.login, number, body.reason)
        return await _state(rooms, officer, number)

    @routes.post("/{number}/schedule")
    async def schedule(officer: Who, number: int, body: Moment) -> dict[str, Any]:
        """Let it begin by itself."""
        at = body.at if body.at is None or body.at.tzinfo is not None else body.at.replace(tzinfo=ZONE)
        await rooms.control.schedule(officer.login, number, at)
        return await _state(rooms, officer, number)


def _acts(routes: APIRouter, rooms: Rooms) -> None:
    """The acts that need a number, and sometimes a reason."""
    control = rooms.control

    def act(name: str, summary: str, work: Callable[[str, int], Awaitable[object]]) -> None:
        async def route(officer: Who, number: int) -> dict[str, Any]:
            await work(officer.login, number)
            return await _state(rooms, officer, number)

        routes.post(f"/{{number}}/{name}", summary=summary, name=name)(route)

    act("send", "Let what was approved begin now", control.send)
    act("pause", "Hold it", control.pause)
    act("resume", "Go on", control.resume)
    act("cancel", "End it", control.cancel)

    @routes.post("/{number}/recall")
    async def recall(officer: Who, number: int, body: Reason) -> dict[str, Any]:
        """Take it back; whoever got it is sent a correction with the reason."""
        await control.recall(officer.login, number, body.reason)
        return await _state(rooms, officer, number)


def refuse(app: FastAPI) -> None:
    """Teach an application how refusals look: 409 for a move, 422 for problems, each in sentences."""

    async def not_allowed(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, NotAllowed)
        body = {"problems": [str(error)], "state": error.state.value, "target": error.target.value}
        return JSONResponse(body, status_code=409)

    async def refused(_: Request, error: Exception) -> JSONResponse:
        problems = list(error.problems) if isinstance(error, Refused) else [str(error)]
        return JSONResponse({"problems": problems}, status_code=422)

    app.add_exception_handler(NotAllowed, not_allowed)
    app.add_exception_handler(Refused, refused)
    app.add_exception_handler(BadSchedule, refused)


def _wish(body: Writing, clock: Clock) -> Wish:
    content = content_of(body.content.model_dump())
    audience = audience_of({"units": [body.unit], **body.audience})
    repeat = None
    if body.repeat is not None:
        today = clock().astimezone(ZONE).date()
        repeat = repeat_of(body.repeat, today=today, urgent=body.urgent_reason is not None).as_json()
    expires = body.expires_at
    if expires is not None and expires.tzinfo is None:
        expires = expires.replace(tzinfo=ZONE)
    return Wish(body.unit, content, audience, body.urgent_reason, repeat, body.joins, expires)


def _plan(plan: Plan) -> dict[str, Any]:
    return {
        "text": plan.text,
        "recipients": plan.audience,
        "forecast": plan.forecast.as_json(),
        "forecast_in_words": plan.forecast.in_words(),
        "not_reached": plan.forecast.reasons(),
        "problems": list(plan.problems),
        "notes": [*plan.notes, *([plan.repeated] if plan.repeated else [])],
    }


def _previews(rooms: Rooms, plan: Plan) -> list[dict[str, Any]]:
    if not plan.text:
        return []
    return [
        {"channel": p.channel, "parts": p.parts, "buttons": p.buttons, "documents": p.documents}
        for p in rooms.viewing.previews(plan)
    ]


def _row(progress: Progress) -> dict[str, Any]:
    return {
        "id": progress.id,
        "unit": progress.unit,
        "state": progress.state.value,
        "author": progress.author,
        "text": progress.text,
        "recipients": progress.audience,
        "counts": dict(progress.counts),
        "created_at": progress.created_at.isoformat(),
    }


async def _state(rooms: Rooms, officer: Officer, number: int) -> dict[str, Any]:
    shown = await rooms.viewing.show(officer.login, number)
    return {
        "id": number,
        "state": shown.progress.state.value,
        "version": shown.version,
        "problem": shown.problem,
        "send_at": None if shown.send_at is None else shown.send_at.isoformat(),
    }
