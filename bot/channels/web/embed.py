"""Which sites may show the chat inside their own pages.

The list itself lives elsewhere (a setting, later a table of the console); here is what an entry may look like, so that
nothing but an origin gets into the policy that browsers obey.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final

from bot.channels.web.texts import problem

Origins = Callable[[], Awaitable[Sequence[str]]]
"""Says which sites may embed the chat now; asked for each page that wants to be embedded."""

_LABEL: Final = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_ORIGIN: Final = re.compile(rf"https?://(?P<any>\*\.)?(?P<host>{_LABEL}(?:\.{_LABEL})*)(?P<port>:\d{{1,5}})?", re.ASCII)
WILDCARD_LABELS: Final = 3
"""Names that must follow a `*.`: `*.thainguyen.gov.vn` is one province's, `*.gov.vn` is everybody's."""
MAX_ORIGINS: Final = 500
"""More would make a header that proxies refuse; a province has some 200 communes."""

log = logging.getLogger(__name__)


async def nobody() -> Sequence[str]:
    """The list of an installation that has not been told otherwise."""
    return ()


def origin(text: str) -> str:
    """Return a site's origin in the spelling of the policy: `https://phuthong.thainguyen.gov.vn`, `https://*.thainguyen.gov.vn`.

    Raises:
        ValueError: in Vietnamese, for whoever typed it; it is no origin, or stands for too many.
    """
    match = _ORIGIN.fullmatch(text.strip().lower().removesuffix("/"))
    if match is None or len(match["host"]) > 253 or int((match["port"] or ":0")[1:]) > 65535:
        raise ValueError(problem("origin").format(given=text.strip()[:80]))
    if match["any"] and match["host"].count(".") < WILDCARD_LABELS - 1:
        raise ValueError(problem("origin_too_wide").format(given=text.strip()[:80]))
    return match.group()


def ancestors(origins: Iterable[str]) -> list[str]:
    """Return the entries that are origins, each once. One bad entry must not close the door for the others."""
    good: dict[str, None] = {}
    for given in origins:
        try:
            good[origin(given)] = None
        except ValueError:
            log.warning("an entry of the embedding list is no origin", extra={"origin": given[:80]})
    if len(good) > MAX_ORIGINS:
        log.warning("the embedding list is too long", extra={"origins": len(good), "used": MAX_ORIGINS})
    return list(good)[:MAX_ORIGINS]
