"""An officer answers in the messenger's own tool, a citizen asks to be erased: what the bot says, keeps and forgets."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import func, select

from bot.channels.zalo_oa.interactions import last_interactions
from bot.channels.zalo_oa.windows import Window, window
from bot.conversation import takeover
from bot.conversation.messages import say
from bot.conversation.model import Session
from bot.storage.database import Database, aware
from bot.storage.tables import conversation, inbox, outbox, review
from bot.turns import Turns, TurnTaken
from tests.builders import MORNING, Citizen, Clock, work_off

if TYPE_CHECKING:
    from congdanso.brain import Brain

pytestmark = pytest.mark.anyio


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def recorded() -> list[TurnTaken]:
    return []


@pytest.fixture
def turns(database: Database, brain: Brain, clock: Clock, recorded: list[TurnTaken]) -> Turns:
    def record(connection: Any, turn: TurnTaken, /) -> None:
        recorded.append(turn)

    return Turns(database, brain.dialogue, brain.engine.understand, clock=clock, owner="a", record=record)


async def answered(turns: Turns, citizen: Citizen, text: str, kind: str = "text") -> list[str]:
    """What the bot says to one more message."""
    before = len(await citizen.got())
    await citizen.says(text, kind=kind)
    await work_off(turns)
    return (await citizen.got())[before:]


@pytest.fixture
async def citizen(database: Database, clock: Clock, turns: Turns) -> Citizen:
    """Somebody who has already talked with the bot."""
    found = Citizen(database, clock, channel="zalo-oa")
    await answered(turns, found, "xin chào")
    return found


class TestTakeOver:
    async def test_the_bot_says_once_that_an_officer_speaks_and_is_silent(
        self, turns: Turns, citizen: Citizen, clock: Clock, recorded: list[TurnTaken]
    ) -> None:
        assert await answered(turns, citizen, "", "taken_over") == [say("officer_speaks")]
        before = len(recorded)
        clock.pass_(minutes=10)
        assert await answered(turns, citizen, "", "taken_over") == []
        assert await answered(turns, citizen, "làm giấy khai sinh cần gì") == []
        assert await answered(turns, citizen, "sticker", "unsupported") == []
        assert await answered(turns, citizen, "", "opened") == []
        assert recorded[before:] == []

    async def test_each_message_of_the_officer_begins_the_silence_anew(
        self, turns: Turns, citizen: Citizen, clock: Clock
    ) -> None:
        await answered(turns, citizen, "", "taken_over")
        clock.pass_(minutes=25)
        await answered(turns, citizen, "", "taken_over")
        clock.pass_(minutes=25)
        assert await answered(turns, citizen, "làm giấy khai sinh cần gì") == []
        clock.pass_(minutes=6)
        assert "iấy chứng sinh" in (await answered(turns, citizen, "làm giấy khai sinh cần gì"))[0]

    async def test_an_officers_message_that_comes_late_counts_from_when_it_was_written(
        self, turns: Turns, citizen: Citizen, clock: Clock
    ) -> None:
        await citizen.says("", kind="taken_over")
        clock.pass_(minutes=40)
        await work_off(turns)
        assert aware((await citizen.row())["silent_until"]) == MORNING + takeover.SILENCE
        assert await answered(turns, citizen, "làm giấy khai sinh cần gì") != []

    async def test_an_older_message_does_not_shorten_the_silence(
        self, turns: Turns, citizen: Citizen, clock: Clock
    ) -> None:
        clock.pass_(minutes=20)
        await answered(turns, citizen, "", "taken_over")
        clock.now -= timedelta(minutes=15)
        await citizen.says("", kind="taken_over")
        clock.now += timedelta(minutes=15)
        await work_off(turns)
        assert aware((await citizen.row())["silent_until"]) == clock.now + takeover.SILENCE

    @pytest.mark.parametrize("word", ["bot", "gọi bot", "BOT!"])
    async def test_a_citizen_calls_the_bot_back(self, turns: Turns, citizen: Citizen, word: str) -> None:
        await answered(turns, citizen, "", "taken_over")
        assert await answered(turns, citizen, word) == [say("bot_again")]
        assert "iấy chứng sinh" in (await answered(turns, citizen, "làm giấy khai sinh cần gì"))[0]

    async def test_a_button_of_the_bot_is_for_the_bot(self, turns: Turns, citizen: Citizen) -> None:
        await answered(turns, citizen, "", "taken_over")
        assert "7.000 đồng" in (await answered(turns, citizen, "t:tam-tru:le-phi", "button"))[0]
        assert "3 ngày" in (await answered(turns, citizen, "thế mất mấy ngày"))[0]

    async def test_announcements_can_be_stopped_at_any_moment_without_ending_the_talk(
        self, turns: Turns, citizen: Citizen
    ) -> None:
        await answered(turns, citizen, "xã Phủ Thông")
        await answered(turns, citizen, "n:yes", "button")
        await answered(turns, citizen, "", "taken_over")
        assert await answered(turns, citizen, "dừng thông báo") == [say("unsubscribed")]
        assert (await citizen.row())["subscribed"] is False
        assert await answered(turns, citizen, "làm giấy khai sinh cần gì") == []

    async def test_that_is_right_is_not_a_stop(self, turns: Turns, citizen: Citizen) -> None:
        await answered(turns, citizen, "", "taken_over")
        assert await answered(turns, citizen, "Đúng") == []

    async def test_data_can_be_erased_at_any_moment(self, turns: Turns, citizen: Citizen) -> None:
        await answered(turns, citizen, "", "taken_over")
        assert await answered(turns, citizen, "xoá dữ liệu của tôi") == [say("erase_confirm")]
        await answered(turns, citizen, "xoá hết")
        assert await citizen.got() == [say("erased")]

    async def test_an_officer_who_writes_first_is_not_interrupted(
        self, turns: Turns, database: Database, clock: Clock
    ) -> None:
        stranger = Citizen(database, clock, chat="2002", channel="zalo-oa")
        assert await answered(turns, stranger, "", "taken_over") == []

    async def test_what_an_officer_does_is_no_act_of_the_citizen(
        self, turns: Turns, citizen: Citizen, clock: Clock
    ) -> None:
        await answered(turns, citizen, "", "stopped")
        clock.pass_(hours=3)
        await answered(turns, citizen, "", "taken_over")
        row = await citizen.row()
        assert row["stopped_at"] is not None
        assert aware(row["last_seen_at"]) == MORNING

    async def test_an_officer_who_writes_first_opens_no_window(
        self, database: Database, turns: Turns, clock: Clock
    ) -> None:
        citizen = Citizen(database, clock, chat="z-9", channel="zalo-oa")
        await answered(turns, citizen, "", "taken_over")
        look_up = last_interactions(database, "default")
        assert window(await look_up("z-9"), clock()) is Window.CLOSED
        await answered(turns, citizen, "xin chào")
        assert window(await look_up("z-9"), clock()) is Window.FREE

    async def test_two_at_once_say_it_once(self) -> None:
        session = Session(greeted=True)
        assert [len(takeover.began(session, already=already).replies) for already in (False, True)] == [1, 0]


class TestSeen:
    async def test_leaving_is_no_interaction(self, turns: Turns, citizen: Citizen, clock: Clock) -> None:
        clock.pass_(days=3)
        await answered(turns, citizen, "", "stopped")
        assert aware((await citizen.row())["last_seen_at"]) == MORNING

    async def test_an_act_that_comes_late_does_not_take_the_place_of_a_younger_one(
        self, turns: Turns, citizen: Citizen, clock: Clock
    ) -> None:
        clock.now -= timedelta(hours=1)
        await citizen.says("cảm ơn")
        clock.now += timedelta(hours=5)
        await work_off(turns)
        assert aware((await citizen.row())["last_seen_at"]) == MORNING


class TestWithdrawn:
    async def test_nothing_is_left_not_even_the_messengers_id(
        self, database: Database, turns: Turns, citizen: Citizen
    ) -> None:
        await answered(turns, citizen, "c:ok", "button")
        await answered(turns, citizen, "xin giấy phép mở quán karaoke")
        await citizen.says("", kind="withdrawn")
        await work_off(turns)
        async with database.read() as connection:
            for table in (conversation, inbox, outbox, review):
                assert await connection.scalar(select(func.count()).select_from(table)) == 0, table.name

    async def test_the_same_request_again_leaves_nothing_either(
        self, database: Database, turns: Turns, citizen: Citizen
    ) -> None:
        for _ in range(2):
            await citizen.says("", kind="withdrawn", update_id="w1")
            await work_off(turns)
        async with database.read() as connection:
            assert await connection.scalar(select(func.count()).select_from(conversation)) == 0

    async def test_what_was_written_after_it_is_answered_as_to_somebody_new(
        self, database: Database, turns: Turns, citizen: Citizen, clock: Clock
    ) -> None:
        await answered(turns, citizen, "xã Phủ Thông")
        await answered(turns, citizen, "n:yes", "button")
        await answered(turns, citizen, "c:ok", "button")
        await citizen.says("xin chào", language="ko")
        await work_off(turns)
        assert (await citizen.row())["language"] == "ko"
        await citizen.says("", kind="withdrawn")
        await citizen.says("làm giấy khai sinh cần gì")
        await work_off(turns)
        texts = await citizen.got()
        assert "iấy chứng sinh" in texts[0]
        assert "Kênh hỏi đáp" in texts[1]
        row = await citizen.row()
        assert (row["ward"], row["subscribed"], row["session"]["ward"], row["language"]) == (None, False, None, None)

    async def test_nobody_else_is_touched(
        self, database: Database, turns: Turns, citizen: Citizen, clock: Clock
    ) -> None:
        other = Citizen(database, clock, chat="2002", channel="zalo-oa")
        await answered(turns, other, "làm hộ chiếu ở đâu")
        await citizen.says("", kind="withdrawn")
        await work_off(turns)
        assert len(await other.got()) == 2
        assert (await other.row())["session"]["topic"] == "ho-chieu"
