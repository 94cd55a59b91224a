"""What an officer writes: text with places to fill in, buttons, documents of the library; checked before anybody sees it."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol, runtime_checkable

from bot.announcements.places import PLACES, filled, names_office, personal_problems, unknown_places
from bot.announcements.templates import Template, templates_of
from bot.announcements.texts import texts, told
from bot.conversation.categories import CATEGORIES, DEFAULT
from bot.conversation.model import Attachment

__all__ = ["PLACES", "Content", "Press", "Refused", "Shelf", "Stamped", "filled", "names_office", "personal_problems"]

LONGEST: Final = 1500
"""Characters of an officer's text: with heading and footer it fits the smallest of the messengers (Zalo: 2,000)."""
LONGEST_REASON: Final = 200
LONGEST_LABEL: Final = 32
MOST_BUTTONS: Final = 3
"""Of the officer's own; the citizen's two ways out come behind them, and Zalo shows five."""
MOST_DOCUMENTS: Final = 2
KINDS: Final = ("link", "read", "join", "ask")
_LINK: Final = re.compile(r"https?://[^\s\"'<>]{4,500}", re.IGNORECASE)


class Shelf(Protocol):
    """The library's documents, as an announcement may carry them."""

    def find(self, name: str) -> Attachment | None:
        """Return a document by its name (a pack's slug, a picture's); None if there is none or it no longer holds."""


@runtime_checkable
class Stamped(Protocol):
    """A library that can tell one version of a document from the next."""

    def stamp(self, name: str) -> str:
        """Return a hash of what a document says; another one as soon as that changes. "" if there is no such document."""


class Refused(ValueError):
    """It may not be done like this; `problems` says why, one sentence each."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__(" ".join(problems))
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True)
class Press:
    """A button of the officer's: a link, "Đã đọc", "Tham gia", or a question that opens the conversation on a topic."""

    kind: str
    label: str = ""
    target: str = ""
    """Of a link its address, of a question its topic."""

    @property
    def shown(self) -> str:
        """The label as the citizen reads it."""
        return self.label or texts()["button_labels"].get(self.kind, self.kind)


@dataclass(frozen=True, slots=True)
class Content:
    """What is said. The text is one source for all channels; `bodies` holds shorter wordings for single ones."""

    text: str
    category: str = DEFAULT
    buttons: tuple[Press, ...] = ()
    documents: tuple[str, ...] = ()
    bodies: Mapping[str, str] = field(default_factory=dict)
    templates: tuple[Template, ...] = ()
    """For those to whom a messenger takes no free text any more; one for each account at most."""

    def body(self, channel: str) -> str:
        """Return the wording for a channel."""
        return self.bodies.get(channel, self.text)

    def as_json(self) -> dict[str, Any]:
        """Return the content for storage, the same for the same content; `content_of` reads it."""
        return {
            "text": self.text,
            "category": self.category,
            "buttons": [{"kind": b.kind, "label": b.label, "target": b.target} for b in self.buttons],
            "documents": list(self.documents),
            "bodies": dict(sorted(self.bodies.items())),
        } | ({"templates": [t.as_json() for t in self.templates]} if self.templates else {})


def content_of(given: Mapping[str, Any]) -> Content:
    """Read a content from storage, a form or the API.

    Raises:
        Refused: it does not have the shape of one.
    """
    known = {"text", "category", "buttons", "documents", "bodies", "templates"}
    problems = [told("content_problems", "unknown", what=str(key)[:40]) for key in set(given) - known]
    text, category = given.get("text", ""), given.get("category") or DEFAULT
    buttons, documents, bodies = given.get("buttons") or [], given.get("documents") or [], given.get("bodies") or {}
    templates = templates_of(given.get("templates") or [])
    shaped = (
        isinstance(text, str)
        and templates is not None
        and isinstance(category, str)
        and isinstance(documents, list | tuple)
        and all(isinstance(d, str) for d in documents)
        and isinstance(bodies, Mapping)
        and all(isinstance(v, str) for v in bodies.values())
        and isinstance(buttons, list | tuple)
        and all(
            isinstance(b, Mapping)
            and set(b) <= {"kind", "label", "target"}
            and all(isinstance(v, str) for v in b.values())
            for b in buttons
        )
    )
    if not shaped or problems:
        raise Refused(problems or [told("content_problems", "shape")])
    presses = tuple(
        Press(b.get("kind", ""), " ".join(b.get("label", "").split()), b.get("target", "").strip()) for b in buttons
    )
    plain = {k: _plain(v) for k, v in bodies.items()}
    return Content(_plain(text), category, presses, tuple(documents), plain, templates or ())


