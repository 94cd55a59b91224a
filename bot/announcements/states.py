"""The closed lists: where an announcement stands, where a delivery stands, and why."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class AnnouncementState(StrEnum):
    """Where an announcement stands. Which move leads where is one table: `bot.announcements.lifecycle`."""

    DRAFT = "draft"
    """Somebody writes it."""
    IN_REVIEW = "in_review"
    """A second person is to say yes or no."""
    APPROVED = "approved"
    """A second person said yes to exactly this content, audience and forecast."""
    SCHEDULED = "scheduled"
    """It begins by itself at a moment, once or again and again."""
    HELD = "held"
    """Somebody holds what was scheduled; it does not begin."""
    WAITING = "waiting"
    """It has begun; the quiet hours hold it, and it goes on by itself at six."""
    SENDING = "sending"
    """Deliveries are on their way."""
    PAUSED = "paused"
    """Somebody holds it; what has not left stays queued."""
    CLOSED = "closed"
    """Every recipient has a final state: the states sum to the audience."""
    CANCELLED = "cancelled"
    """Somebody stopped it, or it was too late; what had not left is `skipped:cancelled`."""
    RECALLED = "recalled"
    """Somebody took it back: what had not left is `skipped:recalled`, what had left is corrected by an announcement of its own."""


class DeliveryState(StrEnum):
    """Where one recipient's delivery stands. All but the first two are final; of those, some go on to the next better one."""

    QUEUED = "queued"
    """It has not left; it may have been tried, and waits for its next attempt."""
    SENDING = "sending"
    """Written down before the request leaves. Found after a crash, it becomes `uncertain`."""
    ACCEPTED = "accepted"
    """The messenger took it (not: somebody read it). On the web: the citizen's open page was given it."""
    DELIVERED = "delivered"
    """The messenger says that it reached the citizen's device. Only messengers that tell so get here."""
    SEEN = "seen"
    """The messenger says that the citizen opened it. Only messengers that tell so get here."""
    CLICKED = "clicked"
    """The citizen pressed a button under it, inside the messenger."""
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
    """failed, skipped: the messenger allows no message to this citizen now (skipped: known before asking it)."""
    EXPIRED = "expired"
    """failed: it could not leave for days, or not before its own end; it would be no news any more."""
    OPTED_OUT = "opted_out"
    """skipped: the citizen stopped announcements, or this kind of them, after the audience was counted."""
    STOPPED = "stopped"
    """skipped: the citizen left the bot after the audience was counted."""
    MOVED_AWAY = "moved_away"
    """skipped: the citizen chose a commune outside the audience after it was counted."""
    GONE = "gone"
    """skipped: the conversation does not exist any more."""
    ELSEWHERE = "elsewhere"
    """skipped: the same person gets it on the channel they prefer; if that fails, this one is sent after all."""
    QUOTA = "quota"
    """skipped: the citizen had three announcements that day, and it would be too late the next."""
    CANCELLED = "cancelled"
    """skipped: the announcement was stopped first."""
    RECALLED = "recalled"
    """skipped: the announcement was taken back first."""
    PROCESS_DIED = "process_died"
    """uncertain: the process ended between the request and its answer."""
    NO_ANSWER = "no_answer"
    """uncertain: the request left and no (readable) answer came."""


OPEN: Final = (DeliveryState.QUEUED, DeliveryState.SENDING)
"""States from which a delivery still moves by itself."""
RECEIVED: Final = (DeliveryState.ACCEPTED, DeliveryState.DELIVERED, DeliveryState.SEEN, DeliveryState.CLICKED)
"""The funnel of what arrived, from the least known to the most. A delivery only moves to the right."""
ACTIVE: Final = (AnnouncementState.WAITING, AnnouncementState.SENDING)
"""Deliveries may leave (by night only the urgent)."""
BEGUN: Final = (*ACTIVE, AnnouncementState.PAUSED)
"""There are deliveries, and not all have ended."""
FINISHED: Final = (AnnouncementState.CLOSED, AnnouncementState.CANCELLED, AnnouncementState.RECALLED)
"""Nothing moves any more by itself."""
