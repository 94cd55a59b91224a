"""The routes of the console: login, figures, announcements, packs. Each asks first who it is and what they may see."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from io import BytesIO
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Form, HTTPException, Query, Request, Response
from fastapi.responses import RedirectResponse
from sse_starlette import EventSourceResponse

from analytics import report
from analytics.figures import Figures, figures, protected
from bot.announcements.service import Announcements, Progress
from bot.announcements.texts import state_in_words, told
from bot.clock import ZONE, Clock
from bot.storage.database import Database
from console import permissions
from console.accounts import AccountError, Accounts, LoginRefusal
from console.names import CatalogueNames
from console.pages import GUARD, PRIVATE, Pages
from console.permissions import Officer, may
from console.sessions import COOKIE, VISITOR, Forms, cookie_of, drop, keep
from console.texts import say
from console.units import province_of, title_of, within
from content.fonts import FONTS
from content.library import Library
from content.packs import Packs
from content.places import Places

PERIODS: Final = (7, 30, 90, 365)
"""Days a page can tell of."""
WIDTHS: Final = (340, 640)
"""Pixels of a chart: for a phone, for a screen."""
LOOK: Final = 1.0
"""Seconds between two looks at an announcement that is being delivered."""
WATCHED_FOR: Final = timedelta(minutes=30)
"""So long a page's line stays open; the browser then asks again by itself."""
XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


class NotLoggedIn(HTTPException):
    """The page needs a login first."""

    def __init__(self) -> None:
        super().__init__(401)


@dataclass(frozen=True, slots=True)
class Console:
    """What the pages stand on."""

    database: Database
    accounts: Accounts
    announcements: Announcements
    library: Library
    places: Places
    packs: Packs
    clock: Clock
    secret_key: str
    secure: bool
    """Whether the public address is https, so that cookies never travel in the clear."""


@dataclass(frozen=True, slots=True)
class View:
    """What a page of figures tells of: a period, and a unit the officer may see."""

    since: date
    until: date
    days: int
    unit: str
    units: tuple[str, ...] | None
    """The communes that are counted; None: all, and those who chose none."""


class _Rooms:
    """One console's objects, and what several routes need."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.pages = Pages(console.places.title)
        self.forms = Forms(console.secret_key)
        titles = {slug: pack.title for slug, pack in console.packs.items()}
        self.names = CatalogueNames(console.library, console.places, titles)

    async def officer(self, request: Request) -> Officer:
        """Return who is logged in.

        Raises:
            NotLoggedIn: nobody.
        """
        token = cookie_of(request, COOKIE)
        officer = await self.console.accounts.session(token) if token else None
        if officer is None:
            raise NotLoggedIn
        return officer

    def show(
        self, request: Request, officer: Officer, template: str, values: Mapping[str, Any], status: int = 200
    ) -> Response:
        """Return a page of somebody who is logged in."""
        return self.pages.show(
            template,
            {
                "officer": officer,
                "unit_name": title_of(self.console.places, officer.unit),
                "form": self.forms.token(cookie_of(request, COOKIE)),
                **values,
            },
            status=status,
        )

    def problem(self, key: str, status: int) -> Response:
        """Return a page that says what is wrong and where to go on."""
        return self.pages.show("problem.html", {"problem": say("problems", key)}, status=status)

    def stranger_page(self, request: Request, template: str, values: Mapping[str, Any], status: int = 200) -> Response:
        """Return a page with a form for somebody who is not logged in."""
        visitor = cookie_of(request, VISITOR) or secrets.token_urlsafe(24)
        page = self.pages.show(template, {"form": self.forms.token(visitor), **values}, status=status)
        keep(page, VISITOR, visitor, secure=self.console.secure)
        return page

    def view(self, officer: Officer, days: int, unit: str) -> View:
        """Return what an officer's page of figures tells of; what they may not see falls back to their own unit."""
        places = self.console.places
        days = days if days in PERIODS else 30
        unit = unit if unit and may(officer, permissions.SEE_FIGURES, unit, places) else officer.unit
        until = self.console.clock().astimezone(ZONE).date()
        units = None if unit == province_of(places) else within(places, unit)
        return View(until - timedelta(days=days - 1), until, days, unit, units)

    async def figures(self, officer: Officer, view: View) -> Figures:
        """Count for a view; outside their own commune an officer is shown no small numbers of people."""
        async with self.console.database.read() as connection:
            found = await figures(connection, since=view.since, until=view.until, units=view.units)
        return found if view.unit == officer.unit and view.units is not None else protected(found)


