"""The last exchanges of a web conversation, for a page that remembers nothing itself.

What the citizen wrote is forgotten with its turn; the bot's replies stay in the outbox, and that is what there is to show.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

from sqlalchemy import RowMapping, Select, select

from bot.channels.web.channel import ACCOUNT, CHANNEL
from bot.storage.database import Database
from bot.storage.tables import conversation, inbox, outbox

EXCHANGES: Final = 5
ROWS: Final = 40
"""Replies that are looked through for them; an exchange has one or two."""


@dataclass(frozen=True, slots=True)
class Past:
    """What the bot said in one go."""

    update_id: str
    """The message it answers; "" for what it said unasked."""
    replies: tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True)
class History:
    """What a page shows, the oldest first, and which rows it thereby brings to the citizen for the first time."""

    past: tuple[Past, ...] = ()
    unseen: tuple[int, ...] = ()

    def label_of(self, payload: str) -> str:
        """Return what stood on a button that one of the replies shown had; "" if there is none."""
        buttons = [b for past in reversed(self.past) for reply in past.replies for b in reply["buttons"]]
        return next((b["label"] for b in buttons if b["payload"] == payload), "")


async def history(database: Database, chat: str, *, without: Iterable[str] = (), exchanges: int = EXCHANGES) -> History:
    """Return the last exchanges of a chat and everything that still waits to be fetched.

    Args:
        without: update ids of messages whose answers stand on the page anyway.
    """
    waits = outbox.c.state.in_(("queued", "sending")) & outbox.c.inbox_id.is_(None)
    recent = _of(chat).where(outbox.c.state != "failed").order_by(outbox.c.id.desc()).limit(ROWS)
    async with database.read() as connection:
        found = list((await connection.execute(recent)).mappings())
        if len(found) == ROWS:
            older = _of(chat).where(waits, outbox.c.id < found[-1]["id"]).order_by(outbox.c.id.desc())
            found += (await connection.execute(older)).mappings()
    hidden = set(without)
    rows = [row for row in reversed(found) if row["update_id"] not in hidden]
    groups = [list(group) for _, group in groupby(rows, key=lambda row: row["inbox_id"] or -row["id"])]
    shown = [g for i, g in enumerate(groups, 1) if i > len(groups) - exchanges or _is_new(g[0])]
    return History(
        tuple(Past(g[0]["update_id"] or "", tuple(row["reply"] for row in g)) for g in shown),
        tuple(row["id"] for group in shown for row in group if _is_new(row)),
    )


def _is_new(row: RowMapping) -> bool:
    return row["inbox_id"] is None and row["state"] in ("queued", "sending")


def _of(chat: str) -> Select[Any]:
    return (
        select(outbox.c.id, outbox.c.inbox_id, outbox.c.reply, outbox.c.state, inbox.c.update_id)
        .join(conversation, conversation.c.id == outbox.c.conversation_id)
        .outerjoin(inbox, inbox.c.id == outbox.c.inbox_id)
        .where(conversation.c.channel == CHANNEL, conversation.c.account == ACCOUNT, conversation.c.chat == chat)
    )
