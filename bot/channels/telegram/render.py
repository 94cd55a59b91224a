"""A reply as Telegram shows it: escaped HTML, cut where a reader would pause, buttons under the last part.

Telegram counts a text in UTF-16 code units after entities are parsed; python-telegram-bot does not check any limit.
"""

from __future__ import annotations

import html
import re
from typing import Final
from urllib.parse import quote, urlencode

from telegram.constants import InlineKeyboardButtonLimit, MessageLimit
from telegram.helpers import create_deep_linked_url

from bot.channels.splitting import clean, split
from bot.conversation.answers import source_text
from bot.conversation.links import to_topic
from bot.conversation.messages import label
from bot.conversation.model import Button, Reply

Key = dict[str, str]
"""An `InlineKeyboardButton` of the Bot API."""
LIMIT: Final = int(MessageLimit.MAX_TEXT_LENGTH)
SOURCE_LIMIT: Final = 1000
"""A longer source line is cut: it may not crowd out the answer."""
SHARED: Final = 120
"""Characters of an answer that go with a shared link."""
DATA_LIMIT: Final = int(InlineKeyboardButtonLimit.MAX_CALLBACK_DATA)
LINKS: Final = ("https://", "http://", "tg://")


def length(text: str) -> int:
    """Return the length as Telegram counts it."""
    return len(text.encode("utf-16-le")) // 2


def texts(reply: Reply) -> list[str]:
    """Return the parts of a reply as HTML: the first line stands out, the source comes last in italics; [] if it is empty."""
    source = clean(source_text(reply.source)) if reply.source is not None else ""
    if length(source) > SOURCE_LIMIT:
        source = split(source, SOURCE_LIMIT - 1, length)[0] + "…"
    parts = split(clean(reply.text), LIMIT - length(source) - 1 if source else LIMIT, length)
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


def share(reply: Reply, username: str) -> Key | None:
    """Return the button that hands a link to this answer to a friend; None where there is nothing to share.

    It opens Telegram's own list of chats: nobody but the citizen learns who gets it.
    """
    payload = to_topic(reply.about) if reply.about else ""
    if not payload or not username:
        return None
    link = create_deep_linked_url(username, payload)
    told = urlencode({"url": link, "text": clean(reply.text).partition("\n")[0][:SHARED]}, quote_via=quote)
    return {"text": label("telegram", "share"), "url": f"https://t.me/share/url?{told}"}


def keyboard(buttons: tuple[Button, ...], last: Key | None = None) -> list[list[Key]]:
    """Return the rows of an inline keyboard, one button a row.

    What Telegram would refuse together with the whole message is left out instead.
    """
    rows: list[list[Key]] = []
    for button in buttons:
        label = clean(button.label)
        if not label:
            continue
        if button.url:
            if button.url.startswith(LINKS):
                rows.append([{"text": label, "url": button.url}])
        elif 0 < len(button.payload.encode()) <= DATA_LIMIT:
            rows.append([{"text": label, "callback_data": button.payload}])
    if last is not None:
        rows.append([last])
    return rows
