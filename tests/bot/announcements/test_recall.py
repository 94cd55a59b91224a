"""What went out wrong is taken back: nothing more leaves, what lies unread is taken away, what arrived is corrected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from bot.announcements.content import Refused
from bot.announcements.lifecycle import NotAllowed
from bot.announcements.states import AnnouncementState as State
from bot.messages import Outcome, Rejected, RetryAfter, Sent, Transient
from tests.bot.announcements.conftest import Doing, Village
from tests.builders import FakeChannel

pytestmark = pytest.mark.anyio


@dataclass
class Editing(Doing):
    """A channel that can put other words in the place of a message."""

    edits: list[tuple[str, str, str]] = field(default_factory=list)
    answers: list[Outcome] = field(default_factory=list)

    async def correct(self, chat: str, external_id: str, reply: Any) -> Outcome:
        if self.answers:
            return self.answers.pop(0)
        self.edits.append((chat, external_id, reply.text))
        return Sent(external_id)


async def sent_to(village: Village, number: int, channel: Any) -> Any:
    announced = await village.approved()
    await village.control.send(village.lan, announced)
    await village.run(channel).work()
    await village.store.close_finished()
    return announced


async def test_a_channel_that_can_edits_the_message_where_it_stands(village: Village) -> None:
    await village.settle("phu-thong", 3)
    channel = Editing()
    number = await sent_to(village, 3, channel)
    await village.control.recall(village.lan, number, "Ngày khám dời sang tuần sau")
    assert await village.state(number) is State.RECALLED
    [correction] = (await village.viewing.show(village.lan, number)).children
    await village.run(channel, owner="run-2").work()
    assert await village.store.close_finished() == [correction]
    assert [(chat, external) for chat, external, _ in channel.edits] == [
        ("phu-thong-1", "1"), ("phu-thong-2", "2"), ("phu-thong-3", "3"),
    ]  # fmt: skip
    assert "Ngày khám dời sang tuần sau" in channel.edits[0][2]
    assert "đã được thu hồi" in channel.edits[0][2]
    assert len(channel.sent) == 3, "no second message"


async def test_what_cannot_be_edited_is_corrected_by_a_message(village: Village) -> None:
    await village.settle("phu-thong", 2)
    channel = Editing()
    number = await sent_to(village, 2, channel)
    channel.answers = [Rejected("message to edit not found")]
    await village.control.recall(village.lan, number, "Nhầm ngày")
    await village.run(channel, owner="run-2").work()
    assert (len(channel.edits), len(channel.sent)) == (1, 3)


@dataclass
class Leaflets(Editing):
    """A channel whose messages bring a leaflet in a message of its own, and which can take it away."""

    withdrawn: list[tuple[str, list[str]]] = field(default_factory=list)
    refusals: list[Outcome] = field(default_factory=list)

    async def send(self, chat: str, reply: Any) -> Outcome:
        found = await super().send(chat, reply)
        return Sent(found.external_id, (f"{found.external_id}1",)) if isinstance(found, Sent) else found

    async def withdraw(self, chat: str, external_ids: Sequence[str]) -> Outcome:
        if self.refusals:
            return self.refusals.pop(0)
        self.withdrawn.append((chat, list(external_ids)))
        return Sent(external_ids[0])


async def test_the_leaflet_that_went_with_it_is_taken_away_too(village: Village) -> None:
    await village.settle("phu-thong", 2)
    channel = Leaflets(refusals=[RetryAfter(1)])
    number = await village.approved(village.wish(documents=("vneid",)))
    await village.control.send(village.lan, number)
    await village.run(channel).work()
    await village.store.close_finished()
    await village.control.recall(village.lan, number, "Nhầm ngày")
    await village.run(channel, owner="run-2").work()
    assert sorted(channel.withdrawn) == [("phu-thong-1", ["11"]), ("phu-thong-2", ["21"])]
    assert sorted((chat, external) for chat, external, _ in channel.edits) == [
        ("phu-thong-1", "1"),
        ("phu-thong-2", "2"),
    ]


async def test_a_leaflet_that_stands_is_said_to_hold_no_longer(village: Village) -> None:
    await village.settle("phu-thong", 1)
    channel = Leaflets(refusals=[Rejected("message can't be deleted")])
    for documents in (("vneid",), ()):
        number = await village.approved(village.wish(f"Mời {documents}.", documents=documents))
        await village.control.send(village.lan, number)
        await village.run(channel, owner=f"a{documents}").work()
        await village.store.close_finished()
        await village.control.recall(village.lan, number, "Nhầm ngày")
        await village.run(channel, owner=f"b{documents}").work()
    with_one, without = (text for _, _, text in channel.edits)
    assert "gửi kèm thông báo đó cũng không còn đúng" in with_one
    assert "gửi kèm" not in without


async def test_elsewhere_the_correction_comes_behind_it(village: Village) -> None:
    await village.settle("phu-thong", 2)
    channel = FakeChannel()
    number = await sent_to(village, 2, channel)
    await village.control.recall(village.lan, number, "Nhầm ngày")
    await village.run(channel, owner="run-2").work()
    assert len(channel.sent) == 4
    assert all("đã được thu hồi" in text for _, text in channel.sent[2:])


async def test_the_uncertain_are_told_and_who_never_got_it_is_not(village: Village) -> None:
    people = await village.settle("phu-thong", 3)
    channel = FakeChannel([Transient("lost", maybe_sent=True), Rejected("bad")])
    number = await sent_to(village, 3, channel)
    await village.control.recall(village.lan, number, "Nhầm ngày")
    [correction] = (await village.viewing.show(village.lan, number)).children
    states = await village.states(correction)
    assert set(states) == {people[0], people[2]}


async def test_in_the_middle_of_sending_the_rest_stays_and_what_is_on_its_way_is_corrected_too(
    village: Village,
) -> None:
    await village.settle("phu-thong", 60)
    number = await village.approved()
    await village.control.send(village.lan, number)

    async def recalls(chat: str) -> Outcome | None:
        if chat == "phu-thong-4":
            await village.control.recall(village.lan, number, "Nhầm ngày")
        return None

    channel = Doing(on_send=recalls)
    await village.run(channel).work()
    await village.store.sweep_cancelled()
    first = len(channel.sent)
    assert first < 30
    [correction] = await village.corrections.correct()
    counts = (await village.progress(number)).counts
    assert counts == {"accepted": first, "skipped:recalled": 60 - first}
    behind = FakeChannel()
    await village.run(behind, owner="run-2").work()
    assert {chat for chat, _ in behind.sent} == {chat for chat, _ in channel.sent}
    assert await village.store.close_finished() == [correction]
    assert await village.corrections.correct() == [], "once"


async def test_what_nobody_opened_yet_is_taken_away_from_the_page(village: Village) -> None:
    people = await village.settle("phu-thong", 3, channel="web")
    number = await sent_to(village, 3, FakeChannel(name="web"))
    from sqlalchemy import update

    from bot.storage.tables import outbox

    async with village.database.write() as connection:
        await connection.execute(
            update(outbox).where(outbox.c.conversation_id == people[0]).values(state="sent", sent_at=village.clock())
        )
    await village.control.recall(village.lan, number, "Nhầm ngày")
    await village.store.settle_visits()
    await village.run(FakeChannel(name="web"), owner="run-2").work()
    got = {person: len(await village.notices(person)) for person in people}
    assert (await village.states(number))[people[1]] == ("skipped", "recalled")
    assert got[people[1]] == 1, "only the row that was withdrawn"


async def test_who_stopped_meanwhile_hears_no_correction(village: Village) -> None:
    people = await village.settle("phu-thong", 2)
    channel = FakeChannel()
    number = await sent_to(village, 2, channel)
    await village.change(people[0], subscribed=False)
    await village.control.recall(village.lan, number, "Nhầm ngày")
    await village.run(channel, owner="run-2").work()
    assert len(channel.sent) == 3


async def test_a_recall_needs_a_reason_that_citizens_may_read_and_happens_once(village: Village) -> None:
    await village.settle("phu-thong", 1)
    draft = await village.desk.draft(village.lan, village.wish("Bản khác."))
    with pytest.raises(NotAllowed):
        await village.control.recall(village.lan, draft, "Nhầm ngày")
    await village.control.cancel(village.lan, draft)
    with pytest.raises(Refused, match="Chưa có tin nào được gửi"):
        await village.control.recall(village.lan, draft, "Nhầm ngày")
    number = await sent_to(village, 1, FakeChannel([RetryAfter(1)]))
    with pytest.raises(Refused, match="ghi lý do"):
        await village.control.recall(village.lan, number, "")
    with pytest.raises(Refused, match="số điện thoại"):
        await village.control.recall(village.lan, number, "Gọi 0912345678")
    await village.control.recall(village.lan, number, "Nhầm ngày")
    with pytest.raises(NotAllowed):
        await village.control.recall(village.lan, number, "Nhầm ngày")


async def test_a_correction_is_not_taken_back(village: Village) -> None:
    await village.settle("phu-thong", 2)
    channel = FakeChannel()
    number = await sent_to(village, 2, channel)
    await village.control.recall(village.lan, number, "Nhầm ngày")
    [correction] = (await village.viewing.show(village.lan, number)).children
    with pytest.raises(Refused, match="tin đính chính"):
        await village.control.recall(village.lan, correction, "Nhầm nữa")
    await village.run(channel, owner="run-2").work()
    assert len(channel.sent) == 4, "everybody still gets it"
