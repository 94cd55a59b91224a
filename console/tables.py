"""The console's tables. Units are slugs of `content.places`; nothing here points into another room's tables."""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    UniqueConstraint,
)

from bot.storage.tables import NAMING

metadata: Final = MetaData(naming_convention=NAMING)
BigId = BigInteger().with_variant(Integer, "sqlite")
"""SQLite numbers rows by itself only in a column that is exactly INTEGER."""
Moment = DateTime(timezone=True)

officer = Table(
    "officer",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("name", String(120), nullable=False),
    Column("login", String(40), nullable=False),
    Column("password_hash", String(200), comment="Argon2id; NULL until the one-time link was used"),
    Column("unit", String(64), nullable=False, comment="slug of a commune, or of the province"),
    Column("role", String(16), nullable=False),
    Column("active", Boolean, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("last_login_at", Moment),
    UniqueConstraint("login"),
)

officer_link = Table(
    "officer_link",
    metadata,
    Column("token_hash", String(64), primary_key=True, comment="SHA-256; the token itself is only in the link"),
    Column(
        "officer_id", BigId, ForeignKey("officer.id", ondelete="CASCADE"), comment="NULL: makes the first administrator"
    ),
    Column("created_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False),
    Column("used_at", Moment),
)

officer_session = Table(
    "officer_session",
    metadata,
    Column("token_hash", String(64), primary_key=True, comment="SHA-256; the token itself is only in the cookie"),
    Column("officer_id", BigId, ForeignKey("officer.id", ondelete="CASCADE"), nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("last_seen_at", Moment, nullable=False),
    Index("ix_officer_session_officer", "officer_id"),
)

officer_code = Table(
    "officer_code",
    metadata,
    Column("code_hash", String(64), primary_key=True, comment="SHA-256; the code itself is only with the officer"),
    Column("officer_id", BigId, ForeignKey("officer.id", ondelete="CASCADE"), nullable=False),
    Column("expires_at", Moment, nullable=False),
)
"""One-time codes that link a conversation to an account; one that was used is deleted."""

officer_chat = Table(
    "officer_chat",
    metadata,
    Column("officer_id", BigId, ForeignKey("officer.id", ondelete="CASCADE"), primary_key=True),
    Column("conversation_id", BigId, nullable=False, autoincrement=False),
    Column("linked_at", Moment, nullable=False),
    UniqueConstraint("conversation_id"),
)
"""The conversation in which an officer writes, approves and gets notices."""

officer_key = Table(
    "officer_key",
    metadata,
    Column("token_hash", String(64), primary_key=True, comment="SHA-256; the token itself is only with the program"),
    Column("officer_id", BigId, ForeignKey("officer.id", ondelete="CASCADE"), nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False),
    Index("ix_officer_key_officer", "officer_id"),
)
"""Bearer tokens of the API, for programs that act as an officer."""

login_attempt = Table(
    "login_attempt",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("key", String(64), nullable=False, comment="keyed hash of a login or an address"),
    Column("at", Moment, nullable=False),
    Index("ix_login_attempt_key_at", "key", "at"),
    Index("ix_login_attempt_at", "at"),
)

audit = Table(
    "audit",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("at", Moment, nullable=False),
    Column("officer_id", BigId, comment="NULL: the operator's command line, or nobody known"),
    Column("action", String(40), nullable=False),
    Column("unit", String(64)),
    Column("subject", String(120), comment="what was acted on, e.g. a login"),
    Index("ix_audit_at", "at"),
    Index("ix_audit_officer_at", "officer_id", "at"),
)
