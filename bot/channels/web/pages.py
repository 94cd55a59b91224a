"""The routes of what a browser loads: the pages, their files, the app on the home screen, the chat inside other sites."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response

from bot.channels.web.embed import Origins, ancestors
from bot.channels.web.files import File
from bot.channels.web.headers import CHECKED, KEPT, PAGE, PRIVATE, content_security_policy
from bot.channels.web.page import OFFLINE, Pages

_HTML: Final = "text/html; charset=utf-8"
_LINK: Final = {"c": re.compile(r"[A-Za-z0-9_-]{1,58}"), "u": re.compile(r"[a-z0-9-]{1,48}")}
"""What a link to the page may bring along: a campaign's code, a unit's slug. (`start:` and a code are a payload of 64.)"""
LAUNCHER: Final = CHECKED | {"Cache-Control": "public, max-age=3600", "Cross-Origin-Resource-Policy": "cross-origin"}
"""Other sites load it; a mended one reaches them within the hour."""


def link(request: Request, name: str) -> str:
    """Return the campaign (`c`) or unit (`u`) of the link that was followed; "" for none, or one that cannot be."""
    value = request.query_params.get(name, "")
    return value if _LINK[name].fullmatch(value) else ""


def routes(pages: Pages, files: dict[str, File], embed_origins: Origins) -> APIRouter:
    """Return the routes; none of them knows a conversation."""
    made = APIRouter(include_in_schema=False)
    page = File(pages.chat().encode(), _HTML)
    inside = File(pages.chat(embedded=True).encode(), _HTML)
    offline = File(pages.offline().encode(), _HTML)
    manifest, worker, launcher = pages.manifest(), pages.worker(), pages.launcher()

    @made.api_route("/", methods=["GET", "HEAD"])
    async def show_page(request: Request) -> Response:
        """The citizens' page."""
        query = {name: value for name in _LINK if (value := link(request, name))}
        if not query:
            return page.response(request, PAGE)
        text = pages.chat(query=f"?{urlencode(query)}", unit=query.get("u", ""))
        return File(text.encode(), _HTML).response(request, PAGE)

    @made.get("/embed")
    async def show_inside(request: Request) -> Response:
        """The citizens' page inside another site, if that site is on the list."""
        allowed = ancestors(await embed_origins())
        # Its policy changes without its text, so no browser may say that it still has it.
        headers = PRIVATE | {"Content-Security-Policy": content_security_policy(allowed)}
        return inside.response(request, headers)

    @made.api_route("/embed.js", methods=["GET", "HEAD"])
    async def show_launcher(request: Request) -> Response:
        """The script that shows the chat on a commune's site."""
        return launcher.response(request, LAUNCHER)

    @made.get("/static/web/{name}")
    async def show_file(request: Request, name: str) -> Response:
        """A file of the pages; its address carries its version, so it may be kept for ever."""
        file = files.get(name)
        return Response(status_code=404, headers=PRIVATE) if file is None else file.response(request, KEPT)

    @made.get("/manifest.webmanifest")
    async def show_manifest(request: Request) -> Response:
        """What the page is called and looks like on a home screen."""
        return manifest.response(request, CHECKED)

    @made.get("/sw.js")
    async def show_worker(request: Request) -> Response:
        """The service worker; it may load nothing but our own files."""
        return worker.response(request, CHECKED | {"Content-Security-Policy": "default-src 'none'; connect-src 'self'"})

    @made.get(f"/{OFFLINE}")
    async def show_offline(request: Request) -> Response:
        """What a phone shows when it has no line."""
        return offline.response(request, PAGE)

    return made
