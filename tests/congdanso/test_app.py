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
from tests.bot.channels.textbrowser import TextBrowser

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


async def test_a_visit_from_a_communes_site_counts_for_the_commune(client: httpx.AsyncClient) -> None:
    token = await new_token(client)
    opened = await say(client, token, 1, payload="start:u_phu-thong")
    assert opened["status"] == "smalltalk"
    await say(client, token, 2, text="làm hộ chiếu cần gì")
    mine = await say(client, token, 3, text="dữ liệu của tôi")
    assert "Xã Phủ Thông" in mine["replies"][0]["text"]
    database = client.app.state.server.database  # type: ignore[attr-defined]
    async with database.read() as connection:
        rows = (await connection.execute(select(event.c.name, event.c.unit, event.c.topic).order_by(event.c.id))).all()
    assert [tuple(row) for row in rows[:2]] == [("turn", "phu-thong", None), ("turn", "phu-thong", "ho-chieu")]
    assert {row.name for row in rows} == {"turn"}, "nobody has chosen a commune or subscribed"


async def test_the_setting_says_which_sites_may_show_the_chat(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "frame-ancestors 'none'" in (await client.get("/embed")).headers["Content-Security-Policy"]
    server = client.app.state.server  # type: ignore[attr-defined]
    monkeypatch.setattr(server, "settings", server.settings.model_copy(update={"embed_origins": ("https://xa.vn",)}))
    assert "frame-ancestors https://xa.vn" in (await client.get("/embed")).headers["Content-Security-Policy"]


async def test_the_chat_without_scripts_answers_from_the_library(client: httpx.AsyncClient) -> None:
    async with TextBrowser(client.app) as citizen:  # type: ignore[attr-defined]
        await citizen.opens("/chat?u=phu-thong")
        page = await citizen.types("dk tam tru het bn tien")
        assert "7.000 đồng" in page.text
        page = await citizen.types("/tailieu")
        [first] = [label for form in page.forms for label in form.buttons if label.startswith("1. ")]
        page = await citizen.types("1")
        assert first.removeprefix("1. ") in page.text
        assert [url for url in page.links.values() if url.startswith("/materials/")]
