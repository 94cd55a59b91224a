"""The page and its files, made ready once when the process starts."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from bot.channels.web.texts import texts
from bot.conversation.model import Reply

_HERE: Final = Path(__file__).parent
MEDIA_TYPES: Final = {
    "chat.css": "text/css; charset=utf-8",
    "chat.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
"""The files that are served; nothing else in the folder is."""


@dataclass(frozen=True, slots=True)
class StaticFile:
    """A file of the page; `version` changes with its content and stands in its address."""

    content: bytes
    media_type: str
    version: str


def static_files() -> dict[str, StaticFile]:
    """Read the page's files, by name."""
    found = {}
    for name, media_type in MEDIA_TYPES.items():
        content = (_HERE / "static" / name).read_bytes()
        found[name] = StaticFile(content, media_type, hashlib.sha256(content).hexdigest()[:12])
    return found


def render(
    files: dict[str, StaticFile], introduction: Reply, province_title: str, examples: Sequence[str] | None = None
) -> str:
    """Return the page, with the introduction already in it."""
    environment = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    words: dict[str, Any] = dict(texts()["page"])
    for key in ("title", "description"):
        words[key] = words[key].format(province=province_title)
    if examples is not None:
        words["examples"] = list(examples)
    return environment.get_template("chat.html").render(
        words=words,
        script_words=texts()["script"],
        introduction=introduction,
        files={name: f"static/web/{name}?v={file.version}" for name, file in files.items()},
    )
