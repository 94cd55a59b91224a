"""Two servers over one database, and one of them dies: a conversation does not notice which one it talks to."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select

from bot.channels.web.access import TOKEN_BYTES, Tokens
from bot.storage.database import Database
from bot.storage.tables import conversation, inbox
from tests.browser.webapp import KEY, WebApp

pytestmark = pytest.mark.anyio
ROOT = Path(__file__).parents[3]


@dataclass
class Door:
    """One server process and a way in."""

    process: asyncio.subprocess.Process
    http: httpx.AsyncClient

    async def dies(self) -> None:
        self.process.kill()
        await self.process.wait()


@pytest.fixture
async def doors(database: Database, database_url: str) -> AsyncIterator[tuple[Door, Door]]:
    command = [sys.executable, "-m", "tests.bot.channels.webprocess", database_url]
    started = [
        await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=asyncio.subprocess.PIPE) for _ in range(2)
    ]
    opened = []
    for process in started:
        assert process.stdout is not None
        async with asyncio.timeout(60):
            address = (await process.stdout.readline()).decode().strip()
        opened.append(Door(process, httpx.AsyncClient(base_url=address, timeout=20)))
    yield opened[0], opened[1]
    for each in opened:
        await each.http.aclose()
        if each.process.returncode is None:
            await each.dies()


async def events(
    door: Door, token: str, until: str, last: str = "", opened: asyncio.Event | None = None
) -> list[tuple[str, str]]:
    """The ids and texts of a stream's events up to a certain one; then the stream is left."""
    headers = {"Authorization": f"Bearer {token}"} | ({"Last-Event-ID": last} if last else {})
    found: list[tuple[str, str]] = []
    event_id = ""
    async with asyncio.timeout(10), door.http.stream("GET", "/api/chat/stream", headers=headers) as response:
        assert response.status_code == 200
        async for line in response.aiter_lines():
            if opened is not None:
                opened.set()
            if line.startswith("id: "):
                event_id = line.removeprefix("id: ")
            elif line.startswith("data: "):
                found.append((event_id, json.loads(line.removeprefix("data: "))["text"]))
                if found[-1][1] == until:
                    break
    return found


async def asks(door: Door, token: str, message_id: str, text: str) -> dict[str, Any]:
    response = await door.http.post(
        "/api/chat/messages", json={"id": message_id, "text": text}, headers={"Authorization": f"Bearer {token}"}
    )
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


async def test_a_conversation_begun_with_one_server_goes_on_with_the_other(
    doors: tuple[Door, Door], database: Database
) -> None:
    one, two = doors
    token = (await one.http.post("/api/chat/sessions")).json()["token"]
    first = await asks(one, token, "a", "đk tạm trú hết bn tiền")
    assert first["aspect"] == "le-phi"
    assert await asks(two, token, "a", "đk tạm trú hết bn tiền") == first
    assert (await asks(two, token, "b", "thế nộp ở đâu"))["aspect"] == "noi-nop"
    at_once = await asyncio.gather(*(asks(doors[i % 2], token, "c", "đk tạm trú hết bn tiền") for i in range(8)))
    assert all(answer == at_once[0] for answer in at_once)
    async with database.read() as connection:
        assert await connection.scalar(select(func.count()).select_from(conversation)) == 1
        assert await connection.scalar(select(func.count()).select_from(inbox)) == 3

    # what a third process queues reaches the pages at both
    chat = Tokens(KEY).chat_of(token) or ""
    news = "Mai cắt điện ở xóm Đồng."
    opened = [asyncio.Event() for _ in doors]
    listening = [
        asyncio.create_task(events(each, token, news, opened=open_)) for each, open_ in zip(doors, opened, strict=True)
    ]
    await asyncio.gather(*(each.wait() for each in opened))
    await WebApp(database).push(chat, news)
    for heard in await asyncio.gather(*listening):
        assert [text for _, text in heard] == [news]

    # and the page without scripts may come from either
    page = (await one.http.get("/chat")).text
    fields = {name: page.split(f'name="{name}" value="')[1].split('"')[0] for name in ("form", "once")}
    cookies = {"Cookie": f"congdanso_chat={one.http.cookies['congdanso_chat']}"}
    sent = await two.http.post("/chat", data={**fields, "text": "thế nộp ở đâu"}, headers=cookies)
    assert sent.status_code == 303
    shown = await one.http.get(
        "/chat",
        headers=cookies | {"Cookie": f"{cookies['Cookie']}; congdanso_said={two.http.cookies['congdanso_said']}"},
    )
    assert "thế nộp ở đâu" in shown.text and "Công an xã" in shown.text


async def test_a_token_opens_both_doors_and_a_forged_one_neither_even_when_one_server_is_killed(
    doors: tuple[Door, Door], database: Database
) -> None:
    given = [(await doors[i % 2].http.post("/api/chat/sessions")).json()["token"] for i in range(200)]
    values = [token.rpartition(".")[0] for token in given]
    assert len(set(values)) == 200
    assert min(len(value) for value in values) * 6 >= TOKEN_BYTES * 8 == 192
    # No two servers, and no server twice, begin alike: 200 random beginnings of 24 bits share one with odds of 1 to 800.
    assert len({value[:4] for value in values}) >= 199
    forged = [
        Tokens("another key").new(),
        f"{values[0]}.{given[1].rpartition('.')[2]}",
        values[0],
        given[0][::-1],
        given[0].swapcase(),
        "x",
    ]
    for number, token in enumerate(forged):
        each = doors[number % 2]
        headers = {"Authorization": f"Bearer {token}"}
        assert (
            await each.http.post("/api/chat/messages", json={"id": "1", "text": "x"}, headers=headers)
        ).status_code == 401
        assert (await each.http.get("/api/chat/stream", headers=headers)).status_code == 401
    async with database.read() as connection:
        assert await connection.scalar(select(func.count()).select_from(conversation)) == 0

    # what one server did not get out before it was killed comes from the other
    one, two = doors
    web = WebApp(database)
    token = (await one.http.post("/api/chat/sessions")).json()["token"]
    chat = Tokens(KEY).chat_of(token) or ""
    ids = await web.push(chat, "một", "hai", "ba")
    seen = await events(one, token, "một")
    assert seen == [(str(ids[0]), "một")]
    await one.dies()
    await web.push(chat, "bốn")
    # What the dead server had written but not marked comes again under its number, by which a page knows it.
    got = dict(seen + await events(two, token, "bốn", last=seen[0][0]))
    assert list(got.values()) == ["một", "hai", "ba", "bốn"]
    assert (await asks(two, token, "a", "thế nộp ở đâu"))["status"] == "answered"
