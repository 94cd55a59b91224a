"""The values of a conversation: what comes in, what is remembered, what goes out."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any, Final

HISTORY: Final = 6
"""How many topics a session remembers, for "quay lại cái lúc nãy"."""


class AnswerStatus(StrEnum):
    """How a turn ended; the closed list of the contract."""

    ANSWERED = "answered"
    CLARIFIED = "clarified"
    OUT_OF_SCOPE = "out_of_scope"
    UNKNOWN = "unknown"
    HANDED_OVER = "handed_over"
    ACTION_DONE = "action_done"
    SMALLTALK = "smalltalk"
    REFUSED_PERSONAL_DATA = "refused_personal_data"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Button:
    """A next step. `payload` is short ASCII (a messenger allows 64 bytes); a link has `url` instead."""

    label: str
    payload: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class SourceLine:
    """What an answer is based on and how old that is."""

    title: str
    url: str
    seen_on: date


@dataclass(frozen=True, slots=True)
class Attachment:
    """A document of the library, by its address below the server's root."""

    title: str
    url: str
    media_type: str


@dataclass(frozen=True, slots=True)
class TemplateMessage:
    """A template that a messenger approved for one of its accounts, filled in: parameters by name."""

    account: str
    id: str
    data: tuple[tuple[str, str], ...] = ()
    promotional: bool = False


