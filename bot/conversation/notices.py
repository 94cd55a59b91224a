"""Announcements in the conversation: begin, end, choose kinds, and what the buttons under an announcement do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from bot.conversation import choices
from bot.conversation.categories import CATEGORIES
from bot.conversation.messages import label, say
from bot.conversation.model import (
    AnnouncementPressed,
    AnswerStatus,
    Button,
    CategoriesChosen,
    Effect,
    Pending,
    Reply,
    Session,
    Subscribed,
    Turn,
    Unsubscribed,
)

ON: Final = "nhan-thong-bao"
OFF: Final = "tat-thong-bao"
KIND: Final = "g"
"""Begins the payload of the kinds: `g:` lists them, `g:-<kind>` ends one, `g:+<kind>` begins it again."""
PRESS: Final = "b"
"""Begins the payload of an announcement's own buttons: `b:<code>:<what>[:<topic>]`."""
_ENDS: Final = ("dung", "tat", "ngung", "huy", "khong nhan", "tu choi", "bo")
_FILLERS: Final = ("tin", "thong bao", "loai", "nhan", "gui", "ve", "nua")


def began(session: Session, ward: str) -> Turn:
    """Return the turn after somebody said yes to their commune's announcements."""
    on = replace(session, subscribed=True)
    buttons = (Button(label("category_buttons", "choose"), f"{KIND}:"),)
    return _done(on, say("subscribed", ward=ward), ON, buttons, (Subscribed(),))


def ended(session: Session) -> Turn:
    """Return the turn after somebody said stop."""
    return _done(replace(session, subscribed=False), say("unsubscribed"), OFF, (), (Unsubscribed(),))


def left(topic: str | None, effects: Iterable[Effect]) -> bool:
    """Whether a turn ended announcements, all or a kind of them: written, as a command or pressed."""
    return topic == OFF and any(isinstance(effect, Unsubscribed | CategoriesChosen) for effect in effects)


def press(value: str, session: Session) -> Turn | None:
    """Return the turn of a pressed kind; None for one that does not exist."""
    sign, slug = value[:1], value[1:]
    if not value:
        return listing(session)
    if slug not in CATEGORIES or sign not in "+-":
        return None
    muted = set(session.muted) | {slug} if sign == "-" else set(session.muted) - {slug}
    return _chosen(replace(session, muted=tuple(c for c in CATEGORIES if c in muted)), slug, ended_=sign == "-")


def ended_kind(folded: str, session: Session) -> Turn | None:
    """Take a text such as "dừng tin tập huấn" as the end of one kind; None if it is none."""
    rest = next((folded.removeprefix(f"{word} ") for word in _ENDS if folded.startswith(f"{word} ")), None)
    while rest is not None and (word := next((w for w in _FILLERS if rest.startswith(f"{w} ")), None)):
        rest = rest.removeprefix(f"{word} ")
    slug = next((c for c in CATEGORIES if rest in (choices.fold(label("categories", c)), c.replace("-", " "))), None)
    return None if slug is None else press(f"-{slug}", session)


def listing(session: Session) -> Turn:
    """Return the kinds, each with the button that changes it."""
    buttons = tuple(
        Button(
            label("category_buttons", "off" if slug in session.muted else "on").format(name=label("categories", slug)),
            f"{KIND}:{'+' if slug in session.muted else '-'}{slug}",
        )
        for slug in CATEGORIES
    )
    lines = [say("categories_choose"), *(f"{i}. {b.label}" for i, b in enumerate(buttons, 1))]
    return Turn(
        (Reply("\n".join(lines), buttons),),
        replace(session, pending=Pending("steps", buttons)),
        AnswerStatus.ACTION_DONE,
        ON,
    )


def pressed(value: str, session: Session) -> tuple[Turn | None, str]:
    """Return the turn of an announcement's button, and the topic to answer where it asks for one ("" for none)."""
    code, _, rest = value.partition(":")
    what, _, topic = rest.partition(":")
    if what not in ("read", "join", "ask"):
        return None, ""
    turn = _done(session, say(f"announcement_{what}"), ON, (), (AnnouncementPressed(code, what),))
    return turn, topic if what == "ask" else ""


def wanted(session: Session) -> str:
    """Return in words what somebody gets: "có", "có, trừ: Tập huấn", "không"."""
    if not session.subscribed:
        return say("subscription_no")
    if not session.muted:
        return say("subscription_all")
    return say("subscription_but", kinds=", ".join(label("categories", c) for c in session.muted))


def _chosen(session: Session, slug: str, *, ended_: bool) -> Turn:
    name = label("categories", slug)
    text = say("category_ended" if ended_ else "category_began", name=name[:1].lower() + name[1:])
    back = Button(label("category_buttons", "back" if ended_ else "undo"), f"{KIND}:{'+' if ended_ else '-'}{slug}")
    stop = Button(label("category_buttons", "all"), f"a:{OFF}")
    return _done(session, text, OFF if ended_ else ON, (back, stop), (CategoriesChosen(session.muted),))


def _done(session: Session, text: str, topic: str, buttons: tuple[Button, ...], effects: tuple[Effect, ...]) -> Turn:
    pending = Pending("steps", buttons) if buttons else None
    return Turn(
        (Reply(text, buttons),),
        replace(session, pending=pending),
        AnswerStatus.ACTION_DONE,
        topic,
        effects=effects,
    )
