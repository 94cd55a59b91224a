"""The server: wires rooms together, starts and stops what runs beside the requests."""

from __future__ import annotations

import asyncio
import gc
import logging
import random
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Final

from fastapi import FastAPI, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, ProcessCollector, generate_latest
from sqlalchemy import Connection, func, select

from analytics import events
from bot.announcements import attribution
from bot.announcements.links import router as links_router
from bot.announcements.words import Words
from bot.channels.web.channel import Bells, WebChannel
from bot.channels.web.routes import router as web_router
from bot.conversation import notices
from bot.conversation.model import AnnouncementPressed, MaterialGiven, Rated, Subscribed, Unsubscribed, WardChosen
from bot.linking import Linking
from bot.messages import Channels, Incoming, Receipt
from bot.pump import Pump
from bot.sender import Sender
from bot.storage.database import Database
from bot.storage.tables import inbox, outbox
from bot.turns import Turns, TurnTaken
from congdanso.ahead import ahead
from congdanso.brain import Brain, load_brain
from congdanso.builders import Means, RestingOas, book, switchboard
from congdanso.deliveries import wire
from congdanso.materials import Leaflets
from congdanso.materials import router as materials_router
from congdanso.settings import Settings
from congdanso.tagging import Tagging
from congdanso.threads import short_turns
from congdanso.webhooks import webhooks
from console import announcements_api, questions_api
from console.accounts import Accounts
from console.acting import Callers
from console.routes import Console, NotLoggedIn, to_login
from console.routes import router as console_router
from content.places import Places, read_nation_a_little
from migrations.upgrade import HEAD, current, upgrade

VERSION: Final = "0.1.0"
BUSY: Final = (
    "/channels/telegram/{account}/webhook",
    "/channels/zalo-bot/{account}/webhook",
    "/channels/zalo-oa/webhook",
    "/api/chat/messages",
    "/api/chat/sessions",
)
"""Where messages come in."""
NATION_AFTER: Final = 2.0
"""Seconds after the start,"""
NATION_PAUSE: Final = 0.01
"""and seconds between two steps of reading."""
log = logging.getLogger(__name__)


def utc_now() -> datetime:
    """The one place where the program asks what time it is."""
    return datetime.now(UTC)


class Recorder:
    """Turns into events: the commune's slug instead of its code, a day's pseudonym instead of a conversation."""

    def __init__(self, places: Places, key: bytes, turns_total: Counter) -> None:
        self._slugs = {ward.code: ward.slug for ward in places.wards()}
        self._key = key
        self._turns_total = turns_total

    def __call__(self, connection: Connection, turn: TurnTaken, /) -> None:
        unit = self._slugs.get(turn.ward or "")
        happened: list[events.Event] = [
            events.TurnAnswered(
                at=turn.at,
                unit=unit,
                channel=turn.channel,
                visitor=events.visitor_of(self._key, turn.conversation_id, turn.at),
                kind=turn.kind,
                status=turn.status,
                topic=turn.topic,
                aspect=turn.aspect,
                confidence=None if turn.confidence is None else round(turn.confidence, 2),
                first=turn.first,
            )
        ]
        for effect in turn.effects:
            match effect:
                case MaterialGiven(pack, item, topic):
                    happened.append(events.MaterialGiven(turn.at, unit, turn.channel, topic, pack, item))
                case Subscribed():
                    happened.append(events.SubscriptionChanged(turn.at, unit, turn.channel, subscribed=True))
                case Unsubscribed():
                    happened.append(events.SubscriptionChanged(turn.at, unit, turn.channel, subscribed=False))
                case WardChosen(code) if code is not None:
                    happened.append(events.CommuneChosen(turn.at, self._slugs.get(code), turn.channel))
                case Rated(value, topic, aspect):
                    happened.append(events.Rated(turn.at, unit, turn.channel, topic, aspect, helpful=value > 0))
        presses = [e for e in turn.effects if isinstance(e, AnnouncementPressed)]
        used = attribution.taken(
            connection,
            conversation_id=turn.conversation_id,
            channel=turn.channel,
            unit=unit,
            at=turn.at,
            wrote=turn.kind == "text",
            presses=presses,
            left=notices.left(turn.topic, turn.effects),
        )
        happened += [events.AnnouncementUsed(turn.at, unit, turn.channel, u.announcement_id, u.what) for u in used]
        events.append(connection, happened)
        self._turns_total.labels(turn.channel, turn.status).inc()


