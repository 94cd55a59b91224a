"""A reply as Telegram shows it: escaped HTML, cut where a reader would pause, buttons under the last part.

Telegram counts a text in UTF-16 code units after entities are parsed; python-telegram-bot does not check any limit.
"""

from __future__ import annotations

import html
import re
import unicodedata
from typing import Final

from telegram import InlineKeyboardButton, InlineKeyboardMarkup
from telegram.constants import InlineKeyboardButtonLimit, MessageLimit

from bot.conversation.answers import source_text
from bot.conversation.model import Button, Reply

LIMIT: Final = int(MessageLimit.MAX_TEXT_LENGTH)
SOURCE_LIMIT: Final = 1000
"""A longer source line is cut: it may not crowd out the answer."""
DATA_LIMIT: Final = int(InlineKeyboardButtonLimit.MAX_CALLBACK_DATA)
LINKS: Final = ("https://", "http://", "tg://")
_PAUSES: Final = (re.compile(r"\n\n"), re.compile(r"\n"), re.compile(r"(?<=[.!?…;:]) "), re.compile(r"[ \t]"))
_EARLIEST: Final = 0.5
"""A cut at a better pause is taken only behind this share of the room, so that parts do not become tiny."""
_JOINERS: Final = frozenset("\u200d\ufe0e\ufe0f")


def length(text: str) -> int:
    """Return the length as Telegram counts it."""
    return len(text.encode("utf-16-le")) // 2


def clean(text: str) -> str:
    """Return the text without what no request can carry: halves of surrogate pairs, and NUL."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").replace("\0", "").strip()


def split(text: str, limit: int = LIMIT) -> list[str]:
    """Cut a text into parts of at most `limit` UTF-16 units, at a paragraph, line, sentence or word; never inside a character."""
    parts = []
    rest = text.strip()
    while length(rest) > limit:
        head = _head(rest, limit)
        cut = _pause(head) or _between_characters(rest, len(head))
        parts.append(rest[:cut].rstrip())
        rest = rest[cut:].lstrip()
    return [part for part in (*parts, rest) if part]


def _head(text: str, limit: int) -> str:
    """The longest beginning that fits."""
    head = text[:limit]
    while length(head) > limit:
        head = head[: len(head) - max(1, (length(head) - limit) // 2)]
    return head


def _pause(head: str) -> int:
    """Where to cut; 0 if a reader would pause nowhere."""
    last = 0
    for pause in _PAUSES:
        last = max((m.end() for m in pause.finditer(head)), default=0)
        if last >= len(head) * _EARLIEST:
            break
    return last


def _between_characters(text: str, cut: int) -> int:
    """Step back from marks and joiners that belong to the letter or picture before them (decomposed Vietnamese, emoji)."""
    for step in range(min(cut, 16)):
        at = cut - step
        joined = unicodedata.combining(text[at]) or text[at] in _JOINERS or text[at - 1] == "\u200d"
        if not joined:
            return at
    return cut


def texts(reply: Reply) -> list[str]:
    """Return the parts of a reply as HTML: the first line stands out, the source comes last in italics; [] if it is empty."""
    source = clean(source_text(reply.source)) if reply.source is not None else ""
    if length(source) > SOURCE_LIMIT:
        source = split(source, SOURCE_LIMIT - 1)[0] + "…"
    parts = split(clean(reply.text), LIMIT - length(source) - 1 if source else LIMIT)
    marked = []
    for number, part in enumerate(parts):
        first, newline, rest = part.partition("\n")
        if number == 0 and newline:
            marked.append(f"<b>{html.escape(first, quote=False)}</b>\n{html.escape(rest, quote=False)}")
        else:
            marked.append(html.escape(part, quote=False))
    if source and marked:
        marked[-1] += f"\n<i>{html.escape(source, quote=False)}</i>"
    return marked


def plain(part: str) -> str:
    """Return an HTML part as plain text, for the case that Telegram does not take the mark-up."""
    return html.unescape(re.sub(r"</?[bi]>", "", part))


def keyboard(buttons: tuple[Button, ...]) -> InlineKeyboardMarkup | None:
    """Return one button a row. What Telegram would refuse together with the whole message is left out instead."""
    rows = []
    for button in buttons:
        label = clean(button.label)
        if not label:
            continue
        if button.url:
            if button.url.startswith(LINKS):
                rows.append([InlineKeyboardButton(label, url=button.url)])
        elif 0 < len(button.payload.encode()) <= DATA_LIMIT:
            rows.append([InlineKeyboardButton(label, callback_data=button.payload)])
    return InlineKeyboardMarkup(rows) if rows else None
