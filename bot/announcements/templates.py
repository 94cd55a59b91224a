"""Templates that a messenger approved: how an announcement reaches those to whom nothing else may go (Zalo, after 7 days).

A template belongs to one account, is paid for by the message, and has its own words; an announcement fills its parameters.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from bot.announcements.lanes import Lane
from bot.announcements.places import PLACES, filled, personal_problems, unknown_places
from bot.announcements.texts import grouped, told
from bot.conversation.model import TemplateMessage

CHANNEL: Final = "zalo-oa"
"""The one channel that has them."""
WORDS: Final = "noi_dung"
"""The place for what the officer wrote, on one line."""
LONGEST_VALUE: Final = 400
"""Characters of one parameter: a paragraph of Zalo's templates has no more."""
MOST_VALUES: Final = 20
_ID: Final = re.compile(r"[0-9A-Za-z_-]{1,32}")
_NAME: Final = re.compile(r"[0-9A-Za-z_]{1,30}")


@dataclass(frozen=True, slots=True)
class Template:
    """One account's template; values may hold places (`{xa}` …, `{noi_dung}`). `price`: đồng a message, None if not known."""

    account: str
    id: str
    data: tuple[tuple[str, str], ...] = ()
    promotional: bool = False
    """Zalo takes it from 06:00 to 21:59 only."""
    price: int | None = None

    def as_json(self) -> dict[str, Any]:
        """Return it for storage, the same for the same template; `templates_of` reads it."""
        return {
            "account": self.account,
            "id": self.id,
            "data": dict(sorted(self.data)),
            "promotional": self.promotional,
            "price": self.price,
        }

    def message(self, values: Mapping[str, str], words: str) -> TemplateMessage:
        """Return it filled in.

        Args:
            words: what the officer wrote; its places are filled in too.
        """
        whole = {**values, WORDS: " ".join(filled(words, values).split())}
        return TemplateMessage(
            self.account, self.id, tuple((n, filled(v, whole)) for n, v in self.data), self.promotional
        )


def templates_of(given: object) -> tuple[Template, ...] | None:
    """Read templates from storage, a form or the API; None: that is not their shape."""
    if not isinstance(given, list | tuple):
        return None
    found = []
    for one in given:
        if not isinstance(one, Mapping) or not set(one) <= {"account", "id", "data", "promotional", "price"}:
            return None
        account, number, data = one.get("account"), one.get("id"), one.get("data") or {}
        promotional, price = one.get("promotional", False), one.get("price")
        shaped = (
            isinstance(account, str)
            and isinstance(number, str)
            and isinstance(data, Mapping)
            and all(isinstance(n, str) and isinstance(v, str) for n, v in data.items())
            and isinstance(promotional, bool)
            and (price is None or (type(price) is int and 0 <= price < 10**7))
        )
        if not shaped:
            return None
        values = tuple(sorted((name, " ".join(value.split())) for name, value in data.items()))
        found.append(Template(str(account), str(number), values, promotional, price))
    return tuple(found)


def problems_of(templates: Sequence[Template], accounts: Collection[Lane]) -> list[str]:
    """Say what speaks against templates, for the officer."""
    problems = []
    if len({t.account for t in templates}) < len(templates):
        problems.append(told("template_problems", "twice"))
    for one in templates:
        if Lane(CHANNEL, one.account) not in accounts:
            problems.append(told("template_problems", "account", account=one.account[:64]))
        if not _ID.fullmatch(one.id):
            problems.append(told("template_problems", "id", id=one.id[:32]))
        if len(one.data) > MOST_VALUES or not all(_NAME.fullmatch(name) for name, _ in one.data):
            problems.append(told("template_problems", "names", limit=MOST_VALUES))
        for name, value in one.data:
            problems += personal_problems(value)
            if unknown := unknown_places(value, (*PLACES, WORDS)):
                known = ", ".join(f"{{{n}}}" for n in (*PLACES, WORDS))
                problems.append(told("content_problems", "place", names=", ".join(unknown), known=known))
            if not value:
                problems.append(told("template_problems", "empty", name=name[:30]))
    return problems


def length_problems(messages: Sequence[TemplateMessage]) -> list[str]:
    """Say which filled parameters are longer than Zalo takes."""
    return [
        told("template_problems", "length", name=name, id=m.id, length=len(value), limit=LONGEST_VALUE)
        for m in messages
        for name, value in m.data
        if len(value) > LONGEST_VALUE
    ]


def template_in_words(message: TemplateMessage) -> str:
    """Return a filled template as an officer looks at it; its own words are known to Zalo alone."""
    heading = told("previews", "template", id=message.id, account=message.account)
    return "\n".join((heading, *(f"{name}: {value}" for name, value in message.data)))


def cost_in_words(number: int, price: int | None) -> str:
    """Say what so many messages cost at most."""
    if price is None:
        return told("forecast", "template_cost_unknown")
    return told("forecast", "template_cost", cost=grouped(number * price))
