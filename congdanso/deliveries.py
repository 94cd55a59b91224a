"""Wires what announcements need: the same for the server, the worker and the `announce` command."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from analytics import events
from bot.announcements.chat import ChatDesk
from bot.announcements.compose import Composer
from bot.announcements.content import Shelf
from bot.announcements.control import Control
from bot.announcements.corrections import Corrections
from bot.announcements.delivering import Means
from bot.announcements.desk import Desk
from bot.announcements.due import Due
from bot.announcements.durable import Durable
from bot.announcements.lanes import Lane
from bot.announcements.planning import Planner
from bot.announcements.rates import RateLimiter
from bot.announcements.report import Reporting
from bot.announcements.rows import DeliveryEnded
from bot.announcements.service import Announcements
from bot.announcements.store import Store, replies_waiting
from bot.announcements.templates import template_in_words
from bot.announcements.unreached import Unreaching
from bot.announcements.viewing import Preview, Show, Viewing, in_words
from bot.clock import ZONE, Clock
from bot.conversation.model import Attachment, Button, Reply
from bot.messages import Channel, Channels, Corrects, Outcome, Rejected, Withdraws
from bot.questions.desk import QuestionEnded, Questions
from bot.storage.database import Database
from congdanso.builders import process_name
from congdanso.settings import Settings
from console.accounts import Accounts
from console.chats import Chats
from console.roster import Roster
from content.check import read_expected
from content.library import DATA
from content.packs import Packs
from content.places import Places


class DeliveryRecorder:
    """Ended deliveries into events: the citizen's commune if it is known, else the unit that announced."""

    def __init__(self, places: Places) -> None:
        self._slugs = {ward.code: ward.slug for ward in places.wards()}

    async def __call__(self, connection: AsyncConnection, ended: Sequence[DeliveryEnded], /) -> None:
        await events.record_many(
            connection,
            [
                events.DeliveryEnded(
                    at=e.at,
                    unit=self._slugs.get(e.ward or "", e.unit),
                    channel=e.channel,
                    announcement_id=e.announcement_id,
                    state=e.state,
                    reason=e.reason,
                    again=e.again,
                )
                for e in ended
            ],
        )


async def record_question(connection: AsyncConnection, ended: QuestionEnded, /) -> None:
    """Write down that a question ended."""
    told = events.QuestionEnded(ended.at, ended.unit, ended.channel, ended.what, ended.kind, ended.hours)
    await events.record_many(connection, [told])


