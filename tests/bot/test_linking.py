"""One person on several channels: linked by a code, alike from then on, apart again by one word."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import func, insert, select

from bot.linking import ALL_GUESSES, CODES, GUESSES, Linking
from bot.storage.database import Database
from bot.storage.tables import conversation, link_code, link_guess, metadata
from bot.turns import Turns
from tests.builders import Citizen, Clock, work_off

if TYPE_CHECKING:
    from congdanso.brain import Brain

pytestmark = pytest.mark.anyio

KEY = b"a key that is not in the database"


@dataclass
class Town:
    """A bot with its clock, and citizens on several channels."""

    database: Database
    brain: Brain
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        self.turns = self.process("a")

    def process(self, owner: str) -> Turns:
        dialogue, understand = self.brain.dialogue, self.brain.engine.understand
        return Turns(self.database, dialogue, understand, clock=self.clock, owner=owner, linking=Linking(KEY))

    def citizen(self, channel: str, chat: str = "1001") -> Citizen:
        return Citizen(self.database, self.clock, chat, channel)

    async def work(self) -> None:
        await work_off(self.turns)

    async def hears(self, citizen: Citizen, *texts: str) -> str:
        """Let a citizen write; return the bot's last bubble."""
        for text in texts:
            self.clock.pass_(seconds=1)
            await citizen.says(text)
            await self.work()
        return await self.last(citizen)

    async def presses(self, citizen: Citizen, payload: str) -> str:
        self.clock.pass_(seconds=1)
        await citizen.presses(payload)
        await self.work()
        return await self.last(citizen)

    @staticmethod
    async def last(citizen: Citizen) -> str:
        """The last bubble that is not the introduction."""
        return [text for text in await citizen.got() if "Kênh hỏi đáp" not in text][-1]

    async def code(self, citizen: Citizen) -> str:
        shown = await self.hears(citizen, "nối kênh")
        return shown.splitlines()[0].removeprefix("Mã nối: ")

    async def link(self, shown_on: Citizen, typed_on: Citizen) -> None:
        await self.hears(typed_on, f"nối {await self.code(shown_on)}", "có")
        assert (await typed_on.row())["person"] is not None


@pytest.fixture
def town(database: Database, brain: Brain) -> Town:
    return Town(database, brain)


@pytest.fixture
def telegram(town: Town) -> Citizen:
    return town.citizen("telegram")


@pytest.fixture
def zalo(town: Town) -> Citizen:
    return town.citizen("zalo-bot", "6ede9afa")


@pytest.fixture
def web(town: Town) -> Citizen:
    return town.citizen("web", "w1")


async def shared(citizen: Citizen) -> tuple[Any, ...]:
    row = await citizen.row()
    return row["ward"], row["subscribed"], row["consented_at"] is not None


