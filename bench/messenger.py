"""A messenger's server for measurements: keeps Telegram's limit to the message, and notes when each message arrived.

Run as a process of its own, so that its work does not slow what is measured: `python bench/messenger.py --port 0`. It prints the
port. `GET /arrived?since=N` tells what arrived, with times of the machine's monotonic clock; `POST /reset` forgets.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import socket
import time
from collections import deque
from typing import Any
from urllib.parse import parse_qs

TOKEN = "12345:measured-token"


class Messenger:
    def __init__(self, per_second: int, latency: float) -> None:
        self.per_second, self.latency = per_second, latency
        self.numbers = itertools.count(1)
        self.reset()

    def reset(self) -> None:
        self.arrived: list[tuple[float, str]] = []
        self.refused = 0
        self.taken: deque[float] = deque()

    async def call(self, method: str, body: dict[str, str]) -> dict[str, Any]:
        now = time.monotonic()
        await asyncio.sleep(self.latency)
        if method != "sendMessage":
            return {
                "ok": True,
                "result": {"id": 12345, "is_bot": True, "first_name": "x"} if method == "getMe" else True,
            }
        while self.taken and self.taken[0] <= now - 1:
            self.taken.popleft()
        if len(self.taken) >= self.per_second:
            self.refused += 1
            return {
                "ok": False, "error_code": 429, "description": "Too Many Requests: retry after 1",
                "parameters": {"retry_after": 1},
            }  # fmt: skip
        self.taken.append(now)
        self.arrived.append((now, body.get("chat_id", "")))
        chat = {"id": int(body.get("chat_id", 0)), "type": "private"}
        return {"ok": True, "result": {"message_id": next(self.numbers), "date": int(time.time()), "chat": chat}}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while request := await reader.readline():
                _, target, _ = request.decode().split()
                length = 0
                while (line := await reader.readline()) not in (b"\r\n", b""):
                    name, _, value = line.decode().partition(":")
                    if name.lower() == "content-length":
                        length = int(value)
                body = (await reader.readexactly(length)).decode() if length else ""
                answer = await self.answer(target, body)
                status = 429 if isinstance(answer, dict) and answer.get("error_code") == 429 else 200
                data = json.dumps(answer).encode()
                head = f"HTTP/1.1 {status} OK\r\nContent-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
                writer.write(head.encode() + data)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def answer(self, target: str, body: str) -> Any:
        path, _, query = target.partition("?")
        if path == "/reset":
            self.reset()
            return {}
        if path == "/arrived":
            since = int(parse_qs(query).get("since", ["0"])[0])
            return {"arrived": self.arrived[since:], "refused": self.refused}
        fields = {name: values[0] for name, values in parse_qs(body, keep_blank_values=True).items()}
        return await self.call(path.rsplit("/", 1)[-1], fields)


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--per-second", type=int, default=30)
    parser.add_argument("--latency", type=float, default=0.02)
    options = parser.parse_args()
    messenger = Messenger(options.per_second, options.latency)
    server = await asyncio.start_server(messenger.serve, "127.0.0.1", options.port, family=socket.AF_INET)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
