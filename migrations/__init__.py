"""Alembic migrations of every room's tables, in one history."""
