"""Officers who write and approve from a conversation: text, audience, preview, submit; look, approve, return, send.

Their account is linked to the conversation by a one-time code. Every act goes through the same services as the command and the
API, with the same checks; here are only the words and the buttons. Nobody else is shown any of it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, Final

from bot.announcements.audience import Audience, groups, of_unit
from bot.announcements.content import Refused, plain_content
from bot.announcements.control import Control
from bot.announcements.desk import VERSION, Desk
from bot.announcements.lifecycle import NotAllowed
from bot.announcements.people import SEE, Actor
from bot.announcements.planning import Plan, Wish, wish_of
from bot.announcements.texts import say, told
from bot.announcements.viewing import Viewing
from bot.conversation import choices
from bot.conversation.model import AnswerStatus, Button, Pending, Reply, Said, Session, Turn
from content.places import unit_title, within

WRITE: Final = "/thongbao"
LINK: Final = "/lienket"
UNLINK: Final = "/botlienket"
STOP_WORDS: Final = frozenset(
    {"thoi", "huy", "bo", "dung", "dung lai", "thoi khong gui nua", "khong gui nua", "thoi khong gui"}
)
"""Folded. An officer who says so wants no more of it; such a text is no announcement."""
KIND: Final = "w"
AWAITS_TEXT: Final = "desk-text"
AWAITS_PLACE: Final = "desk-place"
AWAITS_REASON: Final = "desk-reason"
MOST_GROUPS: Final = 4

UseCode = Callable[[str, int], Awaitable[str | None]]
"""Links a conversation by a code; returns the officer's name."""
CutLoose = Callable[[int], Awaitable[bool]]


