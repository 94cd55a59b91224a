"""One person on several channels, in the database: codes by their hash, guesses counted, conversations that share a person.

Linked conversations have the same `person` (random) and keep commune, subscription and consent alike; one of them is
`preferred` and gets the announcements. What may be linked, and what is said about it, is decided in `bot.conversation.linking`.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, and_, delete, func, insert, not_, or_, select, update

from bot.conversation.linking import DIGITS, LETTERS, Wish
from bot.conversation.model import (
    LinkCodeClaimed,
    LinkCodeShown,
    LinkDeclined,
    Linked,
    LinkEffect,
    LinkFacts,
    LinkGuessFailed,
    Other,
    PreferredHere,
    Unlinked,
)
from bot.storage.database import aware
from bot.storage.tables import conversation, link_code, link_guess, outbox

VALID: Final = timedelta(minutes=10)
MEMORY: Final = timedelta(hours=1)
"""For so long codes shown and guesses made are counted."""
CODES: Final = 5
"""Codes that one conversation may have shown in that time …"""
GUESSES: Final = 5
"""… wrong ones that may be typed in it …"""
ALL_GUESSES: Final = 300
"""… and wrong ones in all conversations together in the life of a code: of 256 million codes, whoever makes many conversations."""
_SHOWN: Final = re.compile(rf"\b[{LETTERS}]{{2}}\d{{{DIGITS}}}\b")
SHARED: Final = frozenset({"ward", "subscribed", "consented_at", "chosen_at"})
"""Columns that are alike in all conversations of a person."""


class Stale(Exception):
    """Between the look and the write somebody else changed what the turn stands on; take it again."""


def new_code() -> str:
    """Return a code that nobody can foresee."""
    return "".join(secrets.choice(LETTERS) for _ in range(2)) + f"{secrets.randbelow(10**DIGITS):0{DIGITS}d}"


class Linking:
    """Looks up and stores. `key` makes the hashes of codes useless to whoever reads the database alone."""

    def __init__(self, key: bytes = b"", make_code: Callable[[], str] = new_code) -> None:
        self._key = key
        self._make_code = make_code

    def hash(self, code: str) -> str:
        """Return what is stored of a code."""
        return hmac.new(self._key, code.encode(), hashlib.sha256).hexdigest()

    # before the turn

    def facts(self, connection: Connection, wish: Wish, mine: Any, now: datetime) -> LinkFacts:
        """Return what a turn has to know.

        Args:
            mine: the row of this turn: `conversation_id`, `person`, `chosen_at`.
        """
        if wish.kind == "link":
            shown = _count(connection, link_code.c, link_code.c.created_at, mine["conversation_id"], now)
            return LinkFacts(refused="too_many") if shown >= CODES else LinkFacts(self._make_code())
        if wish.kind == "code":
            return self._of_code(connection, wish.code, mine, now)
        if wish.kind == "confirm":
            claim = _claim(connection, mine["conversation_id"], now)
            return LinkFacts(other=None if claim is None else _other(claim, mine))
        return LinkFacts()

    def _of_code(self, connection: Connection, code: str, mine: Any, now: datetime) -> LinkFacts:
        """Say where a typed code leads. Who guessed too often hears nothing about the code, right or wrong."""
        guesses = _count(connection, link_guess.c, link_guess.c.at, mine["conversation_id"], now)
        everybody = connection.scalar(select(func.count()).where(link_guess.c.at > now - VALID))
        if guesses >= GUESSES or (everybody or 0) >= ALL_GUESSES:
            return LinkFacts(refused="too_many")
        found = _row(connection, link_code.c.code_hash == self.hash(code), now)
        if found is None or found["claimed_by"] not in (None, mine["conversation_id"]):
            return LinkFacts(refused="unknown")
        if found["conversation_id"] == mine["conversation_id"]:
            return LinkFacts(refused="own")
        if found["person"] is not None and found["person"] == mine["person"]:
            return LinkFacts(refused="already")
        return LinkFacts(other=_other(found, mine))

    # with the turn, in its transaction

    def apply(self, connection: Connection, effect: LinkEffect, mine: Any, now: datetime) -> dict[str, Any]:
        """Carry out an effect; return the columns of this conversation that it changes.

        Raises:
            Stale: a code was claimed or ran out in the meantime.
        """
        own = mine["conversation_id"]
        match effect:
            case LinkCodeShown(code):
                self._show(connection, code, own, now)
            case LinkCodeClaimed(code):
                free = or_(link_code.c.claimed_by.is_(None), link_code.c.claimed_by == own)
                this = link_code.c.code_hash == self.hash(code)
                _spend(connection, and_(link_code.c.claimed_by == own, not_(this)), now)
                where = and_(this, free, _valid(now))
                claim = update(link_code).where(where).values(claimed_by=own).returning(link_code.c.conversation_id)
                if (shown_in := connection.scalar(claim)) is None:
                    raise Stale
                _scrub(connection, shown_in)
            case LinkGuessFailed():
                connection.execute(delete(link_guess).where(link_guess.c.at < now - MEMORY))
                connection.execute(insert(link_guess).values(conversation_id=own, at=now))
            case LinkDeclined():
                _spend(connection, link_code.c.claimed_by == own, now)
            case Linked():
                return _join(connection, mine, now)
            case Unlinked():
                return leave(connection, own, mine["person"])
            case PreferredHere():
                if mine["person"] is None:
                    return {}
                _update_others(connection, own, mine["person"], {"preferred": False})
                return {"preferred": True}
        return {}

    def _show(self, connection: Connection, code: str, own: int, now: datetime) -> None:
        """Keep the hash of a shown code; the one before it is spent, and old ones are forgotten."""
        connection.execute(delete(link_code).where(link_code.c.created_at < now - MEMORY))
        _spend(connection, link_code.c.conversation_id == own, now)
        _scrub(connection, own)
        values = {"code_hash": self.hash(code), "conversation_id": own, "created_at": now, "expires_at": now + VALID}
        connection.execute(insert(link_code).values(**values))


def share(connection: Connection, mine: Any, values: dict[str, Any]) -> None:
    """Give a choice made in one conversation to the person's others."""
    shared = {name: value for name, value in values.items() if name in SHARED}
    if mine["person"] is not None and shared:
        _update_others(connection, mine["conversation_id"], mine["person"], shared)


