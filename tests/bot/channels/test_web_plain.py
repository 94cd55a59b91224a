"""The chat without scripts: a form, a redirect, a page, in a browser that knows text alone."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from typing import Any

import pytest
from itsdangerous import URLSafeTimedSerializer
from sqlalchemy import func, select

from bot.channels.web.access import Tokens
from bot.channels.web.history import EXCHANGES
from bot.conversation.messages import say
from bot.storage.database import Database
from bot.storage.tables import conversation, inbox
from tests.bot.channels.textbrowser import TextBrowser
from tests.browser.webapp import FEE, KEY, MARKUP, OPTIONS, PLACE, WebApp, create
from tests.builders import Clock

pytestmark = pytest.mark.anyio
BOX = "question"


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = await create(tmp_path / "web.db")
    yield opened
    await opened.close()


@pytest.fixture
def web(database: Database) -> WebApp:
    return WebApp(database, clock=Clock())


@pytest.fixture
async def citizen(web: WebApp) -> AsyncIterator[TextBrowser]:
    async with TextBrowser(web.app()) as browser:
        await browser.opens("/chat")
        yield browser


async def count(database: Database, table: Any = conversation) -> int:
    async with database.read() as connection:
        return int((await connection.execute(select(func.count()).select_from(table))).scalar_one())


def cookie(citizen: TextBrowser, name: str = "congdanso_chat") -> str:
    return citizen.http.cookies.get(name, "")


def chat_of(citizen: TextBrowser) -> str:
    return Tokens(KEY).chat_of(cookie(citizen)) or ""


# asking


async def test_ask_read_and_ask_on(citizen: TextBrowser, web: WebApp) -> None:
    page = await citizen.types("đk tạm trú hết bn tiền")
    assert citizen.response.url == "http://web.test/chat#latest"
    assert [r.status_code for r in citizen.response.history] == [303]
    assert "latest" in page.ids
    assert page.text.index("Anh/chị hỏi:") < page.text.index("đk tạm trú hết bn tiền") < page.text.index("7.000 đồng")
    for line in FEE.text.split("\n"):
        assert line.removeprefix("• ") in page.text
    assert "Theo \nCổng Dịch vụ công quốc gia, mã 1.004194\n, xem ngày 15/7/2026." in page.text.replace(
        "Theo\n", "Theo \n"
    )
    assert page.links["Cổng Dịch vụ công quốc gia, mã 1.004194"] == "https://dichvucong.gov.vn/1.004194"

    page = await citizen.presses("Cần giấy tờ gì")
    assert page.text.count("Cần giấy tờ gì") > 1, "as a button of before, and as what was asked"
    assert page.links["Mẫu CT01 (PDF)"] == "/materials/ct01.pdf"

    page = await citizen.types("thế nộp ở đâu")
    assert PLACE.text in page.text
    assert page.links["Mở Cổng Dịch vụ công"] == "https://dichvucong.gov.vn"
    assert [said.text or said.payload or said.opened for said in web.dialogue.said] == [
        True,
        "đk tạm trú hết bn tiền",
        "t:tam-tru:giay-to",
        "thế nộp ở đâu",
    ]


async def test_the_page_stands_alone(citizen: TextBrowser) -> None:
    page = await citizen.types("đk tạm trú hết bn tiền")
    for html in (citizen.response.text, (await citizen.http.get("/chat")).text):
        assert "<script" not in html and " style=" not in html
        assert not re.search(r"\son[a-z]+=", html)
        assert 'lang="vi"' in html
    headers = citizen.response.headers
    assert headers["Cache-Control"] == "no-store"
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert "script-src 'self'" in headers["Content-Security-Policy"]
    assert BOX in page.labels, "the box has a name"
    assert set(page.ids[BOX]["aria-describedby"].split()) <= set(page.ids)


async def test_before_the_first_question_it_says_who_speaks_and_stores_nothing(
    citizen: TextBrowser, database: Database
) -> None:
    assert "Kênh hỏi đáp dịch vụ công của tỉnh Thái Nguyên" in citizen.page.text
    assert await count(database) == 0
    page = await citizen.presses("Đăng ký tạm trú hết bao nhiêu tiền?")
    assert "7.000 đồng" in page.text
    assert "Kênh hỏi đáp dịch vụ công của tỉnh" not in page.text, "and not again with the first answer"


async def test_choices_carry_their_numbers_and_a_typed_number_works_too(citizen: TextBrowser) -> None:
    page = await citizen.types("làm lại giấy tờ bị mất")
    form = next(form for form in page.forms if any(label.startswith("1. ") for label in form.buttons))
    assert list(form.buttons) == [f"{i}. {o}" for i, o in enumerate(OPTIONS, 1)]
    assert page.words.count("1. Thẻ căn cước") == 1, "the text does not list them a second time"
    page = await citizen.presses("1. Thẻ căn cước")
    assert "Anh/chị hỏi:\nThẻ căn cước" in page.text


async def test_markup_stays_text_and_a_bad_address_is_no_link(citizen: TextBrowser) -> None:
    page = await citizen.types(f"đánh dấu {MARKUP}")
    assert f"đánh dấu {' '.join(MARKUP.split())}" in page.text
    assert MARKUP in next(iter(next(f for f in page.forms if MARKUP in f.buttons).buttons))
    assert not [url for url in page.links.values() if url.startswith("javascript")]
    assert "<img src=x" not in citizen.response.text


async def test_a_broken_turn_is_an_apology(citizen: TextBrowser) -> None:
    assert say("error") in (await citizen.types("có trục trặc")).text


# what is kept and where


async def test_only_the_last_words_are_shown_and_they_are_kept_by_the_browser_alone(
    citizen: TextBrowser, database: Database
) -> None:
    await citizen.types("đk tạm trú hết bn tiền")
    page = await citizen.types("thế nộp ở đâu")
    assert "đk tạm trú hết bn tiền" not in page.text
    assert "Kênh không giữ lại lời anh/chị đã gõ." in page.text
    assert page.text.index("7.000 đồng") < page.text.index("thế nộp ở đâu") < page.text.index(PLACE.text)
    async with database.read() as connection:
        assert (await connection.execute(select(inbox.c.text))).scalars().all() == [None, None, None]
    citizen.http.cookies.delete("congdanso_said", path="/chat")
    page = await citizen.opens("/chat")
    assert "thế nộp ở đâu" not in page.text and PLACE.text in page.text


async def test_a_personal_number_is_not_even_shown_again(citizen: TextBrowser) -> None:
    page = await citizen.types("số căn cước của tôi là 019 203 004 567 " + "và " * 300)
    assert say("refused_personal_data") in page.text
    assert "[số giấy tờ]" in page.text and "567" not in page.text and "019" not in str(citizen.response.request.headers)
    assert page.text.count("và ") <= 300
    assert len(cookie(citizen, "congdanso_said")) < 3000


async def test_only_the_last_exchanges_are_shown(citizen: TextBrowser) -> None:
    for _ in range(EXCHANGES + 3):
        page = await citizen.types("thế nộp ở đâu")
    assert page.text.count(PLACE.text) == EXCHANGES


async def test_cookies_are_the_pages_own(web: WebApp) -> None:
    async with TextBrowser(web.app(secure=True)) as citizen:
        await citizen.opens("/chat")
        given = citizen.response.headers.get_list("set-cookie")
        assert len(given) == 1
        for part in ("congdanso_chat=", "HttpOnly", "Path=/chat", "SameSite=lax", "Secure"):
            assert part in given[0]
        assert "Max-Age" not in given[0] and "expires" not in given[0].lower(), "ends with the browser"
    async with TextBrowser(web.app()) as citizen:
        await citizen.opens("/chat")
        assert "Secure" not in citizen.response.headers["set-cookie"]
        await citizen.types("thế nộp ở đâu")
        said = citizen.response.history[0].headers["set-cookie"]
        assert "congdanso_said=" in said and "HttpOnly" in said and "Max-Age=3600" in said


async def test_the_cookie_of_somebody_else_or_a_forged_one_begins_anew(web: WebApp) -> None:
    for forged in ("abc", Tokens("khoá khác").new(), "a" * 9000):
        async with TextBrowser(web.app(), cookies={"congdanso_chat": forged}) as citizen:
            page = await citizen.opens("/chat")
            assert "congdanso_chat=" in citizen.response.headers["set-cookie"]
            assert "Ví dụ, anh/chị có thể hỏi" in page.text


@pytest.mark.parametrize("planted", ["abc", "a" * 9000, "lời giả", "another key"])
async def test_words_that_somebody_else_put_there_are_not_shown(citizen: TextBrowser, planted: str) -> None:
    await citizen.types("thế nộp ở đâu")
    asked = str(URLSafeTimedSerializer("khoá khác", salt="bot.channels.web.said").dumps(["x", "lời giả"]))
    given = {"another key": asked}.get(planted, planted)
    carried = f"congdanso_chat={cookie(citizen)}; congdanso_said={given}"
    response = await citizen.http.get("/chat", headers={b"Cookie": carried.encode()})
    assert response.status_code == 200
    assert PLACE.text in response.text and "lời giả" not in response.text and "thế nộp ở đâu" not in response.text


async def test_beginning_again_leaves_nothing_on_the_machine(citizen: TextBrowser) -> None:
    await citizen.types("thế nộp ở đâu")
    before = cookie(citizen)
    page = await citizen.presses("Bắt đầu lại")
    assert str(citizen.response.url) == "http://web.test/chat"
    assert PLACE.text not in page.text and "Ví dụ, anh/chị có thể hỏi" in page.text
    assert cookie(citizen) not in ("", before)
    assert cookie(citizen, "congdanso_said") == ""


# twice, too often, too late


async def test_pressed_twice_is_one_message_and_a_page_of_before_can_ask_something_else(
    citizen: TextBrowser, web: WebApp
) -> None:
    page = citizen.page
    form = next(form for form in page.forms if "text" in form.fields)
    for text in ("thế nộp ở đâu", "thế nộp ở đâu", "đk tạm trú hết bn tiền"):
        await citizen.sends(form, {**form.fields, "text": text})
    assert [said.text for said in web.dialogue.said if said.text] == ["thế nộp ở đâu", "đk tạm trú hết bn tiền"]


async def test_asked_again_on_a_new_page_it_is_a_new_question(citizen: TextBrowser, web: WebApp) -> None:
    await citizen.types("thế nộp ở đâu")
    await citizen.types("thế nộp ở đâu")
    assert [said.text for said in web.dialogue.said if said.text] == ["thế nộp ở đâu"] * 2


async def test_too_often_keeps_what_was_typed(web: WebApp) -> None:
    async with TextBrowser(web.app(per_minute=1)) as citizen:
        await citizen.opens("/chat")
        await citizen.types("thế nộp ở đâu")
        page = await citizen.types('giấy "khai sinh" & <b>')
        assert citizen.response.status_code == 429
        assert int(citizen.response.headers["Retry-After"]) >= 1
        assert "Câu hỏi chưa gửi. Anh/chị gửi nhanh quá." in page.text
        assert page.ids[BOX]["value"] == 'giấy "khai sinh" & <b>'
        assert page.ids["problem"]["role"] == "alert"
        assert "problem" in page.ids[BOX]["aria-describedby"]
        assert PLACE.text in page.text, "and the talk still stands there"


async def test_a_busy_conversation_is_asked_again_under_the_same_mark(web: WebApp) -> None:
    async with TextBrowser(web.app(patience=0.2)) as citizen:
        await citizen.opens("/chat")
        await citizen.types("thế nộp ở đâu")
        other = web.turns("other")
        held = await other.hold(1)
        assert held is not None
        page = await citizen.types("đk tạm trú hết bn tiền")
        assert citizen.response.status_code == 503
        assert "Kênh đang bận" in page.text
        assert page.ids[BOX]["value"] == "đk tạm trú hết bn tiền"
        await other.release(held)
        page = await citizen.types("đk tạm trú hết bn tiền")
        assert "7.000 đồng" in page.text
        assert len([said for said in web.dialogue.said if said.text.startswith("đk")]) == 1


async def test_too_large_is_told_on_the_page(citizen: TextBrowser, database: Database) -> None:
    page = await citizen.types("a" * 70_000)
    assert citizen.response.status_code == 413
    assert "Tin nhắn dài quá" in page.text
    assert await count(database) == 0


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"payload": ""},
        {"payload": "có dấu"},
        {"payload": "a" * 65},
        {"payload": "o:ask 019203004567"},
    ],
)
async def test_a_form_that_is_none_of_ours_is_refused(
    citizen: TextBrowser, database: Database, fields: dict[str, str]
) -> None:
    form = citizen.page.forms[0]
    await citizen.sends(form, {**form.fields, **fields})
    assert citizen.response.status_code == 422
    assert await count(database) == 0


@pytest.mark.parametrize("content", [b"\xff\xfe=1", "text=ngườilạ".encode(), b"&".join([b"a=1"] * 50), b"{}", b""])
async def test_a_body_that_is_no_form_is_a_page_too(citizen: TextBrowser, database: Database, content: bytes) -> None:
    response = await citizen.http.post("/chat", content=content)
    assert response.status_code in (403, 422)
    assert response.headers["Content-Type"].startswith("text/html")
    assert await count(database) == 0


# from the page that would rather have scripts


async def test_the_page_with_scripts_works_without_them(web: WebApp) -> None:
    async with TextBrowser(web.app(), headers={"Sec-Fetch-Site": "same-origin"}) as citizen:
        page = await citizen.opens("/?u=phu-thong")
        assert [list(form.buttons) for form in page.forms] == [["Gửi"]], "no button that does nothing"
        page = await citizen.sends(page.forms[0], {**page.forms[0].fields, "text": "đk tạm trú hết bn tiền"})
        assert str(citizen.response.url) == "http://web.test/chat?gui=1#latest"
        assert "7.000 đồng" in page.text
        assert [said.payload for said in web.dialogue.said] == ["u_phu-thong", ""]
        assert PLACE.text in (await citizen.types("thế nộp ở đâu")).text


async def test_an_older_browser_presses_twice(web: WebApp) -> None:
    async with TextBrowser(web.app()) as citizen:
        form = (await citizen.opens("/")).forms[0]
        page = await citizen.sends(form, {**form.fields, "text": "đk tạm trú hết bn tiền"})
        assert citizen.response.status_code == 403
        assert "Anh/chị bấm Gửi lần nữa" in page.text
        assert "7.000 đồng" in (await citizen.types(page.ids[BOX]["value"])).text


async def test_a_browser_that_keeps_no_cookie_is_told_so(web: WebApp) -> None:
    async with TextBrowser(web.app(), headers={"Sec-Fetch-Site": "same-origin"}) as citizen:
        form = (await citizen.opens("/")).forms[0]
        citizen.http.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        page = await citizen.sends(form, {**form.fields, "text": "thế nộp ở đâu"})
        assert citizen.response.status_code == 403
        assert "bật cookie cho trang này" in page.text


# forms of other sites


@pytest.mark.parametrize(
    "what", ["no cookie", "somebody else's form", "forged form", "long form", "no mark", "other site", "same site"]
)
async def test_a_form_that_this_browser_did_not_get_from_us_does_nothing(
    citizen: TextBrowser, web: WebApp, database: Database, what: str
) -> None:
    form = next(form for form in citizen.page.forms if "text" in form.fields)
    fields = {**form.fields, "text": "đk tạm trú hết bn tiền"}
    headers: dict[str, str] = {}
    if what == "no cookie":
        citizen.http.cookies.clear()
    elif what == "somebody else's form":
        async with TextBrowser(web.app()) as other:
            fields["form"] = (await other.opens("/chat")).forms[0].fields["form"]
    elif what == "forged form":
        fields["form"] = "x" + fields["form"]
    elif what == "long form":
        fields["form"] = "x" * 5000
    elif what == "no mark":
        fields["once"] = "<>"
    else:
        headers["Sec-Fetch-Site"] = {"other site": "cross-site", "same site": "same-site"}[what]
    page = await citizen.sends(form, fields, headers)
    assert citizen.response.status_code == 403
    assert "Câu hỏi chưa gửi. Trang đã để lâu" in page.text
    assert page.ids[BOX]["value"] == "đk tạm trú hết bn tiền", "what was typed is not lost"
    assert await count(database) == 0
    # The page it gets is good: one press more, and it is sent.
    assert "7.000 đồng" in (await citizen.types(page.ids[BOX]["value"])).text


async def test_a_browser_that_says_it_comes_from_us_is_believed(citizen: TextBrowser) -> None:
    form = next(form for form in citizen.page.forms if "text" in form.fields)
    page = await citizen.sends(form, {**form.fields, "text": "thế nộp ở đâu"}, {"Sec-Fetch-Site": "same-origin"})
    assert PLACE.text in page.text


# where somebody comes from


async def test_a_communes_link_opens_the_conversation_with_the_commune(web: WebApp) -> None:
    async with TextBrowser(web.app()) as citizen:
        await citizen.opens("/?u=phu-thong")
        await citizen.follows("trang hỏi đáp đơn giản")
        assert str(citizen.response.url) == "http://web.test/chat?u=phu-thong"
        await citizen.types("thế nộp ở đâu")
        await citizen.types("thế nộp ở đâu")
        assert [(s.opened, s.payload) for s in web.dialogue.said] == [(True, "u_phu-thong"), (False, ""), (False, "")]


async def test_a_leaflets_code_offers_its_pack(web: WebApp) -> None:
    async with TextBrowser(web.app()) as citizen:
        await citizen.opens("/?c=c_vneid_phu-thong")
        await citizen.follows("trang hỏi đáp đơn giản")
        page = await citizen.presses("Mở bộ tài liệu này")
        assert "Anh/chị hỏi:\nMở bộ tài liệu này" in page.text
        assert web.dialogue.said[-1].payload == "c_vneid_phu-thong"


@pytest.mark.parametrize("query", ["u=Ph%E1%BB%A7", "u=a%22b", f"u={'a' * 49}", "c=<b>", f"c={'a' * 59}", "u=", "x=1"])
async def test_a_link_with_anything_else_is_the_plain_page(web: WebApp, query: str) -> None:
    async with TextBrowser(web.app()) as citizen:
        page = await citizen.opens(f"/?{query}")
        assert page.links["trang hỏi đáp đơn giản"] == "chat"
        page = await citizen.opens(f"/chat?{query}")
        assert "unit" not in page.forms[0].fields
        assert "Mở bộ tài liệu này" not in page.text


# what the bot says first


async def test_what_the_bot_says_first_is_on_the_next_page_and_counts_as_fetched_then(
    citizen: TextBrowser, web: WebApp
) -> None:
    await citizen.types("thế nộp ở đâu")
    ids = await web.push(chat_of(citizen), "Mai cắt điện ở xóm Đồng.", "Cán bộ trả lời: được.")
    assert await web.states(ids) == ["queued", "queued"]
    assert (await citizen.http.head("/chat")).status_code == 200
    assert await web.states(ids) == ["queued", "queued"], "nobody saw a page"
    page = await citizen.follows("Xem có tin mới không")
    assert page.text.index("Mai cắt điện") < page.text.index("Cán bộ trả lời")
    assert page.text.count("Kênh báo tin:") == 2
    assert await web.states(ids) == ["sent", "sent"]
    page = await citizen.opens("/chat")
    assert "Mai cắt điện" in page.text, "read once more, it is still there"


async def test_the_link_for_news_is_another_address_each_time(citizen: TextBrowser) -> None:
    first = (await citizen.types("thế nộp ở đâu")).links["Xem có tin mới không"]
    second = (await citizen.follows("Xem có tin mới không")).links["Xem có tin mới không"]
    assert first != second, "to the same address a browser would only scroll"
    assert first.endswith("#latest")


async def test_it_stays_unmarked_while_somebody_else_has_the_conversation_and_is_shown_again(
    citizen: TextBrowser, web: WebApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.channels.web.stream.MARK_PAUSE", 0.01)
    await citizen.types("thế nộp ở đâu")
    ids = await web.push(chat_of(citizen), "một")
    other = web.turns("other")
    held = await other.hold(1)
    assert held is not None
    assert "một" in (await citizen.opens("/chat")).words
    assert await web.states(ids) == ["queued"]
    await other.release(held)
    assert "một" in (await citizen.opens("/chat")).words
    assert await web.states(ids) == ["sent"]


async def test_erased_data_leave_the_page_as_well(citizen: TextBrowser) -> None:
    await citizen.types("đk tạm trú hết bn tiền")
    page = await citizen.types("xoá dữ liệu của tôi")
    assert say("erased") in page.text
    assert "7.000 đồng" not in page.text


# and forgotten


async def test_the_words_are_forgotten_by_the_browser_after_an_hour(
    citizen: TextBrowser, monkeypatch: pytest.MonkeyPatch
) -> None:
    await citizen.types("thế nộp ở đâu")
    assert "thế nộp ở đâu" in (await citizen.opens("/chat")).text
    kept = cookie(citizen, "congdanso_said")
    monkeypatch.setattr("bot.channels.web.visits.SAID_SECONDS", -1)
    page = (
        await citizen.http.get("/chat", headers={"Cookie": f"congdanso_chat={cookie(citizen)}; congdanso_said={kept}"})
    ).text
    assert "thế nộp ở đâu" not in page
