"""The report of one announcement: funnel, reasons, communes and channels, what people did, and how earlier ones did.

Everything is a sum made by the database. A commune's small numbers of what people did are not shown to others (`LEAST`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Final

from sqlalchemy import case, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.announcements.attribution import REPLY, STOP
from bot.announcements.office import Office
from bot.announcements.people import SEE
from bot.announcements.reading import Progress, progress_of
from bot.announcements.states import RECEIVED, AnnouncementState, DeliveryState, Reason
from bot.announcements.tables import announcement, count, delivery
from bot.announcements.texts import grouped, say, state_in_words, told
from bot.announcements.workbook import Sheet, write_workbook
from content.places import unit_title

EARLIER: Final = 5
LEAST: Final = 5
"""Fewer people of one commune than this who did something are not told to another unit's officer."""
TELLING: Final = ("zalo-oa",)
"""Channels that tell what became of a message. A press on the others says no more than that it was pressed."""
_TOLD: Final = (DeliveryState.DELIVERED, DeliveryState.SEEN)
_KINDS: Final = ("pressed", "replied", "stopped")
_AGAIN: Final = f"{DeliveryState.SKIPPED}:{Reason.ELSEWHERE}"
# Not the negation of "skipped and elsewhere": most rows have no reason, and of those that would say neither yes nor no.
_COUNTS: Final = or_(
    delivery.c.state != DeliveryState.SKIPPED, delivery.c.reason.is_(None), delivery.c.reason != Reason.ELSEWHERE
)
_LEFT: Final = (*RECEIVED, DeliveryState.WAITING_FOR_VISIT, DeliveryState.UNCERTAIN, DeliveryState.FAILED)


@dataclass(frozen=True, slots=True)
class Row:
    """One commune or one channel. `used` None: too few to be told."""

    key: str
    recipients: int
    accepted: int
    not_sent: int
    used: int | None


@dataclass(frozen=True, slots=True)
class Earlier:
    """One announcement beside others: what it reached, and how often people used it (keys of `_KINDS`)."""

    progress: Progress
    uses: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Report:
    """One announcement's figures."""

    progress: Progress
    funnel: tuple[tuple[str, int | None], ...]
    """From the audience to who pressed something: keys of the catalogue. None: no channel of it tells (see `TELLING`)."""
    reasons: Mapping[str, int]
    by_unit: tuple[Row, ...]
    by_channel: tuple[Row, ...]
    used: Mapping[str, int]
    """What people did: reply, stop, read, join, ask, link-1, text-1 …"""
    earlier: tuple[Earlier, ...]
    linked: int = 0
    """Further conversations of people who got it in another one; they are not among the recipients."""

    @property
    def beside(self) -> tuple[Earlier, ...]:
        """Return it with the earlier ones, it first."""
        return (Earlier(self.progress, _uses(self.used)), *self.earlier)

    @property
    def share(self) -> float | None:
        """Accepted among the audience, 0 to 1."""
        return share_of(self.progress)

    def as_json(self) -> dict[str, Any]:
        """Return the figures for programs."""
        return {
            "id": self.progress.id,
            "state": self.progress.state.value,
            "funnel": dict(self.funnel),
            "reasons": dict(self.reasons),
            "by_unit": [_row(r) for r in self.by_unit],
            "by_channel": [_row(r) for r in self.by_channel],
            "used": dict(self.used),
            "linked": self.linked,
            "accepted_share": None if self.share is None else round(self.share, 4),
            "earlier": [
                {
                    "id": e.progress.id,
                    "recipients": people_of(e.progress),
                    "accepted_share": _rounded(share_of(e.progress)),
                    **e.uses,
                }
                for e in self.earlier
            ],
        }


