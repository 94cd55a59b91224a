"""The pages as HTML: templates, their words, and the files they need. No request and no database is known here."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from fastapi import Response
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from analytics.report import channel_name
from analytics.texts import number, share
from bot.announcements.texts import state_in_words, told
from console.texts import day, moment, texts

_HERE: Final = Path(__file__).parent
MEDIA_TYPES: Final = {
    "console.css": "text/css; charset=utf-8",
    "console.js": "text/javascript; charset=utf-8",
}
"""The files that are served; nothing else in the folder is."""
CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
GUARD: Final = {
    "X-Content-Type-Options": "nosniff",
    # A one-time link stands in the address; it must not travel to another site.
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
}
PRIVATE: Final = {"Cache-Control": "no-store"}


@dataclass(frozen=True, slots=True)
class StaticFile:
    """A file of the pages; its version stands in its address."""

    content: bytes
    media_type: str
    version: str


class Pages:
    """Renders the templates."""

    def __init__(self, province_title: str) -> None:
        self.files = {name: _file(name) for name in MEDIA_TYPES}
        self._environment = Environment(
            loader=FileSystemLoader(_HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters |= {
            "number": number,
            "share": share,
            "day": day,
            "moment": moment,
            "state": state_in_words,
            "channel": channel_name,
            "announcement_state": lambda state: told("announcement_states", str(state)),
        }
        self._environment.globals |= {
            "words": texts(),
            "province": province_title,
            "files": {n: f"/console/static/{n}?v={f.version}" for n, f in self.files.items()},
        }

    def show(self, template: str, values: Mapping[str, Any], *, status: int = 200) -> Response:
        """Return a page that no cache keeps."""
        text = self._environment.get_template(template).render(**values)
        return HTMLResponse(text, status_code=status, headers=GUARD | PRIVATE)

    def static(self, name: str) -> Response:
        """Return a file of the pages."""
        file = self.files.get(name)
        if file is None:
            return Response(status_code=404, headers=PRIVATE)
        kept = {"Cache-Control": "public, max-age=31536000, immutable"}
        return Response(file.content, media_type=file.media_type, headers=GUARD | kept)


def _file(name: str) -> StaticFile:
    content = (_HERE / "static" / name).read_bytes()
    return StaticFile(content, MEDIA_TYPES[name], hashlib.sha256(content).hexdigest()[:12])
