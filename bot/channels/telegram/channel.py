"""One Telegram bot as a channel account: what it sends and fetches, and whether it works."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlencode

from telegram import Bot, BotCommand, InputFile, LinkPreviewOptions, Message
from telegram.constants import ChatAction, MessageLimit, ParseMode
from telegram.error import BadRequest, TelegramError

from bot import messages
from bot.channels.telegram import outcomes, render
from bot.channels.telegram.parse import CHANNEL, ourselves, parse
from bot.channels.telegram.transport import QuietRequest, WithoutToken
from bot.conversation.messages import catalogue
from bot.conversation.model import Attachment, Reply
from bot.messages import Capabilities, Incoming, Outcome

# The library is half way from whole seconds to time spans; this chooses the later form, and spares its warning.
os.environ.setdefault("PTB_TIMEDELTA", "1")

TIMEOUT: Final = 15.0
"""Seconds for one request; the sender's own limit is above it."""
COURTESY: Final = 2.0
"""Seconds for what may fail unnoticed: the typing sign, the end of a button's waiting sign."""
RESUME: Final = 900.0
"""Seconds for which a reply that stopped half way goes on where it stopped, instead of beginning again."""
HALF_WAY: Final = 1000
"""Replies remembered so; the oldest is forgotten first, and would begin again."""
CAPTION: Final = int(MessageLimit.CAPTION_LENGTH)
ReadFile = Callable[[str], Awaitable[bytes]]
ALLOWED_UPDATES: Final = ("message", "callback_query", "my_chat_member")

log = logging.getLogger(__name__)