async def logged_in(request: Request) -> Officer:
    """Return who asks.

    Raises:
        NotLoggedIn: nobody.
    """
    rooms: _Rooms = request.state.console
    return await rooms.officer(request)


Who = Annotated[Officer, Depends(logged_in)]
Days = Annotated[int, Query(ge=1, le=3660)]
Unit = Annotated[str, Query(max_length=64)]
FormToken = Annotated[str, Form(max_length=400)]
Secret = Annotated[str, Form(max_length=400)]


def router(console: Console) -> APIRouter:
    """Return the console's routes, all under `/console`."""
    rooms = _Rooms(console)

    async def provide(request: Request) -> None:
        request.state.console = rooms

    routes = APIRouter(prefix="/console", include_in_schema=False, dependencies=[Depends(provide)])
    _doors(routes, rooms)
    _links(routes, rooms)
    _figures(routes, rooms)
    _announcements(routes, rooms)
    _packs(routes, rooms)

    @routes.get("/static/{name}")
    async def static(name: str) -> Response:
        return rooms.pages.static(name)

    return routes


def to_login(_: Request, __: Exception) -> Response:
    """Answer `NotLoggedIn`: show the way to the login."""
    return RedirectResponse("/console/login", status_code=303, headers=PRIVATE)


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


def _go(path: str) -> Response:
    return RedirectResponse(path, status_code=303, headers=PRIVATE)


# login and logout


def _doors(routes: APIRouter, rooms: _Rooms) -> None:
    accounts, secure = rooms.console.accounts, rooms.console.secure

    @routes.get("")
    async def start() -> Response:
        return _go("/console/figures")

    @routes.get("/login")
    async def login_page(request: Request) -> Response:
        return rooms.stranger_page(request, "login.html", {"login": "", "problem": ""})

    @routes.post("/login")
    async def login(
        request: Request,
        login: Annotated[str, Form(max_length=120)] = "",
        password: Secret = "",
        form: FormToken = "",
    ) -> Response:
        if not rooms.forms.is_ours(request, form, cookie_of(request, VISITOR)):
            again = {"login": login, "problem": say("problems", "form")}
            return rooms.stranger_page(request, "login.html", again, status=403)
        token = await accounts.login(login, password, _address(request))
        if isinstance(token, LoginRefusal):
            status = 429 if token is LoginRefusal.TOO_MANY else 401
            again = {"login": login, "problem": say("problems", f"login_{token.value}")}
            return rooms.stranger_page(request, "login.html", again, status=status)
        response = _go("/console/figures")
        keep(response, COOKIE, token, secure=secure)
        drop(response, VISITOR, secure=secure)
        return response

    @routes.post("/logout")
    async def logout(request: Request, form: FormToken = "") -> Response:
        token = cookie_of(request, COOKIE)
        if not rooms.forms.is_ours(request, form, token):
            return rooms.problem("form", 403)
        await accounts.logout(token)
        response = _go("/console/login")
        drop(response, COOKIE, secure=secure)
        return response


