"""What the bot says unasked reaches an open page once, in order, and a broken line loses nothing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from bot.channels.web.access import Tokens
from bot.storage.database import Database
from tests.browser.webapp import WebApp, address_of, create, server

pytestmark = pytest.mark.anyio


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = await create(tmp_path / "web.db")
    yield opened
    await opened.close()


@dataclass
class Served:
    """The web chat on a socket, and one citizen's token for it."""

    web: WebApp
    http: httpx.AsyncClient
    token: str = ""
    chat: str = ""

    @asynccontextmanager
    async def stream(self, *, last: str | None = None, by_query: bool = False) -> AsyncIterator[Stream]:
        headers = {} if by_query else {b"Authorization": f"Bearer {self.token}".encode()}
        if last is not None:
            headers[b"Last-Event-ID"] = last.encode()
        query = f"?token={self.token}" if by_query else ""
        async with self.http.stream("GET", f"/api/chat/stream{query}", headers=headers) as response:
            reading = Stream(response)
            try:
                yield reading
            finally:
                await reading.close()

    async def push(self, *texts: str) -> list[int]:
        ids = await self.web.push(self.chat, *texts)
        self.web.bells.ring(self.chat)
        return ids

    async def until_sent(self, ids: list[int]) -> None:
        async with asyncio.timeout(5):
            while set(await self.web.states(ids)) != {"sent"}:
                await asyncio.sleep(0.02)

    async def until_closed(self) -> None:
        async with asyncio.timeout(5):
            while self.web.bells.count(self.chat):
                await asyncio.sleep(0.02)


class Stream:
    """Reads server-sent events, in a task of its own so that waiting for one in vain does not break the line."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self.comments: list[str] = []
        self._events: asyncio.Queue[tuple[str, dict[str, Any]]] = asyncio.Queue()
        self._task = asyncio.create_task(self._read()) if response.is_success else None

    async def _read(self) -> None:
        fields: dict[str, str] = {}
        async for line in self.response.aiter_lines():
            if line.startswith(":"):
                self.comments.append(line)
            elif line:
                name, _, value = line.partition(": ")
                fields[name] = value
            elif "data" in fields:
                self._events.put_nowait((fields["id"], json.loads(fields["data"])))
                fields = {}

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def next(self, seconds: float = 5) -> tuple[str, dict[str, Any]]:
        """The next event's id and reply."""
        async with asyncio.timeout(seconds):
            return await self._events.get()

    async def texts(self, number: int) -> list[str]:
        return [(await self.next())[1]["text"] for _ in range(number)]

    async def is_silent(self, seconds: float = 0.3) -> bool:
        try:
            await self.next(seconds)
        except TimeoutError:
            return True
        return False


@asynccontextmanager
async def serving(web: WebApp, **settings: Any) -> AsyncIterator[Served]:
    running = server(web.app(**settings))
    task = asyncio.create_task(running.serve())
    while not running.started:
        await asyncio.sleep(0.01)
    async with httpx.AsyncClient(base_url=address_of(running), timeout=20) as http:
        token = (await http.post("/api/chat/sessions")).json()["token"]
        chat = Tokens("khoá của bài kiểm tra").chat_of(token)
        assert chat is not None
        try:
            yield Served(web, http, token, chat)
        finally:
            running.should_exit = True
            await task


@pytest.fixture
async def served(database: Database) -> AsyncIterator[Served]:
    async with serving(WebApp(database)) as running:
        yield running


async def test_an_open_page_gets_what_is_pushed_at_once(served: Served) -> None:
    async with served.stream() as stream:
        assert stream.response.status_code == 200
        assert stream.response.headers["Content-Type"].startswith("text/event-stream")
        assert stream.response.headers["Cache-Control"] == "no-store"
        assert await stream.is_silent()
        ids = await served.push("Cán bộ trả lời: anh/chị mang theo căn cước.\nGiờ làm việc: 7 giờ 30.")
        event_id, reply = await stream.next(2)
        assert int(event_id) == ids[0]
        assert set(reply) == {"text", "buttons", "attachments", "source"}
        assert reply["text"].endswith("\nGiờ làm việc: 7 giờ 30.")
        await served.until_sent(ids)
    await served.until_closed()


async def test_what_was_queued_while_nobody_listened_waits_for_the_page(served: Served) -> None:
    ids = await served.push("một", "hai")
    assert await served.web.states(ids) == ["queued", "queued"]
    async with served.stream() as stream:
        assert await stream.texts(2) == ["một", "hai"]
        await served.until_sent(ids)
        assert await stream.is_silent()
    async with served.stream() as stream:
        assert await stream.is_silent()


