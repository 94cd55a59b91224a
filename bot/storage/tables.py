"""The bot's tables. Other rooms refer to them by id, never by foreign key."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)

NAMING: Final = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
metadata: Final = MetaData(naming_convention=NAMING)
BigId = BigInteger().with_variant(Integer, "sqlite")
"""SQLite numbers rows by itself only in a column that is exactly INTEGER."""


class Utc(TypeDecorator[datetime]):
    """A moment. SQLite keeps no zone and is read as UTC (`database.aware`), so it is written as UTC, whatever zone it came in."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Return the moment as it is written."""
        return value.astimezone(UTC) if value is not None and value.tzinfo is not None else value


Moment = Utc()

conversation = Table(
    "conversation",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("channel", String(32), nullable=False),
    Column("account", String(64), nullable=False),
    Column("chat", String(128), nullable=False),
    Column("session", JSON, nullable=False),
    Column("ward", String(8)),
    Column("subscribed", Boolean, nullable=False, default=False),
    Column("consented_at", Moment),
    Column("created_at", Moment, nullable=False),
    Column("last_seen_at", Moment, nullable=False),
    Column("stopped_at", Moment, comment="the citizen blocked or left the bot"),
    Column("silent_until", Moment, comment="a human officer speaks here; the bot does not"),
    Column("muted", String(120), comment="kinds of announcements not wanted: ',an-ninh,tap-huan,'; NULL = all are"),
    Column("ready_at", Moment, comment="when there is something to do; NULL = nothing"),
    Column("lease_owner", String(64)),
    Column("lease_until", Moment),
    Column("person", String(32), comment="random; shared by the conversations of one person who linked them"),
    Column("preferred", Boolean, nullable=False, default=False, server_default="0", comment="gets the announcements"),
    Column("chosen_at", Moment, comment="when commune or subscription were last chosen"),
    Column("language", String(8), comment="of the screen of who agreed to that; NULL = not known"),
    UniqueConstraint("channel", "account", "chat"),
    Index("ix_conversation_person", "person"),
    Index("ix_conversation_ready", "ready_at"),
    Index("ix_conversation_audience", "subscribed", "ward"),
)

ACCEPTED, DONE, DEAD = "accepted", "done", "dead"
"""States of an inbox row: waiting for its turn; answered (or needing no answer); given up, with a reason."""

