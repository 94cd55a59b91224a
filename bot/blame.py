"""Which turn is to blame when what turns lead to cannot be written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from bot.linking import Stale
from bot.storage.database import away
from bot.work import LeaseLost


class Unwritten(Exception):
    """What a turn leads to cannot be written: its `place` among those of the conversation in hand, and the fault."""

    def __init__(self, place: int, error: Exception) -> None:
        super().__init__(place)
        self.place = place
        self.error = error


@contextmanager
def blamed(place: int) -> Iterator[None]:
    """Blame a turn for a fault in writing it.

    Raises:
        Unwritten: that is its own fault. A lease that is over, a stale turn and a database that is away are nobody's, and
            come through as they are.
    """
    try:
        yield
    except (LeaseLost, Stale):
        raise
    except Exception as error:
        if away(error):
            raise
        raise Unwritten(place, error) from error
