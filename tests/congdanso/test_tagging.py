"""The commune that a citizen of an OA chooses becomes their tag at Zalo, beside the turn and at no cost to it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, insert

from bot.channels.zalo_oa import seeded, zalo_oa_channel
from bot.channels.zalo_oa.api import http_client
from bot.conversation.model import DataErased, Effect, Session, WardChosen
from bot.messages import Channels
from bot.storage.database import Database
from bot.storage.tables import conversation
from bot.turns import TurnTaken
from congdanso.tagging import Tagging
from content.places import load_places
from tests.bot.channels.zalo_oa.stores import MemorySecrets
from tests.builders import Clock
from tests.emulators.server import serve
from tests.emulators.zalo_oa import APP_ID, APP_SECRET, OA_SECRET, Fault, ZaloOaEmulator

pytestmark = pytest.mark.anyio
PLACES = load_places()
PHU_THONG = PLACES.by_slug("phu-thong").code
CAM_GIANG = PLACES.by_slug("cam-giang").code
TAG = "/v2.0/oa/tag/tagfollower"


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[ZaloOaEmulator, str]]:
    emulator = ZaloOaEmulator()
    with serve(emulator.app()) as url:
        yield emulator, url


async def test_the_tag_follows_the_choice_and_ends_with_the_data(
    database: Database, server: tuple[ZaloOaEmulator, str]
) -> None:
    zalo, url = server
    zalo.reset()
    clock, secrets = Clock(), MemorySecrets()
    zalo.now = clock()
    person = zalo.citizen("77", tags={"hội viên"})
    given = seeded({}, *zalo.pair())
    assert given is not None
    await secrets.write(given)
    told: list[TurnTaken] = []

    def record(_: Connection, turn: TurnTaken, /) -> None:
        told.append(turn)

    async with http_client() as http:
        channel = zalo_oa_channel(
            "default", app_id=APP_ID, oa_secret=OA_SECRET, app_secret=APP_SECRET, secrets=secrets, clock=clock,
            api_url=url, business_url=url, oauth_url=url, http=http,
        )  # fmt: skip
        tagging = Tagging(record, PLACES, Channels({("zalo-oa", "default"): channel}))
        ward: str | None = None

        async def turn(*effects: Effect, leaves: str | None) -> set[str]:
            """A turn whose record is written before the conversation's row, as `bot.turns` does."""
            nonlocal ward
            async with database.write() as connection:
                await connection.execute(conversation.update().values(ward=ward))
            taken = TurnTaken(
                clock(), "zalo-oa", leaves, number, "text", "action_done", None, None, None, effects, first=False
            )
            await database.unit(lambda connection: tagging(connection, taken))
            ward = leaves
            calls = len(zalo.calls)
            await tagging.work()
            return {c.path.rsplit("/", 1)[1] for c in zalo.calls[calls:]}

        async with database.write() as connection:
            made = await connection.execute(
                insert(conversation)
                .values(
                    channel="zalo-oa", account="default", chat="77", session=Session().as_dict(), subscribed=False,
                    created_at=clock(), last_seen_at=clock(),
                )
                .returning(conversation.c.id)
            )  # fmt: skip
            number = int(made.scalar_one())

        assert await turn(WardChosen(PHU_THONG), leaves=PHU_THONG) == {"tagfollower"}
        assert person.tags == {"hội viên", "xa-phuong:phu-thong"}
        assert await turn(leaves=PHU_THONG) == set(), "a turn that chooses nothing asks Zalo nothing"
        await turn(WardChosen(CAM_GIANG), leaves=CAM_GIANG)
        assert person.tags == {"hội viên", "xa-phuong:cam-giang"}
        await turn(DataErased(), leaves=None)
        assert person.tags == {"hội viên"}

        zalo.faults[TAG] = [Fault(status=502), Fault(status=502)]
        await turn(WardChosen(PHU_THONG), leaves=PHU_THONG)
        assert person.tags == {"hội viên"}, "Zalo was away, and nobody else notices"
        assert len(told) == 5, "each turn was written down"
