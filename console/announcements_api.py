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
from bot.announcements.texts import say, told
from bot.announcements.unreached import MOST, PAGE, Unreaching
from bot.announcements.viewing import Viewing
from bot.clock import ZONE, Clock
from bot.messages import Channels, LeftForPickup, Sent
from console import announcements_answers as answers
from console.accounts import Accounts
from console.acting import Callers, Who, known_to
from console.chats import Chats
from console.permissions import Officer

PREFIX: Final = "/api/announcements"
XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
Text = Annotated[str, Field(max_length=8_000)]
Short = Annotated[str, Field(max_length=500)]
Unit = Annotated[str, Field(max_length=64)]
Names = Annotated[list[Annotated[str, Field(max_length=64)]], Field(max_length=200)]
Days = Annotated[int, Field(ge=1, le=365)] | None
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


class Audience(_Body):
    """Whom it is for. Each condition narrows it; what is left out asks for nothing."""

    units: Names = Field(default=[], description="communes, or the province; left out: the unit itself")
    without_units: Names = []
    topics: Names = Field(default=[], description="asked about one of these lately, by who agreed to that being kept")
    topics_within_days: Days = None
    groups: Names = Field(default=[], description="names as `GET /api/announcements/audiences` tells them")
    channels: Names = []
    without_channels: Names = []
    languages: Names = Field(
        default=[], description='of their screen, as the messenger tells it: "vi", "en"; unknown is "vi"'
    )
    took: Names = Field(default=[], description="read one of these lessons, and agreed to being remembered")
    not_took: Names = Field(default=[], description="not known to have read any of these lessons")
    seen_within_days: Days = None
    not_seen_for_days: Days = None
    not_contacted_days: Days = None
    without_saved: Names = []
    saved: Annotated[str, Field(max_length=64)] | None = Field(default=None, description="a saved audience to narrow")

    def asked(self, unit: str) -> dict[str, Any]:
        """Return what it asks, for everybody of a unit where no place is named."""
        return {"units": [unit], **{k: v for k, v in self.model_dump().items() if v not in ([], None)}}


class Writing(_Body):
    """An announcement as it is written."""

    unit: Unit
    content: Content
    audience: Audience = Field(default_factory=Audience, description="left out: everybody of the unit")
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


class Trial(_Body):
    """Officers who linked a conversation, by login; none: oneself."""

    to: Annotated[list[Annotated[str, Field(max_length=64)]], Field(max_length=20)] = []


class SavedAudience(_Body):
    """A question kept under a name."""

    unit: Unit
    title: Annotated[str, Field(max_length=120)]
    audience: Audience


