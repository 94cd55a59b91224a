"""An officer writes, another approves, from their phones; everybody else sees nothing of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

import pytest

from bot.announcements.audience import Audience
from bot.announcements.chat import ChatDesk
from bot.announcements.content import Press
from bot.announcements.lanes import Lane
from bot.announcements.states import AnnouncementState as State
from bot.clock import ZONE
from bot.conversation.model import Pending, Reply, Said, Session, Turn
from tests.bot.announcements.conftest import Village
from tests.builders import FakeChannel

pytestmark = pytest.mark.anyio
CODE = "bcdfghjkmn"


@dataclass
class Phone:
    """A conversation with the bot."""

    village: Village
    conversation: int
    session: Session = field(default_factory=lambda: Session(greeted=True))

    @property
    def desk(self) -> ChatDesk:
        village = self.village

        async def use_code(code: str, conversation_id: int) -> str | None:
            if code != CODE:
                return None
            village.staff.chats[village.lan] = conversation_id
            return "Nguyễn Thị Lan"

        async def cut_loose(conversation_id: int) -> bool:
            login = next(k for k, v in village.staff.chats.items() if v == conversation_id)
            return bool(village.staff.chats.pop(login))

        return ChatDesk(village.desk, village.control, village.viewing, use_code, cut_loose)

    async def take(self, said: Said) -> Turn | None:
        if not self.desk.wants(said, self.session):
            return None
        turn = await self.desk.turn(self.conversation, said, self.session)
        if turn is not None:
            self.session = turn.session
        return turn

    async def says(self, text: str) -> Reply:
        turn = await self.take(Said(text=text))
        assert turn is not None
        return turn.replies[0]

    async def presses(self, reply: Reply, label: str) -> Reply:
        [button] = [b for b in reply.buttons if b.label == label]
        assert len(button.payload.encode()) <= 64
        turn = await self.take(Said(payload=button.payload))
        assert turn is not None
        return turn.replies[0]


@pytest.fixture
async def phones(village: Village) -> tuple[Phone, Phone]:
    """Lan's and Minh's."""
    await village.settle("phu-thong", 3)
    lan, minh = await village.settle("duc-xuan", 2)
    village.staff.chats |= {village.lan: lan, village.minh: minh}
    return Phone(village, lan), Phone(village, minh)


async def test_from_the_first_word_to_the_last_citizen(village: Village, phones: tuple[Phone, Phone]) -> None:
    lan, minh = phones
    assert "gõ nội dung" in (await lan.says("/thongbao")).text
    asked = await lan.says("Mai {xa} họp thôn lúc 19 giờ.")
    assert asked.text == "Gửi cho ai?"
    preview = await lan.presses(asked, "Tất cả ở Xã Phủ Thông")
    assert "Thông báo của xã Phủ Thông" in preview.text
    assert "Telegram: 3 gửi ngay" in preview.text
    assert "Đã trình" in (await lan.presses(preview, "Trình duyệt")).text
    [request] = await village.notices(minh.conversation)
    assert "chờ duyệt" in request
    looked = await minh.presses(Reply("", await buttons_of(village, minh.conversation)), "Duyệt")
    assert "Mai xã Phủ Thông họp thôn" in looked.text, "who presses approve sees first what they approve"
    assert "Đã duyệt" in (await minh.presses(looked, "Duyệt bản này")).text
    assert (
        "đang được gửi" in (await lan.presses(Reply("", await buttons_of(village, lan.conversation)), "Gửi ngay")).text
    )
    channel = FakeChannel()
    await village.run(channel).work()
    assert sorted(chat for chat, _ in channel.sent) == ["phu-thong-1", "phu-thong-2", "phu-thong-3"]


async def buttons_of(village: Village, conversation: int) -> tuple:  # type: ignore[type-arg]
    from sqlalchemy import select

    from bot.codec import reply_from_json
    from bot.storage.tables import outbox

    async with village.database.read() as connection:
        query = (
            select(outbox.c.reply).where(outbox.c.conversation_id == conversation).order_by(outbox.c.id.desc()).limit(1)
        )
        return reply_from_json((await connection.execute(query)).scalar_one()).buttons


async def drafted(phone: Phone, text: str = "Mai họp thôn.") -> tuple[int, Reply]:
    await phone.says("/thongbao")
    preview = await phone.presses(await phone.says(text), "Tất cả ở Xã Phủ Thông")
    return int(preview.text.split("số ", 1)[1].split(",")[0]), preview


async def test_what_changed_after_the_look_is_not_approved(village: Village, phones: tuple[Phone, Phone]) -> None:
    lan, minh = phones
    number, preview = await drafted(lan)
    await lan.presses(preview, "Trình duyệt")
    looked = await minh.presses(Reply("", await buttons_of(village, minh.conversation)), "Xem đủ")
    await village.desk.revise(village.lan, number, village.wish("Khác hẳn."))
    await village.desk.submit(village.lan, number)
    assert "đã thay đổi" in (await minh.presses(looked, "Duyệt bản này")).text
    assert await village.state(number) is State.IN_REVIEW


async def test_the_approver_is_shown_everything_that_a_yes_binds(village: Village, phones: tuple[Phone, Phone]) -> None:
    """What somebody says yes to without having seen it, they did not say yes to."""
    _, minh = phones
    await village.settle("phu-thong", 1, channel="web")
    await village.desk.save_audience(village.lan, "phu-thong", "Web", Audience(("phu-thong",), channels=("web",)))
    wish = village.wish(
        "Mai {xa} họp thôn.",
        category="tap-huan",
        bodies={"web": "Lời riêng cho trang."},
        buttons=(Press("link", "Xem lịch", "https://a.vn/lich?so=1"), Press("ask", "", "tam-tru"), Press("read")),
        documents=("vneid",),
        audience=Audience(("phu-thong",), without_channels=("zalo-oa",), not_contacted_days=3, without_saved=("web",)),
        urgent_reason="lũ lên nhanh",
        joins=True,
        expires_at=datetime(2026, 12, 24, 17, 0, tzinfo=ZONE),
    )
    village.lanes = (*village.lanes, Lane("zalo-oa", "default"))
    number = await village.desk.draft(village.lan, wish)
    await village.desk.submit(village.lan, number)
    turn = await minh.take(Said(payload=f"w:look:{number}"))
    assert turn is not None
    looked = turn.replies[0].text
    for shown in (
        "Mai {xa} họp thôn.", "Lời riêng cho trang.", "[Xem lịch]: mở https://a.vn/lich?so=1", "[Hỏi thêm]: hỏi về chủ đề tam-tru",
        "[Đã đọc]", "Tờ rơi VNeID", "Người nhận: Xã Phủ Thông; trừ Zalo OA; chưa nhận thông báo nào trong 3 ngày qua",
        'Danh sách đã lưu "web": Xã Phủ Thông; chỉ trên Trang web', "tập huấn", "KHẨN, gửi cả ban đêm: lũ lên nhanh",
        "quá 17:00 24/12/2026", "đăng ký trong lúc đang gửi", "Dự báo: Telegram: 3 gửi ngay",
    ):  # fmt: skip
        assert shown.lower() in looked.lower(), (shown, looked)


async def test_who_was_told_is_said_and_nothing_else(village: Village, phones: tuple[Phone, Phone]) -> None:
    lan, minh = phones
    number, preview = await drafted(lan)
    assert "đã báo Tran Van Minh" in (await lan.presses(preview, "Trình duyệt")).text
    looked = await minh.presses(Reply("", await buttons_of(village, minh.conversation)), "Xem đủ")
    village.staff.chats.pop(village.lan)
    assert "chưa báo được Nguyen Thi Lan" in (await minh.presses(looked, "Duyệt bản này")).text
    steps = (await village.viewing.show(village.lan, number)).steps
    assert "chưa báo được Nguyen Thi Lan" in str(steps[-1].note)
    village.staff.chats[village.lan] = lan.conversation
    number, preview = await drafted(lan, "Tin khác.")
    for login in (village.minh, village.binh):
        village.staff.roles[login] = "officer"
    assert "chưa có ai duyệt được" in (await lan.presses(preview, "Trình duyệt")).text


async def test_the_author_cannot_approve_here_either(village: Village, phones: tuple[Phone, Phone]) -> None:
    _, minh = phones
    number, preview = await drafted(minh)
    await minh.presses(preview, "Trình duyệt")
    turn = await minh.take(Said(payload=f"w:look:{number}"))
    assert turn is not None
    assert "không tự duyệt được" in (await minh.presses(turn.replies[0], "Duyệt bản này")).text
    assert await village.state(number) is State.IN_REVIEW


async def test_returning_asks_for_a_reason_and_editing_begins_again(
    village: Village, phones: tuple[Phone, Phone]
) -> None:
    lan, minh = phones
    number, preview = await drafted(lan)
    await lan.presses(preview, "Trình duyệt")
    asked = await minh.presses(Reply("", await buttons_of(village, minh.conversation)), "Trả lại")
    assert "lý do" in asked.text
    assert "Đã trả lại" in (await minh.says("Sai giờ họp")).text
    assert await village.state(number) is State.DRAFT
    assert any("Sai giờ họp" in notice for notice in await village.notices(lan.conversation))
    await lan.presses(preview, "Sửa nội dung")
    again = await lan.presses(await lan.says("Mai họp thôn lúc 20 giờ."), "Hộ kinh doanh")
    assert "20 giờ" in again.text
    assert (await village.viewing.show(village.lan, number)).wish.audience.groups == ("ho-kinh-doanh",)
    await lan.presses(again, "Bỏ thông báo này")
    assert await village.state(number) is State.CANCELLED


async def test_the_province_chooses_a_commune_by_its_name(village: Village) -> None:
    [chat] = await village.settle("phu-thong", 1)
    village.staff.chats[village.binh] = chat
    binh = Phone(village, chat)
    await binh.says("/thongbao")
    await binh.presses(await binh.says("Tin của tỉnh."), "Một xã, phường")
    assert "Không có xã" in (await binh.says("Mường Thanh")).text
    assert "Telegram: 1 gửi ngay" in (await binh.says("xa phu thong")).text


async def test_a_citizen_is_not_asked_and_cannot_press(village: Village, phones: tuple[Phone, Phone]) -> None:
    lan, _ = phones
    number, _ = await drafted(lan)
    [somebody] = await village.settle("na-ri", 1)
    citizen = Phone(village, somebody)
    assert await citizen.take(Said(text="/thongbao")) is None, "for a citizen it is the subscription"
    for what in ("submit", "approve", "look", "send", "cancel"):
        assert await citizen.take(Said(payload=f"w:{what}:{number}")) is None
    assert await village.state(number) is State.DRAFT


async def test_a_stranger_with_an_account_is_told_that_there_is_none(
    village: Village, phones: tuple[Phone, Phone]
) -> None:
    lan, _ = phones
    number, _ = await drafted(lan)
    [chat] = await village.settle("na-ri", 1)
    village.staff.chats[village.staff.hire("tu", "admin", "na-ri")] = chat
    turn = await Phone(village, chat).take(Said(payload=f"w:look:{number}"))
    assert turn is not None
    assert "Không có thông báo số" in turn.replies[0].text


async def test_a_code_links_and_a_word_cuts_loose(village: Village) -> None:
    [chat] = await village.settle("phu-thong", 1)
    phone = Phone(village, chat)
    assert "không đúng" in (await phone.says("/lienket")).text
    assert "không đúng" in (await phone.says("/lienket sai")).text
    assert "Nguyễn Thị Lan" in (await phone.says(f"/lienket {CODE}")).text
    assert "gõ nội dung" in (await phone.says("/thongbao")).text
    assert "Đã bỏ nối" in (await phone.says("/botlienket")).text
    assert await phone.take(Said(text="/thongbao")) is None
    assert "chưa nối" in (await phone.says("/botlienket")).text
    told = (await phone.says("/thongbao Mai họp thôn lúc 19 giờ")).text
    assert "/lienket" in told, "who wants to write is told how, and not subscribed"


async def test_thoi_and_other_commands_lead_out(village: Village, phones: tuple[Phone, Phone]) -> None:
    lan, _ = phones
    for word in ("Thôi", "dừng", "Dừng lại!", "Thôi không gửi nữa"):
        await lan.says("/thongbao")
        assert "Đã dừng" in (await lan.says(word)).text
    await lan.says("/thongbao")
    assert await lan.take(Said(text="/trogiup")) is None
    turn = await lan.take(Said(text="gọi [số điện thoại]", personal=("phone",)))
    assert turn is not None
    assert "kể cả số máy bàn của cơ quan" in turn.replies[0].text
    assert "Gửi cho ai" in (await lan.says("Mời bà con họp thôn.")).text, "it was still waited for"
    assert len(await village.viewing.listing(village.lan)) == 1


async def test_an_old_button_does_no_harm(village: Village, phones: tuple[Phone, Phone]) -> None:
    lan, _ = phones
    for payload in ("w:", "w:dance:1", "w:look:x", "w:approve"):
        turn = await lan.take(Said(payload=payload))
        assert turn is not None
        assert turn.replies[0].text


def test_what_waits_is_known_by_its_name() -> None:
    assert Pending("desk-text").kind.startswith("desk-")
