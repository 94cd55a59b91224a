"""`congdanso announce`: an officer reaches the citizens of their commune, each once, also when a process dies in the middle."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, insert, select

from bot.announcements.tables import delivery
from bot.conversation.model import Session
from bot.storage.database import Database
from bot.storage.tables import conversation, outbox
from console.tables import officer as account
from console.tables import officer_chat
from content.places import load_places
from tests.emulators.server import serve
from tests.emulators.telegram import TOKEN, Fault, TelegramEmulator

pytestmark = pytest.mark.anyio
TEXT = "Sáng thứ Bảy 28/11/2026, trạm y tế khám sức khoẻ cho người cao tuổi. Mời bà con đến từ 7 giờ 30."
COMMUNES = {"phu-thong": 160, "duc-xuan": 80, "na-ri": 60}
ON_THE_WEB = 20
BLOCKED = 5


@dataclass
class Installation:
    """A data folder, a database, an emulated Telegram, and the command run as people run it."""

    folder: Path
    url: str
    telegram: TelegramEmulator
    telegram_url: str

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | {
            "CONGDANSO_DATA_DIR": str(self.folder),
            "CONGDANSO_DATABASE_URL": self.url,
            "CONGDANSO_TELEGRAM_TOKEN": TOKEN,
            "CONGDANSO_TELEGRAM_API_URL": self.telegram_url,
            "CONGDANSO_SECRET_KEY": "a-key-of-this-test-only",
        }

    def start(self, *arguments: str, text: str = TEXT) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "congdanso", *arguments],
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stdin is not None
        process.stdin.write(text)
        process.stdin.close()
        process.stdin = None
        return process

    def run(self, *arguments: str, text: str = TEXT) -> tuple[int, str, str]:
        process = self.start(*arguments, text=text)
        out, err = process.communicate(timeout=90)
        return process.returncode, out, err

    async def settle(self) -> None:
        """300 citizens of three communes, and some who must get nothing."""
        places, now = load_places(), datetime.now(UTC)
        rows: list[dict[str, Any]] = []
        chat = 1000
        for slug, number in COMMUNES.items():
            for i in range(number + 10):
                chat += 1
                rows.append(
                    {
                        "channel": "web" if slug == "phu-thong" and i < ON_THE_WEB else "telegram",
                        "account": "default",
                        "chat": str(chat),
                        "session": Session(greeted=True).as_dict(),
                        "ward": places.by_slug(slug).code,
                        "subscribed": i < number,
                        "created_at": now,
                        "last_seen_at": now,
                    }
                )
        database = Database(self.url)
        async with database.write() as connection:
            await connection.execute(insert(conversation), rows)
        await database.close()

    async def chats(self, slug: str, channel: str) -> set[str]:
        query = select(conversation.c.chat).where(
            conversation.c.ward == load_places().by_slug(slug).code,
            conversation.c.subscribed,
            conversation.c.channel == channel,
        )
        database = Database(self.url)
        async with database.read() as connection:
            found = set((await connection.execute(query)).scalars())
        await database.close()
        return found


@pytest.fixture
async def installation(database: Database, database_url: str, tmp_path: Path) -> Any:
    emulator = TelegramEmulator(per_second=30, latency=0.02)
    with serve(emulator.app()) as url:
        made = Installation(tmp_path, database_url, emulator, url)
        await made.settle()
        yield made


@pytest.fixture
def officer(installation: Installation) -> str:
    """An officer of Phủ Thông, made as the operator makes one."""
    code, out, err = installation.run(
        "user", "add", "--name", "Nguyễn Thị Lan", "--unit", "phu-thong", "--role", "officer"
    )
    assert code == 0, err
    assert "nguyen-thi-lan" in out
    return "nguyen-thi-lan"


def until(condition: Any, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


async def counts(database: Database) -> dict[str, int]:
    async with database.read() as connection:
        rows = await connection.execute(
            select(delivery.c.state, delivery.c.reason, func.count()).group_by(delivery.c.state, delivery.c.reason)
        )
        return {":".join(filter(None, (state, reason))): number for state, reason, number in rows}


def announce(*more: str) -> tuple[str, ...]:
    urgent = ("--urgent", "thử giữa đêm") if _night() else ()
    return ("announce", "--unit", "phu-thong", "--text-file", "-", *urgent, *more)


def _night() -> bool:
    local = (datetime.now(UTC) + timedelta(hours=7)).hour
    return local >= 21 or local < 6


async def test_a_process_killed_in_the_middle_forgets_nobody_and_repeats_nobody(
    installation: Installation, officer: str, database: Database
) -> None:
    wanted = await installation.chats("phu-thong", "telegram")
    blocked = sorted(wanted)[:BLOCKED]
    for chat in blocked:
        installation.telegram.chats[chat] = Fault(403, "Forbidden: bot was blocked by the user")
    first = installation.start(*announce("--key", "lich-kham"))
    until(lambda: len(installation.telegram.sent) >= 50)
    first.send_signal(signal.SIGKILL)
    first.communicate(timeout=10)
    in_the_middle = len(installation.telegram.sent)
    assert in_the_middle < len(wanted)

    code, out, err = installation.run(*announce("--key", "lich-kham"))
    assert code == 0, err
    arrived = Counter(s.chat for s in installation.telegram.sent)
    found = await counts(database)
    assert set(arrived.values()) == {1}, "nobody twice"
    assert set(arrived) <= wanted - set(blocked), "nobody of another commune, nobody who did not ask for it"
    lost = found.get("uncertain:process_died", 0)
    assert lost <= 20, "at most what was on its way at the kill"
    assert len(arrived) + lost >= len(wanted) - BLOCKED, "nobody forgotten"
    assert found["failed:blocked"] >= BLOCKED - lost
    assert sum(found.values()) == COMMUNES["phu-thong"]
    assert "queued" not in found
    assert "sending" not in found
    async with database.read() as connection:
        laid = (
            await connection.execute(
                select(conversation.c.chat).join(outbox, outbox.c.conversation_id == conversation.c.id)
            )
        ).scalars()
        assert Counter(laid) == dict.fromkeys(await installation.chats("phu-thong", "web"), 1)
    assert found["waiting_for_visit"] == ON_THE_WEB
    assert "đã xong" in out

    code, out, err = installation.run("stats", "--json", text="")
    assert code == 0, err
    [told] = json.loads(out)["announcements"]
    assert told["states"] == dict(sorted(found.items())), "the figures tell it truly"
    assert told["total"] == COMMUNES["phu-thong"]


async def test_a_dry_run_counts_shows_and_sends_nothing(installation: Installation, database: Database) -> None:
    code, out, err = installation.run(*announce("--dry-run"))
    assert code == 0, err
    assert TEXT in out
    assert "Người nhận ở Xã Phủ Thông: 160" in out
    assert "Trang web: 20" in out
    assert "10 người" in out
    assert installation.telegram.sent == []
    assert await counts(database) == {}


async def test_a_trial_goes_to_one_conversation_only(
    installation: Installation, officer: str, database: Database
) -> None:
    async with database.read() as connection:
        query = select(conversation.c.id, conversation.c.chat).where(conversation.c.channel == "telegram").limit(1)
        number, chat = (await connection.execute(query)).one()
    code, _, err = installation.run(*announce("--test", str(number)))
    assert (code, "không phải của cán bộ nào" in err, installation.telegram.sent) == (1, True, []), "a citizen's"
    async with database.write() as connection:
        officer_id = await connection.scalar(select(account.c.id).where(account.c.login == officer))
        linked = {"officer_id": officer_id, "conversation_id": number, "linked_at": datetime.now(UTC)}
        await connection.execute(insert(officer_chat).values(**linked))
    code, _, err = installation.run(*announce("--test", str(number)))
    assert code == 0, err
    assert [s.chat for s in installation.telegram.sent] == [chat]
    assert await counts(database) == {}


async def test_outside_ones_unit_and_without_an_officer_it_refuses(
    installation: Installation, database: Database
) -> None:
    code, _, err = installation.run(*announce())
    assert (code, installation.telegram.sent) == (1, [])
    assert "congdanso user add" in err
    installation.run("user", "add", "--name", "Hoàng Văn Tú", "--unit", "duc-xuan", "--role", "officer")
    installation.run("user", "add", "--name", "Lý Thị Mai", "--unit", "phu-thong", "--role", "viewer")
    for login in ("hoang-van-tu", "ly-thi-mai", "khong-co-ai"):
        code, _, err = installation.run(*announce("--as", login))
        assert code == 1
        assert login in err
        assert len(err.strip().splitlines()) == 1
    assert installation.telegram.sent == []
    assert await counts(database) == {}


@pytest.mark.parametrize(
    ("text", "said"), [("", "Chưa có nội dung"), ("Gọi ông Ba 0912345678", "số điện thoại"), ("x" * 5000, "ký tự")]
)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_text_that_may_not_be_sent_ends_with_one_clear_line(
    installation: Installation, officer: str, text: str, said: str
) -> None:
    code, _, err = installation.run(*announce(), text=text)
    assert code == 1
    assert said in err
    assert len(err.strip().splitlines()) == 1
    assert installation.telegram.sent == []