@dataclass
class _Progress:
    """How much of a reply a chat has."""

    done: int
    message_id: str
    at: float


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
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take the account's name and secrets, and a way to read a document of the library by its address."""
        self.account = account
        self.secret = webhook_secret
        self._log_filter = WithoutToken(token)
        self._log_filter.attach()
        self._calls = QuietRequest(
            connection_pool_size=32, read_timeout=TIMEOUT, write_timeout=TIMEOUT, connect_timeout=5.0, pool_timeout=5.0
        )
        self._polls = QuietRequest(connection_pool_size=2, read_timeout=TIMEOUT, connect_timeout=5.0, pool_timeout=5.0)
        base = f"{api_url.rstrip('/')}/bot"
        files = f"{api_url.rstrip('/')}/file/bot"
        self.bot = Bot(token, base_url=base, base_file_url=files, request=self._calls, get_updates_request=self._polls)
        self._read_file = read_file
        self._file_ids: dict[str, str] = {}
        self._monotonic = monotonic
        self._half_way: dict[tuple[str, Reply], _Progress] = {}
        self._courtesies: set[asyncio.Task[None]] = set()
        self._receiving = ""
        self._sending = ""

    @property
    def problem(self) -> str:
        """Why the account does not work; "" while it does. A message that got out does not hide that nothing comes in."""
        return self._receiving or self._sending

    @problem.setter
    def problem(self, receiving: str) -> None:
        self._receiving = receiving

    async def stop(self) -> None:
        """Close the connections."""
        for task in self._courtesies:
            task.cancel()
        await asyncio.gather(*self._courtesies, return_exceptions=True)
        for requests in (self._calls, self._polls):
            await requests.shutdown()
        self._log_filter.detach()

    # the account

    async def identify(self) -> None:
        """Learn the bot's name and id, by which a group speaks to it.

        Raises:
            TelegramError: Telegram refuses or is out of reach.
        """
        await self.bot.get_me()

    async def identify_if_needed(self) -> None:
        """Identify the bot if that was not possible before; without it only private chats and commands are read."""
        if ourselves(self.bot) is None:
            with contextlib.suppress(TelegramError, TimeoutError):
                async with asyncio.timeout(COURTESY):
                    await self.identify()

    async def set_commands(self) -> None:
        """Set the menu of commands, as the default and for Vietnamese.

        Raises:
            TelegramError: Telegram refuses or is out of reach.
        """
        commands = [BotCommand(name, text) for name, text in catalogue()["telegram_commands"].items()]
        await self.bot.set_my_commands(commands)
        await self.bot.set_my_commands(commands, language_code="vi")

    async def introduce(self) -> None:
        """Identify the bot and set its menu.

        Raises:
            TelegramError: Telegram refuses or is out of reach.
        """
        await self.identify()
        await self.set_commands()

    async def set_webhook(self, public_url: str) -> None:
        """Point Telegram at this server.

        Raises:
            TelegramError: Telegram refuses or is out of reach, or there is no secret: every update would be refused here.
        """
        if not self.secret:
            raise TelegramError("a webhook needs a secret")
        url = f"{public_url.rstrip('/')}/channels/telegram/{self.account}/webhook"
        await self.bot.set_webhook(url, secret_token=self.secret, allowed_updates=list(ALLOWED_UPDATES))

    async def delete_webhook(self) -> None:
        """End the webhook, so that updates can be polled; those that wait are kept.

        Raises:
            TelegramError: Telegram refuses or is out of reach.
        """
        await self.bot.delete_webhook(drop_pending_updates=False)

    # what comes in

    async def fetch(self, offset: int | None, wait: float) -> list[dict[str, Any]]:
        """Return the updates from `offset` on as they came, after at most `wait` seconds.

        `Bot.get_updates` reads all of them into objects: one that it cannot read would hold up all others for ever.

        Raises:
            TelegramError: Telegram refuses or is out of reach.
        """
        query: dict[str, Any] = {"timeout": int(wait), "allowed_updates": json.dumps(ALLOWED_UPDATES)}
        if offset is not None:
            query["offset"] = offset
        found: Any = await self._polls.post(
            f"{self.bot.base_url}/getUpdates?{urlencode(query)}", read_timeout=wait + COURTESY * 5
        )
        if not isinstance(found, list):
            raise TelegramError("Invalid server response")
        return [update for update in found if isinstance(update, dict) and isinstance(update.get("update_id"), int)]

    def parse(self, raw: dict[str, Any], now: datetime) -> Incoming | None:
        """Return what an update says a citizen did."""
        return parse(raw, self.bot, self.account, now)

    async def acknowledge(self, raw: dict[str, Any]) -> None:
        """Stop the waiting sign on a pressed button. Best effort: the answer itself follows anyway."""
        query = raw.get("callback_query")
        if isinstance(query, dict) and isinstance(query.get("id"), str):
            with contextlib.suppress(TelegramError, TimeoutError):
                async with asyncio.timeout(COURTESY * 2):
                    await self.bot.answer_callback_query(query["id"])

    def acknowledge_soon(self, raw: dict[str, Any]) -> None:
        """Acknowledge beside the caller, who has more updates to store."""
        if "callback_query" in raw:
            task = asyncio.get_running_loop().create_task(self.acknowledge(raw))
            self._courtesies.add(task)
            task.add_done_callback(self._courtesies.discard)

    # what goes out

    async def send(self, chat: str, reply: Reply, *, typing: bool = True) -> Outcome:
        """Send a reply, in as many parts as it needs.

        The first part that fails decides the outcome. The same reply to the same chat, sent again, goes on with that
        part (unless this process forgot it): the citizen need not read the beginning twice.
        """
        key = (chat, reply)
        try:
            parts = render.texts(reply)
            if not parts and not reply.attachments:
                return messages.Rejected("nothing to send")
            progress = self._progress(key)
            if typing and parts and progress.done == 0:
                await self._type(chat)
            await self._send_from(progress, chat, reply, parts)
        except TelegramError as error:
            found = outcomes.outcome(error)
        except Exception as error:
            # Telegram's answer has a shape that the library cannot read, or we are wrong: the message may be there.
            log.error("sending failed", extra={"account": self.account, "error": type(error).__name__})
            found = messages.Transient(type(error).__name__, maybe_sent=True)
        else:
            found = messages.Sent(progress.message_id)
        if isinstance(found, messages.Sent):
            self._sending = ""
        elif isinstance(found, messages.Misconfigured):
            self._sending = found.reason
        if not isinstance(found, messages.Transient | messages.RetryAfter | messages.Misconfigured):
            self._half_way.pop(key, None)
        return found

    async def correct(self, chat: str, external_id: str, reply: Reply) -> Outcome:
        """Put other words in the place of a message; `Rejected` where Telegram does not let us (it is gone, or too old)."""
        try:
            [text, *rest] = render.texts(reply)
            if rest or not external_id.isdecimal():
                return messages.Rejected("not one message")
            await self.bot.edit_message_text(
                text,
                chat_id=chat,
                message_id=int(external_id),
                parse_mode=ParseMode.HTML,
                reply_markup=render.keyboard(reply.buttons),
                link_preview_options=LinkPreviewOptions(is_disabled=True),
            )
        except BadRequest as error:
            # "message is not modified": an earlier try arrived after all.
            if "not modified" in str(error).lower():
                return messages.Sent(external_id)
            return outcomes.outcome(error)
        except TelegramError as error:
            return outcomes.outcome(error)
        return messages.Sent(external_id)

    def _progress(self, key: tuple[str, Reply]) -> _Progress:
        """Return how far this reply came before, if that was lately."""
        now = self._monotonic()
        known = self._half_way.pop(key, None)
        if known is None or now - known.at > RESUME:
            known = _Progress(0, "", now)
        self._half_way[key] = known
        while len(self._half_way) > HALF_WAY:
            del self._half_way[next(iter(self._half_way))]
        return known

    async def _send_from(self, progress: _Progress, chat: str, reply: Reply, parts: list[str]) -> None:
        for number in range(progress.done, len(parts) + len(reply.attachments)):
            if number < len(parts):
                markup = render.keyboard(reply.buttons) if number == len(parts) - 1 else None
                message = await self._send_part(chat, parts[number], markup)
            else:
                found = await self._send_document(chat, reply.attachments[number - len(parts)])
                if found is None:
                    continue
                message = found
            progress.done, progress.at = number + 1, self._monotonic()
            if number < len(parts) or not progress.message_id:
                progress.message_id = str(message.message_id)

    async def _type(self, chat: str) -> None:
        with contextlib.suppress(TelegramError, TimeoutError):
            async with asyncio.timeout(COURTESY):
                await self.bot.send_chat_action(chat, ChatAction.TYPING)

    async def _send_part(self, chat: str, part: str, markup: Any) -> Message:
        options: dict[str, Any] = {
            "reply_markup": markup,
            "link_preview_options": LinkPreviewOptions(is_disabled=True),
        }
        try:
            return await self.bot.send_message(chat, part, parse_mode=ParseMode.HTML, **options)
        except BadRequest as error:
            if "parse entities" not in str(error).lower():
                raise
            return await self.bot.send_message(chat, render.plain(part), **options)

    async def _send_document(self, chat: str, attachment: Attachment) -> Message | None:
        """Send a document; after the first time by Telegram's own id for it, without uploading it again."""
        caption = render.clean(attachment.title)[:CAPTION]
        known = self._file_ids.get(attachment.url)
        if known is not None:
            try:
                return await self.bot.send_document(chat, known, caption=caption)
            except BadRequest as error:
                if "file" not in str(error).lower():
                    raise
                del self._file_ids[attachment.url]
        if self._read_file is None:
            return None
        data = await self._read(attachment.url)
        message = await self.bot.send_document(
            chat, InputFile(data, filename=attachment.url.rsplit("/", 1)[-1]), caption=caption
        )
        if message.document is not None:
            self._file_ids[attachment.url] = message.document.file_id
        return message

    async def _read(self, url: str) -> bytes:
        """Read a document of the library.

        Raises:
            BadRequest: it is not there or cannot be read, which no repetition mends.
        """
        assert self._read_file is not None
        try:
            return await self._read_file(url)
        except Exception as error:
            log.error("a document cannot be read", extra={"url": url, "error": type(error).__name__})
            raise BadRequest("the document cannot be read") from None
