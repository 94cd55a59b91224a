"""One person on several channels: a one-time code shown on one, typed on another, confirmed there. Pure.

The code itself, what it leads to and how often somebody guessed come in as `LinkFacts`; what is to be stored goes out as effects.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from bot.conversation.actions import COMMANDS, command
from bot.conversation.choices import fold
from bot.conversation.messages import catalogue, label, say
from bot.conversation.model import (
    AnswerStatus,
    Button,
    Effect,
    LinkCodeClaimed,
    LinkCodeShown,
    LinkDeclined,
    Linked,
    LinkFacts,
    LinkGuessFailed,
    Other,
    Pending,
    PreferredHere,
    Reply,
    Said,
    Session,
    Turn,
    Unlinked,
)

WardName = Callable[[str | None], str]
"""Returns a commune's name by its code; "" for none."""

TOPIC: Final = "du-lieu-cua-toi"
LETTERS: Final = "ABCDEGHKMNPRSTXY"
"""Letters of a code: none that looks like a digit or another letter in small print."""
DIGITS: Final = 6
_LETTER: Final = f"([{LETTERS.lower()}])"
_CODE: Final = re.compile(rf"(?:(?:ma|so|noi|lien ket|kenh|la) )*{_LETTER} ?{_LETTER} ?(\d{{3}}) ?(\d{{3}})")
_WRONG: Final = re.compile(r"noi(?: kenh)?(?: ma)? (?:[a-z]{1,3} ?)?\d[\d ]{2,9}[a-z]?")
"""A code with a letter or digit too few or too many: answered as a wrong one, since it is no question."""
_LINK: Final = frozenset(
    {"noi kenh", "noi kenh khac", "noi voi kenh khac", "lien ket kenh", "ket noi kenh", "lay ma noi kenh"}
)
_UNLINK: Final = frozenset(
    {"bo noi kenh", "huy noi kenh", "thoi noi kenh", "ngung noi kenh", "bo lien ket kenh", "go noi kenh"}
)
CONFIRM: Final = "l:yes"
_ACTIONS: Final = {"noi-kenh": "link", "bo-noi-kenh": "unlink"}
_PAYLOADS: Final = {f"a:{action}": kind for action, kind in _ACTIONS.items()} | {
    CONFIRM: "confirm",
    "l:no": "decline",
    "l:here": "here",
}


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants of the linking: link, unlink, code, confirm, decline or here; and the code they typed, as it was made."""

    kind: str
    code: str = ""


def wish(said: Said) -> Wish | None:
    """Return what a turn wants of the linking; None for nothing."""
    if said.payload:
        kind = _PAYLOADS.get(said.payload)
        return Wish(kind) if kind is not None and not said.opened else None
    if said.text.startswith("/"):
        kind = _ACTIONS.get(COMMANDS.get(command(said.text), ""))
        return Wish(kind) if kind is not None else None
    folded = fold(said.text)
    if folded in _LINK:
        return Wish("link")
    if folded in _UNLINK:
        return Wish("unlink")
    if match := _CODE.fullmatch(folded):
        return Wish("code", "".join(match.groups()).upper())
    return Wish("code") if _WRONG.fullmatch(folded) else None


def needs(said: Said, session: Session) -> Wish | None:
    """Return what has to be looked up before the turn: the wish, or a confirmation that the text may turn out to be."""
    found = wish(said)
    if found is None and session.pending is not None and any(o.payload == CONFIRM for o in session.pending.options):
        return Wish("confirm")
    return found


def answer(wanted: Wish, facts: LinkFacts | None, session: Session, ward_name: WardName) -> Turn:
    """Return the turn of a wish; without facts (in a terminal) there is nothing to link."""
    if facts is None:
        return _done(session, say("link_unavailable"), AnswerStatus.UNKNOWN)
    match wanted.kind:
        case "link":
            return _show_code(facts, session)
        case "code":
            return _ask(facts, session, wanted.code, ward_name)
        case "confirm":
            return _confirm(facts, session)
        case "decline":
            return _done(session, say("link_declined"), AnswerStatus.ACTION_DONE, (LinkDeclined(),))
        case "unlink":
            return _unlink(session)
    return _here(session)


def _show_code(facts: LinkFacts, session: Session) -> Turn:
    if facts.refused:
        return _done(session, say("link_too_many"), AnswerStatus.UNKNOWN)
    return _done(session, say("link_code", code=facts.code), AnswerStatus.ACTION_DONE, (LinkCodeShown(facts.code),))


def _ask(facts: LinkFacts, session: Session, code: str, ward_name: WardName) -> Turn:
    """Show what linking would do, and ask. The code is taken with this: nobody else can use it any more."""
    if facts.other is None:
        effects: tuple[Effect, ...] = (LinkGuessFailed(),) if facts.refused == "unknown" else ()
        return _done(session, say(f"link_{facts.refused or 'unknown'}"), AnswerStatus.UNKNOWN, effects)
    result = merged(session, facts.other)
    lines = [say("link_confirm", other=_name(facts.other))]
    if _differ(session, facts.other):
        where = _name(facts.other) if facts.other.newer else say("link_here")
        lines.append(say("link_newer", where=where))
    lines.append(
        say(
            "link_result",
            ward=ward_name(result.ward) or say("link_no_ward"),
            subscribed=say("link_subscribed" if result.subscribed else "link_not_subscribed"),
            consented=say("link_consented" if result.consented else "link_not_consented"),
        )
    )
    buttons = (Button(label("link_buttons", "yes"), CONFIRM), Button(label("link_buttons", "no"), "l:no"))
    return Turn(
        (Reply("\n".join(lines), buttons),),
        replace(session, pending=Pending("confirm", buttons)),
        AnswerStatus.CLARIFIED,
        TOPIC,
        effects=(LinkCodeClaimed(code),),
    )


def _confirm(facts: LinkFacts, session: Session) -> Turn:
    if facts.other is None:
        return _done(session, say("link_unknown"), AnswerStatus.UNKNOWN)
    return _done(
        merged(session, facts.other), say("linked", other=_name(facts.other)), AnswerStatus.ACTION_DONE, (Linked(),)
    )


def _unlink(session: Session) -> Turn:
    if not session.linked:
        return _done(session, say("unlink_nothing"), AnswerStatus.ACTION_DONE)
    return _done(
        replace(session, linked=False, preferred=False), say("unlinked"), AnswerStatus.ACTION_DONE, (Unlinked(),)
    )


def _here(session: Session) -> Turn:
    if not session.linked:
        return _done(session, say("unlink_nothing"), AnswerStatus.ACTION_DONE)
    return _done(replace(session, preferred=True), say("link_preferred"), AnswerStatus.ACTION_DONE, (PreferredHere(),))


def merged(mine: Session, other: Other) -> Session:
    """Return a session after linking. Commune and subscription belong together: the newer choice of the two counts.

    Consent is only ever given, so one given on either side counts.
    """
    consented = mine.consented or other.consented
    linked = replace(mine, consented=consented, linked=True, preferred=True)
    return replace(linked, ward=other.ward, subscribed=other.subscribed) if other.newer else linked


def _differ(mine: Session, other: Other) -> bool:
    return (mine.ward, mine.subscribed) != (other.ward, other.subscribed)


def _name(other: Other) -> str:
    names: dict[str, str] = catalogue()["channel_names"]
    return names.get(other.channel, names["other"])


def _done(session: Session, text: str, status: AnswerStatus, effects: tuple[Effect, ...] = ()) -> Turn:
    return Turn((Reply(text),), replace(session, pending=None), status, TOPIC, effects=effects)
