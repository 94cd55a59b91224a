"""What the subcommands of `announce` do: each one act of a named officer, told in lines or as one JSON object."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from bot.announcements.audience import audience_of, groups, of_unit
from bot.announcements.content import KINDS, Refused, content_of
from bot.announcements.desk import VERSION
from bot.announcements.planning import Wish
from bot.announcements.reading import Progress
from bot.announcements.schedules import moment_of, repeat_of
from bot.announcements.states import AnnouncementState
from bot.announcements.texts import grouped, say, state_in_words, told
from bot.announcements.viewing import Preview, Shown
from bot.clock import ZONE
from congdanso.announcing import Desk, Tell, show_plan, try_out, watch
from congdanso.app import utc_now
from congdanso.templates import named

Ask = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Written:
    """What an officer wrote on the command line."""

    unit: str
    text: str
    category: str | None = None
    urgent_reason: str | None = None
    audience: str | None = None
    """JSON; None: everybody of the unit."""
    buttons: Sequence[str] = ()
    """`read`, `join`, `ask:topic[:label]`, `link:label:address`."""
    documents: Sequence[str] = ()
    bodies: Mapping[str, str] = field(default_factory=dict)
    repeat: str | None = None
    """JSON, or `day@7:30`, `week:0,3@7:30`, `month:last@7:30`, each with `..2026-12-31`."""
    expires: str | None = None
    joins: bool = False
    templates: Sequence[str] = ()
    """`account` or `account=id`."""
    template_params: Sequence[str] = ()
    """`name=text`."""


async def wished(desk: Desk, written: Written) -> Wish:
    """Return what was written as a wish, with the templates of the accounts that were named.

    Raises:
        Refused: a part of it has no shape.
        BadSchedule: its repetition cannot be.
    """
    wish = wish_of(written)
    templates = await named(desk.database, written.templates, written.template_params)
    return replace(wish, content=replace(wish.content, templates=templates))


def wish_of(written: Written) -> Wish:
    """Return what was written as a wish.

    Raises:
        Refused: a part of it has no shape.
        BadSchedule: its repetition cannot be.
    """
    content = content_of(
        {
            "text": written.text,
            "category": written.category,
            "buttons": [_button(text) for text in written.buttons],
            "documents": list(written.documents),
            "bodies": dict(written.bodies),
        }
    )
    audience = of_unit(written.unit)
    if written.audience is not None:
        audience = audience_of({"units": [written.unit], **_object(written.audience)})
    urgent = written.urgent_reason is not None
    repeat = None
    if written.repeat is not None:
        today = utc_now().astimezone(ZONE).date()
        repeat = repeat_of(_repeat(written.repeat), today=today, urgent=urgent).as_json()
    expires = None if written.expires is None else moment_of(written.expires)
    return Wish(written.unit, content, audience, written.urgent_reason, repeat, written.joins, expires)


def _button(text: str) -> dict[str, str]:
    kind, _, rest = text.partition(":")
    if kind not in KINDS:
        raise Refused([told("content_problems", "button_kind", kind=kind[:20], known=", ".join(KINDS))])
    if kind == "link":
        name, _, address = rest.partition(":")
        if name.strip().lower() in ("", "http", "https"):
            raise Refused([told("content_problems", "link_form", address=rest.strip() or "https://…")])
        return {"kind": kind, "label": name, "target": address}
    topic, _, name = rest.partition(":")
    return {"kind": kind, "target": topic, "label": name}


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise Refused([say("not_json")])
    return found


def _repeat(text: str) -> dict[str, Any]:
    if text.lstrip().startswith("{"):
        return _object(text)
    rule, _, until = text.partition("..")
    what, _, at = rule.partition("@")
    every, _, days = what.partition(":")
    found: dict[str, Any] = {"every": every, "at": at}
    if until:
        found["until"] = until
    if every == "week":
        found["weekdays"] = [int(d) if d.isdecimal() else d for d in days.split(",")]
    if every == "month":
        found["day"] = 0 if days == "last" else int(days) if days.isdecimal() else days
    return found


async def draft(desk: Desk, login: str, written: Written, tell: Tell, *, key: str | None = None) -> int:
    """Keep a draft, and show it as it would arrive."""
    wish = await wished(desk, written)
    number = await desk.deliveries.desk.draft(login, wish, key=key)
    plan = await desk.deliveries.announcements.planner.plan(wish)
    show_plan(desk.deliveries.viewing, plan, tell)
    for problem in plan.problems:
        tell(say("note", note=problem))
    tell(say("drafted", number=number))
    return number


async def submit(desk: Desk, login: str, number: int, tell: Tell) -> None:
    """Ask for approval."""
    plan = await desk.deliveries.desk.submit(login, number)
    tell(say("submitted", number=number, forecast=plan.forecast.in_words(), told=plan.told))
    for reason in plan.forecast.reasons():
        tell(f"  {reason}")
    if plan.repeated is not None:
        tell(say("note", note=plan.repeated))


async def approve(
    desk: Desk, login: str, number: int, tell: Tell, *, version: str | None, note: str, ask: Ask | None = None
) -> None:
    """Say yes to a version that was seen.

    Args:
        version: the one that was seen; None: show it now, and ask.
        ask: asks the person at the terminal; None: there is nobody there, and they come back with the version.

    Raises:
        Refused: it is not that version any more, or nobody said that they have seen it.
    """
    if version is None:
        reviewed = await desk.deliveries.desk.review(login, number)
        for line in desk.deliveries.desk.sheet(reviewed.plan.wish, reviewed.plan.text, reviewed.seen):
            tell(line)
        for note_ in (*reviewed.plan.problems, *reviewed.plan.notes):
            tell(say("note", note=note_))
        shown = reviewed.version[:VERSION]
        tell(say("show_version", version=shown))
        if ask is None or not ask(say("approve_ask", version=shown)):
            raise Refused([say("approve_which", number=number, login=login, version=shown)])
        version = reviewed.version
    heard = await desk.deliveries.desk.approve(login, number, version=version, note=note)
    tell(say("approved", number=number, told=heard))


async def send_back(desk: Desk, login: str, number: int, reason: str, tell: Tell) -> None:
    """Return it to its author."""
    heard = await desk.deliveries.desk.send_back(login, number, reason)
    tell(say("returned", number=number, told=heard))


async def show(desk: Desk, login: str, number: int, tell: Tell) -> None:
    """Show one announcement: everything that a yes binds, what became of it, its history."""
    shown = await desk.deliveries.viewing.show(login, number)
    sheet = desk.deliveries.desk.sheet(shown.wish, shown.progress.text, shown.forecast)
    tell("\n".join(lines_of(shown, sheet)))


async def send(desk: Desk, login: str, number: int, tell: Tell, *, detach: bool) -> None:
    """Let it begin, and watch."""
    problem = await desk.deliveries.control.send(login, number)
    if problem == "night":
        tell(say("begins_in_the_morning"))
        return
    if problem is not None:
        raise Refused([told("begin_problems", problem)])
    tell(say("being_sent", number=number))
    await watch(desk.deliveries, number, tell, deliver=not detach)


async def article(desk: Desk, login: str, number: int, account: str, tell: Tell) -> None:
    """Broadcast it as an article to all who follow an Official Account.

    Raises:
        Refused: it may not be, or Zalo refuses.
    """
    from bot.announcements.articles import Articles
    from congdanso.press import press_of

    articles = Articles(desk.deliveries.desk, partial(press_of, desk.channels))
    tell((await articles.publish(login, number, account)).in_words())


async def recall(desk: Desk, login: str, number: int, reason: str, tell: Tell, *, detach: bool) -> None:
    """Take it back, and send the correction."""
    await desk.deliveries.control.recall(login, number, reason)
    tell(say("recalled", number=number))
    shown = await desk.deliveries.viewing.show(login, number)
    if shown.children:
        await watch(desk.deliveries, shown.children[0], tell, deliver=not detach)
    else:
        tell(say("left_to_server"))


async def test(desk: Desk, login: str, number: int, to: Sequence[str], tell: Tell) -> None:
    """Send a trial to oneself, or to named officers who linked a conversation.

    Raises:
        Refused: somebody has no linked conversation.
    """
    from bot.announcements.people import SEE

    reviewed = await desk.deliveries.desk.review(login, number, SEE)
    officers = desk.deliveries.desk.officers
    for name in to or (login,):
        conversation = await officers.conversation_of(name)
        if conversation is None:
            raise Refused([say("not_linked", login=name)])
        await try_out(desk, login, reviewed.plan, conversation, tell)


async def preview(desk: Desk, login: str, number: int, tell: Tell) -> None:
    """Show it as each channel shows it."""
    from bot.announcements.people import SEE

    reviewed = await desk.deliveries.desk.review(login, number, SEE)
    for shown in desk.deliveries.viewing.previews(reviewed.plan):
        for line in _preview(shown):
            tell(line)


def _preview(shown: Preview) -> list[str]:
    lines = [f"{told('channels', shown.channel)}:"]
    for part in shown.parts:
        lines += [f"  │ {line}" for line in part.splitlines()]
    lines += [f"  │ [{button}]" for button in shown.buttons]
    return lines + [f"  │ {document}" for document in shown.documents]


def lines_of(shown: Shown, sheet: Sequence[str]) -> list[str]:
    """Return one announcement as lines, around those that a yes binds."""
    p = shown.progress
    lines = [
        say("show_head", number=p.id, state=told("announcement_states", p.state)),
        *(f"  {line}" for line in sheet),
        say("show_author", author=p.author, approver=shown.approver or "–"),
        say("show_version", version=shown.version[:12]),
    ]
    if shown.send_at is not None:
        lines.append(say("show_send_at", when=f"{shown.send_at.astimezone(ZONE):%H:%M %d/%m/%Y}"))
    if shown.problem is not None:
        lines.append(say("note", note=told("begin_problems", shown.problem)))
    if p.audience:
        lines.append(say("result", state=told("announcement_states", p.state), number=p.audience))
        lines += [f"  {number:>6}  {state_in_words(coded)} ({coded})" for coded, number in p.counts.items()]
    lines += [article.in_words() for article in shown.articles]
    lines.append(say("show_history"))
    for step in shown.steps:
        when = f"{step.at.astimezone(ZONE):%H:%M %d/%m/%Y}"
        who = step.actor or say("by_time")
        note = f": {step.note}" if step.note else ""
        lines.append(f"  {when}  {who}  {told('actions', step.action)}{note}")
    return lines


async def listing(desk: Desk, login: str, states: Sequence[str]) -> list[Progress]:
    """Return the announcements that an officer may see, in some states (none: in all).

    Raises:
        Refused: there is no such state.
    """
    known = [state.value for state in AnnouncementState]
    if unknown := [state for state in states if state not in known]:
        raise Refused([say("no_state", state=state[:40], known=", ".join(known)) for state in unknown])
    return await desk.deliveries.viewing.listing(login, states=states)


def row_of(progress: Progress) -> str:
    """Return one announcement as a line of a list."""
    words = [line.strip() for line in progress.text.splitlines() if line.strip()]
    first = (words[1] if len(words) > 1 else "".join(words))[:60]
    state = told("announcement_states", progress.state)
    return f"{progress.id}\t{progress.unit}\t{state}\t{grouped(progress.audience)}\t{first}"


async def save_audience(desk: Desk, login: str, unit: str, title: str, query: str, tell: Tell) -> None:
    """Keep an audience's question under a name."""
    audience = audience_of({"units": [unit], **_object(query)})
    name = await desk.deliveries.desk.save_audience(login, unit, title, audience)
    tell(say("audience_saved", name=name))


async def remove_audience(desk: Desk, login: str, unit: str, name: str, tell: Tell) -> None:
    """Forget a saved audience."""
    await desk.deliveries.desk.remove_audience(login, unit, name)
    tell(say("audience_removed", name=name))


async def audiences(desk: Desk, login: str, unit: str, tell: Tell) -> None:
    """List the saved audiences of a unit, and the groups there are."""
    for name, title, query in await desk.deliveries.desk.saved_audiences(login, unit):
        tell(f"{name}\t{title}\t{json.dumps(query.as_json(), ensure_ascii=False)}")
    tell(say("audience_groups", groups=", ".join(f"{g.slug} ({g.title})" for g in groups().values())))
