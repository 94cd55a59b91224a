"""A reply as requests to the Zalo Bot Platform: text in parts with a menu by number, documents as links, pictures by address.

There are no buttons, no files and no editing; a picture is fetched by Zalo from a public https address.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import urljoin

import yaml

from bot.channels.splitting import clean, numbered, split
from bot.conversation.model import Attachment, Reply

LIMIT: Final = 2000
"""Characters of a text, and of a picture's caption."""
_FILE: Final = Path(__file__).with_name("texts.yml")


@dataclass(frozen=True, slots=True)
class Request:
    """One request that puts something into a chat; the chat is added when it leaves."""

    method: str
    body: dict[str, str]


@lru_cache(maxsize=1)
def _texts() -> dict[str, str]:
    found: dict[str, str] = yaml.safe_load(_FILE.read_text(encoding="utf-8"))
    return found


def requests(reply: Reply, public_url: str) -> list[Request]:
    """Return the requests of a reply, in order; [] if there is nothing to send.

    Args:
        public_url: where citizens and Zalo reach this server; documents and pictures can be given only from https.
    """
    pictures = [a for a in reply.attachments if _is_picture(a) and _address(a, public_url)]
    documents = [_document(a, public_url) for a in reply.attachments if a not in pictures]
    text = "\n".join(part for part in (clean(reply.text), *documents) if part)
    said = Reply(text, reply.buttons, source=reply.source, first=reply.first)
    return [
        *(Request("sendMessage", {"text": part}) for part in numbered(said, LIMIT)),
        *(Request("sendPhoto", _photo(a, public_url)) for a in pictures),
    ]


def _is_picture(attachment: Attachment) -> bool:
    return attachment.media_type in ("image/png", "image/jpeg")


def _address(attachment: Attachment, public_url: str) -> str:
    """Return the public address of a document; "" if it has none."""
    base = f"{public_url.rstrip('/')}/" if public_url else ""
    whole = urljoin(base, attachment.url)
    return whole if whole.startswith("https://") else ""


def _document(attachment: Attachment, public_url: str) -> str:
    title = clean(attachment.title)
    if address := _address(attachment, public_url):
        return _texts()["document"].format(title=title, url=address)
    return _texts()["document_left_out"].format(title=title)


def _photo(attachment: Attachment, public_url: str) -> dict[str, Any]:
    caption = split(clean(attachment.title), LIMIT)[:1]
    return {"photo": _address(attachment, public_url)} | ({"caption": caption[0]} if caption else {})
