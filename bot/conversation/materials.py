"""Outreach packs in the conversation: a list of them, one pack with its leaflet, one text ready to be passed on."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from bot.conversation import links
from bot.conversation.answers import encoded
from bot.conversation.messages import label, say
from bot.conversation.model import (
    AnswerStatus,
    Attachment,
    Button,
    MaterialGiven,
    Pending,
    Reply,
    Session,
    SourceLine,
    Turn,
)
from content.packs import Item, Pack, Packs

TOPIC: Final = "tai-lieu-tuyen-truyen"
PAYLOAD: Final = "k"
PDF: Final = "application/pdf"


class Materials:
    """Turns that give materials."""

    def __init__(self, packs: Packs) -> None:
        self._packs = packs

    def button(self, topic: str) -> Button | None:
        """Return the button that stands under an answer on a topic; None where no pack fits."""
        fitting = self._packs.for_topic(topic)
        return Button(label("materials_labels", "under_answer"), f"{PAYLOAD}:{fitting[0].slug}") if fitting else None

    def listing(self, session: Session) -> Turn:
        """Return the list of packs, those that fit the present topic first."""
        fitting = self._packs.for_topic(session.topic) if session.topic else ()
        packs = list(dict.fromkeys((*(p.slug for p in fitting), *self._packs)))
        if not packs:
            return Turn((Reply(say("materials_none")),), replace(session, pending=None), AnswerStatus.UNKNOWN, TOPIC)
        buttons = tuple(Button(self._packs[slug].title, f"{PAYLOAD}:{slug}") for slug in packs)
        lines = [say("materials_list"), *(f"{i}. {b.label}" for i, b in enumerate(buttons, 1))]
        return Turn(
            (Reply("\n".join(lines), buttons),),
            replace(session, pending=Pending("steps", buttons)),
            AnswerStatus.ACTION_DONE,
            TOPIC,
        )

    def press(self, value: str, session: Session) -> Turn | None:
        """Return the turn of a pressed pack or item (`<pack>` or `<pack>:<item>`); None for one that is gone."""
        slug, _, wanted = value.partition(":")
        pack = self._packs.get(slug)
        if pack is None:
            return None
        if not wanted:
            return self._given(pack, session)
        item = next((i for i in pack.items if i.slug == wanted), None)
        return None if item is None else self._text(pack, item, session)

    def opened(self, payload: str, session: Session) -> Turn | None:
        """Return the pack of a campaign's link; None for a link of anything else."""
        pack = links.pack_of(payload)
        return self.press(pack, session) if pack else None

    def _given(self, pack: Pack, session: Session) -> Turn:
        leaflets = [i for i in pack.items if i.kind == "leaflet"]
        texts = [i for i in pack.items if i.kind == "text"]
        attachments = tuple(Attachment(i.title, f"/materials/{pack.slug}.pdf", PDF) for i in leaflets[:1])
        buttons = tuple(Button(i.title, f"{PAYLOAD}:{pack.slug}:{i.slug}") for i in texts)
        lines = [pack.title, pack.summary]
        if buttons:
            lines += [say("materials_texts"), *(f"{i}. {b.label}" for i, b in enumerate(buttons, 1))]
        effects = tuple(MaterialGiven(pack.slug, i.slug, session.topic) for i in leaflets[:1])
        return Turn(
            (Reply("\n".join(lines), buttons, attachments, _source(pack)),),
            replace(session, pending=Pending("steps", buttons) if buttons else None),
            AnswerStatus.ACTION_DONE,
            TOPIC,
            effects=effects,
        )

    def _text(self, pack: Pack, item: Item, session: Session) -> Turn:
        others = tuple(
            Button(i.title, f"{PAYLOAD}:{pack.slug}:{i.slug}")
            for i in pack.items
            if i.kind == "text" and i.slug != item.slug
        )[:3]
        reply = Reply(f"{say('materials_pass_on')}\n\n{item.text}", others, source=_source(pack))
        return Turn(
            (reply,),
            replace(session, pending=Pending("steps", others) if others else None),
            AnswerStatus.ACTION_DONE,
            TOPIC,
            effects=(MaterialGiven(pack.slug, item.slug, session.topic),),
        )


def _source(pack: Pack) -> SourceLine | None:
    sources = list(pack.sources.values())
    if not sources:
        return None
    return SourceLine(
        "; ".join(dict.fromkeys(s.title for s in sources[:2])),
        encoded(next((s.url for s in sources if s.url), "")),
        min(s.seen_on for s in sources),
    )
