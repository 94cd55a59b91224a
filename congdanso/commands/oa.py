"""`channel quota, followers, tags, connect`: what only an Official Account has."""

from __future__ import annotations

import asyncio
import secrets
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import click

from congdanso.commands.base import Failure, print_json
from congdanso.settings import Settings

_ACCOUNT = click.argument("account")
_JSON = click.option("--json", "as_json", is_flag=True)


def add_to(group: click.Group) -> None:
    """Add the commands to `channel`."""
    for command in (quota, followers, tags, connect):
        group.add_command(command)


def _carry_out(work: Callable[[], Awaitable[None]], account: str) -> None:
    """Run something; what speaks against it is one line.

    Raises:
        Failure: there is no such account, Zalo refuses, or a setting is wrong.
    """
    from bot.accounts import NoAccount
    from bot.channels.zalo_oa import ZaloRefused
    from congdanso.oa import in_words

    async def run() -> None:
        await work()

    try:
        asyncio.run(run())
    except NoAccount as error:
        raise Failure(f"không có Official Account tên {account!r}; xem: congdanso channel list") from error
    except ZaloRefused as error:
        raise Failure(in_words(error.outcome)) from error
    except ValueError as error:
        raise Failure(str(error)) from error


def _with_oa(account: str, work: Callable[[Any], Awaitable[None]]) -> None:
    from congdanso.app import utc_now
    from congdanso.oa import opened

    async def run() -> None:
        async with opened(Settings(), account, utc_now) as oa:
            await work(oa)

    _carry_out(run, account)


@click.command("quota")
@_ACCOUNT
@_JSON
def quota(account: str, as_json: bool) -> None:
    """Hạn mức tin nhắn còn lại của một Zalo OA."""

    async def work(oa: Any) -> None:
        found = await oa.client.quotas()
        if as_json:
            entries = [
                {"product": q.product, "kind": q.kind, "remaining": q.left.remaining, "total": q.left.total,
                 "valid_through": q.valid_through}
                for q in found
            ]  # fmt: skip
            print_json({"account": oa.account.account, "quotas": entries})
            return
        for one in found:
            left, total = ("?" if n is None else str(n) for n in (one.left.remaining, one.left.total))
            until = f", dùng đến {one.valid_through}" if one.valid_through else ""
            click.echo(f"{one.product}\t{one.kind}\tcòn {left}/{total}{until}")
        if not found:
            click.echo("Zalo không cho biết gói tin nào")

    _with_oa(account, work)


@click.command("followers")
@_ACCOUNT
@_JSON
def followers(account: str, as_json: bool) -> None:
    """Đếm người quan tâm một Zalo OA, và xem mã của ai chưa có trò chuyện với kênh; không hỏi tên."""
    from congdanso import oa as work_of

    async def work(oa: Any) -> None:
        found = await work_of.followers(oa)
        if as_json:
            print_json({"account": oa.account.account, **found.as_json()})
            return
        known = found.number - len(found.unknown)
        click.echo(f"Người quan tâm: {found.number}; đã trò chuyện với kênh: {known}; chưa: {len(found.unknown)}")
        if not found.complete:
            click.echo("Zalo chỉ cho xem khoảng 10.000 người và những người đã gắn nhãn; con số này chưa đủ")
        for user in found.unknown:
            click.echo(f"  {user}")

    _with_oa(account, work)


@click.command("tags")
@_ACCOUNT
def tags(account: str) -> None:
    """Gắn nhãn xã, phường cho người dân của một Zalo OA đã chọn nơi ở; chạy lại không đổi gì."""
    from congdanso import oa as work_of

    async def work(oa: Any) -> None:
        done = await work_of.tag_communes(oa)
        click.echo(f"Gắn {done.given} nhãn, gỡ {done.taken}, đã đúng {done.right}, Zalo không nhận {done.refused}")

    _with_oa(account, work)


@click.command("connect")
@_ACCOUNT
@click.option("--redirect-uri", help="địa chỉ Zalo quay về, như đã khai ở developers.zalo.me; mặc định địa chỉ máy chủ")
def connect(account: str, redirect_uri: str | None) -> None:
    """Xin người quản trị OA cấp quyền, và cất cặp khoá truy cập đầu tiên vào sổ tài khoản (mã hoá)."""
    from bot.channels.zalo_oa.parse import CHANNEL
    from congdanso.app import utc_now
    from congdanso.oa import answer_of, ask_consent, oauth_of, opened_book
    from congdanso.oa import connect as store

    settings = Settings()
    back = redirect_uri or settings.public_url
    if not back:
        raise Failure("cần --redirect-uri, hoặc CONGDANSO_PUBLIC_URL")

    async def run() -> None:
        async with (
            opened_book(settings, account, utc_now) as (pages, known, _),
            oauth_of(known, await pages.secrets(CHANNEL, account)) as oauth,
        ):
            consent = ask_consent(oauth, back, secrets.token_bytes(48))
            click.echo("Người quản trị OA mở liên kết này, đăng nhập Zalo và bấm đồng ý (mã chỉ có giá trị 10 phút):")
            click.echo(f"  {consent.url}")
            code, oa_id = answer_of(await asyncio.to_thread(_pasted), consent)
            await store(pages, known, oauth, code, oa_id, verifier=consent.verifier, clock=utc_now)
        click.echo(f"Đã nối {CHANNEL}:{account}; máy chủ nhận khoá trong vài giây")

    _carry_out(run, account)


def _pasted() -> str:
    """Return what the operator pastes: the address of the page to which Zalo came back; it need not show anything."""
    if sys.stdin.isatty():
        return str(click.prompt("Dán địa chỉ trang mà Zalo mở ra sau đó (hoặc chỉ mã code)", hide_input=True))
    return sys.stdin.readline()
