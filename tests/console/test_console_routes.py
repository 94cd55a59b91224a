"""The console's doors: who gets in, whose figures they see, which buttons count."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import httpx
import pytest
from sqlalchemy import insert

from analytics import events
from bot.conversation.model import Session
from bot.storage.tables import conversation
from tests.console.conftest import PASSWORD, form_of

if TYPE_CHECKING:
    from congdanso.app import Server

pytestmark = pytest.mark.anyio
Enter = Callable[..., Awaitable[str]]
PAGES = (
    "/console/figures",
    "/console/announcements",
    "/console/packs",
    "/console/figures.xlsx",
    "/console/announcements/1",
)


async def announced(server: Server, unit: str = "phu-thong", citizens: int = 3) -> int:
    """Some citizens on the web, and an announcement to them."""
    now = datetime.now(UTC)
    rows = [
        {
            "channel": "web",
            "account": "default",
            "chat": f"{unit}-{i}",
            "session": Session(greeted=True).as_dict(),
            "ward": server.brain.places.by_slug(unit).code,
            "subscribed": True,
            "created_at": now,
            "last_seen_at": now,
        }
        for i in range(citizens)
    ]
    async with server.database.write() as connection:
        await connection.execute(insert(conversation), rows)
    plan = await server.deliveries.announcements.plan(unit, "Mời bà con họp thôn.", urgent_reason="diễn tập lũ quét")
    return await server.deliveries.announcements.start(plan, author="nguyen-thi-lan")


async def asked(server: Server, unit: str, people: int) -> None:
    at = datetime.now(UTC)
    happened = [
        events.TurnAnswered(at, unit, "web", f"{unit}{i:012d}"[:16], "text", "answered", "tam-tru", "le-phi", 0.9, True)
        for i in range(people)
    ]
    async with server.database.write() as connection:
        await events.record_many(connection, happened)


async def test_without_a_login_every_page_leads_to_it(browser: httpx.AsyncClient) -> None:
    for path in PAGES:
        answer = await browser.get(path)
        assert (answer.status_code, answer.headers["location"]) == (303, "/console/login"), path
    assert (await browser.get("/console")).headers["location"] == "/console/figures"


async def test_the_first_link_leads_in(server: Server, browser: httpx.AsyncClient) -> None:
    link = f"/console/link/{await server.accounts.first_link()}"
    page = await browser.get(link)
    assert "Tạo tài khoản quản trị" in page.text
    form = {"form": form_of(page.text), "name": "Hà Văn Bình", "password": PASSWORD, "again": PASSWORD}
    differ = await browser.post(link, data=form | {"again": "khác"})
    assert (differ.status_code, "không giống nhau" in differ.text) == (422, True)
    weak = await browser.post(link, data=form | {"password": "1" * 12, "again": "1" * 12})
    assert weak.status_code == 422
    assert "chữ số" in weak.text
    assert 'value="Hà Văn Bình"' in weak.text, "what was typed is not lost"
    welcome = await browser.post(link, data=form)
    assert "ha-van-binh" in welcome.text
    assert (await browser.get(link)).status_code == 410
    assert (await browser.post(link, data=form)).status_code == 410


async def test_a_wrong_password_says_no_more_than_a_wrong_name(server: Server, browser: httpx.AsyncClient) -> None:
    _, link = await server.accounts.add("Lan", "phu-thong", "officer")
    await server.accounts.use_link(link, PASSWORD)
    form = form_of((await browser.get("/console/login")).text)
    wrong = await browser.post("/console/login", data={"login": "lan", "password": "sai", "form": form})
    nobody = await browser.post("/console/login", data={"login": "khong-ai", "password": "sai", "form": form})
    assert wrong.status_code == nobody.status_code == 401
    assert wrong.text.replace('"lan"', "") == nobody.text.replace('"khong-ai"', "")
    for _ in range(5):
        last = await browser.post("/console/login", data={"login": "lan", "password": "sai", "form": form})
    assert last.status_code == 429


@pytest.mark.parametrize(
    ("form", "headers"),
    [("", {}), ("gia-mao", {}), ("x" * 300, {}), (None, {"Sec-Fetch-Site": "cross-site"})],
    ids=["none", "forged", "long", "from elsewhere"],
)
async def test_a_form_that_is_not_ours_does_nothing(
    server: Server, browser: httpx.AsyncClient, enter: Enter, form: str | None, headers: dict[str, str]
) -> None:
    good = await enter()
    number = await announced(server)
    data = {"form": good if form is None else form}
    for path in (f"/console/announcements/{number}/stop", "/console/logout"):
        answer = await browser.post(path, data=data, headers=headers)
        assert answer.status_code == 403, path
    assert (await browser.get("/console/packs")).status_code == 200, "still logged in"
    progress = await server.deliveries.announcements.progress(number)
    assert progress is not None
    assert progress.state != "cancelled"


async def test_somebody_elses_form_does_not_count(server: Server, browser: httpx.AsyncClient, enter: Enter) -> None:
    first = await enter("Lan")
    assert (await browser.post("/console/logout", data={"form": first})).status_code == 303
    await enter("Mai")
    assert (await browser.post("/console/logout", data={"form": first})).status_code == 403


async def test_logging_out_ends_the_session_also_for_a_copied_cookie(browser: httpx.AsyncClient, enter: Enter) -> None:
    form = await enter()
    copied = browser.cookies["congdanso_session"]
    assert (await browser.post("/console/logout", data={"form": form})).headers["location"] == "/console/login"
    browser.cookies.set("congdanso_session", copied, path="/console")
    assert (await browser.get("/console/figures")).status_code == 303


async def test_an_officer_sees_the_own_commune_only(server: Server, browser: httpx.AsyncClient, enter: Enter) -> None:
    mine, other = await announced(server), await announced(server, "duc-xuan")
    await asked(server, "phu-thong", 3)
    await asked(server, "duc-xuan", 7)
    await enter(unit="phu-thong")
    listing = (await browser.get("/console/announcements")).text
    assert f"/console/announcements/{mine}" in listing
    assert f"/console/announcements/{other}" not in listing
    assert (await browser.get(f"/console/announcements/{mine}")).status_code == 200
    for path in ("", "/events"):
        assert (await browser.get(f"/console/announcements/{other}{path}")).status_code == 404
    figures = await browser.get("/console/figures?unit=duc-xuan")
    assert "<dd>3</dd>" in figures.text, "the own commune's numbers, however small"
    assert "Đức Xuân" not in figures.text


async def test_the_province_sees_all_but_no_small_numbers_of_people(
    server: Server, browser: httpx.AsyncClient, enter: Enter
) -> None:
    await asked(server, "phu-thong", 3)
    await asked(server, "duc-xuan", 7)
    await asked(server, "na-ri", 9)
    await enter(unit="thai-nguyen", role="viewer")
    page = (await browser.get("/console/figures")).text
    row = page.split("<td>Xã Phủ Thông</td>", 1)[1].split("</tr>", 1)[0]
    assert "dưới 5" in row
    assert "Xã Na Rì" in page
    book = await browser.get("/console/figures.xlsx")
    texts = zipfile.ZipFile(io.BytesIO(book.content)).read("xl/sharedStrings.xml").decode()
    assert "Xã Phủ Thông" in texts
    assert "dưới 5" in texts


async def test_a_viewer_may_not_stop_and_an_officer_may(
    server: Server, browser: httpx.AsyncClient, enter: Enter
) -> None:
    number = await announced(server)
    form = await enter("Mai", role="viewer")
    assert "Dừng gửi" not in (await browser.get(f"/console/announcements/{number}")).text
    assert (await browser.post(f"/console/announcements/{number}/stop", data={"form": form})).status_code == 403
    await browser.post("/console/logout", data={"form": form})
    form = await enter("Lan")
    answer = await browser.post(f"/console/announcements/{number}/stop", data={"form": form})
    assert answer.status_code == 303


async def test_the_live_line_ends_with_the_last_state(server: Server, browser: httpx.AsyncClient, enter: Enter) -> None:
    number = await announced(server)
    await enter()
    told = []
    async with browser.stream("GET", f"/console/announcements/{number}/events", timeout=40) as stream:
        event = ""
        async for line in stream.aiter_lines():
            if line.startswith("event:"):
                event = line.removeprefix("event:").strip()
            elif line.startswith("data:") and event == "progress":
                told.append(json.loads(line.removeprefix("data:")))
            if event == "end":
                break
    assert told[-1]["finished"]
    assert told[-1]["done"] == told[-1]["audience"] == 3
    assert told[-1]["states"] == [["chờ người dân mở trang", 3]]


@pytest.mark.parametrize("path", ["by-day", "by-topic"])
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_the_charts_are_pictures(browser: httpx.AsyncClient, enter: Enter, path: str) -> None:
    await enter()
    picture = await browser.get(f"/console/figures/{path}.png?days=7&width=340")
    assert picture.headers["content-type"] == "image/png"
    assert picture.content.startswith(b"\x89PNG")
    assert (await browser.get(f"/console/figures/{path}.png?width=5000")).status_code == 404
    assert (await browser.get("/console/figures/other.png")).status_code == 404


async def test_every_page_is_guarded_and_kept_by_no_cache(browser: httpx.AsyncClient, enter: Enter) -> None:
    await enter()
    for path in ("/console/login", "/console/figures", "/console/announcements", "/console/packs"):
        headers = (await browser.get(path)).headers
        assert "script-src 'self'" in headers["content-security-policy"]
        assert headers["cache-control"] == "no-store"
        assert headers["referrer-policy"] == "no-referrer"
    cookie = (await browser.get("/console/login")).headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    kept = await browser.get("/console/static/console.css")
    assert "immutable" in kept.headers["cache-control"]
    assert (await browser.get("/console/static/texts.yml")).status_code == 404


@pytest.mark.parametrize(
    "path",
    ["/console/figures?days=0", "/console/figures?days=x", "/console/announcements/x", "/console/announcements/999"],
)
async def test_nonsense_is_refused_without_an_error(browser: httpx.AsyncClient, enter: Enter, path: str) -> None:
    await enter()
    assert (await browser.get(path)).status_code in (404, 422)
