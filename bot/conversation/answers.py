"""From what the library knows to a bubble: the answer first, a few lines that matter, the source, the next steps."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import takewhile
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
STEPS: Final = 3
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
_FILLERS: Final = frozenset(
    {
        "cac", "cach", "cho", "co", "cua", "duoc", "gi", "ho", "khi", "la", "lam", "lan", "le", "muc", "mot", "nay", "nop",
        "phi", "so", "thi", "viec", "voi",
    }
)  # fmt: skip
"""Words (without marks) that add nothing to a line that otherwise repeats the first one. No "không", "chưa", "trừ" here."""
_WAYS: Final = frozenset({"truc", "tuyen", "tiep", "gui", "qua", "buu", "dien", "chinh"})
_EVERY_WAY: Final = re.compile(r"\b(?:moi cach|cach (?:nop )?nao|deu vay|ba cach)\b")


def answer(library: Library, slug: str, aspects: Sequence[str], today: date, *, everything: bool = False) -> Reply:
    """Compose the answer for a topic.

    Args:
        aspects: what was asked, the most important first; empty means the overview.
        everything: all lines ("Xem đủ") instead of the first few.
    """
    topic = library[slug]
    asked = cast("list[Aspect]", [a for a in aspects if a in topic.aspects] or ["tong-quan"])
    known = [library.known(slug, aspect, today) for aspect in asked]
    opening = [say("mourning")] if topic.tone == "mourning" and asked == ["tong-quan"] else []
    room = (BUBBLE - sum(map(len, opening)) - max(len(_closing(k.facts, k.answer)) for k in known)) // len(asked)
    parts = [_part(topic, aspect, k, everything, room) for aspect, k in zip(asked, known, strict=True)]
    facts = [fact for part in parts for fact in part.facts]
    lines = [*opening, *(line for part in parts for line in part.lines)]
    if closing := _closing(facts, None if any(k.answer is None for k in known) else facts[0]):
        lines.append(closing)
    more = next((Button(say("see_all"), f"m:{slug}:{part.aspect}") for part in parts if part.more), None)
    steps = next_steps(library, topic, asked, today)
    return Reply(
        text="\n".join(lines),
        buttons=(more, *steps[: STEPS - 1]) if more else tuple(steps),
        source=_source(topic, facts),
    )


def _closing(facts: Sequence[KnownFact], first: KnownFact | None) -> str:
    """Return the last line: whom to ask where nobody published the answer or a source is weak; else nothing."""
    if first is None:
        return say("ask_hotline")
    return say("weak_source") if any(fact.confidence == "thap" for fact in (first, *facts)) else ""


@dataclass(frozen=True, slots=True)
class _Part:
    """The lines of one aspect, the facts they tell, and whether some were left out for their length."""

    aspect: Aspect
    lines: tuple[str, ...]
    facts: tuple[KnownFact, ...]
    more: bool


def _part(topic: Topic, aspect: Aspect, known: Known, everything: bool, room: int) -> _Part:
    if known.answer is not None:
        lines, shown = [known.answer.text], [known.answer]
    else:
        lines, shown = [say("not_published", title=topic.title, what=label("aspect_names", aspect))], []
    ordered = known.facts
    if aspect not in _NUMBERED:
        usual_first = sorted(known.facts, key=lambda fact: fact.when is not None)
        ordered = tuple(fact for fact in usual_first if not _repeats(fact, known.answer))
    used, told = len(lines[0]), 0
    for fact in ordered:
        line = f"{told + 1}. {_sentence(fact)}" if aspect in _NUMBERED else f"• {_sentence(fact)}"
        if not everything and (told >= LINES or used + len(line) > room):
            break
        lines.append(line)
        shown.append(fact)
        used += len(line)
        told += 1
    if known.expired:
        lines.append(say("expired_note"))
    return _Part(aspect, tuple(lines), tuple(shown), more=told < len(ordered))


def _sentence(fact: KnownFact) -> str:
    return f"{fact.when}: {fact.text}" if fact.when else fact.text


def _repeats(fact: KnownFact, answer: KnownFact | None) -> bool:
    """Whether a fact only says again what the first line said: the same figures and words, for a way it spoke of too."""
    if answer is None:
        return False
    first = fold(answer.text)
    ignored = _FILLERS | _WAYS if _EVERY_WAY.search(first) else _FILLERS
    words = set(fold(_sentence(fact)).split()) - ignored
    return bool(words) and words <= set(first.split())


def _source(topic: Topic, facts: Sequence[KnownFact]) -> SourceLine | None:
    """Name the sources used (the first two), with the oldest day; without any known fact, the topic's own page."""
    sources = list(dict.fromkeys(fact.source for fact in facts))[:2]
    if not sources:
        sources = list(topic.sources.values())[:1]
    if not sources:
        return None
    return SourceLine(
        title=_joined(list(dict.fromkeys(s.title for s in sources))),
        url=encoded(next((s.url for s in sources if s.url), topic.link)),
        seen_on=min(s.seen_on for s in sources),
    )


def _joined(titles: Sequence[str]) -> str:
    """Name several sources without saying twice how they begin: "Cổng …, mã 1.000656; mã 2.000635"."""
    first = titles[0].split(", ")
    named = [titles[0]]
    for title in titles[1:]:
        parts = title.split(", ")
        same = len(list(takewhile(lambda pair: pair[0] == pair[1], zip(first, parts, strict=False))))
        named.append(", ".join(parts[same:]) or title)
    return "; ".join(named)


def encoded(url: str) -> str:
    """Return a link with its Vietnamese letters percent-encoded, as every messenger takes it."""
    return quote(url, safe=":/?&=#+%")


def next_steps(library: Library, topic: Topic, asked: Sequence[str], today: date) -> list[Button]:
    """Return at most three things that are useful to ask next: aspects with a known answer, then related topics."""
    known = [a for a in _NEXT if a in topic.aspects and a not in asked and library.known(topic.slug, a, today).answer]
    related = [s for s in (*topic.next_steps, *topic.similar) if s in library and s != topic.slug]
    buttons = [Button(label("aspect_buttons", a), f"t:{topic.slug}:{a}") for a in known]
    buttons += [Button(library[s].label, f"t:{s}") for s in dict.fromkeys(related)]
    return buttons[:STEPS]


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
