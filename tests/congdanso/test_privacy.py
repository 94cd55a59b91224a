"""A hostile run: citizens type whatever must not be kept, everywhere it can be typed, and nothing of it remains.

Looked through afterwards: every event, every log line, the spreadsheet, the figures as text and as JSON, and what the
database keeps of the messages.
"""

from __future__ import annotations

import asyncio
import io
import json
import logging
import zipfile
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import MetaData, select, text

from analytics import report
from analytics.figures import figures
from analytics.tables import event
from congdanso.app import create
from congdanso.brain import today
from congdanso.logs import setup
from congdanso.settings import Settings
from console.names import CatalogueNames
from tests.builders import MORNING
from tests.emulators.server import serve
from tests.emulators.telegram import TOKEN, TelegramEmulator

if TYPE_CHECKING:
    from congdanso.brain import Brain

pytestmark = pytest.mark.anyio
NUMBERS = ("019203004567", "0912345678", "095123456", "C1234567", "4111111111111111", "lan.nguyen@gmail.com")
WORDS = "chồng tôi tên Triệu Văn Khuyến đánh tôi ở thôn Nà Ngăm"
"""Somebody's misery: no number, but nobody's business."""
HOSTILE = (
    *(f"số của tôi là {number} làm giúp" for number in NUMBERS),
    "cccd 0 1 9 2 0 3 0 0 4 5 6 7 bị mất",
    "gọi 091.234.5678 nhé, otp 482913, mật khẩu Hoa@12345",
    WORDS,
    f"{WORDS} {NUMBERS[1]}",
    "/start c_019203004567",
    "/start 0912345678",
    "%s %d {0} \x00 \u202e'; DROP TABLE event; --",
)
PAYLOADS = ("t:019203004567:le-phi", "k:0912345678", "start:c_019203004567", f"o:ask {NUMBERS[0]}", "p:019203004567")
SECRETS = (*NUMBERS, "482913", "Hoa@12345", "Khuyến", "Nà Ngăm", "đánh tôi", "0912.345", "091.234.5678")


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    """Everything any logger says, formatted as in production, at the lowest level."""
    stream = io.StringIO()
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    setup()
    written = logging.StreamHandler(stream)
    written.setFormatter(root.handlers[-1].formatter)
    root.addHandler(written)
    root.setLevel(logging.DEBUG)
    yield stream
    root.handlers[:] = before
    root.setLevel(level)


@pytest.fixture
async def client(
    database_url: str, tmp_path: Path, brain: Brain, telegram: tuple[TelegramEmulator, str], logged: io.StringIO
) -> AsyncIterator[httpx.AsyncClient]:
    settings = Settings(
        data_dir=tmp_path / "var",
        database_url=database_url,
        secret_key=SecretStr("test-key" * 5),
        telegram_token=SecretStr(TOKEN),
        telegram_api_url=telegram[1],
        telegram_mode="webhook",
        telegram_webhook_secret=SecretStr("a-secret"),
    )
    app = create(settings, brain)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app, raise_app_exceptions=False), base_url="http://test"
        ) as opened,
    ):
        opened.app = app  # type: ignore[attr-defined]
        yield opened


@pytest.fixture
def telegram() -> Iterator[tuple[TelegramEmulator, str]]:
    emulator = TelegramEmulator()
    with serve(emulator.app()) as address:
        yield emulator, address


def found_in(kept: str, where: str) -> list[str]:
    return [f"{secret} in {where}" for secret in SECRETS if secret in kept]


async def test_nothing_personal_and_no_message_is_left(
    client: httpx.AsyncClient, telegram: tuple[TelegramEmulator, str], logged: io.StringIO
) -> None:
    server = client.app.state.server  # type: ignore[attr-defined]
    understand = server.turns._understand

    def breaks(words: str) -> Any:
        """A library that quotes what it stumbled over, as many do."""
        if words == WORDS:
            raise ValueError(f"cannot parse {words!r}, {NUMBERS[1]}")
        return understand(words)

    server.turns._understand = server.turns._at_once = breaks
    await _web(client)
    await _telegram(client, telegram[0])
    # The pump answers Telegram's messages by itself; wait until none is left.
    for _ in range(200):
        parts = await server.parts()
        if parts["database"]["waiting"] == 0:
            break
        await asyncio.sleep(0.05)

    async with server.database.read() as connection:
        events = (await connection.execute(select(event))).mappings().all()
        told = await figures(connection, since=today(MORNING), until=today(datetime.now(UTC)))
    assert len(events) > len(HOSTILE)
    names = CatalogueNames(server.brain.library, server.brain.places, {})
    book = io.BytesIO()
    report.write_xlsx(told, book, names)
    with zipfile.ZipFile(book) as archive:
        workbook = "".join(archive.read(name).decode("utf-8", "replace") for name in archive.namelist())
    left = [
        *found_in(repr(events), "the events"),
        *found_in(logged.getvalue(), "the log"),
        *found_in(workbook, "the spreadsheet"),
        *found_in(report.as_text(told, names), "the report"),
        *found_in(json.dumps(report.as_dict(told), ensure_ascii=False), "the figures"),
        *found_in((await client.get("/metrics")).text, "the metrics"),
    ]
    assert left == []
    assert "turn failed" in logged.getvalue(), "the log was really listened to"
    assert "test_privacy.py" in logged.getvalue(), "it says where it broke"
    assert await _numbers_in_the_database(server.database) == []


async def _web(client: httpx.AsyncClient) -> None:
    token = (await client.post("/api/chat/sessions")).json()["token"]
    number = 0

    async def send(**what: str) -> None:
        nonlocal number
        number += 1
        await client.post(
            "/api/chat/messages", json={"id": f"m{number}", **what}, headers={"Authorization": f"Bearer {token}"}
        )

    for line in HOSTILE:
        await send(text=line)
    await send(payload="c:ok")
    await send(text="Phủ Thông")
    for line in HOSTILE:
        await send(text=line)
    for payload in PAYLOADS:
        await send(payload=payload)
    await send(payload="o:ask")
    await send(text=f"{WORDS}, gọi {NUMBERS[1]}")
    for path in (f"/?c=c_{NUMBERS[0]}", f"/materials/{NUMBERS[1]}.pdf", f"/console/link/{NUMBERS[0]}"):
        await client.get(path)
    await client.post("/console/login", data={"login": NUMBERS[1], "password": "Hoa@12345", "form": "x"})


async def _telegram(client: httpx.AsyncClient, emulator: TelegramEmulator) -> None:
    updates = [emulator.message(8001, line) for line in HOSTILE if "\x00" not in line]
    updates += [emulator.press(8001, payload) for payload in PAYLOADS]
    for update in updates:
        await client.post(
            "/channels/telegram/default/webhook", json=update, headers={"X-Telegram-Bot-Api-Secret-Token": "a-secret"}
        )


async def _numbers_in_the_database(database: Any) -> list[str]:
    """Personal numbers in any table, the waiting and the answered messages included."""
    metadata = MetaData()
    async with database.read() as connection:
        await connection.run_sync(metadata.reflect)
        left = []
        for table in metadata.sorted_tables:
            rows = (await connection.execute(text(f'SELECT * FROM "{table.name}"'))).all()
            kept = repr(rows)
            left += [f"{secret} in {table.name}" for secret in (*NUMBERS, "482913", "Hoa@12345") if secret in kept]
    return left
