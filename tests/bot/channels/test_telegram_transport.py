"""Requests to Telegram: what never left is told apart, and the environment's proxy is used."""

from __future__ import annotations

import asyncio
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st
from telegram.error import NetworkError

from bot.channels.telegram import transport
from bot.channels.telegram.transport import NOT_SENT, QuietRequest

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("address", ["nonsense", "http://", "http://127.0.0.1:1"])
async def test_a_request_that_cannot_leave_says_so_without_its_token(address: str) -> None:
    request = QuietRequest(connections=1, read_timeout=2, connect_timeout=2)
    try:
        with pytest.raises(NetworkError) as raised:
            await request.do_request(f"{address}/bot1:secret/getMe", "POST")
    finally:
        await request.shutdown()
    assert isinstance(raised.value.__cause__, NOT_SENT)
    assert "secret" not in f"{raised.value!r} {raised.value.__cause__!r}"


async def test_the_proxy_of_the_environment_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[bytes] = []

    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.readline())
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
        await writer.drain()
        writer.close()

    transport._proxy.cache_clear()
    async with await asyncio.start_server(proxy, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{port}")
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        request = QuietRequest(connections=1, read_timeout=5, connect_timeout=5)
        try:
            assert await request.do_request("http://messenger.example/bot1:t/getMe", "POST") == (200, b"{}")
        finally:
            await request.shutdown()
            transport._proxy.cache_clear()
    assert heard == [b"POST http://messenger.example/bot1:t/getMe HTTP/1.1\r\n"]


@given(st.dictionaries(st.text("abcdef_", min_size=1), st.text(), min_size=1))
def test_what_is_written_as_a_form_is_read_as_it_was(fields: dict[str, str]) -> None:
    assert dict(parse_qsl(transport._encoded(fields).decode("ascii"), keep_blank_values=True)) == fields