def leave(connection: Connection, own: int, person: str | None) -> dict[str, Any]:
    """Take a conversation out of its person; return its columns. A person of one conversation is none."""
    gone = {"person": None, "preferred": False}
    if person is None:
        return gone
    others = _others(connection, own, person)
    if len(others) == 1:
        _update_others(connection, own, person, gone)
    elif others and not any(other["preferred"] for other in others):
        latest = max(others, key=lambda other: other["last_seen_at"])
        where = conversation.c.id == latest["id"]
        connection.execute(update(conversation).where(where).values(preferred=True))
    return gone


def forget(connection: Connection, own: int) -> None:
    """Delete the codes and guesses of a conversation whose data are erased."""
    connection.execute(delete(link_code).where(or_(link_code.c.conversation_id == own, link_code.c.claimed_by == own)))
    connection.execute(delete(link_guess).where(link_guess.c.conversation_id == own))


def _scrub(connection: Connection, shown_in: int) -> None:
    """Take a code out of the replies that showed it: once it is typed, or another one is shown, nobody needs it there."""
    where = (outbox.c.conversation_id == shown_in) & outbox.c.state.in_(("sent", "failed"))
    for row in connection.execute(select(outbox.c.id, outbox.c.reply).where(where)).mappings().all():
        text = _SHOWN.sub("••••••••", row["reply"]["text"])
        if text != row["reply"]["text"]:
            clean = row["reply"] | {"text": text}
            connection.execute(update(outbox).where(outbox.c.id == row["id"]).values(reply=clean))


