"""A small server with the real web chat: real routes, turns and SQLite file; only the knowledge is made up."""

from __future__ import annotations

import asyncio
import threading
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, cast

import uvicorn
from fastapi import FastAPI
from sqlalchemy import insert, select

from bot.channels.web.channel import Bells, address
from bot.channels.web.routes import router
from bot.codec import reply_to_json
from bot.conversation.dialogue import Dialogue
from bot.conversation.messages import label, say
from bot.conversation.model import (
    AnswerStatus,
    Attachment,
    Button,
    DataErased,
    Reply,
    Said,
    Session,
    SourceLine,
    Turn,
)
from bot.inbox import conversation_of
from bot.storage.database import Database
from bot.storage.tables import metadata, outbox
from bot.turns import Turns
from nlu.understanding import Understanding

KEY = "khoá của bài kiểm tra"
PORTAL = "https://dichvucong.gov.vn"
SEEN = date(2026, 7, 15)
SOURCE = SourceLine("Cổng Dịch vụ công quốc gia, mã 1.004194", f"{PORTAL}/1.004194", SEEN)
FEE = Reply(
    "Nộp trực tuyến: 7.000 đồng một lần đăng ký (cá nhân, hộ gia đình).\n"
    "• Nộp theo danh sách trực tiếp: 10.000 đồng một người.\n"
    "• Mức nộp trực tiếp cho cá nhân: cổng chưa công bố rõ, anh/chị hỏi Công an xã khi nộp.",
    (
        Button("Cần giấy tờ gì", "t:tam-tru:giay-to"),
        Button("Cách nộp trực tuyến", "t:tam-tru:cach-lam"),
        Button("Mất mấy ngày", "t:tam-tru:thoi-gian"),
    ),
    source=SOURCE,
)
PLACE = Reply(
    "Đăng ký tạm trú: Công an xã, phường nơi anh/chị đang ở, hoặc nộp trên ứng dụng VNeID, Cổng Dịch vụ công quốc gia.",
    (Button("Cần giấy tờ gì", "t:tam-tru:giay-to"), Button("Mở Cổng Dịch vụ công", url=PORTAL)),
    source=SOURCE,
)
PAPERS = Reply(
    "Hai loại giấy tờ: tờ khai và giấy tờ về chỗ ở.\n"
    "• Tờ khai thay đổi thông tin cư trú (mẫu CT01).\n"
    "• Giấy tờ chứng minh chỗ ở hợp pháp, ví dụ hợp đồng thuê nhà.",
    (Button("Nộp ở đâu", "t:tam-tru:noi-nop"), Button("Hết bao nhiêu tiền", "t:tam-tru:le-phi")),
    (Attachment("Mẫu CT01 (PDF)", "/materials/ct01.pdf", "application/pdf"),),
    SOURCE,
)
OPTIONS = ("Thẻ căn cước", "Giấy phép lái xe", "Sổ BHXH, thẻ BHYT", "Giấy khai sinh (bản sao)")
LOST = Reply(
    "\n".join(
        [
            "Anh/chị muốn làm lại giấy nào?",
            *(f"{i}. {o}" for i, o in enumerate(OPTIONS, 1)),
            "Nhắn số hoặc gõ tên giấy.",
        ]
    ),
    tuple(Button(o, f"t:giay-{i}") for i, o in enumerate(OPTIONS, 1)),
)
MARKUP = "<img src=x onerror=\"document.title='hỏng'\"><script>document.title='hỏng'</script><b>đậm</b>"
HOSTILE = Reply(
    f"{MARKUP}\n• {MARKUP}",
    (Button(MARKUP, "t:tam-tru"), Button("liên kết xấu", url="javascript:document.title='hỏng'")),
    (Attachment(MARKUP, "javascript:document.title='hỏng'", "text/html"),),
    SourceLine(MARKUP, "javascript:document.title='hỏng'", SEEN),
)


class FakeDialogue:
    """A dialogue that knows six things; counts how often it was asked, and can be made to fail or to wait."""

    def __init__(self) -> None:
        self.said: list[Said] = []
        self.before: Callable[[], None] = lambda: None

    def introduction(self) -> Reply:
        buttons = (
            Button(label("introduction_buttons", "agree"), "c:ok"),
            Button(label("introduction_buttons", "more"), "c:more"),
        )
        return Reply(say("introduction", province="Thái Nguyên"), buttons)

    def reply(self, said: Said, understanding: Understanding | None, session: Session, today: date) -> Turn:
        self.said.append(said)
        self.before()
        session = replace(session, greeted=True)
        text = unicodedata.normalize("NFC", said.text).lower()
        if said.opened:
            return Turn((self.introduction(),), session, AnswerStatus.SMALLTALK)
        if said.personal:
            return Turn((Reply(say("refused_personal_data")),), session, AnswerStatus.REFUSED_PERSONAL_DATA)
        if said.payload == "c:ok":
            return Turn((Reply(say("consent_thanks") + " " + say("ask_anything")),), session, AnswerStatus.ACTION_DONE)
        if not said.payload and understanding is None:
            return Turn((Reply(say("empty")),), session, AnswerStatus.CLARIFIED)
        if "trục trặc" in text:
            raise RuntimeError("broken on purpose")
        if "xoá dữ liệu" in text:
            return Turn((Reply(say("erased")),), Session(), AnswerStatus.ACTION_DONE, effects=(DataErased(),))
        if "làm lại giấy tờ" in text:
            return Turn((LOST,), session, AnswerStatus.CLARIFIED)
        if "đánh dấu" in text:
            return Turn((HOSTILE,), session, AnswerStatus.ANSWERED)
        known = {
            "t:tam-tru:giay-to": (PAPERS, "giay-to"),
            "t:tam-tru:noi-nop": (PLACE, "noi-nop"),
            "t:tam-tru:le-phi": (FEE, "le-phi"),
        }
        if "nộp ở đâu" in text:
            answer, aspect = PLACE, "noi-nop"
        elif "tạm trú" in text:
            answer, aspect = FEE, "le-phi"
        elif said.payload in known:
            answer, aspect = known[said.payload]
        else:
            return Turn((Reply(say("unknown")),), session, AnswerStatus.UNKNOWN)
        return Turn(
            (answer,), replace(session, topic="tam-tru", aspect=aspect), AnswerStatus.ANSWERED, "tam-tru", aspect
        )