class ChatDesk:
    """A `bot.turns.Desk`. Who has no account, or no code, is answered as any citizen is."""

    def __init__(self, desk: Desk, control: Control, viewing: Viewing, use_code: UseCode, cut_loose: CutLoose) -> None:
        self._desk = desk
        self._control = control
        self._viewing = viewing
        self._use_code = use_code
        self._cut_loose = cut_loose

    def wants(self, said: Said, session: Session) -> bool:
        """Say whether a turn may be an officer's; it costs nothing to ask."""
        if said.personal:
            # A number was masked at the door. Who was asked for a text hears what to do; a citizen's answer would not say it.
            return session.pending is not None and session.pending.kind == AWAITS_TEXT
        if said.payload:
            return said.payload.startswith(f"{KIND}:")
        command = said.text.split(maxsplit=1)[0].split("@", maxsplit=1)[0].lower() if said.text.strip() else ""
        if command in (WRITE, LINK, UNLINK):
            return True
        waits = session.pending is not None and session.pending.kind.startswith("desk-")
        return waits and not command.startswith("/")

    async def turn(self, conversation_id: int, said: Said, session: Session) -> Turn | None:
        """Return an officer's turn; None if it is a citizen's after all."""
        words = said.text.split(maxsplit=1)
        command = words[0].split("@", maxsplit=1)[0].lower() if words else ""
        if command == LINK:
            return await self._link(conversation_id, words[1] if len(words) > 1 else "", session)
        actor = await self._desk.officers.of_conversation(conversation_id)
        if actor is None:
            # "/thongbao" alone is the citizen's word for subscribing; with a text behind it, an officer wants to write.
            if command == WRITE and len(words) > 1:
                return _said(session, told("chat", "link_first"))
            return _said(session, told("chat", "not_linked")) if command == UNLINK else None
        if said.personal:
            return _said(session, told("chat", "personal"), waits=session.pending)
        try:
            if command == UNLINK:
                await self._cut_loose(conversation_id)
                return _said(session, told("chat", "unlinked"))
            if command == WRITE:
                return self._ask_text(actor, session)
            if said.payload:
                return await self._pressed(actor, said.payload, session)
            return await self._wrote(actor, said.text.strip(), session)
        except Refused as error:
            return _said(session, "\n".join(error.problems))
        except NotAllowed as error:
            return _said(session, str(error))

    async def _link(self, conversation_id: int, code: str, session: Session) -> Turn:
        name = await self._use_code(code.strip(), conversation_id) if code.strip() else None
        if name is None:
            return _said(session, told("chat", "bad_code"))
        return _said(session, told("chat", "linked", name=name))

    # writing

    def _ask_text(self, actor: Actor, session: Session, number: int = 0) -> Turn:
        text = told("chat", "ask_text", unit=unit_title(self._desk.places, actor.unit))
        return _said(session, text, waits=Pending(AWAITS_TEXT, (Button("", f"{KIND}:edit:{number}"),)))

    async def _wrote(self, actor: Actor, text: str, session: Session) -> Turn | None:
        pending = session.pending
        if pending is None:
            return None
        if choices.fold(text) in STOP_WORDS:
            return _said(session, told("chat", "stopped"))
        number = int(pending.options[0].payload.split(":")[2])
        if pending.kind == AWAITS_REASON:
            heard = await self._desk.send_back(actor.login, number, text)
            return _said(session, told("chat", "returned", number=number, told=heard))
        if pending.kind == AWAITS_PLACE:
            return await self._take_place(actor, number, text, session)
        if number:
            wish = wish_of(await self._desk.row(number))
            await self._desk.revise(actor.login, number, replace(wish, content=replace(wish.content, text=text)))
        else:
            wish = Wish(actor.unit, plain_content(text), of_unit(actor.unit))
            number = await self._desk.draft(actor.login, wish)
        return self._ask_audience(actor, number, session)

    def _ask_audience(self, actor: Actor, number: int, session: Session) -> Turn:
        unit = unit_title(self._desk.places, actor.unit)
        buttons = [Button(told("chat", "everybody", unit=unit), f"{KIND}:all:{number}")]
        if len(within(self._desk.places, actor.unit)) > 1:
            buttons.append(Button(told("chat", "one_commune"), f"{KIND}:place:{number}"))
        buttons += [Button(g.title, f"{KIND}:group:{number}:{g.slug}") for g in list(groups().values())[:MOST_GROUPS]]
        buttons.append(Button(told("chat", "drop"), f"{KIND}:cancel:{number}"))
        return _said(session, told("chat", "ask_audience"), tuple(buttons))

    async def _take_place(self, actor: Actor, number: int, text: str, session: Session) -> Turn:
        match = self._desk.places.resolve(text)
        ward = next((w for w in self._desk.places.wards() if w.code == match.code), None)
        if ward is None or ward.slug not in within(self._desk.places, actor.unit):
            return _said(session, told("chat", "no_place"), waits=session.pending)
        return await self._for(actor, number, of_unit(ward.slug), session)

    async def _for(self, actor: Actor, number: int, audience: Audience, session: Session) -> Turn:
        wish = wish_of(await self._desk.row(number))
        await self._desk.revise(actor.login, number, replace(wish, audience=audience))
        reviewed = await self._desk.review(actor.login, number, SEE)
        buttons = (
            Button(told("chat", "submit"), f"{KIND}:submit:{number}"),
            Button(told("chat", "edit"), f"{KIND}:edit:{number}"),
            Button(told("chat", "drop"), f"{KIND}:cancel:{number}"),
        )
        lines = [
            told("chat", "preview", number=number),
            "",
            *self._viewing.example(reviewed.plan),
            "",
            *_forecast(reviewed.plan),
        ]
        return _said(session, "\n".join(lines), buttons)

    # buttons

    async def _pressed(self, actor: Actor, payload: str, session: Session) -> Turn:
        _, what, *rest = payload.split(":")
        number = int(rest[0]) if rest and rest[0].isdecimal() else 0
        value = rest[1] if len(rest) > 1 else ""
        acts: dict[str, Callable[[], Awaitable[Turn]]] = {
            "all": lambda: self._for(actor, number, of_unit(actor.unit), session),
            "group": lambda: self._for(actor, number, Audience((actor.unit,), groups=(value,)), session),
            "submit": lambda: self._submit(actor, number, session),
            "cancel": lambda: self._cancel(actor, number, session),
            "look": lambda: self._look(actor, number, session),
            "approve": lambda: self._approve(actor, number, value, session),
            "send": lambda: self._send(actor, number, session),
        }
        if what == "edit":
            return self._ask_text(actor, session, number)
        if what == "place":
            waits = Pending(AWAITS_PLACE, (Button("", f"{KIND}:place:{number}"),))
            return _said(session, told("chat", "ask_place"), waits=waits)
        if what == "return":
            waits = Pending(AWAITS_REASON, (Button("", f"{KIND}:return:{number}"),))
            return _said(session, told("chat", "ask_reason"), waits=waits)
        if what not in acts:
            return _said(session, told("chat", "old_button"))
        return await acts[what]()

    async def _submit(self, actor: Actor, number: int, session: Session) -> Turn:
        plan = await self._desk.submit(actor.login, number)
        return _said(session, told("chat", "submitted", number=number, told=plan.told))

    async def _cancel(self, actor: Actor, number: int, session: Session) -> Turn:
        await self._control.cancel(actor.login, number)
        return _said(session, told("chat", "dropped", number=number))

    async def _look(self, actor: Actor, number: int, session: Session) -> Turn:
        """Show what there is to approve; only from here can it be approved, and only this version."""
        reviewed = await self._desk.review(actor.login, number)
        buttons = (
            Button(told("chat", "approve_this"), f"{KIND}:approve:{number}:{reviewed.version[:VERSION]}"),
            Button(told("review_buttons", "return"), f"{KIND}:return:{number}"),
        )
        row = reviewed.row
        head = told(
            "chat", "look", number=number, author=row["author"], state=told("announcement_states", row["state"])
        )
        plan = reviewed.plan
        sheet = self._desk.sheet(plan.wish, plan.text, reviewed.seen)
        # With places to fill in, a citizen reads something else than stands there.
        arrives = [say("as_it_arrives"), *self._viewing.example(plan), ""] if "{" in plan.text else []
        return _said(session, "\n".join([head, "", *arrives, *sheet, *plan.problems, *plan.notes]), buttons)

    async def _approve(self, actor: Actor, number: int, version: str, session: Session) -> Turn:
        if len(version) < VERSION:
            return await self._look(actor, number, session)
        heard = await self._desk.approve(actor.login, number, version=version)
        return _said(session, told("chat", "approved", number=number, told=heard))

    async def _send(self, actor: Actor, number: int, session: Session) -> Turn:
        problem = await self._control.send(actor.login, number)
        if problem == "night":
            return _said(session, told("chat", "night"))
        if problem is not None:
            return _said(session, told("begin_problems", problem))
        return _said(session, told("chat", "sent", number=number))


def _forecast(plan: Plan) -> list[str]:
    return [plan.forecast.in_words(), *plan.forecast.reasons(), *plan.problems, *plan.notes]


def _said(session: Session, text: str, buttons: tuple[Button, ...] = (), waits: Any = None) -> Turn:
    pending = waits or (Pending("steps", buttons) if buttons else None)
    return Turn((Reply(text, buttons),), replace(session, pending=pending), AnswerStatus.ACTION_DONE)
