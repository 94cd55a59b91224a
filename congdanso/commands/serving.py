"""`serve` and `worker`: the processes that run."""

from __future__ import annotations

import asyncio
import contextlib
from functools import partial
from typing import Any

import click

from congdanso.commands.base import load_brain, with_accounts
from congdanso.settings import Settings


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535))
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1, 64))
def serve(host: str, port: int, workers: int) -> None:
    """Phục vụ trang hỏi đáp, các kênh nhắn tin và việc đang chờ gửi."""
    import uvicorn

    from congdanso import bytecode
    from congdanso.logs import setup

    setup()
    settings = Settings()
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    brain = load_brain(settings)
    click.echo(f"Trang hỏi đáp: http://{host}:{port}/", err=True)
    address = f"http://{host}:{port}"
    if not settings.telegram_token.get_secret_value():
        click.echo("Telegram: chưa đặt CONGDANSO_TELEGRAM_TOKEN nên chưa bật.", err=True)
    options: dict[str, Any] = {
        "host": host,
        "port": port,
        "log_config": None,
        "access_log": False,
        "ws": "none",
        "timeout_graceful_shutdown": 10,
    }
    if workers == 1:
        from congdanso.app import create

        async def greet(accounts: Any) -> None:
            await _show_first_link(accounts, address)

        app = create(settings, brain, greet=greet)
        bytecode.keep()
        uvicorn.run(app, **options)
    else:
        with_accounts(partial(_show_first_link, address=address))
        uvicorn.run("congdanso.app:create", factory=True, workers=workers, **options)


async def _show_first_link(accounts: Any, address: str) -> None:
    """While there is no administrator, print the one-time link that makes the first."""
    if token := await accounts.first_link():
        click.echo(f"Trang cán bộ, tạo tài khoản đầu tiên: {address}/console/link/{token}", err=True)


@click.command()
def worker() -> None:
    """Chỉ làm việc đang chờ (trả lời, gửi tin), không mở cổng nào."""
    from congdanso.app import Server
    from congdanso.logs import setup

    setup()
    settings = Settings()
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    brain = load_brain(settings)

    async def run() -> None:
        async with Server(settings, brain).running():
            await asyncio.Event().wait()

    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(run())
