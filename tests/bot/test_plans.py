"""The way of a message goes by keys, however many citizens there are: SQLite's plans of its statements."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from bot.sender import Sender
from bot.storage.database import Database
from bot.turns import Turns
from tests.builders import Citizen, Clock, FakeChannel
from tests.heard import listening

if TYPE_CHECKING:
    from congdanso.brain import Brain

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_no_citizen_is_looked_for_among_all(database: Database, brain: Brain) -> None:
    clock = Clock()
    turns = Turns(database, brain.dialogue, brain.engine.understand, clock=clock, owner="a")
    sender = Sender(database, FakeChannel().channels(), clock=clock, rng=random.Random(1))
    with listening() as heard:
        for number in range(3):
            await Citizen(database, clock, chat=f"c{number}").says("làm hộ chiếu ở đâu")
        taken = await turns.take_ready()
        await turns.renew(taken)
        for held in taken:
            await sender.send(held, (await turns.answer(held)).leaving)
        await turns.release(taken[0])
    plans = await heard.plans(database)
    assert len(plans) > 8
    scans = {s: p for s, p in plans.items() if any(step.startswith("SCAN") for step in p)}
    assert scans == {}
    assert any("lease_until=?" in s and "ready_at" not in s for s in plans), "leases were renewed"
