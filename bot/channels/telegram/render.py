"""A reply as Telegram shows it: escaped HTML, cut where a reader would pause, buttons under the last part.

Telegram counts a text in UTF-16 code units after entities are parsed; python-telegram-bot does not check any limit.
"""

from __future__ import annotations

import html
import re
from typing import Final

from telegram import InlineKeyboardButton, InlineKeyboardMarkup
from telegram.constants import InlineKeyboardButtonLimit, MessageLimit

from bot.conversation.answers import source_text
from bot.conversation.model import Button, Reply

LIMIT: Final = int(MessageLimit.MAX_TEXT_LENGTH)
DATA_LIMIT: Final = int(InlineKeyboardButtonLimit.MAX_CALLBACK_DATA)
_PAUSES: Final = (re.compile(r"\n\n"), re.compile(r"\n"), re.compile(r"(?<=[.!?…;:]) "), re.compile(r" "))
_EARLIEST: Final = 0.5
"""A cut at a better pause is taken only behind this share of the room, so that parts do not become tiny."""


def length(text: str) -> int:
    """Return the length as Telegram counts it."""
    return len(text.encode("utf-16-le")) // 2


def split(text: str, limit: int = LIMIT) -> list[str]:
    """Cut a text into parts of at most `limit` UTF-16 units, at a paragraph, line, sentence or word; never inside a character."""
    parts = []
    rest = text.strip()
    while length(rest) > limit:
        head = _head(rest, limit)
        cut = _pause(head)
        parts.append(head[:cut].rstrip())
        rest = (head[cut:] + rest[len(head) :]).lstrip()
    return [part for part in (*parts, rest) if part] or [text[:limit]]


def _head(text: str, limit: int) -> str:
    """The longest beginning that fits."""
    head = text[:limit]
    while length(head) > limit:
        head = head[: len(head) - max(1, (length(head) - limit) // 2)]
    return head


def _pause(head: str) -> int:
    for pause in _PAUSES:
        found = [m.end() for m in pause.finditer(head)]
        if found and found[-1] >= len(head) * _EARLIEST:
            return found[-1]
    return len(head)


def texts(reply: Reply) -> list[str]:
    """Return the parts of a reply as HTML: the first line stands out, the source comes last in italics."""
    source = source_text(reply.source) if reply.source is not None else ""
    room = LIMIT - length(source) - 1 if source else LIMIT
    parts = split(reply.text, room)
    marked = []
    for number, part in enumerate(parts):
        first, newline, rest = part.partition("\n")
        if number == 0 and newline:
            marked.append(f"<b>{html.escape(first, quote=False)}</b>\n{html.escape(rest, quote=False)}")
        else:
            marked.append(html.escape(part, quote=False))
    if source:
        marked[-1] += f"\n<i>{html.escape(source, quote=False)}</i>"
    return marked


def plain(part: str) -> str:
    """Return an HTML part as plain text, for the case that Telegram does not take the mark-up."""
    return html.unescape(re.sub(r"</?[bi]>", "", part))


def keyboard(buttons: tuple[Button, ...]) -> InlineKeyboardMarkup | None:
    """Return one button a row; a payload beyond Telegram's limit is left out rather than refused with the whole message."""
    rows = []
    for button in buttons:
        if button.url:
            rows.append([InlineKeyboardButton(button.label, url=button.url)])
        elif 0 < len(button.payload.encode()) <= DATA_LIMIT:
            rows.append([InlineKeyboardButton(button.label, callback_data=button.payload)])
    return InlineKeyboardMarkup(rows) if rows else None
