"""One Telegram bot as a channel account: what it sends and fetches, and whether it works."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import urlencode

from telegram import (
    Bot,
    BotCommand,
    BotCommandScopeAllGroupChats,
    InputFile,
    MenuButtonCommands,
    Message,
)
from telegram.constants import ChatAction, FloodLimit, MessageLimit, ParseMode
from telegram.error import BadRequest, TelegramError

from bot import messages
from bot.channels.health import Health
from bot.channels.progress import HalfWay, Progress
from bot.channels.splitting import clean
from bot.channels.telegram import outcomes, render
from bot.channels.telegram.parse import CHANNEL, may_mention, ourselves, parse, where
from bot.channels.telegram.transport import TALKATIVE, Fields, QuietRequest
from bot.channels.tokens import WithoutToken
from bot.conversation.messages import catalogue
from bot.conversation.model import Attachment, Reply
from bot.messages import Capabilities, Incoming, Outcome
from bot.pace import Pace

if TYPE_CHECKING:
    from telegram.request import RequestData

# The library is half way from whole seconds to time spans; this chooses the later form, and spares its warning.
os.environ.setdefault("PTB_TIMEDELTA", "1")

TIMEOUT: Final = 15.0
"""Seconds for one request; the sender's own limit is above it."""
CONNECT: Final = 5.0
"""Seconds until a connection stands."""
COURTESY: Final = 2.0
"""Seconds for what may fail unnoticed: the typing sign, the end of a button's waiting sign."""
PICTURES: Final = frozenset({"image/png", "image/jpeg"})
CAPTION: Final = int(MessageLimit.CAPTION_LENGTH)
CHAT_PACE: Final = Pace(timedelta(seconds=1 / FloodLimit.MESSAGES_PER_SECOND_PER_CHAT), burst=5)
GROUP_PACE: Final = Pace(timedelta(minutes=1) / FloodLimit.MESSAGES_PER_MINUTE_PER_GROUP, burst=5)
_NO_PREVIEW: Final = json.dumps({"is_disabled": True})
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
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take the account's name and secrets, and a way to read a document of the library by its address."""
        self.account = account
        self.secret = webhook_secret
        self._log_filter = WithoutToken(token, TALKATIVE)
        self._log_filter.attach()
        self._calls = QuietRequest(connections=32, read_timeout=TIMEOUT, connect_timeout=CONNECT)
        self._polls = QuietRequest(connections=2, read_timeout=TIMEOUT, connect_timeout=CONNECT)
        base = f"{api_url.rstrip('/')}/bot"
        files = f"{api_url.rstrip('/')}/file/bot"
        self.bot = Bot(token, base_url=base, base_file_url=files, request=self._calls, get_updates_request=self._polls)
        self._read_file = read_file
        self._file_ids: dict[str, str] = {}
        self._half_way = HalfWay(monotonic)
        self._courtesies: set[asyncio.Task[None]] = set()
        self.health = Health()

    @property
    def problem(self) -> str:
        """Why the account does not work; "" while it does."""
        return self.health.problem

    @problem.setter
    def problem(self, receiving: str) -> None:
        self.health.receiving = receiving

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

    @property
    def named(self) -> bool:
        """Whether the bot knows its own name; without it only private chats, commands and replies are read."""
        return ourselves(self.bot) is not None

    async def set_commands(self) -> None:
        """Set the menu of commands, as the default and for Vietnamese.

        Raises:
            TelegramError: Telegram refuses or is out of reach.
        """
        words = catalogue()
        commands = [BotCommand(name, text) for name, text in words["telegram_commands"].items()]
        group = [command for command in commands if command.command in words["telegram_group_commands"]]
        for scope, shown in ((None, commands), (BotCommandScopeAllGroupChats(), group)):
            await self.bot.set_my_commands(shown, scope=scope)
            await self.bot.set_my_commands(shown, scope=scope, language_code="vi")
        with contextlib.suppress(TelegramError):  # without the button, the menu opens behind a slash
            await self.bot.set_chat_menu_button(menu_button=MenuButtonCommands())

    async def set_menu(self) -> None:
        """Set the menu of commands if Telegram lets us; without one the bot works as well."""
        try:
            await self.set_commands()
        except TelegramError as error:
            about = {"account": self.account, "error": type(error).__name__}
            log.warning("the menu of commands is not set", extra=about)

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

    def undecided(self, raw: dict[str, Any]) -> bool:
        """Whether an update can be read only once the bot knows its own name (see `identify`)."""
        return not self.named and may_mention(raw)

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

    def pace(self, chat: str) -> tuple[str, Pace]:
        """Return the chat whose messages Telegram counts, and how fast it may be written to; the ids of groups are negative.

        The topics of a forum are one group.
        """
        group, _ = where(chat)
        return group, GROUP_PACE if group.startswith("-") else CHAT_PACE

    def cost(self, chat: str, reply: Reply) -> int:
        """Return how many messages a reply takes, without those that the chat has."""
        whole = len(render.texts(reply)) + len(reply.attachments)
        return max(1, whole - self._half_way.has(chat, reply))

    async def send(self, chat: str, reply: Reply, *, typing: bool = True) -> Outcome:
        """Send a reply, in as many parts as it needs.

        The first part that fails decides the outcome. The same reply to the same chat, sent again, goes on with that
        part (unless this process forgot it): the citizen need not read the beginning twice.
        """
        try:
            parts = render.texts(reply)
            if not parts and not reply.attachments:
                return messages.Rejected("nothing to send")
            progress = self._half_way.progress(chat, reply)
            if typing and self._takes_long(parts, reply) and progress.done == 0:
                await self._type(chat)
            await self._send_from(progress, chat, reply, parts)
        except TelegramError as error:
            found = outcomes.outcome(error)
        except Exception as error:
            # Telegram's answer has a shape that the library cannot read, or we are wrong: the message may be there.
            log.error("sending failed", extra={"account": self.account, "error": type(error).__name__})
            found = messages.Transient(type(error).__name__, maybe_sent=True)
        else:
            found = messages.Sent(progress.message_id, progress.more)
        self.health.sent(found)
        self._half_way.settle(chat, reply, found)
        return found

    async def correct(self, chat: str, external_id: str, reply: Reply) -> Outcome:
        """Put a reply in the place of a message of ours; Rejected if Telegram does not let us, or it is not one bubble."""
        parts = render.texts(reply)
        if len(parts) != 1 or reply.attachments:
            return messages.Rejected("not one bubble")
        try:
            fields = {"chat_id": where(chat)[0], "message_id": str(int(external_id))}
            await self._call("editMessageText", fields | self._text(parts[0], self._keyboard(reply)))
        except BadRequest as error:
            if "not modified" in str(error).lower():
                return messages.Sent(external_id)
            return outcomes.outcome(error)
        except (TelegramError, ValueError) as error:
            return outcomes.outcome(error) if isinstance(error, TelegramError) else messages.Rejected("no such message")
        return messages.Sent(external_id)

    async def withdraw(self, chat: str, external_ids: Sequence[str]) -> Outcome:
        """Delete messages of ours; Rejected if Telegram does not let us, which it does for 48 hours."""
        try:
            await self.bot.delete_messages(where(chat)[0], [int(number) for number in external_ids])
        except (TelegramError, ValueError) as error:
            return outcomes.outcome(error) if isinstance(error, TelegramError) else messages.Rejected("no such message")
        return messages.Sent(external_ids[0])

    def _keyboard(self, reply: Reply) -> list[list[render.Key]]:
        us = ourselves(self.bot)
        return render.keyboard(reply.buttons, render.share(reply, us.username or "" if us is not None else ""))

    def _takes_long(self, parts: list[str], reply: Reply) -> bool:
        """Whether a citizen has to wait so long that the sign of typing is worth a request of its own."""
        return len(parts) > 1 or any(a.url not in self._file_ids for a in reply.attachments)

    async def _send_from(self, progress: Progress, chat: str, reply: Reply, parts: list[str]) -> None:
        for number in range(progress.done, len(parts) + len(reply.attachments)):
            if number < len(parts):
                keyboard = self._keyboard(reply) if number == len(parts) - 1 else []
                sent = await self._send_part(chat, parts[number], keyboard)
            else:
                message = await self._send_document(chat, reply.attachments[number - len(parts)])
                if message is None:
                    continue
                sent = str(message.message_id)
            self._half_way.advance(progress, number + 1)
            if number < len(parts) or not progress.message_id:
                progress.message_id = sent
            else:
                progress.more = (*progress.more, sent)

    async def _type(self, chat: str) -> None:
        group, topic = where(chat)
        with contextlib.suppress(TelegramError, TimeoutError):
            async with asyncio.timeout(COURTESY):
                await self.bot.send_chat_action(group, ChatAction.TYPING, message_thread_id=topic)

    async def _send_part(self, chat: str, part: str, keyboard: list[list[render.Key]]) -> str:
        """Send a text; return the message's id."""
        group, topic = where(chat)
        fields = {"chat_id": group} | ({"message_thread_id": str(topic)} if topic is not None else {})
        try:
            sent = await self._call("sendMessage", fields | self._text(part, keyboard))
        except BadRequest as error:
            if "parse entities" not in str(error).lower():
                raise
            plain = self._text(render.plain(part), keyboard)
            del plain["parse_mode"]
            sent = await self._call("sendMessage", fields | plain)
        return str(int(sent["message_id"]))

    @staticmethod
    def _text(text: str, keyboard: list[list[render.Key]]) -> dict[str, str]:
        """The fields of a text with its buttons."""
        fields = {"text": text, "parse_mode": ParseMode.HTML.value, "link_preview_options": _NO_PREVIEW}
        if keyboard:
            fields["reply_markup"] = json.dumps({"inline_keyboard": keyboard}, ensure_ascii=False)
        return fields

    async def _call(self, method: str, fields: dict[str, str]) -> Any:
        """Call a method of the Bot API; return its result as it came.

        Raises:
            TelegramError: as python-telegram-bot's own methods do.
        """
        # Its own way to say what a call takes is closed to others; it asks no more of it than `Fields` has.
        data = cast("RequestData", Fields(fields))
        return await self.bot.request.post(f"{self.bot.base_url}/{method}", data)

    async def _send_document(self, chat: str, attachment: Attachment) -> Message | None:
        """Send a document or picture; after the first time by Telegram's own id for it, without uploading it again."""
        caption = clean(attachment.title)[:CAPTION]
        picture = attachment.media_type in PICTURES
        known = self._file_ids.get(attachment.url)
        if known is not None:
            try:
                return await self._send_file(chat, known, caption, picture=picture)
            except BadRequest as error:
                if "file" not in str(error).lower():
                    raise
                del self._file_ids[attachment.url]
        if self._read_file is None:
            return None
        file = InputFile(await self._read(attachment.url), filename=attachment.url.rsplit("/", 1)[-1])
        message = await self._send_file(chat, file, caption, picture=picture)
        if message.document is not None:
            self._file_ids[attachment.url] = message.document.file_id
        elif message.photo:
            self._file_ids[attachment.url] = message.photo[-1].file_id
        return message

    async def _send_file(self, chat: str, file: str | InputFile, caption: str, *, picture: bool) -> Message:
        group, topic = where(chat)
        if picture:
            return await self.bot.send_photo(group, file, caption=caption, message_thread_id=topic)
        return await self.bot.send_document(group, file, caption=caption, message_thread_id=topic)

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
