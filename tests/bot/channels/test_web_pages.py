"""What a browser loads: the pages and their policy, their files, the app on the home screen, the launcher for other sites."""

from __future__ import annotations

import gzip
import json
import random
import re
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import httpx
import pytest
from PIL import Image, ImageChops

from bot.channels.web import embed
from bot.channels.web.bubbles import bubble
from bot.channels.web.embed import MAX_ORIGINS, ancestors, origin
from bot.channels.web.files import MEDIA_TYPES, File, script, static_files
from bot.channels.web.headers import CONTENT_SECURITY_POLICY, content_security_policy
from bot.channels.web.texts import problem, texts
from bot.codec import reply_to_json
from tests.bot.channels.icons import ICONS, STATIC, draw
from tests.browser.webapp import FEE, HOSTILE, LOST, MARKUP, PAPERS, PLACE, WebApp, create

pytestmark = pytest.mark.anyio
PHU_THONG = "https://phuthong.thainguyen.gov.vn"


@pytest.fixture
async def web(tmp_path: Path) -> AsyncIterator[WebApp]:
    database = await create(tmp_path / "web.db")
    yield WebApp(database)
    await database.close()


def client(web: WebApp, **settings: object) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(web.app(**settings)), base_url="http://web.test")


@pytest.fixture
async def http(web: WebApp) -> AsyncIterator[httpx.AsyncClient]:
    async with client(web) as opened:
        yield opened


# the page


async def test_the_page_has_the_introduction_in_it_and_a_strict_policy(http: httpx.AsyncClient) -> None:
    response = await http.get("/")
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    assert response.headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Referrer-Policy"] == "no-referrer"
    assert "geolocation=()" in response.headers["Permissions-Policy"]
    page = response.text
    assert '<html lang="vi">' in page
    assert "Kênh hỏi đáp dịch vụ công của tỉnh Thái Nguyên" in page
    assert "Hỏi đáp dịch vụ công – Thái Nguyên" in page
    assert '"payload": "c:ok"' in page
    assert 'href="chat"' in page.split("<noscript>")[1].split("</noscript>")[0]
    assert "18001096" in page.split("<noscript>")[1].split("</noscript>")[0]
    assert " style=" not in page and "<style" not in page and "onclick" not in page
    assert "http://" not in page and "https://" not in page
    assert (await http.head("/")).status_code == 200


def test_the_policy_lets_nothing_in_from_elsewhere() -> None:
    rules = {rule.split()[0]: rule.split()[1:] for rule in CONTENT_SECURITY_POLICY.split("; ")}
    assert rules["default-src"] == rules["base-uri"] == rules["frame-ancestors"] == ["'none'"]
    allowed = {source for name, sources in rules.items() for source in sources}
    assert allowed == {"'none'", "'self'", "data:"}
    assert rules["img-src"] == ["'self'", "data:"]


async def test_the_page_escapes_what_it_is_given(web: WebApp) -> None:
    async with client(web, examples=['<img src=x onerror="a">', "it's"]) as http:
        page = (await http.get("/")).text
        plain = (await http.get("/chat")).text
    assert "<img src=x" not in page and "<img src=x" not in plain
    assert "&lt;img src=x onerror=&#34;a&#34;&gt;" in plain
    opening = json.loads(re.search(r"data-opening='([^']*)'", page).group(1))  # type: ignore[union-attr]
    assert opening["examples"] == ['<img src=x onerror="a">', "it's"]


async def test_the_words_of_the_pages_are_all_used_and_all_there(http: httpx.AsyncClient) -> None:
    """A word that the script asks for and the catalogue lacks would stand on the page as "undefined"."""
    asked = {
        found
        for name in ("chat.js", "page.js")
        for found in re.findall(r"\bwords\.([a-z_]+)", static_files()[name].content.decode())
    }
    assert asked == set(texts()["script"])
    launcher = set(re.findall(r"\bwords\.([a-z_]+)", (await http.get("/embed.js")).text))
    assert launcher == {*texts()["embed"], "title"}


# files


