"""An emulated Zalo on a real socket, and accounts that talk to it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from bot.channels.zalo_oa import ZaloOaChannel, seeded, zalo_oa_channel
from bot.channels.zalo_oa.api import http_client
from bot.conversation.model import Attachment
from tests.builders import MORNING, Clock
from tests.emulators.server import serve
from tests.emulators.zalo_oa import APP_ID, APP_SECRET, OA_ID, OA_SECRET, ZaloOaEmulator

from .stores import MemorySecrets

LEAFLET = Attachment("Tờ rơi", "/materials/a.pdf", "application/pdf")
PICTURE = Attachment("Áp phích", "/materials/a.png", "image/png")
LARGE = Attachment("Sổ tay", "/materials/large.pdf", "application/pdf")
SHEET = Attachment("Số liệu", "/materials/a.xlsx", "application/vnd.ms-excel")
GONE = Attachment("Mất rồi", "/materials/none.pdf", "application/pdf")
FILES = {
    LEAFLET.url: b"%PDF-1.7",
    PICTURE.url: b"\x89PNG",
    LARGE.url: b"x" * (5 * 1024 * 1024 + 1),
    SHEET.url: b"PK",
}


@dataclass
class Watch:
    """A stopwatch that the test turns."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Interactions:
    """When citizens last turned to the OA, as our own database would say."""

    ago: dict[str, timedelta | None] = field(default_factory=dict)

    async def __call__(self, chat: str) -> datetime | None:
        ago = self.ago.get(chat, timedelta(0))
        return None if ago is None else MORNING - ago


@dataclass
class Setting:
    """What a test needs of an account."""

    zalo: ZaloOaEmulator
    url: str
    http: httpx.AsyncClient
    secrets: MemorySecrets = field(default_factory=MemorySecrets)
    clock: Clock = field(default_factory=Clock)
    watch: Watch = field(default_factory=Watch)
    interactions: Interactions = field(default_factory=Interactions)
    read: list[str] = field(default_factory=list)

    async def library(self, url: str) -> bytes:
        self.read.append(url)
        if url not in FILES:
            raise FileNotFoundError(url)
        return FILES[url]

    def channel(self, account: str = "default", **options: Any) -> ZaloOaChannel:
        values: dict[str, Any] = {
            "app_id": APP_ID,
            "oa_secret": OA_SECRET,
            "app_secret": APP_SECRET,
            "secrets": self.secrets,
            "clock": self.clock,
            "api_url": self.url,
            "business_url": self.url,
            "oauth_url": self.url,
            "oa_id": OA_ID,
            "read_file": self.library,
            "public_url": "https://cds.example.vn",
            "last_interaction": self.interactions,
            "monotonic": self.watch,
            "http": self.http,
        }
        return zalo_oa_channel(account, **(values | options))


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[ZaloOaEmulator, str]]:
    emulator = ZaloOaEmulator()
    with serve(emulator.app()) as url:
        yield emulator, url


@pytest.fixture
def zalo(server: tuple[ZaloOaEmulator, str]) -> ZaloOaEmulator:
    """Zalo, at nine in the morning, with two citizens who have just written."""
    found = server[0]
    found.reset()
    found.now = MORNING
    for user in ("77", "78"):
        found.citizen(user)
    return found


@pytest.fixture
async def setting(zalo: ZaloOaEmulator, server: tuple[ZaloOaEmulator, str]) -> AsyncIterator[Setting]:
    async with http_client() as http:
        made = Setting(zalo, server[1], http)
        given = seeded({}, *zalo.pair())
        assert given is not None
        await made.secrets.write(given)
        yield made


@pytest.fixture
def channel(setting: Setting) -> ZaloOaChannel:
    return setting.channel()
