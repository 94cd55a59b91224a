"""The guide to a new channel works: its code is taken out of the page, its table holds, and a conversation runs through it."""

from __future__ import annotations

import asyncio
import importlib.util
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import select
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bot import messages
from bot.conversation.model import Button, Reply
from bot.inbox import accept
from bot.messages import Incoming
from bot.storage.database import Database
from bot.storage.tables import inbox
from tests.builders import answering, until
from tests.emulators.server import serve

if TYPE_CHECKING:
    from congdanso.brain import Brain

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "guides" / "new-channel.md").read_text(encoding="utf-8")
TOKEN, SECRET = "gateway-token-1", "kiosk-secret-1"


def block(name: str) -> str:
    """The code block of that name."""
    [found] = re.findall(rf"```python {name}\n(.*?)```", GUIDE, re.DOTALL)
    return str(found)


NAMES = {"Reply": Reply, "Button": Button} | {
    name: getattr(messages, name)
    for name in ("Sent", "RetryAfter", "Transient", "ContactStopped", "Rejected", "Misconfigured")
}
exec(compile(block("table"), "new-channel.md", "exec"), NAMES)
TABLE: list[Any] = NAMES["TABLE"]  # type: ignore[assignment]


@pytest.fixture(scope="module")
def kiosk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    """The guide's module, from a file of its own."""
    path = tmp_path_factory.mktemp("guide") / "kiosk.py"
    path.write_text(block("module"), encoding="utf-8")
    spec = importlib.util.spec_from_file_location("kiosk_of_the_guide", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


@dataclass
class Gateway:
    """The kiosks' gateway: shows what it is sent, answers from a list and then with success."""

    shown: list[tuple[str, str]] = field(default_factory=list)
    answers: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    authorizations: set[str] = field(default_factory=set)

    def app(self) -> Starlette:
        async def show(request: Request) -> Response:
            body = await request.json()
            self.authorizations.add(request.headers["authorization"])
            self.shown.append((body["screen"], body["text"]))
            status, headers = self.answers.pop(0) if self.answers else (200, {})
            if status == 0:
                return Dropped()
            return Response(status_code=status, headers=headers)

        return Starlette(routes=[Route("/show", show, methods=["POST"])])

    def texts(self, screen: str) -> list[str]:
        return [text for where, text in self.shown if where == screen]


class Dropped(Response):
    """Closes the connection without an answer."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"9")]})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


@pytest.fixture
def gateway() -> Gateway:
    return Gateway()


@pytest.fixture
async def channel(kiosk: ModuleType, gateway: Gateway) -> AsyncIterator[Any]:
    with serve(gateway.app()) as url:
        opened = kiosk.KioskChannel("default", url, TOKEN, SECRET)
        yield opened
        await opened.stop()


def test_the_module_is_as_short_as_promised() -> None:
    assert len(block("module").splitlines()) < 120


@pytest.mark.parametrize("command", [["check"], ["format", "--check"]], ids=["rules", "format"])
def test_the_module_keeps_the_rules_of_the_house(command: list[str]) -> None:
    ruff = [sys.executable, "-m", "ruff", *command, "--stdin-filename", "bot/channels/kiosk.py", "-"]
    ran = subprocess.run(ruff, input=block("module"), capture_output=True, text=True, cwd=ROOT, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.parametrize(("reply", "answers", "expected", "leaves"), [r[1:] for r in TABLE], ids=[r[0] for r in TABLE])
async def test_the_table_of_the_guide(
    channel: Any, gateway: Gateway, reply: Reply, answers: list[Any], expected: Any, leaves: list[str]
) -> None:
    gateway.answers = list(answers)
    assert await channel.send("k1", reply) == expected
    assert gateway.texts("k1") == leaves


async def test_a_conversation_through_inbox_turns_and_sender(
    kiosk: ModuleType, channel: Any, gateway: Gateway, database: Database, brain: Brain
) -> None:
    loop = asyncio.get_running_loop()
    broken = True

    async def store(incoming: Incoming) -> None:
        if broken:
            raise OSError("disk full")
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(accept(database, incoming), loop))

    async with answering(database, brain, channel) as pump:
        app = FastAPI()
        wake = lambda: loop.call_soon_threadsafe(pump.wake)  # noqa: E731
        app.include_router(kiosk.webhook_router({"default": channel}, store, wake, lambda: datetime.now(UTC)))
        with serve(app) as base:
            async with httpx.AsyncClient(base_url=base, timeout=10) as client:

                async def post(body: Any, secret: str = SECRET) -> int:
                    headers = {"X-Kiosk-Secret": secret}
                    return (
                        await client.post("/channels/kiosk/default/webhook", json=body, headers=headers)
                    ).status_code

                async def says(number: int, text: str) -> int:
                    return await post({"id": str(number), "screen": "k1", "what": "said", "text": text, "name": "Lan"})

                assert await post({}, secret="other") == 403
                assert await says(1, "làm giấy khai sinh cần gì") == 503
                broken = False
                gateway.answers = [(503, {}), (200, {"X-Line": "1"})]
                assert await says(1, "làm giấy khai sinh cần gì") == 200
                assert await says(1, "làm giấy khai sinh cần gì") == 200
                await until(lambda: any("Đồng ý, bắt đầu" in text for text in gateway.texts("k1")))
                assert "iấy chứng sinh" in gateway.texts("k1")[0]
                before = len(gateway.shown)
                assert await says(2, "lệ phí bao nhiêu") == 200
                await until(lambda: len(gateway.shown) > before)
                assert "lệ phí" in " ".join(gateway.texts("k1")[before:]).lower()
                assert await post({"what": "seen"}) == 200
                assert await post(["x"]) == 200
    assert gateway.authorizations == {f"Bearer {TOKEN}"}
    async with database.read() as connection:
        rows = (await connection.execute(select(inbox).order_by(inbox.c.id))).mappings().all()
    assert [(row["update_id"], row["state"]) for row in rows] == [("1", "done"), ("2", "done")]
    assert "Lan" not in repr(rows)