async def test_the_files_are_served_for_ever_and_nothing_else_is(http: httpx.AsyncClient) -> None:
    pages = [(await http.get(path)).text for path in ("/", "/chat", "/offline", "/embed", "/manifest.webmanifest")]
    addresses = {found for page in pages for found in re.findall(r"static/web/[a-z0-9.?=-]+", page)}
    assert {re.sub(r".*/|\?.*", "", address) for address in addresses} == set(MEDIA_TYPES)
    for address in addresses:
        response = await http.get(f"/{address}")
        assert response.status_code == 200
        name = address.split("/")[-1].split("?")[0]
        assert response.headers["Content-Type"] == MEDIA_TYPES[name]
        assert response.content == static_files()[name].content
        assert "immutable" in response.headers["Cache-Control"]
        assert response.headers["X-Content-Type-Options"] == "nosniff"
    for name in ("nothing.js", "..%2froutes.py", "%2e%2e/routes.py", "chat.css/", "sw.js", "embed.js", ""):
        assert (await http.get(f"/static/web/{name}")).status_code in (404, 307)


@pytest.mark.parametrize("path", ["/", "/embed", "/offline", "/embed.js", "/sw.js", "/static/web/chat.js"])
async def test_text_is_pressed_for_a_weak_line_where_the_browser_can(http: httpx.AsyncClient, path: str) -> None:
    plain = await http.get(path, headers={"Accept-Encoding": "identity"})
    assert "Content-Encoding" not in plain.headers
    async with http.stream("GET", path, headers={"Accept-Encoding": "br, gzip"}) as pressed:
        assert pressed.headers["Content-Encoding"] == "gzip"
        assert pressed.headers["Vary"] == "Accept-Encoding"
        raw = b"".join([part async for part in pressed.aiter_raw()])
    assert gzip.decompress(raw) == plain.content
    assert len(raw) < 0.7 * len(plain.content)
    known = await http.get(path, headers={"If-None-Match": plain.headers["ETag"]})
    assert (known.status_code, known.content) == (304, b"")


def test_a_picture_is_sent_as_it_is() -> None:
    assert File(random.Random(1).randbytes(1000), "image/png").zipped is None
    assert File(b"a" * 1000, "text/plain").zipped is not None


async def test_what_a_first_visit_weighs(http: httpx.AsyncClient) -> None:
    """On a line of 100 kbit/s the page is there in two seconds: 20 kB, pressed, and with its files."""
    page = await http.get("/")
    names = [
        "/",
        *(
            f"/{a}"
            for a in re.findall(r'"(static/web/chat[^"]*|static/web/page[^"]*|static/web/icon\.svg[^"]*)"', page.text)
        ),
    ]
    assert len(set(names)) == 5
    weight = 0
    for name in set(names):
        async with http.stream("GET", name, headers={"Accept-Encoding": "gzip"}) as response:
            weight += len(b"".join([part async for part in response.aiter_raw()]))
    assert weight < 20_000


@pytest.mark.parametrize(
    ("name", "limit"), [("chat.js", 17_000), ("page.js", 4_500), ("embed.js", 10_000), ("sw.js", 2_000)]
)
def test_the_scripts_are_small_and_never_write_markup(name: str, limit: int) -> None:
    content = (STATIC / name).read_bytes()
    assert len(content) < limit
    for word in (
        b"innerHTML",
        b"outerHTML",
        b"insertAdjacentHTML",
        b"document.write",
        b"eval(",
        b"?.",
        b"??",
        b"cookie =",
    ):
        assert word not in content


# the app on the home screen


async def test_the_page_can_be_put_on_the_home_screen(http: httpx.AsyncClient) -> None:
    page = (await http.get("/")).text
    assert '<link rel="manifest" href="manifest.webmanifest">' in page
    response = await http.get("/manifest.webmanifest")
    assert response.headers["Content-Type"] == "application/manifest+json"
    about = response.json()
    assert about["name"] == "Hỏi đáp dịch vụ công – Thái Nguyên"
    assert len(about["short_name"]) <= 16
    assert (about["start_url"], about["scope"], about["display"], about["lang"]) == ("./", "./", "standalone", "vi")
    assert {(i["sizes"], i["purpose"]) for i in about["icons"]} == {
        ("192x192", "any"),
        ("512x512", "any"),
        ("512x512", "maskable"),
    }
    for icon in about["icons"]:
        assert (await http.get(f"/{icon['src']}")).headers["Content-Type"] == "image/png"
    css = static_files()["chat.css"].content.decode()
    assert about["theme_color"] in css
    for colour in re.findall(r'name="theme-color" media="[^"]*" content="(#[0-9a-f]{6})"', page):
        assert f": {colour};" in css