inbox = Table(
    "inbox",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("conversation_id", BigId, ForeignKey("conversation.id", ondelete="CASCADE"), nullable=False),
    Column("channel", String(32), nullable=False),
    Column("account", String(64), nullable=False),
    Column("update_id", String(192), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("text", Text, comment="masked; emptied when the turn is done"),
    Column("personal", JSON, nullable=False),
    Column("ref", String(64), comment="the messenger's id of the message whose button was pressed"),
    Column("received_at", Moment, nullable=False),
    Column("state", String(16), nullable=False, comment="accepted, done, dead"),
    Column("attempts", Integer, nullable=False, default=0),
    Column("reason", String(200)),
    Column("done_at", Moment),
    Column("status", String(32)),
    Column("topic", String(64)),
    Column("aspect", String(16)),
    UniqueConstraint("channel", "account", "update_id"),
    Index("ix_inbox_waiting", "conversation_id", "state"),
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("conversation_id", BigId, ForeignKey("conversation.id", ondelete="CASCADE"), nullable=False),
    Column("inbox_id", BigId, ForeignKey("inbox.id", ondelete="CASCADE"), comment="NULL: not an answer"),
    Column("reply", JSON, nullable=False),
    Column("state", String(16), nullable=False, comment="queued, sending, sent, failed"),
    Column("attempts", Integer, nullable=False, default=0),
    Column("next_attempt_at", Moment, nullable=False),
    Column("external_id", String(128)),
    Column("edits", String(64), comment="the messenger's id of the message it takes the place of"),
    Column("reason", String(200)),
    Column("code", String(16), comment="why it failed: stopped, outside_window, rejected, unreachable"),
    Column("created_at", Moment, nullable=False),
    Column("sent_at", Moment),
    Index("ix_outbox_waiting", "conversation_id", "state"),
    Index("ix_outbox_answer", "inbox_id"),
    # Few: looked through for what may leave after all.
    Index(
        "ix_outbox_kept_back",
        "code",
        sqlite_where=text("code IS NOT NULL AND inbox_id IS NULL"),
        postgresql_where=text("code IS NOT NULL AND inbox_id IS NULL"),
    ),
)

review = Table(
    "review",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("conversation_id", BigId, comment="NULL once the citizen erased their data"),
    Column("text", Text, nullable=False, comment="masked"),
    Column("reason", String(16), nullable=False, comment="unknown, unclear, officer"),
    Column("ward", String(8)),
    Column("state", String(16), nullable=False, default="open"),
    Column("created_at", Moment, nullable=False),
    Column("answered_at", Moment, comment="or closed"),
    Column("answered_by", String(64), comment="login of the officer"),
    Column("outbox_id", BigId, comment="the answer on its way"),
    Column("note", String(200), comment="why it was closed without an answer"),
    Index("ix_review_open", "state", "reason"),
    Index("ix_review_outbox", "outbox_id"),
)

channel_account = Table(
    "channel_account",
    metadata,
    Column("channel", String(32), primary_key=True),
    Column("account", String(64), primary_key=True, comment="our own short name for it, in webhook addresses"),
    Column("unit", String(64), nullable=False, comment="slug of the commune or province that owns it"),
    Column("title", String(120), nullable=False),
    Column("options", JSON, nullable=False, comment="what is not secret: addresses, mode, the messenger's public ids"),
    Column("secrets", Text, nullable=False, comment="sealed by bot.accounts.vault"),
    Column("given", String(64), comment="hash of what the environment said besides secrets; NULL: made by an officer"),
    Column("given_secrets", Text, comment="the secrets that the environment gave last, sealed alike"),
    Column("active", Boolean, nullable=False),
    Column("version", Integer, nullable=False, comment="grows with each change a process has to hear of"),
    Column("created_at", Moment, nullable=False),
    Column("receiving_problem", String(400), comment="why nothing comes in; NULL while it works"),
    Column("sending_problem", String(400), comment="why nothing goes out"),
    Column("problem_at", Moment, comment="since when"),
    Column("worked_at", Moment, comment="when it last worked in either direction"),
    Column("held_until", Moment, comment="the messenger asked the account to wait"),
    Column("receiver", String(128), comment="the one process that polls for this account"),
    Column("receiver_until", Moment),
    Column("renewer", String(128), comment="the one task that renews its tokens"),
    Column("renewer_until", Moment),
)

link_code = Table(
    "link_code",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("code_hash", String(64), nullable=False, comment="keyed hash; the code itself was only shown"),
    Column("conversation_id", BigId, ForeignKey("conversation.id", ondelete="CASCADE"), nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False),
    Column("claimed_by", BigId, comment="the conversation where it was typed; only this one may confirm"),
    Column("spent_at", Moment, comment="confirmed, declined or replaced"),
    UniqueConstraint("code_hash"),
    Index("ix_link_code_conversation", "conversation_id", "created_at"),
    Index("ix_link_code_claim", "claimed_by"),
)

link_guess = Table(
    "link_guess",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("conversation_id", BigId, ForeignKey("conversation.id", ondelete="CASCADE"), nullable=False),
    Column("at", Moment, nullable=False, comment="a wrong code was typed; kept for an hour"),
    Index("ix_link_guess_conversation", "conversation_id", "at"),
    Index("ix_link_guess_at", "at"),
)

checkpoint = Table(
    "checkpoint",
    metadata,
    Column("channel", String(32), primary_key=True),
    Column("account", String(64), primary_key=True),
    Column("value", String(64), nullable=False, comment="e.g. Telegram's next update offset"),
)
