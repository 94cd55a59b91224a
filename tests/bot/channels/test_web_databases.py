"""The web chat over migrated databases of both kinds, where many requests meet in one conversation."""

from __future__ import annotations

import asyncio
from typing import Any

import anyio
import httpx
import pytest

from bot.channels.web.access import Tokens
from bot.channels.web.channel import Bells
from bot.channels.web.stream import Pushed
from bot.storage.database import Database
from tests.browser.webapp import WebApp
from tests.builders import Clock

pytestmark = pytest.mark.anyio


async def test_one_message_ten_times_over_two_processes_is_one_turn(database: Database) -> None:
    web = WebApp(database, clock=Clock())
    doors = [
        httpx.AsyncClient(transport=httpx.ASGITransport(web.app()), base_url="http://web.test", timeout=30)
        for _ in range(2)
    ]
    token = (await doors[0].post("/api/chat/sessions")).json()["token"]

    async def ask(number: int, message_id: str) -> Any:
        response = await doors[number % 2].post(
            "/api/chat/messages",
            json={"id": message_id, "text": "đk tạm trú \x00 hết bn tiền"},
            headers={"Authorization": f"Bearer {token}"},
        )
        assert response.status_code == 200, response.text
        return response.json()

    answers = await asyncio.gather(*(ask(number, "mã \x00") for number in range(10)))
    assert answers[0]["status"] == "answered"
    assert all(answer == answers[0] for answer in answers)
    assert len(web.dialogue.said) == 1
    await asyncio.gather(*(ask(number, f"khác {number}") for number in range(10)))
    assert len(web.dialogue.said) == 11
    for door in doors:
        await door.aclose()


@pytest.mark.parametrize("last_seen", [None, 0, 2**63 - 1])
async def test_a_stream_delivers_what_is_queued_and_marks_it(database: Database, last_seen: int | None) -> None:
    web = WebApp(database, clock=Clock())
    chat = Tokens("khoá").chat_of(Tokens("khoá").new())
    assert chat is not None
    ids = await web.push(chat, "một", "hai")
    pushed = Pushed(database, web.turns(), Bells(), web.clock, look=60)
    events = pushed.events(chat, last_seen)
    got = [await anext(events) for _ in range(3)]
    assert [event.id for event in got] == [None, *map(str, ids)]
    more: list[object] = []

    async def go_on() -> None:
        more.append(await anext(events))

    # Ended the way the server ends it when a page leaves, possibly in the middle of the marking.
    async with asyncio.timeout(5), anyio.create_task_group() as page:
        page.start_soon(go_on)
        while await web.states(ids) != ["sent", "sent"]:
            await asyncio.sleep(0.02)
        page.cancel_scope.cancel()
    assert more == []
