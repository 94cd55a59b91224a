"""The links of an announcement by number, and the addresses at which it is counted that they were followed.

An address says which announcement, which link and which channel; it is the same for everybody who got it there.
"""

from __future__ import annotations

import re
from typing import Final

from bot.announcements.content import Content

IN_TEXT: Final = 10
"""Links of buttons have the number of the button; those inside the text are numbered on from here."""
MOST: Final = 99
_LINK: Final = re.compile(r"https?://[^\s\"'<>{}]{4,500}", re.IGNORECASE)
_BEHIND: Final = ".,;:!?)]…"
"""Ends a sentence and not the link before it."""


def links_in(content: Content) -> tuple[str, ...]:
    """Return the links inside the text and its other wordings, each once."""
    texts = (content.text, *(content.bodies[channel] for channel in sorted(content.bodies)))
    found = (match.group().rstrip(_BEHIND) for text in texts for match in _LINK.finditer(text))
    return tuple(dict.fromkeys(found))[: MOST - IN_TEXT]


def target(content: Content, number: int) -> str:
    """Return where a link leads; "" if there is none of that number."""
    if number > IN_TEXT:
        links = links_in(content)
        return links[number - IN_TEXT - 1] if number - IN_TEXT <= len(links) else ""
    if not 1 <= number <= len(content.buttons) or content.buttons[number - 1].kind != "link":
        return ""
    return content.buttons[number - 1].target


def counted(public_url: str, code: str, number: int, channel: str) -> str:
    """Return the address at which a link is counted."""
    return f"{public_url}/t/{code}/{number}/{channel}"


def rewritten(text: str, content: Content, public_url: str, code: str, channel: str) -> str:
    """Return a text with its links led over this server."""
    numbers = {link: number for number, link in enumerate(links_in(content), IN_TEXT + 1)}

    def over(match: re.Match[str]) -> str:
        link = match.group().rstrip(_BEHIND)
        if link not in numbers:
            return match.group()
        return counted(public_url, code, numbers[link], channel) + match.group()[len(link) :]

    return _LINK.sub(over, text)
