"""What Zalo hands over, by poll or webhook: read in every shape, stored before the next is asked for, handled once."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from bot.channels.zalo_bot import ZaloBotChannel, ZaloBotPoller, webhook_router
from bot.channels.zalo_bot.parse import parse, unwrap
from bot.inbox import accept
from bot.messages import Address, Incoming, masked
from bot.storage.database import Database
from bot.storage.tables import inbox
from tests.builders import MORNING
from tests.emulators.server import serve
from tests.emulators.zalo_bot import TOKEN, Fault, ZaloBotEmulator

pytestmark = pytest.mark.anyio

CHAT = "6ede9afa66b88fe6d6a9"
SECRET = "bi-mat-12345678"
NAMES = ("Bot Công dân số", "bot.VDKyGxQvc")


def update(event: str | None = "message.text.received", *, group: bool = False, **fields: Any) -> dict[str, Any]:
    message = {
        "from": {"id": CHAT, "display_name": "Ted", "is_bot": False},
        "chat": {"id": CHAT, "chat_type": "GROUP" if group else "PRIVATE"},
        "message_id": "2d758cb5e222177a4e35",
        "date": 1750316131602,
    }
    return ({"event_name": event} if event else {}) | {"message": message | fields}


def without(field: str) -> dict[str, Any]:
    made = update(text="x")
    del made["message"][field]
    return made


def image(caption: str = "cccd của tôi") -> dict[str, Any]:
    fields = {"photo_url": "https://zalo.example/cccd.jpg", "caption": caption, "message_type": "CHAT_PHOTO"}
    return update("message.image.received", **fields)


PARSE: list[tuple[str, Any, tuple[str, str] | None]] = [
    ("text", update(text="Xin chào"), ("text", "Xin chào")),
    ("wrapped", {"ok": True, "result": update(text="Xin chào")}, ("text", "Xin chào")),
    ("without event_name", update(None, text="Xin chào"), ("text", "Xin chào")),
    ("start", update(text="/start"), ("opened", "")),
    ("start with a campaign", update(text="/start c_khai-sinh_phu-thong"), ("opened", "c_khai-sinh_phu-thong")),
    ("code of a campaign", update(text="#c_khai-sinh"), ("opened", "c_khai-sinh")),
    ("start with a number", update(text="/start 019203004567"), ("opened", "")),
    ("another command", update(text="/trogiup"), ("text", "/trogiup")),
    ("hash of something else", update(text="#1"), ("text", "#1")),
    ("image with words", image(), ("captioned", "cccd của tôi")),
    ("image by photo_url", image(caption=""), ("unsupported", "photo")),
    ("image by photo", update("message.image.received", photo="https://x/y.jpg"), ("unsupported", "photo")),
    ("image without event_name", update(None, photo_url="https://x/y.jpg"), ("unsupported", "photo")),
    ("voice", update("message.voice.received", voice_url="https://x/y.aac"), ("unsupported", "voice")),
    ("voice without event_name", update(None, voice_url="https://x/y.aac"), ("unsupported", "voice")),
    ("sticker", update("message.sticker.received", sticker="0e07", url="https://x"), ("unsupported", "sticker")),
    ("link", update("message.link.received", text="https://x", url="https://x"), ("unsupported", "link")),
    ("link and a question", update("message.link.received", text="https://x thật không"), ("text", "thật không")),
    ("unsupported with a chat", update("message.unsupported.received"), ("unsupported", "unsupported")),
    ("text without text", update(text=" "), ("unsupported", "unsupported")),
    ("unsupported without a message", {"event_name": "message.unsupported.received"}, None),
    ("the same, wrapped", {"ok": True, "result": {"event_name": "message.unsupported.received"}}, None),
    ("reaction", update("message.reaction.received", text="❤"), None),
    ("an event of the future", update("user.follow", text="x"), None),
    ("group, mentioned", update(group=True, text="@Bot Công dân số khai sinh ở đâu"), ("text", "khai sinh ở đâu")),
    ("group, by account name", update(group=True, text="@bot.VDKyGxQvc lệ phí?"), ("text", "lệ phí?")),
    ("group, a reply to the bot", update(group=True, text="thế lệ phí?"), ("text", "thế lệ phí?")),
    ("group, image", {**image(), "message": image()["message"] | {"chat": {"id": "g", "chat_type": "GROUP"}}}, None),
    ("another bot", update(text="x", **{"from": {"id": "b", "is_bot": True}}), None),
    ("no sender", without("from"), ("text", "x")),
    ("no chat", without("chat"), None),
    ("chat without id", update(text="x", chat={"chat_type": "PRIVATE"}), None),
    ("chat with a number", update(text="x", chat={"id": 5}), None),
    ("chat too long", update(text="x", chat={"id": "x" * 129}), None),
    ("error instead of an update", {"ok": False, "error_code": 408, "description": "Request timeout"}, None),
    ("probe", {}, None),
    ("list", [], None),
]  # fmt: skip


@pytest.mark.parametrize(("body", "expected"), [r[1:] for r in PARSE], ids=[r[0] for r in PARSE])
def test_parse(body: Any, expected: tuple[str, str] | None) -> None:
    found, _ = unwrap(body)
    incoming = None if found is None else parse(found, NAMES, "default", MORNING)
    if expected is None:
        assert incoming is None
        return
    assert incoming is not None
    assert (incoming.kind, incoming.text) == expected
    assert incoming.address == Address("zalo-bot", "default", CHAT)
    assert incoming.update_id == "2d758cb5e222177a4e35"
    assert "Ted" not in repr(incoming)
    assert "http" not in repr(incoming)


class TestReading:
    def test_a_message_without_an_id_is_known_again_by_what_it_holds(self) -> None:
        ids = []
        for made in (without("message_id"), without("message_id"), without("message_id") | {"x": 1}):
            incoming = parse(made, NAMES, "default", MORNING)
            assert incoming is not None
            ids.append(incoming.update_id)
        assert ids[0] == ids[1] != ids[2]
        assert len(ids[0]) <= 192

    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=30),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(
                        [
                            "ok",
                            "result",
                            "message",
                            "event_name",
                            "chat",
                            "id",
                            "from",
                            "text",
                            "chat_type",
                            "message_id",
                        ]
                    ),
                    inner,
                    max_size=6,
                )
            ),
            max_leaves=25,
        )
    )
    def test_nothing_that_arrives_is_too_strange(self, body: Any) -> None:
        found, shape = unwrap(body)
        assert shape in ("flat", "wrapped", "empty")
        incoming = None if found is None else parse(found, NAMES, "default", MORNING)
        assert incoming is None or (0 < len(incoming.address.chat) <= 128 and len(incoming.update_id) <= 192)

    @given(st.text(max_size=300))
    def test_a_text_comes_through_as_it_was_written(self, text: str) -> None:
        incoming = parse(update(text=text), (), "default", MORNING)
        assert incoming is not None
        if text.strip() and not text.strip().startswith(("/start", "#c_")):
            assert (incoming.kind, incoming.text) == ("text", text.strip())

    def test_a_personal_number_is_masked_before_it_is_stored(self) -> None:
        incoming = parse(update(text="căn cước 019203004567"), (), "default", MORNING)
        assert incoming is not None
        assert "019203004567" not in repr(masked(incoming))


@pytest.fixture
def emulator() -> ZaloBotEmulator:
    return ZaloBotEmulator()


@pytest.fixture
def url(emulator: ZaloBotEmulator) -> Iterator[str]:
    with serve(emulator.app()) as address:
        yield address


@pytest.fixture
async def channel(url: str) -> AsyncIterator[ZaloBotChannel]:
    opened = ZaloBotChannel("default", TOKEN, api_url=url, webhook_secret=SECRET)
    yield opened
    await opened.stop()


async def rows(database: Database) -> list[str | None]:
    async with database.read() as connection:
        return list((await connection.execute(select(inbox.c.text).order_by(inbox.c.id))).scalars())


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while not await condition():
            await asyncio.sleep(0.02)


class Polling:
    """A poller that runs while the test looks."""

    def __init__(self, channel: ZaloBotChannel, store: Callable[[Incoming], Awaitable[Any]]) -> None:
        self.poller = ZaloBotPoller(channel, store, lambda: None, lambda: MORNING, long_poll=1, patience=(0.05,))

    async def __aenter__(self) -> asyncio.Task[None]:
        self.task = asyncio.create_task(self.poller.run())
        return self.task

    async def __aexit__(self, *_: object) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


class TestPolling:
    @pytest.fixture
    def store(self, database: Database) -> Callable[[Incoming], Awaitable[Any]]:
        return lambda incoming: accept(database, incoming)

    async def test_updates_are_stored_one_by_one_and_a_repeated_one_once(
        self, channel: ZaloBotChannel, emulator: ZaloBotEmulator, database: Database, store: Any
    ) -> None:
        first = emulator.message(CHAT, "một")
        emulator.message("khác", "hai")
        emulator.update(first)
        emulator.message(CHAT, "ba")

        async def all_there() -> bool:
            return len(await rows(database)) >= 3 and emulator.waiting() == 0

        async with Polling(channel, store):
            await until(all_there)
        assert await rows(database) == ["một", "hai", "ba"]
        polls = [body for method, body in emulator.calls if method == "getUpdates"]
        assert all(body == {"timeout": "1"} for body in polls)

    async def test_an_empty_poll_is_no_trouble(
        self, channel: ZaloBotChannel, emulator: ZaloBotEmulator, store: Any
    ) -> None:
        emulator.longest_poll = 0.1

        async def polled() -> bool:
            return sum(method == "getUpdates" for method, _ in emulator.calls) >= 5

        async with Polling(channel, store):
            await until(polled)
            assert channel.problem == ""

    async def test_nothing_is_fetched_before_the_last_one_is_stored(
        self, channel: ZaloBotChannel, emulator: ZaloBotEmulator, database: Database
    ) -> None:
        emulator.message(CHAT, "một")
        emulator.message(CHAT, "hai")
        seen: list[tuple[str, int]] = []

        async def flaky(incoming: Incoming) -> None:
            seen.append((incoming.text, emulator.waiting()))
            if len(seen) <= 3:
                raise OSError("disk full")
            await accept(database, incoming)

        async def both() -> bool:
            return len(await rows(database)) == 2

        async with Polling(channel, flaky):
            await until(both)
        assert seen == [("một", 1)] * 4 + [("hai", 0)]
        assert channel.problem == ""

    async def test_who_ends_the_poller_grants_what_it_holds_a_last_attempt(
        self, channel: ZaloBotChannel, emulator: ZaloBotEmulator, database: Database
    ) -> None:
        emulator.message(CHAT, "một")
        failing = True
        tried = asyncio.Event()

        async def flaky(incoming: Incoming) -> None:
            if failing:
                tried.set()
                raise OSError("disk full")
            await accept(database, incoming)

        polling = Polling(channel, flaky)
        polling.poller._patience = (30.0,)
        async with polling:
            await tried.wait()
            await asyncio.sleep(0.05)
            failing = False
        assert await rows(database) == ["một"]

    async def test_what_is_lost_all_the_same_is_said(
        self, channel: ZaloBotChannel, emulator: ZaloBotEmulator, caplog: pytest.LogCaptureFixture
    ) -> None:
        emulator.message(CHAT, "một")
        tried = asyncio.Event()

        async def full(incoming: Incoming) -> None:
            tried.set()
            raise OSError("disk full")

        polling = Polling(channel, full)
        polling.poller._patience = (30.0,)
        async with polling:
            await tried.wait()
            await asyncio.sleep(0.05)
            assert channel.problem == "NotStored"
        assert [r.message for r in caplog.records if r.levelno == logging.CRITICAL] == ["an update is lost"]

    async def test_a_store_under_way_is_finished_when_the_poller_is_ended(
        self, channel: ZaloBotChannel, emulator: ZaloBotEmulator, database: Database
    ) -> None:
        emulator.message(CHAT, "một")
        begun = asyncio.Event()

        async def slow(incoming: Incoming) -> None:
            begun.set()
            await asyncio.sleep(0.3)
            await accept(database, incoming)

        async with Polling(channel, slow):
            await begun.wait()
        assert await rows(database) == ["một"]

    async def test_faults_of_the_messenger_are_waited_out(
        self, channel: ZaloBotChannel, emulator: ZaloBotEmulator, database: Database, store: Any
    ) -> None:
        emulator.faults["getUpdates"] = [
            Fault(502, description="Bad Gateway"),
            Fault(403, description="Internal server error"),
            Fault(429, description="Quota exceeded", parameters={"retry_after": 0.1}),
            Fault(200, page="<html>bảo trì</html>"),
            Fault(drop=True),
        ]
        emulator.message(CHAT, "một")

        async def stored() -> bool:
            return bool(await rows(database))

        async with Polling(channel, store):
            await until(stored)
        assert channel.problem == ""

    async def test_a_fault_of_ours_does_not_end_the_polling(
        self, channel: ZaloBotChannel, emulator: ZaloBotEmulator, database: Database, store: Any
    ) -> None:
        fetch, failures = channel.fetch, 2

        async def broken(wait: float) -> Any:
            nonlocal failures
            if failures:
                failures -= 1
                raise KeyError("ours")
            return await fetch(wait)

        channel.fetch = broken  # type: ignore[method-assign]
        emulator.message(CHAT, "một")

        async def stored() -> bool:
            return bool(await rows(database))

        async with Polling(channel, store):
            await until(stored)

    async def test_several_failures_in_a_row_are_a_problem(
        self, channel: ZaloBotChannel, emulator: ZaloBotEmulator, store: Any
    ) -> None:
        emulator.faults["getUpdates"] = [Fault(502, description="x") for _ in range(200)]

        async def seen() -> bool:
            return channel.problem == "502"

        async with Polling(channel, store):
            await until(seen)

    async def test_a_webhook_is_ended_first_and_again_when_somebody_sets_one(
        self, channel: ZaloBotChannel, emulator: ZaloBotEmulator, database: Database, store: Any
    ) -> None:
        emulator.webhook = {"url": "https://elsewhere.example"}
        emulator.message(CHAT, "một")

        async def stored() -> bool:
            return bool(await rows(database))

        async with Polling(channel, store):
            await until(stored)
            assert emulator.webhook == {}
            emulator.webhook = {"url": "https://elsewhere.example"}
            emulator.message(CHAT, "hai")

            async def alone_again() -> bool:
                return len(await rows(database)) == 2 and emulator.webhook == {} and channel.problem == ""

            await until(alone_again)

    async def test_a_token_that_zalo_does_not_know_ends_the_polling(self, url: str, store: Any) -> None:
        channel = ZaloBotChannel("default", "1:other", api_url=url)
        async with Polling(channel, store) as task:
            await asyncio.wait_for(task, 10)
        assert channel.problem == "InvalidToken"
        await channel.stop()

    async def test_no_log_line_holds_the_token_or_what_was_written(
        self,
        channel: ZaloBotChannel,
        emulator: ZaloBotEmulator,
        database: Database,
        store: Any,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        caplog.set_level(logging.DEBUG)
        emulator.message(CHAT, "chuyện riêng của tôi")

        async def stored() -> bool:
            return bool(await rows(database))

        async with Polling(channel, store):
            await until(stored)
        lines = [f"{r.getMessage()} {r.__dict__}" for r in caplog.records if r.name.startswith(("bot", "httpx"))]
        assert any("HTTP Request" in line for line in lines)
        assert any("flat message.text.received" in line for line in lines)
        assert not any(TOKEN in line or "chuyện riêng" in line or "Lan" in line for line in lines)


HOOK = "/channels/zalo-bot/default/webhook"
SAID = json.dumps({"ok": True, "result": update(text="một")})
WEBHOOK: list[tuple[str, str, str | None, str, int, list[str]]] = [
    # name, path, secret, body, status, what is stored
    ("wrapped", HOOK, SECRET, SAID, 200, ["một"]),
    ("flat", HOOK, SECRET, json.dumps(update(text="một")), 200, ["một"]),
    ("image", HOOK, SECRET, json.dumps(image("")), 200, ["photo"]),
    ("unsupported without a message", HOOK, SECRET, '{"event_name":"message.unsupported.received"}', 200, []),
    ("probe", HOOK, SECRET, "{}", 200, []),
    ("an event of the future", HOOK, SECRET, json.dumps(update("user.left", text="x")), 200, []),
    ("no secret", HOOK, None, SAID, 403, []),
    ("wrong secret", HOOK, SECRET + "9", SAID, 403, []),
    ("beginning of the secret", HOOK, SECRET[:-1], SAID, 403, []),
    ("secret in other letters", HOOK, "é" * 16, SAID, 403, []),
    ("empty secret", HOOK, "", SAID, 403, []),
    ("no JSON", HOOK, SECRET, "một", 400, []),
    ("list", HOOK, SECRET, f"[{SAID}]", 400, []),
    ("deep", HOOK, SECRET, "[" * 100_000, 400, []),
    ("too large", HOOK, SECRET, json.dumps({"x": "x" * 300_000}), 413, []),
    ("too large without the secret", HOOK, None, json.dumps({"x": "x" * 300_000}), 403, []),
    ("unknown account", "/channels/zalo-bot/other/webhook", SECRET, SAID, 404, []),
    ("account without a secret", "/channels/zalo-bot/open/webhook", "", SAID, 403, []),
]  # fmt: skip


class TestTheWebhook:
    @pytest.fixture
    async def client(self, url: str, channel: ZaloBotChannel, database: Database) -> AsyncIterator[httpx.AsyncClient]:
        unguarded = ZaloBotChannel("open", TOKEN, api_url=url)
        app = FastAPI()
        accounts = {"default": channel, "open": unguarded}
        app.include_router(webhook_router(accounts, lambda incoming: accept(database, incoming), lambda: MORNING))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as opened:
            yield opened
        await unguarded.stop()

    @pytest.mark.parametrize(
        ("path", "secret", "body", "status", "stored"), [r[1:] for r in WEBHOOK], ids=[r[0] for r in WEBHOOK]
    )
    async def test_a_request(
        self,
        client: httpx.AsyncClient,
        database: Database,
        path: str,
        secret: str | None,
        body: str,
        status: int,
        stored: list[str],
    ) -> None:
        headers = [] if secret is None else [(b"X-Bot-Api-Secret-Token", secret.encode("latin-1"))]
        answer = await client.post(path, content=body.encode(), headers=headers)
        assert answer.status_code == status
        assert await rows(database) == stored

    async def test_what_comes_twice_is_stored_once(self, client: httpx.AsyncClient, database: Database) -> None:
        for _ in range(3):
            answer = await client.post(HOOK, content=SAID, headers={"X-Bot-Api-Secret-Token": SECRET})
            assert answer.status_code == 200
        assert await rows(database) == ["một"]

    async def test_what_cannot_be_stored_stays_with_zalo(self, channel: ZaloBotChannel) -> None:
        async def full(incoming: Incoming) -> None:
            raise OSError("disk full")

        app = FastAPI()
        app.include_router(webhook_router({"default": channel}, full, lambda: MORNING))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            answer = await client.post(HOOK, content=SAID, headers={"X-Bot-Api-Secret-Token": SECRET})
        assert answer.status_code == 503
        assert "disk" not in answer.text

    async def test_zalo_delivers_over_a_socket(
        self, emulator: ZaloBotEmulator, channel: ZaloBotChannel, database: Database
    ) -> None:
        app = FastAPI()
        loop = asyncio.get_running_loop()

        async def store(incoming: Incoming) -> None:
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(accept(database, incoming), loop))

        app.include_router(webhook_router({"default": channel}, store, lambda: MORNING))
        emulator.webhook = {"url": "https://public.example", "secret_token": "12345678"}
        channel.secret = "12345678"
        emulator.message(CHAT, "một")
        emulator.event("message.voice.received", CHAT, voice_url="https://x/y.aac")
        with serve(app) as base:
            assert await emulator.deliver(base + HOOK) == 2
        assert await rows(database) == ["một", "voice"]
