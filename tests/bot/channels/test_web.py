"""The web chat's API: one message one turn, whatever the client sends, repeats or forges."""

from __future__ import annotations

import asyncio
import json
import random
import unicodedata
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Connection, func, select, update

from bot import work
from bot.channels.web.access import Limit, Tokens
from bot.channels.web.channel import AGAIN, Bells, WebChannel
from bot.conversation.messages import say
from bot.messages import Channels
from bot.sender import Sender
from bot.storage.database import Database, aware
from bot.storage.tables import conversation, inbox, outbox
from bot.work import Work
from tests.browser.webapp import FEE, LOST, WebApp, create
from tests.builders import Clock

pytestmark = pytest.mark.anyio

STATUSES = {
    "answered",
    "clarified",
    "out_of_scope",
    "unknown",
    "handed_over",
    "action_done",
    "smalltalk",
    "refused_personal_data",
    "error",
}


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = await create(tmp_path / "web.db")
    yield opened
    await opened.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def web(database: Database, clock: Clock) -> WebApp:
    return WebApp(database, clock=clock)


class Client:
    """A citizen's browser, without the browser."""

    def __init__(self, web: WebApp, **settings: Any) -> None:
        self.http = httpx.AsyncClient(
            transport=httpx.ASGITransport(web.app(**settings)), base_url="http://web.test", timeout=30
        )
        self.token = ""

    async def __aenter__(self) -> Client:
        self.token = (await self.http.post("/api/chat/sessions")).json()["token"]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.http.aclose()

    @property
    def authorization(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    async def post(self, content: Any) -> httpx.Response:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        return await self.http.post("/api/chat/messages", content=body, headers=self.authorization)

    async def asks(self, text: str, message_id: str = "1") -> dict[str, Any]:
        response = await self.post({"id": message_id, "text": text})
        assert response.status_code == 200, response.text
        answer: dict[str, Any] = response.json()
        return answer

    async def presses(self, payload: str, message_id: str = "1") -> dict[str, Any]:
        response = await self.post({"id": message_id, "payload": payload})
        assert response.status_code == 200, response.text
        answer: dict[str, Any] = response.json()
        return answer


@pytest.fixture
async def client(web: WebApp) -> AsyncIterator[Client]:
    async with Client(web) as opened:
        yield opened


async def count(database: Database, table: Any, *where: Any) -> int:
    async with database.read() as connection:
        return int((await connection.execute(select(func.count()).select_from(table).where(*where))).scalar_one())


# one turn


async def test_an_answer_has_the_shape_of_the_contract(client: Client) -> None:
    answer = await client.asks("đk tạm trú hết bn tiền")
    assert set(answer) == {"replies", "topic", "aspect", "status"}
    assert (answer["topic"], answer["aspect"], answer["status"]) == ("tam-tru", "le-phi", "answered")
    (reply,) = answer["replies"]
    assert reply["text"] == FEE.text
    assert reply["buttons"][0] == {"label": "Cần giấy tờ gì", "payload": "t:tam-tru:giay-to"}
    assert reply["source"] == {
        "title": "Cổng Dịch vụ công quốc gia, mã 1.004194",
        "url": "https://dichvucong.gov.vn/1.004194",
        "seen_on": "2026-07-15",
    }


async def test_a_button_is_a_turn_too(client: Client) -> None:
    answer = await client.presses("t:tam-tru:giay-to")
    assert answer["aspect"] == "giay-to"
    assert answer["replies"][0]["attachments"] == [
        {"title": "Mẫu CT01 (PDF)", "url": "/materials/ct01.pdf", "media_type": "application/pdf"}
    ]


@pytest.mark.parametrize("message", [{"id": "1", "payload": "start"}, {"id": "1", "text": " /start "}])
async def test_opening_the_page_is_an_opened_conversation(
    client: Client, web: WebApp, database: Database, message: dict[str, str]
) -> None:
    response = await client.post(message)
    assert response.json()["replies"][0]["text"] == say("introduction", province="Thái Nguyên")
    assert web.dialogue.said[0].opened
    assert await count(database, inbox, inbox.c.kind == "opened") == 1


async def test_the_conversation_is_stored_under_a_hash_and_its_answers_count_as_sent(
    client: Client, database: Database
) -> None:
    await client.asks("đk tạm trú hết bn tiền")
    async with database.read() as connection:
        row = (await connection.execute(select(conversation))).mappings().one()
        sent = (await connection.execute(select(outbox.c.state))).scalars().all()
    assert (row["channel"], row["account"]) == ("web", "default")
    assert len(row["chat"]) == 64
    assert row["chat"] not in client.token and client.token not in row["chat"]
    assert row["lease_owner"] is None and row["ready_at"] is None
    assert sent == ["sent"]


async def test_asking_for_a_token_stores_nothing(client: Client, database: Database) -> None:
    assert await count(database, conversation) == 0
    tokens = {(await client.http.post("/api/chat/sessions")).json()["token"] for _ in range(50)}
    assert len(tokens) == 50
    assert await count(database, conversation) == 0


# repeats


async def test_the_same_id_again_gives_the_same_answer_and_takes_no_second_turn(
    client: Client, web: WebApp, database: Database
) -> None:
    first = await client.asks("đk tạm trú hết bn tiền", "a")
    assert await client.asks("đk tạm trú hết bn tiền", "a") == first
    # The id decides, not the text: a client that lost its text still gets the answer to what it once sent.
    assert await client.asks("câu khác", "a") == first
    assert len(web.dialogue.said) == 1
    assert await count(database, outbox) == 1
    assert await count(database, inbox, inbox.c.text.is_not(None)) == 0


async def test_the_same_id_ten_times_at_once_is_one_turn(client: Client, web: WebApp, database: Database) -> None:
    answers = await asyncio.gather(*(client.asks("đk tạm trú hết bn tiền", "a") for _ in range(10)))
    assert all(answer == answers[0] for answer in answers)
    assert len(web.dialogue.said) == 1
    assert await count(database, inbox) == await count(database, outbox) == 1


async def test_different_messages_at_once_are_all_answered(client: Client, web: WebApp) -> None:
    answers = await asyncio.gather(*(client.asks("thế nộp ở đâu", str(i)) for i in range(10)))
    assert [a["aspect"] for a in answers] == ["noi-nop"] * 10
    assert len(web.dialogue.said) == 10


async def test_the_same_id_of_somebody_else_is_another_message(web: WebApp, client: Client) -> None:
    mine = await client.asks("đk tạm trú hết bn tiền", "1")
    async with Client(web) as other:
        theirs = await other.asks("thế nộp ở đâu", "1")
    assert mine["aspect"] == "le-phi" and theirs["aspect"] == "noi-nop"


async def test_erasing_ones_data_can_be_repeated(client: Client, web: WebApp, database: Database) -> None:
    await client.asks("đk tạm trú hết bn tiền", "a")
    erased = await client.asks("xoá dữ liệu của tôi", "b")
    assert erased["replies"][0]["text"] == say("erased")
    assert await client.asks("xoá dữ liệu của tôi", "b") == erased
    assert await count(database, inbox) == 1
    assert len(web.dialogue.said) == 2


# the conversation is in other hands


async def test_a_message_waits_while_somebody_else_has_the_conversation(client: Client, web: WebApp) -> None:
    await client.asks("thế nộp ở đâu", "0")
    other = web.turns("other")
    held = await other.hold(1)
    assert held is not None
    asking = asyncio.create_task(client.asks("đk tạm trú hết bn tiền", "1"))
    await asyncio.sleep(0.2)
    assert not asking.done()
    await other.release(held)
    assert (await asking)["aspect"] == "le-phi"


async def test_the_other_holder_may_answer_it(client: Client, web: WebApp, database: Database, clock: Clock) -> None:
    await client.asks("thế nộp ở đâu", "0")
    other = web.turns("other")
    before = await other.hold(1)
    assert before is not None
    asking = asyncio.create_task(client.asks("đk tạm trú hết bn tiền", "1"))
    await asyncio.sleep(0.1)

    def again(connection: Connection) -> Work | None:
        work.release(connection, before)
        return work.take(connection, 1, "other", clock())

    held = await database.unit(again)
    assert held is not None
    assert len((await other.answer(held)).ended) == 1
    assert (await asking)["aspect"] == "le-phi"
    assert len(web.dialogue.said) == 2


async def test_too_long_a_wait_is_503_and_nothing_is_lost(web: WebApp) -> None:
    async with Client(web, patience=0.2) as client:
        await client.asks("thế nộp ở đâu", "0")
        other = web.turns("other")
        held = await other.hold(1)
        assert held is not None
        response = await client.post({"id": "1", "text": "đk tạm trú hết bn tiền"})
        assert response.status_code == 503
        assert int(response.headers["Retry-After"]) >= 1
        assert "bận" in response.json()["detail"]
        assert web.wakes
        await other.release(held)
        assert (await client.asks("đk tạm trú hết bn tiền", "1"))["aspect"] == "le-phi"


async def test_a_holder_that_died_is_waited_for_only_as_long_as_its_lease(
    client: Client, web: WebApp, clock: Clock
) -> None:
    await client.asks("thế nộp ở đâu", "0")
    assert await web.turns("dead").hold(1)
    clock.pass_(seconds=16)
    assert (await client.asks("đk tạm trú hết bn tiền", "1"))["aspect"] == "le-phi"


async def test_a_turn_that_fails_is_an_apology(client: Client, web: WebApp, database: Database) -> None:
    answer = await client.asks("có trục trặc", "1")
    assert answer["status"] == "error"
    assert answer["topic"] is None and answer["aspect"] is None
    assert [reply["text"] for reply in answer["replies"]] == [say("error")]
    assert await client.asks("có trục trặc", "1") == answer
    assert await count(database, inbox, inbox.c.state == "dead") == 1
    assert (await client.asks("đk tạm trú hết bn tiền", "2"))["status"] == "answered"


# who may speak


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer abc",
        "Bearer " + "a" * 5000,
        "Bearer ngườilạ",
        "Basic YTpi",
        "Bearer of another server",
        "Bearer cut short",
        "Bearer with more",
    ],
    ids=lambda value: str(value)[:20],
)
async def test_an_unknown_or_forged_token_is_401(client: Client, database: Database, authorization: str | None) -> None:
    forged = {
        "Bearer of another server": "Bearer " + Tokens("another key").new(),
        "Bearer cut short": f"Bearer {client.token[:-2]}",
        "Bearer with more": f"Bearer x{client.token}",
    }
    headers = {} if authorization is None else {b"Authorization": forged.get(authorization, authorization).encode()}
    message = json.dumps({"id": "1", "text": "xin chào"})
    for response in (
        await client.http.post("/api/chat/messages", content=message, headers=headers),
        await client.http.get("/api/chat/stream", headers=headers),
        await client.http.get("/api/chat/stream?token=abc"),
    ):
        assert response.status_code == 401
        assert "mở lại trang" in response.json()["detail"]
        assert response.headers["WWW-Authenticate"] == "Bearer"
    assert await count(database, conversation) == 0


