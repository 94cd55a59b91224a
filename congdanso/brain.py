"""The parts that answer: library, places, language model, dialogue. Built from settings, shared by every command."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from bot.conversation.dialogue import Dialogue
from bot.conversation.model import Said, Session, Turn
from bot.messages import Address, Incoming, masked
from bot.turns import ZONE
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


def lookups(places: Places) -> dict[str, list[str]]:
    """Return the names that the entity extractor knows."""
    return {"place": sorted(places.names())}


def model_file(settings: Settings, places: Places) -> Path:
    """Return where the model for the present data, lexicons and code belongs."""
    from nlu.engine import fingerprint, training_files

    return settings.data_dir / "models" / f"{fingerprint(training_files(), lookups(places))[:16]}.tar.gz"


def train_in_subprocess() -> None:
    """Train in a process of its own, so that the memory training takes is given back.

    Raises:
        RuntimeError: training failed; its own output says why.
    """
    result = subprocess.run([sys.executable, "-m", "congdanso", "train"], check=False)
    if result.returncode != 0:
        raise RuntimeError("không huấn luyện được mô hình ngôn ngữ")


def load_brain(settings: Settings) -> Brain:
    """Load everything; train a model first if there is none for the present data."""
    places = load_places(settings.province)
    library = libraries.load()
    packs = outreach.load(topics=library)
    archive = model_file(settings, places)
    if not archive.is_file():
        print("Đang huấn luyện mô hình ngôn ngữ lần đầu, khoảng một phút…", file=sys.stderr, flush=True)
        train_in_subprocess()
    from nlu.engine import Engine

    engine = Engine.load(archive)
    return Brain(library, packs, places, engine, Dialogue(library, places, engine.understand, packs))