class TestLinking:
    async def test_a_code_of_one_channel_typed_on_another_joins_them(
        self, town: Town, telegram: Citizen, zalo: Citizen
    ) -> None:
        await town.hears(telegram, "chọn xã Phủ Thông")
        await town.presses(telegram, "n:yes")
        asked = await town.hears(zalo, f"nối {await town.code(telegram)}")
        assert "Nối kênh này với Telegram?" in asked
        assert "Xã Phủ Thông" in asked
        assert (await zalo.row())["person"] is None, "nothing is joined before the yes"
        assert "Đã nối với Telegram" in await town.hears(zalo, "có")
        one, other = await telegram.row(), await zalo.row()
        assert one["person"] == other["person"] is not None
        assert len(one["person"]) == 32
        assert (one["preferred"], other["preferred"]) == (False, True)
        assert await shared(telegram) == await shared(zalo)
        assert (await shared(zalo))[1] is True
        assert "Nối với kênh khác của anh/chị: có" in await town.hears(zalo, "dữ liệu của tôi")

    @pytest.mark.parametrize("zalo_chooses", ["before", "after", "never"])
    async def test_the_newer_choice_holds_on_both(
        self, town: Town, telegram: Citizen, zalo: Citizen, zalo_chooses: str
    ) -> None:
        if zalo_chooses == "before":
            await town.hears(zalo, "chọn xã Võ Nhai")
        await town.hears(telegram, "chọn xã Phủ Thông")
        phu_thong = (await telegram.row())["ward"]
        if zalo_chooses == "after":
            await town.hears(zalo, "chọn xã Võ Nhai")
        vo_nhai = (await zalo.row())["ward"] if zalo_chooses != "never" else None
        await town.link(telegram, zalo)
        expected = vo_nhai if zalo_chooses == "after" else phu_thong
        assert expected is not None
        assert [(await c.row())["ward"] for c in (telegram, zalo)] == [expected, expected]

    async def test_a_refusal_of_announcements_that_is_newer_holds_too(
        self, town: Town, telegram: Citizen, zalo: Citizen
    ) -> None:
        await town.hears(zalo, "chọn xã Phủ Thông")
        await town.presses(zalo, "n:yes")
        await town.hears(telegram, "chọn xã Phủ Thông", "dừng thông báo")
        await town.link(telegram, zalo)
        assert (await shared(zalo))[1] is False

    async def test_consent_given_on_either_side_counts(self, town: Town, telegram: Citizen, zalo: Citizen) -> None:
        await town.presses(telegram, "c:ok")
        given = (await telegram.row())["consented_at"]
        await town.link(telegram, zalo)
        assert (await zalo.row())["consented_at"] == given

    async def test_three_channels_of_one_person(
        self, town: Town, telegram: Citizen, zalo: Citizen, web: Citizen
    ) -> None:
        await town.link(telegram, zalo)
        await town.link(telegram, web)
        people = {(await c.row())["person"] for c in (telegram, zalo, web)}
        assert len(people) == 1
        assert [(await c.row())["preferred"] for c in (telegram, zalo, web)] == [False, False, True]

    async def test_two_pairs_become_one_person(self, town: Town) -> None:
        four = [town.citizen(channel, chat) for channel, chat in (("telegram", "1"), ("web", "2"), ("zalo-bot", "3"), ("zalo-oa", "4"))]  # fmt: skip
        await town.link(four[0], four[1])
        await town.link(four[2], four[3])
        await town.link(four[1], four[2])
        assert len({(await c.row())["person"] for c in four}) == 1
        assert [(await c.row())["preferred"] for c in four] == [False, False, True, False]

    async def test_a_yes_by_number_and_a_no_by_button(self, town: Town, telegram: Citizen, zalo: Citizen) -> None:
        await town.hears(zalo, f"nối {await town.code(telegram)}")
        assert "không nối" in await town.presses(zalo, "l:no")
        assert (await zalo.row())["person"] is None
        await town.hears(zalo, f"nối {await town.code(telegram)}", "1")
        assert (await zalo.row())["person"] is not None


