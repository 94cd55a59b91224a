"""From an account in the book to a channel that runs, a builder for each kind; and the accounts that settings describe."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import random
import re
import socket
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy.exc import DBAPIError

from bot.accounts import Account, AccountBook, Given, NoAccount, SecretKeeper, Unreadable, Vault
from bot.clock import Clock
from bot.messages import Channels, Incoming
from bot.storage.database import Database
from congdanso.settings import Settings
from congdanso.switchboard import Builder, Switchboard, Wired
from content.places import Places, province_slug

if TYPE_CHECKING:
    from bot.channels.telegram import TelegramChannel
    from bot.channels.zalo_bot.quota import Quota
    from bot.channels.zalo_oa import Resting

DEFAULT = "default"
"""The account that the settings describe."""
ANNOUNCE_AGAIN = 30.0
"""Seconds before a webhook that the messenger did not take is announced again, or a bot's name is asked for again."""
ASK_AGAIN: Final = 600.0
"""Seconds between two questions for a bot's name at most."""
RESTING_FOR: Final = 60.0
"""Seconds for which the accounts that are switched off are remembered."""
WEBHOOK_SECRETS: Final = {
    "telegram": (
        re.compile(r"[A-Za-z0-9_-]{1,256}"),
        "gồm 1 đến 256 ký tự, chỉ dùng chữ cái không dấu, chữ số, _ và -",
    ),
    "zalo-bot": (re.compile(r"[\x21-\x7e]{8,256}"), "gồm 8 đến 256 ký tự, không dấu và không có khoảng trắng"),
}
"""What can be a webhook's secret, by the messengers' documentation of setWebhook; and how somebody is told."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Means:
    """What channels need of the process they run in."""

    database: Database
    book: AccountBook
    accept: Callable[[Incoming], Awaitable[Any]]
    wake: Callable[[], None]
    clock: Clock
    public_url: str
    read_file: Callable[[str], Awaitable[bytes]] | None = None


def builders(means: Means) -> dict[str, Builder]:
    """Return the builder of each kind of channel."""
    return {
        "telegram": lambda account, secrets: _telegram(means, account, secrets),
        "zalo-oa": lambda account, secrets: _zalo_oa(means, account, secrets),
        "zalo-bot": lambda account, secrets: _zalo_bot(means, account, secrets),
    }


def given_accounts(settings: Settings, unit: str, title: str) -> list[Given]:
    """Return the accounts that the settings describe; they belong to the province."""
    found = []
    if token := settings.telegram_token.get_secret_value():
        secrets = {"token": token, "webhook_secret": settings.telegram_webhook_secret.get_secret_value()}
        options = {"api_url": settings.telegram_api_url, "mode": settings.telegram_mode}
        found.append(Given("telegram", DEFAULT, unit, title, secrets, options))
    if settings.zalo_oa_app_id:
        secrets = {
            "secret_key": settings.zalo_oa_secret_key.get_secret_value(),
            "app_secret": settings.zalo_oa_app_secret.get_secret_value(),
            "access_token": settings.zalo_oa_access_token.get_secret_value(),
            "refresh_token": settings.zalo_oa_refresh_token.get_secret_value(),
        }
        options = {
            "app_id": settings.zalo_oa_app_id,
            "api_url": settings.zalo_oa_api_url,
            "oauth_url": settings.zalo_oa_oauth_url,
        }
        found.append(Given("zalo-oa", DEFAULT, unit, title, secrets, options))
    if token := settings.zalo_bot_token.get_secret_value():
        secrets = {"token": token, "webhook_secret": settings.zalo_bot_webhook_secret.get_secret_value()}
        found.append(Given("zalo-bot", DEFAULT, unit, title, secrets, {"api_url": settings.zalo_bot_api_url}))
    return found


def book(settings: Settings, database: Database, clock: Clock) -> AccountBook:
    """Return the book of accounts, opened with the installation's secret key."""
    return AccountBook(database, Vault([settings.key()]), clock)