async def test_one_minute_holds_so_many_messages(web: WebApp, clock: Clock) -> None:
    async with Client(web, per_minute=3) as client, Client(web, per_minute=3) as other:
        for number in range(3):
            await client.asks("thế nộp ở đâu", str(number))
            clock.pass_(seconds=10)
        response = await client.post({"id": "4", "text": "thế nộp ở đâu"})
        assert response.status_code == 429
        assert response.json()["detail"].startswith("Anh/chị gửi nhanh quá")
        assert response.headers["Retry-After"] == "30"
        await other.asks("thế nộp ở đâu")
        clock.pass_(seconds=31)
        await client.asks("thế nộp ở đâu", "4")


def test_the_count_of_quiet_conversations_is_forgotten() -> None:
    clock = Clock()
    limit = Limit(1, clock)
    for number in range(1000):
        assert limit.take(str(number)) == 0
    clock.pass_(seconds=61)
    assert limit.take("new") == 0
    assert len(limit._times) == 1


def test_a_conversation_has_one_hash_however_its_signature_is_spelled() -> None:
    tokens = Tokens("key")
    chats = set()
    for _ in range(20):
        token = tokens.new()
        spellings = {token[:-1] + last for last in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"}
        found = {tokens.chat_of(spelling) for spelling in spellings} - {None}
        assert len(found) == 1
        chats |= found
    assert len(chats) == 20


def test_no_secret_key_no_tokens() -> None:
    with pytest.raises(ValueError, match="secret key"):
        Tokens("")


# what people and programs send


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("", "clarified"),
        ("   \n\t ", "clarified"),
        ("😀👍🏽🇻🇳", "clarified"),
        ("\u0000\u0001\u0007\u001b[31m", "answered|unknown|clarified"),
        ("\u202eđk tạm trú hết bn tiền\u202c", "answered"),
        ("đk\u200b tạm\u200d trú\ufeff", "answered|unknown"),
        ("'; DROP TABLE conversation; --", "unknown"),
        ("<script>alert(1)</script>", "unknown"),
        (unicodedata.normalize("NFD", "đăng ký tạm trú"), "answered"),
        ("tạm trú " * 2500, "answered"),
        ("số căn cước của tôi là 019 203 004 567", "refused_personal_data"),
        ("{{ 7 * 7 }} ${7*7} %s %n", "unknown"),
        ("مرحبا", "unknown"),
        ("\ufffe\uffff\U0010ffff", "clarified|unknown"),
    ],
    ids=lambda value: repr(value)[:30],
)
async def test_any_text_gets_an_answer(client: Client, database: Database, text: str, status: str) -> None:
    answer = await client.asks(text)
    assert answer["status"] in status.split("|")
    assert answer["status"] in STATUSES
    assert answer["replies"]
    assert await count(database, conversation) == 1


