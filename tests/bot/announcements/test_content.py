"""What an officer writes, and what a citizen of each commune then reads on each channel."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.announcements.content import LONGEST, PLACES, Content, Press, Refused, content_of, filled
from bot.announcements.lanes import Lane
from bot.conversation.model import Attachment, Reply
from tests.bot.announcements.conftest import Doing, Village

pytestmark = pytest.mark.anyio
LINK = Press("link", "Xem lịch", "https://thainguyen.gov.vn/lich")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (Content("Chào {ten}"), "Những chỗ điền được: {xa}"),
        (Content("x", category="quang-cao"), "Không có loại thông báo"),
        (Content("x", buttons=(Press("link", "Xem", "javascript:alert(1)"),)), "https://"),
        (Content("x", buttons=(Press("link", "", "https://a.vn/x"),)), "cần tên"),
        (Content("x", buttons=(Press("buy", "Mua"),)), "Không có loại nút"),
        (Content("x", buttons=(Press("ask", "", "khong-co"),)), "Không có chủ đề"),
        (Content("x", buttons=(Press("read"), Press("read"))), "chỉ đặt một lần"),
        (Content("x", buttons=(LINK,) * 4), "Nhiều nhất 3 nút"),
        (Content("x", buttons=(Press("link", "Gọi 0912345678", "https://a.vn/x"),)), "số điện thoại"),
        (Content("x", documents=("khong-co",)), "Không có tài liệu"),
        (Content("x", documents=("vneid",) * 3), "nhiều nhất 2 tài liệu"),
        (Content("x", bodies={"fax": "x"}), "Không có kênh"),
        (Content("x", bodies={"web": "gọi 0912345678"}), "số điện thoại"),
        (Content("{xa} " * 280), "khi đã điền tên xã"),
        (Content("x" * (LONGEST + 1)), "Hãy rút gọn"),
    ],
)
async def test_what_may_not_be_said_is_refused_in_words(village: Village, content: Content, said: str) -> None:
    await village.settle("phu-thong", 1)
    from dataclasses import replace

    plan = await village.planner.plan(replace(village.wish(), content=content))
    assert any(said in problem for problem in plan.problems), plan.problems


@pytest.mark.parametrize(
    "given",
    [
        {"text": 5},
        {"text": "x", "html": "<b>"},
        {"text": "x", "buttons": ["read"]},
        {"text": "x", "buttons": [{"kind": "read", "onclick": "x"}]},
        {"text": "x", "documents": "vneid"},
        {"text": "x", "bodies": ["web"]},
    ],
)
def test_what_is_no_content_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(Refused):
        content_of(given)


CONTENTS = st.builds(
    Content,
    st.text(max_size=80).map(lambda t: t.replace("\r", "").replace("\0", "").strip()),
    st.sampled_from(["khac", "tap-huan"]),
    st.lists(st.sampled_from([LINK, Press("read"), Press("ask", "", "tam-tru")]), max_size=3, unique=True).map(tuple),
    st.sampled_from([(), ("vneid",)]),
    st.sampled_from([{}, {"web": "Ngắn."}]),
)


@given(CONTENTS)
def test_a_content_survives_storage(content: Content) -> None:
    assert content_of(content.as_json()) == content


@given(st.text(alphabet="{}xatinhngy_ \n", max_size=60))
def test_filling_in_never_fails_and_leaves_other_braces_alone(text: str) -> None:
    values = dict.fromkeys(PLACES, "…")
    result = filled(text, values)
    assert not any(f"{{{name}}}" in result for name in PLACES)
    assert filled(result, {}) == result


async def test_each_citizen_reads_the_name_of_their_own_commune(village: Village) -> None:
    for ward in ("phu-thong", "duc-xuan"):
        await village.settle(ward, 1)
        await village.settle(ward, 1, channel="web", first=50)
    text = "Bà con {xa}, {tinh} khám ngày {ngay}; hỏi {ten_don_vi}. Mẫu {0} giữ nguyên."
    plan = await village.planner.plan(village.wish(text.replace("{0}", "{ }"), "thai-nguyen"))
    assert plan.problems == ()
    await village.announcements.start(plan, author=village.binh)
    channel = Doing()
    await village.run(channel).work()
    got = dict(channel.sent)
    assert (
        "Bà con xã Phủ Thông, tỉnh Thái Nguyên khám ngày 22/11/2026; hỏi tỉnh Thái Nguyên. Mẫu { } giữ nguyên."
        in got["phu-thong-1"]
    )
    assert "Bà con phường Đức Xuân" in got["duc-xuan-1"]
    await village.run(Doing(name="web")).work()
    [one, other] = [await village.notices(i) for i in await _ids(village, "web")]
    assert {t.split(",", maxsplit=1)[0].split()[-2] for t in (one[0], other[0])} == {"Phủ", "Đức"}


async def _ids(village: Village, channel: str) -> list[int]:
    from sqlalchemy import select

    from bot.storage.tables import conversation

    async with village.database.read() as connection:
        query = select(conversation.c.id).where(conversation.c.channel == channel).order_by(conversation.c.id)
        return list((await connection.execute(query)).scalars())


async def replies(village: Village, content: Content, channel: str = "telegram") -> list[Reply]:
    from dataclasses import replace

    plan = await village.planner.plan(replace(village.wish(), content=content))
    await village.announcements.start(plan, author=village.lan)
    seen: list[Reply] = []

    class Looks(Doing):
        async def send(self, chat: str, reply: Any) -> Any:
            seen.append(reply)
            return await super().send(chat, reply)

    await village.run(Looks(name=channel)).work()
    return seen


async def test_links_inside_the_text_are_counted_as_those_of_buttons_are(village: Village) -> None:
    await village.settle("phu-thong", 1)
    text = "Xem https://thainguyen.gov.vn/lich. Nộp ở https://dichvucong.gov.vn, {xa}; lịch: https://thainguyen.gov.vn/lich"
    [plain] = await replies(village, Content(text, "tap-huan"))
    assert plain.text.count("https://thainguyen.gov.vn/lich") == 2, (
        "without a public address they lead there themselves"
    )
    village.public_url = "https://cds.thainguyen.gov.vn"
    [reply] = await replies(village, Content(f"{text} Mời bà con.", "tap-huan", (LINK, Press("read"))))
    code = reply.buttons[1].payload.split(":")[1]
    first, second = (f"https://cds.thainguyen.gov.vn/t/{code}/{number}/telegram" for number in (11, 12))
    assert f"Xem {first}. Nộp ở {second}, xã Phủ Thông; lịch: {first}" in reply.text


async def test_the_officer_is_told_where_links_are_not_counted(village: Village) -> None:
    await village.settle("phu-thong", 1)
    with_link = village.wish("Xem https://thainguyen.gov.vn/lich.")
    assert any("không đếm được" in note for note in (await village.planner.plan(with_link)).notes)
    assert not any("không đếm được" in note for note in (await village.planner.plan(village.wish())).notes)
    village.public_url = "https://cds.thainguyen.gov.vn"
    assert not any("không đếm được" in note for note in (await village.planner.plan(with_link)).notes)


async def test_buttons_say_which_announcement_and_never_who(village: Village) -> None:
    await village.settle("phu-thong", 2)
    village.public_url = "https://cds.thainguyen.gov.vn/"
    buttons = (LINK, Press("read"), Press("ask", "Hỏi về tạm trú", "tam-tru"))
    first, second = await replies(village, Content("Mời tập huấn.", "tap-huan", buttons, ("vneid",)))
    assert first == second, "the same for everybody: nothing in it leads to a person"
    [link, read, ask, mute, stop] = first.buttons
    code = read.payload.split(":")[1]
    assert link.url == f"https://cds.thainguyen.gov.vn/t/{code}/1/telegram"
    assert (read.label, read.payload) == ("Đã đọc", f"b:{code}:read")
    assert (ask.label, ask.payload) == ("Hỏi về tạm trú", f"b:{code}:ask:tam-tru")
    assert (mute.label, mute.payload) == ("Không nhận tin tập huấn", "g:-tap-huan")
    assert stop.payload == "a:tat-thong-bao"
    assert first.attachments == (Attachment("Tờ rơi VNeID", "/materials/vneid.pdf", "application/pdf"),)
    assert all(len(b.payload.encode()) <= 64 for b in first.buttons)


async def test_without_a_public_address_a_link_leads_straight_there(village: Village) -> None:
    await village.settle("phu-thong", 1)
    [reply] = await replies(village, Content("Xem lịch.", buttons=(LINK,)))
    assert reply.buttons[0].url == LINK.target


async def test_a_channel_may_have_a_shorter_wording(village: Village) -> None:
    await village.settle("phu-thong", 1)
    [reply] = await replies(village, Content("Nội dung dài.", bodies={"telegram": "Ngắn."}))
    assert reply.text.splitlines()[:2] == ["Thông báo của xã Phủ Thông", "Ngắn."]


async def test_the_preview_is_what_each_channel_shows(village: Village) -> None:
    from bot.announcements.viewing import Viewing
    from congdanso.deliveries import shows

    village.lanes = tuple(Lane(name, "default") for name in ("telegram", "web", "zalo-bot", "zalo-oa"))
    await village.settle("phu-thong", 1)
    plan = await village.planner.plan(
        village.wish("Giá <b> & {xa}", buttons=(Press("read"), LINK), documents=("vneid",))
    )
    telegram, web, zalo_bot, zalo_oa = Viewing(village.desk, shows("https://cds.vn")).previews(plan)
    assert telegram.parts[0].startswith("Thông báo của xã Phủ Thông\nGiá <b> & xã Phủ Thông")
    assert telegram.buttons == ("Đã đọc", "Xem lịch → https://thainguyen.gov.vn/lich", "Dừng nhận thông báo")
    assert web.parts[0].startswith("Thông báo của xã Phủ Thông\nGiá <b> & xã Phủ Thông")
    assert web.buttons == telegram.buttons
    for zalo in (zalo_oa, zalo_bot):
        assert "- Đã đọc\nXem lịch: https://thainguyen.gov.vn/lich" in zalo.parts[0]
        assert zalo.buttons == ()
    assert zalo_oa.documents == ("Tờ rơi VNeID",)
    assert "https://cds.vn/materials/vneid.pdf" in zalo_bot.parts[0], "there are no files: it is an address in the text"


async def test_the_example_is_filled_for_a_commune(village: Village) -> None:
    await village.settle("phu-thong", 1)
    wish = village.wish("Mời {xa} ngày {ngay}.", category="tap-huan", buttons=(Press("join"), LINK))
    lines = village.viewing.example(await village.planner.plan(wish))
    assert lines[:2] == ["Thông báo của xã Phủ Thông", "Mời xã Phủ Thông ngày 22/11/2026."]
    assert lines[-4:] == [
        "[Tham gia]",
        "[Xem lịch → https://thainguyen.gov.vn/lich]",
        "[Không nhận tin tập huấn]",
        "[Dừng nhận thông báo]",
    ]
    assert village.viewing.example(await village.planner.plan(village.wish(" "))) == []


def test_a_button_of_no_kind_can_be_shown() -> None:
    assert Press("xyz").shown == "xyz"


async def test_the_day_is_that_of_sending(village: Village) -> None:
    assert village.composer.values("phu-thong", None, date(2026, 12, 1)) == {
        "tinh": "tỉnh Thái Nguyên",
        "ten_don_vi": "xã Phủ Thông",
        "ngay": "01/12/2026",
    }
