"""What an answer of Zalo's means for the message, the citizen and the account.

The documented codes (docs.zaloplatforms.com/docs/BOT/error_code): 400 bad request, 401 token unknown or expired, 403 internal
server error (so named there, whatever HTTP means by it), 404 not found, 408 request timeout, 429 quota exceeded. 426 is
"too often". What a citizen who blocked the bot looks like is not documented; the words of the description decide.
"""

from __future__ import annotations

import re
from typing import Any, Final

from bot import messages
from bot.channels.zalo_bot.api import Answer, Done, Lost, Refused
from bot.messages import Outcome

WAIT: Final = 60.0
"""Seconds to wait when Zalo says "quota exceeded" without saying for how long."""
_GONE: Final = re.compile(
    r"\b(?:block(?:ed)?|deactivated|kicked|chat (?:id )?(?:is )?(?:not found|invalid)|invalid chat|user (?:is )?not found"
    r"|not (?:in|a member of) (?:the )?group)\b",
    re.IGNORECASE,
)


def outcome(answer: Answer) -> Outcome:
    """Say what an answer to a sent message means."""
    match answer:
        case Done(result):
            return messages.Sent(message_id(result))
        case Lost(reason, arrived):
            return messages.Transient(reason, maybe_sent=arrived)
        case Refused():
            return _refusal(answer)


def _refusal(answer: Refused) -> Outcome:
    reason = f"{answer.code} {answer.description}".strip()
    if answer.code in (400, 403, 404) and _GONE.search(answer.description):
        return messages.ContactStopped(reason)
    match answer.code:
        case 426 | 429:
            return messages.RetryAfter(WAIT if answer.wait is None else answer.wait)
        case 401:
            return messages.Misconfigured(reason)
        case 408 | 504:
            return messages.Transient(reason, maybe_sent=True)
        case 403 | 404:
            # A 404 may be this citizen's or the bot's: one lost chat must not hold up the account, nor a slip lose replies.
            return messages.Transient(reason)
        case code if code >= 500:
            return messages.Transient(reason)
    return messages.Rejected(reason)


def message_id(result: Any) -> str:
    """Return the id under which Zalo accepted a message; "" if it names none."""
    found = result.get("message_id") if isinstance(result, dict) else None
    return str(found)[:128] if isinstance(found, str | int) else ""


def timed_out(answer: Answer) -> bool:
    """Whether a poll ended because nobody wrote: 408, or whatever other code, with that description."""
    if not isinstance(answer, Refused):
        return False
    return answer.code == 408 or (answer.code in (200, 504) and "timeout" in answer.description.lower())
