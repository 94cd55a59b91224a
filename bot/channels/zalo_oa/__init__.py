"""Zalo Official Account: signed webhooks, messages within Zalo's windows, tokens that no crash loses unnoticed."""

from bot.channels.zalo_oa.channel import ZaloOaChannel, zalo_oa_channel
from bot.channels.zalo_oa.client import ZaloOaClient, ZaloRefused
from bot.channels.zalo_oa.interactions import last_interactions
from bot.channels.zalo_oa.signature import Keys
from bot.channels.zalo_oa.tokens import Secrets, seeded
from bot.channels.zalo_oa.updates import Accounts, Resting, take_event, webhook_router

__all__ = [
    "Accounts",
    "Keys",
    "Resting",
    "Secrets",
    "ZaloOaChannel",
    "ZaloOaClient",
    "ZaloRefused",
    "last_interactions",
    "seeded",
    "take_event",
    "webhook_router",
    "zalo_oa_channel",
]
