"""What a text means in a conversation that has a topic: the same words, weighed by what was talked about.

"mua ở đâu" says little by itself; right behind a question about health insurance it asks where to buy that. Nothing here knows
single sentences: each reading's probability is multiplied by how much likelier the conversation makes it.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from bot.conversation import choices
from bot.conversation.model import Session
from content.library import Library
from nlu.understanding import FOLLOW_UP, OUT_OF_SCOPE, Alternative, Understanding

SURE: Final = 0.6
"""A text that names its own topic this clearly needs no help from the topic before. Measured with .5 to .8: best from .6 to .7."""
CONTINUES: Final = 6.0
"""A question without a topic is so many times as likely right behind an answer as at the start."""
CERTAIN: Final = 0.9
"""A text of words that are said about everything goes on with the topic before, unless it is so surely about another."""
STAYS: Final = 10.0
"""The topic just talked about is so many times as likely as any other,"""
NEIGHBOUR: Final = 2.5
"""and one that the library names as similar to it, or as its next step, so many times."""
LEAST: Final = 0.2
"""What is refused by itself stays so where the conversation makes nothing likelier than this."""
LEAVING: Final = 4.0
"""A "chào" behind an answer is a farewell rather than a greeting."""
IN_GENERAL: Final = frozenset({"nop-ho-so-truc-tuyen", "phi-khi-nop-truc-tuyen", "nop-ho-so-o-dau"})
"""Questions about filing as such; a few words about it, right behind an answer about a service, mean filing for that service."""
FEW: Final = 7
"""Words of such a question."""
SHORT: Final = 18
"""Words of a text that may lean on what was before; a longer one speaks for itself."""
ASPECT_WORDS: Final = {
    "giay-to": r"giay|can gi|ho so|mang theo",
    "cach-lam": r"cach|the nao|nhu nao|ntn|cac buoc|qua mang|truc tuyen|online",
    "le-phi": r"phi|tien|mien|gia|bao nhieu",
    "thoi-gian": r"bao lau|may ngay|thoi gian|khi nao|bao gio|han",
    "noi-nop": r"o dau|cho nao|noi nao|nop dau|den dau",
    "doi-tuong": r"\bai\b|dieu kien|doi tuong",
    "can-cu": r"luat|nghi dinh|thong tu|quy dinh",
    "bieu-mau": r"mau|to khai|don",
    "ket-qua": r"ket qua|nhan duoc gi|duoc gi|hieu luc",
}
"""Words that really ask for an aspect; in "còn cấp lại thì sao" there are none, so the aspect of before stays."""
_TAKEN_BACK: Final = re.compile(
    r"^(?:(?:a|o|oi|da|u|uhm|um|the|ay)\s+)*"
    r"(?:(?:khong|ko|k|hong|chua)\s+(?:phai|dung)|nham|lon|sai)"
    r"(?:\s+(?:roi|a|dau|the|vay|cai do|cai nay|viec do|em|anh|chi|oi))*"
    r"(?:\s+(?:y|cai)\s+(?:toi|em|minh|chau|bac|anh|chi|co)(?:\s+(?:la|muon|noi|hoi))*)?\s+"
    r"|^(?:(?:a|o|oi|da)\s+)?y\s+(?:toi|em|minh|chau|bac|anh|chi|co)(?:\s+(?:la|muon|noi|hoi))+\s+"
)


def explicit_aspects(folded: str) -> set[str]:
    """Return the aspects that a folded text asks for in so many words."""
    return {aspect for aspect, words in ASPECT_WORDS.items() if re.search(words, folded)}


def correction(text: str) -> str | None:
    """Return what is said instead, in a text that first takes something back ("không phải, ý tôi là cấp lại"); else None."""
    match = _TAKEN_BACK.match(choices.fold(text) + " ")
    if match is None:
        return None
    taken_back = len(match.group().split())
    words = [word for word in text.split() if choices.fold(word)]
    instead = " ".join(words[taken_back:])
    return instead if len(choices.fold(instead).split()) >= _ENOUGH_SAID else None


_ENOUGH_SAID: Final = 2


def family(library: Library, topic: str) -> frozenset[str]:
    """Return the topics that the library names as similar to a topic, or as its next steps."""
    known = library[topic]
    return frozenset({*known.similar, *known.next_steps, *(s for s in library if topic in library[s].similar)})


def weighed(understanding: Understanding, session: Session, library: Library) -> Understanding:
    """Return the understanding, its readings weighed by the conversation; unchanged where nothing was before, or no doubt is."""
    u = understanding
    words = len(u.text.split())
    topic = session.topic if session.topic in library else None
    in_general = topic is not None and library[topic].kind == "service" and words <= FEW and u.topic in IN_GENERAL
    clear = u.in_scope and u.topic is not None and u.confidence >= SURE and u.topic not in _COURTESIES
    certain = max(u.confidence, u.outside) >= CERTAIN or u.topic in _COURTESIES
    if topic is not None and u.names_nothing and not certain:
        return replace(u, intent=FOLLOW_UP, topic=None, in_scope=True)
    if not session.recent or words > SHORT or (clear and not in_general):
        return u
    near = family(library, topic) if topic is not None else frozenset()
    named = {a.topic: a.confidence for a in u.alternatives}
    if u.topic is not None:
        named[u.topic] = u.confidence
    about_filing = sum(named.pop(slug) for slug in IN_GENERAL & named.keys()) if in_general else 0.0
    leaving = LEAVING if u.topic in _COURTESIES and named.get("chao-hoi") else 1.0
    scores = {slug: p * (leaving if slug == "tam-biet" else _weight(slug, topic, near)) for slug, p in named.items()}
    scores[FOLLOW_UP] = (u.follow_up + about_filing) * (CONTINUES if topic is not None else 1.0)
    scores[OUT_OF_SCOPE] = 0.0 if u.in_scope else u.outside
    total = sum(scores.values()) + max(0.0, 1 - sum(named.values()) - about_filing - u.follow_up - u.outside)
    if total <= 0:
        return u
    best = max(scores, key=lambda name: scores[name])
    if best == OUT_OF_SCOPE or (not u.in_scope and scores[best] < LEAST * total):
        return u
    ranked = sorted((s for s in named if s != best), key=lambda slug: -scores[slug])
    return replace(
        u,
        intent=best,
        topic=None if best == FOLLOW_UP else best,
        confidence=scores[best] / total,
        in_scope=True,
        alternatives=tuple(Alternative(slug, scores[slug] / total) for slug in ranked),
    )


_COURTESIES: Final = frozenset({"chao-hoi", "tam-biet"})


def _weight(slug: str, topic: str | None, near: frozenset[str]) -> float:
    if slug == topic:
        return STAYS
    return NEIGHBOUR if slug in near else 1.0
