"""Statements that are made once for each set of columns: making and comparing them costs more than SQLite takes to run them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import Table, Update, bindparam, update

_PREFIX: Final = "new_"
"""SQLAlchemy keeps the columns' own names for itself."""


@lru_cache(maxsize=256)
def changes(table: Table, *columns: str) -> Update:
    """Return the statement that changes these columns of the row whose `id` is the parameter `which`; see `bound`."""
    return update(table).where(table.c.id == bindparam("which")).values(_parameters(table, columns))


@lru_cache(maxsize=256)
def more(statement: Update, table: Table, *columns: str) -> Update:
    """Return an update that changes these columns, too."""
    return statement.values(_parameters(table, columns))


def bound(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters for columns that are changed."""
    return {_PREFIX + name: value for name, value in values.items()}


def _parameters(table: Table, columns: tuple[str, ...]) -> dict[str, Any]:
    return {name: bindparam(_PREFIX + name, type_=table.c[name].type) for name in columns}
