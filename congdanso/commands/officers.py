"""`user`: accounts of officers."""

from __future__ import annotations

from typing import Any

import click

from congdanso.commands.base import with_accounts
from congdanso.settings import Settings


@click.group()
def user() -> None:
    """Tài khoản của cán bộ."""


def _link(token: str) -> str:
    address = Settings().public_url.rstrip("/") or "http://127.0.0.1:8000"
    return f"{address}/console/link/{token}"


@user.command("add")
@click.option("--name", required=True, help="họ và tên")
@click.option("--unit", required=True, help="mã xã, phường (phu-thong) hoặc tỉnh")
@click.option("--role", required=True, help="viewer (xem), officer (gửi thông báo), approver (duyệt), admin (quản trị)")
def user_add(name: str, unit: str, role: str) -> None:
    """Thêm một cán bộ; in tên đăng nhập và đường dẫn đặt mật khẩu (dùng một lần, trong 24 giờ)."""

    async def work(accounts: Any) -> None:
        added, token = await accounts.add(name, unit, role)
        click.echo(f"Tên đăng nhập: {added.login}\nĐường dẫn đặt mật khẩu: {_link(token)}")

    with_accounts(work)


@user.command("list")
def user_list() -> None:
    """Xem các tài khoản."""

    async def work(accounts: Any) -> None:
        for one in await accounts.list():
            state = "đã tắt" if not one.active else "đang dùng" if one.has_password else "chưa đặt mật khẩu"
            click.echo(f"{one.login}\t{one.name}\t{one.unit}\t{one.role}\t{state}")

    with_accounts(work)


@user.command("disable")
@click.argument("login")
def user_disable(login: str) -> None:
    """Tắt một tài khoản; người đó bị thoát ra ngay."""

    async def work(accounts: Any) -> None:
        click.echo(f"Đã tắt tài khoản {(await accounts.disable(login)).login}")

    with_accounts(work)


@user.command("reset-password")
@click.argument("login")
def user_reset_password(login: str) -> None:
    """Bỏ mật khẩu cũ, in đường dẫn mới để đặt mật khẩu."""

    async def work(accounts: Any) -> None:
        click.echo(f"Đường dẫn đặt mật khẩu: {_link(await accounts.reset_link(login))}")

    with_accounts(work)


@user.command("link-code")
@click.argument("login")
def user_link_code(login: str) -> None:
    """In mã nối tài khoản với trò chuyện Telegram (dùng một lần, trong 15 phút)."""

    async def work(accounts: Any) -> None:
        code = await _chats(accounts).make_code(login)
        click.echo(f"Mã nối: {code}\nTrong trò chuyện với kênh, nhắn: /lienket {code}")

    with_accounts(work)


@user.command("api-key")
@click.argument("login")
def user_api_key(login: str) -> None:
    """In khoá để chương trình khác gọi /api/announcements thay cán bộ này (trong 90 ngày)."""

    async def work(accounts: Any) -> None:
        click.echo(await _chats(accounts).make_key(login))

    with_accounts(work)


def _chats(accounts: Any) -> Any:
    from console.chats import Chats

    return Chats.of(accounts)