@pytest.mark.parametrize("name", ICONS)
def test_the_icons_are_the_drawing(name: str) -> None:
    kept, drawn = Image.open(STATIC / name).convert("RGBA"), draw(name)
    assert kept.size == drawn.size == (ICONS[name][0],) * 2
    histogram = ImageChops.difference(kept, drawn).convert("L").histogram()
    assert sum(histogram[48:]) < 0.002 * kept.width * kept.height, "uv run python -m tests.bot.channels.icons"
    corners = {kept.getpixel((x, y))[3] for x in (0, kept.width - 1) for y in (0, kept.height - 1)}  # type: ignore[index]
    assert corners == ({0} if name in ("icon-192.png", "icon-512.png") else {255})


async def test_the_worker_keeps_the_notice_and_what_it_needs(http: httpx.AsyncClient) -> None:
    worker = await http.get("/sw.js")
    assert worker.headers["Content-Type"].startswith("text/javascript")
    assert worker.headers["Cache-Control"] == "no-cache"
    assert "__" not in worker.text
    kept = json.loads(re.search(r"KEPT = (\[.*?\]);", worker.text).group(1))  # type: ignore[union-attr]
    notice = (await http.get("/offline")).text
    assert "chưa có gì được gửi đi" in notice and 'href="tel:18001096"' in notice
    needed = set(re.findall(r'(?:src|href)="(static/web/[^"]*)"', notice))
    assert needed == set(kept[1:])
    for address in kept:
        assert (await http.get(f"/{address}")).status_code == 200


def test_a_script_without_the_place_for_a_value_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="__NOTHING__"):
        script("sw.js", nothing=1)


# inside other sites


async def test_nobody_may_frame_the_chat_unless_the_list_says_so(http: httpx.AsyncClient) -> None:
    for path in ("/", "/chat", "/embed", "/offline"):
        assert "frame-ancestors 'none'" in (await http.get(path)).headers["Content-Security-Policy"]


async def test_the_sites_on_the_list_may_and_only_the_embedded_page(web: WebApp) -> None:
    listed = [PHU_THONG]

    async def origins() -> Sequence[str]:
        return listed

    async with client(web, embed_origins=origins) as http:
        response = await http.get("/embed?u=phu-thong")
        assert response.headers["Content-Security-Policy"] == content_security_policy([PHU_THONG])
        assert response.headers["Content-Security-Policy"].endswith(f"frame-ancestors {PHU_THONG}")
        assert response.headers["Cache-Control"] == "no-store"
        assert "Set-Cookie" not in response.headers
        assert 'class="embedded"' in response.text and "manifest" not in response.text
        for path in ("/", "/chat"):
            assert "frame-ancestors 'none'" in (await http.get(path)).headers["Content-Security-Policy"]
        # The list is asked each time, and what is no origin does not get into the policy.
        listed[:] = ["https://*.thainguyen.gov.vn", "https://a.vn; script-src *", "javascript:alert(1)"]
        policy = (await http.get("/embed")).headers["Content-Security-Policy"]
        assert policy.endswith("frame-ancestors https://*.thainguyen.gov.vn")
        assert "a.vn" not in policy


