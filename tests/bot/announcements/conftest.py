"""A village to announce to: citizens of three communes, on two channels."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from bot.announcements.audience import of_unit
from bot.announcements.compose import Composer
from bot.announcements.content import Content, Shelf
from bot.announcements.control import Control
from bot.announcements.corrections import Corrections
from bot.announcements.delivering import Means, Run
from bot.announcements.desk import Desk
from bot.announcements.due import Due
from bot.announcements.lanes import Lane
from bot.announcements.planning import Planner, Wish
from bot.announcements.rates import RateLimiter
from bot.announcements.rows import DeliveryEnded
from bot.announcements.service import Announcements, Plan, Progress
from bot.announcements.states import AnnouncementState
from bot.announcements.store import Store
from bot.announcements.tables import delivery
from bot.announcements.viewing import Viewing
from bot.conversation.model import Attachment, Session
from bot.messages import Channel, Channels, ContactStopped, Outcome, Sent
from bot.storage.database import Database
from bot.storage.tables import conversation, outbox
from content.places import Places, load_places
from tests.bot.announcements.officers import Staff
from tests.builders import Clock, FakeChannel

TELEGRAM = Lane("telegram", "default")
WEB = Lane("web", "default")
TEXT = "Sáng thứ Bảy 28/11/2026, trạm y tế khám sức khoẻ cho người cao tuổi. Mời bà con đến từ 7 giờ 30."


class Bookshelf:
    """A library with one leaflet."""

    def find(self, name: str) -> Attachment | None:
        if name != "vneid":
            return None
        return Attachment("Tờ rơi VNeID", "/materials/vneid.pdf", "application/pdf")


@dataclass
class Revised(Bookshelf):
    """A library that can tell that its leaflet was written anew."""

    edition: str = "1"

    def stamp(self, name: str) -> str:
        return f"{name}-{self.edition}"


@dataclass
class Village:
    """Citizens and a clock that only moves when the delivering run sleeps: a night passes in no time."""

    database: Database
    places: Places
    clock: Clock
    ended: list[DeliveryEnded] = field(default_factory=list)
    lanes: tuple[Lane, ...] = (TELEGRAM, WEB)
    paying: tuple[Lane, ...] = ()
    shelf: Shelf = field(default_factory=Bookshelf)
    public_url: str = ""

    def __post_init__(self) -> None:
        self.staff = Staff(self.places)
        self.lan = self.staff.hire("nguyen-thi-lan")
        self.minh = self.staff.hire("tran-van-minh", "approver")
        self.binh = self.staff.hire("ha-van-binh", "admin", "thai-nguyen")

    @property
    def composer(self) -> Composer:
        return Composer(self.places, self.shelf, self.public_url)

    @property
    def planner(self) -> Planner:
        return Planner(
            self.database,
            self.places,
            clock=self.clock,
            accounts=self.lanes,
            composer=self.composer,
            topics=("tam-tru", "khai-sinh", "khai-thue-ho-kinh-doanh"),
            paying=self.paying,
        )

    @property
    def announcements(self) -> Announcements:
        return Announcements(
            self.database,
            self.places,
            clock=self.clock,
            accounts=self.lanes,
            record=self.record,
            planner=self.planner,
        )

    @property
    def desk(self) -> Desk:
        return Desk(self.announcements, self.staff)

    @property
    def due(self) -> Due:
        return Due(self.announcements, self.staff)

    @property
    def corrections(self) -> Corrections:
        return Corrections(self.announcements, self.staff)

    @property
    def control(self) -> Control:
        return Control(self.desk, self.due, self.corrections)

    @property
    def viewing(self) -> Viewing:
        return Viewing(self.desk)

    def wish(self, text: str = TEXT, unit: str = "phu-thong", **more: Any) -> Wish:
        content = Content(text, **{k: more.pop(k) for k in ("category", "buttons", "documents", "bodies") if k in more})
        return Wish(unit, content, more.pop("audience", of_unit(unit)), **more)

    async def approved(self, wish: Wish | None = None) -> int:
        """An announcement that Lan wrote and Minh approved."""
        number = await self.desk.draft(self.lan, wish or self.wish())
        await self.desk.submit(self.lan, number)
        await self.desk.approve(self.minh, number)
        return number

    async def state(self, number: int) -> AnnouncementState:
        return (await self.progress(number)).state

    async def notices(self, conversation_id: int) -> list[str]:
        """What the bot queued for a conversation."""
        async with self.database.read() as connection:
            query = select(outbox.c.reply).where(outbox.c.conversation_id == conversation_id).order_by(outbox.c.id)
            return [reply["text"] for reply in (await connection.execute(query)).scalars()]

    @property
    def store(self) -> Store:
        return Store(self.database, self.clock, record=self.record)

    async def record(self, _: Any, ended: Sequence[DeliveryEnded], /) -> None:
        self.ended.extend(ended)

    async def settle(
        self,
        ward: str,
        number: int,
        *,
        channel: str = "telegram",
        subscribed: bool = True,
        stopped: bool = False,
        first: int = 1,
    ) -> list[int]:
        """Let citizens of a commune (by slug) come to the bot; return their conversations."""
        code = self.places.by_slug(ward).code
        rows = [
            {
                "channel": channel,
                "account": "default",
                "chat": f"{ward}-{i}",
                "session": Session(greeted=True, ward=code, subscribed=subscribed).as_dict(),
                "ward": code,
                "subscribed": subscribed,
                "created_at": self.clock(),
                "last_seen_at": self.clock(),
                "stopped_at": self.clock() if stopped else None,
            }
            for i in range(first, first + number)
        ]
        async with self.database.write() as connection:
            made = await connection.execute(insert(conversation).returning(conversation.c.id), rows)
            return sorted(made.scalars())

    async def change(self, conversation_id: int, **values: Any) -> None:
        async with self.database.write() as connection:
            await connection.execute(update(conversation).where(conversation.c.id == conversation_id).values(**values))

    async def announce(self, unit: str = "phu-thong", text: str = TEXT, **options: Any) -> int:
        plan = await self.announcements.plan(unit, text, urgent_reason=options.pop("urgent_reason", None))
        return await self.announcements.start(plan, author="ban-van-hoa", **options)

    async def plan(self, unit: str = "phu-thong", text: str = TEXT, **options: Any) -> Plan:
        return await self.announcements.plan(unit, text, **options)

    def run(self, channel: Any, *, owner: str = "run-1", stop: asyncio.Event | None = None) -> Run:
        """A run on a channel's account, whose naps move the clock."""

        async def sleep(seconds: float) -> None:
            self.clock.pass_(seconds=seconds)
            await asyncio.sleep(0)

        limiter = RateLimiter(monotonic=lambda: self.clock().timestamp(), sleep=sleep)
        channels = Channels({(channel.name, channel.account): channel})
        means = Means(self.store, channels, limiter, self.clock, self.composer, rng=random.Random(1), sleep=sleep)
        return Run(means, Lane(channel.name, channel.account), owner, stop or asyncio.Event())

    async def progress(self, announcement_id: int) -> Progress:
        found = await self.announcements.progress(announcement_id)
        assert found is not None
        return found

    async def states(self, announcement_id: int) -> dict[int, tuple[str, str | None]]:
        query = select(delivery).where(delivery.c.announcement_id == announcement_id)
        async with self.database.read() as connection:
            rows = (await connection.execute(query)).mappings().all()
        return {r["conversation_id"]: (r["state"], r["reason"]) for r in rows}


@dataclass
class Doing(FakeChannel):
    """A channel on which something happens while a message is on its way."""

    on_send: Callable[[str], Awaitable[Outcome | None]] | None = None

    async def send(self, chat: str, reply: Any) -> Outcome:
        if self.on_send is not None and (outcome := await self.on_send(chat)) is not None:
            return outcome
        return await super().send(chat, reply)


@pytest.fixture
def village(database: Database) -> Village:
    return Village(database, load_places(), Clock())


__all__ = ["TELEGRAM", "TEXT", "WEB", "Channel", "ContactStopped", "Doing", "Sent", "Village"]