async def test_a_broken_line_resumes_after_the_last_event_seen(served: Served) -> None:
    async with served.stream() as stream:
        await stream.is_silent(0.1)
        ids = await served.push("một", "hai", "ba")
        seen, _ = await stream.next()
        await served.until_sent(ids)
    await served.until_closed()
    await served.push("bốn")
    async with served.stream(last=seen) as stream:
        assert await stream.texts(3) == ["hai", "ba", "bốn"]
        assert await stream.is_silent()


async def test_two_pages_of_one_conversation_both_get_it(served: Served) -> None:
    async with served.stream() as one, served.stream() as two:
        assert await one.is_silent(0.1) and await two.is_silent(0.1)
        await served.push("một")
        assert await one.texts(1) == await two.texts(1) == ["một"]


async def test_an_event_source_may_bring_its_token_in_the_address(served: Served) -> None:
    await served.push("một")
    async with served.stream(by_query=True) as stream:
        assert await stream.texts(1) == ["một"]


@pytest.mark.parametrize("last", ["", "abc", "-1", "1.5", "9" * 30, "٣"])
async def test_a_strange_last_event_id_does_not_stop_what_is_queued(served: Served, last: str) -> None:
    await served.push("một")
    async with served.stream(last=last) as stream:
        assert await stream.texts(1) == ["một"]


async def test_answers_and_other_peoples_messages_are_not_on_the_stream(served: Served) -> None:
    async with served.stream() as stream:
        headers = {"Authorization": f"Bearer {served.token}"}
        await served.http.post("/api/chat/messages", json={"id": "1", "text": "thế nộp ở đâu"}, headers=headers)
        await served.web.push("d" * 64, "của người khác")
        assert await stream.is_silent()


async def test_a_page_that_is_still_new_can_listen(served: Served) -> None:
    async with served.stream() as stream:
        assert await stream.is_silent(0.1)
        await served.push("một")
        assert await stream.texts(1) == ["một"]


async def test_what_another_process_queued_is_found_without_a_bell(database: Database) -> None:
    web = WebApp(database)
    async with serving(web, look=0.2) as served, served.stream() as stream:
        assert await stream.is_silent(0.1)
        await web.push(served.chat, "từ tiến trình khác")
        assert await stream.texts(1) == ["từ tiến trình khác"]


@asynccontextmanager
async def held_elsewhere(database: Database) -> AsyncIterator[tuple[Served, list[int], Callable[[], Awaitable[None]]]]:
    """A pushed message whose conversation another process has in hand, and how that lets go."""
    web = WebApp(database)
    async with serving(web, look=0.2) as served:
        ids = await served.push("một")
        other = web.turns("other")
        held = await other.hold(1)
        assert held is not None
        yield served, ids, partial(other.release, held)


async def test_it_is_marked_as_sent_once_whoever_held_the_conversation_lets_go(database: Database) -> None:
    async with held_elsewhere(database) as (served, ids, let_go), served.stream() as stream:
        assert await stream.texts(1) == ["một"]
        await asyncio.sleep(0.3)
        assert await served.web.states(ids) == ["queued"]
        await let_go()
        await served.until_sent(ids)
        assert await stream.is_silent()


async def test_a_page_that_left_meanwhile_had_it_all_the_same(database: Database) -> None:
    async with held_elsewhere(database) as (served, ids, let_go):
        async with served.stream() as stream:
            assert await stream.texts(1) == ["một"]
        assert await served.web.states(ids) == ["queued"]
        await let_go()
        await served.until_sent(ids)


async def test_a_silent_line_is_kept_alive(database: Database) -> None:
    async with serving(WebApp(database), keep_alive=0.1) as served, served.stream() as stream:
        assert await stream.is_silent(0.5)
        assert len(stream.comments) >= 3


async def test_one_conversation_cannot_open_streams_without_end(served: Served) -> None:
    async with asyncio.timeout(10):
        streams = [served.stream() for _ in range(6)]
        opened = [await stream.__aenter__() for stream in streams]
        for stream in opened:
            await stream.is_silent(0.1)
        async with served.stream() as refused:
            assert refused.response.status_code == 429
            detail = json.loads(await refused.response.aread())["detail"]
            assert detail.startswith("Cuộc trò chuyện này đang mở ở nhiều nơi quá")
        for closing in streams:
            await closing.__aexit__(None, None, None)
    await served.until_closed()


async def test_a_server_that_ends_does_not_wait_for_its_pages(database: Database) -> None:
    loop = asyncio.get_running_loop()
    async with serving(WebApp(database)) as served:
        stream = served.stream()
        await (await stream.__aenter__()).is_silent(0.1)
        began = loop.time()
    assert loop.time() - began < 5
    await stream.__aexit__(None, None, None)
