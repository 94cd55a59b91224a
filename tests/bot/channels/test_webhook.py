"""A database that is locked or full: the messenger hears 503 in time and repeats, and nothing is taken twice or lost."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import event, func, select

from bot.channels.telegram import TelegramChannel, webhook_router
from bot.channels.webhook import STORED_WITHIN
from bot.inbox import accept
from bot.storage.database import Database
from bot.storage.tables import inbox
from migrations.upgrade import upgrade
from tests.builders import MORNING
from tests.emulators.telegram import TOKEN, TelegramEmulator

pytestmark = pytest.mark.anyio
SECRET = {"X-Telegram-Bot-Api-Secret-Token": "geheim-123"}


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = Database(f"sqlite:///{tmp_path / 'test.db'}")
    await upgrade(opened)
    yield opened
    await opened.close()


@pytest.fixture
async def door(database: Database) -> AsyncIterator[httpx.AsyncClient]:
    channel = TelegramChannel("default", TOKEN, api_url="http://127.0.0.1:9", webhook_secret="geheim-123")
    app = FastAPI()
    accounts = {"default": channel}
    app.include_router(webhook_router(accounts, lambda incoming: accept(database, incoming), lambda: MORNING))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test", timeout=20) as opened:
        yield opened
    await channel.stop()


async def delivered(door: httpx.AsyncClient, update: dict[str, Any]) -> int:
    return (await door.post("/channels/telegram/default/webhook", json=update, headers=SECRET)).status_code


async def stored(database: Database) -> int:
    async with database.read() as connection:
        return int(await connection.scalar(select(func.count()).select_from(inbox)) or 0)


async def test_a_locked_database_is_503_in_time_and_the_repetition_is_one_message(
    database: Database, door: httpx.AsyncClient, tmp_path: Path
) -> None:
    update = TelegramEmulator().message(7, "đăng ký tạm trú")
    lock = sqlite3.connect(tmp_path / "test.db", isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    began = time.monotonic()
    assert await delivered(door, update) == 503
    assert time.monotonic() - began < STORED_WITHIN + 3
    lock.execute("ROLLBACK")
    lock.close()
    assert await delivered(door, update) == 200
    assert await delivered(door, update) == 200
    assert await stored(database) == 1


async def test_a_full_disk_is_503_until_there_is_room(database: Database, door: httpx.AsyncClient) -> None:
    room = {"pages": 1}

    def limit(connection: Any, *_: Any) -> None:
        connection.execute(f"PRAGMA max_page_count = {room['pages']}")

    event.listen(database._plain, "checkout", limit)
    emulator = TelegramEmulator()
    statuses = [await delivered(door, emulator.message(number, "á" * 4000)) for number in range(60)]
    assert statuses.count(503) > 30
    kept = await stored(database)
    assert kept == statuses.count(200)
    room["pages"] = 1_000_000
    again = emulator.message(99, "đăng ký tạm trú")
    assert await delivered(door, again) == 200
    assert await stored(database) == kept + 1
