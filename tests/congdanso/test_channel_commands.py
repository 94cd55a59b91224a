"""`congdanso channel`, as somebody types it: secrets are replaced one by one, warnings are read, links are printed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from bot.channels.zalo_bot.quota import Quota
from bot.storage.database import Database
from congdanso.app import utc_now
from congdanso.builders import book
from congdanso.cli import cli
from congdanso.settings import Settings
from content import packs
from tests.emulators.server import serve
from tests.emulators.telegram import BOT, TOKEN, TelegramEmulator

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CONGDANSO_DATA_DIR", str(tmp_path / "var"))

    def run_command(*arguments: str, stdin: str = "") -> Result:
        return CliRunner().invoke(cli, ["channel", *arguments], input=stdin)

    return run_command


@pytest.fixture
def telegram() -> Iterator[tuple[TelegramEmulator, str]]:
    emulator = TelegramEmulator()
    with serve(emulator.app()) as url:
        yield emulator, url


def of_book(ask: Callable[[Any], Any]) -> Any:
    """What the book says, over the database of the commands."""

    async def asked() -> Any:
        database = Database(Settings().url())
        try:
            return await ask(book(Settings(), database, utc_now))
        finally:
            await database.close()

    return asyncio.run(asked())


def secrets(channel: str, account: str = "phu-thong") -> dict[str, str]:
    found: dict[str, str] = of_book(lambda pages: pages.secrets(channel, account))
    return found


def add(run: Run, kind: str, stdin: str, *options: str) -> Result:
    chosen = [part for option in options for part in ("--option", option)]
    return run("add", kind, "phu-thong", "--unit", "phu-thong", "--title", "Kênh xã", *chosen, stdin=stdin)


def test_a_secret_that_is_left_empty_stays(run: Run) -> None:
    assert add(run, "zalo-oa", "k1\ns1\na1\nr1\n", "app_id=1").exit_code == 0
    told = run("secrets", "zalo-oa", "phu-thong", stdin="\n\na2\nr2\n")
    assert "access_token, refresh_token" in told.output
    assert "r2" not in told.output
    assert secrets("zalo-oa") == {"secret_key": "k1", "app_secret": "s1", "access_token": "a2", "refresh_token": "r2"}
    assert "Không thay khoá nào" in run("secrets", "zalo-oa", "phu-thong", stdin="\n\n\n\n").output
    run("secrets", "zalo-oa", "phu-thong", stdin="\n-\n\n\n")
    assert secrets("zalo-oa") == {"secret_key": "k1", "access_token": "a2", "refresh_token": "r2"}
    nobody = run("secrets", "zalo-oa", "cho-don", stdin="k\n\n\n\n")
    assert (nobody.exit_code, "không có tài khoản" in nobody.stderr) == (1, True)


@pytest.mark.parametrize(
    ("kind", "secret", "told"), [("telegram", "có dấu", "1 đến 256 ký tự"), ("zalo-bot", "1234567", "8 đến 256 ký tự")]
)
def test_a_webhooks_secret_is_checked_before_it_is_written_down(run: Run, kind: str, secret: str, told: str) -> None:
    refused = add(run, kind, f"12:token\n{secret}\n")
    assert (refused.exit_code, told in refused.stderr, secret in refused.output) == (1, True, False)
    assert add(run, kind, "12:token\nbi-mat-8\n").exit_code == 0
    assert run("secrets", kind, "phu-thong", stdin=f"\n{secret}\n").exit_code == 1
    assert secrets(kind) == {"token": "12:token", "webhook_secret": "bi-mat-8"}


def test_a_quota_that_runs_out_is_in_the_list(run: Run) -> None:
    add(run, "zalo-bot", "12:token\n\n", "messages_a_month=10")
    assert "CHÚ Ý" not in run("list").output
    of_book(lambda pages: Quota(pages.database, "phu-thong", utc_now, 10).count(9))
    assert "tháng này đã gửi 9 tin, hạn mức 10" in run("list").output


def test_a_leaflets_link_to_telegram(run: Run, telegram: tuple[TelegramEmulator, str]) -> None:
    emulator, url = telegram
    pack = min(packs.load())
    add(run, "telegram", f"{TOKEN}\n\n", f"api_url={url}")
    told = run("link", "phu-thong", "--pack", pack, "--unit", "phu-thong")
    assert told.output.strip() == f"https://t.me/{BOT['username']}?start=c_{pack}_phu-thong", told.output
    assert run("link", "phu-thong", "--pack", pack).output.strip().endswith(f"?start=c_{pack}")
    for arguments in (["--pack", "không-có"], ["--pack", pack, "--unit", "ha-noi"]):
        refused = run("link", "phu-thong", *arguments)
        assert (refused.exit_code, "không có" in refused.stderr) == (1, True)
    assert json.dumps(emulator.calls).count("getMe") == 2
    emulator.token = "9:another"
    refused = run("link", "phu-thong", "--pack", pack)
    assert (refused.exit_code, "InvalidToken" in refused.stderr) == (1, True)
