"""`db` and `doctor`."""

from __future__ import annotations

import asyncio

import click

from congdanso.commands.base import Failure
from congdanso.settings import Settings


@click.group()
def db() -> None:
    """Cơ sở dữ liệu."""


@db.command("upgrade")
def db_upgrade() -> None:
    """Nâng cơ sở dữ liệu lên bản mới nhất."""
    from bot.storage.database import Database
    from migrations.upgrade import upgrade

    settings = Settings()
    settings.data_dir.mkdir(parents=True, exist_ok=True)

    async def run() -> str:
        database = Database(settings.url())
        try:
            return await upgrade(database)
        finally:
            await database.close()

    click.echo(f"Cơ sở dữ liệu ở bản {asyncio.run(run())}")


@click.command()
def doctor() -> None:
    """Xem từng phần có chạy được không, và nói cách sửa."""
    from congdanso.doctor import examine

    settings = Settings()
    bad = 0
    for part in examine(settings):
        click.echo(f"{'tốt ' if part.ok else 'HỎNG'}  {part.name}: {part.detail}")
        bad += not part.ok
    if bad:
        raise Failure(f"{bad} phần cần sửa")
