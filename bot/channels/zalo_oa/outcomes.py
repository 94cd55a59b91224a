"""What Zalo's error codes mean for the message, the citizen and the account. Zalo sends them with HTTP status 200.

The codes are those of the OA's error appendix; the few of the template host that it shares are among them. A code that is not
listed is a passing fault: it was no acceptance, and a later attempt may say more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from bot import messages
from bot.messages import Outcome

STALE_TOKEN: Final = frozenset({-216, -220, -124})
"""Invalid, expired, and the template host's word for both: renew the token once and try once more."""
STALE_UPLOAD: Final = -100
"""An uploaded file is kept for seven days."""
PROCESSING: Final = -214
"""An article is still being made."""
THROTTLED: Final = frozenset({-32, -144})
STOPPED: Final = frozenset({-213, -217, -222, -227, -244})
"""Does not follow, refused the invitation, is blocked or away for 45 days, restricted messages from the OA."""
OUTSIDE: Final = frozenset({-230, -232, -305, -311, -211, -218, -234, -133, -320, -321})
"""The seven days are over (and older rules: 48 hours, a number of answers); the OA's or the citizen's quota is used up; it is
night; it would have to be paid for and cannot be. The last two speak of the account, but free answers still leave."""
BY_NIGHT: Final = frozenset({-234, -133})
"""Of them: broadcasts and promotional templates leave between 06:00 and 21:59 only."""
MISCONFIGURED: Final = frozenset(
    {-202, -204, -205, -207, -208, -209, -212, -215, -219, -221, -223, -224, -235, -240, -242}
)
"""The OA or the app is deleted, not verified, not linked, has no right or no package, is of a type without this API; or Zalo has
shut the interface (-240). No message of this account can leave, so none is given up."""
REJECTED: Final = frozenset({-201, -210, -233, -248, -249, STALE_UPLOAD})
NO_SUCH_CITIZEN: Final = ("user_id is invalid", "recipient is invalid")
"""A refusal of the class "bad field" that speaks of the citizen, not of the message."""
CALM: Final = 30.0
"""Seconds an account rests after -32: Zalo counts requests a minute and does not say when the minute began."""
REASON: Final = 120


@dataclass(frozen=True, slots=True)
class Failed:
    """Zalo answered with an error."""

    code: int
    message: str


def outcome(failed: Failed) -> Outcome:
    """Say what an error means for a message."""
    code, reason = failed.code, reason_of(failed)
    if code in THROTTLED:
        return messages.RetryAfter(CALM)
    if code in STOPPED or (code == -201 and any(words in failed.message.lower() for words in NO_SUCH_CITIZEN)):
        return messages.ContactStopped(reason)
    if code in OUTSIDE:
        return messages.OutsideWindow(reason)
    if code in MISCONFIGURED or code in STALE_TOKEN:
        return messages.Misconfigured(reason)
    if code in REJECTED:
        return messages.Rejected(reason)
    return messages.Transient(reason)


def reason_of(failed: Failed) -> str:
    """Zalo's own words with their number: they name neither the token nor a text."""
    return f"{failed.code} {failed.message}"[:REASON].strip()
