"""The web chat put together: the pages, `/chat` without scripts, and `/api/chat/…` as the contract has them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from fastapi import APIRouter

from bot.channels.web import api, pages, plain
from bot.channels.web.access import Limit, Tokens
from bot.channels.web.channel import Bells
from bot.channels.web.embed import Origins, nobody
from bot.channels.web.exchange import PATIENCE, Exchange
from bot.channels.web.files import static_files
from bot.channels.web.page import Pages
from bot.channels.web.stream import LOOK, Pushed
from bot.channels.web.visits import Visits
from bot.clock import Clock
from bot.conversation.model import Reply
from bot.storage.database import Database
from bot.turns import Turns

PER_MINUTE: Final = 30
KEEP_ALIVE: Final = 15.0


def router(
    database: Database,
    turns: Turns,
    wake: Callable[[], None],
    clock: Clock,
    secret_key: str,
    province_title: str,
    *,
    introduction: Reply,
    bells: Bells,
    embed_origins: Origins = nobody,
    secure: bool = False,
    examples: Sequence[str] | None = None,
    per_minute: int = PER_MINUTE,
    patience: float = PATIENCE,
    look: float = LOOK,
    keep_alive: float = KEEP_ALIVE,
) -> APIRouter:
    """Return the routes of the web chat.

    Args:
        wake: tells the pump that something is left to do.
        secret_key: signs the tokens; all processes of one installation share it.
        province_title: as it stands after "tỉnh", e.g. "Thái Nguyên".
        introduction: the bubble the page opens with (`dialogue.actions.introduction()`).
        bells: shared with the `WebChannel` of this process.
        embed_origins: which sites may show the chat inside their own pages.
        secure: the public address is https, so cookies never travel in the clear.
        examples: questions offered under the introduction; None for those of `texts.yml`.
        per_minute: messages of one conversation in a minute, in this process.
        patience: seconds a request waits while the conversation is worked on elsewhere.
        look: seconds between two looks of an open stream when no bell rings.
        keep_alive: seconds between two comments on an otherwise silent stream.
    """
    tokens = Tokens(secret_key)
    limit = Limit(per_minute, clock)
    exchange = Exchange(database, turns, wake, clock, patience=patience)
    pushed = Pushed(database, turns, bells, clock, look=look)
    visits = Visits(tokens, secret_key, secure=secure)
    files = static_files()
    shown = Pages(files, introduction, province_title, examples)
    made = APIRouter()
    made.include_router(pages.routes(shown, files, embed_origins))
    made.include_router(plain.routes(plain.PlainChat(database, tokens, visits, limit, exchange, pushed, shown)))
    made.include_router(api.routes(tokens, limit, exchange, pushed, bells, keep_alive=keep_alive))
    return made
