"""The files of the pages, read and pressed once when the process starts."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from fastapi import Request, Response

_STATIC: Final = Path(__file__).parent / "static"
MEDIA_TYPES: Final = {
    "chat.css": "text/css; charset=utf-8",
    "chat.js": "text/javascript; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
    "icon-180.png": "image/png",
    "icon-192.png": "image/png",
    "icon-512.png": "image/png",
    "icon-maskable-512.png": "image/png",
}
"""The files that are served; nothing else in the folder is."""
SCRIPT: Final = "text/javascript; charset=utf-8"
WORTHWHILE: Final = 0.9
"""A file that shrinks by less (a picture) is sent as it is."""


@dataclass(frozen=True, slots=True)
class File:
    """Something to be served as it is; `version` changes with its content."""

    content: bytes
    media_type: str
    version: str = field(init=False)
    zipped: bytes | None = field(init=False)

    def __post_init__(self) -> None:
        zipped = gzip.compress(self.content, 9, mtime=0)
        object.__setattr__(self, "version", hashlib.sha256(self.content).hexdigest()[:12])
        object.__setattr__(self, "zipped", zipped if len(zipped) < WORTHWHILE * len(self.content) else None)

    def response(self, request: Request, headers: Mapping[str, str]) -> Response:
        """Answer a request for it: pressed where the browser can, 304 where it has it already."""
        kept = {**headers, "ETag": f'W/"{self.version}"', "Vary": "Accept-Encoding"}
        if request.headers.get("If-None-Match") == kept["ETag"]:
            return Response(status_code=304, headers=kept)
        if self.zipped is not None and "gzip" in request.headers.get("Accept-Encoding", ""):
            return Response(self.zipped, media_type=self.media_type, headers=kept | {"Content-Encoding": "gzip"})
        return Response(self.content, media_type=self.media_type, headers=kept)


def static_files() -> dict[str, File]:
    """Read the pages' files, by name."""
    return {name: File((_STATIC / name).read_bytes(), media_type) for name, media_type in MEDIA_TYPES.items()}


def addresses(files: Mapping[str, File]) -> dict[str, str]:
    """Return the address of each file, relative to the pages: it carries the version, so it may be kept for ever."""
    return {name: f"static/web/{name}?v={file.version}" for name, file in files.items()}


def script(name: str, **values: Any) -> File:
    """Read a script that is not for the pages, its `"__NAME__"` places filled in with JSON.

    Raises:
        ValueError: it has no such place.
    """
    text = (_STATIC / name).read_text(encoding="utf-8")
    for key, value in values.items():
        place = f'"__{key.upper()}__"'
        if place not in text:
            raise ValueError(f"{name} has no place {place}")
        text = text.replace(place, json.dumps(value, ensure_ascii=False))
    return File(text.encode(), SCRIPT)
