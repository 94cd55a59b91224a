"""What crosses the border between a messenger and the bot, in either direction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Protocol, runtime_checkable

from bot.conversation.model import Reply
from bot.pace import Pace
from nlu import personal

MAX_TEXT: Final = 4000
"""Characters kept of one message; what is longer was pasted, not asked."""
ACTS: Final = frozenset({"text", "captioned", "button", "opened", "resumed", "unsupported"})
"""Kinds by which a citizen turns to us; only these count as having been seen, and as coming back."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a conversation lives: a channel, one of its accounts (a bot, an OA), and the messenger's id of the chat."""

    channel: str
    account: str
    chat: str


@dataclass(frozen=True, slots=True)
class Incoming:
    """One thing a citizen did, as a channel's `parse` reads it. `update_id` is unique within the channel account.

    `kind` is one of `ACTS` (captioned: a text written with a picture or a file, which is not looked at), or stopped (left the
    bot), withdrawn (asks that everything about them be erased), taken_over (a human officer wrote to them with the messenger's
    own tool). `text` is a text, a button's payload, or the payload of a link.
    `received_at` is when it happened where the messenger says so.
    """

    address: Address
    update_id: str
    kind: str
    text: str
    received_at: datetime
    personal: tuple[str, ...] = ()
    truncated: bool = False
    ref: str = ""
    """The messenger's id of the message whose button was pressed."""
    language: str = ""
    """Of the citizen's own screen, where the messenger tells it ("vi", "en")."""


def masked(incoming: Incoming) -> Incoming:
    """Return the message as it may be stored: personal numbers masked, length capped. The door calls this first."""
    if incoming.kind in ("opened", "button"):
        # Our own payloads hold no personal number; whoever wrote one into a link or an old button did not mean us.
        return replace(incoming, text="") if personal.mask(incoming.text)[1] else incoming
    if incoming.kind not in ("text", "captioned"):
        return incoming
    text = "".join(c if c.isprintable() or c in "\n\t" else " " for c in incoming.text[: MAX_TEXT * 2])
    safe, kinds = personal.mask(text)
    return Incoming(
        incoming.address,
        incoming.update_id,
        incoming.kind,
        safe[:MAX_TEXT],
        incoming.received_at,
        tuple(k for k in kinds if k in personal.REFUSED),
        len(incoming.text) > MAX_TEXT,
        language=incoming.language,
    )


def asks(caption: str) -> bool:
    """Whether what was written with a picture or a file is to be answered. What gives a personal number away is not: then
    the picture is most likely of the card, and what to do about that is said instead.
    """
    return any(c.isalnum() for c in caption) and not personal.mask(caption)[1]


@dataclass(frozen=True, slots=True)
class Receipt:
    """A messenger says that something we sent reached a phone (`delivered`) or was looked at (`seen`).

    `external_ids` are the ids of `Sent`; `tracking_id` is a name that we gave a message ourselves, "" if we gave none.
    Who it was is not in it.
    """

    channel: str
    account: str
    state: str
    external_ids: tuple[str, ...]
    tracking_id: str
    at: datetime


# What became of one attempt to send. A channel classifies; the sender decides what to do about it.


@dataclass(frozen=True, slots=True)
class Sent:
    """The messenger accepted it, under this id. `more` are the ids of what went with it, if it may have to be taken back."""

    external_id: str
    more: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RetryAfter:
    """The messenger asks this account to wait so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Transient:
    """It may work later; it may even have arrived (`maybe_sent`: the answer got lost)."""

    reason: str
    maybe_sent: bool = False


@dataclass(frozen=True, slots=True)
class ContactStopped:
    """The citizen blocked or left the bot, or is not reachable any more."""

    reason: str


@dataclass(frozen=True, slots=True)
class OutsideWindow:
    """The messenger allows no message to this citizen now (Zalo: 48 hours, 7 days); `until`: but does from then on (night)."""

    reason: str
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """The messenger will never take this message."""

    reason: str


@dataclass(frozen=True, slots=True)
class Misconfigured:
    """The account itself does not work (token, rights): stop the account and tell its owner."""

    reason: str


@dataclass(frozen=True, slots=True)
class Moved:
    """The chat has a new id (a Telegram group became a supergroup): remember it and send there."""

    chat: str


@dataclass(frozen=True, slots=True)
class LeftForPickup:
    """The channel cannot push: the reply stays queued until the citizen's page fetches it. Look again in so many seconds."""

    seconds: float


Outcome = (
    LeftForPickup | Sent | RetryAfter | Transient | ContactStopped | OutsideWindow | Rejected | Misconfigured | Moved
)


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a channel can show."""

    text_limit: int
    buttons: bool
    files: bool = False
    edits: bool = False
    pays: bool = False
    """Whether it may send what costs the agency money."""


class Channel(Protocol):
    """One channel account, able to send."""

    name: str
    account: str
    capabilities: Capabilities

    async def send(self, chat: str, reply: Reply) -> Outcome:
        """Deliver one reply; every failure of the messenger comes back as a value."""


@runtime_checkable
class Corrects(Protocol):
    """A channel account that can put other words in the place of a message that it sent. Others send a new message."""

    async def correct(self, chat: str, external_id: str, reply: Reply) -> Outcome:
        """Replace a message; `Rejected` if that is not possible (any more)."""


@runtime_checkable
class Withdraws(Protocol):
    """A channel account that can take away what it sent."""

    async def withdraw(self, chat: str, external_ids: Sequence[str]) -> Outcome:
        """Take messages away; `Rejected` if that is not possible (any more)."""


@runtime_checkable
class Counts(Protocol):
    """A channel account whose replies may take several messages. Of others, each takes one."""

    def cost(self, chat: str, reply: Reply) -> int:
        """Return how many messages sending a reply now takes: what the chat has of it already is not counted."""


@runtime_checkable
class Paced(Protocol):
    """A channel account whose messenger limits how fast one chat may be written to."""

    def pace(self, chat: str) -> tuple[str, Pace]:
        """Return what the messenger counts as the chat, and how fast it may be written to."""


class Channels:
    """The channel accounts of this process, by channel and account. They come and go while it runs."""

    def __init__(self, by_key: Mapping[tuple[str, str], Channel] | None = None) -> None:
        self._by_key: dict[tuple[str, str], Channel] = dict(by_key or {})
        self._held: Mapping[tuple[str, str], datetime] = {}

    def get(self, channel: str, account: str) -> Channel | None:
        """Return one account; None if this process does not have it."""
        return self._by_key.get((channel, account))

    def present(self) -> list[tuple[str, str]]:
        """Return channel and account of what there is now."""
        return sorted(self._by_key)

    def held_until(self, channel: str, account: str) -> datetime | None:
        """Return until when a messenger asked an account to wait, whichever process heard it."""
        return self._held.get((channel, account))

    def hold(self, held: Mapping[tuple[str, str], datetime]) -> None:
        """Take over what all processes were told."""
        self._held = held

    def put(self, channel: Channel) -> None:
        """Add or replace an account."""
        self._by_key[channel.name, channel.account] = channel

    def remove(self, channel: str, account: str) -> None:
        """Take an account out; what is on its way through it ends by itself."""
        self._by_key.pop((channel, account), None)
