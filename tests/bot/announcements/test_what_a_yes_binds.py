"""A yes holds for what stands behind the names in an announcement, too: saved audiences, and documents of the library."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.announcements.audience import Audience
from bot.announcements.beginning import take_in_joined
from bot.announcements.content import Refused, Stamped
from bot.announcements.states import AnnouncementState as State
from congdanso.deliveries import PackShelf
from content.packs import Packs, load
from tests.bot.announcements.conftest import Revised, Village
from tests.builders import Clock, FakeChannel

pytestmark = pytest.mark.anyio
WITHOUT_WEB = Audience(("phu-thong",), without_saved=("web",))


async def save(village: Village, **question: tuple[str, ...]) -> None:
    await village.desk.save_audience(village.lan, "phu-thong", "Web", Audience(("phu-thong",), **question))


async def test_a_saved_audience_that_is_changed_after_the_yes_asks_again(village: Village) -> None:
    await village.settle("phu-thong", 3)
    await village.settle("phu-thong", 2, channel="web")
    await save(village, channels=("web",))
    number = await village.approved(village.wish(audience=WITHOUT_WEB))
    await save(village, channels=("telegram",))
    assert await village.control.send(village.lan, number) == "changed"
    assert await village.state(number) is State.IN_REVIEW
    channel = FakeChannel(name="web")
    await village.run(channel).work()
    assert channel.sent == []
    await village.desk.approve(village.minh, number)
    assert await village.control.send(village.lan, number) is None
    assert (await village.progress(number)).audience == 2, "the second yes was to the changed one"


async def test_what_was_changed_between_the_look_and_the_yes_is_looked_at_again(village: Village) -> None:
    await village.settle("phu-thong", 3)
    await village.settle("phu-thong", 3, channel="web")
    await save(village, channels=("web",))
    number = await village.desk.draft(village.lan, village.wish(audience=WITHOUT_WEB))
    await village.desk.submit(village.lan, number)
    seen = (await village.desk.review(village.minh, number)).version
    await save(village, channels=("telegram",))
    with pytest.raises(Refused, match="đã thay đổi so với bản đã xem"):
        await village.desk.approve(village.minh, number, version=seen)
    again = (await village.desk.review(village.minh, number)).version
    assert again != seen
    await village.desk.approve(village.minh, number, version=again)


async def test_the_occurrences_of_a_repeated_one_stop_too(village: Village) -> None:
    await village.settle("phu-thong", 2)
    await save(village, channels=("web",))
    today = f"{village.clock():%Y-%m-%d}"
    wish = village.wish(
        audience=WITHOUT_WEB, repeat={"every": "day", "at": "9:00", "since": today, "until": "2026-12-20"}
    )
    number = await village.approved(wish)
    await village.control.schedule(village.lan, number)
    await save(village, channels=("telegram",))
    village.clock.now = (await village.viewing.show(village.lan, number)).send_at or village.clock.now
    assert await village.due.begin_due() == []
    assert await village.state(number) is State.IN_REVIEW


async def test_who_joins_is_asked_what_was_approved(village: Village) -> None:
    await village.settle("phu-thong", 2)
    await save(village, channels=("web",))
    number = await village.approved(village.wish(audience=WITHOUT_WEB, joins=True))
    assert await village.control.send(village.lan, number) is None
    await save(village, channels=("telegram",))
    village.clock.pass_(minutes=1)
    await village.settle("phu-thong", 1, channel="web")
    assert await take_in_joined(village.planner) == 0


async def test_a_document_that_was_written_anew_asks_again(village: Village) -> None:
    await village.settle("phu-thong", 2)
    shelf = Revised()
    village.shelf = shelf
    number = await village.approved(village.wish(documents=("vneid",)))
    await village.control.schedule(village.lan, number, village.clock() + timedelta(hours=1))
    shelf.edition = "2"
    village.clock.pass_(hours=1)
    assert await village.due.begin_due() == []
    assert (await village.viewing.show(village.lan, number)).problem == "changed"
    await village.desk.approve(village.minh, number)
    assert await village.control.send(village.lan, number) is None


def test_the_shelf_of_packs_can_tell_one_leaflet_from_the_next() -> None:
    packs = load()
    name, pack = next(iter(packs.items()))
    changed = pack.model_copy(update={"title": f"{pack.title} 2"})
    shelves = [PackShelf(p, Clock()) for p in (packs, packs, Packs({name: changed}))]
    assert all(isinstance(shelf, Stamped) for shelf in shelves)
    first, same, other = (shelf.stamp(name) for shelf in shelves)
    assert first == same != other
    assert shelves[0].stamp("khong-co") == ""
