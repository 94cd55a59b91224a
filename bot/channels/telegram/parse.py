"""A Telegram update as what a citizen did. Names, user names and phone numbers are never taken over.

Read as it came: python-telegram-bot's objects have a hundred fields each, of which these are a dozen, and making them took half
of the time that accepting a message does.
"""

from __future__ import annotations

import logging
import re
from datetime import datetime
from typing import Any, Final

from telegram import Bot, User
from telegram.constants import ChatMemberStatus, ChatType

from bot.messages import Address, Incoming, asks
from nlu import personal

CHANNEL: Final = "telegram"
TOPIC: Final = ":"
"""Between the id of a forum and that of one of its topics: `-1001234:56`. Each topic is a conversation of its own."""
_UNSUPPORTED: Final = (
    "photo",
    "voice",
    "audio",
    "video",
    "video_note",
    "animation",
    "document",
    "sticker",
    "venue",
    "location",
    "contact",
    "poll",
    "dice",
    "story",
    "game",
    "checklist",
    "paid_media",
)
"""The special before the general: an animation is a document too, a venue a location."""
_GONE: Final = {ChatMemberStatus.BANNED, ChatMemberStatus.LEFT}
_START: Final = re.compile(r"/start(?:@\w+)?(?:\s+(\S{1,64}))?\s*$")
_LANGUAGE: Final = re.compile(r"[a-z]{2,3}")
_CAMPAIGN: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""What Telegram puts behind /start when a link is followed; what else stands there was typed."""

Raw = dict[str, Any]
log = logging.getLogger(__name__)


def parse(raw: dict[str, Any], bot: Bot, account: str, now: datetime) -> Incoming | None:
    """Return what happened; None for what needs no answer (edits, service messages, a group's own talk) or is broken."""
    try:
        return _read(raw, bot, account, now)
    except Exception:
        # Whatever it is: an update that cannot be read would come again for ever; what it held is not logged.
        log.warning("unreadable update left out", extra={"account": account})
        return None


def _read(raw: Raw, bot: Bot, account: str, now: datetime) -> Incoming | None:
    number = _whole(raw, "update_id")
    if (query := _part(raw, "callback_query")) is not None:
        return _pressed(query, str(number), account, now)
    if (change := _part(raw, "my_chat_member")) is not None:
        return _membership(change, str(number), account, now)
    if (message := _part(raw, "message")) is not None:
        return _message(message, bot, str(number), account, now)
    return None


def _part(raw: Raw, name: str) -> Raw | None:
    """An object within another; None if it is not there."""
    value = raw.get(name)
    if value is None or isinstance(value, dict):
        return value
    raise TypeError(name)


def _must(raw: Raw, name: str) -> Raw:
    """An object that is always there."""
    if (found := _part(raw, name)) is None:
        raise KeyError(name)
    return found


def _words(raw: Raw, name: str) -> str:
    """A text; "" if it is not there."""
    value = raw.get(name)
    if value is None or isinstance(value, str):
        return value or ""
    raise TypeError(name)


def _whole(raw: Raw, name: str) -> int:
    """A whole number that is always there."""
    value = raw[name]
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(name)
    return value


def _language(user: Raw | None, chat: Raw) -> str:
    """The language of the citizen's Telegram ("vi", "en"), without its country; "" in a group, which has many."""
    if user is None or _words(chat, "type") != ChatType.PRIVATE:
        return ""
    language = _words(user, "language_code").partition("-")[0].lower()
    return language if _LANGUAGE.fullmatch(language) else ""


def where(chat: str) -> tuple[str, int | None]:
    """Return the id that Telegram knows of a conversation's chat, and the topic of a forum that it is; None: no topic."""
    group, _, topic = chat.partition(TOPIC)
    return group, int(topic) if topic.isdecimal() else None


def _topic(message: Raw) -> str:
    """Return what tells a topic of a forum from the rest of it. Threads of replies are in every large group: they are none."""
    if message.get("is_topic_message") is not True or not message.get("message_thread_id"):
        return ""
    return f"{TOPIC}{_whole(message, 'message_thread_id')}"


def _address(account: str, message: Raw) -> Address:
    return Address(CHANNEL, account, f"{_whole(_must(message, 'chat'), 'id')}{_topic(message)}")


def _pressed(query: Raw, update_id: str, account: str, now: datetime) -> Incoming | None:
    message, data = _part(query, "message"), _words(query, "data")
    if message is None or not data:
        return None
    # A payload of ours is short and ASCII; a client may send anything, and it is stored unmasked.
    ours = data.isascii() and data.isprintable() and len(data) <= 64
    language = _language(_part(query, "from"), _must(message, "chat"))
    ref = str(_whole(message, "message_id"))
    address = _address(account, message)
    return Incoming(address, update_id, "button", data if ours else "", now, ref=ref, language=language)


def _membership(change: Raw, update_id: str, account: str, now: datetime) -> Incoming | None:
    was, is_now = (_words(_must(change, name), "status") in _GONE for name in ("old_chat_member", "new_chat_member"))
    if was == is_now:
        return None
    language = _language(_part(change, "from"), _must(change, "chat"))
    kind = "stopped" if is_now else "resumed"
    return Incoming(_address(account, change), update_id, kind, "", now, language=language)


def _message(message: Raw, bot: Bot, update_id: str, account: str, now: datetime) -> Incoming | None:
    found = _said(message, bot)
    if found is None:
        return None
    album = _words(message, "media_group_id")
    if album and not (_words(message, "text") or _caption(message)):
        # The pictures of one album are one thing, and get one answer; the question under one of them gets its own.
        update_id = f"album:{_whole(_must(message, 'chat'), 'id')}:{album}"
    language = _language(_part(message, "from"), _must(message, "chat"))
    return Incoming(_address(account, message), update_id, *found, now, language=language)


def _said(message: Raw, bot: Bot) -> tuple[str, str] | None:
    """The kind and the text of a message; None for what is not the bot's business."""
    private = _words(_must(message, "chat"), "type") == ChatType.PRIVATE
    typed = _words(message, "text")
    text = typed or _caption(message)
    if not text:
        kind = next((name for name in _UNSUPPORTED if message.get(name)), None)
        # In a group, only what is said to the bot is the bot's business.
        return ("unsupported", kind) if kind and private else None
    if not private:
        text = _for_us(message, text, bot)
        if not text:
            return None
    if not typed:
        return "captioned", text
    if match := _START.match(text):
        return "opened", _campaign(match.group(1) or "")
    return "text", text


def _caption(message: Raw) -> str:
    """Return what was asked under a picture or a file, which itself is not looked at; "" if nothing was."""
    caption = _words(message, "caption")
    return caption if asks(caption) else ""


def _campaign(payload: str) -> str:
    """Return the payload of a link; "" for what somebody typed in its place, since it is stored unmasked."""
    if not _CAMPAIGN.fullmatch(payload) or personal.mask(payload)[1]:
        return ""
    return payload


def ourselves(bot: Bot) -> User | None:
    """The bot as Telegram knows it; None before it was asked."""
    try:
        return bot.bot
    except RuntimeError:
        return None


def may_mention(raw: dict[str, Any]) -> bool:
    """Whether an update is a group's message that mentions somebody: only the bot's name tells if that is the bot."""
    message = raw.get("message")
    if not isinstance(message, dict) or not isinstance(chat := message.get("chat"), dict):
        return False
    return chat.get("type") != ChatType.PRIVATE and "@" in str(message.get("text") or "")


def _for_us(message: Raw, text: str, bot: Bot) -> str:
    """Return a group message that is meant for the bot, without the mention; "" for all others."""
    us = ourselves(bot)
    mention = re.compile(rf"@{re.escape(us.username)}\b", re.IGNORECASE) if us is not None and us.username else None
    replied = _part(message, "reply_to_message")
    to = _part(replied, "from") if replied is not None else None
    # A token begins with the bot's id, so a reply to the bot is known even before Telegram was asked for its name.
    to_us = to is not None and str(to.get("id")) == bot.token.partition(":")[0]
    if to_us or (mention is not None and mention.search(text)):
        return (mention.sub("", text) if mention is not None else text).strip()
    return text if text.startswith("/") and "@" not in text.split(maxsplit=1)[0] else ""
