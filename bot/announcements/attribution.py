"""What citizens did with an announcement, as counts: presses, links, replies of the day after. No row leads to a person.

A code in the button says which announcement it was. Outside the messenger there is one address for everybody; who opened it is
neither known nor asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, bindparam, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from bot.announcements.addresses import IN_TEXT, target
from bot.announcements.chores import EXPIRES, VISIT_EXPIRES
from bot.announcements.content import content_of
from bot.announcements.states import RECEIVED, DeliveryState
from bot.announcements.tables import announcement, count, delivery
from bot.conversation.model import AnnouncementPressed
from bot.messages import Receipt
from bot.storage.tables import Moment, outbox

REPLIES_WITHIN: Final = timedelta(hours=24)
REPLY: Final = "reply"
STOP: Final = "stop"
PAGE: Final = "web"
"""The channel whose citizens fetch: an announcement is told to them when they do."""
NOWHERE: Final = ""
"""Of a unit or a channel: nobody can know."""
_BEFORE: Final = {
    DeliveryState.DELIVERED: (DeliveryState.ACCEPTED,),
    DeliveryState.SEEN: (DeliveryState.ACCEPTED, DeliveryState.DELIVERED),
    DeliveryState.CLICKED: (*RECEIVED[:-1], DeliveryState.WAITING_FOR_VISIT),
}
"""From which states a delivery moves on when the messenger or the citizen says so. It never moves back."""


@dataclass(frozen=True, slots=True)
class Used:
    """Somebody did something with an announcement; `channel` is "" where nobody can know."""

    announcement_id: int
    what: str
    channel: str = NOWHERE


def taken(
    connection: Connection,
    *,
    conversation_id: int,
    channel: str,
    unit: str | None,
    at: datetime,
    wrote: bool,
    presses: Sequence[AnnouncementPressed],
    left: bool = False,
) -> list[Used]:
    """Count what a turn had to do with announcements, in the turn's own transaction.

    Args:
        wrote: it was a text, which counts as a reply to what the citizen was told in the last 24 hours.
        left: they ended announcements or a kind of them, written or pressed. That is no reply; it is counted by itself.
    """
    used = []
    for press in presses:
        number = _of_code(connection, press.code)
        if number is not None:
            used.append(Used(number, press.what, channel))
            _moves_on(connection, number, conversation_id, DeliveryState.CLICKED)
    if (left or (wrote and not presses)) and (
        number := _told_lately(connection, conversation_id, channel, at)
    ) is not None:
        used.append(Used(number, STOP if left else REPLY, channel))
    for one in used:
        add(connection, one.announcement_id, one.what, channel, unit or NOWHERE)
    return used


def follow(connection: Connection, code: str, number: int, channel: str = NOWHERE) -> tuple[Used, str] | None:
    """Count a link that somebody followed, and return where it leads; None if there is none.

    Args:
        channel: where the address says that it was sent; anybody can write another one, so it counts only if it was.
    """
    query = select(announcement.c.id, announcement.c.content, announcement.c.lanes).where(announcement.c.code == code)
    row = connection.execute(query).one_or_none()
    if row is None or row.content is None:
        return None
    leads_to = target(content_of(row.content), number)
    if not leads_to:
        return None
    what = f"link-{number}" if number <= IN_TEXT else f"text-{number - IN_TEXT}"
    where = channel if channel in {lane[0] for lane in row.lanes or ()} else NOWHERE
    add(connection, row.id, what, where, NOWHERE)
    return Used(row.id, what, where), leads_to


def receipt(connection: Connection, channel: str, account: str, external_id: str, state: DeliveryState) -> bool:
    """Note what a messenger says became of a message: delivered or seen. False if no announcement's delivery moved on."""
    moved = connection.execute(
        update(delivery)
        .where(
            delivery.c.external_id == external_id,
            delivery.c.channel == channel,
            delivery.c.account == account,
            delivery.c.state.in_(_BEFORE[state]),
        )
        .values(state=state)
    )
    return bool(moved.rowcount)


def received(connection: Connection, receipt_: Receipt) -> None:
    """Note what a messenger's receipt says of the messages it names."""
    for external_id in receipt_.external_ids:
        receipt(connection, receipt_.channel, receipt_.account, external_id, DeliveryState(receipt_.state))


def add(connection: Connection, announcement_id: int, what: str, channel: str, unit: str) -> None:
    """Add one to a count."""
    upsert: Any = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    made = upsert(count).values(announcement_id=announcement_id, what=what, channel=channel, unit=unit, number=1)
    key = ["announcement_id", "what", "channel", "unit"]
    connection.execute(made.on_conflict_do_update(index_elements=key, set_={"number": count.c.number + 1}))


def _of_code(connection: Connection, code: str) -> int | None:
    if not code:
        return None
    return connection.scalar(select(announcement.c.id).where(announcement.c.code == code))


def _moves_on(connection: Connection, number: int, conversation_id: int, state: DeliveryState) -> None:
    connection.execute(
        update(delivery)
        .where(
            delivery.c.announcement_id == number,
            delivery.c.conversation_id == conversation_id,
            delivery.c.state.in_(_BEFORE[state]),
        )
        .values(state=state)
    )


def _told_lately(connection: Connection, conversation_id: int, channel: str, at: datetime) -> int | None:
    """The last announcement that a citizen received within a day, by the announcements of these days: rows are found by key."""
    bounds = {"which": conversation_id, "since": at - REPLIES_WITHIN, "begun": at - REPLIES_WITHIN - EXPIRES}
    if channel != PAGE:
        return connection.scalar(_TOLD_LATELY, bounds)
    # What lay ready for weeks is told when the page fetches it. Mostly it fetched nothing, and that is all there is to ask.
    fetched = connection.scalars(_FETCHED_LATELY, bounds).all()
    if not fetched:
        return None
    lying = at - REPLIES_WITHIN - EXPIRES - VISIT_EXPIRES
    query = select(delivery.c.announcement_id).where(
        delivery.c.announcement_id.in_(select(announcement.c.id).where(announcement.c.started_at > lying)),
        delivery.c.conversation_id == conversation_id,
        delivery.c.outbox_id.in_(fetched),
    )
    return connection.scalar(query.order_by(delivery.c.outbox_id.desc()).limit(1))


_FETCHED_LATELY: Final = select(outbox.c.id).where(
    outbox.c.conversation_id == bindparam("which"),
    outbox.c.state == "sent",
    outbox.c.inbox_id.is_(None),
    outbox.c.sent_at > bindparam("since", type_=Moment),
)


# Made once: every turn asks. The states are written out, since a list of parameters is put together anew each time.
_TOLD_LATELY: Final = (
    select(delivery.c.announcement_id)
    .where(
        delivery.c.announcement_id.in_(
            select(announcement.c.id).where(announcement.c.started_at > bindparam("begun", type_=Moment))
        ),
        delivery.c.conversation_id == bindparam("which"),
        or_(*(delivery.c.state == state for state in RECEIVED)),
        delivery.c.at > bindparam("since", type_=Moment),
    )
    .order_by(delivery.c.at.desc())
    .limit(1)
)
