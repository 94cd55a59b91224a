"""The tables of announcements. They refer to conversations by id without a foreign key: a sum outlives an erased citizen."""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    JSON,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from bot.storage.tables import NAMING, BigId, Moment

metadata: Final = MetaData(naming_convention=NAMING)

announcement = Table(
    "announcement",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("key", String(64), comment="the caller's own name for it; the same name again is the same announcement"),
    Column("unit", String(64), nullable=False, comment="slug of a commune, or of the province for all of them"),
    Column("wards", JSON, nullable=False, comment="national codes of the unit's communes"),
    Column("text", Text, nullable=False, comment="as it is sent, with heading and footer"),
    Column("digest", String(64), nullable=False, comment="of unit and text, to notice a repetition"),
    Column("urgent_reason", String(200), comment="why it may disturb the quiet hours; NULL = it may not"),
    Column("author", String(64), nullable=False),
    Column("state", String(16), nullable=False, comment="waiting, sending, closed, cancelled"),
    Column("audience", Integer, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("started_at", Moment, comment="when the first delivery was allowed to leave"),
    Column("closed_at", Moment),
    UniqueConstraint("key"),
    Index("ix_announcement_state", "state"),
    Index("ix_announcement_digest", "digest"),
)

delivery = Table(
    "delivery",
    metadata,
    Column("announcement_id", BigId, ForeignKey("announcement.id", ondelete="CASCADE"), nullable=False),
    Column("conversation_id", BigId, nullable=False, autoincrement=False),
    Column("channel", String(32), nullable=False),
    Column("account", String(64), nullable=False),
    Column("state", String(20), nullable=False, comment="bot.announcements.states.DeliveryState"),
    Column("reason", String(20), comment="bot.announcements.states.Reason"),
    Column("attempts", Integer, nullable=False),
    Column("due_at", Moment, comment="not before; NULL = at once"),
    Column("at", Moment, comment="when the state was reached"),
    Column("external_id", String(128), comment="the messenger's id of the message"),
    Column("outbox_id", BigId, comment="web: the row that the page fetches"),
    PrimaryKeyConstraint("announcement_id", "conversation_id"),
    # Only what still moves is indexed: a million finished rows cost the next batch nothing.
    Index(
        "ix_delivery_queued",
        "announcement_id",
        "channel",
        "account",
        "conversation_id",
        sqlite_where=text("state = 'queued'"),
        postgresql_where=text("state = 'queued'"),
    ),
    Index(
        "ix_delivery_sending",
        "channel",
        "account",
        sqlite_where=text("state = 'sending'"),
        postgresql_where=text("state = 'sending'"),
    ),
    Index(
        "ix_delivery_visit",
        "announcement_id",
        "conversation_id",
        sqlite_where=text("state = 'waiting_for_visit'"),
        postgresql_where=text("state = 'waiting_for_visit'"),
    ),
)

lane = Table(
    "announcement_lane",
    metadata,
    Column("channel", String(32), nullable=False),
    Column("account", String(64), nullable=False),
    Column("owner", String(128), comment="the one run that may send on this account"),
    Column("lease_until", Moment),
    Column("held_until", Moment, comment="the messenger asked to wait; survives a restart"),
    Column("held_reason", String(64)),
    PrimaryKeyConstraint("channel", "account"),
)
