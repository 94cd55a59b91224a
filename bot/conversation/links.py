"""What a link says about where somebody comes from: a campaign's pack, the commune whose leaflet or site it stands on."""

from __future__ import annotations

from typing import Final

CAMPAIGN: Final = "c_"
"""Begins the payload of a campaign's link: `c_<pack>` or `c_<pack>_<unit>`."""
UNIT: Final = "u_"
"""Begins the payload of a unit's own link, and of the chat on its site: `u_<unit>`."""

TOPIC: Final = "t_"
"""Begins the payload of a link that somebody shared: `t_<topic>` or `t_<topic>_<aspect>`."""
LONGEST: Final = 64
"""Characters that a messenger lets stand in a link."""


def to_topic(about: str) -> str:
    """Return the payload of a link to an answer ("topic" or "topic:aspect"); "" if it would be too long."""
    payload = TOPIC + about.replace(":", "_")
    return payload if len(payload) <= LONGEST else ""


def topic_of(payload: str) -> tuple[str, str]:
    """Return the topic and the aspect that a link leads to; "" for what it does not name."""
    if not payload.startswith(TOPIC):
        return "", ""
    slug, _, aspect = payload.removeprefix(TOPIC).partition("_")
    return slug, aspect


def pack_of(payload: str) -> str:
    """Return the slug of the pack that a link promises; "" where it promises none."""
    return payload.removeprefix(CAMPAIGN).partition("_")[0] if payload.startswith(CAMPAIGN) else ""


def unit_of(payload: str) -> str:
    """Return the slug of the unit that a link comes from; "" where it names none."""
    if payload.startswith(CAMPAIGN):
        return payload.removeprefix(CAMPAIGN).partition("_")[2]
    return payload.removeprefix(UNIT) if payload.startswith(UNIT) else ""
