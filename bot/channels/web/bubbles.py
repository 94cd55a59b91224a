"""One reply as the server's own pages show it; `chat.js` draws the same for the page with scripts."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

_MARKED: Final = re.compile(r"([•–-] |\d+\. )?(.*)", re.DOTALL)
_ADDRESS: Final = re.compile(r"(?:https?://|tel:|/(?!/))", re.IGNORECASE)
"""What may become a link; anything else (`javascript:`) is shown as text."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a bubble: its bullet or number, its text, and how it is set."""

    mark: str
    text: str
    kind: str


@dataclass(frozen=True, slots=True)
class Link:
    """Something to open; `url` is empty where the address is none to follow."""

    title: str
    url: str


@dataclass(frozen=True, slots=True)
class Step:
    """A next step: a link, or a button with a payload; without either there is nothing to press."""

    label: str
    payload: str
    url: str


@dataclass(frozen=True, slots=True)
class Bubble:
    """A reply, taken apart for a template."""

    lines: tuple[Line, ...]
    source: Link | None
    seen_on: str
    files: tuple[Link, ...]
    steps: tuple[Step, ...]
    choices: bool
    """The steps are the numbered choices of the text, which then does not list them again."""


def bubble(reply: Mapping[str, Any]) -> Bubble:
    """Take a reply apart that is in the contract's shape (`bot.codec.reply_to_json`)."""
    buttons = reply["buttons"]
    lines = [line for line in reply["text"].split("\n") if line.strip()]
    # A numbered list of the buttons' own labels is for messengers without buttons; here the buttons carry the numbers.
    numbered = {line for i, b in enumerate(buttons, 1) if (line := f"{i}. {b['label']}") in lines}
    steps = []
    for i, button in enumerate(buttons, 1):
        counted = f"{i}. {button['label']}"
        label = counted if counted in numbered else button["label"]
        steps.append(Step(label, button["payload"], address(button.get("url", ""))))
    source = reply["source"]
    shown = [line for line in lines if line not in numbered]
    return Bubble(
        tuple(_lines(shown, leads=len(shown) > 1 or source is not None)),
        Link(source["title"], address(source["url"])) if source else None,
        day(source["seen_on"]) if source else "",
        tuple(Link(file["title"], address(file["url"])) for file in reply["attachments"]),
        tuple(steps),
        bool(numbered),
    )


def _lines(lines: Sequence[str], *, leads: bool) -> list[Line]:
    made = []
    for i, line in enumerate(lines):
        match = _MARKED.fullmatch(line)
        assert match is not None, "every part of the pattern may be empty"
        mark, text = match.group(1) or "", match.group(2)
        kind = "" if not mark else "item numbered" if mark[0].isdigit() else "item"
        made.append(Line(mark, text, f"{kind} first".strip() if i == 0 and leads else kind))
    return made


def address(url: str) -> str:
    """Return an address that may stand in a link, "" for any other."""
    return url if _ADDRESS.match(url or "") else ""


def day(iso: str) -> str:
    """Return an ISO day as people here write it: 15/7/2026."""
    return "/".join(str(int(part)) for part in reversed(iso.split("-")))