def understand(text: str) -> Understanding:
    """Understand nothing, with confidence: the fake dialogue reads the text itself."""
    return Understanding(text, "tam-tru", "tam-tru", ("le-phi",), (), 0.9, True, ())


@dataclass
class WebApp:
    """The web chat over one database file."""

    database: Database
    dialogue: FakeDialogue = field(default_factory=FakeDialogue)
    bells: Bells = field(default_factory=Bells)
    clock: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))
    wakes: list[int] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)

    def turns(self, owner: str = "web") -> Turns:
        return Turns(self.database, cast("Dialogue", self.dialogue), understand, clock=self.clock, owner=owner)

    def app(self, **settings: Any) -> FastAPI:
        routes = router(
            self.database,
            self.turns(),
            lambda: self.wakes.append(1),
            self.clock,
            KEY,
            "Thái Nguyên",
            introduction=self.dialogue.introduction(),
            bells=self.bells,
            **(self.settings | settings),
        )
        app = FastAPI(openapi_url="/api/openapi.json")
        app.include_router(routes)
        return app

    async def push(self, chat: str, *texts: str) -> list[int]:
        """Queue messages that answer nothing, as an officer or an announcement does."""
        now = self.clock()
        conversation_id = await self.database.unit(lambda connection: conversation_of(connection, address(chat), now))
        async with self.database.write() as connection:
            for text in texts:
                await connection.execute(
                    insert(outbox).values(
                        conversation_id=conversation_id,
                        reply=reply_to_json(Reply(text)),
                        state="queued",
                        attempts=0,
                        next_attempt_at=now,
                        created_at=now,
                    )
                )
            rows = select(outbox.c.id).where(outbox.c.conversation_id == conversation_id, outbox.c.inbox_id.is_(None))
            return list((await connection.execute(rows.order_by(outbox.c.id))).scalars())[-len(texts) :]

    async def states(self, ids: list[int]) -> list[str]:
        async with self.database.read() as connection:
            query = select(outbox.c.state).where(outbox.c.id.in_(ids)).order_by(outbox.c.id)
            return list((await connection.execute(query)).scalars())


async def create(path: Path) -> Database:
    """A database file with the bot's tables."""
    database = Database(f"sqlite:///{path}")
    async with database.write() as connection:
        await connection.run_sync(metadata.create_all)
    return database


class Served:
    """The web chat behind a real socket, in a thread with a loop of its own."""

    def __init__(self, path: Path, port: int = 0, **settings: Any) -> None:
        self._path = path
        self._port = port
        self._settings = {"look": 0.5, **settings}
        self._ready = threading.Event()
        self.url = ""
        self.web: WebApp
        self._loop: asyncio.AbstractEventLoop
        self._server: uvicorn.Server

    async def _serve(self) -> None:
        database = await create(self._path)
        self._loop = asyncio.get_running_loop()
        self.web = WebApp(database, settings=self._settings)
        self._server = server(self.web.app(), self._port)
        task = asyncio.create_task(self._server.serve())
        while not self._server.started:
            await asyncio.sleep(0.01)
        self.url = address_of(self._server)
        self._ready.set()
        await task
        await database.close()

    def run(self, work: Any) -> Any:
        """Run a coroutine on the server's loop; return its result."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    @contextmanager
    def running(self) -> Iterator[Served]:
        thread = threading.Thread(target=lambda: asyncio.run(self._serve()))
        thread.start()
        try:
            assert self._ready.wait(20)
            yield self
        finally:
            self._server.should_exit = True
            thread.join(20)


def server(app: FastAPI, port: int = 0) -> uvicorn.Server:
    """A uvicorn, on any free port of this machine if none is named, that does not wait for open streams when it ends."""
    config = uvicorn.Config(app, port=port, log_level="error", ws="none", lifespan="off", timeout_graceful_shutdown=1)
    return uvicorn.Server(config)


def address_of(running: uvicorn.Server) -> str:
    """Where a started server listens."""
    host, port = running.servers[0].sockets[0].getsockname()[:2]
    return f"http://{host}:{port}"