def switchboard(
    settings: Settings,
    database: Database,
    places: Places,
    channels: Channels,
    clock: Clock,
    means: Means | None = None,
    *,
    read_file: Callable[[str], Awaitable[bytes]] | None = None,
) -> Switchboard:
    """Return the switchboard of a process; without `means` its accounts can only send, with documents from `read_file`."""

    async def refuse(incoming: Incoming) -> None:
        raise RuntimeError(f"this process does not receive: {incoming.address.channel}")

    pages = book(settings, database, clock)
    means = means or Means(database, pages, refuse, lambda: None, clock, settings.public_url, read_file)
    given = given_accounts(settings, province_slug(places), f"Tỉnh {places.title}")
    return Switchboard(book(settings, database, clock), channels, builders(means), given=given, owner=process_name())


def process_name() -> str:
    """Return a name of this process that no other has."""
    return f"{socket.gethostname()}:{os.getpid()}"


def _needed(values: Mapping[str, Any], name: str) -> str:
    """Return a value.

    Raises:
        ValueError: it is missing.
    """
    if not (value := str(values.get(name) or "")):
        raise ValueError(f"missing: {name}")
    return value


def check_secrets(channel: str, secrets: Mapping[str, str]) -> None:
    """Check the secrets that a messenger would refuse.

    Raises:
        ValueError: one cannot be; the message says how it should be, in Vietnamese, and does not show it.
    """
    given = secrets.get("webhook_secret", "")
    if given and channel in WEBHOOK_SECRETS:
        form, told = WEBHOOK_SECRETS[channel]
        if not form.fullmatch(given):
            raise ValueError(f"webhook_secret phải {told}")


def telegram_channel(
    account: Account, secrets: Mapping[str, str], read_file: Callable[[str], Awaitable[bytes]] | None = None
) -> TelegramChannel:
    """Return the channel of a bot.

    Raises:
        ValueError: a secret is missing or cannot be.
    """
    from bot.channels.telegram import TelegramChannel

    webhook = account.options.get("mode") == "webhook"
    if webhook:
        check_secrets(account.channel, secrets)
    return TelegramChannel(
        account.account,
        _needed(secrets, "token"),
        api_url=str(account.options.get("api_url") or "https://api.telegram.org"),
        webhook_secret=_needed(secrets, "webhook_secret") if webhook else secrets.get("webhook_secret", ""),
        read_file=read_file,
    )


def _telegram(means: Means, account: Account, secrets: Mapping[str, str]) -> Wired:
    """Telegram's library is imported only where there is an account: it takes half a second."""
    from bot.channels.telegram import TelegramPoller

    webhook = account.options.get("mode") == "webhook"
    channel = telegram_channel(account, secrets, means.read_file)
    if webhook and not means.public_url:
        raise ValueError("missing: CONGDANSO_PUBLIC_URL, by which the messenger finds this server")

    async def announce() -> None:
        """Tell Telegram where we are, and try again until it listens."""
        from telegram.error import TelegramError

        while True:
            try:
                await channel.set_webhook(means.public_url)
            except TelegramError as error:
                channel.problem = type(error).__name__
                log.warning("Telegram does not take the webhook", extra={"error": channel.problem})
                await asyncio.sleep(ANNOUNCE_AGAIN)
            else:
                channel.problem = ""
                await channel.set_menu()
                return

    async def meet() -> None:
        """Learn the bot's name, by which groups speak to it and citizens share answers."""
        from telegram.error import TelegramError

        wait = ANNOUNCE_AGAIN
        while not channel.named:
            try:
                await channel.identify()
            except TelegramError as error:
                about = {"account": account.account, "error": type(error).__name__}
                log.warning("Telegram does not say what the bot is called", extra=about)
                await asyncio.sleep(wait)
                wait = min(2 * wait, ASK_AGAIN)

    poller = TelegramPoller(channel, means.database, means.accept, means.wake, means.clock, rng=random.Random())
    return Wired(channel, announce if webhook else poller.run, channel.stop, meet)


def _zalo_oa(means: Means, account: Account, secrets: Mapping[str, str]) -> Wired:
    from bot.channels.zalo_oa import last_interactions, zalo_oa_channel

    options = account.options
    channel = zalo_oa_channel(
        account.account,
        app_id=_needed(options, "app_id"),
        oa_secret=_needed(secrets, "secret_key"),
        app_secret=secrets.get("app_secret", ""),
        secrets=SecretKeeper(means.book, account.channel, account.account, process_name()),
        clock=means.clock,
        oa_id=str(options.get("oa_id") or ""),
        read_file=means.read_file,
        public_url=means.public_url,
        last_interaction=last_interactions(means.database, account.account),
        native_buttons=_is_on(options, "native_buttons"),
        paid_messages=_is_on(options, "paid_messages"),
        api_url=str(options.get("api_url") or "https://openapi.zalo.me"),
        business_url=str(options.get("business_url") or "https://business.openapi.zalo.me"),
        oauth_url=str(options.get("oauth_url") or "https://oauth.zaloapp.com"),
    )
    return Wired(channel, channel.run, channel.stop)


