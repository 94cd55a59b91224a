"""Runs migrations on a connection that `migrations.upgrade` hands over."""

from __future__ import annotations

from alembic import context

from analytics.tables import metadata as analytics_tables
from bot.storage.tables import metadata as bot_tables

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=[bot_tables, analytics_tables],
    render_as_batch=connection.dialect.name == "sqlite",
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
