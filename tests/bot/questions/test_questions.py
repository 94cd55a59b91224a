"""A citizen's question comes back answered, once, where it was asked; who asked is never told."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import func, select, update

from bot.announcements.content import Refused
from bot.messages import ContactStopped, OutsideWindow, Transient
from bot.pump import Pump
from bot.questions.desk import LONGEST, Ended, QuestionEnded, Questions, plain
from bot.sender import Sender
from bot.storage.database import Database
from bot.storage.tables import conversation, outbox, review
from bot.turns import Turns
from content.places import Places, load_places
from tests.bot.announcements.officers import Staff
from tests.builders import Citizen, Clock, FakeChannel, work_off

if TYPE_CHECKING:
    from congdanso.brain import Brain

pytestmark = pytest.mark.anyio
ASKED = "ruộng nhà tôi chưa có sổ, hỏi ai"
ANSWER = "Anh/chị mang giấy tờ đất đến bộ phận một cửa, sáng thứ Hai đến thứ Sáu."


@dataclass
class Commune:
    """Phủ Thông with its bot, its officers, and one messenger."""

    database: Database
    turns: Turns
    clock: Clock
    places: Places
    staff: Staff
    channel: FakeChannel = field(default_factory=FakeChannel)
    ended: list[QuestionEnded] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.lan = self.staff.hire("nguyen-thi-lan")
        self.viewer = self.staff.hire("tran-van-minh", "viewer")
        self.other = self.staff.hire("ly-thi-hoa", "admin", "duc-xuan")
        self.province = self.staff.hire("ha-van-binh", "officer", "thai-nguyen")

        async def record(_: object, ended: QuestionEnded) -> None:
            self.ended.append(ended)

        self.questions = Questions(self.database, self.places, self.staff, clock=self.clock, record=record)
        self.sender = Sender(self.database, self.channel.channels(), clock=self.clock, rng=random.Random(1))

    async def asks(self, text: str = ASKED, *, ward: str | None = "Phủ Thông", chat: str = "1001") -> Citizen:
        """Somebody chooses their commune, and sends a question to its officers."""
        citizen = Citizen(self.database, self.clock, chat)
        if ward is not None:
            await citizen.says(f"chọn xã {ward}")
        await citizen.presses("o:ask")
        await citizen.says(text)
        await self.moves()
        return citizen

    async def moves(self) -> None:
        """Answer and send all that is due now."""
        pump = Pump(self.turns, self.sender)
        for held in await self.turns.take_ready():
            await pump._work(held)

    async def number(self) -> int:
        return (await self.questions.listing(self.province))[0].id

    async def rows(self) -> list[str]:
        async with self.database.read() as connection:
            return [str(s) for s in (await connection.execute(select(outbox.c.state))).scalars()]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def commune(database: Database, brain: Brain, clock: Clock) -> Commune:
    turns = Turns(database, brain.dialogue, brain.engine.understand, clock=clock, owner="a")
    places = load_places()
    return Commune(database, turns, clock, places, Staff(places))


async def test_the_answer_arrives_where_it_was_asked(commune: Commune, clock: Clock) -> None:
    await commune.asks()
    [asked] = await commune.questions.listing(commune.lan)
    assert (asked.text, asked.unit, asked.kind, asked.state) == (ASKED, "phu-thong", "officer", "open")
    clock.pass_(hours=5)
    answered = await commune.questions.answer(commune.lan, asked.id, ANSWER)
    assert (answered.state, answered.answered_by, answered.delivery) == ("answered", "nguyen-thi-lan", "queued")
    before = len(commune.channel.sent)
    await commune.moves()
    [(chat, text)] = commune.channel.sent[before:]
    assert chat == "1001"
    assert text == f'Cán bộ xã Phủ Thông trả lời câu hỏi của anh/chị: "{ASKED}"\n\n{ANSWER}'
    assert "Lan" not in text, "the office speaks, not the person"
    assert (await commune.questions.find(commune.lan, asked.id)).delivery == "sent"
    assert await commune.questions.listing(commune.lan) == []
    assert commune.ended == [QuestionEnded(clock(), "phu-thong", "telegram", "answered", "officer", 5)]


async def test_what_an_officer_sees_does_not_say_who_asked(commune: Commune) -> None:
    await commune.asks(chat="chat-of-mrs-hoa")
    [asked] = await commune.questions.listing(commune.lan)
    assert "chat-of-mrs-hoa" not in repr(asked)
    assert set(asked.as_json()) == {
        "id", "unit", "text", "kind", "state", "created_at", "answered_at", "answered_by", "answer", "delivery", "note",
    }  # fmt: skip


async def test_a_long_question_is_quoted_shortly(commune: Commune) -> None:
    await commune.asks(" ".join([ASKED] * 20))
    await commune.questions.answer(commune.lan, await commune.number(), ANSWER)
    await commune.moves()
    assert len(commune.channel.sent[-1][1].splitlines()[0]) < 190


async def test_it_is_answered_once_whoever_is_quicker(commune: Commune) -> None:
    await commune.asks()
    number = await commune.number()
    done = await asyncio.gather(
        *(commune.questions.answer(who, number, ANSWER) for who in (commune.lan, commune.province) * 3),
        return_exceptions=True,
    )
    refused = [r for r in done if isinstance(r, Ended)]
    assert len(refused) == 5
    assert "không trả lời lần nữa" in str(refused[0])
    async with commune.database.read() as connection:
        answers = await connection.scalar(select(func.count()).where(outbox.c.inbox_id.is_(None)))
    assert answers == 1
    with pytest.raises(Ended):
        await commune.questions.close(commune.lan, number, "hỏi trùng")


async def test_closing_tells_the_citizen_nothing(commune: Commune, clock: Clock) -> None:
    await commune.asks()
    number = await commune.number()
    sent = len(commune.channel.sent)
    with pytest.raises(Refused, match="lý do"):
        await commune.questions.close(commune.lan, number, " ")
    closed = await commune.questions.close(commune.lan, number, "Đã trả lời tại trụ sở")
    assert (closed.state, closed.note, closed.delivery) == ("closed", "Đã trả lời tại trụ sở", None)
    await commune.moves()
    assert len(commune.channel.sent) == sent
    assert [e.what for e in commune.ended] == ["closed"]
    with pytest.raises(Ended, match="Đã trả lời tại trụ sở"):
        await commune.questions.answer(commune.lan, number, ANSWER)


async def test_each_sees_the_questions_of_their_unit_and_below(commune: Commune) -> None:
    await commune.asks(chat="1", ward="Phủ Thông")
    await commune.asks(chat="2", ward="Đức Xuân")
    await commune.asks(chat="3", ward=None)
    listed = {
        who: [q.unit for q in await commune.questions.listing(who)]
        for who in (commune.lan, commune.other, commune.province)
    }
    assert listed == {
        commune.lan: ["phu-thong"],
        commune.other: ["duc-xuan"],
        commune.province: ["phu-thong", "duc-xuan", "thai-nguyen"],
    }
    assert [q.unit for q in await commune.questions.listing(commune.province, unit="duc-xuan")] == ["duc-xuan"]
    with pytest.raises(Refused):
        await commune.questions.listing(commune.lan, unit="duc-xuan")


async def test_one_without_a_commune_goes_to_the_one_chosen_since(commune: Commune) -> None:
    citizen = await commune.asks(ward=None)
    assert await commune.questions.listing(commune.lan) == []
    await citizen.says("chọn xã Phủ Thông")
    await commune.moves()
    assert [q.unit for q in await commune.questions.listing(commune.lan)] == ["phu-thong"]


async def test_who_may_not_is_refused_and_learns_nothing(commune: Commune) -> None:
    await commune.asks()
    number = await commune.number()
    said = {}
    for who in (commune.viewer, commune.other, "nobody"):
        for act in (
            commune.questions.find(who, number),
            commune.questions.answer(who, number, ANSWER),
            commune.questions.close(who, number, "hỏi trùng"),
        ):
            with pytest.raises(Refused) as refused:
                await act
            said[who] = str(refused.value)
    assert "không được xem và trả lời" in said[commune.viewer]
    assert said[commune.other] == f"Không có câu hỏi số {number}."
    with pytest.raises(Refused, match=f"Không có câu hỏi số {number + 1}"):
        await commune.questions.answer(commune.lan, number + 1, ANSWER)
    with pytest.raises(Refused):
        await commune.questions.listing(commune.viewer)
    assert (await commune.questions.find(commune.lan, number)).state == "open"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "Chưa có nội dung"),
        ("\u202e \n…", "Chưa có nội dung"),
        ("Gọi anh Minh 0912 345 678", "số điện thoại di động"),
        ("Hồ sơ của 019203004567 đã xong", "số giấy tờ"),
        ("a" * (LONGEST + 1), "nhiều nhất 3000"),
    ],
)
async def test_a_text_that_may_not_leave_is_refused_and_the_question_stays(
    commune: Commune, text: str, why: str
) -> None:
    await commune.asks()
    number = await commune.number()
    with pytest.raises(Refused, match=why):
        await commune.questions.answer(commune.lan, number, text)
    assert [q.id for q in await commune.questions.listing(commune.lan)] == [number]


def test_an_answer_is_plain_text() -> None:
    assert plain("Kính gửi\r\n\r\n\r\n\r\nanh/chị\x00\u202e,\tmời\u00a0đến 👨\u200d👩 <b>") == (
        "Kính gửi\n\nanh/chị, mời đến 👨\u200d👩 <b>"
    )


async def test_an_office_number_and_braces_may_stand_in_it(commune: Commune) -> None:
    await commune.asks("điền mẫu {xa} thế nào ạ")
    await commune.questions.answer(commune.lan, await commune.number(), "Gọi 0209 3871 234, mục {ngay} để trống.")
    await commune.moves()
    assert '"điền mẫu {xa} thế nào ạ"' in commune.channel.sent[-1][1]
    assert commune.channel.sent[-1][1].endswith("mục {ngay} để trống.")


@pytest.mark.parametrize(
    ("outcome", "state"),
    [(OutsideWindow("seven days"), "outside_window"), (ContactStopped("blocked"), "stopped")],
)
async def test_what_the_messenger_does_not_take_is_shown_and_leaves_when_the_citizen_writes(
    commune: Commune, clock: Clock, outcome: OutsideWindow | ContactStopped, state: str
) -> None:
    citizen = await commune.asks()
    number = await commune.number()
    commune.channel.outcomes = [outcome, outcome]
    await commune.questions.answer(commune.lan, number, ANSWER)
    await commune.moves()
    assert (await commune.questions.find(commune.lan, number)).delivery == state
    assert await commune.questions.go_on() == 0, "nobody has written since"
    clock.pass_(hours=30)
    commune.channel.outcomes = []
    await citizen.says("xin chào")
    await commune.moves()
    assert await commune.questions.go_on() == 1
    assert await commune.questions.go_on() == 0
    await commune.moves()
    assert commune.channel.sent[-1][1].endswith(ANSWER)
    assert (await commune.questions.find(commune.lan, number)).delivery == "sent"


async def test_a_messenger_that_is_away_is_tried_again(commune: Commune, clock: Clock) -> None:
    await commune.asks()
    number = await commune.number()
    commune.channel.outcomes = [Transient("no answer in time")]
    await commune.questions.answer(commune.lan, number, ANSWER)
    await commune.moves()
    assert (await commune.questions.find(commune.lan, number)).delivery == "queued"
    clock.pass_(seconds=30)
    await commune.moves()
    assert (await commune.questions.find(commune.lan, number)).delivery == "sent"


async def test_erasing_erases_question_and_answer(commune: Commune, clock: Clock) -> None:
    """Also one that still waits to leave, in the turn itself that erases."""
    citizen = await commune.asks()
    number = await commune.number()
    commune.channel.outcomes = [Transient("away")]
    await commune.questions.answer(commune.lan, number, ANSWER)
    await commune.moves()
    clock.pass_(seconds=30)
    await citizen.presses("x:yes")
    await commune.moves()
    assert not any(text.endswith(ANSWER) for _, text in commune.channel.sent)
    async with commune.database.read() as connection:
        assert await connection.scalar(select(func.count()).select_from(review)) == 0
        kept = [r["text"] for r in (await connection.execute(select(outbox.c.reply))).scalars()]
    assert not any(ASKED in text for text in kept)
    with pytest.raises(Refused, match="Không có câu hỏi"):
        await commune.questions.find(commune.lan, number)


async def test_a_withdrawn_account_takes_its_answer_along(commune: Commune) -> None:
    citizen = await commune.asks()
    number = await commune.number()
    await commune.questions.answer(commune.lan, number, ANSWER)
    await citizen.says("", kind="withdrawn")
    await commune.moves()
    async with commune.database.read() as connection:
        for table in (review, outbox, conversation):
            assert await connection.scalar(select(func.count()).select_from(table)) == 0
    with pytest.raises(Refused):
        await commune.questions.answer(commune.lan, number, ANSWER)


async def test_one_whose_conversation_is_gone_can_only_be_closed(commune: Commune) -> None:
    await commune.asks()
    number = await commune.number()
    async with commune.database.write() as connection:
        await connection.execute(update(review).values(conversation_id=None))
    with pytest.raises(Refused, match="đã xoá dữ liệu"):
        await commune.questions.answer(commune.lan, number, ANSWER)
    assert (await commune.questions.close(commune.lan, number, "người hỏi đã đi")).state == "closed"


async def test_it_waits_its_turn_behind_a_reply_and_while_somebody_holds_the_conversation(
    commune: Commune, clock: Clock
) -> None:
    citizen = await commune.asks()
    number = await commune.number()
    held = await commune.turns.hold((await citizen.row())["id"])
    assert held is not None
    await commune.questions.answer(commune.lan, number, ANSWER)
    await commune.moves()
    assert not commune.channel.sent[-1][1].endswith(ANSWER)
    assert await commune.turns.release(held) is not None, "it is known that something waits"
    await commune.moves()
    assert commune.channel.sent[-1][1].endswith(ANSWER)


async def test_the_kinds_are_told_apart(commune: Commune) -> None:
    citizen = Citizen(commune.database, commune.clock)
    await citizen.says("chọn xã Phủ Thông")
    await citizen.presses("c:ok")
    await citizen.says("xin giấy phép mở quán karaoke")
    await work_off(commune.turns)
    await commune.asks("hỏi về ruộng ạ", chat="2")
    assert [q.kind for q in await commune.questions.listing(commune.lan)] == ["unknown", "officer"]
    assert [q.text for q in await commune.questions.listing(commune.lan, kind="officer")] == ["hỏi về ruộng ạ"]
    for wrong in ({"kind": "x"}, {"state": "x"}, {"unit": "x"}):
        with pytest.raises(Refused):
            await commune.questions.listing(commune.lan, **wrong)  # type: ignore[arg-type]
