"""A Zalo event as what a citizen did. Names, phones, addresses and pictures are never taken over.

Zalo signs what it sends, but a citizen's app writes the text in it: every field is looked at before it is believed.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from bot.channels.zalo_oa.render import MARK
from bot.messages import Address, Incoming, Receipt, asks
from nlu import personal

CHANNEL: Final = "zalo-oa"
ANONYMOUS: Final = "anonymous"
"""Begins the chat of somebody who writes from a website without a Zalo account: `anonymous:<who>:<conversation>`."""
CHAT: Final = 128
"""Characters of a chat that the database keeps (`bot.storage.tables`). Zalo's own ids are about twenty long."""
DELIVERED: Final = "delivered"
SEEN: Final = "seen"
LATE: Final = timedelta(days=1)
"""Zalo repeats an event for two hours; a time further back, or to come, is a mistake of somebody's."""

_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,60}")
_MESSAGE_ID: Final = re.compile(r"[\x21-\x7e]{1,128}")
_PAYLOAD: Final = re.compile(rf"{MARK}([a-z]:[A-Za-z0-9_.:-]{{1,61}})")
"""A tap on one of our buttons or on an item of the OA's menu comes back as its payload, e.g. `#t:khai-sinh:le-phi`."""
_CAMPAIGN: Final = re.compile(rf"{MARK}(c_[A-Za-z0-9_-]{{1,62}})(?![A-Za-z0-9_-])[.!,]?\s*")
_MEDIA: Final = frozenset(
    {"image", "gif", "link", "location", "file", "sticker", "audio", "video", "business_card", "voice"}
)
_CAPTIONED: Final = frozenset({"image", "file", "video"})
"""With these a citizen may write a question."""
_ADDRESS: Final = re.compile(r"(?:https?://|www\.)\S+", re.IGNORECASE)
_OURS: Final = frozenset({"text", "image", "gif", "list", "link", "file", "sticker", "template", "audio", "video"})
"""What an OA sends; groups are not among them."""

log = logging.getLogger(__name__)
Happened = Incoming | Receipt


@dataclass(frozen=True, slots=True)
class _Event:
    """An event with its parts where all kinds of events have them."""

    raw: Mapping[str, Any]
    name: str
    account: str
    now: datetime

    def part(self, name: str) -> Mapping[str, Any]:
        found = self.raw.get(name)
        return found if isinstance(found, Mapping) else {}

    def id_of(self, *paths: str) -> str:
        """The first id that stands at one of these paths; "" if none is one."""
        for path in paths:
            head, _, tail = path.partition(".")
            found = self.part(head).get(tail) if tail else self.raw.get(head)
            if _ID.fullmatch(text := _text(found)):
                return text
        return ""

    def text(self) -> str:
        return _text(self.part("message").get("text"))

    def message_id(self) -> str:
        return _message_id(self.part("message").get("msg_id"))

    def happened_at(self) -> datetime:
        """When it happened, in UTC, if what Zalo says is possible; else now."""
        stamp = _text(self.raw.get("timestamp"))
        if not re.fullmatch(r"[0-9]{12,14}", stamp):
            return self.now
        then = datetime.fromtimestamp(int(stamp) / 1000, UTC)
        return then if self.now - LATE <= then <= self.now else self.now


def parse(raw: object, account: str, now: datetime) -> Happened | None:
    """Return what happened; None for what needs no answer and for what is unknown or broken."""
    if not isinstance(raw, Mapping):
        return None
    event = _Event(raw, _text(raw.get("event_name"))[:64], account, now)
    for begins, read in _READERS:
        if event.name == begins or (begins.endswith("_") and event.name.startswith(begins)):
            found = read(event)
            if found is None and read not in _QUIETLY:
                _log_left_out(event)
            return found
    _log_left_out(event)
    return None


def oa_of(raw: Mapping[str, Any]) -> str:
    """Return the id of the OA that an event is about; "" if it names none."""
    event = _Event(raw, _text(raw.get("event_name")), "", datetime.now(UTC))
    # The OA speaks in its own events and in receipts; in all others it is spoken to.
    speaks = event.name.startswith("oa_") or event.name in ("user_received_message", "user_seen_message")
    return event.id_of("oa_id", "sender.id" if speaks else "recipient.id")


def _log_left_out(event: _Event) -> None:
    name = event.name if re.fullmatch(r"[a-z0-9_]+", event.name) else "?"
    log.info("an event is left out", extra={"account": event.account, "event": name})


def _incoming(event: _Event, chat: str, kind: str, text: str = "") -> Incoming | None:
    """Return the act; None if nobody did it."""
    if not chat:
        return None
    return Incoming(Address(CHANNEL, event.account, chat), _update_id(event, chat), kind, text, event.happened_at())


def _update_id(event: _Event, chat: str) -> str:
    """Return the id by which a repetition is known: the message's own, else event, citizen and time."""
    if (message_id := event.message_id()) and event.name.startswith(("user_send_", "anonymous_send_")):
        return message_id
    told_apart = message_id or _text(event.raw.get("timestamp")) or _digest(repr(event.raw))
    own = f"{event.name}:{chat}:{told_apart}"
    return own if len(own) <= 192 and own.isascii() else f"{event.name}:{_digest(own)}"


