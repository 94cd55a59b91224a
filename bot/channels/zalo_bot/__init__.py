"""The Zalo Bot Platform: bots that anybody makes in the Zalo app in a few minutes, with a small monthly quota."""

from __future__ import annotations

from bot.channels.zalo_bot.api import API_URL
from bot.channels.zalo_bot.channel import ZaloBotChannel, ZaloBotError
from bot.channels.zalo_bot.quota import FREE, Quota
from bot.channels.zalo_bot.updates import ZaloBotPoller, take_webhook, webhook_router
from bot.clock import Clock
from bot.storage.database import Database

__all__ = ["ZaloBotChannel", "ZaloBotError", "ZaloBotPoller", "take_webhook", "webhook_router", "zalo_bot_channel"]


def zalo_bot_channel(
    account: str,
    token: str,
    *,
    database: Database,
    clock: Clock,
    api_url: str = API_URL,
    webhook_secret: str = "",
    public_url: str = "",
    display_name: str = "",
    messages_a_month: int = FREE,
) -> ZaloBotChannel:
    """Return a channel account that counts what it sends against its plan's quota."""
    quota = Quota(database, account, clock, messages_a_month)
    return ZaloBotChannel(
        account,
        token,
        api_url=api_url or API_URL,
        webhook_secret=webhook_secret,
        public_url=public_url,
        display_name=display_name,
        quota=quota,
    )
