"""The API acts as one officer, checks as the command does, and cannot be used from somebody else's page."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from sqlalchemy import insert, select, update

from bot.conversation.model import Session
from bot.storage.tables import conversation, outbox
from tests.console.conftest import PASSWORD

if TYPE_CHECKING:
    from congdanso.app import Server

pytestmark = pytest.mark.anyio
Enter = Callable[..., Awaitable[str]]
API = "/api/announcements"
WRITING: dict[str, Any] = {
    "unit": "phu-thong",
    "content": {"text": "Mời bà con {xa} họp thôn.", "category": "tap-huan", "buttons": [{"kind": "join"}]},
    "urgent_reason": "diễn tập lũ quét",
}


@pytest.fixture
async def citizens(server: Server) -> None:
    now = datetime.now(UTC)
    rows = [
        {
            "channel": "web", "account": "default", "chat": f"c{i}", "session": Session(greeted=True).as_dict(),
            "ward": server.brain.places.by_slug("phu-thong").code, "subscribed": True, "created_at": now, "last_seen_at": now,
        }
        for i in range(3)
    ]  # fmt: skip
    async with server.database.write() as connection:
        await connection.execute(insert(conversation), rows)


async def key_of(server: Server, name: str, role: str = "officer", unit: str = "phu-thong") -> dict[str, str]:
    officer, _ = await server.accounts.add(name, unit, role)
    return {"Authorization": f"Bearer {await server.deliveries.chats.make_key(officer.login)}"}


async def test_the_whole_way_over_the_api(server: Server, browser: httpx.AsyncClient, citizens: None) -> None:
    lan, minh = await key_of(server, "Lan"), await key_of(server, "Minh", "approver")
    looked = (await browser.post(f"{API}/forecast", json=WRITING, headers=lan)).json()
    assert (looked["recipients"], looked["problems"]) == (3, [])
    assert "Bà con" not in looked["previews"][0]["parts"][0]
    assert "bà con xã Phủ Thông" in looked["previews"][0]["parts"][0]
    made = await browser.post(API, json={**WRITING, "key": "hop-thon"}, headers=lan)
    assert made.status_code == 201
    number = made.json()["id"]
    assert (await browser.post(API, json={**WRITING, "key": "hop-thon"}, headers=lan)).json()["id"] == number
    submitted = (await browser.post(f"{API}/{number}/submit", headers=lan)).json()
    own = await browser.post(f"{API}/{number}/approve", json={"version": submitted["version"]}, headers=lan)
    assert own.status_code == 422
    old = await browser.post(f"{API}/{number}/approve", json={"version": "0" * 12}, headers=minh)
    assert (old.status_code, "đã thay đổi" in old.json()["problems"][0]) == (422, True)
    yes = await browser.post(f"{API}/{number}/approve", json={"version": submitted["version"]}, headers=minh)
    assert yes.json()["state"] == "approved"
    early = await browser.post(f"{API}/{number}/pause", headers=lan)
    assert (early.status_code, early.json()["state"], early.json()["target"]) == (409, "approved", "paused")
    begun = (await browser.post(f"{API}/{number}/send", headers=lan)).json()
    assert (begun["state"] in ("sending", "closed"), begun["begins"]) == (True, "now"), "urgent: by night too"
    shown = (await browser.get(f"{API}/{number}", headers=minh)).json()
    assert (shown["recipients"], shown["approver"]) == (3, "minh")
    assert [row["id"] for row in (await browser.get(API, headers=minh)).json()] == [number]
    assert (await browser.get(f"{API}/{number}/report", headers=minh)).json()["funnel"]["audience"] == 3
    book = await browser.get(f"{API}/{number}/report.xlsx", headers=minh)
    assert book.content.startswith(b"PK")
    missed = (await browser.get(f"{API}/{number}/unreached", headers=minh)).json()
    assert (missed["basis"], missed["total"], missed["people"]) == ("deliveries", 0, [])
    recalled = await browser.post(f"{API}/{number}/recall", json={"reason": "Nhầm ngày"}, headers=lan)
    assert recalled.json()["state"] == "recalled"


async def test_returning_revising_scheduling(server: Server, browser: httpx.AsyncClient, citizens: None) -> None:
    lan, minh = await key_of(server, "Lan"), await key_of(server, "Minh", "approver")
    number = (await browser.post(API, json=WRITING, headers=lan)).json()["id"]
    await browser.post(f"{API}/{number}/submit", headers=lan)
    back = await browser.post(f"{API}/{number}/return", json={"reason": "Sai ngày"}, headers=minh)
    assert back.json()["state"] == "draft"
    changed = WRITING | {"content": {"text": "Họp lúc 19 giờ."}}
    assert (await browser.put(f"{API}/{number}", json=changed, headers=lan)).status_code == 200
    version = (await browser.post(f"{API}/{number}/submit", headers=lan)).json()["version"]
    await browser.post(f"{API}/{number}/approve", json={"version": version}, headers=minh)
    past = await browser.post(f"{API}/{number}/schedule", json={"at": "2020-01-01T08:00"}, headers=lan)
    assert past.status_code == 422
    later = await browser.post(f"{API}/{number}/schedule", json={"at": "2036-01-01T08:00"}, headers=lan)
    assert datetime.fromisoformat(later.json()["send_at"]) == datetime(2036, 1, 1, 1, tzinfo=UTC)
    assert (await browser.post(f"{API}/{number}/cancel", headers=lan)).json()["state"] == "cancelled"


async def test_whom_a_draft_would_not_reach_is_told_one_by_one(
    server: Server, browser: httpx.AsyncClient, citizens: None
) -> None:
    lan = await key_of(server, "Lan")
    async with server.database.write() as connection:
        await connection.execute(update(conversation).where(conversation.c.chat != "c0").values(subscribed=False))
    number = (await browser.post(API, json=WRITING, headers=lan)).json()["id"]
    told = (await browser.get(f"{API}/{number}/unreached?limit=1", headers=lan)).json()
    assert (told["basis"], told["total"], len(told["people"])) == ("forecast", 2, 1)
    assert told["groups"] == [
        {
            "unit": "phu-thong",
            "channel": "web",
            "reason": "not_subscribed",
            "words": "đã chọn xã, phường nhưng không đăng ký nhận thông báo",
            "number": 2,
        }
    ]
    assert set(told["people"][0]) == {"unit", "channel", "account", "reason", "words", "last_wrote"}, "nobody's address"
    book = await browser.get(f"{API}/{number}/unreached.xlsx", headers=lan)
    assert (book.content[:2], book.headers["cache-control"]) == (b"PK", "no-store")
    assert (await browser.get(f"{API}/{number}/unreached?limit=-1", headers=lan)).status_code == 422
    stranger = await key_of(server, "Xa", unit="duc-xuan")
    assert (await browser.get(f"{API}/{number}/unreached", headers=stranger)).status_code == 422


async def test_without_a_name_nothing_is_told(server: Server, browser: httpx.AsyncClient) -> None:
    for headers in (
        {},
        {"Authorization": "Bearer cds_x"},
        {"Authorization": "Basic x"},
        {"Authorization": "Bearer á".encode()},
    ):
        for method, path in (("GET", API), ("POST", API), ("GET", f"{API}/1"), ("POST", f"{API}/1/send")):
            answer = await browser.request(method, path, headers=headers, json=WRITING)  # type: ignore[arg-type]
            assert answer.status_code == 401, (method, path)


async def test_another_communes_officer_learns_nothing(
    server: Server, browser: httpx.AsyncClient, citizens: None
) -> None:
    lan, other = await key_of(server, "Lan"), await key_of(server, "Tú", "admin", "duc-xuan")
    number = (await browser.post(API, json=WRITING, headers=lan)).json()["id"]
    unknown = await browser.get(f"{API}/{number + 1}", headers=other)
    theirs = await browser.get(f"{API}/{number}", headers=other)
    assert theirs.status_code == unknown.status_code == 422
    assert theirs.json()["problems"][0].replace(str(number), "") == unknown.json()["problems"][0].replace(
        str(number + 1), ""
    )
    assert (await browser.post(API, json=WRITING, headers=other)).status_code == 422
    assert (await browser.post(f"{API}/forecast", json=WRITING, headers=other)).status_code == 422
    assert (await browser.get(API, headers=other)).json() == []


async def test_a_switched_off_account_and_an_old_key_are_out(server: Server, browser: httpx.AsyncClient) -> None:
    lan = await key_of(server, "Lan")
    assert (await browser.get(API, headers=lan)).status_code == 200
    await server.accounts.disable("lan")
    assert (await browser.get(API, headers=lan)).status_code == 401


async def test_a_session_reads_but_changes_nothing_without_the_pages_token(
    server: Server, browser: httpx.AsyncClient, enter: Enter, citizens: None
) -> None:
    form = await enter()
    assert (await browser.get(API)).status_code == 200
    for headers in ({}, {"X-Form-Token": "forged"}, {"X-Form-Token": form, "Sec-Fetch-Site": "cross-site"}):
        assert (await browser.post(API, json=WRITING, headers=headers)).status_code == 403
    made = await browser.post(API, json=WRITING, headers={"X-Form-Token": form, "Sec-Fetch-Site": "same-origin"})
    assert made.status_code == 201
    await browser.post("/console/logout", data={"form": form})
    assert (await browser.get(API)).status_code == 401


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"unit": "phu-thong"},
        WRITING | {"content": {"text": "x", "html": "<b>"}},
        WRITING | {"audience": {"took": "vneid"}},
        WRITING | {"audience": {"units": ["duc-xuan"]}, "key": "x" * 65},
        WRITING | {"repeat": {"every": "year"}},
        WRITING | {"content": {"text": "Gọi 0912 345 678"}},
        WRITING | {"unit": "khong-co"},
    ],
)
async def test_nonsense_is_refused_without_an_error(
    server: Server, browser: httpx.AsyncClient, body: dict[str, Any]
) -> None:
    lan = await key_of(server, "Lan")
    assert (await browser.post(API, json=body, headers=lan)).status_code == 422
    assert (await browser.get(API, headers=lan)).json() == []


async def test_audiences_are_kept_under_a_name(server: Server, browser: httpx.AsyncClient) -> None:
    lan = await key_of(server, "Lan")
    saved = {"unit": "phu-thong", "title": "Người dùng web", "audience": {"channels": ["web"]}}
    assert (await browser.post(f"{API}/audiences", json=saved, headers=lan)).json() == {"name": "nguoi-dung-web"}
    listed = (await browser.get(f"{API}/audiences", params={"unit": "phu-thong"}, headers=lan)).json()
    removing = {"params": {"unit": "phu-thong"}, "headers": lan}
    assert (await browser.delete(f"{API}/audiences/nguoi-dung-web", **removing)).status_code == 204  # type: ignore[arg-type]
    assert (await browser.delete(f"{API}/audiences/nguoi-dung-web", **removing)).status_code == 422  # type: ignore[arg-type]
    assert listed["saved"][0]["audience"] == {"units": ["phu-thong"], "channels": ["web"]}
    assert "ho-kinh-doanh" in [g["slug"] for g in listed["groups"]]


async def test_it_describes_itself(browser: httpx.AsyncClient) -> None:
    described = (await browser.get("/api/openapi.json")).json()
    acts = ("submit", "approve", "return", "schedule", "send", "pause", "resume", "cancel", "recall", "preview")
    assert {f"{API}/{{number}}/{act}" for act in acts} <= set(described["paths"])
    assert "409" in described["paths"][f"{API}/{{number}}/pause"]["post"]["responses"]
    officers = [
        (path, way) for path, ways in described["paths"].items() if path.startswith(API) for way in ways.values()
    ]
    officers += [
        (p, w) for p, ways in described["paths"].items() if p.startswith("/api/questions") for w in ways.values()
    ]
    assert all(way["security"] == [{"officer": []}] for _, way in officers)
    assert described["components"]["securitySchemes"]["officer"]["scheme"] == "bearer"
    assert described["components"]["schemas"]["Audience"]["additionalProperties"] is False
    answer = described["paths"][f"{API}/{{number}}/send"]["post"]["responses"]["200"]["content"]["application/json"]
    assert answer["schema"]["$ref"].endswith("/Begun")


async def test_what_cannot_begin_is_refused_with_its_reason(
    server: Server, browser: httpx.AsyncClient, citizens: None
) -> None:
    lan, minh = await key_of(server, "Lan"), await key_of(server, "Minh", "approver")
    soon = (datetime.now(UTC) + timedelta(seconds=6)).isoformat()
    number = (await browser.post(API, json=WRITING | {"expires_at": soon}, headers=lan)).json()["id"]
    version = (await browser.post(f"{API}/{number}/submit", headers=lan)).json()["version"]
    await browser.post(f"{API}/{number}/approve", json={"version": version}, headers=minh)
    await asyncio.sleep(max(0.0, (datetime.fromisoformat(soon) - datetime.now(UTC)).total_seconds() + 0.1))
    late = await browser.post(f"{API}/{number}/send", headers=lan)
    assert (late.status_code, late.json()["problems"]) == (422, ["Đã quá hạn của thông báo."])


async def test_a_trial_goes_to_officers_who_linked_a_conversation(
    server: Server, browser: httpx.AsyncClient, citizens: None
) -> None:
    lan = await key_of(server, "Lan")
    number = (await browser.post(API, json=WRITING, headers=lan)).json()["id"]
    unlinked = await browser.post(f"{API}/{number}/test", json={}, headers=lan)
    assert (unlinked.status_code, "chưa nối tài khoản" in unlinked.json()["problems"][0]) == (422, True)
    async with server.database.read() as connection:
        conversation_id = await connection.scalar(select(conversation.c.id).limit(1))
    await server.deliveries.chats.use_code(await server.deliveries.chats.make_code("lan"), conversation_id or 0)
    # Who may only look sends nothing to anybody, not even to an officer.
    viewer = await key_of(server, "Xem", "viewer")
    assert (await browser.post(f"{API}/{number}/test", json={"to": ["lan"]}, headers=viewer)).status_code == 422
    tried = await browser.post(f"{API}/{number}/test", json={"to": ["lan"]}, headers=lan)
    assert tried.json() == {"sent_to": ["lan"]}
    async with server.database.read() as connection:
        laid = (await connection.execute(select(outbox.c.reply))).scalars().all()
    assert [reply["text"].splitlines()[0] for reply in laid] == ["(Tin gửi thử, chỉ anh/chị nhận được)"]


async def test_a_policy_is_set_by_who_may(server: Server, browser: httpx.AsyncClient) -> None:
    lan, binh = await key_of(server, "Lan"), await key_of(server, "Bình", "admin", "thai-nguyen")
    body = {"unit": "phu-thong", "second_person": True}
    assert (await browser.put(f"{API}/policy", json=body, headers=lan)).status_code == 422
    assert (await browser.put(f"{API}/policy", json=body, headers=binh)).json() == body


async def test_a_login_by_password_is_not_a_key(server: Server, browser: httpx.AsyncClient) -> None:
    _, link = await server.accounts.add("Lan", "phu-thong", "officer")
    await server.accounts.use_link(link, PASSWORD)
    session = await server.accounts.login("lan", PASSWORD, "::1")
    assert (await browser.get(API, headers={"Authorization": f"Bearer {session}"})).status_code == 401
