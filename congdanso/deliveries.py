"""Wires what announcements need: the same for the server, the worker and the `announce` command."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from sqlalchemy.ext.asyncio import AsyncConnection

from analytics import events
from bot.announcements.delivering import Means
from bot.announcements.durable import Durable
from bot.announcements.rates import RateLimiter
from bot.announcements.service import Announcements
from bot.announcements.store import DeliveryEnded, Lane, Store, replies_waiting
from bot.clock import Clock
from bot.conversation.model import Reply
from bot.messages import Channel, Channels, Outcome
from bot.storage.database import Database
from congdanso.builders import process_name
from congdanso.settings import Settings
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


@dataclass(frozen=True, slots=True)
class Deliveries:
    """The officer's side, the runner, and the limiter that replies share."""

    announcements: Announcements
    durable: Durable
    limiter: RateLimiter


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


def wire(settings: Settings, database: Database, places: Places, channels: Channels, clock: Clock) -> Deliveries:
    """Build the deliveries of one process over its channel accounts."""
    record = DeliveryRecorder(places)
    limiter = RateLimiter(replies_waiting=partial(replies_waiting, database, clock))
    store = Store(database, clock, record=record)
    means = Means(store, PlainChannels(channels), limiter, clock, rng=random.Random())
    durable = Durable(means, system_url=settings.system_url(), executor=process_name())
    announcements = Announcements(database, places, clock=clock, accounts=Lanes(channels), record=record)
    return Deliveries(announcements, durable, limiter)
