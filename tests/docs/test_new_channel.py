"""The guide to a new channel works: its code is taken out of the page, its table holds, and a conversation runs through it."""

from __future__ import annotations

import importlib
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
from fastapi import APIRouter, FastAPI
from sqlalchemy import select
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

import congdanso.builders
import congdanso.webhooks
from bot import messages
from bot.accounts import AccountBook, Vault
from bot.conversation.model import Button, Reply
from bot.inbox import accept
from bot.messages import Channels, Incoming
from bot.storage.database import Database
from bot.storage.tables import inbox
from congdanso.builders import Means
from congdanso.switchboard import Builder, Switchboard
from tests.builders import answering, until
from tests.emulators.server import Dropped, beside, serve

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
    """The guide's module, under the name that it would have."""
    path = tmp_path_factory.mktemp("guide") / "kiosk.py"
    path.write_text(block("module"), encoding="utf-8")
    spec = importlib.util.spec_from_file_location("bot.channels.kiosk", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def builder(means: Means) -> Builder:
    """The guide's builder, as if it stood in congdanso/builders.py."""
    names = dict(vars(congdanso.builders))
    exec(compile(block("builder"), "new-channel.md", "exec"), names)
    return lambda account, secrets: names["_kiosk"](means, account, secrets)


def route(channels: Channels, accept: Any, clock: Any) -> APIRouter:
    """The guide's route, as if it stood in congdanso/webhooks.py."""
    given = {"router": APIRouter(), "channels": channels, "accept": accept, "clock": clock}
    exec(compile(block("route"), "new-channel.md", "exec"), vars(congdanso.webhooks) | given)
    return given["router"]


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


@pytest.fixture
def gateway() -> Gateway:
    return Gateway()


@pytest.fixture
async def channel(kiosk: ModuleType, gateway: Gateway) -> AsyncIterator[Any]:
    with serve(gateway.app()) as url:
        opened = kiosk.KioskChannel("default", url, TOKEN, SECRET)
        yield opened
        await opened.stop()


def test_the_module_and_its_wiring_are_as_short_as_promised() -> None:
    assert sum(len(block(name).splitlines()) for name in ("module", "builder", "route")) < 120


PLACES = [
    ("congdanso.builders", "builders"),
    ("congdanso.builders", "given_accounts"),
    ("congdanso.webhooks", "webhooks"),
    ("congdanso.commands.channels", "SECRETS"),
    ("congdanso.deliveries", "LIMITS"),
    ("congdanso.deliveries", "shows"),
    ("bot.announcements.rates", "RATES"),
    ("bot.announcements.respect", "WINDOWS"),
]


@pytest.mark.parametrize(("module", "name"), PLACES)
def test_the_places_that_the_guide_names_are_there(module: str, name: str) -> None:
    assert f"{module.replace('.', '/')}.py`" in GUIDE
    assert f"`{name}`" in GUIDE
    assert hasattr(importlib.import_module(module), name)


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
    kiosk: ModuleType, gateway: Gateway, database: Database, brain: Brain
) -> None:
    """From an account in the book, by the builder and the route of the guide."""
    broken = True

    def now() -> datetime:
        return datetime.now(UTC)

    async def store(incoming: Incoming) -> None:
        if broken:
            raise OSError("disk full")
        await accept(database, incoming)
        pump.wake()

    book = AccountBook(database, Vault([b"the installation's key"]), now)
    means = Means(database, book, store, lambda: None, now, "")
    channels = Channels()
    switchboard = Switchboard(book, channels, {"kiosk": builder(means)}, given=(), owner="test")
    with serve(gateway.app()) as url:
        secrets = {"token": TOKEN, "secret": SECRET}
        about = {"unit": "phu-thong", "title": "Màn hình xã Phủ Thông"}
        await book.add("kiosk", "no-secret", **about, secrets={"token": TOKEN}, options={"api_url": url})
        await book.add("kiosk", "default", **about, secrets=secrets, options={"api_url": url})
        async with switchboard.loaded():
            assert channels.present() == [("kiosk", "default")]
            assert (await book.get("kiosk", "no-secret")).problem == "missing: secret"
            channel = channels.get("kiosk", "default")
            assert channel is not None
            app = FastAPI()
            app.include_router(route(channels, store, now))
            async with (
                answering(database, brain, channel) as pump,
                beside(app) as base,
                httpx.AsyncClient(base_url=base, timeout=10) as client,
            ):

                async def post(body: Any, secret: str = SECRET, account: str = "default") -> int:
                    headers = {"X-Kiosk-Secret": secret}
                    answer = await client.post(f"/channels/kiosk/{account}/webhook", json=body, headers=headers)
                    return answer.status_code

                async def says(number: int, text: str) -> int:
                    return await post({"id": str(number), "screen": "k1", "what": "said", "text": text, "name": "Lan"})

                assert await post({}, secret="other") == 403
                assert await post({}, account="no-secret") == 404
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
                assert await post(["x"]) == 400
                assert await post({"x": "y" * 20_000}) == 413
    assert gateway.authorizations == {f"Bearer {TOKEN}"}
    async with database.read() as connection:
        rows = (await connection.execute(select(inbox).order_by(inbox.c.id))).mappings().all()
    assert [(row["update_id"], row["state"]) for row in rows] == [("1", "done"), ("2", "done")]
    assert "Lan" not in repr(rows)