async def test_a_long_text_is_cut_at_the_door(client: Client, web: WebApp) -> None:
    await client.asks("a" * 20_000)
    assert len(web.dialogue.said[0].text) == 4000


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"text"',
        b"\xff\xfe",
        b'{"id": "1", "text": "\\ud800"}',
        b"[" * 30_000,
        b'{"a":' * 10_000,
        {"text": "thiếu id"},
        {"id": "", "text": "a"},
        {"id": "a" * 65, "text": "a"},
        {"id": 5, "text": "a"},
        {"id": None, "text": "a"},
        {"id": "1"},
        {"id": "1", "text": None, "payload": None},
        {"id": "1", "text": "a", "payload": "t:tam-tru"},
        {"id": "1", "text": 5},
        {"id": "1", "text": ["a"]},
        {"id": "1", "payload": ""},
        {"id": "1", "payload": "a" * 65},
        {"id": "1", "payload": "có dấu"},
        {"id": "1", "payload": "a\n"},
        {"id": "1", "payload": "o:ask 019203004567"},
    ],
    ids=lambda value: repr(value)[:30],
)
async def test_a_bad_shape_is_422_in_vietnamese_and_stores_nothing(
    client: Client, database: Database, body: Any
) -> None:
    response = await client.post(body)
    assert response.status_code == 422
    assert response.headers["Content-Type"] == "application/json"
    assert any(word in response.json()["detail"] for word in ("chưa đúng dạng", "không hợp lệ"))
    assert await count(database, conversation) == 0


