"""Replies as JSON, for the outbox and the web."""

from __future__ import annotations

from datetime import date
from typing import Any, Final

from bot.conversation.model import Attachment, Button, Reply, SourceLine

_USUAL: Final[dict[str, Any]] = {"first": 1, "about": "", "in_place": False}
"""What a reply mostly has, and is then not written out."""


def reply_to_json(reply: Reply) -> dict[str, Any]:
    """Return the reply in the shape of the contract: text, buttons, attachments, source (an object or null)."""
    source = reply.source
    return {
        "text": reply.text,
        "buttons": [
            {"label": b.label, "payload": b.payload} | ({"url": b.url} if b.url else {}) for b in reply.buttons
        ],
        "attachments": [{"title": a.title, "url": a.url, "media_type": a.media_type} for a in reply.attachments],
        "source": None
        if source is None
        else {"title": source.title, "url": source.url, "seen_on": source.seen_on.isoformat()},
    } | {name: value for name, usual in _USUAL.items() if (value := getattr(reply, name)) != usual}


def reply_from_json(state: dict[str, Any]) -> Reply:
    """Read what `reply_to_json` wrote."""
    source = state["source"]
    return Reply(
        text=state["text"],
        buttons=tuple(Button(b["label"], b["payload"], b.get("url", "")) for b in state["buttons"]),
        attachments=tuple(Attachment(**a) for a in state["attachments"]),
        source=None
        if source is None
        else SourceLine(source["title"], source["url"], date.fromisoformat(source["seen_on"])),
        first=state.get("first", _USUAL["first"]),
        about=state.get("about", _USUAL["about"]),
        in_place=state.get("in_place", _USUAL["in_place"]),
    )