# one reader for each kind of event


def _said(event: _Event) -> Incoming | None:
    """A text or something else that a citizen sent."""
    chat = event.id_of("sender.id", "user_id")
    what = event.name.removeprefix("user_send_")
    if what == "text":
        return _incoming(event, chat, *_read_text(event.text()))
    if what == "link" and _says_more(event.text()):
        return _incoming(event, chat, *_read_text(event.text()))
    return _incoming(event, chat, *_read_media(event, what)) if what in _MEDIA else None


def _said_anonymously(event: _Event) -> Incoming | None:
    who, where = event.id_of("sender.id", "user_id"), _text(event.part("message").get("conversation_id"))
    if not (who and _ID.fullmatch(where)):
        return None
    chat = f"{ANONYMOUS}:{who}:{where}"
    if len(chat) > CHAT:  # both ids are needed for an answer, so neither can be shortened
        return None
    what = event.name.removeprefix("anonymous_send_")
    if what == "text":
        return _incoming(event, chat, *_read_text(event.text()))
    return _incoming(event, chat, *_read_media(event, what)) if what in _MEDIA else None


def _read_media(event: _Event, what: str) -> tuple[str, str]:
    """Return kind and text of something that is not looked at: what was written with it, if anything was."""
    text = event.text()
    return ("captioned", text) if what in _CAPTIONED and asks(text) else ("unsupported", what)


def _read_text(text: str) -> tuple[str, str]:
    """Return kind and text of what was typed, or of what a tap typed for the citizen."""
    if match := _PAYLOAD.fullmatch(text.strip()):
        return "button", match.group(1)
    if match := _CAMPAIGN.match(text.lstrip()):
        code, words = match.group(1), text.lstrip()[match.end() :]
        if any(c.isalnum() for c in words):
            return "text", words
        return "opened", "" if personal.mask(code)[1] else code
    return "text", text


def _says_more(text: str) -> bool:
    """Whether there is a word beside the address."""
    return any(c.isalnum() for c in _ADDRESS.sub(" ", text))


def _followed(event: _Event) -> Incoming | None:
    return _incoming(event, event.id_of("follower.id", "sender.id", "user_id"), "opened")


def _unfollowed(event: _Event) -> Incoming | None:
    return _incoming(event, event.id_of("follower.id", "sender.id", "user_id"), "stopped")


def _clicked(event: _Event) -> Incoming | None:
    return _incoming(event, event.id_of("user_id", "sender.id"), "opened")


def _withdrew(event: _Event) -> Incoming | None:
    return _incoming(event, event.id_of("user_id", "sender.id", "follower.id"), "withdrawn")


def _sent_by_us(event: _Event) -> Incoming | None:
    """Our own messages come back, and so do an officer's: only those name who wrote."""
    if not _text(event.part("sender").get("admin_id")) or event.name.removeprefix("oa_send_") not in _OURS:
        return None
    return _incoming(event, event.id_of("recipient.id"), "taken_over")


def _received(event: _Event) -> Receipt | None:
    return _receipt(event, DELIVERED)


def _seen(event: _Event) -> Receipt | None:
    return _receipt(event, SEEN)


def _receipt(event: _Event, state: str) -> Receipt | None:
    """The recipient may be a phone number (a template sent by phone), and is not read."""
    message = event.part("message")
    several = message.get("msg_ids")
    ids = [message.get("msg_id"), *(several if isinstance(several, list) else [])]
    known = tuple(dict.fromkeys(read for i in ids[:200] if (read := _message_id(i))))
    tracking = _message_id(message.get("tracking_id"))
    if not known and not tracking:
        return None
    return Receipt(CHANNEL, event.account, state, known, tracking, event.happened_at())


def _dropped(_: _Event) -> None:
    """Name, phone, birthday and address, given to an officer's form: nothing that the bot asked for, so nothing is kept."""


_READERS: Final[tuple[tuple[str, Callable[[_Event], Happened | None]], ...]] = (
    ("user_send_", _said),
    ("anonymous_send_", _said_anonymously),
    ("follow", _followed),
    ("unfollow", _unfollowed),
    ("user_click_chatnow", _clicked),
    ("user_submit_info", _dropped),
    ("user_withdraw", _withdrew),
    ("user_received_message", _received),
    ("user_seen_message", _seen),
    ("oa_send_", _sent_by_us),
)
_QUIETLY: Final = frozenset({_dropped, _sent_by_us})
"""Nothing comes of these by design, and of our own messages many times a day."""


def _text(value: object) -> str:
    """Ids and times are texts; some senders write numbers."""
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""


def _message_id(value: object) -> str:
    """Return a message's id in a form that fits a column; "" if there is none."""
    text = _text(value)
    return text if not text or _MESSAGE_ID.fullmatch(text) else _digest(text)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
