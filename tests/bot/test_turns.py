"""What was accepted is answered: once, in order, by one process at a time, whatever happens in between."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import Connection, func, insert, select
from sqlalchemy.exc import OperationalError

from bot.conversation.messages import say
from bot.conversation.model import AnnouncementPressed
from bot.messages import Address, Incoming
from bot.storage.database import Database
from bot.storage.tables import conversation, inbox, outbox, review
from bot.turns import DIED, MAX_DEATHS, Turns, TurnTaken
from bot.work import LeaseLost
from nlu.understanding import Understanding
from tests.builders import Citizen, Clock, work_off

if TYPE_CHECKING:
    from congdanso.brain import Brain

pytestmark = pytest.mark.anyio


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def turns(database: Database, brain: Brain, clock: Clock) -> Turns:
    return Turns(database, brain.dialogue, brain.engine.understand, clock=clock, owner="a")


async def test_the_same_update_twice_is_one_turn(database: Database, clock: Clock, turns: Turns) -> None:
    citizen = Citizen(database, clock)
    _, new = await citizen.says("làm giấy khai sinh cần gì", update_id="77")
    _, again = await citizen.says("làm giấy khai sinh cần gì", update_id="77")
    assert (new, again) == (True, False)
    assert await work_off(turns) == 1
    assert sum("iấy chứng sinh" in text for text in await citizen.got()) == 1


async def test_messages_of_one_citizen_are_answered_in_order(database: Database, clock: Clock, turns: Turns) -> None:
    citizen = Citizen(database, clock)
    await citizen.says("đăng ký tạm trú hết bao nhiêu tiền")
    await citizen.says("thế mất mấy ngày")
    assert await work_off(turns) == 2
    answers = [text for text in await citizen.got() if "Kênh hỏi đáp" not in text]
    assert "7.000 đồng" in answers[0]
    assert "3 ngày" in answers[1]


async def test_the_text_of_a_message_is_forgotten_once_it_is_answered(
    database: Database, clock: Clock, turns: Turns
) -> None:
    citizen = Citizen(database, clock)
    await citizen.says("làm hộ chiếu ở đâu")
    await work_off(turns)
    async with database.read() as connection:
        row = (await connection.execute(select(inbox))).mappings().one()
    assert row["text"] is None
    assert (row["state"], row["topic"], row["aspect"]) == ("done", "ho-chieu", "noi-nop")


async def test_what_became_ready_goes_before_the_next_turn(database: Database, brain: Brain, clock: Clock) -> None:
    rounds = 0
    seen: list[int] = []

    def understand(text: str) -> Understanding:
        seen.append(rounds)
        return brain.engine.understand(text)

    async def others_wait_too() -> None:
        nonlocal rounds
        while True:
            rounds += 1
            await asyncio.sleep(0)

    turns = Turns(database, brain.dialogue, understand, clock=clock, owner="a")
    for number in range(8):
        await Citizen(database, clock, chat=f"c{number}").says("làm hộ chiếu ở đâu")
    waiting = asyncio.ensure_future(others_wait_too())
    try:
        await asyncio.gather(*(turns.answer(held) for held in await turns.take_ready()))
    finally:
        waiting.cancel()
    assert len(seen) == 8
    assert len(set(seen)) == 8, "no two turns in one round of the loop"


async def test_a_message_that_takes_thought_keeps_nobody_waiting(
    database: Database, brain: Brain, clock: Clock
) -> None:
    others_answered = threading.Event()

    def at_once(text: str) -> Understanding | None:
        return None if text == "vợ em mới đẻ" else brain.engine.understand(text)

    def understand(text: str) -> Understanding:
        assert others_answered.wait(20), "others waited for it"
        return brain.engine.understand(text)

    turns = Turns(database, brain.dialogue, understand, at_once=at_once, clock=clock, owner="a")
    teller, asker = Citizen(database, clock, chat="c1"), Citizen(database, clock, chat="c2")
    await teller.says("vợ em mới đẻ")
    await asker.says("làm hộ chiếu ở đâu")
    first, second = [asyncio.ensure_future(turns.answer(held)) for held in await turns.take_ready()]
    await second
    assert not first.done()
    assert await asker.got()
    others_answered.set()
    await first
    assert await teller.got()


async def test_a_message_is_stored_before_units_that_wait_longer(
    database: Database, clock: Clock, turns: Turns
) -> None:
    begun, may_end = threading.Event(), threading.Event()
    busy = [asyncio.ensure_future(database.unit(lambda _: begun.set() or may_end.wait(20)))]
    assert await asyncio.to_thread(begun.wait, 20)
    messages = select(func.count()).select_from(inbox)
    others = [asyncio.ensure_future(database.unit(lambda connection: connection.scalar(messages))) for _ in range(8)]
    await asyncio.sleep(0.05)
    incoming = Incoming(Address("web", "default", "c1"), "1", "text", "làm hộ chiếu ở đâu", clock())
    storing = asyncio.ensure_future(turns.accept(incoming))
    await asyncio.sleep(0.05)
    may_end.set()
    assert (await storing).new
    seen = await asyncio.gather(*others)
    await asyncio.gather(*busy)
    if database.is_sqlite:
        assert seen == [1] * 8, "it was there before any of those that came earlier"


async def test_two_processes_do_not_take_the_same_conversation(
    database: Database, brain: Brain, clock: Clock, turns: Turns
) -> None:
    other = Turns(database, brain.dialogue, brain.engine.understand, clock=clock, owner="b")
    await Citizen(database, clock).says("xin chào")
    assert len(await turns.take_ready()) == 1
    assert await other.take_ready() == []


async def test_the_work_of_a_dead_process_is_taken_over(
    database: Database, brain: Brain, clock: Clock, turns: Turns
) -> None:
    other = Turns(database, brain.dialogue, brain.engine.understand, clock=clock, owner="b")
    citizen = Citizen(database, clock)
    await citizen.says("xin chào")
    await turns.take_ready()  # … and dies here
    clock.pass_(seconds=16)
    assert await work_off(other) == 1
    assert len(await citizen.got()) >= 1


async def test_a_process_that_slept_too_long_writes_nothing(
    database: Database, brain: Brain, clock: Clock, turns: Turns
) -> None:
    other = Turns(database, brain.dialogue, brain.engine.understand, clock=clock, owner="b")
    citizen = Citizen(database, clock)
    await citizen.says("làm hộ chiếu ở đâu")
    [asleep] = await turns.take_ready()
    clock.pass_(seconds=16)
    assert await work_off(other) == 1
    answers = await citizen.got()
    with pytest.raises(LeaseLost):
        await turns.answer(asleep)
    assert await turns.release(asleep) is None
    assert await citizen.got() == answers


async def test_a_message_that_comes_while_another_is_worked_on_is_not_forgotten(
    database: Database, clock: Clock, turns: Turns
) -> None:
    citizen = Citizen(database, clock)
    await citizen.says("xin chào")
    [held] = await turns.take_ready()
    await turns.answer(held)
    await citizen.says("cảm ơn nhé")
    assert await turns.release(held) == clock()
    assert await work_off(turns) == 1
    assert (await citizen.row())["lease_owner"] is None


async def test_a_message_that_cannot_be_handled_is_put_aside_with_its_reason(
    database: Database, brain: Brain, clock: Clock
) -> None:
    def broken(text: str) -> None:
        raise ZeroDivisionError

    turns = Turns(database, brain.dialogue, broken, clock=clock, owner="a")  # type: ignore[arg-type]
    citizen = Citizen(database, clock)
    await citizen.says("khai sinh")
    await work_off(turns)
    async with database.read() as connection:
        row = (await connection.execute(select(inbox))).mappings().one()
    assert (row["state"], row["attempts"], row["reason"], row["text"]) == ("dead", 3, "ZeroDivisionError", None)
    assert "trục trặc" in (await citizen.got())[-1]


async def test_a_turn_that_cannot_be_written_is_put_aside_with_its_reason_and_holds_up_no_other(
    database: Database, brain: Brain, clock: Clock
) -> None:
    def record(connection: Connection, turn: TurnTaken) -> None:
        if turn.topic == "khai-sinh":
            connection.execute(insert(review).values(id=1, text=None))

    turns = Turns(database, brain.dialogue, brain.engine.understand, clock=clock, owner="a", record=record)
    citizen = Citizen(database, clock)
    await citizen.says("đăng ký tạm trú hết bao nhiêu tiền")
    await citizen.says("làm giấy khai sinh cần gì")
    await citizen.says("làm hộ chiếu ở đâu")
    assert await work_off(turns) == 3, "without waiting for a lease to end"
    async with database.read() as connection:
        rows = (await connection.execute(select(inbox).order_by(inbox.c.id))).mappings().all()
    assert [(r["state"], r["reason"], r["topic"]) for r in rows] == [
        ("done", None, "tam-tru"),
        ("dead", "IntegrityError", None),
        ("done", None, "ho-chieu"),
    ]
    assert rows[1]["attempts"] == 3
    answers = [text for text in await citizen.got() if "Kênh hỏi đáp" not in text]
    assert "7.000 đồng" in answers[0]
    assert answers[1] == say("error")
    assert len(answers) >= 3


async def test_a_database_that_is_away_is_no_fault_of_the_message(
    database: Database, brain: Brain, clock: Clock
) -> None:
    def record(connection: Connection, turn: TurnTaken) -> None:
        raise OperationalError("INSERT", {}, Exception("database is locked"))

    turns = Turns(database, brain.dialogue, brain.engine.understand, clock=clock, owner="a", record=record)
    await Citizen(database, clock).says("làm hộ chiếu ở đâu")
    [held] = await turns.take_ready()
    with pytest.raises(OperationalError):
        await turns.answer(held)
    async with database.read() as connection:
        row = (await connection.execute(select(inbox))).mappings().one()
    assert (row["state"], row["reason"]) == ("accepted", None)


async def test_what_comes_after_a_message_that_fails_waits_for_it(
    database: Database, brain: Brain, clock: Clock
) -> None:
    failing = iter([True, False, False])

    def at_first_broken(text: str) -> Understanding:
        if next(failing):
            raise ZeroDivisionError
        return brain.engine.understand(text)

    turns = Turns(database, brain.dialogue, at_first_broken, clock=clock, owner="a")
    citizen = Citizen(database, clock)
    await citizen.says("đăng ký tạm trú hết bao nhiêu tiền")
    await citizen.says("thế mất mấy ngày")
    assert await work_off(turns) == 2
    answers = [text for text in await citizen.got() if "Kênh hỏi đáp" not in text]
    assert "7.000 đồng" in answers[0]
    assert "3 ngày" in answers[1]


async def test_a_message_that_kills_every_process_is_put_aside(database: Database, clock: Clock, turns: Turns) -> None:
    citizen = Citizen(database, clock)
    await citizen.says("khai sinh")
    for _ in range(MAX_DEATHS):
        assert len(await turns.take_ready()) == 1  # … and dies
        clock.pass_(seconds=16)
    assert await work_off(turns) == 1
    async with database.read() as connection:
        row = (await connection.execute(select(inbox))).mappings().one()
    assert (row["state"], row["reason"]) == ("dead", DIED)
    assert "trục trặc" in (await citizen.got())[-1]


async def test_a_message_is_taken_in_hand_as_it_is_accepted(database: Database, clock: Clock, turns: Turns) -> None:
    citizen = Citizen(database, clock)
    incoming = Incoming(Address("telegram", "default", citizen.chat), "5", "text", "làm hộ chiếu ở đâu", clock())
    stored = await turns.accept(incoming, take=True)
    assert stored.new
    assert stored.held is not None
    again = await turns.accept(incoming, take=True)
    assert (again.new, again.held) == (False, None)
    assert await turns.take_ready() == []
    later = await turns.accept(replace(incoming, update_id="6", text="thế lệ phí bao nhiêu"), take=True)
    assert (later.new, later.held) == (True, None)
    assert len((await turns.answer(stored.held)).leaving) == len(await citizen.got())
    await turns.release(stored.held)
    assert await work_off(turns) == 1


async def test_a_message_behind_others_is_not_taken_before_them(database: Database, clock: Clock, turns: Turns) -> None:
    citizen = Citizen(database, clock)
    await citizen.says("đăng ký tạm trú hết bao nhiêu tiền")
    incoming = Incoming(Address("telegram", "default", citizen.chat), "9", "text", "thế mất mấy ngày", clock())
    assert (await turns.accept(incoming, take=True)).held is None
    assert await work_off(turns) == 2
    answers = [text for text in await citizen.got() if "Kênh hỏi đáp" not in text]
    assert "7.000 đồng" in answers[0]
    assert "3 ngày" in answers[1]


async def test_consent_commune_and_subscription_are_kept(database: Database, clock: Clock, turns: Turns) -> None:
    citizen = Citizen(database, clock)
    await citizen.says("", kind="opened")
    await work_off(turns)
    for step in ("c:ok",):
        await citizen.presses(step)
        await work_off(turns)
    await citizen.says("xã Vi Hương")
    await work_off(turns)
    await citizen.presses("n:yes")
    await work_off(turns)
    row = await citizen.row()
    assert row["consented_at"] is not None
    assert (row["ward"], row["subscribed"]) == (row["session"]["ward"], True)
    assert "Phủ Thông" in (await citizen.got())[-1]


async def test_the_language_of_the_screen_and_the_lessons_that_were_read_are_kept_shown_and_erased(
    database: Database, clock: Clock, turns: Turns
) -> None:
    citizen = Citizen(database, clock)
    await citizen.says("nộp hồ sơ trực tuyến thế nào", language="ko")
    await work_off(turns)
    row = await citizen.row()
    assert (row["language"], row["session"]["lessons"]) == (None, []), "nobody agreed yet"
    await citizen.presses("c:ok")
    await work_off(turns)
    await citizen.says("làm sao tránh bị lừa đảo qua mạng", language="ko")
    await citizen.says("làm hộ chiếu cần gì")
    await citizen.says("dữ liệu của tôi")
    await work_off(turns)
    row = await citizen.row()
    assert row["language"] == "ko"
    assert row["session"]["lessons"] == ["lua-dao-qua-mang"]
    shown = (await citizen.got())[-1]
    assert "Ngôn ngữ trên điện thoại: ko" in shown
    assert "Bài học đã đọc: chưa có" not in shown
    await citizen.presses("x:yes")
    await work_off(turns)
    row = await citizen.row()
    assert (row["language"], row["session"]["lessons"]) == (None, [])


async def test_one_word_stops_announcements(database: Database, clock: Clock, turns: Turns) -> None:
    citizen = Citizen(database, clock)
    await citizen.says("xã Phủ Thông")
    await citizen.presses("n:yes")
    await citizen.says("dừng thông báo")
    await work_off(turns)
    assert (await citizen.row())["subscribed"] is False


async def test_erasing_leaves_nothing_of_the_citizen(database: Database, clock: Clock, turns: Turns) -> None:
    citizen = Citizen(database, clock)
    for text in ("chọn xã Phủ Thông", "xin giấy phép mở quán karaoke"):
        await citizen.says(text)
    await citizen.presses("c:ok")
    await citizen.says("xin giấy phép mở quán karaoke")
    await citizen.presses("x:yes")
    await work_off(turns)
    row = await citizen.row()
    assert (row["ward"], row["subscribed"], row["consented_at"]) == (None, False, None)
    assert row["session"]["recent"] == []
    async with database.read() as connection:
        assert await connection.scalar(select(func.count()).select_from(review)) == 0
        assert await connection.scalar(select(func.count()).select_from(inbox)) == 1


async def test_questions_without_an_answer_are_kept_only_with_consent(
    database: Database, clock: Clock, turns: Turns
) -> None:
    async def kept() -> list[str]:
        async with database.read() as connection:
            return list((await connection.execute(select(review.c.text))).scalars())

    citizen = Citizen(database, clock)
    await citizen.says("xin giấy phép mở quán karaoke thế nào")
    await work_off(turns)
    assert await kept() == []
    await citizen.presses("c:ok")
    await citizen.says("xin giấy phép mở quán karaoke thế nào")
    await work_off(turns)
    assert await kept() == ["xin giấy phép mở quán karaoke thế nào"]


async def test_a_personal_number_is_refused_and_stands_nowhere(database: Database, clock: Clock, turns: Turns) -> None:
    citizen = Citizen(database, clock)
    await citizen.presses("c:ok")
    await citizen.says("căn cước của tôi 019203004567 bị mất")
    await work_off(turns)
    assert "không lưu và không xử lý" in (await citizen.got())[-1]
    async with database.read() as connection:
        for table in (conversation, inbox, outbox, review):
            rows = (await connection.execute(select(table))).mappings().all()
            assert "019203004567" not in repr(rows)


async def test_a_citizen_who_leaves_is_remembered_and_comes_back(
    database: Database, clock: Clock, turns: Turns
) -> None:
    citizen = Citizen(database, clock)
    await citizen.says("xã Phủ Thông")
    await citizen.presses("n:yes")
    await citizen.says("", kind="stopped")
    await work_off(turns)
    row = await citizen.row()
    assert row["stopped_at"] is not None
    await citizen.says("xin chào")
    await work_off(turns)
    row = await citizen.row()
    assert (row["stopped_at"], row["subscribed"]) == (None, True), "leaving is no word against announcements"


async def test_work_that_takes_long_is_kept_in_hand(
    database: Database, brain: Brain, clock: Clock, turns: Turns
) -> None:
    other = Turns(database, brain.dialogue, brain.engine.understand, clock=clock, owner="b")
    await Citizen(database, clock).says("xin chào")
    held = await turns.take_ready()
    for _ in range(5):
        clock.pass_(seconds=10)
        await turns.renew(held)
    assert await other.take_ready() == []
    clock.pass_(seconds=16)
    assert len(await other.take_ready()) == 1
    await turns.renew(held)
    assert await turns.release(held[0]) is None


class Words:
    """An announcement whose button says "Tham gia"."""

    def wants(self, address: Address, text: str) -> bool:
        return address.channel == "zalo-oa"

    def payload(self, connection: Connection, conversation_id: int, text: str, at: object) -> str:
        return "b:abcdefgh:join" if text == "tham gia" else ""


async def test_the_words_of_a_button_are_the_button(database: Database, brain: Brain, clock: Clock) -> None:
    taken: list[TurnTaken] = []
    turns = Turns(
        database, brain.dialogue, brain.engine.understand, clock=clock, owner="a", words=Words(),
        record=lambda _, turn: taken.append(turn),
    )  # fmt: skip
    citizen = Citizen(database, clock, channel="zalo-oa")
    await citizen.says("tham gia")
    await citizen.says("làm hộ chiếu ở đâu")
    await Citizen(database, clock, channel="telegram", chat="2").says("tham gia")
    await work_off(turns)
    pressed = {turn.channel: turn.effects for turn in taken if turn.topic != "ho-chieu"}
    assert pressed == {"zalo-oa": (AnnouncementPressed("abcdefgh", "join"),), "telegram": ()}