class WithoutCourtesies:
    """A Telegram account as announcements use it: a typing sign would be a second request for each citizen."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self.name = channel.name
        self.account = channel.account
        self.capabilities = channel.capabilities

    async def send(self, chat: str, reply: Reply) -> Outcome:
        """Send without the typing sign."""
        return await self._channel.send(chat, reply, typing=False)  # type: ignore[call-arg]

    async def correct(self, chat: str, external_id: str, reply: Reply) -> Outcome:
        """Put other words in the place of a message."""
        if not isinstance(self._channel, Corrects):
            return Rejected("this channel cannot")
        return await self._channel.correct(chat, external_id, reply)

    async def withdraw(self, chat: str, external_ids: Sequence[str]) -> Outcome:
        """Take messages away."""
        if not isinstance(self._channel, Withdraws):
            return Rejected("this channel cannot")
        return await self._channel.withdraw(chat, external_ids)


class PackShelf:
    """The leaflets of the packs, by the pack's slug, as long as what they say is true."""

    def __init__(self, packs: Packs, clock: Clock) -> None:
        self._packs = packs
        self._clock = clock

    def find(self, name: str) -> Attachment | None:
        """Return a pack's leaflet."""
        pack = self._packs.get(name)
        today: date = self._clock().astimezone(ZONE).date()
        if pack is None or not pack.holds(today):
            return None
        return Attachment(pack.leaflet.title, f"/materials/{name}.pdf", "application/pdf")

    def stamp(self, name: str) -> str:
        """Return the hash of what a leaflet is drawn from; a file drawn twice differs by its date."""
        pack = self._packs.get(name)
        return "" if pack is None else hashlib.sha256(pack.model_dump_json().encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Deliveries:
    """The officer's side, the runner, and the limiter that replies share."""

    announcements: Announcements
    desk: Desk
    control: Control
    viewing: Viewing
    reporting: Reporting
    unreaching: Unreaching
    questions: Questions
    due: Due
    corrections: Corrections
    chats: Chats
    chat_desk: ChatDesk
    durable: Durable
    limiter: RateLimiter


LIMITS: Final = {"telegram": 4096, "zalo-oa": 2000, "zalo-bot": 2000, "web": 4000}
"""Characters of a message, by channel; written out, since a channel's code is loaded with its first account only."""


class PlainChannels(Channels):
    """The accounts of a process, as announcements use them."""

    def __init__(self, channels: Channels) -> None:
        super().__init__()
        self._channels = channels

    def get(self, channel: str, account: str) -> Channel | None:
        found = self._channels.get(channel, account)
        return WithoutCourtesies(found) if found is not None and found.name == "telegram" else found

    def present(self) -> list[tuple[str, str]]:
        return self._channels.present()


class Lanes(Collection[Lane]):
    """The lanes of the accounts that this process has now."""

    def __init__(self, channels: Channels) -> None:
        self._channels = channels

    def __iter__(self) -> Iterator[Lane]:
        return (Lane(*key) for key in self._channels.present())

    def __len__(self) -> int:
        return len(self._channels.present())

    def __contains__(self, lane: object) -> bool:
        return isinstance(lane, Lane) and (lane.channel, lane.account) in self._channels.present()


class PayingLanes(Lanes):
    """Those of them that may send what costs money."""

    def __iter__(self) -> Iterator[Lane]:
        return (lane for lane in super().__iter__() if lane in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __contains__(self, lane: object) -> bool:
        found = self._channels.get(lane.channel, lane.account) if isinstance(lane, Lane) else None
        return found is not None and found.capabilities.pays


def known_topics() -> frozenset[str]:
    """Return the topics that have an answer; read from their table, which is quicker than the library."""
    expected = read_expected(DATA / "topics.tsv")
    return frozenset(slug for slug, topic in expected.items() if topic.kind in ("service", "faq"))


def shows(public_url: str = "") -> dict[str, Show]:
    """Return the channels' own renderings, for previews. A channel's code is imported only when one is asked for."""

    def telegram(reply: Reply) -> Preview:
        from bot.channels.telegram import render

        rows = render.keyboard(reply.buttons)
        labels = tuple(in_words(Button(key["text"], url=key.get("url", ""))) for row in rows for key in row)
        # What stands out there is set off by Telegram; its mark-up is nothing to read.
        parts = tuple(render.plain(part) for part in render.texts(reply))
        return Preview("telegram", parts, labels, tuple(a.title for a in reply.attachments))

    def zalo_oa(reply: Reply) -> Preview:
        from bot.channels.zalo_oa import render

        parts = (*render.texts(reply), *(template_in_words(t) for t in reply.templates))
        return Preview("zalo-oa", parts, (), tuple(a.title for a in reply.attachments))

    def zalo_bot(reply: Reply) -> Preview:
        from bot.channels.zalo_bot import render

        leaving = render.requests(reply, public_url)
        parts = tuple(r.body["text"] for r in leaving if "text" in r.body)
        return Preview("zalo-bot", parts, (), tuple(r.body.get("caption", "") for r in leaving if "photo" in r.body))

    return {"telegram": telegram, "zalo-oa": zalo_oa, "zalo-bot": zalo_bot}


def wire(
    settings: Settings,
    database: Database,
    places: Places,
    channels: Channels,
    clock: Clock,
    *,
    accounts: Accounts,
    packs: Packs | None = None,
) -> Deliveries:
    """Build the deliveries of one process over its channel accounts."""
    record = DeliveryRecorder(places)
    limiter = RateLimiter(replies_waiting=partial(replies_waiting, database, clock))
    store = Store(database, clock, record=record)
    shelf: Shelf | None = None if packs is None else PackShelf(packs, clock)
    composer = Composer(places, shelf, settings.public_url)
    lanes = Lanes(channels)
    planner = Planner(
        database,
        places,
        clock=clock,
        accounts=lanes,
        composer=composer,
        topics=known_topics(),
        limits=LIMITS,
        paying=PayingLanes(channels),
    )
    announcements = Announcements(database, places, clock=clock, accounts=lanes, record=record, planner=planner)
    chats = Chats(database, accounts, clock)
    officers = Roster(accounts, chats, places)
    desk, due = Desk(announcements, officers), Due(announcements, officers)
    corrections = Corrections(announcements, officers)

    questions = Questions(database, places, officers, clock=clock, record=record_question)

    async def chores() -> None:
        await due.work()
        await corrections.correct()
        await questions.go_on()

    means = Means(store, PlainChannels(channels), limiter, clock, composer, rng=random.Random())
    durable = Durable(means, system_url=settings.system_url(), executor=process_name(), chores=chores)
    control, viewing = Control(desk, due, corrections), Viewing(desk, shows(settings.public_url))
    reporting = Reporting(announcements, officers)

    async def use_code(code: str, conversation_id: int) -> str | None:
        officer = await chats.use_code(code, conversation_id)
        return None if officer is None else officer.name

    chat_desk = ChatDesk(desk, control, viewing, use_code, chats.unlink)
    return Deliveries(
        announcements,
        desk,
        control,
        viewing,
        reporting,
        Unreaching(announcements, officers),
        questions,
        due,
        corrections,
        chats,
        chat_desk,
        durable,
        limiter,
    )