def problems_of(content: Content, *, topics: Collection[str], shelf: Shelf, channels: Collection[str]) -> list[str]:
    """Say what speaks against a content, for the officer."""
    problems = []
    for name, text in {"": content.text, **content.bodies}.items():
        problems += text_problems(text)
        if name and name not in channels:
            problems.append(told("content_problems", "channel", channel=name[:32]))
    if content.category not in CATEGORIES:
        known = ", ".join(CATEGORIES)
        problems.append(told("content_problems", "category", category=content.category[:40], known=known))
    problems += _button_problems(content.buttons, topics)
    if len(content.documents) > MOST_DOCUMENTS:
        problems.append(told("content_problems", "documents", limit=MOST_DOCUMENTS))
    problems += [
        told("content_problems", "document", name=name[:60]) for name in content.documents if shelf.find(name) is None
    ]
    return list(dict.fromkeys(problems))


def text_problems(text: str) -> list[str]:
    """Say what speaks against a text: nothing in it, too long, a person's number, a place that nobody can fill in."""
    problems = []
    if not text.strip():
        problems.append(told("problems", "empty"))
    elif len(text.strip()) > LONGEST:
        problems.append(told("problems", "too_long", length=len(text.strip()), limit=LONGEST))
    problems += personal_problems(text)
    if unknown := unknown_places(text):
        known = ", ".join(f"{{{name}}}" for name in PLACES)
        problems.append(told("content_problems", "place", names=", ".join(unknown), known=known))
    return problems


def reason_problems(urgent_reason: str | None) -> list[str]:
    """Say what speaks against the reason for which something is urgent."""
    if urgent_reason is None:
        return []
    if len(urgent_reason.strip()) < 5:
        return [told("problems", "reason")]
    if len(urgent_reason) > LONGEST_REASON:
        return [told("problems", "reason_long", limit=LONGEST_REASON)]
    return personal_problems(urgent_reason)


def plain_content(text: str) -> Content:
    """Return a content that is a text and nothing else."""
    return replace(Content(""), text=text.strip())


def _plain(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\x00", "").strip()


def _button_problems(buttons: Sequence[Press], topics: Collection[str]) -> list[str]:
    problems = []
    if len(buttons) > MOST_BUTTONS:
        problems.append(told("content_problems", "buttons", limit=MOST_BUTTONS))
    for button in buttons:
        if button.kind not in KINDS:
            problems.append(told("content_problems", "button_kind", kind=button.kind[:20], known=", ".join(KINDS)))
            continue
        if len(button.label) > LONGEST_LABEL or (button.kind == "link" and not button.label):
            problems.append(told("content_problems", "label", limit=LONGEST_LABEL))
        problems += personal_problems(button.label)
        if button.kind == "link" and not _LINK.fullmatch(button.target):
            problems.append(told("content_problems", "link", link=button.target[:80]))
        if button.kind == "ask" and button.target not in topics:
            problems.append(told("content_problems", "topic", topic=button.target[:64]))
    kinds = [b.kind for b in buttons if b.kind in ("read", "join")]
    if len(kinds) != len(set(kinds)):
        problems.append(told("content_problems", "twice"))
    return problems
