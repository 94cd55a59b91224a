"""The one table of what may become of an announcement. Every change of a state goes through `after`, and is refused there."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from bot.announcements.states import AnnouncementState as State
from bot.announcements.texts import told


class Action(StrEnum):
    """What is done to an announcement: by an officer, or (the last ones) by time itself."""

    REVISE = "revise"
    """Its content or audience is changed; whoever approved it has to be asked again."""
    SUBMIT = "submit"
    APPROVE = "approve"
    RETURN = "return"
    """It goes back to its author, with a reason."""
    SCHEDULE = "schedule"
    SEND = "send"
    """It begins now."""
    PAUSE = "pause"
    RESUME = "resume"
    CANCEL = "cancel"
    RECALL = "recall"
    BEGIN = "begin"
    """Its moment has come, and everything still holds."""
    ASK_AGAIN = "ask_again"
    """Its moment has come, and it is no longer what was approved."""
    LAPSE = "lapse"
    """Its moment came too late, or nothing of it may be sent any more."""
    FALL_ASLEEP = "fall_asleep"
    WAKE = "wake"
    CLOSE = "close"
    """Every recipient has a final state."""
    RUN_OUT = "run_out"
    """The rule of a repeated one has no moment left."""
    HOLD = "hold"
    """What is scheduled is not to begin for now. Another act than `PAUSE`, since it leads elsewhere: nothing has begun."""
    RELEASE = "release"
    """What was held before it began is scheduled again."""
    EXPIRE = "expire"
    """It was too late for some of its recipients after it had begun. Its state does not change by that."""
    ARTICLE = "article"
    """It was broadcast as an article, too. Its state does not change by that."""


MOVES: Final[Mapping[State, Mapping[Action, State]]] = MappingProxyType(
    {
        State.DRAFT: {Action.REVISE: State.DRAFT, Action.SUBMIT: State.IN_REVIEW, Action.CANCEL: State.CANCELLED},
        State.IN_REVIEW: {
            Action.REVISE: State.DRAFT,
            Action.APPROVE: State.APPROVED,
            Action.RETURN: State.DRAFT,
            Action.CANCEL: State.CANCELLED,
        },
        State.APPROVED: {
            Action.REVISE: State.DRAFT,
            Action.RETURN: State.DRAFT,
            Action.SCHEDULE: State.SCHEDULED,
            Action.SEND: State.SCHEDULED,
            Action.CANCEL: State.CANCELLED,
        },
        State.SCHEDULED: {
            Action.REVISE: State.DRAFT,
            Action.RETURN: State.DRAFT,
            Action.SCHEDULE: State.SCHEDULED,
            Action.SEND: State.SCHEDULED,
            Action.CANCEL: State.CANCELLED,
            Action.BEGIN: State.SENDING,
            Action.ASK_AGAIN: State.IN_REVIEW,
            Action.LAPSE: State.CANCELLED,
            Action.RUN_OUT: State.CLOSED,
            Action.HOLD: State.HELD,
        },
        State.HELD: {
            Action.RELEASE: State.SCHEDULED,
            Action.SCHEDULE: State.SCHEDULED,
            Action.REVISE: State.DRAFT,
            Action.RETURN: State.DRAFT,
            Action.CANCEL: State.CANCELLED,
        },
        State.WAITING: {
            Action.WAKE: State.SENDING,
            Action.PAUSE: State.PAUSED,
            Action.CLOSE: State.CLOSED,
            Action.CANCEL: State.CANCELLED,
            Action.RECALL: State.RECALLED,
        },
        State.SENDING: {
            Action.FALL_ASLEEP: State.WAITING,
            Action.PAUSE: State.PAUSED,
            Action.CLOSE: State.CLOSED,
            Action.CANCEL: State.CANCELLED,
            Action.RECALL: State.RECALLED,
        },
        State.PAUSED: {
            Action.RESUME: State.SENDING,
            Action.CLOSE: State.CLOSED,
            Action.CANCEL: State.CANCELLED,
            Action.RECALL: State.RECALLED,
        },
        State.CLOSED: {Action.RECALL: State.RECALLED},
        State.CANCELLED: {Action.RECALL: State.RECALLED},
        State.RECALLED: {},
    }
)
"""From each state: the actions that are allowed there, and where they lead."""
TARGETS: Final[Mapping[Action, State]] = MappingProxyType(
    {
        action: next(moves[action] for moves in MOVES.values() if action in moves)
        for action in Action
        if any(action in moves for moves in MOVES.values())
    }
)
"""Where an action leads, for the sentence that refuses it."""


class NotAllowed(ValueError):
    """A move that the table does not have; the sentence names both states, and says what can be done instead."""

    def __init__(self, state: State, action: Action) -> None:
        self.state, self.action = state, action
        self.target = TARGETS[action]
        super().__init__(
            told("problems", "move_same" if state is self.target else "move",
                action=told("actions", action),
                state=told("announcement_states", state),
                target=told("announcement_states", self.target),
                instead=told("instead", state),
            )
        )  # fmt: skip


def after(state: State, action: Action) -> State:
    """Return the state after an action.

    Raises:
        NotAllowed: the table does not allow it.
    """
    moves = MOVES[state]
    if action not in moves:
        raise NotAllowed(state, action)
    return moves[action]


def before(action: Action) -> tuple[State, ...]:
    """Return the states in which an action is allowed, for the condition of an UPDATE."""
    return tuple(state for state, moves in MOVES.items() if action in moves)