def _join(connection: Connection, mine: Any, now: datetime) -> dict[str, Any]:
    """Make both conversations, and whatever each is linked with already, one person's; this one is preferred."""
    own = mine["conversation_id"]
    claim = _claim(connection, own, now)
    if claim is None:
        raise Stale
    _spend(connection, link_code.c.id == claim["id"], now)
    person = mine["person"] or claim["person"] or uuid.uuid4().hex
    everybody = conversation.c.id.in_([own, claim["conversation_id"]])
    for known in {mine["person"], claim["person"]} - {None}:
        everybody = everybody | (conversation.c.person == known)
    locked = select(conversation.c.id).where(everybody).order_by(conversation.c.id).with_for_update()
    ids = list(connection.execute(locked).scalars())
    newer = _newer(claim["chosen_at"], mine["chosen_at"])
    chosen = claim if newer else mine
    consents = [moment for moment in (claim["consented_at"], mine["consented_at"]) if moment is not None]
    values = {
        "person": person,
        "preferred": False,
        "ward": chosen["ward"],
        "subscribed": chosen["subscribed"],
        "chosen_at": aware(chosen["chosen_at"]),
        "consented_at": aware(max(consents)) if consents else None,
    }
    connection.execute(update(conversation).where(conversation.c.id.in_(ids)).values(**values))
    return values | {"preferred": True}


def _others(connection: Connection, own: int, person: str) -> list[Any]:
    """A person's other conversations; all are locked in the order of their ids, so that no two turns wait for each other."""
    query = (
        select(conversation.c.id, conversation.c.preferred, conversation.c.last_seen_at)
        .where(conversation.c.person == person)
        .order_by(conversation.c.id)
        .with_for_update()
    )
    return [row for row in connection.execute(query).mappings() if row["id"] != own]


def _update_others(connection: Connection, own: int, person: str, values: dict[str, Any]) -> None:
    ids = [other["id"] for other in _others(connection, own, person)]
    connection.execute(update(conversation).where(conversation.c.id.in_(ids)).values(**values))


def _count(connection: Connection, columns: Any, moment: ColumnElement[Any], own: int, now: datetime) -> int:
    where = (columns.conversation_id == own) & (moment > now - MEMORY)
    return int(connection.scalar(select(func.count()).where(where)) or 0)


def _claim(connection: Connection, own: int, now: datetime) -> Any:
    """The code that was typed here and waits for a yes, with the conversation it comes from."""
    return _row(connection, link_code.c.claimed_by == own, now)


def _row(connection: Connection, where: ColumnElement[bool], now: datetime) -> Any:
    query = (
        select(
            link_code.c.id,
            link_code.c.conversation_id,
            link_code.c.claimed_by,
            conversation.c.channel,
            conversation.c.person,
            conversation.c.ward,
            conversation.c.subscribed,
            conversation.c.consented_at,
            conversation.c.chosen_at,
        )
        .join(conversation, conversation.c.id == link_code.c.conversation_id)
        .where(where, _valid(now))
    )
    return connection.execute(query).mappings().first()


def _valid(now: datetime) -> ColumnElement[bool]:
    return and_(link_code.c.spent_at.is_(None), link_code.c.expires_at > now)


def _spend(connection: Connection, where: ColumnElement[bool], now: datetime) -> None:
    connection.execute(update(link_code).where(where, link_code.c.spent_at.is_(None)).values(spent_at=now))


def _other(found: Any, mine: Any) -> Other:
    return Other(
        found["channel"],
        found["ward"],
        found["subscribed"],
        found["consented_at"] is not None,
        _newer(found["chosen_at"], mine["chosen_at"]),
    )


def _newer(theirs: datetime | None, ours: datetime | None) -> bool:
    """Whether their choice is later than ours; who never chose has no say."""
    return theirs is not None and (ours is None or theirs > ours)
