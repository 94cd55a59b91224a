"""A leaflet on its way: read on the web, sent as a document on Telegram, counted without a person."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from pydantic import SecretStr
from pypdf import PdfReader
from sqlalchemy import select

from analytics.tables import event
from congdanso.app import create
from congdanso.settings import Settings
from tests.emulators.server import serve
from tests.emulators.telegram import TOKEN, TelegramEmulator

if TYPE_CHECKING:
    from congdanso.brain import Brain

pytestmark = pytest.mark.anyio


@pytest.fixture
async def client(
    database_url: str, tmp_path: Path, brain: Brain, telegram: tuple[TelegramEmulator, str]
) -> AsyncIterator[httpx.AsyncClient]:
    settings = Settings(
        data_dir=tmp_path / "var",
        database_url=database_url,
        secret_key=SecretStr("test-key" * 5),
        public_url="https://congdanso.example.vn",
        telegram_token=SecretStr(TOKEN),
        telegram_api_url=telegram[1],
    )
    app = create(settings, brain)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as opened,
    ):
        opened.app = app  # type: ignore[attr-defined]
        yield opened


@pytest.fixture
async def telegram() -> AsyncIterator[tuple[TelegramEmulator, str]]:
    emulator = TelegramEmulator()
    with serve(emulator.app()) as address:
        yield emulator, address


async def test_the_web_links_the_file_and_everything_given_is_counted(client: httpx.AsyncClient) -> None:
    token = (await client.post("/api/chat/sessions")).json()["token"]
    bearer = {"Authorization": f"Bearer {token}"}

    async def press(number: int, payload: str) -> dict[str, object]:
        answer = await client.post("/api/chat/messages", json={"id": str(number), "payload": payload}, headers=bearer)
        assert answer.status_code == 200
        return dict(answer.json())

    given = await press(1, "start:c_phong-chong-lua-dao")
    replies = given["replies"]
    assert isinstance(replies, list)
    [attached] = replies[0]["attachments"]
    assert attached["media_type"] == "application/pdf"
    file = await client.get(attached["url"])
    assert file.headers["content-type"] == "application/pdf"
    assert "129 triệu đồng" in " ".join(PdfReader(io.BytesIO(file.content)).pages[0].extract_text().split())
    again = await client.get(attached["url"], headers={"If-None-Match": file.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    await press(2, "k:phong-chong-lua-dao:ba-khong")

    database = client.app.state.server.database  # type: ignore[attr-defined]
    async with database.read() as connection:
        rows = (await connection.execute(select(event).where(event.c.name == "material"))).mappings().all()
    assert [(r["channel"], r["data"]["pack"], r["data"]["item"], r["visitor"]) for r in rows] == [
        ("web", "phong-chong-lua-dao", "to-roi", None),
        ("web", "phong-chong-lua-dao", "ba-khong", None),
    ]


async def test_on_telegram_it_arrives_as_a_document(
    client: httpx.AsyncClient, telegram: tuple[TelegramEmulator, str]
) -> None:
    emulator, _ = telegram
    emulator.message(7001, "/start c_vneid-nguoi-cao-tuoi_phu-thong")
    async with asyncio.timeout(30):
        while not (sent := [s for s in emulator.sent if s.method == "sendDocument"]):
            await asyncio.sleep(0.05)
    assert "VNeID" in sent[0].body["caption"]
    assert emulator.texts(7001)[0].startswith("<b>VNeID cho người cao tuổi</b>")


@pytest.mark.parametrize(
    "path", ["/materials/khong-co.pdf", "/materials/..%2F..%2Fetc%2Fpasswd.pdf", "/materials/a.png"]
)
async def test_what_is_no_material_is_not_found(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(path)).status_code == 404
