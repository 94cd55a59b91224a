"""One Telegram bot as a channel account: sending, and what Telegram's refusals mean."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any, Final

from telegram import Bot, BotCommand, InputFile, LinkPreviewOptions
from telegram.constants import ChatAction, MessageLimit, ParseMode
from telegram.error import (
    BadRequest,
    ChatMigrated,
    Conflict,
    Forbidden,
    InvalidToken,
    NetworkError,
    RetryAfter,
    TelegramError,
    TimedOut,
)
from telegram.request import HTTPXRequest

from bot import messages
from bot.channels.telegram import render
from bot.channels.telegram.parse import CHANNEL, parse
from bot.conversation.messages import catalogue
from bot.conversation.model import Attachment, Reply
from bot.messages import Capabilities, Incoming, Outcome

# The library is half way from whole seconds to time spans; this chooses the later form, and spares its warning.
os.environ.setdefault("PTB_TIMEDELTA", "1")

TIMEOUT: Final = 15.0
"""Seconds for one request; the sender's own limit is above it."""
CAPTION: Final = int(MessageLimit.CAPTION_LENGTH)
ReadFile = Callable[[str], Awaitable[bytes]]
ALLOWED_UPDATES: Final = ("message", "callback_query", "my_chat_member")

log = logging.getLogger(__name__)


class TelegramChannel:
    """A `bot.messages.Channel`. `secret` is the webhook's; the token is never shown or logged."""

    name = CHANNEL
    capabilities = Capabilities(render.LIMIT, buttons=True, files=True, edits=True)

    def __init__(
        self,
        account: str,
        token: str,
        *,
        api_url: str = "https://api.telegram.org",
        webhook_secret: str = "",
        read_file: ReadFile | None = None,
    ) -> None:
        """Take the account's name and secrets, and a way to read a document of the library by its address."""
        self.account = account
        self.secret = webhook_secret
        self.problem = ""
        """Why the account does not work; "" while it does."""
        base = f"{api_url.rstrip('/')}/bot"
        calls = HTTPXRequest(
            connection_pool_size=32, read_timeout=TIMEOUT, write_timeout=TIMEOUT, connect_timeout=5.0, pool_timeout=5.0
        )
        polls = HTTPXRequest(connection_pool_size=2, read_timeout=TIMEOUT, connect_timeout=5.0, pool_timeout=5.0)
        files = f"{api_url.rstrip('/')}/file/bot"
        self._requests = (calls, polls)
        self._read_file = read_file
        self._file_ids: dict[str, str] = {}
        self.bot = Bot(token, base_url=base, base_file_url=files, request=calls, get_updates_request=polls)

    async def stop(self) -> None:
        """Close the connections."""
        for requests in self._requests:
            await requests.shutdown()

    async def introduce(self) -> None:
        """Learn the bot's name and id (needed in groups), and set its menu of commands.

        Raises:
            TelegramError: Telegram refuses or is out of reach.
        """
        await self.bot.get_me()
        commands = [BotCommand(name, text) for name, text in catalogue()["telegram_commands"].items()]
        await self.bot.set_my_commands(commands)
        await self.bot.set_my_commands(commands, language_code="vi")

    async def set_webhook(self, public_url: str) -> None:
        """Point Telegram at this server.

        Raises:
            TelegramError: Telegram refuses or is out of reach.
        """
        url = f"{public_url.rstrip('/')}/channels/telegram/{self.account}/webhook"
        await self.bot.set_webhook(url, secret_token=self.secret, allowed_updates=list(ALLOWED_UPDATES))

    def parse(self, raw: dict[str, Any], now: datetime) -> Incoming | None:
        """Return what an update says a citizen did."""
        return parse(raw, self.bot, self.account, now)

    async def acknowledge(self, raw: dict[str, Any]) -> None:
        """Stop the waiting sign on a pressed button. Best effort: the answer itself follows anyway."""
        query = raw.get("callback_query")
        if isinstance(query, dict) and isinstance(query.get("id"), str):
            with contextlib.suppress(TelegramError):
                await self.bot.answer_callback_query(query["id"], read_timeout=5.0)

    async def send(self, chat: str, reply: Reply) -> Outcome:
        """Send a reply, in as many parts as it needs; a part that fails decides, and the caller sends the whole again."""
        parts = render.texts(reply)
        sent = ""
        try:
            with contextlib.suppress(TelegramError):
                await self.bot.send_chat_action(chat, ChatAction.TYPING, read_timeout=2.0, write_timeout=2.0)
            for number, part in enumerate(parts, 1):
                markup = render.keyboard(reply.buttons) if number == len(parts) else None
                sent = await self._send_part(chat, part, markup)
            for attachment in reply.attachments:
                await self._send_document(chat, attachment)
        except TelegramError as error:
            return self._outcome(error)
        self.problem = ""
        return messages.Sent(sent)

    async def _send_part(self, chat: str, part: str, markup: Any) -> str:
        options: dict[str, Any] = {
            "reply_markup": markup,
            "link_preview_options": LinkPreviewOptions(is_disabled=True),
        }
        try:
            message = await self.bot.send_message(chat, part, parse_mode=ParseMode.HTML, **options)
        except BadRequest as error:
            if "parse entities" not in str(error).lower():
                raise
            message = await self.bot.send_message(chat, render.plain(part), **options)
        return str(message.message_id)

    async def _send_document(self, chat: str, attachment: Attachment) -> None:
        """Send a document; after the first time by Telegram's own id for it, without uploading it again."""
        known = self._file_ids.get(attachment.url)
        if known is None and self._read_file is None:
            return
        content: Any = known
        if known is None and self._read_file is not None:
            data = await self._read_file(attachment.url)
            content = InputFile(data, filename=attachment.url.rsplit("/", 1)[-1])
        message = await self.bot.send_document(chat, content, caption=attachment.title[:CAPTION])
        if message.document is not None:
            self._file_ids[attachment.url] = message.document.file_id

    def _outcome(self, error: TelegramError) -> Outcome:
        """Say what an error means. BadRequest is a subclass of NetworkError, and is asked for first."""
        match error:
            case Forbidden():
                return messages.ContactStopped(_reason(error))
            case RetryAfter():
                return messages.RetryAfter(seconds(error))
            case ChatMigrated():
                return messages.Moved(str(error.new_chat_id))
            case InvalidToken() | Conflict():
                self.problem = type(error).__name__
                return messages.Misconfigured(type(error).__name__)
            case BadRequest() if "chat not found" in str(error).lower():
                return messages.ContactStopped(_reason(error))
            case BadRequest():
                return messages.Rejected(_reason(error))
            case TimedOut():
                return messages.Transient("TimedOut", maybe_sent=True)
            case NetworkError():
                return messages.Transient(type(error).__name__)
        return messages.Rejected(_reason(error))


def seconds(error: RetryAfter) -> float:
    """Return how long Telegram asks to wait."""
    wait = error.retry_after
    return wait.total_seconds() if isinstance(wait, timedelta) else float(wait)


def _reason(error: TelegramError) -> str:
    """Telegram's own words: they name neither the token nor a text."""
    return str(error)[:120]
