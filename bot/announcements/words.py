"""What a citizen writes in the words of a button, where the channel shows none: it is the same as having pressed it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, select

from bot.announcements.compose import presses
from bot.announcements.content import content_of
from bot.announcements.states import RECEIVED, DeliveryState
from bot.announcements.tables import announcement, delivery
from bot.conversation import choices
from bot.messages import Address

CHANNELS: Final = frozenset({"zalo-oa", "zalo-bot"})
"""Their texts say the buttons in words (`bot.channels.splitting`); elsewhere nobody has to type them."""
LONGEST: Final = 60
"""Letters of a label; "Không nhận tin …" is put together here and may be longer than an officer's."""
WITHIN: Final = timedelta(days=7)
"""Who answers later has to say what they mean."""


class Words:
    """Finds the button. One object for the process; it keeps nothing."""

    def wants(self, address: Address, text: str) -> bool:
        """Whether a text may be a button's words: where buttons are shown, nobody has to type them."""
        return address.channel in CHANNELS and 0 < len(choices.fold(text)) <= LONGEST

    def payload(self, connection: Connection, conversation_id: int, text: str, at: datetime) -> str:
        """Return the payload of the button whose label a text as a whole is, the newest first; "" if it is none."""
        said = choices.fold(text)
        lately = select(announcement.c.id).where(announcement.c.started_at > at - WITHIN)
        query = (
            select(announcement.c.code, announcement.c.content)
            .join(delivery, delivery.c.announcement_id == announcement.c.id)
            .where(
                delivery.c.announcement_id.in_(lately),
                delivery.c.conversation_id == conversation_id,
                # An answer may have been lost on its way to us: the citizen, who writes these words, has the message.
                delivery.c.state.in_((*RECEIVED, DeliveryState.UNCERTAIN)),
                announcement.c.content.is_not(None),
            )
            .order_by(delivery.c.at.desc())
        )
        for row in connection.execute(query):
            for button in presses(content_of(row.content), row.code or ""):
                if choices.fold(button.label) == said:
                    return button.payload
        return ""
