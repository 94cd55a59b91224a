"""An audience's question as conditions on conversations, the same on SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, false, func, literal, or_, select, true

from bot.announcements.audience import OWN, Audience
from bot.announcements.chores import EXPIRES
from bot.announcements.lanes import Lane
from bot.announcements.respect import COUNTED
from bot.announcements.tables import announcement, delivery
from bot.storage.tables import conversation
from content.places import Places


def here(wards: Sequence[str]) -> ColumnElement[bool]:
    """Return the condition for citizens of some communes."""
    return conversation.c.ward.in_(wards)


def willing(category: str) -> ColumnElement[bool]:
    """Return the condition for citizens who want announcements, and of this kind too."""
    return and_(conversation.c.subscribed, conversation.c.stopped_at.is_(None), ~mutes(category))


def mutes(category: str) -> ColumnElement[bool]:
    """Return the condition for citizens who do not want a kind of announcements."""
    return func.coalesce(conversation.c.muted, "").contains(f",{category},", autoescape=True)


def has_account(accounts: Collection[Lane]) -> ColumnElement[bool]:
    """Return the condition for citizens whose channel account this installation has."""
    known = [
        and_(conversation.c.channel == lane.channel, conversation.c.account == lane.account)
        for lane in sorted(accounts, key=str)
    ]
    return or_(*known) if known else false()


def asked_for(
    audience: Audience,
    *,
    places: Places,
    now: datetime,
    postgres: bool,
    saved: Mapping[str, Audience] | None = None,
) -> ColumnElement[bool]:
    """Return the condition for the citizens whom an audience asks for, whether or not they want announcements.

    Args:
        saved: the saved audiences that it leaves out, by name.
    """
    found = [here(audience.wards(places))]
    if audience.channels:
        found.append(conversation.c.channel.in_(audience.channels))
    if audience.without_channels:
        found.append(conversation.c.channel.not_in(audience.without_channels))
    if audience.seen_within_days is not None:
        found.append(conversation.c.last_seen_at > now - timedelta(days=audience.seen_within_days))
    if audience.not_seen_for_days is not None:
        found.append(conversation.c.last_seen_at <= now - timedelta(days=audience.not_seen_for_days))
    if audience.asks_interest:
        found.append(_interested(audience, now, postgres=postgres))
    if audience.languages:
        found.append(func.coalesce(conversation.c.language, OWN).in_(audience.languages))
    if audience.took:
        found.append(_learnt(audience.took, postgres=postgres))
    if audience.not_took:
        found.append(~_learnt(audience.not_took, postgres=postgres))
    if audience.not_contacted_days is not None:
        found.append(~_contacted(now, timedelta(days=audience.not_contacted_days)))
    for name in audience.without_saved:
        left_out = (saved or {}).get(name)
        if left_out is not None:
            found.append(~asked_for(left_out, places=places, now=now, postgres=postgres))
    return and_(*found)


def _interested(audience: Audience, now: datetime, *, postgres: bool) -> ColumnElement[bool]:
    """Who agreed to questions being kept, wrote lately, and whose conversation remembers one of the topics."""
    return and_(
        conversation.c.consented_at.is_not(None),
        conversation.c.last_seen_at > now - timedelta(days=audience.topics_within_days),
        _remembers("recent", sorted(audience.interests), postgres=postgres),
    )


def _learnt(lessons: Sequence[str], *, postgres: bool) -> ColumnElement[bool]:
    """Who agreed to being remembered, and read one of the lessons."""
    return and_(conversation.c.consented_at.is_not(None), _remembers("lessons", lessons, postgres=postgres))


def _remembers(what: str, slugs: Sequence[str], *, postgres: bool) -> ColumnElement[bool]:
    """The condition that a list which the conversation keeps holds one of these."""
    kept: Any
    if postgres:
        kept = func.json_array_elements_text(conversation.c.session[what]).table_valued("value")
    else:
        kept = func.json_each(conversation.c.session, literal(f"$.{what}")).table_valued("value")
    return select(true()).select_from(kept).where(kept.c.value.in_(slugs)).exists()


def _contacted(now: datetime, span: timedelta) -> ColumnElement[bool]:
    """Who was sent an announcement lately. Asked by the announcements of that time, whose rows are found by key."""
    lately = select(announcement.c.id).where(announcement.c.started_at > now - span - EXPIRES)
    return (
        select(delivery.c.conversation_id)
        .where(
            delivery.c.announcement_id.in_(lately),
            delivery.c.conversation_id == conversation.c.id,
            delivery.c.state.in_(COUNTED),
            delivery.c.at > now - span,
        )
        .exists()
    )
