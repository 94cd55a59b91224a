"""A chat that has a new id (a Telegram group became a supergroup): its conversation follows, or joins the one already there."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, case, or_, select, update
from sqlalchemy.exc import IntegrityError

from bot import work
from bot.storage.tables import conversation, outbox

CHOICES: Final = ("ward", "subscribed", "muted", "chosen_at")
"""Columns that go along."""


def relocate(connection: Connection, conversation_id: int, chat: str, now: datetime) -> int:
    """Note that a conversation's chat has a new id; return the conversation that lives there now.

    Where the new chat was met before (somebody wrote in the supergroup first), it has a conversation already. What has not
    left goes there, with what was chosen if nothing was chosen there; the old one is marked as stopped.
    """
    mine = connection.execute(_of(conversation.c.id == conversation_id)).mappings().one_or_none()
    if mine is None or mine["chat"] == chat:
        return conversation_id
    here = conversation.c.id == conversation_id
    same_account = (conversation.c.channel == mine["channel"]) & (conversation.c.account == mine["account"])
    query = _of(same_account & (conversation.c.chat == chat))
    there = connection.execute(query).mappings().one_or_none()
    if there is None:
        try:
            with connection.begin_nested():
                connection.execute(update(conversation).where(here).values(chat=chat))
        except IntegrityError:  # somebody wrote there just now
            there = connection.execute(query).mappings().one()
        else:
            return conversation_id
    open_rows = (outbox.c.conversation_id == conversation_id) & outbox.c.state.in_(work.OPEN)
    # The messages whose place they would take are not in the new chat.
    connection.execute(update(outbox).where(open_rows).values(conversation_id=there["id"], edits=None))
    connection.execute(update(conversation).where(here).values(stopped_at=now))
    later = or_(conversation.c.ready_at.is_(None), conversation.c.ready_at > now)
    ready: dict[str, Any] = {"ready_at": case((later, now), else_=conversation.c.ready_at)}
    connection.execute(
        update(conversation).where(conversation.c.id == there["id"]).values(**ready, **_taken_over(mine, there))
    )
    return int(there["id"])


def _of(where: Any) -> Any:
    known = (conversation.c.id, conversation.c.channel, conversation.c.account, conversation.c.chat)
    return select(*known, conversation.c.person, *(conversation.c[name] for name in CHOICES)).where(where)


def _taken_over(mine: RowMapping, there: RowMapping) -> dict[str, Any]:
    """The choices that go along. A choice made there, or by a person of whom that conversation is one of several, stands."""
    if there["person"] is not None or there["chosen_at"] is not None or there["subscribed"]:
        return {}
    return {name: mine[name] for name in CHOICES}
