"""Listens to the statements that a test runs, and asks SQLite how it would find what they are about."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, event

from bot.storage.database import Database


class Heard:
    """The statements that were run, each once, with parameters of one run."""

    def __init__(self) -> None:
        self.statements: dict[str, Any] = {}

    def __call__(
        self, _connection: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, many: bool
    ) -> None:
        self.statements[statement] = parameters[0] if many else parameters

    async def plans(self, database: Database) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        async with database.read() as connection:
            for statement, parameters in list(self.statements.items()):
                if statement.split(maxsplit=1)[0] in ("SELECT", "UPDATE", "WITH"):
                    asked = await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
                    found[statement] = [row[3] for row in asked]
        return found


@contextmanager
def listening() -> Iterator[Heard]:
    """Hear all statements of this process for the length of a block."""
    heard = Heard()
    event.listen(Engine, "before_cursor_execute", heard)
    try:
        yield heard
    finally:
        event.remove(Engine, "before_cursor_execute", heard)