class TestCodes:
    async def test_only_a_keyed_hash_is_stored(
        self, town: Town, database: Database, telegram: Citizen, zalo: Citizen
    ) -> None:
        code = await town.code(telegram)
        async with database.write() as connection:
            await connection.exec_driver_sql("UPDATE outbox SET state = 'sent'")
        await town.hears(zalo, f"nối {code}", "có")
        async with database.read() as connection:
            hashes = list((await connection.execute(select(link_code.c.code_hash))).scalars())
            tables = [t for t in metadata.tables.values() if t.name in ("conversation", "inbox", "outbox", "link_code", "link_guess", "review")]  # fmt: skip
            everything = repr([(await connection.execute(select(t))).mappings().all() for t in tables])
        assert hashes == [Linking(KEY).hash(code)]
        assert hashes != [Linking(b"").hash(code)]
        assert code not in everything
        assert "nối ••••••••" in (await telegram.got())[0]

    async def test_a_code_works_once(self, town: Town, telegram: Citizen, zalo: Citizen, web: Citizen) -> None:
        code = await town.code(telegram)
        await town.hears(zalo, f"nối {code}", "có")
        assert "không đúng hoặc đã hết hạn" in await town.hears(web, f"nối {code}")

    async def test_a_code_typed_on_one_channel_is_closed_for_others(
        self, town: Town, telegram: Citizen, zalo: Citizen, web: Citizen
    ) -> None:
        code = await town.code(telegram)
        await town.hears(zalo, f"nối {code}")
        assert "không đúng hoặc đã hết hạn" in await town.hears(web, f"nối {code}")
        assert "Nối kênh này với Telegram?" in await town.hears(zalo, f"nối {code}"), "typed again by mistake"
        assert "Đã nối" in await town.hears(zalo, "có")

    async def test_a_code_runs_out(self, town: Town, telegram: Citizen, zalo: Citizen) -> None:
        code = await town.code(telegram)
        town.clock.pass_(minutes=10)
        assert "đã hết hạn" in await town.hears(zalo, f"nối {code}")

    async def test_a_yes_that_comes_too_late_joins_nothing(self, town: Town, telegram: Citizen, zalo: Citizen) -> None:
        await town.hears(zalo, f"nối {await town.code(telegram)}")
        town.clock.pass_(minutes=10)
        assert "đã hết hạn" in await town.hears(zalo, "có")
        assert (await zalo.row())["person"] is None

    async def test_a_new_code_ends_the_one_before(self, town: Town, telegram: Citizen, zalo: Citizen) -> None:
        first, second = await town.code(telegram), await town.code(telegram)
        assert "đã hết hạn" in await town.hears(zalo, f"nối {first}")
        assert "Nối kênh này" in await town.hears(zalo, f"nối {second}")

    async def test_a_code_typed_where_it_was_shown(self, town: Town, telegram: Citizen) -> None:
        assert "chính kênh này" in await town.hears(telegram, f"nối {await town.code(telegram)}")

    async def test_channels_that_are_linked_already(self, town: Town, telegram: Citizen, zalo: Citizen) -> None:
        await town.link(telegram, zalo)
        assert "đã nối với nhau" in await town.hears(telegram, f"nối {await town.code(zalo)}")

    async def test_a_yes_without_a_code_joins_nothing(self, town: Town, telegram: Citizen, zalo: Citizen) -> None:
        await town.code(telegram)
        assert "đã hết hạn" in await town.presses(zalo, "l:yes")
        assert (await zalo.row())["person"] is None

    async def test_codes_are_not_shown_without_end(self, town: Town, telegram: Citizen) -> None:
        for _ in range(CODES):
            await town.code(telegram)
        assert "sau một giờ" in await town.hears(telegram, "nối kênh")
        town.clock.pass_(hours=1)
        assert "Mã nối:" in await town.hears(telegram, "nối kênh")

    async def test_who_guesses_hears_nothing_more_right_or_wrong(
        self, town: Town, telegram: Citizen, zalo: Citizen
    ) -> None:
        code = await town.code(telegram)
        wrong = f"{code[:-1]}{(int(code[-1]) + 1) % 10}"
        for _ in range(GUESSES):
            assert "không đúng" in await town.hears(zalo, f"nối {wrong}")
        assert "sau một giờ" in await town.hears(zalo, f"nối {wrong}")
        assert "sau một giờ" in await town.hears(zalo, f"nối {code}")
        town.clock.pass_(hours=1)
        assert "Nối kênh này" in await town.hears(zalo, f"nối {await town.code(telegram)}")

    async def test_who_guesses_from_many_conversations_meets_a_limit_for_all(
        self, town: Town, database: Database, telegram: Citizen, zalo: Citizen
    ) -> None:
        code = await town.code(telegram)
        await town.hears(zalo, "xin chào")
        async with database.write() as connection:
            other = (await telegram.row())["id"]
            at = town.clock() - timedelta(minutes=2)
            rows = [{"conversation_id": other, "at": at} for _ in range(ALL_GUESSES)]
            await connection.execute(insert(link_guess), rows)
        assert "sau một giờ" in await town.hears(zalo, f"nối {code}")
        town.clock.pass_(minutes=8)
        assert "Nối kênh này" in await town.hears(zalo, f"nối {await town.code(telegram)}")

    async def test_a_code_typed_at_the_same_moment_on_two_channels_is_one_ones(
        self, town: Town, telegram: Citizen, zalo: Citizen, web: Citizen
    ) -> None:
        """Both processes look before either writes; the second writer looks again and finds the code taken."""
        code = await town.code(telegram)
        await town.hears(zalo, "xin chào")
        await town.hears(web, "xin chào")
        other = town.process("b")
        first, _ = await zalo.says(f"nối {code}")
        second, _ = await web.says(f"nối {code}")
        taken_between = False
        facts = other._facts

        async def slow(*args: Any) -> Any:
            nonlocal taken_between
            found = await facts(*args)
            if not taken_between:
                taken_between = True
                quicker = await town.turns.take(first)
                assert quicker is not None
                await town.turns.answer(quicker)
            return found

        other._facts = slow  # type: ignore[method-assign]
        held = await other.take(second)
        assert held is not None
        assert (await other.answer(held)).ended == ()
        await work_off(other)
        assert "Nối kênh này" in (await zalo.got())[-1]
        assert "không đúng hoặc đã hết hạn" in (await web.got())[-1]