@dataclass(frozen=True, slots=True)
class Reply:
    """One bubble, in plain text; each channel renders it within its own limits.

    `first` is the number by which the first button is chosen where there are no buttons; 0: by no number, only in words.
    """

    text: str
    buttons: tuple[Button, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    source: SourceLine | None = None
    first: int = 1
    about: str = ""
    """The topic, or "topic:aspect", that the bubble answers: a link can lead others to it."""
    in_place: bool = False
    """It takes the place of the bubble whose button was pressed, where a channel can do that."""
    templates: tuple[TemplateMessage, ...] = ()
    """Of announcements: what leaves instead where the messenger takes nothing else. An answer has none, so none is stored."""


@dataclass(frozen=True, slots=True)
class Pending:
    """What the bot waits for: a choice among `options`, or a free answer of a `kind` (place, question for an officer).

    `more` are the buttons of a further bubble (the introduction), numbered on from the options.
    """

    kind: str
    options: tuple[Button, ...] = ()
    more: tuple[Button, ...] = ()


@dataclass(frozen=True, slots=True)
class Session:
    """What is remembered between two turns. No text of the citizen is kept."""

    greeted: bool = False
    consented: bool = False
    ward: str | None = None
    subscribed: bool = False
    muted: tuple[str, ...] = ()
    """Kinds of announcements that are not wanted."""
    topic: str | None = None
    aspect: str | None = None
    recent: tuple[str, ...] = ()
    lessons: tuple[str, ...] = ()
    """Lessons in digital skills that somebody read who agreed to that being kept, in order."""
    pending: Pending | None = None
    linked: bool = False
    """Shares commune, consent and subscription with other channels of the same person."""
    preferred: bool = False
    """Of the linked channels, the one that gets the announcements."""
    language: str = ""
    """Of the citizen's screen, where the messenger tells it."""

    def as_dict(self) -> dict[str, Any]:
        """JSON for storage; `from_dict` reads it. What columns of the conversation say (`linked`, `preferred`, `language`) is
        left out.
        """
        pending = None
        if self.pending is not None:
            options, more = (
                [[o.label, o.payload, o.url] for o in some] for some in (self.pending.options, self.pending.more)
            )
            pending = {"kind": self.pending.kind, "options": options, "more": more}
        return {
            "greeted": self.greeted,
            "consented": self.consented,
            "ward": self.ward,
            "subscribed": self.subscribed,
            "muted": list(self.muted),
            "topic": self.topic,
            "aspect": self.aspect,
            "recent": list(self.recent),
            "lessons": list(self.lessons),
            "pending": pending,
        }

    @classmethod
    def from_dict(cls, state: dict[str, Any]) -> Session:
        """Read a stored session; a state of an older version lacks fields, which then have their defaults."""
        raw = state.get("pending")
        pending = None
        if raw:
            options, more = (tuple(Button(*o) for o in raw.get(name, ())) for name in ("options", "more"))
            pending = Pending(raw["kind"], options, more)
        known = {k: state[k] for k in ("greeted", "consented", "ward", "subscribed", "topic", "aspect") if k in state}
        muted, recent, lessons = (tuple(state.get(name, ())) for name in ("muted", "recent", "lessons"))
        return cls(**known, muted=muted, recent=recent, lessons=lessons, pending=pending)


@dataclass(frozen=True, slots=True)
class Other:
    """What another conversation chose, to which a code leads. `newer`: it chose later than this one."""

    channel: str
    ward: str | None
    subscribed: bool
    consented: bool
    newer: bool


@dataclass(frozen=True, slots=True)
class LinkFacts:
    """What a turn about linking channels has to know: a code that may be shown, or where a typed one leads.

    `refused` says why there is neither: unknown, own, already, too_many.
    """

    code: str = ""
    other: Other | None = None
    refused: str = ""


@dataclass(frozen=True, slots=True)
class Said:
    """What the citizen did this turn: wrote a text, pressed a button, or opened the bot (with a campaign's payload).

    `personal` lists kinds of personal numbers that were masked out of the text at the door.
    """

    text: str = ""
    payload: str = ""
    opened: bool = False
    personal: tuple[str, ...] = ()
    unsupported: str = ""
    link: LinkFacts | None = None


# Effects: what the roof has to do after a turn, in the same transaction as the replies.


@dataclass(frozen=True, slots=True)
class ConsentGiven:
    """The citizen agreed to the questions (without personal data) being kept."""


@dataclass(frozen=True, slots=True)
class WardChosen:
    """The citizen's commune or ward, by national code; None = asked to forget it."""

    code: str | None


@dataclass(frozen=True, slots=True)
class Subscribed:
    """The citizen wants the announcements of their commune."""


@dataclass(frozen=True, slots=True)
class Unsubscribed:
    """The citizen wants no more announcements, from now on."""


@dataclass(frozen=True, slots=True)
class CategoriesChosen:
    """The kinds of announcements that the citizen does not want, all of them."""

    muted: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AnnouncementPressed:
    """A button under an announcement: `what` is read, join or ask. The code says which announcement, never who."""

    code: str
    what: str


@dataclass(frozen=True, slots=True)
class DataErased:
    """Everything stored about this citizen is to go."""


@dataclass(frozen=True, slots=True)
class QuestionRecorded:
    """A question without an answer, masked, for the editors (`reason` unknown or unclear) or an officer (`officer`)."""

    text: str
    reason: str


@dataclass(frozen=True, slots=True)
class Rated:
    """Praise (1) or blame (-1) for the last answer, on its topic and aspect."""

    value: int
    topic: str | None = None
    aspect: str | None = None


@dataclass(frozen=True, slots=True)
class MaterialGiven:
    """An item of a pack was given to the citizen, under the topic they came from."""

    pack: str
    item: str
    topic: str | None


@dataclass(frozen=True, slots=True)
class LinkCodeShown:
    """A code was shown; its hash is to be kept for as long as it is valid."""

    code: str


@dataclass(frozen=True, slots=True)
class LinkCodeClaimed:
    """A right code was typed here; from now on only this conversation may confirm it."""

    code: str


@dataclass(frozen=True, slots=True)
class LinkGuessFailed:
    """A wrong code was typed."""


@dataclass(frozen=True, slots=True)
class Linked:
    """The citizen confirmed: both conversations are one person's."""


@dataclass(frozen=True, slots=True)
class LinkDeclined:
    """The citizen does not want to link; the code is spent."""


@dataclass(frozen=True, slots=True)
class Unlinked:
    """The conversation is on its own again."""


@dataclass(frozen=True, slots=True)
class PreferredHere:
    """Of the linked channels, this one is to get the announcements."""


LinkEffect = LinkCodeShown | LinkCodeClaimed | LinkGuessFailed | Linked | LinkDeclined | Unlinked | PreferredHere
Effect = (
    ConsentGiven
    | WardChosen
    | Subscribed
    | Unsubscribed
    | CategoriesChosen
    | AnnouncementPressed
    | DataErased
    | QuestionRecorded
    | Rated
    | MaterialGiven
    | LinkEffect
)


@dataclass(frozen=True, slots=True)
class Turn:
    """The outcome of one turn."""

    replies: tuple[Reply, ...]
    session: Session
    status: AnswerStatus
    topic: str | None = None
    aspect: str | None = None
    effects: tuple[Effect, ...] = field(default=())
