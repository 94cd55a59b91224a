"""How a channel account fares in this process: what it saw itself, so that a report never guesses."""

from __future__ import annotations

from dataclasses import dataclass

from bot.messages import Misconfigured, Outcome, Sent


@dataclass(slots=True)
class Health:
    """`receiving` is None until this process has tried: who has seen nothing must not say that all is well."""

    receiving: str | None = None
    sending: str = ""
    tries: int = 0
    """Messages that got out, or that the account was not let send; other outcomes tell nothing about the account."""

    @property
    def problem(self) -> str:
        """The first thing to mend. A message that got out does not hide that nothing comes in."""
        return self.receiving or self.sending

    def sent(self, found: Outcome) -> None:
        """Take in what became of a message."""
        if isinstance(found, Sent | Misconfigured):
            self.sending = found.reason if isinstance(found, Misconfigured) else ""
            self.tries += 1
