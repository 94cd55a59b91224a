"""Looks at each part of an installation without changing anything."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass

from bot.storage.database import Database
from congdanso.model import model_file
from congdanso.settings import Settings
from content import library as libraries
from content.places import load_places
from migrations.upgrade import HEAD, current


@dataclass(frozen=True, slots=True)
class Part:
    """One finding."""

    name: str
    ok: bool
    detail: str


def examine(settings: Settings) -> Iterator[Part]:
    """Yield a finding for each part."""
    yield _library()
    try:
        places = load_places(settings.province)
        yield Part("nơi", True, f"{places.title}, {len(places.wards())} xã, phường")
        archive = model_file(settings, places)
        trained = archive.is_file()
        yield Part(
            "mô hình",
            True,
            str(archive) if trained else "chưa huấn luyện; `congdanso serve` hoặc `congdanso train` sẽ làm",
        )
    except ValueError as error:
        yield Part("nơi", False, f"{error}; sửa CONGDANSO_PROVINCE")
    yield asyncio.run(_database(settings))
    token = settings.telegram_token.get_secret_value()
    yield Part(
        "Telegram", True, f"bật, {settings.telegram_mode}" if token else "tắt (chưa có CONGDANSO_TELEGRAM_TOKEN)"
    )
    if token and settings.telegram_mode == "webhook":
        complete = bool(settings.public_url and settings.telegram_webhook_secret.get_secret_value())
        yield Part(
            "Telegram webhook",
            complete,
            "đủ" if complete else "cần CONGDANSO_PUBLIC_URL và CONGDANSO_TELEGRAM_WEBHOOK_SECRET",
        )


def _library() -> Part:
    try:
        return Part("kho nội dung", True, f"{len(libraries.load())} chủ đề")
    except libraries.ContentError as error:
        return Part("kho nội dung", False, str(error))


async def _database(settings: Settings) -> Part:
    if (
        settings.url().startswith("sqlite")
        and not (settings.data_dir / "congdanso.db").exists()
        and not settings.database_url
    ):
        return Part("cơ sở dữ liệu", True, "chưa có; `congdanso serve` sẽ tạo")
    database = Database(settings.url())
    try:
        version = await current(database)
        ok = version == HEAD
        return Part(
            "cơ sở dữ liệu", ok, f"bản {version}" if ok else f"bản {version}, cần {HEAD}: chạy `congdanso db upgrade`"
        )
    except Exception as error:
        return Part("cơ sở dữ liệu", False, f"không mở được ({type(error).__name__}); xem CONGDANSO_DATABASE_URL")
    finally:
        await database.close()
