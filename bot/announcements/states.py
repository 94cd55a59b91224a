"""The closed lists: where an announcement stands, where a delivery stands, and why."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class AnnouncementState(StrEnum):
    """Where an announcement stands."""

    WAITING = "waiting"
    """The quiet hours hold it; it goes on by itself at six."""
    SENDING = "sending"
    """Deliveries are on their way."""
    CLOSED = "closed"
    """Every recipient has a final state: the states sum to the audience."""
    CANCELLED = "cancelled"
    """Somebody stopped it; what had not left is `skipped:cancelled`."""


class DeliveryState(StrEnum):
    """Where one recipient's delivery stands. All but the first two are final."""

    QUEUED = "queued"
    """It has not left; it may have been tried, and waits for its next attempt."""
    SENDING = "sending"
    """Written down before the request leaves. Found after a crash, it becomes `uncertain`."""
    ACCEPTED = "accepted"
    """The messenger took it (not: somebody read it). On the web: the citizen's open page was given it."""
    WAITING_FOR_VISIT = "waiting_for_visit"
    """Web only: it lies ready and is shown when the citizen next opens the page; then it becomes `accepted`.

    It counts as final, since nothing more can be done, but not as received.
    """
    FAILED = "failed"
    """It will not be delivered, for the coded reason."""
    SKIPPED = "skipped"
    """It was not to be sent (any more), for the coded reason."""
    UNCERTAIN = "uncertain"
    """The request left and its fate is unknown. It is not repeated: nobody wants an announcement twice."""


class Reason(StrEnum):
    """Why a delivery failed, was skipped or is uncertain. Free words of a messenger are not kept."""

    UNREACHABLE = "unreachable"
    """failed: no line to the messenger, five times."""
    BLOCKED = "blocked"
    """failed: the citizen blocked or left the bot; the contact is marked as stopped."""
    REJECTED = "rejected"
    """failed: the messenger does not take this message."""
    OUTSIDE_WINDOW = "outside_window"
    """failed: the messenger allows no message to this citizen now."""
    EXPIRED = "expired"
    """failed: it could not leave for days; it would be no news any more."""
    OPTED_OUT = "opted_out"
    """skipped: the citizen stopped announcements after the audience was counted."""
    STOPPED = "stopped"
    """skipped: the citizen left the bot after the audience was counted."""
    MOVED_AWAY = "moved_away"
    """skipped: the citizen chose a commune outside the unit after the audience was counted."""
    GONE = "gone"
    """skipped: the conversation does not exist any more."""
    CANCELLED = "cancelled"
    """skipped: the announcement was stopped first."""
    PROCESS_DIED = "process_died"
    """uncertain: the process ended between the request and its answer."""
    NO_ANSWER = "no_answer"
    """uncertain: the request left and no (readable) answer came."""


OPEN: Final = (DeliveryState.QUEUED, DeliveryState.SENDING)
"""States from which a delivery still moves by itself."""
FINISHED: Final = (AnnouncementState.CLOSED, AnnouncementState.CANCELLED)
