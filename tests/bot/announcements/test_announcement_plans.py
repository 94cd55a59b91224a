"""What is asked many times a second is found by a key, however many citizens there are: SQLite's plans of the statements."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from sqlalchemy import update

from bot.announcements.store import replies_waiting
from bot.storage.tables import conversation
from tests.bot.announcements.conftest import Village
from tests.builders import FakeChannel
from tests.heard import Heard, listening

pytestmark = pytest.mark.anyio


@pytest.fixture
def heard() -> Iterator[Heard]:
    with listening() as statements:
        yield statements


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_nothing_is_read_through_from_one_end_to_the_other(village: Village, heard: Heard) -> None:
    await village.settle("phu-thong", 40)
    await village.announce()
    heard.statements.clear()
    await asyncio.gather(
        village.run(FakeChannel()).work(),
        replies_waiting(village.database, village.clock, "telegram", "default"),
    )
    plans = await heard.plans(village.database)
    assert len(plans) > 8
    of_citizens = {statement: plan for statement, plan in plans.items() if "conversation" in statement}
    assert of_citizens
    for statement, plan in of_citizens.items():
        scans = [step for step in plan if step.startswith(("SCAN conversation", "SCAN delivery"))]
        of_the_account = [step for step in plan if "conversation" in step and "(channel=? AND account=?)" in step]
        assert scans + of_the_account == [], statement


async def test_a_citizen_who_waits_for_an_answer_is_noticed(village: Village) -> None:
    await village.settle("phu-thong", 2)
    assert not await replies_waiting(village.database, village.clock, "telegram", "default")
    async with village.database.write() as connection:
        await connection.execute(
            update(conversation).where(conversation.c.chat == "phu-thong-1").values(ready_at=village.clock())
        )
    assert await replies_waiting(village.database, village.clock, "telegram", "default")
    assert not await replies_waiting(village.database, village.clock, "telegram", "other")
    assert not await replies_waiting(village.database, village.clock, "zalo-oa", "default")
