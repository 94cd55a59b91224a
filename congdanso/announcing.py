"""The `announce` command: look, try, send, and watch until each recipient has a result."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from bot.announcements.service import Plan, Progress, Refused, in_words
from bot.announcements.states import AnnouncementState
from bot.announcements.texts import say, state_in_words, told
from bot.announcements.viewing import Viewing
from bot.channels.web.channel import Bells, WebChannel
from bot.clock import ZONE
from bot.messages import Channels, LeftForPickup, Sent
from bot.storage.database import Database
from congdanso.app import utc_now
from congdanso.builders import switchboard
from congdanso.deliveries import Deliveries, wire
from congdanso.materials import Leaflets
from congdanso.settings import Settings
from console.accounts import Accounts
from console.permissions import ANNOUNCE, Officer, may
from content import packs as outreach
from content.places import Places, load_places, unit_title
from migrations.upgrade import upgrade

LOOK: float = 0.5
"""Seconds between two looks at the progress."""

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Order:
    """What was asked on the command line."""

    unit: str
    text: str
    urgent_reason: str | None = None
    officer: str | None = None
    trial: int | None = None
    dry_run: bool = False
    key: str | None = None
    again: bool = False
    detach: bool = False


@dataclass(frozen=True, slots=True)
class Desk:
    """What a command of an officer works with."""

    deliveries: Deliveries
    accounts: Accounts
    channels: Channels
    places: Places
    database: Database


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Desk]:
    """Open the installation's database and channel accounts for one command."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    places = load_places(settings.province)
    async with AsyncExitStack() as stack:
        database = Database(settings.url())
        stack.push_async_callback(database.close)
        await upgrade(database)
        packs = outreach.load()
        read = Leaflets(packs, f"Tỉnh {places.title}", settings.public_url).read
        web = WebChannel(Bells())
        channels = Channels({(web.name, web.account): web})
        board = switchboard(settings, database, places, channels, utc_now, read_file=read)
        await stack.enter_async_context(board.loaded())
        accounts = Accounts(database, places, utc_now, key=settings.key())
        deliveries = wire(settings, database, places, channels, utc_now, accounts=accounts, packs=packs)
        yield Desk(deliveries, accounts, channels, places, database)


async def announce(settings: Settings, order: Order, tell: Tell) -> None:
    """Carry an order out; what there is to say goes to `tell`, line by line.

    Raises:
        Refused: it may not be sent like this, or not by this officer.
    """
    async with opened(settings) as desk:
        plan = await desk.deliveries.announcements.plan(order.unit, order.text, urgent_reason=order.urgent_reason)
        show_plan(desk.deliveries.viewing, plan, tell)
        if order.dry_run:
            if plan.problems:
                raise Refused(plan.problems)
            tell(say("dry_run"))
            return
        officer = await _officer(desk.accounts, desk.places, order)
        if order.trial is not None:
            await try_out(desk, officer.login, plan, order.trial, tell)
            return
        started = await desk.deliveries.control.announce(officer.login, plan, key=order.key, again=order.again)
        if not started.sent:
            tell(say("waits_for_second", number=started.id, told=started.told))
            return
        tell(say("written_down", number=started.id))
        await watch(desk.deliveries, started.id, tell, deliver=not order.detach)


async def _officer(accounts: Accounts, places: Places, order: Order) -> Officer:
    """Return who acts: the one named, or the only one who may.

    Raises:
        Refused: nobody of that name, or nobody (or no single one) who may announce there.
    """
    if order.officer is not None:
        officer = await accounts.by_login(order.officer)
        if officer is None:
            raise Refused([say("no_officer", login=order.officer)])
        if not may(officer, ANNOUNCE, order.unit, places):
            where = unit_title(places, order.unit)
            raise Refused([say("not_allowed", name=officer.name, login=officer.login, unit=where)])
        return officer
    able = [o for o in await accounts.list() if may(o, ANNOUNCE, order.unit, places)]
    if len(able) != 1:
        where = unit_title(places, order.unit)
        raise Refused([say("several_officers" if able else "no_officers", unit=where, slug=order.unit)])
    return able[0]


def show_plan(viewing: Viewing, plan: Plan, tell: Tell) -> None:
    """Tell what would arrive, whom it reaches, whom not and why, and what is good to know."""
    if lines := viewing.example(plan):
        tell(say("as_it_arrives"))
        tell("\n".join(f"  │ {line}" for line in lines))
    if plan.counted:
        tell(say("audience", unit=plan.whom, number=plan.audience))
    for reach in plan.reach:
        span = say("reach_takes", span=in_words(reach.takes)) if reach.takes else ""
        tell(f"  {told('channels', reach.lane.channel)}: {reach.citizens}{span}")
    for reason, number in plan.unreachable.items():
        tell(say("not_reached", number=number, reason=told("unreachable", reason)))
    for note in plan.notes:
        tell(say("note", note=note))
    if plan.repeated is not None:
        tell(say("note", note=plan.repeated))


async def try_out(desk: Desk, login: str, plan: Plan, conversation: int, tell: Tell) -> None:
    """Send a plan's message to one officer's conversation, marked as a trial.

    Raises:
        Refused: it may not be sent, or not there.
    """
    outcome = await desk.deliveries.desk.trial(login, plan, conversation, desk.channels)
    if not isinstance(outcome, Sent | LeftForPickup):
        raise Refused([say("trial_failed", outcome=type(outcome).__name__)])
    tell(say("trial_sent", number=conversation))


async def watch(deliveries: Deliveries, announcement_id: int, tell: Tell, *, deliver: bool) -> None:
    """Deliver in this process too, if asked, until the announcement is over; a server may help or take over."""
    progress = await _progress(deliveries, announcement_id)
    if progress.state is AnnouncementState.WAITING or not deliver:
        tell(say("left_to_server"))
        return
    interrupted = asyncio.Event()
    loop = asyncio.get_running_loop()
    signals = (signal.SIGINT, signal.SIGTERM)
    for received in signals:
        loop.add_signal_handler(received, interrupted.set)
    try:
        async with deliveries.durable.running():
            shown = ""
            while not progress.finished and not interrupted.is_set():
                if (line := _line(progress)) != shown:
                    tell(line)
                    shown = line
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LOOK):
                        await interrupted.wait()
                progress = await _progress(deliveries, announcement_id)
                if progress.state is AnnouncementState.WAITING:
                    break
                if (held := await deliveries.announcements.held_by_limit(announcement_id)) is not None:
                    when = f"{held.until.astimezone(ZONE):%H:%M %d/%m/%Y}"
                    tell(say("held_by_limit", number=held.recipients, when=when))
                    break
    finally:
        for received in signals:
            loop.remove_signal_handler(received)
    progress = await _progress(deliveries, announcement_id)
    if not progress.finished:
        tell(say("left_to_server"))
    tell(say("result", state=told("announcement_states", progress.state), number=progress.audience))
    for coded, number in progress.counts.items():
        tell(f"  {number:>6}  {state_in_words(coded)} ({coded})")


async def _progress(deliveries: Deliveries, announcement_id: int) -> Progress:
    progress = await deliveries.announcements.progress(announcement_id)
    assert progress is not None, "announcements are not deleted"
    return progress


def _line(progress: Progress) -> str:
    left = sum(n for coded, n in progress.counts.items() if coded in ("queued", "sending"))
    return say("progress", done=progress.audience - left, number=progress.audience)
