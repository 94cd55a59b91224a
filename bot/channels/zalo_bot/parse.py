"""What Zalo hands over as what a citizen did. Names, pictures, voices and their addresses are never taken over.

The sources disagree on the shape of an update, so all are taken: flat or in `{"ok": …, "result": …}`, with or without
`event_name`. In a group Zalo itself hands over only what mentions the bot or replies to it.
"""

from __future__ import annotations

import hashlib
import json
import re
from datetime import datetime
from typing import Any, Final

from bot.messages import Address, Incoming, asks
from nlu import personal

CHANNEL: Final = "zalo-bot"
_EVENT: Final = re.compile(r"message\.([a-z_]{1,16})\.received")
_KINDS: Final = {"image": "photo", "gif": "photo"}
"""The conversation's own words for what cannot be read, where Zalo's differ."""
_SILENT: Final = frozenset({"reaction"})
"""Events that ask for no answer."""
_CONTENTS: Final = (("photo", "photo"), ("photo_url", "photo"), ("voice_url", "voice"), ("sticker", "sticker"))
"""Fields of a message without a known event, and what they are."""
_START: Final = re.compile(r"/start(?:\s+(\S{1,64}))?|#(c_\S{1,62})")
"""A first word, or the code of a campaign: Zalo has no links with a payload, so the citizen types `#c_…`."""
_CAMPAIGN: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_ADDRESS: Final = re.compile(r"(?:https?://|www\.)\S+", re.IGNORECASE)
"""What a message about a link has beside it was meant for us."""
_ID: Final = 128


def unwrap(body: Any) -> tuple[dict[str, Any] | None, str]:
    """Return the update in a body, and which shape it had: "flat", "wrapped", or "empty" (nothing in it)."""
    if isinstance(body, dict) and "message" not in body and "event_name" not in body:
        inside = body.get("result")
        return (inside, "wrapped") if isinstance(inside, dict) and inside else (None, "empty")
    return (body, "flat") if isinstance(body, dict) else (None, "empty")


def parse(update: dict[str, Any], names: tuple[str, ...], account: str, now: datetime) -> Incoming | None:
    """Return what happened; None for what needs no answer or can get none (no chat to answer in, another bot).

    Args:
        update: as `unwrap` gives it.
        names: by which a group calls the bot; the mention is taken out of the text.
    """
    message = update.get("message")
    if not isinstance(message, dict):
        return None
    chat, sender = message.get("chat"), message.get("from")
    if not isinstance(chat, dict) or (isinstance(sender, dict) and sender.get("is_bot") is True):
        return None
    chat_id = chat.get("id")
    if not isinstance(chat_id, str) or not 0 < len(chat_id) <= _ID:
        return None
    group = str(chat.get("chat_type", "")).upper() == "GROUP"
    found = _read(update, message, names if group else (), group=group)
    if found is None:
        return None
    kind, text = found
    return Incoming(Address(CHANNEL, account, chat_id), _update_id(update, message), kind, text, now)


def _read(
    update: dict[str, Any], message: dict[str, Any], names: tuple[str, ...], *, group: bool
) -> tuple[str, str] | None:
    text = message.get("text")
    event = _EVENT.fullmatch(str(update.get("event_name") or "message.any.received"))
    if event is None or event.group(1) in _SILENT:
        return None
    what = event.group(1)
    if isinstance(text, str) and text.strip() and what in ("any", "text"):
        text = without_mention(text, names).strip()
        if match := _START.fullmatch(text):
            return "opened", _campaign(match.group(1) or match.group(2) or "")
        return "text", text
    if group:
        return None
    if what == "link" and isinstance(text, str):
        asked = _ADDRESS.sub(" ", text).strip()
        if any(c.isalnum() for c in asked):
            return "text", asked
    caption = message.get("caption")
    if isinstance(caption, str) and asks(caption) and any(message.get(field) for field, _ in _CONTENTS):
        return "captioned", caption.strip()
    if what not in ("any", "text"):
        return "unsupported", _KINDS.get(what, what)
    return "unsupported", next((kind for field, kind in _CONTENTS if message.get(field)), "unsupported")


def without_mention(text: str, names: tuple[str, ...]) -> str:
    """Return a text without the bot's name, as the picker of mentions puts it in."""
    for name in sorted(filter(None, names), key=len, reverse=True):
        text = re.sub(rf"@{re.escape(name)}(?!\w)", " ", text, flags=re.IGNORECASE)
    return text


def _campaign(payload: str) -> str:
    """Return the code of a campaign; "" for what somebody typed in its place, since it is stored unmasked."""
    return payload if _CAMPAIGN.fullmatch(payload) and not personal.mask(payload)[1] else ""


def _update_id(update: dict[str, Any], message: dict[str, Any]) -> str:
    """Return the id by which a repetition is known: the message's, else a digest of all of it."""
    given = message.get("message_id")
    if isinstance(given, str | int) and not isinstance(given, bool) and 0 < len(str(given)) <= _ID:
        return str(given)
    whole = json.dumps(update, sort_keys=True, ensure_ascii=True, default=str)
    return f"digest:{hashlib.sha256(whole.encode()).hexdigest()}"
