"""A reply as plain text for channels that show little: cleaned, a menu by number in place of buttons, cut where one pauses.

What one messenger alone knows (mark-up, native buttons, its way to count a text) stays in its channel.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from typing import Final

from bot.conversation.answers import source_text
from bot.conversation.messages import say
from bot.conversation.model import Button, Reply
from bot.conversation.notices import OFF

Length = Callable[[str], int]
"""How a messenger counts a text: characters (`len`), or UTF-16 units."""

STOP: Final = f"a:{OFF}"
LINKS: Final = ("https://", "http://")
_PAUSES: Final = (re.compile(r"\n\n"), re.compile(r"\n"), re.compile(r"(?<=[.!?…;:]) "), re.compile(r"[ \t]"))
_EARLIEST: Final = 0.5
"""A cut at a better pause is taken only behind this share of the room, so that parts do not become tiny."""
_JOINERS: Final = frozenset("\u200d\ufe0e\ufe0f")


def clean(text: str) -> str:
    """Return the text without what no request can carry: halves of surrogate pairs, and NUL."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").replace("\0", "").strip()


def split(text: str, limit: int, length: Length = len) -> list[str]:
    """Cut a text into parts of at most `limit`, at a paragraph, line, sentence or word; never inside a character."""
    parts = []
    rest = text.strip()
    while length(rest) > limit:
        head = _head(rest, limit, length)
        cut = _pause(head) or _between_characters(rest, len(head))
        parts.append(rest[:cut].rstrip())
        rest = rest[cut:].lstrip()
    return [part for part in (*parts, rest) if part]


def menu(buttons: Sequence[Button], first: int = 1) -> str:
    """Return buttons as numbered lines, and links as lines of their own; "" if there is neither.

    The numbers are those by which the conversation takes the answer (`bot.conversation.choices`): links have none.
    """
    choices = [clean(b.label) for b in buttons if b.payload]
    links = [f"{clean(b.label)}: {b.url}" for b in buttons if not b.payload and b.url.startswith(LINKS)]
    lines = [f"{number}. {label}" for number, label in enumerate(choices, first)]
    return "\n".join([*([say("menu_hint")] if lines else []), *lines, *links])


def in_words(buttons: Sequence[Button]) -> str:
    """Return buttons as the words by which they are chosen, and links as lines of their own; "" if there is neither.

    How to stop announcements is left out: the text of each of them says it.
    """
    choices = [clean(b.label) for b in buttons if b.payload and b.payload != STOP]
    links = [b for b in buttons if not b.payload]
    lines = [f"- {label}" for label in choices]
    return "\n".join([*([say("words_hint")] if lines else []), *lines, *([found] if (found := menu(links)) else [])])


def numbered(reply: Reply, limit: int, length: Length = len) -> list[str]:
    """Return the parts of a reply for a channel without buttons: text, source, then the menu, which stays in one part.

    A question that lists its choices itself ("1. …") gets no second list; buttons that no number picks are said by their
    words. [] if there is nothing to say.
    """
    said = [clean(reply.text), clean(source_text(reply.source)) if reply.source is not None else ""]
    body = "\n".join(part for part in said if part)
    if reply.first == 0:
        shown = in_words(reply.buttons)
    else:
        shown = menu([b for b in reply.buttons if not b.payload] if _listed(reply) else reply.buttons, reply.first)
    parts = split(body, limit, length)
    if not shown:
        return parts
    if parts and length(parts[-1]) + length(shown) + 2 <= limit:
        return [*parts[:-1], f"{parts[-1]}\n\n{shown}"]
    return [*parts, *split(shown, limit, length)]


def _listed(reply: Reply) -> bool:
    """Whether the text itself lists the choices by number."""
    lines = set(reply.text.splitlines())
    choices = [b for b in reply.buttons if b.payload]
    return bool(choices) and all(f"{number}. {b.label}" in lines for number, b in enumerate(choices, reply.first))


def _head(text: str, limit: int, length: Length) -> str:
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
