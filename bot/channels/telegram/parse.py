"""A Telegram update as what a citizen did. Names, user names and phone numbers are never taken over."""

from __future__ import annotations

import logging
import re
from datetime import datetime
from typing import Any, Final

from telegram import Bot, CallbackQuery, Chat, ChatMemberUpdated, Message, Update
from telegram.constants import ChatMemberStatus, ChatType

from bot.messages import Address, Incoming

CHANNEL: Final = "telegram"
_UNSUPPORTED: Final = (
    "photo",
    "voice",
    "audio",
    "video",
    "video_note",
    "document",
    "sticker",
    "location",
    "contact",
    "animation",
    "poll",
    "venue",
)
_GONE: Final = {ChatMemberStatus.BANNED, ChatMemberStatus.LEFT}

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
    return Incoming(Address(CHANNEL, account, str(chat)), str(update.update_id), kind, text, now)


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
    return query.message.chat.id, "button", query.data


def _membership(change: ChatMemberUpdated) -> tuple[int, str, str] | None:
    was, now = change.old_chat_member.status in _GONE, change.new_chat_member.status in _GONE
    if was == now:
        return None
    return change.chat.id, "stopped" if now else "resumed", ""


def _message(message: Message, bot: Bot) -> tuple[int, str, str] | None:
    chat = message.chat
    text = message.text or ""
    if not text:
        kind = next((name for name in _UNSUPPORTED if getattr(message, name, None)), None)
        # In a group, only what is said to the bot is the bot's business.
        return (chat.id, "unsupported", kind) if kind and chat.type == ChatType.PRIVATE else None
    if chat.type != ChatType.PRIVATE:
        text = _for_us(message, chat, text, bot)
        if not text:
            return None
    if match := re.match(r"/start(?:@\w+)?(?:\s+(\S{1,64}))?\s*$", text):
        return chat.id, "opened", match.group(1) or ""
    return chat.id, "text", text


def _for_us(message: Message, chat: Chat, text: str, bot: Bot) -> str:
    """Return a group message that is meant for the bot, without the mention; "" for all others."""
    del chat
    mention = re.compile(rf"@{re.escape(bot.username)}\b", re.IGNORECASE)
    replied = message.reply_to_message is not None and (
        message.reply_to_message.from_user is not None and message.reply_to_message.from_user.id == bot.id
    )
    if mention.search(text) or replied:
        return mention.sub("", text).strip()
    return text if text.startswith("/") and "@" not in text.split(maxsplit=1)[0] else ""