async def test_a_null_beside_the_text_is_no_second_content(client: Client) -> None:
    response = await client.post({"id": "1", "text": "thế nộp ở đâu", "payload": None, "unheard_of": 1})
    assert response.json()["aspect"] == "noi-nop"


@pytest.mark.parametrize("message_id", ["a" * 64, "' OR 1=1", "../../x", "mã có dấu", "\u0000", "\u200b"])
async def test_any_id_up_to_64_characters_will_do(client: Client, web: WebApp, message_id: str) -> None:
    first = await client.asks("thế nộp ở đâu", message_id)
    assert await client.asks("thế nộp ở đâu", message_id) == first
    assert len(web.dialogue.said) == 1


async def test_a_huge_body_is_413_also_without_a_length(client: Client, database: Database) -> None:
    big = json.dumps({"id": "1", "text": "a" * 70_000}).encode()

    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(big), 1000):
            yield big[start : start + 1000]

    for content in (big, chunks()):
        response = await client.http.post("/api/chat/messages", content=content, headers=client.authorization)
        assert response.status_code == 413
        assert "dài quá" in response.json()["detail"]
    assert await count(database, conversation) == 0


async def test_a_body_just_below_the_limit_is_taken(client: Client) -> None:
    frame = len(json.dumps({"id": "1", "text": ""}))
    await client.asks("a" * (64 * 1024 - frame))


