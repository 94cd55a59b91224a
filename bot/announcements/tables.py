"""The tables of announcements. They refer to conversations by id without a foreign key: a sum outlives an erased citizen."""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    JSON,
    Boolean,
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
    Column("code", String(16), comment="stands in its buttons and links: says which announcement, never who"),
    Column("kind", String(12), nullable=False, comment="plain, repeated (its occurrences are plain), correction"),
    Column("parent_id", BigId, comment="the repeated one of which this is an occurrence; the one that this corrects"),
    Column("unit", String(64), nullable=False, comment="slug of a commune, or of the province for all of them"),
    Column("wards", JSON, nullable=False, comment="national codes of the unit's communes"),
    Column("text", Text, nullable=False, comment="as it is sent, with heading and footer"),
    Column("content", JSON, comment="bot.announcements.content.Content; NULL: a text and nothing else"),
    Column("category", String(24), nullable=False),
    Column("query", JSON, comment="bot.announcements.audience.Audience; NULL: everybody of the unit"),
    Column("forecast", JSON, comment="whom it would have reached, as the approver saw it"),
    Column("repeat", JSON, comment="bot.announcements.schedules.Repeat; NULL: once"),
    Column("joins", Boolean, nullable=False, comment="who subscribes while it is being sent gets it too"),
    Column("digest", String(64), nullable=False, comment="of unit and text, to notice a repetition"),
    Column("urgent_reason", String(200), comment="why it may disturb the quiet hours; NULL = it may not"),
    Column("author", String(64), nullable=False),
    Column("writers", JSON, nullable=False, comment="logins of all who wrote on it: none of them may approve it"),
    Column(
        "approver", String(64), comment="login; NULL with an approved_hash: sent by the unit's policy of one person"
    ),
    Column("approved_at", Moment),
    Column("approved_hash", String(64), comment="of content, audience and forecast; a change of one asks again"),
    Column("state", String(16), nullable=False, comment="bot.announcements.states.AnnouncementState"),
    Column("problem", String(40), comment="why it could not begin; a key of the catalogue"),
    Column("audience", Integer, nullable=False),
    Column("lanes", JSON, comment="[channel, account] of its deliveries"),
    Column("created_at", Moment, nullable=False),
    Column("submitted_at", Moment),
    Column("send_at", Moment, comment="when it begins, or begins next"),
    Column("expires_at", Moment, comment="too late from here on"),
    Column("started_at", Moment, comment="when the first delivery was allowed to leave"),
    Column("closed_at", Moment),
    UniqueConstraint("key"),
    Index("ix_announcement_state", "state"),
    Index("ix_announcement_digest", "digest"),
    Index("ix_announcement_started", "started_at"),
    Index("ix_announcement_parent", "parent_id"),
    Index("ix_announcement_code", "code", unique=True),
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
    Column("ward", String(8), comment="national code of the citizen's commune when the audience was counted"),
    Column("target", String(128), comment="of a correction: the messenger's id of the message that it corrects"),
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
    # Telegram and the web never tell what became of a message later; their rows would only make this large.
    Index(
        "ix_delivery_receipt",
        "external_id",
        sqlite_where=text("external_id IS NOT NULL AND channel NOT IN ('telegram', 'web')"),
        postgresql_where=text("external_id IS NOT NULL AND channel NOT IN ('telegram', 'web')"),
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

step = Table(
    "announcement_step",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("announcement_id", BigId, ForeignKey("announcement.id", ondelete="CASCADE"), nullable=False),
    Column("at", Moment, nullable=False),
    Column("actor", String(64), comment="login; NULL: time itself"),
    Column("action", String(16), nullable=False, comment="bot.announcements.lifecycle.Action"),
    Column("state", String(16), nullable=False, comment="where it led"),
    Column("note", String(500), comment="the reason that was given"),
    Index("ix_announcement_step", "announcement_id", "id"),
)
"""Who did what to an announcement. Written in the transaction of what it tells of; never changed."""

article = Table(
    "announcement_article",
    metadata,
    Column("announcement_id", BigId, ForeignKey("announcement.id", ondelete="CASCADE"), nullable=False),
    Column("account", String(64), nullable=False, comment="of zalo-oa"),
    Column("state", String(12), nullable=False, comment="bot.announcements.articles.ArticleState"),
    Column("token", Text, comment="by which Zalo says whether it is made"),
    Column("article_id", String(128), comment="Zalo's id of the article"),
    Column("external_id", String(128), comment="Zalo's id of the broadcast"),
    Column("problem", String(120), comment="why the last try stopped"),
    Column("actor", String(64), nullable=False, comment="login"),
    Column("at", Moment, nullable=False, comment="when the state was reached"),
    Column("owner", String(32), comment="the one try that is at it"),
    Column("lease_until", Moment),
    PrimaryKeyConstraint("announcement_id", "account"),
)
"""Announcements that became an article of a Zalo OA, broadcast to its followers once."""

count = Table(
    "announcement_count",
    metadata,
    Column("announcement_id", BigId, ForeignKey("announcement.id", ondelete="CASCADE"), nullable=False),
    Column("what", String(24), nullable=False, comment="reply, read, join, ask, link-1 …"),
    Column("channel", String(32), nullable=False),
    Column("unit", String(64), nullable=False, comment='slug of the commune; "" where nobody can know'),
    Column("number", Integer, nullable=False),
    PrimaryKeyConstraint("announcement_id", "what", "channel", "unit"),
)
"""What citizens did with an announcement, as sums. No row leads to a person."""

saved_audience = Table(
    "saved_audience",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("unit", String(64), nullable=False),
    Column("name", String(64), nullable=False, comment="slug of the title"),
    Column("title", String(120), nullable=False),
    Column("query", JSON, nullable=False),
    Column("author", String(64), nullable=False),
    Column("created_at", Moment, nullable=False),
    UniqueConstraint("unit", "name"),
)

policy = Table(
    "announcement_policy",
    metadata,
    Column("unit", String(64), primary_key=True),
    Column("second_person", Boolean, nullable=False, comment="what an officer writes needs another one's approval"),
    Column("actor", String(64), nullable=False),
    Column("at", Moment, nullable=False),
)
