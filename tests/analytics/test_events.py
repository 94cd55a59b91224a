"""An event cannot hold what somebody wrote, nor a number of theirs, whoever makes a mistake above."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select

from analytics.events import MaterialGiven, TurnAnswered, record_many, visitor_of
from analytics.tables import event
from bot.storage.database import Database

pytestmark = pytest.mark.anyio
NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)


def given_out(**fields: Any) -> MaterialGiven:
    values: dict[str, Any] = {"topic": "khai-sinh", "pack": "dvc-thiet-yeu", "item": "to-roi"}
    return MaterialGiven(NOW, "phu-thong", "telegram", **(values | fields))


@pytest.mark.parametrize(
    "value",
    ["vợ em mới sinh", "xin chao", "0912345678", "019203004567", "a@b.vn", "<b>", "a" * 3 + "\n", "", "số 7"],
)
@pytest.mark.parametrize("field", ["topic", "pack", "item"])
async def test_a_text_or_a_number_is_refused_and_nothing_is_written(database: Database, field: str, value: str) -> None:
    with pytest.raises(ValueError, match=f"material.{field}"):
        async with database.write() as connection:
            await record_many(connection, [given_out(), given_out(**{field: value})])
    async with database.read() as connection:
        assert await connection.scalar(select(func.count()).select_from(event)) == 0


async def test_slugs_and_codes_are_taken(database: Database) -> None:
    async with database.write() as connection:
        await record_many(connection, [given_out(), given_out(topic=None, item="loa-xa-2026")])
        await record_many(connection, [])
    async with database.read() as connection:
        assert await connection.scalar(select(func.count()).select_from(event)) == 2


@given(st.integers(1, 10**9))
def test_a_conversation_has_another_name_every_day_and_on_every_installation(conversation: int) -> None:
    today, tomorrow = NOW, NOW.replace(day=23)
    names = {
        visitor_of(b"key", conversation, today),
        visitor_of(b"key", conversation, tomorrow),
        visitor_of(b"other", conversation, today),
        visitor_of(b"key", conversation + 1, today),
    }
    assert len(names) == 4
    assert visitor_of(b"key", conversation, today.replace(hour=1)) == visitor_of(b"key", conversation, today)


def test_a_material_has_no_visitor() -> None:
    assert "visitor" not in MaterialGiven.__dataclass_fields__
    assert "visitor" in TurnAnswered.__dataclass_fields__