# the API as a whole


async def test_every_answer_of_the_api_is_private(client: Client) -> None:
    for response in (
        await client.http.post("/api/chat/sessions"),
        await client.post({"id": "1", "text": "thế nộp ở đâu"}),
        await client.post(b"{"),
        await client.http.post("/api/chat/messages"),
    ):
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert "Set-Cookie" not in response.headers
        assert "Access-Control-Allow-Origin" not in response.headers


async def test_the_api_describes_itself(client: Client) -> None:
    described = (await client.http.get("/api/openapi.json")).json()
    assert set(described["paths"]) == {"/api/chat/sessions", "/api/chat/messages", "/api/chat/stream"}
    take = described["paths"]["/api/chat/messages"]["post"]
    assert take["requestBody"]["content"]["application/json"]["schema"]["required"] == ["id"]
    assert {"200", "401", "413", "422", "429", "503"} <= set(take["responses"])


# the channel and the sender


async def test_the_sender_leaves_a_pushed_message_queued_and_rings(
    web: WebApp, database: Database, clock: Clock
) -> None:
    chat = "c" * 64
    ids = await web.push(chat, "Mai cắt điện ở xóm Đồng.")
    channel = WebChannel(web.bells)
    sender = Sender(database, Channels({("web", "default"): channel}), clock=clock, rng=random.Random(1))
    turns = web.turns()
    with web.bells.listen(chat) as bell:
        held = await turns.take(1)
        assert held is not None
        assert (await sender.send(held, (await turns.answer(held)).leaving)) is not None
        assert bell.is_set()
    async with database.read() as connection:
        row = (await connection.execute(select(outbox).where(outbox.c.id == ids[0]))).mappings().one()
        ready = (await connection.execute(select(conversation.c.ready_at))).scalar_one()
    assert (row["state"], row["attempts"], row["sent_at"]) == ("queued", 0, None)
    # Nothing turns in circles for somebody who is not there: the pump has no reason to look again for a while.
    looked_at = aware(ready)
    assert looked_at is not None
    assert looked_at >= clock() + min(AGAIN, timedelta(hours=1))
    assert await turns.take_ready() == []


def test_bells_ring_only_who_listens_and_are_taken_down() -> None:
    bells = Bells()
    bells.ring("a")
    with bells.listen("a") as one, bells.listen("a") as two, bells.listen("b") as three:
        bells.ring("a")
        assert (one.is_set(), two.is_set(), three.is_set()) == (True, True, False)
        assert bells.count("a") == 2
    assert bells.count("a") == 0


async def test_clarifying_lists_its_choices_for_every_client(client: Client) -> None:
    answer = await client.asks("làm lại giấy tờ bị mất")
    assert answer["status"] == "clarified"
    assert answer["replies"][0]["text"] == LOST.text
    assert len(answer["replies"][0]["buttons"]) == 4


async def test_an_answer_whose_row_was_cleaned_away_is_still_an_answer(client: Client, database: Database) -> None:
    await client.asks("có trục trặc", "1")
    async with database.write() as connection:
        await connection.execute(outbox.delete())
        await connection.execute(update(inbox).values(status=None))
    answer = await client.asks("có trục trặc", "1")
    assert (answer["status"], answer["replies"][0]["text"]) == ("error", say("error"))