def _links(routes: APIRouter, rooms: _Rooms) -> None:
    accounts = rooms.console.accounts

    @routes.get("/link/{token}")
    async def link_page(request: Request, token: str) -> Response:
        link = await accounts.link(token)
        if link is None:
            return rooms.problem("link", 410)
        return rooms.stranger_page(
            request, "link.html", {"token": token, "owner": link.officer, "name": "", "problem": ""}
        )

    @routes.post("/link/{token}")
    async def use_link(
        request: Request,
        token: str,
        password: Secret = "",
        again: Secret = "",
        name: Annotated[str, Form(max_length=240)] = "",
        form: FormToken = "",
    ) -> Response:
        link = await accounts.link(token)
        if link is None:
            return rooms.problem("link", 410)
        values = {"token": token, "owner": link.officer, "name": name}
        if not rooms.forms.is_ours(request, form, cookie_of(request, VISITOR)):
            return rooms.stranger_page(request, "link.html", values | {"problem": say("problems", "form")}, status=403)
        if password != again:
            return rooms.stranger_page(
                request, "link.html", values | {"problem": say("problems", "passwords_differ")}, status=422
            )
        try:
            officer = await accounts.use_link(token, password, name)
        except AccountError as error:
            problem = say("account_errors", error.key, **error.values)
            return rooms.stranger_page(request, "link.html", values | {"problem": problem}, status=422)
        return rooms.stranger_page(request, "welcome.html", {"login": officer.login, "name": officer.name})


# figures


def _figures(routes: APIRouter, rooms: _Rooms) -> None:
    drawing = asyncio.Lock()

    @routes.get("/figures")
    async def page(request: Request, officer: Who, days: Days = 30, unit: Unit = "") -> Response:
        view = rooms.view(officer, days, unit)
        found = await rooms.figures(officer, view)
        places = rooms.console.places
        choices = [(slug, title_of(places, slug)) for slug in within(places, officer.unit) if slug != officer.unit]
        units = [(officer.unit, title_of(places, officer.unit)), *sorted(choices, key=lambda u: u[1])]
        values = {
            "here": "figures",
            "view": view,
            "periods": PERIODS,
            "units": units,
            "shown_unit": title_of(places, view.unit),
            "overview": report.overview(found),
            "figures": found,
            "names": rooms.names,
            "query": f"days={view.days}&unit={view.unit}",
        }
        return rooms.show(request, officer, "figures.html", values)

    @routes.get("/figures/{name}.png")
    async def chart(
        officer: Who, name: str, days: Days = 30, unit: Unit = "", width: Annotated[int, Query()] = WIDTHS[-1]
    ) -> Response:
        if name not in ("by-day", "by-topic") or width not in WIDTHS:
            raise HTTPException(404)
        found = await rooms.figures(officer, rooms.view(officer, days, unit))

        def draw() -> bytes:
            # Only here: what draws takes a second to import, and a server may never be asked for a chart.
            from analytics import charts

            chart = charts.by_day if name == "by-day" else None
            drawn = chart(found, width=width) if chart else charts.by_topic(found, rooms.names, width=width)
            return charts.png(drawn, FONTS)

        # One picture at a time: drawing takes a core, and citizens' answers come first.
        async with drawing:
            picture = await asyncio.to_thread(draw)
        return Response(picture, media_type="image/png", headers=GUARD | {"Cache-Control": "private, max-age=60"})

    @routes.get("/figures.xlsx")
    async def workbook(officer: Who, days: Days = 30, unit: Unit = "") -> Response:
        view = rooms.view(officer, days, unit)
        found = await rooms.figures(officer, view)
        book = BytesIO()
        await asyncio.to_thread(report.write_xlsx, found, book, rooms.names)
        name = f"cong-dan-so-{view.unit}-{view.until:%Y-%m-%d}.xlsx"
        headers = GUARD | PRIVATE | {"Content-Disposition": f'attachment; filename="{name}"'}
        return Response(book.getvalue(), media_type=XLSX, headers=headers)


# announcements