@dataclass(frozen=True, slots=True)
class Rooms:
    """What the API stands on."""

    accounts: Accounts
    chats: Chats
    desk: Desk
    control: Control
    viewing: Viewing
    reporting: Reporting
    unreaching: Unreaching
    clock: Clock
    secret_key: str
    channels: Channels


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
    ) -> list[answers.Row]:
        """The newest announcements of the officer's unit and below."""
        return [_row(p) for p in await rooms.viewing.listing(officer.login, states=state or (), limit=limit)]

    @routes.get("/audiences")
    async def audiences(officer: Who, unit: Annotated[str, Query(max_length=64)]) -> answers.Audiences:
        """The saved audiences of a unit, and the groups there are."""
        saved = await rooms.desk.saved_audiences(officer.login, unit)
        return answers.Audiences(
            saved=[answers.Saved(name=name, title=title, audience=query.as_json()) for name, title, query in saved],
            groups=[answers.Group(slug=g.slug, title=g.title, topics=list(g.topics)) for g in groups().values()],
        )

    @routes.get("/{number}")
    async def show(officer: Who, number: int) -> answers.Shown:
        """One announcement with its history."""
        return answers.Shown.model_validate((await rooms.viewing.show(officer.login, number)).as_json())

    @routes.get("/{number}/report")
    async def report(officer: Who, number: int) -> answers.Report:
        """Funnel, reasons, communes and channels, what people did, earlier ones."""
        return answers.Report.model_validate((await rooms.reporting.report(officer.login, number)).as_json())

    @routes.get("/{number}/report.xlsx")
    async def workbook(officer: Who, number: int) -> Response:
        """The report as a workbook."""
        found = await rooms.reporting.report(officer.login, number)
        book = BytesIO()
        await asyncio.to_thread(rooms.reporting.write_xlsx, found, book)
        return _download(book, f"thong-bao-{number}.xlsx")

    @routes.get("/{number}/unreached")
    async def unreached(
        officer: Who,
        number: int,
        limit: Annotated[int, Query(ge=0, le=MOST)] = PAGE,
        offset: Annotated[int, Query(ge=0, le=10**7)] = 0,
    ) -> answers.Unreached:
        """Whom it does not reach and why: all of them summed, and a page of them one by one, without a name."""
        found = await rooms.unreaching.unreached(officer.login, number, limit=limit, offset=offset)
        return answers.Unreached.model_validate(found.as_json())

    @routes.get("/{number}/unreached.xlsx")
    async def unreached_workbook(officer: Who, number: int) -> Response:
        """The same as a workbook."""
        found = await rooms.unreaching.unreached(officer.login, number, limit=MOST)
        book = BytesIO()
        await asyncio.to_thread(rooms.unreaching.write_xlsx, found, book)
        return _download(book, f"khong-toi-duoc-{number}.xlsx")

    @routes.get("/{number}/preview")
    async def preview(officer: Who, number: int) -> list[answers.Preview]:
        """How it looks on each channel."""
        return _previews(rooms, (await rooms.desk.review(officer.login, number, SEE)).plan)


def _writing(routes: APIRouter, rooms: Rooms) -> None:

    @routes.post("", status_code=201)
    async def draft(officer: Who, body: Writing) -> answers.Drafted:
        """Keep a draft; return its number and what would become of it."""
        wish = _wish(body, rooms.clock)
        number = await rooms.desk.draft(officer.login, wish, key=body.key)
        return answers.Drafted(id=number, **_plan(await rooms.desk.planner.plan(wish)))

    @routes.post("/forecast")
    async def forecast(officer: Who, body: Writing) -> answers.Looked:
        """Say whom it would reach, what speaks against it, and how it looks; keep nothing."""
        await rooms.desk.actor(officer.login, ANNOUNCE, body.unit)
        plan = await rooms.desk.planner.plan(_wish(body, rooms.clock))
        return answers.Looked(**_plan(plan), previews=_previews(rooms, plan))

    @routes.post("/audiences", status_code=201)
    async def save_audience(officer: Who, body: SavedAudience) -> answers.Named:
        """Keep an audience's question under a name."""
        audience = audience_of(body.audience.asked(body.unit))
        return answers.Named(name=await rooms.desk.save_audience(officer.login, body.unit, body.title, audience))

    @routes.put("/policy")
    async def set_policy(officer: Who, body: answers.Policy) -> answers.Policy:
        """Say whether a unit's announcements need a second person's approval."""
        await rooms.control.set_policy(officer.login, body.unit, second_person=body.second_person)
        return body

    @routes.delete("/audiences/{name}", status_code=204)
    async def remove_audience(officer: Who, name: Unit, unit: Annotated[str, Query(max_length=64)]) -> None:
        """Forget a saved audience; what was written with it keeps its question."""
        await rooms.desk.remove_audience(officer.login, unit, name)

    @routes.put("/{number}")
    async def revise(officer: Who, number: int, body: Writing) -> answers.Drafted:
        """Change it; what was submitted or approved has to be submitted again."""
        wish = _wish(body, rooms.clock)
        await rooms.desk.revise(officer.login, number, wish)
        return answers.Drafted(id=number, **_plan(await rooms.desk.planner.plan(wish)))

    @routes.post("/{number}/submit")
    async def submit(officer: Who, number: int) -> answers.Submitted:
        """Ask for approval."""
        plan = await rooms.desk.submit(officer.login, number)
        return answers.Submitted(**(await _state(rooms, officer, number)).model_dump(), **_plan(plan))

    @routes.post("/{number}/approve")
    async def approve(officer: Who, number: int, body: Approval) -> answers.State:
        """Say yes to one version; whoever wrote on it cannot."""
        await rooms.desk.approve(officer.login, number, version=body.version, note=body.note)
        return await _state(rooms, officer, number)

    @routes.post("/{number}/return")
    async def send_back(officer: Who, number: int, body: Reason) -> answers.State:
        """Return it to its author."""
        await rooms.desk.send_back(officer.login, number, body.reason)
        return await _state(rooms, officer, number)

    @routes.post("/{number}/schedule")
    async def schedule(officer: Who, number: int, body: Moment) -> answers.State:
        """Let it begin by itself."""
        at = body.at if body.at is None or body.at.tzinfo is not None else body.at.replace(tzinfo=ZONE)
        await rooms.control.schedule(officer.login, number, at)
        return await _state(rooms, officer, number)


