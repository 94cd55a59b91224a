"""The leaflets as files: drawn when first asked for, kept in memory, read by the web and by the messengers."""

from __future__ import annotations

import asyncio
import hashlib
import re
from typing import Final

from fastapi import APIRouter, Request, Response

from content.leaflet import Imprint, campaign_link, render
from content.packs import Packs

ADDRESS: Final = re.compile(r"/materials/([a-z0-9-]{1,30})\.pdf")
MAX_AGE: Final = 3600
"""Seconds a browser may keep a leaflet: a mended one reaches everybody within the hour."""


class Leaflets:
    """The leaflets of all packs, under the province's name."""

    def __init__(self, packs: Packs, publisher: str, public_url: str) -> None:
        self._packs = packs
        self._publisher = publisher
        self._public_url = public_url
        self._drawn: dict[str, bytes] = {}
        self._lock = asyncio.Lock()

    async def read(self, address: str) -> bytes:
        """Return the file of an address as a reply's attachment has it (`/materials/<pack>.pdf`).

        Raises:
            KeyError: there is no such material.
        """
        match = ADDRESS.fullmatch(address)
        if match is None:
            raise KeyError(address)
        return await self.pdf(match.group(1))

    async def pdf(self, slug: str) -> bytes:
        """Return a pack's leaflet.

        Raises:
            KeyError: there is no such pack.
        """
        pack = self._packs[slug]
        if slug not in self._drawn:
            # One at a time: a village that opens the same link together draws it once.
            async with self._lock:
                if slug not in self._drawn:
                    imprint = Imprint(self._publisher, campaign_link(self._public_url, slug))
                    self._drawn[slug] = await asyncio.to_thread(render, pack, imprint)
        return self._drawn[slug]


def router(leaflets: Leaflets) -> APIRouter:
    """Return the route of the leaflets."""
    routes = APIRouter()

    @routes.head("/materials/{slug}.pdf", include_in_schema=False)
    @routes.get(
        "/materials/{slug}.pdf",
        tags=["materials"],
        response_class=Response,
        responses={
            200: {"content": {"application/pdf": {}}},
            304: {"description": "Unchanged since it was fetched."},
            404: {"description": "No such pack."},
        },
    )
    async def leaflet(request: Request, slug: str) -> Response:
        """A pack's leaflet, one A4 page."""
        try:
            data = await leaflets.pdf(slug)
        except KeyError:
            return Response("Không có tài liệu này.", status_code=404, media_type="text/plain; charset=utf-8")
        tag = f'"{hashlib.sha256(data).hexdigest()[:20]}"'
        headers = {
            "ETag": tag,
            "Cache-Control": f"public, max-age={MAX_AGE}",
            "X-Content-Type-Options": "nosniff",
            "Content-Disposition": f'inline; filename="{slug}.pdf"',
        }
        if request.headers.get("If-None-Match") == tag:
            return Response(status_code=304, headers=headers)
        return Response(data, media_type="application/pdf", headers=headers)

    return routes
