"""The pages as text: templates and their words. No request and no database is known here."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from bot.channels.web.bubbles import Bubble, bubble
from bot.channels.web.files import File, addresses, script
from bot.channels.web.texts import texts
from bot.codec import reply_to_json
from bot.conversation.model import Reply

COLOURS: Final = {"accent": "#0b5a50", "page": "#ffffff", "dark": "#121716"}
"""As `chat.css` has them, for what the browser paints around the page."""
OFFLINE: Final = "offline"


@dataclass(frozen=True, slots=True)
class Exchange:
    """What stands together on the page without scripts: the citizen's words, where known, and the replies."""

    said: str
    bubbles: tuple[Bubble, ...]
    unasked: bool


@dataclass(frozen=True, slots=True)
class Plain:
    """The page without scripts, this time."""

    form: str
    """Shows that a posted form is ours."""
    once: str
    """Makes the same press the same message."""
    unit: str = ""
    campaign: str = ""
    exchanges: tuple[Exchange, ...] = ()
    problem: str = ""
    draft: str = ""


class Pages:
    """Renders the pages of one installation."""

    def __init__(
        self,
        files: Mapping[str, File],
        introduction: Reply,
        province_title: str,
        examples: Sequence[str] | None = None,
    ) -> None:
        self._environment = Environment(
            loader=FileSystemLoader(Path(__file__).parent / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        words: dict[str, Any] = dict(texts()["page"])
        for key in ("title", "description"):
            words[key] = words[key].format(province=province_title)
        self.introduction: Final = introduction
        self._words = words
        self._examples = list(examples) if examples is not None else words["examples"]
        self._files = addresses(files)
        self._environment.globals |= {
            "words": words,
            "introduction": bubble(reply_to_json(introduction)),
            "examples": self._examples,
            "files": self._files,
            "colours": COLOURS,
        }

    def chat(self, *, query: str = "", unit: str = "", embedded: bool = False) -> str:
        """Return the conversation's page; `query` and `unit` are what goes along to the page without scripts."""
        return self._environment.get_template("chat.html").render(
            script_words=texts()["script"],
            opening={"buttons": reply_to_json(self.introduction)["buttons"], "examples": self._examples},
            query=query,
            unit=unit,
            embedded=embedded,
        )

    def plain(self, view: Plain) -> str:
        """Return the page that works without scripts."""
        return self._environment.get_template("plain.html").render(view=view, plain=texts()["plain"])

    def offline(self) -> str:
        """Return the page that a phone keeps for when there is no line."""
        return self._environment.get_template("offline.html").render(offline=texts()["offline"])

    def manifest(self) -> File:
        """Return what makes the page an app on the home screen."""
        icons = [
            {"src": self._files[f"icon-{size}.png"], "sizes": f"{size}x{size}", "type": "image/png", "purpose": "any"}
            for size in (192, 512)
        ]
        maskable = {"src": self._files["icon-maskable-512.png"], "sizes": "512x512", "type": "image/png"}
        about = {
            "id": "./",
            "name": self._words["title"],
            "short_name": self._words["short_title"],
            "description": self._words["description"],
            "lang": "vi",
            "dir": "ltr",
            "start_url": "./",
            "scope": "./",
            "display": "standalone",
            "theme_color": COLOURS["accent"],
            "background_color": COLOURS["page"],
            "icons": [*icons, maskable | {"purpose": "maskable"}],
        }
        return File(json.dumps(about, ensure_ascii=False).encode(), "application/manifest+json")

    def worker(self) -> File:
        """Return the service worker, which keeps what the page without a line needs."""
        kept = [OFFLINE, self._files["chat.css"], self._files["icon.svg"]]
        version = File(self.offline().encode(), "").version
        return script("sw.js", cache=f"congdanso-{version}", kept=kept, offline=OFFLINE)

    def launcher(self) -> File:
        """Return the script that a commune's site carries."""
        return script("embed.js", words=texts()["embed"] | {"title": self._words["title"]})
