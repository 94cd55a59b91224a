"""Whatever is thrown at the door: without a token nothing of it is stored, with one it is answered or refused, never a 500."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import MetaData, func, select

from bot.channels.web.access import Tokens
from bot.channels.web.bubbles import bubble
from bot.channels.web.embed import ancestors
from bot.channels.web.headers import content_security_policy
from bot.storage.tables import inbox, metadata
from tests.browser.webapp import KEY, WebApp, create

FUZZ = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@dataclass
class Door:
    """The web chat, reached from tests that are no coroutines."""

    runner: asyncio.Runner
    web: WebApp
    http: httpx.AsyncClient

    def asks(self, method: str, path: str, **what: Any) -> httpx.Response:
        return self.runner.run(self.http.request(method, path, **what))

    def stored(self, tables: MetaData = metadata) -> int:
        """How many rows there are in all tables."""

        async def count() -> int:
            async with self.web.database.read() as connection:
                return sum(
                    [await connection.scalar(select(func.count()).select_from(t)) or 0 for t in tables.sorted_tables]
                )

        return self.runner.run(count())

    def kept(self) -> str:
        """All that the inbox holds, as text."""

        async def look() -> str:
            async with self.web.database.read() as connection:
                return repr((await connection.execute(select(inbox))).all())

        return self.runner.run(look())


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    with asyncio.Runner() as runner:
        database = runner.run(create(tmp_path / "web.db"))
        web = WebApp(database)
        transport = httpx.ASGITransport(web.app(per_minute=10**9), raise_app_exceptions=False)
        http = httpx.AsyncClient(transport=transport, base_url="http://web.test")
        yield Door(runner, web, http)
        runner.run(http.aclose())
        runner.run(database.close())


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
NEARLY = st.fixed_dictionaries(
    {},
    optional={
        "id": st.text(max_size=70) | ANYTHING,
        "text": st.text(max_size=200) | ANYTHING,
        "payload": st.text(max_size=70)
        | st.from_regex(r"[a-z]:[a-z-]{1,20}(:[a-z-]{1,10})?", fullmatch=True)
        | ANYTHING,
        "more": ANYTHING,
    },
)
BODIES = (
    st.binary(max_size=300)
    | NEARLY.map(lambda value: json.dumps(value).encode())
    | NEARLY.map(lambda value: json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass"))
    | ANYTHING.map(lambda value: json.dumps(value).encode())
    | NEARLY.map(lambda value: json.dumps(value).encode()[:-1])
)
HEADER = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=90)
STRANGERS = (
    st.none()
    | HEADER
    | HEADER.map(lambda word: f"Bearer {word}")
    | st.builds(lambda: f"Bearer {Tokens('another key').new()}")
    | st.tuples(st.builds(lambda: Tokens(KEY).new()), st.integers(0, 30)).map(
        lambda t: f"Bearer {t[0][: t[1]]}{'A' if t[0][t[1]] != 'A' else 'B'}{t[0][t[1] + 1 :]}"
    )
)
FIELDS = st.dictionaries(
    st.sampled_from(["form", "once", "text", "payload", "unit", "afresh"]) | st.text(max_size=8),
    st.text(max_size=60),
    max_size=8,
)


@FUZZ
@given(body=BODIES, authorization=STRANGERS)
def test_without_a_token_of_ours_nothing_is_stored(door: Door, body: bytes, authorization: str | None) -> None:
    headers = {} if authorization is None else {b"Authorization": authorization.encode("latin-1").strip()}
    response = door.asks("POST", "/api/chat/messages", content=body, headers=headers)
    assert response.status_code == 401
    assert door.stored() == 0


@FUZZ
@given(body=BODIES)
def test_with_a_token_a_body_is_a_message_or_refused_and_then_not_stored(door: Door, body: bytes) -> None:
    token = Tokens(KEY).new()
    before = door.stored()
    response = door.asks("POST", "/api/chat/messages", content=body, headers={"Authorization": f"Bearer {token}"})
    assert response.status_code in (200, 413, 422)
    if response.status_code == 200:
        assert set(response.json()) == {"replies", "topic", "aspect", "status"}
    else:
        assert set(response.json()) == {"detail"}
        assert door.stored() == before


@FUZZ
@given(
    fields=FIELDS,
    cookie=st.none() | st.builds(lambda: Tokens("another key").new()) | st.builds(lambda: Tokens(KEY).new()),
    site=st.sampled_from([None, "cross-site", "same-site", "none", "strange"]),
)
def test_a_form_that_is_not_ours_stores_nothing(
    door: Door, fields: dict[str, str], cookie: str | None, site: str | None
) -> None:
    headers = ({"Cookie": f"congdanso_chat={cookie}"} if cookie else {}) | ({"Sec-Fetch-Site": site} if site else {})
    content = urlencode(fields, errors="surrogatepass").encode()
    response = door.asks("POST", "/chat", content=content, headers=headers)
    assert response.status_code in (403, 422)
    assert response.headers["Content-Type"].startswith("text/html")
    assert door.stored() == 0


@FUZZ
@given(content=st.binary(max_size=200) | FIELDS.map(lambda fields: urlencode(fields, errors="surrogatepass").encode()))
def test_our_form_with_anything_in_it_is_a_page(door: Door, content: bytes) -> None:
    token = Tokens(KEY).new()
    cookie = {"Cookie": f"congdanso_chat={token}"}
    page = door.asks("GET", "/chat", headers=cookie).text
    ours = {name: page.split(f'name="{name}" value="')[1].split('"')[0] for name in ("form", "once")}
    response = door.asks("POST", "/chat", content=content + b"&" + urlencode(ours).encode(), headers=cookie)
    assert response.status_code in (303, 413, 422)
    assert "Traceback" not in response.text


@FUZZ
@given(
    path=st.sampled_from(
        ["/", "/chat", "/embed", "/embed.js", "/offline", "/sw.js", "/manifest.webmanifest", "/static/web/"]
    ),
    tail=st.text(max_size=20),
    query=st.dictionaries(
        st.sampled_from(["c", "u", "gui", "xem"]) | st.text(max_size=5), st.text(max_size=70), max_size=4
    ),
    cookies=st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=80),
)
def test_any_address_is_a_page_or_no_page(
    door: Door, path: str, tail: str, query: dict[str, str], cookies: str
) -> None:
    address = path + (quote(tail, safe="") if path.endswith("/") else "") + "?" + urlencode(query)
    response = door.asks(
        "GET", address, headers={"Cookie": f"congdanso_said={cookies}; {cookies}", "If-None-Match": cookies}
    )
    assert response.status_code in (200, 304, 307, 403, 404)
    for value in query.values():
        if "<" in value or '"' in value:
            assert f">{value}" not in response.text and f'="{value}"' not in response.text
    assert door.stored() == 0


@FUZZ
@given(number=st.from_regex(r"0[1-9]\d{10}", fullmatch=True), words=st.text("abc đường ", max_size=20))
def test_a_personal_number_is_not_kept_by_either_way_in(door: Door, number: str, words: str) -> None:
    token = Tokens(KEY).new()
    door.asks(
        "POST", "/api/chat/messages", json={"id": "1", "text": f"{words} {number} {words}"}, headers={"Authorization": f"Bearer {token}"},
    )  # fmt: skip
    cookie = {"Cookie": f"congdanso_chat={token}"}
    page = door.asks("GET", "/chat", headers=cookie).text
    ours = {name: page.split(f'name="{name}" value="')[1].split('"')[0] for name in ("form", "once")}
    sent = door.asks("POST", "/chat", data={**ours, "text": f"{words} {number}"}, headers=cookie)
    assert sent.status_code == 303
    said = sent.headers["Set-Cookie"].split(";")[0]
    shown = door.asks("GET", "/chat", headers={"Cookie": f"{cookie['Cookie']}; {said}"}).text
    assert number not in shown and number not in door.kept()


@settings(deadline=None)
@given(st.lists(st.text(max_size=60) | st.from_regex(r"https?://[a-z.*:/; '-]{1,40}", fullmatch=True), max_size=6))
def test_no_list_of_sites_changes_anything_but_who_may_frame(origins: list[str]) -> None:
    policy = content_security_policy(ancestors(origins))
    assert policy.split("; ")[:-1] == content_security_policy().split("; ")[:-1]
    sources = policy.split("; ")[-1].split()
    assert sources[0] == "frame-ancestors"
    assert sources[1:] == ["'none'"] or all(source.startswith(("https://", "http://")) for source in sources[1:])
    assert policy.isascii() and "\n" not in policy and "," not in policy


REPLIES = st.fixed_dictionaries(
    {
        "text": st.text(max_size=200),
        "buttons": st.lists(
            st.fixed_dictionaries(
                {"label": st.text(max_size=20), "payload": st.text(max_size=20)}, optional={"url": st.text(max_size=20)}
            ),
            max_size=4,
        ),
        "attachments": st.lists(
            st.fixed_dictionaries({"title": st.text(), "url": st.text(), "media_type": st.text()}), max_size=2
        ),
        "source": st.none()
        | st.fixed_dictionaries(
            {"title": st.text(), "url": st.text(), "seen_on": st.dates().map(lambda d: d.isoformat())}
        ),
    }
)


@settings(deadline=None)
@given(REPLIES)
def test_taking_a_reply_apart_loses_no_line_and_no_step(reply: dict[str, Any]) -> None:
    made = bubble(reply)
    lines = [line for line in reply["text"].split("\n") if line.strip()]
    shown = [line.mark + line.text for line in made.lines]
    labels = [step.label for step in made.steps]
    assert [line for line in lines if line not in labels] == [line for line in shown if line not in labels]
    assert [step.payload for step in made.steps] == [button["payload"] for button in reply["buttons"]]
    assert len(made.files) == len(reply["attachments"])
    for url in (*(step.url for step in made.steps), *(file.url for file in made.files)):
        assert url == "" or url.lower().startswith(("http://", "https://", "tel:", "/"))
