"""What the messenger says decides what becomes of a reply."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import insert, select

from bot import work
from bot.announcements.rates import RateLimiter
from bot.codec import reply_to_json
from bot.conversation.model import Reply
from bot.messages import (
    Address,
    Capabilities,
    ContactStopped,
    Incoming,
    Misconfigured,
    Moved,
    Outcome,
    OutsideWindow,
    Rejected,
    RetryAfter,
    Sent,
    Transient,
)
from bot.pace import Pace
from bot.sender import MAX_ATTEMPTS, Sender
from bot.storage.database import Database
from bot.storage.tables import conversation, outbox
from bot.turns import Turns, _stored
from tests.builders import Citizen, Clock, FakeChannel, work_off

if TYPE_CHECKING:
    from congdanso.brain import Brain

pytestmark = pytest.mark.anyio


@pytest.fixture
def clock() -> Clock:
    return Clock()


async def queue(database: Database, clock: Clock, *texts: str) -> tuple[int, Citizen]:
    citizen = Citizen(database, clock)
    conversation_id, _ = await citizen.says("…")
    async with database.write() as connection:
        for text in texts:
            await connection.execute(
                insert(outbox).values(
                    conversation_id=conversation_id,
                    reply=reply_to_json(Reply(text)),
                    state="queued",
                    attempts=0,
                    next_attempt_at=clock(),
                    created_at=clock(),
                )
            )
    return conversation_id, citizen


async def send(sender: Sender, database: Database, conversation_id: int, clock: Clock) -> None:
    """Take the conversation in hand, and send what is due in it."""
    held = await database.unit(lambda connection: work.take(connection, conversation_id, "a", clock()))
    assert held is not None
    await sender.send(held, [_stored(row) for row in held.queued])


async def states(database: Database) -> list[tuple[str, int, str | None]]:
    async with database.read() as connection:
        rows = (await connection.execute(select(outbox).order_by(outbox.c.id))).mappings().all()
    return [(r["state"], r["attempts"], r["reason"]) for r in rows]


def sender(database: Database, channel: FakeChannel, clock: Clock) -> Sender:
    return Sender(database, channel.channels(), clock=clock, rng=random.Random(1))


async def test_replies_leave_in_order(database: Database, clock: Clock) -> None:
    conversation_id, _ = await queue(database, clock, "một", "hai", "ba")
    channel = FakeChannel()
    await send(sender(database, channel, clock), database, conversation_id, clock)
    assert [text for _, text in channel.sent] == ["một", "hai", "ba"]
    assert {state for state, _, _ in await states(database)} == {"sent"}


async def test_a_wait_is_obeyed_to_the_second_and_holds_the_whole_account(database: Database, clock: Clock) -> None:
    conversation_id, _ = await queue(database, clock, "một", "hai")
    channel = FakeChannel(outcomes=[RetryAfter(7)])
    sends = sender(database, channel, clock)
    await send(sends, database, conversation_id, clock)
    clock.pass_(seconds=6.9)
    await send(sends, database, conversation_id, clock)
    assert channel.sent == []
    clock.pass_(seconds=0.2)
    await send(sends, database, conversation_id, clock)
    assert [text for _, text in channel.sent] == ["một", "hai"]
    assert (await states(database))[0][1] == 1


@pytest.mark.parametrize("maybe", [False, True])
async def test_a_passing_fault_is_retried_even_if_the_reply_may_have_arrived(
    database: Database, clock: Clock, maybe: bool
) -> None:
    conversation_id, _ = await queue(database, clock, "một", "hai")
    channel = FakeChannel(outcomes=[Transient("no answer", maybe_sent=maybe)])
    sends = sender(database, channel, clock)
    await send(sends, database, conversation_id, clock)
    assert (await states(database))[0] == ("queued", 1, "no answer")
    clock.pass_(seconds=2)
    await send(sends, database, conversation_id, clock)


async def test_a_fault_that_does_not_pass_ends_in_failed_and_lets_the_next_reply_go(
    database: Database, clock: Clock
) -> None:
    conversation_id, _ = await queue(database, clock, "một", "hai")
    channel = FakeChannel(outcomes=[Transient("down")] * MAX_ATTEMPTS)
    sends = sender(database, channel, clock)
    for _ in range(MAX_ATTEMPTS):
        await send(sends, database, conversation_id, clock)
        clock.pass_(hours=1)
    assert (await states(database))[0] == ("failed", MAX_ATTEMPTS, "down")
    assert channel.sent == [("1001", "hai")]


async def test_a_citizen_who_blocked_the_bot_gets_nothing_more(database: Database, clock: Clock) -> None:
    conversation_id, citizen = await queue(database, clock, "một", "hai")
    await choose(database, conversation_id, subscribed=True)
    channel = FakeChannel(outcomes=[ContactStopped("blocked")])
    await send(sender(database, channel, clock), database, conversation_id, clock)
    assert [state for state, _, _ in await states(database)] == ["failed", "failed"]
    row = await citizen.row()
    assert row["stopped_at"] is not None
    assert row["subscribed"], "who comes back gets the commune's news again"
    assert channel.sent == []


@pytest.mark.parametrize("outcome", [Rejected("bad"), OutsideWindow("7 days")])
async def test_what_will_never_be_taken_is_not_retried(database: Database, clock: Clock, outcome: Any) -> None:
    conversation_id, _ = await queue(database, clock, "một", "hai")
    channel = FakeChannel(outcomes=[outcome])
    await send(sender(database, channel, clock), database, conversation_id, clock)
    assert [state for state, _, _ in await states(database)] == ["failed", "sent"]


async def test_a_moved_chat_is_followed(database: Database, clock: Clock) -> None:
    conversation_id, _ = await queue(database, clock, "một")
    channel = FakeChannel(outcomes=[Moved("-100200")])
    await send(sender(database, channel, clock), database, conversation_id, clock)
    assert channel.sent == [("-100200", "một")]


async def test_a_moved_chat_that_is_known_already_gets_the_replies_there(database: Database, clock: Clock) -> None:
    old, group = await queue(database, clock, "một", "hai")
    await choose(database, old, ward="01864", subscribed=True, chosen_at=clock())
    supergroup = Citizen(database, clock, chat="-100200")
    new, _ = await supergroup.says("/start@bot")
    channel = FakeChannel(outcomes=[Moved("-100200")])
    sends = sender(database, channel, clock)
    clock.pass_(seconds=1)
    await send(sends, database, old, clock)
    assert channel.sent == [], "whoever has the other conversation in hand sends them, in order"
    assert (await group.row())["stopped_at"] is not None
    await send(sends, database, new, clock)
    assert channel.sent == [("-100200", "một"), ("-100200", "hai")]
    assert (await supergroup.row())["subscribed"], "the group's choice goes along"
    again = await database.unit(lambda connection: work.take(connection, old, "a", clock()))
    assert again is not None
    assert again.queued == ()


async def test_the_choice_of_the_group_that_was_there_stands(database: Database, clock: Clock) -> None:
    old, _ = await queue(database, clock, "một")
    await choose(database, old, ward="01864", subscribed=True, chosen_at=clock())
    supergroup = Citizen(database, clock, chat="-100200")
    new, _ = await supergroup.says("dừng thông báo")
    await choose(database, new, chosen_at=clock())
    await send(sender(database, FakeChannel(outcomes=[Moved("-100200")]), clock), database, old, clock)
    assert not (await supergroup.row())["subscribed"]


async def choose(database: Database, conversation_id: int, **values: Any) -> None:
    async with database.write() as connection:
        await connection.execute(conversation.update().where(conversation.c.id == conversation_id).values(**values))


async def test_a_broken_account_keeps_its_replies(database: Database, clock: Clock) -> None:
    conversation_id, _ = await queue(database, clock, "một")
    channel = FakeChannel(outcomes=[Misconfigured("401")])
    sends = sender(database, channel, clock)
    await send(sends, database, conversation_id, clock)
    assert (await states(database))[0] == ("queued", 0, "401")
    clock.pass_(minutes=2)
    await send(sends, database, conversation_id, clock)
    assert channel.sent == [("1001", "một")]


async def test_a_reply_that_was_on_its_way_when_the_process_died_is_sent_again(
    database: Database, clock: Clock
) -> None:
    conversation_id, _ = await queue(database, clock, "một")

    class Dies(FakeChannel):
        async def send(self, chat: str, reply: Any) -> Any:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await send(sender(database, Dies(), clock), database, conversation_id, clock)
    assert (await states(database))[0][0] == "queued"
    clock.pass_(seconds=16)
    channel = FakeChannel(outcomes=[Sent("9")])
    await send(sender(database, channel, clock), database, conversation_id, clock)
    assert [text for _, text in channel.sent] == ["một"]


@dataclass
class Counting(FakeChannel):
    """A channel whose replies take three messages each, in a chat that takes four at once and one each second."""

    def cost(self, chat: str, reply: Reply) -> int:
        return 3

    def pace(self, chat: str) -> tuple[str, Pace]:
        return chat, Pace(timedelta(seconds=1), burst=4)


async def test_a_reply_of_several_messages_counts_as_so_many(database: Database, clock: Clock) -> None:
    conversation_id, _ = await queue(database, clock, "một", "hai")
    channel = Counting()
    counted: list[int] = []

    class Limiter(RateLimiter):
        async def reply(self, channel: str, account: str, cost: int = 1) -> None:
            counted.append(cost)
            await super().reply(channel, account, cost)

    sends = Sender(database, channel.channels(), clock=clock, rng=random.Random(1), throttle=Limiter())
    await send(sends, database, conversation_id, clock)
    assert [text for _, text in channel.sent] == ["một"]
    clock.pass_(seconds=2)
    await send(sends, database, conversation_id, clock)
    assert [text for _, text in channel.sent] == ["một", "hai"]
    assert counted == [3, 3]


@dataclass
class Editing(FakeChannel):
    """A channel that can put a reply in the place of a message, or may not."""

    refuses: bool = False
    capabilities: Capabilities = field(default_factory=lambda: Capabilities(4096, buttons=True, edits=True))
    edited: list[tuple[str, str]] = field(default_factory=list)

    async def correct(self, chat: str, message: str, reply: Any) -> Outcome:
        self.edited.append((message, reply.text))
        return Rejected("too old") if self.refuses else Sent(message)


@pytest.mark.parametrize("refuses", [False, True])
async def test_a_step_of_a_form_takes_the_place_of_the_one_before_or_follows_it(
    database: Database, brain: Brain, clock: Clock, refuses: bool
) -> None:
    turns = Turns(database, brain.dialogue, brain.engine.understand, clock=clock, owner="a")
    citizen = Citizen(database, clock)
    await citizen.says("xin chào")
    await work_off(turns)
    pressed = Incoming(Address("telegram", "default", citizen.chat), "9", "button", "c:ok", clock(), ref="41")
    held = (await turns.accept(pressed)).conversation_id
    channel = Editing(refuses=refuses)
    async with database.write() as connection:
        await connection.execute(outbox.update().values(state="sent"))
    await work_off(turns)
    await send(sender(database, channel, clock), database, held, clock)
    assert [message for message, _ in channel.edited] == ["41"]
    assert len(channel.sent) == (1 if refuses else 0)
