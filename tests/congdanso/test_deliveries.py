"""How the parts of announcements are put together: what an account may do is asked of the account that there is now."""

from __future__ import annotations

from bot.announcements.lanes import Lane
from bot.messages import Capabilities, Channels
from congdanso.deliveries import Lanes, PayingLanes
from tests.builders import FakeChannel


def test_an_account_pays_if_it_was_told_to() -> None:
    channels = Channels()
    lanes, paying = Lanes(channels), PayingLanes(channels)
    assert (len(lanes), len(paying)) == (0, 0)
    channels.put(FakeChannel(name="zalo-oa", account="free"))
    channels.put(FakeChannel(name="zalo-oa", account="paid", capabilities=Capabilities(2000, buttons=False, pays=True)))
    assert set(lanes) == {Lane("zalo-oa", "free"), Lane("zalo-oa", "paid")}
    assert (set(paying), len(paying)) == ({Lane("zalo-oa", "paid")}, 1)
    assert Lane("zalo-oa", "free") not in paying
    assert Lane("zalo-oa", "unknown") not in paying
