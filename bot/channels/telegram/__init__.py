"""Telegram: python-telegram-bot's types and transport; its own update queue is in memory and is not used."""

from bot.channels.telegram.channel import TelegramChannel
from bot.channels.telegram.updates import TelegramPoller, take_webhook, webhook_router

__all__ = ["TelegramChannel", "TelegramPoller", "take_webhook", "webhook_router"]