class TestLinkedChannels:
    @pytest.fixture
    async def linked(self, town: Town, telegram: Citizen, zalo: Citizen) -> None:
        await town.hears(telegram, "chọn xã Phủ Thông")
        await town.presses(telegram, "n:yes")
        await town.link(telegram, zalo)

    async def test_what_is_chosen_on_one_holds_on_the_other(
        self, town: Town, linked: None, telegram: Citizen, zalo: Citizen
    ) -> None:
        await town.hears(telegram, "chọn xã Võ Nhai")
        await town.presses(telegram, "c:ok")
        assert await shared(telegram) == await shared(zalo)
        assert "Võ Nhai" in await town.hears(zalo, "dữ liệu của tôi")

    async def test_a_word_that_stops_announcements_stops_them_everywhere(
        self, town: Town, linked: None, telegram: Citizen, zalo: Citizen
    ) -> None:
        await town.hears(zalo, "dừng")
        assert [(await c.row())["subscribed"] for c in (telegram, zalo)] == [False, False]

    async def test_who_blocks_one_channel_keeps_the_other(
        self, town: Town, linked: None, telegram: Citizen, zalo: Citizen
    ) -> None:
        await telegram.says("", kind="stopped")
        await town.work()
        rows = [await c.row() for c in (telegram, zalo)]
        assert [row["stopped_at"] is None for row in rows] == [False, True]
        assert [row["subscribed"] for row in rows] == [True, True], "who comes back has chosen nothing anew"

    async def test_announcements_can_go_to_the_other_channel(
        self, town: Town, linked: None, telegram: Citizen, zalo: Citizen
    ) -> None:
        assert "vào kênh này" in await town.presses(telegram, "l:here")
        assert [(await c.row())["preferred"] for c in (telegram, zalo)] == [True, False]

    async def test_unlinking_keeps_what_each_has_and_parts_them(
        self, town: Town, linked: None, telegram: Citizen, zalo: Citizen
    ) -> None:
        before = await shared(telegram)
        assert "Đã bỏ nối" in await town.hears(telegram, "bỏ nối kênh")
        for citizen in (telegram, zalo):
            row = await citizen.row()
            assert (row["person"], row["preferred"]) == (None, False)
            assert await shared(citizen) == before
        await town.hears(telegram, "dừng thông báo")
        assert (await shared(zalo)) == before

    async def test_when_the_preferred_one_leaves_another_takes_its_place(
        self, town: Town, linked: None, telegram: Citizen, zalo: Citizen, web: Citizen
    ) -> None:
        await town.link(telegram, web)
        await town.hears(zalo, "xin chào")
        await town.hears(web, "bỏ nối kênh")
        assert [(await c.row())["preferred"] for c in (telegram, zalo, web)] == [False, True, False]
        assert (await telegram.row())["person"] == (await zalo.row())["person"] is not None
        assert (await web.row())["person"] is None

    async def test_erasing_unlinks_and_takes_nothing_from_the_other(
        self, town: Town, database: Database, linked: None, telegram: Citizen, zalo: Citizen
    ) -> None:
        before = await shared(zalo)
        await town.code(telegram)
        await town.presses(telegram, "x:yes")
        row = await telegram.row()
        assert (row["person"], row["ward"], row["subscribed"], row["chosen_at"]) == (None, None, False, None)
        assert await shared(zalo) == before
        assert (await zalo.row())["person"] is None
        async with database.read() as connection:
            left = select(func.count()).where(link_code.c.conversation_id == row["id"])
            assert await connection.scalar(left) == 0

    async def test_no_event_holds_a_code(self, town: Town, database: Database, brain: Brain, zalo: Citizen) -> None:
        seen: list[Any] = []

        def record(_: Any, turn: Any, /) -> None:
            seen.append(turn)

        turns = Turns(database, brain.dialogue, brain.engine.understand, clock=town.clock, owner="a", record=record)
        await zalo.says("nối kênh")
        await work_off(turns)
        assert [turn.effects for turn in seen] == [()]


async def test_conversations_without_a_link_share_nothing(
    town: Town, database: Database, telegram: Citizen, zalo: Citizen
) -> None:
    await town.hears(telegram, "chọn xã Phủ Thông")
    await town.hears(zalo, "chọn xã Võ Nhai")
    async with database.read() as connection:
        wards = list((await connection.execute(select(conversation.c.ward))).scalars())
    assert len(set(wards)) == 2
