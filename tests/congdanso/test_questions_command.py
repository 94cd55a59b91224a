"""`congdanso questions list, answer, close`: a named officer's acts, refused in one line."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import insert

from bot.conversation.model import Session
from bot.storage.database import Database
from bot.storage.tables import conversation, review
from congdanso.cli import cli
from content.places import load_places
from migrations.upgrade import upgrade

Run = Callable[..., Result]
ASKED = "ruộng nhà tôi chưa có sổ, hỏi ai"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The command over a commune with two questions, an officer and a viewer."""
    monkeypatch.setenv("CONGDANSO_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("CONGDANSO_SECRET_KEY", "a-key-of-this-test-only")
    monkeypatch.chdir(tmp_path)

    async def settle() -> None:
        database, now = Database(f"sqlite:///{tmp_path / 'congdanso.db'}"), datetime(2026, 11, 22, 2, tzinfo=UTC)
        await upgrade(database)
        ward = load_places().by_slug("phu-thong").code
        person = {
            "id": 7, "channel": "web", "account": "default", "chat": "c7", "session": Session(greeted=True).as_dict(),
            "ward": ward, "subscribed": True, "created_at": now, "last_seen_at": now,
        }  # fmt: skip
        asked = {"conversation_id": 7, "ward": ward, "state": "open", "created_at": now}
        async with database.write() as connection:
            await connection.execute(insert(conversation), [person])
            kept = [asked | {"text": ASKED, "reason": "officer"}, asked | {"text": "xin mở quán", "reason": "unknown"}]
            await connection.execute(insert(review), kept)
        await database.close()

    asyncio.run(settle())

    def go(*arguments: str, text: str = "") -> Result:
        return CliRunner().invoke(cli, list(arguments), input=text)

    for name, unit, role in (("Lan", "phu-thong", "officer"), ("Minh", "phu-thong", "viewer"), ("Hoa", "duc-xuan", "admin")):  # fmt: skip
        assert go("user", "add", "--name", name, "--unit", unit, "--role", role).exit_code == 0
    return go


def test_an_officer_lists_answers_and_closes(run: Run) -> None:
    listed = run("questions", "list", "--as", "lan")
    assert listed.output.splitlines()[0] == f"1\tphu-thong\t22/11/2026\tgửi cán bộ\t{ASKED}"
    answered = run("questions", "answer", "1", "Mời anh/chị đến một cửa.", "--as", "lan")
    assert (answered.exit_code, "câu hỏi số 1" in answered.output) == (0, True)
    again = run("questions", "answer", "1", "Lần nữa", "--as", "lan")
    assert (again.exit_code, "đã được lan trả lời" in again.output) == (1, True)
    assert len(again.output.splitlines()) == 1
    assert run("questions", "close", "2", "--reason", "Không thuộc xã", "--as", "lan").exit_code == 0
    assert run("questions", "list", "--as", "lan").output == "Không có câu hỏi nào.\n"
    shown = run("questions", "list", "--as", "lan", "--state", "answered", "--json")
    row = json.loads(shown.output)
    assert (row["id"], row["delivery"], row["answered_by"]) == (1, "waiting_for_visit", "lan")
    assert "chờ người dân mở trang" in run("questions", "list", "--as", "lan", "--state", "answered").output
    assert "Không thuộc xã" in run("questions", "list", "--as", "lan", "--state", "closed").output


def test_a_longer_answer_comes_from_standard_input(run: Run) -> None:
    answered = run("questions", "answer", "1", "-", "--as", "lan", text="Dòng một\nDòng hai\n")
    assert answered.exit_code == 0
    shown = run("questions", "list", "--as", "lan", "--state", "answered", "--json")
    assert json.loads(shown.output)["answer"].endswith("\n\nDòng một\nDòng hai")


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("list",), "--as"),
        (("list", "--as", "ai-do"), "tên đăng nhập"),
        (("list", "--as", "minh"), "không được xem và trả lời"),
        (("list", "--as", "lan", "--unit", "duc-xuan"), "trong đơn vị của Lan"),
        (("answer", "1", "Vâng ạ", "--as", "hoa"), "Không có câu hỏi số 1."),
        (("answer", "99999999999999999999", "Vâng ạ", "--as", "lan"), "Không có câu hỏi"),
        (("answer", "1", "Gọi 0912345678", "--as", "lan"), "số điện thoại"),
        (("close", "1", "--reason", "", "--as", "lan"), "lý do"),
    ],
)
def test_what_is_refused_is_one_line(run: Run, arguments: tuple[str, ...], why: str) -> None:
    refused = run("questions", *arguments)
    assert refused.exit_code == 1
    assert why in refused.output
    assert len(refused.output.splitlines()) == 1
    assert len(run("questions", "list", "--as", "lan").output.splitlines()) == 2


def test_nothing_of_another_unit_is_listed(run: Run) -> None:
    assert run("questions", "list", "--as", "hoa").output == "Không có câu hỏi nào.\n"