def _announcements(routes: APIRouter, rooms: _Rooms) -> None:
    console = rooms.console

    async def seen(officer: Officer, number: int) -> Progress:
        """Return an announcement of a unit the officer may see.

        Raises:
            HTTPException: there is none, or it is another unit's; which of the two is not said.
        """
        progress = await console.announcements.progress(number)
        if progress is None or not may(officer, permissions.SEE_ANNOUNCEMENTS, progress.unit, console.places):
            raise HTTPException(404)
        return progress

    @routes.get("/announcements")
    async def listing(request: Request, officer: Who) -> Response:
        found = await console.announcements.recent(within(console.places, officer.unit))
        rows = [_told(p, console.places) for p in found]
        return rooms.show(request, officer, "announcements.html", {"here": "announcements", "rows": rows})

    @routes.get("/announcements/{number}")
    async def page(request: Request, officer: Who, number: int) -> Response:
        progress = await seen(officer, number)
        writer = await console.accounts.by_login(progress.author)
        values = {
            "here": "announcements",
            "row": _told(progress, console.places),
            "progress": progress,
            "author": writer.name if writer else progress.author,
            "may_stop": not progress.finished and may(officer, permissions.ANNOUNCE, progress.unit, console.places),
        }
        return rooms.show(request, officer, "announcement.html", values)

    @routes.get("/announcements/{number}/events")
    async def events(officer: Who, number: int) -> Response:
        await seen(officer, number)
        return EventSourceResponse(_watch(console, number), headers=GUARD | PRIVATE, ping=15, send_timeout=30)

    @routes.post("/announcements/{number}/stop")
    async def stop(request: Request, officer: Who, number: int, form: FormToken = "") -> Response:
        progress = await seen(officer, number)
        if not rooms.forms.is_ours(request, form, cookie_of(request, COOKIE)):
            return rooms.problem("form", 403)
        if not may(officer, permissions.ANNOUNCE, progress.unit, console.places):
            return rooms.problem("not_allowed", 403)
        await console.announcements.cancel(number)
        return _go(f"/console/announcements/{number}")


def _told(progress: Progress, places: Places) -> dict[str, Any]:
    """Return how an announcement stands, for the page and for its live line."""
    done = sum(n for state, n in progress.counts.items() if state not in ("queued", "sending"))
    return {
        "id": progress.id,
        "unit": title_of(places, progress.unit),
        "at": progress.created_at,
        "state": told("announcement_states", progress.state.value),
        "finished": progress.finished,
        "audience": progress.audience,
        "done": done,
        "accepted": progress.counts.get("accepted", 0),
        "first_line": _first_line(progress.text),
        "urgent": progress.urgent_reason is not None,
        "states": [(state_in_words(state), number) for state, number in sorted(progress.counts.items())],
    }


def _first_line(text: str) -> str:
    """The first line an officer wrote; the line above it says only whose announcement it is."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return (lines[1] if len(lines) > 1 else "".join(lines))[:120]


async def _watch(console: Console, number: int) -> AsyncIterator[dict[str, str]]:
    """Yield how an announcement stands, each time it has changed, until nothing moves any more."""
    last = ""
    end = console.clock() + WATCHED_FOR
    while console.clock() < end:
        progress = await console.announcements.progress(number)
        if progress is None:
            return
        row = _told(progress, console.places)
        now = json.dumps({key: row[key] for key in ("state", "finished", "audience", "done", "states")})
        if now != last:
            last = now
            yield {"event": "progress", "data": now}
        if progress.finished:
            yield {"event": "end", "data": "{}"}
            return
        await asyncio.sleep(LOOK)


# packs


def _packs(routes: APIRouter, rooms: _Rooms) -> None:
    @routes.get("/packs")
    async def page(request: Request, officer: Who, days: Days = 30) -> Response:
        view = rooms.view(officer, days, "")
        found = await rooms.figures(officer, view)
        given: dict[tuple[str, str], dict[str, int]] = {}
        for row in found.materials:
            channels = given.setdefault((row.pack, row.item), {})
            channels[report.channel_name(row.channel)] = channels.get(report.channel_name(row.channel), 0) + row.given
        packs = [
            {
                "pack": pack,
                "items": [
                    {
                        "item": item,
                        "given": sum(given.get((slug, item.slug), {}).values()),
                        "channels": sorted(given.get((slug, item.slug), {}).items()),
                    }
                    for item in pack.items
                ],
                "given": sum(sum(c.values()) for (p, _), c in given.items() if p == slug),
            }
            for slug, pack in rooms.console.packs.items()
        ]
        values = {"here": "packs", "packs": packs, "view": view, "periods": PERIODS}
        return rooms.show(request, officer, "packs.html", values)