def _acts(routes: APIRouter, rooms: Rooms) -> None:
    """The acts that need a number, and sometimes a reason."""
    control = rooms.control

    def act(name: str, summary: str, work: Callable[[str, int], Awaitable[object]]) -> None:
        async def route(officer: Who, number: int) -> answers.State:
            await work(officer.login, number)
            return await _state(rooms, officer, number)

        routes.post(f"/{{number}}/{name}", summary=summary, name=name)(route)

    @routes.post("/{number}/send")
    async def send(officer: Who, number: int) -> answers.Begun:
        """Let what was approved begin now; by night, in the morning. What speaks against it is refused with 422."""
        problem = await control.send(officer.login, number)
        if problem not in (None, "night"):
            raise Refused([told("begin_problems", problem)])
        state = await _state(rooms, officer, number)
        return answers.Begun(**state.model_dump(), begins="now" if problem is None else "morning")

    @routes.post("/{number}/test")
    async def test(officer: Who, number: int, body: Trial) -> answers.Tried:
        """Send it to oneself or to named officers, marked as a trial."""
        plan = (await rooms.desk.review(officer.login, number, SEE)).plan
        logins = list(dict.fromkeys(body.to)) or [officer.login]
        found = {login: await rooms.desk.officers.conversation_of(login) for login in logins}
        if missing := [login for login, conversation in found.items() if conversation is None]:
            raise Refused([say("not_linked", login=login) for login in missing])
        for login, conversation in found.items():
            outcome = await rooms.desk.trial(officer.login, plan, conversation or 0, rooms.channels)
            if not isinstance(outcome, Sent | LeftForPickup):
                raise Refused([f"{login}: {say('trial_failed', outcome=type(outcome).__name__)}"])
        return answers.Tried(sent_to=logins)

    act("pause", "Hold it", control.pause)
    act("resume", "Go on", control.resume)
    act("cancel", "End it", control.cancel)

    @routes.post("/{number}/recall")
    async def recall(officer: Who, number: int, body: Reason) -> answers.State:
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


def _download(book: BytesIO, name: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return Response(book.getvalue(), media_type=XLSX, headers=headers)


def _wish(body: Writing, clock: Clock) -> Wish:
    content = content_of(body.content.model_dump())
    audience = audience_of(body.audience.asked(body.unit))
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


def _previews(rooms: Rooms, plan: Plan) -> list[answers.Preview]:
    if not plan.text:
        return []
    return [
        answers.Preview(channel=p.channel, parts=list(p.parts), buttons=list(p.buttons), documents=list(p.documents))
        for p in rooms.viewing.previews(plan)
    ]


def _row(progress: Progress) -> answers.Row:
    return answers.Row(
        id=progress.id,
        unit=progress.unit,
        state=progress.state.value,
        author=progress.author,
        text=progress.text,
        recipients=progress.audience,
        counts=dict(progress.counts),
        created_at=progress.created_at,
    )


async def _state(rooms: Rooms, officer: Officer, number: int) -> answers.State:
    shown = await rooms.viewing.show(officer.login, number)
    return answers.State(
        id=number,
        state=shown.progress.state.value,
        version=shown.version,
        problem=shown.problem,
        send_at=shown.send_at,
    )
