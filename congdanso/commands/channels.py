"""`channel`: bots and Official Accounts of the units."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

import click

from congdanso.commands.base import Failure
from congdanso.settings import Settings

SECRETS = {
    "telegram": ("token", "webhook_secret"),
    "zalo-oa": ("secret_key", "app_secret", "access_token", "refresh_token"),
    "zalo-bot": ("token", "webhook_secret"),
}
"""What is asked for, by channel; an empty answer leaves it out, or as it is."""
START_LIMIT = 64
"""Characters that a link of Telegram carries to its bot (core.telegram.org/bots/features#deep-linking)."""
REMOVE = "-"
"""Typed in place of a secret that is to go."""


@click.group()
def channel() -> None:
    """Tài khoản kênh: bot Telegram, Zalo Official Account, Zalo Bot của các đơn vị."""


def _with_book(work: Callable[[Any, Any], Awaitable[None]]) -> None:
    """Run something with the book of accounts over a migrated database.

    Raises:
        Failure: the book refuses, or a setting is wrong.
    """
    from bot.accounts import AccountExists, NoAccount
    from bot.storage.database import Database
    from congdanso.app import utc_now
    from congdanso.builders import book
    from content.places import load_places
    from migrations.upgrade import upgrade

    settings = Settings()
    settings.data_dir.mkdir(parents=True, exist_ok=True)

    async def run() -> None:
        database = Database(settings.url())
        try:
            await upgrade(database)
            await work(book(settings, database, utc_now), load_places(settings.province))
        finally:
            await database.close()

    try:
        asyncio.run(run())
    except AccountExists as error:
        raise Failure(f"đã có tài khoản {error}") from error
    except NoAccount as error:
        raise Failure(f"không có tài khoản {error.args[0]}") from error
    except ValueError as error:
        raise Failure(str(error)) from error


def _ask_secrets(kind: str, *, known: bool = False) -> dict[str, str]:
    """Ask for the secrets of a channel, without showing them; over a pipe, one a line in the order of `SECRETS`.

    Args:
        known: whether there are some already; then those that are left empty are left out, and "-" is given back as "".

    Raises:
        Failure: one cannot be a secret of this channel.
    """
    from congdanso.builders import check_secrets

    hint = f"bỏ trống: giữ nguyên, {REMOVE} : xoá" if known else "bỏ trống nếu không có"
    found = {}
    for name in SECRETS[kind]:
        if sys.stdin.isatty():
            value = click.prompt(f"{name} ({hint})", hide_input=True, default="", show_default=False).strip()
        else:
            value = sys.stdin.readline().strip()
        if value:
            found[name] = "" if known and value == REMOVE else value
    try:
        check_secrets(kind, found)
    except ValueError as error:
        raise Failure(str(error)) from error
    return found


def _options(pairs: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise Failure(f"tuỳ chọn phải có dạng tên=giá trị: {pair}")
        found[name] = value
    return found


_KIND = click.argument("kind", type=click.Choice(list(SECRETS)))
_ACCOUNT = click.argument("account")


@channel.command("add")
@_KIND
@_ACCOUNT
@click.option("--unit", required=True, help="mã xã, phường (phu-thong) hoặc tỉnh làm chủ tài khoản")
@click.option("--title", required=True, help="tên để cán bộ nhận ra")
@click.option("--option", "options", multiple=True, help="tên=giá trị, ví dụ mode=webhook; dùng được nhiều lần")
def channel_add(kind: str, account: str, unit: str, title: str, options: tuple[str, ...]) -> None:
    """Thêm một tài khoản; các khoá bí mật được hỏi riêng và không hiện ra."""
    given = _options(options)
    secrets = _ask_secrets(kind)

    async def work(book: Any, places: Any) -> None:
        from content.places import province_slug, within

        if unit not in within(places, province_slug(places)):
            raise Failure(f"không có đơn vị {unit!r}")
        added = await book.add(kind, account, unit=unit, title=title, secrets=secrets, options=given)
        click.echo(f"Đã thêm {added.channel}:{added.account} ({added.title})")

    _with_book(work)


@channel.command("list")
def channel_list() -> None:
    """Xem các tài khoản và tình trạng."""

    async def work(book: Any, _: Any) -> None:
        for one in await book.accounts():
            state = _state(one)
            if one.active and (warning := await _quota(book, one)):
                state = f"{state}; {warning}"
            click.echo("\t".join((f"{one.channel}:{one.account}", one.unit, one.title, state)))

    _with_book(work)


async def _quota(book: Any, account: Any) -> str:
    """Return a warning of the month's quota of a Zalo Bot; "" while there is enough of it, and for other channels."""
    if account.channel != "zalo-bot":
        return ""
    from congdanso.app import utc_now
    from congdanso.builders import quota_of

    try:
        quota = quota_of(account, book.database, utc_now)
    except ValueError:
        return ""  # the account itself says that it cannot be used
    used = await quota.used()
    return f"CHÚ Ý: tháng này đã gửi {used} tin, hạn mức {quota.limit}" if quota.level else ""


def _state(account: Any) -> str:
    from bot.clock import ZONE

    def at(moment: datetime | None) -> str:
        return f"{moment.astimezone(ZONE):%H:%M %d/%m/%Y}" if moment else "chưa lúc nào"

    if not account.active:
        return "đã tắt"
    if account.problem:
        return f"HỎNG từ {at(account.problem_at)}: {account.problem}"
    return f"tốt, chạy được lần cuối {at(account.worked_at)}"


@channel.command("secrets")
@_KIND
@_ACCOUNT
def channel_secrets(kind: str, account: str) -> None:
    """Thay khoá bí mật của một tài khoản; khoá nào bỏ trống thì giữ nguyên."""
    secrets = _ask_secrets(kind, known=True)
    if not secrets:
        click.echo(f"Không thay khoá nào của {kind}:{account}")
        return

    async def work(book: Any, _: Any) -> None:
        from bot.accounts import SecretKeeper
        from congdanso.builders import process_name

        await book.get(kind, account)
        # A server that is just renewing the tokens would write over what is put in here.
        async with SecretKeeper(book, kind, account, process_name()).lease():
            await book.change(kind, account, secrets=secrets)
        click.echo(f"Đã thay {', '.join(secrets)} của {kind}:{account}; máy chủ nhận trong vài giây")

    _with_book(work)


@channel.command("option")
@_KIND
@_ACCOUNT
@click.argument("pairs", nargs=-1, required=True)
def channel_option(kind: str, account: str, pairs: tuple[str, ...]) -> None:
    """Đổi tuỳ chọn: tên=giá trị; tên= thì bỏ."""
    given = _options(pairs)

    async def work(book: Any, _: Any) -> None:
        known = await book.get(kind, account)
        options = {name: value for name, value in {**known.options, **given}.items() if value != ""}
        await book.change(kind, account, options=options)
        click.echo(f"Tuỳ chọn của {kind}:{account}: {options}")

    _with_book(work)


def _switch(kind: str, account: str, *, active: bool) -> None:
    async def work(book: Any, _: Any) -> None:
        await book.change(kind, account, active=active)
        click.echo(f"Đã {'bật' if active else 'tắt'} {kind}:{account}")

    _with_book(work)


@channel.command("disable")
@_KIND
@_ACCOUNT
def channel_disable(kind: str, account: str) -> None:
    """Tắt một tài khoản; tin đang chờ được giữ lại."""
    _switch(kind, account, active=False)


@channel.command("enable")
@_KIND
@_ACCOUNT
def channel_enable(kind: str, account: str) -> None:
    """Bật lại một tài khoản."""
    _switch(kind, account, active=True)


@channel.command("link")
@click.argument("account")
@click.option("--pack", required=True, help="mã bộ tài liệu")
@click.option("--unit", default="", help="mã xã, phường; để trống là cả tỉnh")
def channel_link(account: str, pack: str, unit: str) -> None:
    """In đường dẫn mở bot Telegram với một bộ tài liệu, để in lên tờ rơi hay gửi đi."""

    async def work(book: Any, places: Any) -> None:
        from content import packs

        if pack not in packs.load():
            raise Failure(f"không có bộ tài liệu {pack!r}")
        if unit and unit not in {ward.slug for ward in places.wards()}:
            raise Failure(f"không có xã, phường nào có mã {unit!r}")
        click.echo(await _telegram_link(book, account, f"c_{pack}" + (f"_{unit}" if unit else "")))

    _with_book(work)


async def _telegram_link(book: Any, account: str, payload: str) -> str:
    """Return the link that opens a bot with a payload; Telegram says what the bot is called.

    Raises:
        Failure: Telegram does not say, or the payload is longer than its links carry.
    """
    from telegram.error import TelegramError

    from congdanso.builders import telegram_channel

    if len(payload) > START_LIMIT:
        raise Failure(f"đường dẫn Telegram chỉ mang được {START_LIMIT} ký tự: {payload}")
    bot = telegram_channel(await book.get("telegram", account), await book.secrets("telegram", account))
    try:
        await bot.identify()
        return f"https://t.me/{bot.bot.username}?start={payload}"
    except TelegramError as error:
        raise Failure(f"Telegram chưa cho biết tên của bot: {type(error).__name__}") from error
    finally:
        await bot.stop()
