"""Where no buttons are shown, an announcement says them in words, and who writes the words has pressed them."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from sqlalchemy import select

from bot.announcements.compose import Message
from bot.announcements.content import Press
from bot.announcements.lanes import Lane
from bot.announcements.tables import announcement
from bot.announcements.words import Words
from bot.channels.zalo_bot.render import requests
from bot.channels.zalo_oa.render import texts
from bot.conversation import choices
from bot.messages import Address
from tests.bot.announcements.conftest import Village
from tests.builders import FakeChannel

pytestmark = pytest.mark.anyio
BUTTONS = (
    Press("link", "Xem lịch", "https://thainguyen.gov.vn/lich"),
    Press("join", "Nhà tôi sẽ đến"),
    Press("ask", "", "tam-tru"),
)
SHOWN = """Anh/chị có thể nhắn lại một trong các câu sau:
- Nhà tôi sẽ đến
- Hỏi thêm
- Không nhận tin tập huấn
Xem lịch: https://thainguyen.gov.vn/lich"""


async def announced(village: Village, text: str = "Mời bà con tập huấn.", **more: Any) -> str:
    more = {"buttons": BUTTONS, "category": "tap-huan"} | more
    village.lanes = (Lane("zalo-oa", "default"),)
    plan = await village.planner.plan(village.wish(text, **more))
    number = await village.announcements.start(plan, author=village.lan)
    await village.run(FakeChannel(name="zalo-oa"), owner=text).work()
    async with village.database.read() as connection:
        return str(await connection.scalar(select(announcement.c.code).where(announcement.c.id == number)))


async def meant(village: Village, conversation_id: int, text: str, channel: str = "zalo-oa") -> str:
    words = Words()
    if not words.wants(Address(channel, "default", "x"), text):
        return ""
    return await village.database.unit(
        lambda connection: words.payload(connection, conversation_id, text, village.clock())
    )


async def test_zalo_says_the_buttons_in_words(village: Village) -> None:
    plan = await village.planner.plan(village.wish("Mời.", buttons=BUTTONS, category="tap-huan"))
    message = Message(1, "phu-thong", plan.message.text, content=plan.message.content, code="abcdefgh")
    for channel in ("zalo-oa", "zalo-bot"):
        reply = village.composer.reply(message, channel, None, date(2026, 11, 22))
        [text] = texts(reply) if channel == "zalo-oa" else [r.body["text"] for r in requests(reply, "")]
        assert text.endswith(SHOWN), channel
        assert 'nhắn "dừng"' in text, "said once, in the footer"


async def test_the_words_are_the_press(village: Village) -> None:
    [person] = await village.settle("phu-thong", 1, channel="zalo-oa")
    code = await announced(village)
    assert await meant(village, person, "nha toi se den!") == f"b:{code}:join"
    assert await meant(village, person, "Hỏi thêm") == f"b:{code}:ask:tam-tru"
    assert await meant(village, person, "Không nhận tin tập huấn") == "g:-tap-huan"
    assert await meant(village, person, "Xem lịch") == "", "a link is followed, not pressed"
    assert await meant(village, person, "Nhà tôi sẽ đến mấy người?") == ""
    assert await meant(village, person, "Hỏi thêm", "telegram") == "", "where buttons are shown nobody types them"


async def test_the_newest_announcement_is_meant_and_an_old_one_is_not(village: Village) -> None:
    [person] = await village.settle("phu-thong", 1, channel="zalo-oa")
    [other] = await village.settle("duc-xuan", 1, channel="zalo-oa")
    first = await announced(village)
    village.clock.pass_(hours=1)
    second = await announced(village, "Mời họp.", buttons=(Press("ask", "", "khai-sinh"),))
    assert await meant(village, person, "hỏi thêm") == f"b:{second}:ask:khai-sinh"
    assert await meant(village, person, "nhà tôi sẽ đến") == f"b:{first}:join"
    assert await meant(village, other, "hỏi thêm") == "", "who did not get it means something else"
    village.clock.pass_(hours=24 * 8)
    assert await meant(village, person, "hỏi thêm") == ""


def test_the_last_button_works_as_a_word_too() -> None:
    assert choices.is_stop("Dừng nhận thông báo")
