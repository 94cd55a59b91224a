"""What a citizen receives: the unit's name in front, the officer's words with the places filled in, buttons, and how to stop."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import Final

from sqlalchemy import RowMapping

from bot.announcements.addresses import counted, links_in, rewritten
from bot.announcements.content import Content, Press, Shelf, content_of, filled
from bot.announcements.templates import CHANNEL as TEMPLATES
from bot.announcements.texts import say, told
from bot.conversation.categories import CATEGORIES, DEFAULT
from bot.conversation.messages import label
from bot.conversation.model import Attachment, Button, Reply
from bot.conversation.notices import KIND, PRESS
from content.places import Places, unit_title

STOP_PAYLOAD: Final = "a:tat-thong-bao"


@dataclass(frozen=True, slots=True)
class Message:
    """An announcement as the composer needs it. `text` is whole, with heading and footer; places are not filled in."""

    id: int
    unit: str
    text: str
    urgent: bool = False
    content: Content | None = None
    code: str = ""

    @classmethod
    def of(cls, row: RowMapping) -> Message:
        """Return what a row of the table says."""
        content = None if row["content"] is None else content_of(row["content"])
        urgent = row["urgent_reason"] is not None
        return cls(row["id"], row["unit"], row["text"], urgent, content, row["code"] or "")

    def by_template(self, channel: str, account: str) -> bool:
        """Whether it reaches an account's citizens also when they wrote too long ago for free text."""
        templates = self.content.templates if self.content is not None and channel == TEMPLATES else ()
        return any(t.account == account for t in templates)

    @property
    def cost(self) -> int:
        """Requests that one citizen's message takes."""
        return 1 + (len(self.content.documents) if self.content is not None else 0)


class NoShelf:
    """A library without documents."""

    def find(self, name: str) -> Attachment | None:  # noqa: ARG002 - there are none
        return None


class Composer:
    """Makes replies of announcements. One object for the process; it keeps nothing.

    Args:
        public_url: where links to this server lead; without it links are not counted.
    """

    def __init__(self, places: Places, shelf: Shelf | None = None, public_url: str = "") -> None:
        self._places = places
        self._names = {ward.code: ward.name for ward in places.wards()}
        self.shelf: Shelf = shelf or NoShelf()
        self._public_url = public_url.rstrip("/")

    def whole(self, unit: str, text: str, *, urgent: bool) -> str:
        """Return a text with heading and footer."""
        heading = say("heading_urgent" if urgent else "heading", unit=_inside(unit_title(self._places, unit)))
        return f"{heading}\n{text.strip()}\n\n{say('footer')}"

    def values(self, unit: str, ward: str | None, day: date) -> dict[str, str]:
        """Return what fills the places of a text, for a citizen of a commune."""
        found = {
            "tinh": f"tỉnh {self._places.title}",
            "ten_don_vi": _inside(unit_title(self._places, unit)),
            "ngay": f"{day:%d/%m/%Y}",
        }
        if ward in self._names:
            found["xa"] = _inside(self._names[ward])
        return found

    def address(self, attachment: Attachment) -> str:
        """Return where anybody can fetch a document; "" if this server has no public address."""
        if not attachment.url.startswith("/"):
            return attachment.url
        return f"{self._public_url}{attachment.url}" if self._public_url else ""

    def reply(self, message: Message, channel: str, ward: str | None, day: date) -> Reply:
        """Return what a citizen of a commune receives on a channel."""
        content, text = message.content, message.text
        if content is not None and channel in content.bodies:
            text = self.whole(message.unit, content.body(channel), urgent=message.urgent)
        values = self.values(message.unit, ward, day)
        if content is not None and self._public_url and message.code:
            text = rewritten(text, content, self._public_url, message.code, channel)
        text = filled(text, values)
        if content is None:
            return Reply(text, (_stop(),), first=0)
        templates = tuple(t.message(values, content.body(channel)) for t in content.templates if channel == TEMPLATES)
        documents = tuple(found for name in content.documents if (found := self.shelf.find(name)) is not None)
        buttons = (*self._buttons(content, message.code, channel), *_ways_out(content.category))
        return Reply(text, buttons, documents, first=0, templates=templates)

    def notes(self, content: Content) -> list[str]:
        """Return what is good to know about a content's links."""
        links = [b for b in content.buttons if b.kind == "link"] or links_in(content)
        return [] if self._public_url or not links else [told("notes", "not_counted")]

    def _buttons(self, content: Content, code: str, channel: str) -> list[Button]:
        buttons = []
        for number, press in enumerate(content.buttons, 1):
            if press.kind == "link":
                over = counted(self._public_url, code, number, channel) if self._public_url and code else press.target
                buttons.append(Button(press.shown, url=over))
            else:
                buttons.append(Button(press.shown, _payload(press, code)))
        return buttons


def trial_of(reply: Reply) -> Reply:
    """Return a reply as an officer tries it on themselves; never a template: it costs money and cannot say what it is."""
    return replace(reply, text=f"{say('trial')}\n{reply.text}", templates=())


def presses(content: Content, code: str) -> list[Button]:
    """Return what a citizen can press under an announcement besides its links, the ways out last."""
    under = [Button(p.shown, _payload(p, code)) for p in content.buttons if p.kind != "link"]
    return [*under, *_ways_out(content.category)]


def _payload(press: Press, code: str) -> str:
    return f"{PRESS}:{code}:ask:{press.target}" if press.kind == "ask" else f"{PRESS}:{code}:{press.kind}"


def _stop() -> Button:
    return Button(say("stop_button"), STOP_PAYLOAD)


def _ways_out(category: str) -> list[Button]:
    """How to get no more of this kind, and how to get nothing any more."""
    if category == DEFAULT or category not in CATEGORIES:
        return [_stop()]
    return [Button(say("mute_button", category=label("categories", category).lower()), f"{KIND}:-{category}"), _stop()]


def _inside(name: str) -> str:
    """Return a unit's name as it stands inside a sentence: "xã Phủ Thông"."""
    return name[:1].lower() + name[1:]
