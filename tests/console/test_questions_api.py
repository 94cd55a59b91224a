"""The API of questions: as announcements, one officer's acts each time, and nobody else's questions."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from sqlalchemy import insert, select

from bot.conversation.model import Session
from bot.storage.tables import conversation, outbox, review

if TYPE_CHECKING:
    from congdanso.app import Server

pytestmark = pytest.mark.anyio
API = "/api/questions"
ANSWER = {"text": "Mời anh/chị đến bộ phận một cửa."}
Enter = Callable[..., Awaitable[str]]


@pytest.fixture
async def asked(server: Server) -> list[int]:
    """Two questions of Phủ Thông, the first one sent to its officers."""
    now, ward = datetime.now(UTC), server.brain.places.by_slug("phu-thong").code
    person = {
        "channel": "telegram", "account": "default", "chat": "1001", "session": Session(greeted=True).as_dict(),
        "ward": ward, "subscribed": False, "created_at": now, "last_seen_at": now,
    }  # fmt: skip
    async with server.database.write() as connection:
        made = await connection.execute(insert(conversation).values(**person).returning(conversation.c.id))
        whose = made.scalar_one()
        numbers = []
        for text, reason in (("ruộng chưa có sổ hỏi ai", "officer"), ("xin mở quán karaoke", "unknown")):
            values = {"conversation_id": whose, "text": text, "reason": reason, "ward": ward, "created_at": now}
            made = await connection.execute(insert(review).values(**values, state="open").returning(review.c.id))
            numbers.append(int(made.scalar_one()))
    return numbers


async def key_of(server: Server, name: str, role: str = "officer", unit: str = "phu-thong") -> dict[str, str]:
    officer, _ = await server.accounts.add(name, unit, role)
    return {"Authorization": f"Bearer {await server.deliveries.chats.make_key(officer.login)}"}


async def test_listing_answering_and_closing(server: Server, browser: httpx.AsyncClient, asked: list[int]) -> None:
    lan = await key_of(server, "Lan")
    first, second = asked
    assert [q["id"] for q in (await browser.get(API, headers=lan)).json()] == asked
    only = await browser.get(API, params={"kind": "officer", "unit": "phu-thong"}, headers=lan)
    assert [q["id"] for q in only.json()] == [first]
    answered = await browser.post(f"{API}/{first}/answer", json=ANSWER, headers=lan)
    assert (answered.status_code, answered.json()["answered_by"]) == (200, "lan")
    assert "1001" not in answered.text
    closed = await browser.post(f"{API}/{second}/close", json={"reason": "không thuộc xã"}, headers=lan)
    assert (closed.json()["state"], closed.json()["note"]) == ("closed", "không thuộc xã")
    for number, state in ((first, "answered"), (second, "closed")):
        for act, body in (("answer", ANSWER), ("close", {"reason": "lần nữa"})):
            again = await browser.post(f"{API}/{number}/{act}", json=body, headers=lan)
            assert (again.status_code, again.json()["state"]) == (409, state)
            assert again.json()["problems"]
    assert (await browser.get(API, headers=lan)).json() == []
    assert [q["id"] for q in (await browser.get(API, params={"state": "closed"}, headers=lan)).json()] == [second]


async def test_who_has_no_business_there_is_refused(
    server: Server, browser: httpx.AsyncClient, asked: list[int]
) -> None:
    paths = (("GET", API), ("GET", f"{API}/{asked[0]}"), ("POST", f"{API}/{asked[0]}/answer"), ("POST", f"{API}/{asked[0]}/close"))  # fmt: skip
    for headers in ({}, {"Authorization": "Bearer cds_x"}):
        for method, path in paths:
            assert (await browser.request(method, path, headers=headers, json=ANSWER)).status_code == 401
    viewer, other = await key_of(server, "Minh", "viewer"), await key_of(server, "Hoa", "admin", "duc-xuan")
    assert (await browser.get(API, headers=viewer)).status_code == 422
    assert (await browser.get(API, headers=other)).json() == []
    for who in (viewer, other):
        assert (await browser.post(f"{API}/{asked[0]}/answer", json=ANSWER, headers=who)).status_code == 422
    assert (await browser.get(API, params={"unit": "phu-thong"}, headers=other)).status_code == 422
    async with server.database.read() as connection:
        assert (await connection.execute(select(outbox.c.id))).first() is None


@pytest.mark.parametrize("body", [{}, {"text": ""}, {"text": "Gọi 0912 345 678"}, ANSWER | {"html": "<b>"}])
async def test_nonsense_is_refused(
    server: Server, browser: httpx.AsyncClient, asked: list[int], body: dict[str, Any]
) -> None:
    lan = await key_of(server, "Lan")
    assert (await browser.post(f"{API}/{asked[0]}/answer", json=body, headers=lan)).status_code == 422
    for number in (0, -1, 2**63, 10**30, "x"):
        assert (await browser.post(f"{API}/{number}/answer", json=ANSWER, headers=lan)).status_code == 422
    assert len((await browser.get(API, headers=lan)).json()) == 2


async def test_a_session_reads_and_acts_with_the_pages_token_only(
    server: Server, browser: httpx.AsyncClient, enter: Enter, asked: list[int]
) -> None:
    form = await enter()
    assert len((await browser.get(API)).json()) == 2
    path = f"{API}/{asked[0]}/answer"
    for headers in ({}, {"X-Form-Token": "forged"}, {"X-Form-Token": form, "Sec-Fetch-Site": "cross-site"}):
        assert (await browser.post(path, json=ANSWER, headers=headers)).status_code == 403
    ours = {"X-Form-Token": form, "Sec-Fetch-Site": "same-origin"}
    assert (await browser.post(path, json=ANSWER, headers=ours)).status_code == 200
    await browser.post("/console/logout", data={"form": form})
    assert (await browser.get(API)).status_code == 401


async def test_it_describes_itself(browser: httpx.AsyncClient) -> None:
    described = (await browser.get("/api/openapi.json")).json()
    assert {API, f"{API}/{{number}}", f"{API}/{{number}}/answer", f"{API}/{{number}}/close"} <= set(described["paths"])
    assert "409" in described["paths"][f"{API}/{{number}}/answer"]["post"]["responses"]
