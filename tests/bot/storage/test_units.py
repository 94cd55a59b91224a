"""Units of work: whole transactions beside the event loop, the urgent ones first, each with its own failure."""

from __future__ import annotations

import asyncio
import random
import threading
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import Connection, func, insert, select, text
from sqlalchemy.exc import IntegrityError

from bot.storage.tables import checkpoint
from bot.storage.units import CONNECTIONS, URGENT, Priority

pytestmark = pytest.mark.anyio

if TYPE_CHECKING:
    from collections.abc import Callable

    from bot.storage.database import Database


def kept(key: str, order: list[str] | None = None, *, fails: bool = False) -> Callable[[Connection], str]:
    def unit(connection: Connection) -> str:
        if order is not None:
            order.append(key)
        connection.execute(insert(checkpoint).values(channel="telegram", account=key, value="1"))
        if fails:
            connection.execute(insert(checkpoint).values(channel="telegram", account=key, value="2"))
        return key

    return unit


async def names(database: Database) -> list[str]:
    async with database.read() as connection:
        return list((await connection.scalars(select(checkpoint.c.account).order_by(checkpoint.c.account))).all())


async def test_a_unit_is_committed_when_it_returns(database: Database) -> None:
    assert await database.unit(kept("a")) == "a"
    assert await names(database) == ["a"]


async def test_one_that_fails_takes_nothing_with_it(database: Database) -> None:
    ended = await asyncio.gather(
        *(database.unit(kept(key, fails=key == "c")) for key in "abcde"), return_exceptions=True
    )
    assert [type(e) for e in ended] == [str, str, IntegrityError, str, str]
    assert await names(database) == ["a", "b", "d", "e"]


async def test_a_lone_one_that_fails_tells_its_own_error(database: Database) -> None:
    with pytest.raises(IntegrityError):
        await database.unit(kept("a", fails=True))
    assert await names(database) == []


async def test_urgent_ones_go_before_those_that_wait_longer(database: Database) -> None:
    if not database.is_sqlite:
        pytest.skip("PostgreSQL keeps connections for urgent units instead")
    order: list[str] = []
    begun, may_end = threading.Event(), threading.Event()

    def long(connection: Connection) -> None:
        begun.set()
        assert may_end.wait(20)
        connection.execute(select(func.count()).select_from(checkpoint))

    first = asyncio.ensure_future(database.unit(long))
    assert await asyncio.to_thread(begun.wait, 20)
    others = [asyncio.ensure_future(database.unit(kept(f"other-{i}", order))) for i in range(5)]
    urgent = [asyncio.ensure_future(database.unit(kept(f"urgent-{i}", order), Priority.URGENT)) for i in range(3)]
    await asyncio.sleep(0)
    may_end.set()
    await asyncio.gather(first, *others, *urgent)
    assert order[:3] == ["urgent-0", "urgent-1", "urgent-2"]
    assert order[3:] == [f"other-{i}" for i in range(5)]


async def test_bulk_goes_behind_conversations_but_is_not_stopped_by_them(database: Database) -> None:
    if not database.is_sqlite:
        pytest.skip("PostgreSQL has a connection for each of them")
    order: list[str] = []
    begun, may_end = threading.Event(), threading.Event()
    first = asyncio.ensure_future(database.unit(lambda _: begun.set() or may_end.wait(20)))
    assert await asyncio.to_thread(begun.wait, 20)
    bulk = [asyncio.ensure_future(database.unit(kept(f"bulk-{i}", order), Priority.BULK)) for i in range(2)]
    await asyncio.sleep(0.2)
    usual = [asyncio.ensure_future(database.unit(kept(f"usual-{i}", order))) for i in range(6)]
    await asyncio.sleep(0)
    may_end.set()
    await asyncio.gather(first, *bulk, *usual)
    assert order == ["usual-0", "usual-1", "bulk-0", "usual-2", "usual-3", "bulk-1", "usual-4", "usual-5"]


