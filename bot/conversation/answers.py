"""From what the library knows to a bubble: the answer first, a few lines that matter, the source, the next steps."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Final, cast
from urllib.parse import quote

from bot.conversation.choices import fold
from bot.conversation.messages import catalogue, label, say
from bot.conversation.model import Button, Reply, SourceLine
from content.library import Known, KnownFact, Library
from content.model import Aspect, Topic

BUBBLE: Final = 600
"""Characters in a bubble unless the citizen asks for all (VOICE: short enough for a phone)."""
LINES: Final = 5
_NEXT: Final[tuple[Aspect, ...]] = (
    "giay-to",
    "cach-lam",
    "le-phi",
    "thoi-gian",
    "noi-nop",
    "doi-tuong",
    "bieu-mau",
    "ket-qua",
)
_NUMBERED: Final = frozenset({"cach-lam"})


def answer(library: Library, slug: str, aspects: Sequence[str], today: date, *, everything: bool = False) -> Reply:
    """Compose the answer for a topic.

    Args:
        aspects: what was asked, the most important first; empty means the overview.
        everything: all lines ("Xem đủ") instead of the first few.
    """
    topic = library[slug]
    asked = cast("list[Aspect]", [a for a in aspects if a in topic.aspects] or ["tong-quan"])
    parts = [
        _part(topic, aspect, library.known(slug, aspect, today), everything, BUBBLE // len(asked)) for aspect in asked
    ]
    lines = [line for part in parts for line in part.lines]
    facts = [fact for part in parts for fact in part.facts]
    if topic.tone == "mourning" and asked == ["tong-quan"]:
        lines.insert(0, say("mourning"))
    if any(part.nothing for part in parts):
        lines.append(say("ask_hotline"))
    elif any(fact.confidence == "thap" for fact in facts):
        lines.append(say("weak_source"))
    buttons = []
    if any(part.more for part in parts):
        buttons.append(Button(say("see_all"), f"m:{slug}:{asked[0]}"))
    return Reply(
        text="\n".join(lines),
        buttons=(*buttons, *next_steps(library, topic, asked, today)),
        source=_source(topic, facts),
    )


class _Part:
    """The lines of one aspect."""

    def __init__(self, lines: list[str], facts: list[KnownFact], *, more: bool, nothing: bool) -> None:
        self.lines = lines
        self.facts = facts
        self.more = more
        self.nothing = nothing


def _part(topic: Topic, aspect: Aspect, known: Known, everything: bool, room: int) -> _Part:
    lines: list[str] = []
    shown: list[KnownFact] = []
    if known.answer is not None:
        lines.append(known.answer.text)
        shown.append(known.answer)
    else:
        lines.append(say("not_published", title=topic.title, what=label("aspect_names", aspect)))
    rest = [f for f in known.facts if f.when is None] + [f for f in known.facts if f.when is not None]
    ordered = known.facts if aspect in _NUMBERED else tuple(f for f in rest if not _repeats(f, known.answer))
    used = len(lines[0])
    for number, fact in enumerate(ordered, start=1):
        text = f"{fact.when}: {fact.text}" if fact.when else fact.text
        line = f"{number}. {text}" if aspect in _NUMBERED else f"• {text}"
        if not everything and (len(shown) > LINES or used + len(line) > room):
            break
        lines.append(line)
        shown.append(fact)
        used += len(line)
    told = len(shown) - (1 if known.answer is not None else 0)
    if known.expired:
        lines.append(say("expired_note"))
    return _Part(lines, shown, more=told < len(ordered), nothing=known.answer is None)


def _repeats(fact: KnownFact, answer: KnownFact | None) -> bool:
    """Whether a fact only says again what the first line said."""
    return answer is not None and fact.when is None and set(fold(fact.text).split()) <= set(fold(answer.text).split())


def _source(topic: Topic, facts: Sequence[KnownFact]) -> SourceLine | None:
    """Name the sources used (the first two), with the oldest day; without any known fact, the topic's own page."""
    sources = list(dict.fromkeys(fact.source for fact in facts))[:2]
    if not sources:
        sources = list(topic.sources.values())[:1]
    if not sources:
        return None
    return SourceLine(
        title="; ".join(dict.fromkeys(s.title for s in sources)),
        url=encoded(next((s.url for s in sources if s.url), topic.link)),
        seen_on=min(s.seen_on for s in sources),
    )


def encoded(url: str) -> str:
    """Return a link with its Vietnamese letters percent-encoded, as every messenger takes it."""
    return quote(url, safe=":/?&=#+%")


def next_steps(library: Library, topic: Topic, asked: Sequence[str], today: date) -> list[Button]:
    """Return two or three things that are useful to ask next: aspects with a known answer first, then related topics."""
    known = [a for a in _NEXT if a in topic.aspects and a not in asked and library.known(topic.slug, a, today).answer]
    buttons = [Button(label("aspect_buttons", a), f"t:{topic.slug}:{a}") for a in known[:3]]
    for slug in (*topic.next_steps, *topic.similar):
        if len(buttons) >= 3:
            break
        if slug in library and slug != topic.slug:
            buttons.append(Button(library[slug].label, f"t:{slug}"))
    return buttons[:3]


def source_text(source: SourceLine) -> str:
    """Return the source as the last line of a bubble, for channels that show text only."""
    return say("source", title=source.title, seen_on=short_date(source.seen_on))


def short_date(day: date) -> str:
    """Return a date as it is written here: 22/11/2026."""
    return f"{day.day}/{day.month}/{day.year}"


def topic_button(library: Library, slug: str, aspect: str | None = None) -> Button:
    """Return the button that asks for a topic."""
    payload = f"t:{slug}:{aspect}" if aspect and aspect != "tong-quan" else f"t:{slug}"
    return Button(library[slug].label, payload)


def portal_button() -> Button:
    """Return the button that opens the national portal."""
    return Button(label("unknown_buttons", "portal"), url=catalogue()["portal"])
