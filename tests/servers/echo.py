"""The whole server over real storage, channels and webhooks, with a dialogue that repeats what it hears.

So a test can tell which answer belongs to which message, and the process is ready in two seconds.
Usage: python -m tests.servers.echo PORT [SECONDS], with the settings of `congdanso serve` in the environment; SECONDS after the death
of the process that polled another one begins.
"""

from __future__ import annotations

import sys
from datetime import date, timedelta
from typing import Any

import uvicorn

from bot.conversation.dialogue import Dialogue
from bot.conversation.model import AnswerStatus, Reply, Said, Session, Turn
from congdanso import switchboard
from congdanso.app import create
from congdanso.brain import Brain
from congdanso.logs import setup
from congdanso.settings import Settings
from content import library as libraries
from content import packs as outreach
from content.places import load_places
from nlu.understanding import Understanding

HEARD = "Đã nghe: "


class Echo(Dialogue):
    """Repeats."""

    def reply(self, said: Said, understanding: Understanding | None, session: Session, today: date) -> Turn:
        return Turn((Reply(f"{HEARD}{said.text}"),), session, AnswerStatus.ANSWERED)


class Deaf:
    """A language model that understands nothing, at once."""

    def understand(self, text: str) -> Any:
        return Understanding(text, "chao-hoi", "chao-hoi", (), (), 1.0, True, ())

    at_once = understand


def main() -> None:
    setup()
    if len(sys.argv) > 2:
        switchboard.RECEIVES = timedelta(seconds=float(sys.argv[2]))  # type: ignore[misc]
    settings = Settings()
    places, library = load_places(settings.province), libraries.load()
    packs = outreach.load(topics=library)
    brain = Brain(library, packs, places, Deaf(), Echo(library, places))  # type: ignore[arg-type]
    uvicorn.run(
        create(settings, brain),
        host="127.0.0.1",
        port=int(sys.argv[1]),
        log_config=None,
        access_log=False,
        ws="none",
        timeout_graceful_shutdown=3,
    )


if __name__ == "__main__":
    main()