async def test_bulk_does_not_begin_in_the_middle_of_an_answer(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.storage.units.PATIENCE", 20.0)
    order: list[str] = []
    begun, may_end = threading.Event(), threading.Event()
    answer = asyncio.ensure_future(database.unit(lambda _: begun.set() or may_end.wait(20)))
    assert await asyncio.to_thread(begun.wait, 20)
    bulk = asyncio.ensure_future(database.unit(kept("bulk", order), Priority.BULK))
    await asyncio.sleep(0.2)
    may_end.set()
    await answer
    # The next step of the same answer: what lies between two steps is shorter than what counts as calm.
    await database.unit(kept("answer", order))
    await bulk
    assert order == ["answer", "bulk"]


async def test_urgent_ones_do_not_wait_while_others_take_every_connection(database: Database) -> None:
    if database.is_sqlite:
        pytest.skip("SQLite has one writer")
    may_end = threading.Event()
    busy = [asyncio.ensure_future(database.unit(lambda _: may_end.wait(20))) for _ in range(20)]
    async with asyncio.timeout(10):
        assert await database.unit(kept("a"), Priority.URGENT) == "a"
    may_end.set()
    assert all(await asyncio.gather(*busy))


async def test_a_connection_that_died_while_nobody_used_it_is_replaced(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    if database.is_sqlite:
        pytest.skip("a file has no connections that die")
    monkeypatch.setattr("bot.storage.database.TRUSTED", 0.0)
    await database.unit(kept("a"))
    async with database.write() as connection:
        others = text(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        assert await connection.scalar(others)
    assert await database.unit(kept("b")) == "b"
    assert await names(database) == ["a", "b"]


async def test_while_a_request_is_stored_others_stand_aside(database: Database) -> None:
    if database.is_sqlite:
        pytest.skip("SQLite has one writer")
    begun, may_end = threading.Event(), threading.Event()
    working: set[int] = set()
    most: list[int] = []

    def other(number: int) -> Callable[[Connection], None]:
        def unit(connection: Connection) -> None:
            working.add(number)
            most.append(len(working))
            connection.execute(text("SELECT pg_sleep(0.02)"))
            working.discard(number)

        return unit

    urgent = asyncio.ensure_future(database.unit(lambda _: begun.set() or may_end.wait(20), Priority.URGENT))
    assert await asyncio.to_thread(begun.wait, 20)
    await asyncio.gather(*(database.unit(other(i)) for i in range(6)))
    assert max(most) == 1, "one after the other, but not stopped"
    may_end.set()
    await urgent
    most.clear()
    await asyncio.gather(*(database.unit(other(i)) for i in range(12)))
    assert max(most) > 1


async def test_the_next_step_of_an_answer_lets_a_request_go_first_but_not_for_ever(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.storage.units.HASTE", 20.0)
    begun, may_end = threading.Event(), threading.Event()
    urgent = asyncio.ensure_future(database.unit(lambda _: begun.set() or may_end.wait(20), Priority.URGENT))
    assert await asyncio.to_thread(begun.wait, 20)
    step = asyncio.ensure_future(database.haste())
    await asyncio.sleep(0.1)
    assert not step.done()
    monkeypatch.setattr("bot.storage.units.HASTE", 0.01)
    async with asyncio.timeout(10):
        await database.haste()
    assert not urgent.done()
    may_end.set()
    await urgent
    async with asyncio.timeout(10):
        await step


async def test_when_a_request_is_stored_as_many_go_on_as_may(database: Database) -> None:
    if database.is_sqlite:
        pytest.skip("SQLite has one writer")
    begun, may_end = threading.Event(), threading.Event()
    together = threading.Barrier(CONNECTIONS - URGENT)

    def other(_: Connection) -> None:
        together.wait(20)

    urgent = asyncio.ensure_future(database.unit(lambda _: begun.set() or may_end.wait(20), Priority.URGENT))
    assert await asyncio.to_thread(begun.wait, 20)
    others = [asyncio.ensure_future(database.unit(other)) for _ in range(CONNECTIONS - URGENT)]
    await asyncio.sleep(0.05)
    may_end.set()
    await asyncio.gather(urgent, *others)


async def test_no_unit_is_forgotten_whatever_comes_beside_it(database: Database) -> None:
    chance = random.Random(3)
    done: list[int] = []

    async def one(number: int) -> None:
        await asyncio.sleep(chance.random() / 20)
        await database.unit(lambda _: done.append(number), chance.choice(list(Priority)))
        await database.haste()

    async with asyncio.timeout(60):
        await asyncio.gather(*(one(number) for number in range(400)))
    assert sorted(done) == list(range(400))