class Server:
    """The wired objects of one process."""

    def __init__(self, settings: Settings, brain: Brain) -> None:
        self.settings = settings
        self.brain = brain
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        turns_total = Counter("congdanso_turns", "Turns answered", ("channel", "status"), registry=self.registry)
        self.database = Database(settings.url())
        self.leaflets = Leaflets(brain.packs, f"Tỉnh {brain.places.title}", settings.public_url)
        self.bells = Bells()
        web = WebChannel(self.bells)
        self.channels = Channels({(web.name, web.account): web})
        self.accounts = Accounts(self.database, brain.places, utc_now, key=settings.key())
        self.deliveries = wire(
            settings, self.database, brain.places, self.channels, utc_now, accounts=self.accounts, packs=brain.packs
        )
        self.tagging = Tagging(Recorder(brain.places, settings.key(), turns_total), brain.places, self.channels)
        self.turns = Turns(
            self.database,
            brain.dialogue,
            brain.engine.understand,
            at_once=brain.engine.at_once,
            clock=utc_now,
            owner=uuid.uuid4().hex[:12],
            record=self.tagging,
            linking=Linking(settings.key()),
            desk=self.deliveries.chat_desk,
            words=Words(),
        )
        sender = Sender(
            self.database,
            self.channels,
            clock=utc_now,
            rng=random.Random(),
            throttle=self.deliveries.limiter,
        )
        self.pump = Pump(self.turns, sender)
        self.switchboard = switchboard(
            settings,
            self.database,
            brain.places,
            self.channels,
            utc_now,
            Means(
                self.database,
                book(settings, self.database, utc_now),
                self.accept,
                self.pump.wake,
                utc_now,
                settings.public_url,
                self.leaflets.read,
            ),
        )
        self.resting = RestingOas(book(settings, self.database, utc_now))
        self._cannot_deliver = ""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Migrate, start the pump and the messengers, and stop them again."""
        await upgrade(self.database)
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self.database.close)
            # Before the pump, which would find no account to answer on; and ended after it, which still sends.
            await stack.enter_async_context(self.switchboard.loaded())
            await stack.enter_async_context(_background(self.switchboard.run()))
            await stack.enter_async_context(_background(_read_nation()))
            await stack.enter_async_context(_background(self._delivers()))
            await stack.enter_async_context(_background(self.tagging.run()))
            await stack.enter_async_context(_background(self.pump.run()))
            # What is loaded stays: looking through it for garbage, again and again, lets everybody wait for a tenth of a second.
            gc.freeze()
            stack.enter_context(short_turns())
            yield

    async def _delivers(self) -> None:
        """Deliver announcements; started beside the answering, which need not wait for it."""
        while True:
            try:
                async with self.deliveries.durable.running():
                    self._cannot_deliver = ""
                    await asyncio.Event().wait()
            except Exception as error:
                self._cannot_deliver = type(error).__name__
                log.exception("announcements cannot be delivered", extra={"error": self._cannot_deliver})
            await asyncio.sleep(30)

    async def accept(self, incoming: Incoming) -> None:
        """Store a message of any messenger."""
        await self.pump.accept(incoming)

    async def embed_origins(self) -> Sequence[str]:
        """The sites that may show the chat inside their own pages."""
        return self.settings.embed_origins

    async def note(self, receipt: Receipt) -> None:
        """A messenger says that something we sent arrived or was looked at."""
        await self.database.unit(lambda connection: attribution.received(connection, receipt))

    async def parts(self) -> dict[str, Any]:
        """Return the state of each part, for `/readyz` and `doctor`."""
        found: dict[str, Any] = {
            "content": {"ok": len(self.brain.library) > 0, "topics": len(self.brain.library)},
            "model": {"ok": True},
            "version": VERSION,
        }
        try:
            version = await current(self.database)
            async with self.database.read() as connection:
                waiting = await connection.scalar(select(func.count()).where(inbox.c.state == "accepted"))
                dead = await connection.scalar(select(func.count()).where(inbox.c.state == "dead"))
                queued = await connection.scalar(select(func.count()).where(outbox.c.state == "queued"))
            found["database"] = {
                "ok": version == HEAD,
                "schema": version,
                "expected": HEAD,
                "waiting": waiting,
                "queued": queued,
                "dead": dead,
            }
        except Exception as error:
            found["database"] = {"ok": False, "error": type(error).__name__}
        problem = self._cannot_deliver or self.deliveries.durable.problem
        found["announcements"] = {"ok": not problem, "problem": problem}
        # One commune's broken account must not take the server away from all the others: told, but still ready.
        found["accounts"] = {"ok": True, "states": self.switchboard.states()}
        return found


async def _read_nation() -> None:
    """Read the places of all the country before somebody needs them, between the messages that are being answered."""
    await asyncio.sleep(NATION_AFTER)
    more = True
    while more:
        await asyncio.sleep(NATION_PAUSE)
        more = read_nation_a_little()
    gc.freeze()


def _followed(connection: Connection, used: attribution.Used) -> None:
    """Tell the analytics that a link of an announcement was followed, by nobody knows whom."""
    events.append(
        connection, [events.AnnouncementUsed(utc_now(), None, used.channel or None, used.announcement_id, used.what)]
    )


@asynccontextmanager
async def _background(work: Any) -> AsyncIterator[None]:
    """Run a coroutine beside the caller; cancel it at the end."""
    task = asyncio.ensure_future(work)
    task.add_done_callback(_report)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _report(task: asyncio.Future[Any]) -> None:
    if not task.cancelled() and task.exception() is not None:
        log.critical("background work ended", exc_info=task.exception())


def create(
    settings: Settings | None = None,
    brain: Brain | None = None,
    *,
    greet: Callable[[Accounts], Awaitable[None]] | None = None,
) -> FastAPI:
    """Return the ASGI application; `greet` is called once it runs."""
    settings = settings or Settings()
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    server = Server(settings, brain or load_brain(settings))

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with server.running():
            if greet is not None:
                await greet(server.accounts)
            yield

    app = FastAPI(
        title="Công dân số",
        version=VERSION,
        lifespan=lifespan,
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
    )
    app.state.server = server
    app.include_router(
        web_router(
            server.database,
            server.turns,
            wake=server.pump.wake,
            clock=utc_now,
            secret_key=settings.key().decode(),
            province_title=server.brain.places.title,
            introduction=server.brain.dialogue.actions.introduction(),
            bells=server.bells,
            embed_origins=server.embed_origins,
            secure=settings.public_url.startswith("https://"),
        )
    )
    app.include_router(materials_router(server.leaflets))
    app.include_router(links_router(server.database, _followed))
    app.include_router(
        console_router(
            Console(
                database=server.database,
                accounts=server.accounts,
                announcements=server.deliveries.announcements,
                library=server.brain.library,
                places=server.brain.places,
                packs=server.brain.packs,
                clock=utc_now,
                secret_key=settings.key().decode(),
                secure=settings.public_url.startswith("https://"),
            )
        )
    )
    deliveries = server.deliveries
    app.include_router(
        announcements_api.router(
            announcements_api.Rooms(
                accounts=server.accounts,
                chats=deliveries.chats,
                desk=deliveries.desk,
                control=deliveries.control,
                viewing=deliveries.viewing,
                reporting=deliveries.reporting,
                unreaching=deliveries.unreaching,
                clock=utc_now,
                secret_key=settings.key().decode(),
                channels=server.channels,
            )
        )
    )
    announcements_api.refuse(app)
    callers = Callers(server.accounts, deliveries.chats, settings.key().decode())
    app.include_router(questions_api.router(questions_api.Rooms(callers, deliveries.questions)))
    questions_api.refuse(app)
    app.add_exception_handler(NotLoggedIn, to_login)
    app.include_router(webhooks(server.channels, server.accept, utc_now, server.note, server.resting))

    @app.get("/healthz", tags=["operation"])
    async def healthz() -> dict[str, str]:
        """The process is alive."""
        return {"status": "ok"}

    @app.get(
        "/readyz", tags=["operation"], responses={503: {"description": "A part does not work; which one is told."}}
    )
    async def readyz() -> JSONResponse:
        """Each part with its state; 503 if one does not work."""
        parts = await server.parts()
        ready = all(p["ok"] for p in parts.values() if isinstance(p, dict))
        return JSONResponse({"ready": ready, "parts": parts}, status_code=200 if ready else 503)

    @app.get("/metrics", tags=["operation"])
    async def metrics() -> Response:
        """Figures for Prometheus."""
        return Response(generate_latest(server.registry), media_type=CONTENT_TYPE_LATEST)

    ahead(app, BUSY)
    return app
