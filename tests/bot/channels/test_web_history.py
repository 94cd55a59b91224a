"""The last exchanges of a conversation, as the page without scripts shows them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import update

from bot.channels.web.access import Tokens
from bot.channels.web.exchange import update_id_of
from bot.channels.web.history import ROWS, history
from bot.storage.database import Database
from bot.storage.tables import outbox
from tests.bot.channels.textbrowser import TextBrowser
from tests.browser.webapp import KEY, WebApp, create
from tests.builders import Clock

pytestmark = pytest.mark.anyio


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


async def test_history_shows_what_is_new_however_old_it_is(database: Database, web: WebApp) -> None:
    chat = "c" * 64
    old = await web.push(chat, "lâu rồi chưa ai xem")
    later = await web.push(chat, *(f"tin {i}" for i in range(ROWS + 5)))
    failed = await web.push(chat, "không gửi nữa")
    async with database.write() as connection:
        await connection.execute(update(outbox).where(outbox.c.id.in_(later)).values(state="sent"))
        await connection.execute(update(outbox).where(outbox.c.id.in_(failed)).values(state="failed"))
    found = await history(database, chat)
    texts = [reply["text"] for past in found.past for reply in past.replies]
    assert texts[0] == "lâu rồi chưa ai xem"
    assert texts[1:] == [f"tin {i}" for i in range(ROWS, ROWS + 5)]
    assert list(found.unseen) == old


async def test_history_is_one_conversations_own(database: Database, web: WebApp) -> None:
    await web.push("a" * 64, "của tôi")
    await web.push("b" * 64, "của người khác")
    found = await history(database, "a" * 64)
    assert [reply["text"] for past in found.past for reply in past.replies] == ["của tôi"]
    assert (await history(database, "c" * 64)).past == ()


async def test_two_replies_to_one_message_are_one_exchange(
    citizen: TextBrowser, database: Database, web: WebApp
) -> None:
    await citizen.types("thế nộp ở đâu")
    chat = Tokens(KEY).chat_of(citizen.http.cookies["congdanso_chat"]) or ""
    found = await history(database, chat)
    assert [len(past.replies) for past in found.past] == [1, 1]
    opened = update_id_of(chat, "start")
    assert [past.update_id == opened for past in found.past] == [True, False]
    assert len((await history(database, chat, without=[opened])).past) == 1
    assert found.label_of("t:tam-tru:giay-to") == "Cần giấy tờ gì"
    assert found.label_of("t:khong-co") == ""
