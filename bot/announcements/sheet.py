"""Everything that a yes binds, as lines that a person reads: the one list for the console's commands and for conversations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.announcements.audience import audience_in_words, channel_in_words
from bot.announcements.content import Press, Shelf
from bot.announcements.forecast import Forecast
from bot.announcements.planning import Wish, saved_of
from bot.announcements.schedules import repeat_of
from bot.announcements.templates import Template, cost_in_words
from bot.announcements.texts import told
from bot.clock import ZONE, Clock
from bot.conversation.messages import label
from content.places import Places


def sheet_of(
    wish: Wish, text: str, seen: Mapping[str, Any] | None, *, places: Places, shelf: Shelf, clock: Clock
) -> list[str]:
    """Return what a yes to a wish binds.

    Args:
        text: the whole text, with heading and footer.
        seen: what an approver is shown beside the wish (`Plan.seen`); None: nobody counted yet.
    """
    content = wish.content
    lines = [f"│ {line}" for line in text.splitlines()]
    for channel, body in sorted(content.bodies.items()):
        lines.append(told("sheet", "body", channel=channel_in_words(channel)))
        lines += [f"│ {line}" for line in body.splitlines()]
    lines += [_button(press) for press in content.buttons]
    for name in content.documents:
        found = shelf.find(name)
        lines.append(told("sheet", "document", name=name, title=found.title if found is not None else "–"))
    lines += [_template(template) for template in content.templates]
    lines.append(told("sheet", "audience", audience=audience_in_words(wish.audience, places)))
    for name, query in saved_of(seen or {}).items():
        lines.append(told("sheet", "saved", name=name, audience=audience_in_words(query, places)))
    lines.append(told("sheet", "category", category=label("categories", content.category)))
    urgent = wish.urgent_reason
    lines.append(told("sheet", "plain") if urgent is None else told("sheet", "urgent", reason=urgent))
    if wish.expires_at is not None:
        lines.append(told("sheet", "expires", when=f"{wish.expires_at.astimezone(ZONE):%H:%M %d/%m/%Y}"))
    if wish.repeat is not None:
        rule = repeat_of(wish.repeat, today=clock().astimezone(ZONE).date(), urgent=urgent is not None)
        lines.append(told("sheet", "repeat", repeat=rule.in_words()))
    if wish.joins:
        lines.append(told("sheet", "joins"))
    if seen is not None:
        forecast = Forecast.of(seen)
        lines += [told("sheet", "forecast", forecast=forecast.in_words()), *forecast.reasons()]
    return lines


def _button(press: Press) -> str:
    if press.kind == "link":
        return told("sheet", "link", label=press.shown, address=press.target)
    if press.kind == "ask":
        return told("sheet", "ask", label=press.shown, topic=press.target)
    return told("sheet", "button", label=press.shown)


def _template(template: Template) -> str:
    values = "; ".join(f"{name} = {value}" for name, value in template.data)
    cost = cost_in_words(1, template.price)
    return told("sheet", "template", account=template.account, id=template.id, values=values or "–", cost=cost)