async def test_the_launcher_may_be_loaded_by_any_site_and_is_kept_for_an_hour(http: httpx.AsyncClient) -> None:
    response = await http.get("/embed.js")
    assert response.headers["Content-Type"].startswith("text/javascript")
    assert response.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert response.headers["Cache-Control"] == "public, max-age=3600"
    assert "Hỏi đáp dịch vụ công – Thái Nguyên" in response.text
    assert '"__' not in response.text
    assert len(response.content) <= 10_240
    assert "Cross-Origin-Resource-Policy" not in (await http.get("/")).headers


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://phuthong.thainguyen.gov.vn", PHU_THONG),
        ("  HTTPS://PhuThong.ThaiNguyen.gov.vn/ ", PHU_THONG),
        ("http://bachthong.gov.vn:8080", "http://bachthong.gov.vn:8080"),
        ("https://*.thainguyen.gov.vn", "https://*.thainguyen.gov.vn"),
        ("http://localhost:3000", "http://localhost:3000"),
        ("http://127.0.0.1:5500", "http://127.0.0.1:5500"),
        ("https://xn--phthng-3xa.vn", "https://xn--phthng-3xa.vn"),
    ],
)
def test_an_origin_is_taken_in_the_policys_spelling(given: str, kept: str) -> None:
    assert origin(given) == kept


@pytest.mark.parametrize(
    "given",
    [
        "",
        "phuthong.gov.vn",
        "*",
        "https:",
        "https://",
        "https://*",
        "https://phuthong.gov.vn/trang-chu",
        "https://phuthong.gov.vn?x=1",
        "https://phuthong.gov.vn; script-src *",
        "https://phuthong.gov.vn https://xa-khac.vn",
        "https://phuthong.gov.vn\nX-Header: 1",
        "https://user@phuthong.gov.vn",
        "https://phủthông.vn",
        "https://a..vn",
        "https://-a.vn",
        "https://a.vn:99999",
        "https://a.*.vn",
        f"https://{'a.' * 130}vn",
        "ftp://a.vn",
        "'self'",
        "data:",
    ],
)
def test_what_is_no_origin_is_refused_in_vietnamese(given: str) -> None:
    with pytest.raises(ValueError, match="Địa chỉ trang phải có dạng"):
        origin(given)


@pytest.mark.parametrize("given", ["https://*.gov.vn", "https://*.vn", "https://*.com.vn:443"])
def test_a_star_before_too_little_is_refused(given: str) -> None:
    with pytest.raises(ValueError, match="ít nhất ba phần"):
        origin(given)


def test_one_bad_entry_does_not_close_the_door_for_the_others(caplog: pytest.LogCaptureFixture) -> None:
    assert ancestors(["https://a.b.vn", "x", "https://A.b.vn/", "https://c.d.vn"]) == [
        "https://a.b.vn",
        "https://c.d.vn",
    ]
    assert "no origin" in caplog.text
    many = [f"https://xa-{i}.vn" for i in range(MAX_ORIGINS + 1)]
    assert ancestors(many) == many[:-1]
    assert "too long" in caplog.text


async def test_by_default_the_list_is_empty() -> None:
    assert list(await embed.nobody()) == []


# bubbles


def test_a_reply_is_taken_apart_as_the_script_does_it() -> None:
    fee = bubble(reply_to_json(FEE))
    assert [(line.mark, line.kind) for line in fee.lines] == [("", "first"), ("• ", "item"), ("• ", "item")]
    assert fee.seen_on == "15/7/2026"
    assert fee.steps[0].payload == "t:tam-tru:giay-to"
    lost = bubble(reply_to_json(LOST))
    assert [line.text for line in lost.lines] == ["Anh/chị muốn làm lại giấy nào?", "Nhắn số hoặc gõ tên giấy."]
    assert lost.choices and lost.steps[0].label == "1. Thẻ căn cước"
    assert bubble(reply_to_json(PLACE)).steps[1].url == "https://dichvucong.gov.vn"
    assert [line.kind for line in bubble(reply_to_json(PLACE)).lines] == ["first"]
    assert bubble(reply_to_json(PAPERS)).files[0].url == "/materials/ct01.pdf"


def test_a_bad_address_is_text() -> None:
    hostile = bubble(reply_to_json(HOSTILE))
    assert hostile.source is not None
    assert (hostile.source.title, hostile.source.url) == (MARKUP, "")
    assert [file.url for file in hostile.files] == [""]
    assert [(step.payload, step.url) for step in hostile.steps] == [("t:tam-tru", ""), ("", "")]


@pytest.mark.parametrize("key", sorted(texts()["problems"]))
def test_every_complaint_is_a_sentence(key: str) -> None:
    assert problem(key)[0].isupper()
    assert problem(key).rstrip().endswith((".", "{given}"))