class Reporting(Office):
    """Makes reports for officers."""

    async def report(self, login: str, announcement_id: int) -> Report:
        """Return the report of an announcement.

        Raises:
            Refused: there is none that this officer may see.
        """
        actor, row = await self.of(login, announcement_id, SEE)
        database = self.planner.database
        [progress] = await progress_of(database, announcement.c.id == announcement_id, 1)
        before = (
            (announcement.c.unit == row["unit"])
            & (announcement.c.id < announcement_id)
            & (announcement.c.kind == "plain")
            & announcement.c.state.in_((AnnouncementState.CLOSED, AnnouncementState.RECALLED))
        )
        earlier = await progress_of(database, before, EARLIER)
        async with database.read() as connection:
            by_ward = await _groups(connection, announcement_id, delivery.c.ward)
            by_channel = await _groups(connection, announcement_id, delivery.c.channel)
            used = await _used(connection, announcement_id, count.c.what)
            used_units = await _used(connection, announcement_id, count.c.unit)
            used_channels = await _used(connection, announcement_id, count.c.channel)
            telling = await _telling(connection, announcement_id)
            before_it = [Earlier(p, _uses(await _used(connection, p.id, count.c.what))) for p in earlier]
        slugs = {ward.code: ward.slug for ward in self.places.wards()}
        units = tuple(
            Row(
                slugs.get(key or "", ""), recipients, accepted, not_sent,
                _told(used_units.get(slugs.get(key or "", ""), 0), own=slugs.get(key or "") == actor.unit),
            )
            for key, recipients, accepted, not_sent in by_ward
        )  # fmt: skip
        channels = tuple(
            Row(key or "", recipients, accepted, not_sent, used_channels.pop(key or "", 0))
            for key, recipients, accepted, not_sent in by_channel
        )
        # Where it was not sent, or nobody knows where from: the rows sum to what people did.
        channels += tuple(Row(key, 0, 0, 0, number) for key, number in used_channels.items())
        reasons = {coded: n for coded, n in progress.counts.items() if ":" in coded and coded != _AGAIN}
        linked = progress.counts.get(_AGAIN, 0)
        return Report(progress, _funnel(progress, telling), reasons, units, channels, used, tuple(before_it), linked)

    def lines(self, report: Report) -> list[str]:
        """Return a report as lines for a terminal."""
        lines = [say("show_head", number=report.progress.id, state=told("announcement_states", report.progress.state))]
        lines += [f"  {told('funnel', key).ljust(44)}{_number(number):>10}" for key, number in report.funnel]
        if report.linked:
            lines.append(told("report", "linked", number=grouped(report.linked)))
        for title, entries in (
            ("reasons", [(state_in_words(coded), n) for coded, n in report.reasons.items()]),
            ("used", [(use_in_words(what), n) for what, n in report.used.items()]),
        ):
            if entries:
                lines.append(told("report", title))
                lines += [f"  {grouped(n):>8}  {words}" for words, n in entries]
        for title, rows, name in (
            ("by_channel", report.by_channel, self._channel),
            ("by_unit", report.by_unit, self._unit),
        ):
            lines.append(told("report", title))
            lines += [f"  {name(r.key).ljust(30)}{grouped(r.accepted):>8}/{grouped(r.recipients)}" for r in rows]
        if report.earlier:
            lines.append(told("report", "earlier"))
            for one in report.beside:
                words = [told("report", f"earlier_{kind}", number=grouped(one.uses[kind])) for kind in _KINDS]
                lines.append(f"  {one.progress.id:>6}  {_percent(share_of(one.progress)):>6}  {', '.join(words)}")
        return lines

    def write_xlsx(self, report: Report, target: Path | BytesIO) -> None:
        """Write a workbook, one sheet for each table; numbers are numbers, texts are never formulas.

        Raises:
            OSError: the file cannot be written.
        """
        funnel = [(told("funnel", key), _number(None) if n is None else n) for key, n in report.funnel]
        columns = ("recipients", "accepted", "not_sent", "uses")
        earlier = [
            (str(e.progress.id), people_of(e.progress), share_of(e.progress) or 0.0, *(e.uses[k] for k in _KINDS))
            for e in report.beside
        ]
        linked = (told("report", "column_linked"), report.linked)
        sheets = [
            Sheet("funnel", ("step", "number"), [*funnel, linked]),
            Sheet("reasons", ("reason", "number"), [(state_in_words(coded), n) for coded, n in report.reasons.items()]),
            Sheet("used", ("use", "number"), [(use_in_words(what), n) for what, n in report.used.items()]),
            Sheet("channels", ("channel", *columns), [(self._channel(r.key), *_cells(r)) for r in report.by_channel]),
            Sheet("units", ("unit", *columns), [(self._unit(r.key), *_cells(r)) for r in report.by_unit]),
            Sheet("earlier", ("number", "recipients", "share", *_KINDS), earlier),
        ]
        write_workbook(sheets, target)

    def _unit(self, slug: str) -> str:
        return unit_title(self.places, slug or None)

    @staticmethod
    def _channel(channel: str) -> str:
        try:
            return told("channels", channel)
        except KeyError:
            return channel


