"""The table of events. Append-only; nothing in it can lead back to a person or a text."""

from __future__ import annotations

from typing import Final

from sqlalchemy import JSON, BigInteger, Column, DateTime, Index, Integer, MetaData, String, Table

metadata: Final = MetaData()

event = Table(
    "event",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("name", String(40), nullable=False),
    Column("unit", String(64), comment="slug of the commune; NULL = not chosen"),
    Column("channel", String(32)),
    Column("visitor", String(32), comment="changes every day; counts askers of a day, cannot be followed"),
    Column("topic", String(64)),
    Column("aspect", String(16)),
    Column("status", String(32)),
    Column("data", JSON, nullable=False),
    Index("ix_event_at", "at"),
    Index("ix_event_name_at", "name", "at"),
)
