"""Who did what, when, in which unit. Written in the transaction of what it tells of; never changed afterwards."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from console.tables import audit

LOGIN: Final = "login"
LOGIN_FAILED: Final = "login_failed"
LOGIN_THROTTLED: Final = "login_throttled"
LOGOUT: Final = "logout"
OFFICER_ADDED: Final = "officer_added"
OFFICER_DISABLED: Final = "officer_disabled"
LINK_MADE: Final = "link_made"
CODE_MADE: Final = "code_made"
CHAT_LINKED: Final = "chat_linked"
CHAT_UNLINKED: Final = "chat_unlinked"
KEY_MADE: Final = "key_made"
PASSWORD_SET: Final = "password_set"  # noqa: S105 - the name of an action


async def note(
    connection: AsyncConnection,
    *,
    at: datetime,
    action: str,
    officer_id: int | None = None,
    unit: str | None = None,
    subject: str | None = None,
) -> None:
    """Append one line in the caller's transaction.

    Args:
        officer_id: who acted; None for the operator's command line and for failed logins.
        subject: what was acted on: a login, an announcement's id. Never what somebody typed into a form.
    """
    await connection.execute(
        insert(audit).values(at=at, officer_id=officer_id, action=action, unit=unit, subject=subject)
    )
