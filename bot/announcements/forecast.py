"""Whom an announcement would reach now, by channel and account, and whom not and why. Counted by the database."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, and_, case, func, literal, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.announcements.audience import Audience
from bot.announcements.lanes import Lane
from bot.announcements.rates import CAREFUL, Rate
from bot.announcements.respect import WINDOWS
from bot.announcements.selecting import asked_for, has_account, here, mutes, willing
from bot.announcements.templates import CHANNEL as TEMPLATES
from bot.announcements.templates import Template, cost_in_words
from bot.announcements.texts import grouped, told
from bot.storage.tables import conversation
from content.places import Places

GROWTH: Final = 0.25
"""An audience that grew by more than this share since it was approved …"""
GROWTH_LEAST: Final = 20
"""… and by more than so many people is another audience: somebody has to say yes again."""


SHRINKAGE: Final = 0.25
"""An audience that lost more than this share is another one, too: most often something is wrong with an account or a question."""


@dataclass(frozen=True, slots=True)
class Reach:
    """Citizens who would get it through one channel account, and how long that takes at the account's rate.

    Of `citizens`, `paid` would cost the agency money, and `outside` cannot be written to now (a messenger's window).
    """

    lane: Lane
    citizens: int
    takes: timedelta
    paid: int = 0
    outside: int = 0
    templated: int = 0
    """Who cannot be written to freely and gets a template instead; not among `outside`."""
    price: int | None = None
    """Of one template, in đồng."""
    pays: bool = False
    """The account sends what costs money. Otherwise who would have to be paid for is `outside`, or gets a template."""

    @property
    def cost(self) -> str:
        """What the templates cost at most, in words: who would have to be paid for anyway may get one too."""
        return cost_in_words(self.paid + self.templated, self.price)

    def as_json(self) -> dict[str, Any]:
        """Return the figures for storage."""
        found: dict[str, Any] = {"citizens": self.citizens, "paid": self.paid, "outside": self.outside}
        return found | ({"templated": self.templated, "price": self.price} if self.templated else {})


@dataclass(frozen=True, slots=True)
class Forecast:
    """What would become of it now. `unreachable` is by reason (keys of the catalogue)."""

    reach: tuple[Reach, ...] = ()
    unreachable: Mapping[str, int] = field(default_factory=dict)

    @property
    def audience(self) -> int:
        """Citizens whom it is for and who want it; of some, a channel may refuse it at that moment."""
        return sum(r.citizens for r in self.reach)

    def as_json(self) -> dict[str, Any]:
        """Return the figures for storage and for the approval's hash."""
        return {
            "audience": self.audience,
            "lanes": {str(r.lane): r.as_json() for r in self.reach},
            "unreachable": dict(sorted(self.unreachable.items())),
        }

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> Forecast:
        """Return what was stored; how long it takes is not."""
        reach = (
            Reach(
                Lane(*name.split(":", 1)), int(lane["citizens"]), timedelta(), int(lane.get("paid", 0)),
                int(lane.get("outside", 0)), int(lane.get("templated", 0)), lane.get("price"),
            )
            for name, lane in (stored.get("lanes") or {}).items()
        )  # fmt: skip
        return cls(tuple(reach), dict(stored.get("unreachable") or {}))

    def in_words(self) -> str:
        """Return the forecast as an officer reads it: "Telegram: 1.204 gửi ngay; Zalo OA: 310 trong cửa sổ 48 giờ, …"."""
        return "; ".join(_words(r) for r in self.reach) if self.reach else told("forecast", "nobody")

    def reasons(self) -> list[str]:
        """Return who is not reached and why, a sentence for each reason."""
        return [
            told("forecast", "not_reached", number=grouped(number), reason=told("unreachable", reason))
            for reason, number in self.unreachable.items()
        ]


def other_than(approved: Mapping[str, Any], now: Forecast) -> str | None:
    """Say how the forecast has become another one since it was approved; None: it is the same, near enough.

    Returns:
        A key of the catalogue: "grew", "lane" (nobody would get it any more on a channel account), "shrank".
    """
    before = int(approved.get("audience", 0))
    if now.audience - before > max(GROWTH_LEAST, math.ceil(before * GROWTH)):
        return "grew"
    lanes = {str(reach.lane) for reach in now.reach}
    if any(name not in lanes for name in approved.get("lanes") or {}):
        return "lane"
    return "shrank" if before - now.audience > before * SHRINKAGE else None


async def forecast(
    connection: AsyncConnection,
    audience: Audience,
    category: str,
    *,
    places: Places,
    accounts: Collection[Lane],
    rates: Mapping[str, Rate],
    now: datetime,
    saved: Mapping[str, Audience] | None = None,
    templates: Sequence[Template] = (),
    paying: Collection[Lane] = (),
) -> Forecast:
    """Count.

    Args:
        paying: the accounts that may send what costs money; the others end where the free hours do.
    """
    by_account = {Lane(TEMPLATES, t.account): t for t in templates}
    postgres = connection.dialect.name == "postgresql"
    asked = asked_for(audience, places=places, now=now, postgres=postgres, saved=saved)
    wanted = and_(asked, willing(category))
    free, paid = _window(now)
    query = (
        select(
            conversation.c.channel,
            conversation.c.account,
            func.count().label("citizens"),
            func.sum(case((free, 0), (paid, 1), else_=0)).label("paid"),
            func.sum(case((free, 0), (paid, 0), else_=1)).label("outside"),
        )
        .where(wanted, has_account(accounts))
        .group_by(conversation.c.channel, conversation.c.account)
        .order_by(conversation.c.channel, conversation.c.account)
    )
    reach = tuple(_reach(r, by_account, rates, paying) for r in (await connection.execute(query)).all())
    conditions = left_out(
        audience,
        category,
        asked=asked,
        places=places,
        accounts=accounts,
        now=now,
        templates=templates,
        paying=paying,
    )
    del conditions["outside_window"]  # counted above, by account
    unreachable = {}
    for reason, condition in conditions.items():
        if number := await connection.scalar(select(func.count()).select_from(conversation).where(condition)):
            unreachable[reason] = int(number)
    linked = select(func.count(conversation.c.person) - func.count(conversation.c.person.distinct()))
    if twice := await connection.scalar(linked.where(wanted, has_account(accounts))):
        unreachable["elsewhere"] = int(twice)
    if outside := sum(r.outside for r in reach):
        unreachable["outside_window"] = outside
    return Forecast(reach, unreachable)


def left_out(
    audience: Audience,
    category: str,
    *,
    asked: ColumnElement[bool],
    places: Places,
    accounts: Collection[Lane],
    now: datetime,
    templates: Sequence[Template] = (),
    paying: Collection[Lane] = (),
) -> dict[str, ColumnElement[bool]]:
    """Return whom it does not reach, as one condition for each reason; no two hold for one conversation.

    Args:
        asked: whom the audience asks for (`selecting.asked_for`).
    """
    stopped, subscribed = conversation.c.stopped_at.is_not(None), conversation.c.subscribed
    wanted, here_now = and_(asked, willing(category)), has_account(accounts)
    free, paid = _window(now)
    templated = has_account([Lane(TEMPLATES, t.account) for t in templates])
    pays = has_account(paying)
    conditions: dict[str, ColumnElement[bool]] = {
        "stopped": and_(asked, stopped),
        "not_subscribed": and_(asked, ~stopped, ~subscribed),
        "muted": and_(asked, ~stopped, subscribed, mutes(category)),
        "no_account": and_(wanted, ~here_now),
        "outside_window": and_(wanted, here_now, ~templated, or_(and_(pays, ~paid), and_(~pays, ~free))),
    }
    if audience.asks_interest or audience.took:
        # Whoever did not agree is not among those asked for: it is not known what they asked.
        conditions["no_consent"] = and_(
            here(audience.wards(places)), willing(category), conversation.c.consented_at.is_(None)
        )
    return conditions


def _window(now: datetime) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """Return the conditions for who can be written to freely, and for who can for money or freely."""
    free: list[tuple[ColumnElement[bool], ColumnElement[bool]]] = []
    paid: list[tuple[ColumnElement[bool], ColumnElement[bool]]] = []
    for channel, window in WINDOWS.items():
        of_channel = conversation.c.channel == channel
        free.append((of_channel, conversation.c.last_seen_at >= now - window.free))
        paid.append((of_channel, conversation.c.last_seen_at >= now - window.paid))
    return case(*free, else_=literal(True)), case(*paid, else_=literal(True))


def _reach(
    row: Row[Any], templates: Mapping[Lane, Template], rates: Mapping[str, Rate], paying: Collection[Lane]
) -> Reach:
    lane = Lane(row.channel, row.account)
    pays = lane in paying
    paid, outside = (row.paid, row.outside) if pays else (0, row.paid + row.outside)
    if (template := templates.get(lane)) is not None:
        takes = _takes(rates, row.channel, row.citizens)
        return Reach(lane, row.citizens, takes, paid, 0, outside, template.price, pays)
    return Reach(lane, row.citizens, _takes(rates, row.channel, row.citizens - outside), paid, outside, pays=pays)


def _takes(rates: Mapping[str, Rate], channel: str, citizens: int) -> timedelta:
    rate = rates.get(channel, CAREFUL)
    if channel == "web" or rate.per_second is None:
        return timedelta()
    return timedelta(seconds=math.ceil(citizens / (rate.per_second - rate.reserve)))


def _words(reach: Reach) -> str:
    name = told("channels", reach.lane.channel) if reach.lane.account == "default" else (
        f"{told('channels', reach.lane.channel)} ({reach.lane.account})"
    )  # fmt: skip
    if reach.lane.channel in WINDOWS:
        free = reach.citizens - reach.paid - reach.outside - reach.templated
        parts = [told("forecast", "in_window", number=grouped(free))]
        if reach.paid:
            parts.append(told("forecast", "paid", number=grouped(reach.paid)))
        if reach.outside:
            key = "outside" if reach.pays else "outside_free"
            parts.append(told("forecast", key, number=grouped(reach.outside)))
        if reach.templated:
            key = "template" if reach.pays else "template_free"
            parts.append(told("forecast", key, number=grouped(reach.templated), cost=reach.cost))
        return f"{name}: {', '.join(parts)}"
    key = "when_opened" if reach.lane.channel == "web" else "at_once"
    return f"{name}: {told('forecast', key, number=grouped(reach.citizens))}"
