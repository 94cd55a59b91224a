"""A reply as Zalo shows it: plain text in parts of at most 2,000 characters, with a menu by number; native buttons if asked for.

Whether messages of the third version take buttons is not documented; the numbers work in any case, so buttons are an extra.
"""

from __future__ import annotations

import unicodedata
from dataclasses import replace
from typing import Any, Final

from bot.channels.splitting import LINKS, clean, numbered
from bot.conversation.messages import label
from bot.conversation.model import Attachment, Reply

LIMIT: Final = 2000
"""Characters of one text."""
BUTTONS: Final = 5
TITLE: Final = 100
PAYLOAD: Final = 1000
MARK: Final = "#"
"""Before the payload of a button: a tap comes back as a text the citizen seems to have typed."""


def length(text: str) -> int:
    """Count UTF-16 units: whether Zalo counts those or characters is not said, and they are never fewer."""
    return len(text.encode("utf-16-le")) // 2


def composed(text: str) -> str:
    """Return Vietnamese with its marks inside the letters (NFC), since each mark of its own would count."""
    return unicodedata.normalize("NFC", clean(text))


def texts(reply: Reply) -> list[str]:
    """Return the parts of a reply; [] if it says nothing."""
    source = reply.source
    normal = replace(
        reply,
        text=composed(reply.text),
        buttons=tuple(replace(b, label=composed(b.label)) for b in reply.buttons),
        source=None if source is None else replace(source, title=composed(source.title)),
    )
    return numbered(normal, LIMIT, length)


def buttons(reply: Reply) -> list[dict[str, Any]]:
    """Return at most five native buttons: first what the conversation offers, then links."""
    offered: list[dict[str, Any]] = []
    links: list[dict[str, Any]] = []
    for button in reply.buttons:
        title = composed(button.label)[:TITLE]
        if not title:
            continue
        if button.payload and len(button.payload) < PAYLOAD:
            offered.append({"title": title, "type": "oa.query.hide", "payload": f"{MARK}{button.payload}"})
        elif button.url.startswith(LINKS):
            links.append({"title": title, "type": "oa.open.url", "payload": {"url": button.url}})
    return [*offered, *links][:BUTTONS]


def message(text: str, native: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    """Return the `message` of a request: a text, with buttons below it if there are any."""
    made: dict[str, Any] = {"text": text}
    if native:
        made["attachment"] = {"type": "template", "payload": {"buttons": native}}
    return made


def document(attachment: Attachment, public_url: str) -> str:
    """Return what is said of a document that Zalo does not take: its address, if it has a public one."""
    if attachment.url.startswith(LINKS):
        url = attachment.url
    else:
        url = f"{public_url}{attachment.url}" if public_url and attachment.url.startswith("/") else ""
    return composed(f"{attachment.title}: {url or label('zalo_oa', 'document_left_out')}")[:LIMIT]


def image(attachment_id: str, title: str) -> dict[str, Any]:
    """Return the `message` of an uploaded picture."""
    element = {"media_type": "image", "attachment_id": attachment_id}
    made: dict[str, Any] = {
        "attachment": {"type": "template", "payload": {"template_type": "media", "elements": [element]}}
    }
    return {"text": composed(title)[:LIMIT], **made} if title else made


def file(token: str) -> dict[str, Any]:
    """Return the `message` of an uploaded document."""
    return {"attachment": {"type": "file", "payload": {"token": token}}}
