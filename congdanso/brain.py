"""The parts that answer: library, places, language model, dialogue. Built from settings, shared by every command."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING

from bot.clock import ZONE
from bot.conversation.dialogue import Dialogue
from bot.conversation.model import Said, Session, Turn
from bot.messages import Address, Incoming, masked
from congdanso.model import load_engine
from congdanso.settings import Settings
from content import library as libraries
from content import packs as outreach
from content.places import Places, load_places

if TYPE_CHECKING:
    from nlu.engine import Engine


@dataclass(frozen=True, slots=True)
class Brain:
    """Everything that is needed to answer a text."""

    library: libraries.Library
    packs: outreach.Packs
    places: Places
    engine: Engine
    dialogue: Dialogue

    def answer(self, text: str, session: Session, now: datetime) -> Turn:
        """Return the turn for a text outside any messenger, with the same masking as at the door."""
        incoming = Incoming(Address("terminal", "default", ""), "", "text", text, now)
        safe = masked(incoming)
        said = Said(text=safe.text, personal=safe.personal)
        readable = any(c.isalnum() for c in safe.text)
        understood = self.engine.understand(safe.text) if readable and not safe.personal else None
        return self.dialogue.reply(said, understood, session, today(now))


def today(now: datetime) -> date:
    """Return the day in the province."""
    return now.astimezone(ZONE).date()


def load_brain(settings: Settings) -> Brain:
    """Load everything; train a model first if there is none for the present data."""
    places = load_places(settings.province)
    library = libraries.load()
    packs = outreach.load(topics=library)
    engine = load_engine(settings, places)
    return Brain(library, packs, places, engine, Dialogue(library, places, engine.understand, packs))
