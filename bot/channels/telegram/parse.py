"""A Telegram update as what a citizen did. Names, user names and phone numbers are never taken over."""

from __future__ import annotations

import logging
import re
from datetime import datetime
from typing import Any, Final

from telegram import Bot, CallbackQuery, ChatMemberUpdated, Message, Update, User
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
_CAMPAIGN: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""What Telegram puts behind /start when a link is followed; what else stands there was typed."""

log = logging.getLogger(__name__)


def parse(raw: dict[str, Any], bot: Bot, account: str, now: datetime) -> Incoming | None:
    """Return what happened; None for what needs no answer (edits, service messages, a group's own talk) or is broken."""
    try:
        update = Update.de_json(raw, bot)
        found = _parse(update, bot)
    except Exception:
        # An update that cannot be read would come again for ever; what it held is not logged.
        log.warning("unreadable update left out", extra={"account": account})
        return None
    if found is None:
        return None
    chat, kind, text = found
    query = update.callback_query
    ref = str(query.message.message_id) if query is not None and query.message is not None else ""
    address = Address(CHANNEL, account, f"{chat}{_topic(update.message if query is None else query.message)}")
    return Incoming(address, _update_id(update), kind, text, now, ref=ref, language=_language(update))


def _language(update: Update) -> str:
    """The language of the citizen's Telegram ("vi", "en"), without its country; "" in a group, which has many."""
    user, chat = update.effective_user, update.effective_chat
    if user is None or chat is None or chat.type != ChatType.PRIVATE:
        return ""
    language = (user.language_code or "").partition("-")[0].lower()
    return language if re.fullmatch(r"[a-z]{2,3}", language) else ""


def where(chat: str) -> tuple[str, int | None]:
    """Return the id that Telegram knows of a conversation's chat, and the topic of a forum that it is; None: no topic."""
    group, _, topic = chat.partition(TOPIC)
    return group, int(topic) if topic.isdecimal() else None


def _topic(message: object) -> str:
    """Return what tells a topic of a forum from the rest of it. Threads of replies are in every large group: they are none."""
    in_topic = isinstance(message, Message) and message.is_topic_message and message.message_thread_id
    return f"{TOPIC}{message.message_thread_id}" if isinstance(message, Message) and in_topic else ""


def _update_id(update: Update) -> str:
    """Return the id by which a repetition is known.

    The pictures of one album are one thing, and get one answer; the question under one of them gets its own.
    """
    message = update.message
    if message is not None and message.media_group_id and not (message.text or _caption(message)):
        return f"album:{message.chat.id}:{message.media_group_id}"
    return str(update.update_id)


def _parse(update: Update, bot: Bot) -> tuple[int, str, str] | None:
    if update.callback_query is not None:
        return _pressed(update.callback_query)
    if update.my_chat_member is not None:
        return _membership(update.my_chat_member)
    if update.message is not None:
        return _message(update.message, bot)
    return None


def _pressed(query: CallbackQuery) -> tuple[int, str, str] | None:
    if query.message is None or not query.data:
        return None
    # A payload of ours is short and ASCII; a client may send anything, and it is stored unmasked.
    ours = query.data.isascii() and query.data.isprintable() and len(query.data) <= 64
    return query.message.chat.id, "button", query.data if ours else ""


def _membership(change: ChatMemberUpdated) -> tuple[int, str, str] | None:
    was, now = change.old_chat_member.status in _GONE, change.new_chat_member.status in _GONE
    if was == now:
        return None
    return change.chat.id, "stopped" if now else "resumed", ""


def _message(message: Message, bot: Bot) -> tuple[int, str, str] | None:
    chat = message.chat
    text = message.text or _caption(message)
    if not text:
        kind = next((name for name in _UNSUPPORTED if getattr(message, name, None)), None)
        # In a group, only what is said to the bot is the bot's business.
        return (chat.id, "unsupported", kind) if kind and chat.type == ChatType.PRIVATE else None
    if chat.type != ChatType.PRIVATE:
        text = _for_us(message, text, bot)
        if not text:
            return None
    if not message.text:
        return chat.id, "captioned", text
    if match := _START.match(text):
        return chat.id, "opened", _campaign(match.group(1) or "")
    return chat.id, "text", text


def _caption(message: Message) -> str:
    """Return what was asked under a picture or a file, which itself is not looked at; "" if nothing was."""
    caption = message.caption or ""
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


def _for_us(message: Message, text: str, bot: Bot) -> str:
    """Return a group message that is meant for the bot, without the mention; "" for all others."""
    us = ourselves(bot)
    mention = re.compile(rf"@{re.escape(us.username)}\b", re.IGNORECASE) if us is not None and us.username else None
    to = message.reply_to_message.from_user if message.reply_to_message is not None else None
    # A token begins with the bot's id, so a reply to the bot is known even before Telegram was asked for its name.
    to_us = to is not None and str(to.id) == bot.token.partition(":")[0]
    if to_us or (mention is not None and mention.search(text)):
        return (mention.sub("", text) if mention is not None else text).strip()
    return text if text.startswith("/") and "@" not in text.split(maxsplit=1)[0] else ""
