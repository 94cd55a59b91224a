"""Telegram: python-telegram-bot's types and transport; its own update queue is in memory and is not used."""

from bot.channels.telegram.channel import TelegramChannel
from bot.channels.telegram.updates import TelegramPoller, webhook_router

__all__ = ["TelegramChannel", "TelegramPoller", "webhook_router"]