class RestingOas:
    """The Official Accounts that are switched off, as `bot.channels.zalo_oa.take_event` wants them: their events come on."""

    def __init__(self, book: AccountBook, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._book = book
        self._monotonic = monotonic
        self._read_at: float | None = None
        self._found: list[Resting] = []

    async def __call__(self) -> Sequence[Resting]:
        """Return them, as they were at most a minute ago: anybody may make us ask."""
        from bot.channels.zalo_oa import Keys, Resting

        now = self._monotonic()
        if self._read_at is None or now - self._read_at >= RESTING_FOR:
            found = []
            try:
                known = [a for a in await self._book.accounts() if a.channel == "zalo-oa" and not a.active]
                for account in known:
                    with contextlib.suppress(NoAccount, Unreadable):
                        secrets = await self._book.secrets(*account.key)
                        app_id, oa_id = (str(account.options.get(name) or "") for name in ("app_id", "oa_id"))
                        keys = Keys(app_id, secrets.get("secret_key", ""), secrets.get("app_secret", ""))
                        found.append(Resting(account.account, oa_id, keys))
            except DBAPIError as error:
                log.warning("accounts: the database does not answer", extra={"error": type(error).__name__})
                return self._found
            self._found, self._read_at = found, now
        return self._found


def quota_of(account: Account, database: Database, clock: Clock) -> Quota:
    """Return the count of a Zalo Bot's messages.

    Raises:
        ValueError: the option `messages_a_month` is no number.
    """
    from bot.channels.zalo_bot.quota import FREE, Quota

    given = account.options.get("messages_a_month")
    return Quota(database, account.account, clock, int(given) if given else FREE)


def _zalo_bot(means: Means, account: Account, secrets: Mapping[str, str]) -> Wired:
    from bot.channels.zalo_bot import ZaloBotPoller, zalo_bot_channel

    check_secrets(account.channel, secrets)
    webhook = bool(secrets.get("webhook_secret"))
    channel = zalo_bot_channel(
        account.account,
        _needed(secrets, "token"),
        database=means.database,
        clock=means.clock,
        api_url=str(account.options.get("api_url") or ""),
        webhook_secret=secrets.get("webhook_secret", ""),
        public_url=means.public_url,
        display_name=account.title,
        messages_a_month=quota_of(account, means.database, means.clock).limit,
    )
    if webhook and not means.public_url:
        raise ValueError("missing: CONGDANSO_PUBLIC_URL, by which the messenger finds this server")

    async def announce() -> None:
        """Tell the platform where we are, and try again until it listens and has reached us."""
        from bot.channels.zalo_bot import ZaloBotError

        while True:
            try:
                if await channel.set_webhook(means.public_url):
                    return
                log.warning("Zalo does not reach the webhook", extra={"account": account.account})
            except ZaloBotError as error:
                channel.problem = type(error).__name__
                log.warning("Zalo does not take the webhook", extra={"account": account.account})
            await asyncio.sleep(ANNOUNCE_AGAIN)

    async def meet() -> None:
        """Learn the bot's names, which groups put before a question, and what is left of the month's quota."""
        from bot.channels.zalo_bot import ZaloBotError

        wait = ANNOUNCE_AGAIN
        await channel.look_at_quota()
        while True:
            try:
                return await channel.identify()
            except ZaloBotError:
                log.warning("Zalo does not say what the bot is called", extra={"account": account.account})
            await asyncio.sleep(wait)
            wait = min(2 * wait, ASK_AGAIN)

    poller = ZaloBotPoller(channel, means.accept, means.wake, means.clock, rng=random.Random())
    return Wired(channel, announce if webhook else poller.run, channel.stop, meet)


def _is_on(options: Mapping[str, Any], name: str) -> bool:
    return str(options.get(name) or "").lower() in ("1", "true", "yes", "on")
