"""What the commands share: errors told in one line, loading, lines in and JSON out."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, TextIO

import click

from congdanso.settings import Settings


class Failure(click.ClickException):
    """An error told in one line on standard error; the command ends with 1."""

    def show(self, file: Any = None) -> None:  # noqa: ARG002 - click's signature
        click.echo(f"congdanso: {self.format_message()}", err=True)


def load_brain(settings: Settings) -> Any:
    """Load everything that answers.

    Raises:
        Failure: it cannot be loaded.
    """
    from congdanso import brain

    try:
        return brain.load_brain(settings)
    except (ValueError, RuntimeError, OSError) as error:
        raise Failure(str(error)) from error


def load_engine(settings: Settings, archive: Path | None = None) -> Any:
    """Load the language model alone: without library and database it is ready in half the time.

    Args:
        archive: another model than the bot's own.

    Raises:
        Failure: it cannot be loaded.
    """
    from congdanso import model

    try:
        return model.load_engine(settings) if archive is None else model.open_engine(archive)
    except (ValueError, RuntimeError, OSError) as error:
        raise Failure(str(error)) from error


def lines_of(stream: TextIO) -> Iterator[str]:
    """Yield the lines of a stream without their ends."""
    for line in stream:
        yield line.rstrip("\r\n")


def print_json(value: Any) -> None:
    """Print one object as one line."""
    click.echo(json.dumps(value, ensure_ascii=False))


def with_accounts(work: Callable[[Any], Awaitable[None]]) -> None:
    """Run something with the accounts over a migrated database; what is wrong is one line.

    Raises:
        Failure: the accounts refuse, or a setting is wrong.
    """
    from bot.storage.database import Database
    from congdanso.app import utc_now
    from console.accounts import AccountError, Accounts
    from console.texts import say
    from content.places import load_places
    from migrations.upgrade import upgrade

    settings = Settings()
    settings.data_dir.mkdir(parents=True, exist_ok=True)

    async def run() -> None:
        database = Database(settings.url())
        try:
            await upgrade(database)
            await work(Accounts(database, load_places(settings.province), utc_now, key=settings.key()))
        finally:
            await database.close()

    try:
        asyncio.run(run())
    except AccountError as error:
        raise Failure(say("account_errors", error.key, **error.values)) from error
    except ValueError as error:
        raise Failure(str(error)) from error