def share_of(progress: Progress) -> float | None:
    """Return what a channel accepted among an announcement's recipients."""
    accepted = sum(progress.counts.get(state, 0) for state in RECEIVED)
    people = people_of(progress)
    return accepted / people if people else None


def people_of(progress: Progress) -> int:
    """Return the recipients: of somebody on several channels, only where they are told."""
    return progress.audience - progress.counts.get(_AGAIN, 0)


def use_in_words(what: str) -> str:
    """Return what people did as an officer reads it: "link-2" is "bấm đường dẫn ở nút 2"."""
    kind, _, number = what.partition("-")
    return told("uses", kind, number=number) if number else told("uses", kind)


def _funnel(progress: Progress, telling: Mapping[str, int] | None) -> tuple[tuple[str, int | None], ...]:
    """Each step counts who got at least so far; what only some channels tell is counted on those alone.

    Args:
        telling: deliveries by state on the channels that tell; None: it was sent on none of them.
    """
    counts: dict[str, int] = {}
    for coded, number in progress.counts.items():
        state = coded.partition(":")[0]
        counts[state] = counts.get(state, 0) + number
    # What was too late never left.
    never = progress.counts.get(f"{DeliveryState.FAILED}:{Reason.EXPIRED}", 0)
    steps: list[tuple[str, int | None]] = [
        ("audience", people_of(progress)),
        ("left", sum(counts.get(state, 0) for state in _LEFT) - never),
    ]
    for i, state in enumerate(RECEIVED):
        known = telling if state in _TOLD else counts
        steps.append((state.value, None if known is None else sum(known.get(s, 0) for s in RECEIVED[i:])))
    return tuple(steps)


async def _telling(connection: AsyncConnection, announcement_id: int) -> dict[str, int] | None:
    """Return an announcement's deliveries by state on the channels that tell what became of them; None if there are none."""
    query = (
        select(delivery.c.state, func.count())
        .where(delivery.c.announcement_id == announcement_id, delivery.c.channel.in_(TELLING), _COUNTS)
        .group_by(delivery.c.state)
    )
    return {state: int(number) for state, number in (await connection.execute(query)).all()} or None


def _uses(used: Mapping[str, int]) -> dict[str, int]:
    """Sum what people did by kind: pressed (buttons and links), replied, stopped."""
    found = dict.fromkeys(_KINDS, 0)
    for what, number in used.items():
        found[{REPLY: "replied", STOP: "stopped"}.get(what, "pressed")] += number
    return found


async def _groups(
    connection: AsyncConnection, announcement_id: int, column: Any
) -> list[tuple[str | None, int, int, int]]:
    accepted = func.sum(case((delivery.c.state.in_(RECEIVED), 1), else_=0))
    not_sent = func.sum(case((delivery.c.state.in_((DeliveryState.FAILED, DeliveryState.SKIPPED)), 1), else_=0))
    query = (
        select(column, func.count().label("number"), accepted, not_sent)
        .where(delivery.c.announcement_id == announcement_id, _COUNTS)
        .group_by(column)
        .order_by(func.count().desc(), column)
    )
    rows = (await connection.execute(query)).all()
    return [(r[0], int(r[1]), int(r[2] or 0), int(r[3] or 0)) for r in rows]


async def _used(connection: AsyncConnection, announcement_id: int, column: Any) -> dict[str, int]:
    query = (
        select(column, func.sum(count.c.number))
        .where(count.c.announcement_id == announcement_id)
        .group_by(column)
        .order_by(column)
    )
    return {key: int(number) for key, number in (await connection.execute(query)).all()}


def _told(number: int, *, own: bool) -> int | None:
    return number if own or number == 0 or number >= LEAST else None


def _row(row: Row) -> dict[str, Any]:
    return {
        "key": row.key, "recipients": row.recipients, "accepted": row.accepted, "not_sent": row.not_sent, "used": row.used,
    }  # fmt: skip


def _cells(row: Row) -> tuple[int | None, ...]:
    return row.recipients, row.accepted, row.not_sent, row.used


def _number(number: int | None) -> str:
    return told("report", "not_told") if number is None else grouped(number)


def _rounded(share: float | None) -> float | None:
    return None if share is None else round(share, 4)


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f}%".replace(".", ",")
