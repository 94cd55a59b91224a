"""The wired server: a citizen on the web gets an answer, the parts report, an event remains and nothing personal."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import select

from analytics.tables import event
from congdanso.app import create
from congdanso.settings import Settings

if TYPE_CHECKING:
    from congdanso.brain import Brain

pytestmark = pytest.mark.anyio


@pytest.fixture
async def client(database_url: str, tmp_path: Path, brain: Brain) -> AsyncIterator[httpx.AsyncClient]:
    settings = Settings(data_dir=tmp_path / "var", database_url=database_url, secret_key=SecretStr("test-key" * 5))
    app = create(settings, brain)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as opened,
    ):
        opened.app = app  # type: ignore[attr-defined]
        yield opened


async def say(client: httpx.AsyncClient, token: str, number: int, **what: str) -> dict[str, Any]:
    answer = await client.post(
        "/api/chat/messages", json={"id": str(number), **what}, headers={"Authorization": f"Bearer {token}"}
    )
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def new_token(client: httpx.AsyncClient) -> str:
    return str((await client.post("/api/chat/sessions")).json()["token"])


async def test_a_question_on_the_web_is_answered_and_followed_up(client: httpx.AsyncClient) -> None:
    token = await new_token(client)
    first = await say(client, token, 1, text="dk tam tru het bn tien")
    assert (first["topic"], first["aspect"], first["status"]) == ("tam-tru", "le-phi", "answered")
    assert first["replies"][0]["source"]["seen_on"]
    second = await say(client, token, 2, text="thế nộp ở đâu")
    assert (second["topic"], second["aspect"]) == ("tam-tru", "noi-nop")
    pressed = await say(client, token, 3, payload=first["replies"][0]["buttons"][0]["payload"])
    assert pressed["topic"] == "tam-tru"


async def test_the_same_message_id_is_one_turn(client: httpx.AsyncClient) -> None:
    token = await new_token(client)
    assert await say(client, token, 1, text="xin chào") == await say(client, token, 1, text="xin chào")


async def test_the_parts_say_how_they_are(client: httpx.AsyncClient) -> None:
    assert (await client.get("/healthz")).json() == {"status": "ok"}
    ready = (await client.get("/readyz")).json()
    assert ready["ready"] is True
    assert ready["parts"]["database"]["schema"] == ready["parts"]["database"]["expected"]
    assert ready["parts"]["content"]["topics"] == 140


async def test_a_database_that_went_away_is_reported(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = client.app.state.server  # type: ignore[attr-defined]

    def broken() -> Any:
        raise OSError

    monkeypatch.setattr(server.database, "read", broken)
    answer = await client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["parts"]["database"] == {"ok": False, "error": "OSError"}


async def test_the_api_describes_itself_and_counts(client: httpx.AsyncClient) -> None:
    described = (await client.get("/api/openapi.json")).json()
    assert {"/api/chat/sessions", "/api/chat/messages", "/api/chat/stream"} <= set(described["paths"])
    await say(client, await new_token(client), 1, text="xin chào")
    assert 'congdanso_turns_total{channel="web",status="smalltalk"} 1.0' in (await client.get("/metrics")).text


async def test_an_event_remains_without_text_or_person(client: httpx.AsyncClient) -> None:
    token = await new_token(client)
    await say(client, token, 1, payload="c:ok")
    await say(client, token, 2, text="vi huong bach thong")
    await say(client, token, 3, text="cccd 019203004567 mat roi lam sao, goi 0912345678")
    await say(client, token, 4, text="làm hộ chiếu cần gì")
    database = client.app.state.server.database  # type: ignore[attr-defined]
    async with database.read() as connection:
        rows = (
            (await connection.execute(select(event).where(event.c.name == "turn").order_by(event.c.id)))
            .mappings()
            .all()
        )
    assert [(r["status"], r["topic"], r["unit"]) for r in rows[1:]] == [
        ("action_done", "chon-xa-phuong", "phu-thong"),
        ("refused_personal_data", None, "phu-thong"),
        ("answered", "ho-chieu", "phu-thong"),
    ]
    kept = repr(rows)
    assert "019203004567" not in kept
    assert "cần gì" not in kept
    assert len({r["visitor"] for r in rows}) == 1


@pytest.mark.parametrize(
    "text",
    [
        " ",
        "😀😀",
        "\u202e\u200b",
        "'; DROP TABLE inbox; --",
        "<img src=x onerror=alert(1)>",
        "a" * 20_000,
        "la\u0300m giấy",
    ],
)
async def test_bad_input_gets_a_polite_answer(client: httpx.AsyncClient, text: str) -> None:
    answer = await say(client, await new_token(client), 1, text=text)
    assert answer["replies"][0]["text"]
    assert answer["status"] != "error"
