"""`congdanso announce draft, submit, approve …`: each step a named officer's, refused in one line."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import insert

from bot.conversation.model import Session
from bot.storage.database import Database
from bot.storage.tables import conversation
from congdanso.cli import cli
from content.places import load_places
from migrations.upgrade import upgrade

TEXT = "Sáng thứ Bảy 28/11/2026, trạm y tế khám sức khoẻ cho {xa}."
Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The command as an officer types it, over a commune with three citizens on the web, and officers of both kinds."""
    monkeypatch.setenv("CONGDANSO_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("CONGDANSO_SECRET_KEY", "a-key-of-this-test-only")
    monkeypatch.chdir(tmp_path)

    async def settle() -> None:
        database, now = Database(f"sqlite:///{tmp_path / 'congdanso.db'}"), datetime.now(UTC)
        await upgrade(database)
        rows = [
            {
                "channel": "web", "account": "default", "chat": f"c{i}", "session": Session(greeted=True).as_dict(),
                "ward": load_places().by_slug("phu-thong").code, "subscribed": True, "created_at": now, "last_seen_at": now,
            }
            for i in range(3)
        ]  # fmt: skip
        async with database.write() as connection:
            await connection.execute(insert(conversation), rows)
        await database.close()

    asyncio.run(settle())

    def go(*arguments: str, text: str = TEXT) -> Result:
        return CliRunner().invoke(cli, [str(a) for a in arguments], input=text)

    for name, role in (("Nguyễn Thị Lan", "officer"), ("Trần Văn Minh", "approver"), ("Hà Bình", "admin")):
        assert go("user", "add", "--name", name, "--unit", "phu-thong", "--role", role).exit_code == 0
    return go


def announce(run: Run, *arguments: str, by: str = "nguyen-thi-lan", text: str = TEXT) -> Result:
    return run("announce", *arguments, "--as", by, text=text)


def drafted(run: Run, *more: str, text: str = TEXT) -> str:
    result = announce(run, "draft", "--unit", "phu-thong", "--text-file", "-", *more, text=text)
    assert result.exit_code == 0, result.output
    return result.output.rsplit("bản nháp số ", 1)[1].split(".")[0]


def test_the_whole_way_by_steps(run: Run) -> None:
    number = drafted(
        run,
        "--category",
        "lich-y-te",
        "--button",
        "read",
        "--button",
        "link:Xem lịch:https://a.vn/lich",
        "--urgent",
        "dịch lan nhanh",
    )
    submitted = announce(run, "submit", number)
    assert "Trang web: 3 khi mở lại trang" in submitted.output
    own = announce(run, "approve", number)
    assert (own.exit_code, "không được duyệt" in own.output) == (1, True)
    shown = json.loads(announce(run, "show", number, "--json").output)
    approved = announce(run, "approve", number, "--version", shown["version"][:12], by="tran-van-minh")
    assert approved.exit_code == 0, approved.output
    sent = announce(run, "send", number)
    assert sent.exit_code == 0, sent.output
    assert "chờ người dân mở trang" in sent.output
    assert f"Thông báo số {number} đang được gửi." in sent.output
    shown = json.loads(announce(run, "show", number, "--json").output)
    assert (shown["state"], shown["counts"], shown["approver"]) == ("closed", {"waiting_for_visit": 3}, "tran-van-minh")
    assert [s["action"] for s in shown["steps"]] == ["revise", "submit", "approve", "send", "begin", "close"]
    lines = announce(run, "show", number).output
    for line in ("Lịch sử:", "[Xem lịch]: mở https://a.vn/lich", "KHẨN, gửi cả ban đêm: dịch lan nhanh"):
        assert line in lines
    recalled = announce(run, "recall", number, "--reason", "Nhầm ngày khám")
    assert recalled.exit_code == 0, recalled.output
    shown = json.loads(announce(run, "show", number, "--json").output)
    assert (shown["state"], shown["counts"]) == ("recalled", {"skipped:recalled": 3})


def test_returning_revising_scheduling_and_cancelling(run: Run) -> None:
    number = drafted(run)
    announce(run, "submit", number)
    assert announce(run, "return", number, "--reason", "Sai ngày", by="tran-van-minh").exit_code == 0
    revised = announce(run, "revise", number, "--unit", "phu-thong", "--text-file", "-", text="Ngày đúng là 29/11.")
    assert revised.exit_code == 0, revised.output
    announce(run, "submit", number)
    looked = announce(run, "approve", number, by="tran-van-minh")
    assert looked.exit_code == 1, "nobody says yes to what they have not seen"
    assert "Ngày đúng là 29/11." in looked.output
    assert "Người nhận: Xã Phủ Thông" in looked.output
    version = looked.output.rsplit("--version ", 1)[1].split()[0]
    short = announce(run, "approve", number, "--version", version[:3], by="tran-van-minh")
    assert (short.exit_code, "đã thay đổi so với bản đã xem" in short.output) == (1, True)
    assert announce(run, "approve", number, "--version", version, by="tran-van-minh").exit_code == 0
    assert announce(run, "schedule", number, "--at", "2020-01-01 08:00").exit_code == 1
    later = announce(run, "schedule", number, "--at", "2036-12-01 08:00")
    assert "08:00 01/12/2036" in later.output
    assert f"{number}\tphu-thong\tđã đặt lịch" in announce(run, "list").output
    assert announce(run, "pause", number).exit_code == 0
    assert f"{number}\tphu-thong\tđang tạm dừng, chưa bắt đầu" in announce(run, "list", "--state", "held").output
    assert announce(run, "resume", number).exit_code == 0
    assert announce(run, "cancel", number).exit_code == 0
    assert json.loads(announce(run, "list", "--state", "cancelled", "--json").output)["id"] == int(number)


def test_a_repeated_one_and_an_audience(run: Run) -> None:
    number = drafted(run, "--repeat", "week:0,3@7:30", "--audience", '{"channels":["web"]}')
    shown = json.loads(announce(run, "show", number, "--json").output)
    assert (shown["repeat"]["weekdays"], shown["audience"]["channels"]) == ([0, 3], ["web"])
    assert "thứ Hai, thứ Năm hằng tuần lúc 7 giờ 30" in announce(run, "show", number).output
    saved = announce(
        run, "audiences", "--unit", "phu-thong", "--save", "Người dùng web", "--audience", '{"channels":["web"]}'
    )
    assert "nguoi-dung-web" in saved.output
    assert "nguoi-dung-web\tNgười dùng web" in announce(run, "audiences", "--unit", "phu-thong").output
    removed = announce(run, "audiences", "--unit", "phu-thong", "--remove", "nguoi-dung-web")
    assert "Đã bỏ danh sách người nhận tên nguoi-dung-web" in removed.output
    assert "nguoi-dung-web" not in announce(run, "audiences", "--unit", "phu-thong").output
    refused = announce(run, "draft", "--unit", "phu-thong", "--text-file", "-", "--audience", '{"took":["vneid"]}')
    assert "Không có bài học" in refused.output
    listed = announce(run, "list", "--json").output.splitlines()
    number = str(max(json.loads(line)["id"] for line in listed))
    assert announce(run, "submit", number).exit_code == 1


def test_the_policy_of_two_people(run: Run) -> None:
    assert announce(run, "policy", "--unit", "phu-thong", "--second-person").exit_code == 1
    assert announce(run, "policy", "--unit", "phu-thong", "--second-person", by="ha-binh").exit_code == 0
    flat = announce(run, "--unit", "phu-thong", "--text-file", "-")
    assert flat.exit_code == 0, flat.output
    assert "Đơn vị này cần người thứ hai duyệt" in flat.output


def test_previews_and_trials(run: Run) -> None:
    number = drafted(run, "--button", "join")
    preview = announce(run, "preview", number)
    assert "[Tham gia]" in preview.output
    assert "xã Phủ Thông" in preview.output
    drafting = announce(run, "draft", "--unit", "phu-thong", "--text-file", "-", "--category", "tap-huan")
    assert "{xa}" not in drafting.output
    assert "│ [Không nhận tin tập huấn]" in drafting.output
    trial = announce(run, "test", number)
    assert (trial.exit_code, "chưa nối tài khoản" in trial.output) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--unit", "phu-thong"), "Cần --unit và --text-file"),
        (("show", "99", "--as", "nguyen-thi-lan"), "Không có thông báo số 99"),
        (("submit", "1"), "--as"),
        (("list", "--state", "abc", "--as", "nguyen-thi-lan"), 'Không có bước "abc". Chọn trong: draft, in_review'),
        (("list", "--as", "khong-ai"), "Không có cán bộ"),
        (
            ("draft", "--unit", "phu-thong", "--text-file", "-", "--as", "nguyen-thi-lan", "--repeat", "day@23:00"),
            "giờ nghỉ đêm",
        ),
        (
            ("draft", "--unit", "phu-thong", "--text-file", "-", "--as", "nguyen-thi-lan", "--audience", "{"),
            'JSON, ví dụ {"topics":["tam-tru"]}',
        ),
        (
            ("draft", "--unit", "phu-thong", "--text-file", "-", "--as", "nguyen-thi-lan", "--button", "xyz"),
            "link, read, join, ask",
        ),
        (
            (
                "draft",
                "--unit",
                "phu-thong",
                "--text-file",
                "-",
                "--as",
                "nguyen-thi-lan",
                "--button",
                "link:https://a.vn",
            ),
            "link:Xem lịch:https://a.vn",
        ),
    ],
)
def test_what_cannot_be_is_refused_in_words(run: Run, arguments: tuple[str, ...], said: str) -> None:
    result: Any = run("announce", *arguments)
    assert result.exit_code != 0
    assert said in result.output


def test_the_keys_of_an_account_are_printed_once(run: Run) -> None:
    code = run("user", "link-code", "nguyen-thi-lan")
    assert "/lienket " in code.output
    assert run("user", "api-key", "nguyen-thi-lan").output.startswith("cds_")
    assert run("user", "link-code", "khong-ai").exit_code == 1


def test_a_template_is_named_with_what_its_account_says_of_it(run: Run) -> None:
    added = run(
        *("channel", "add", "zalo-oa", "phu-thong", "--unit", "phu-thong", "--title", "OA xã Phủ Thông"),
        *("--option", "app_id=1", "--option", "template_id=301", "--option", "template_price=120"),
        *("--option", 'template_data={"noi_dung": "{noi_dung}", "ngay": "{ngay}"}'),
        text="secret\n\n\n\n",
    )
    assert added.exit_code == 0, added.output
    number = drafted(run, "--template", "phu-thong", "--template-param", "ngay=28/11/2026")
    shown = json.loads(announce(run, "show", number, "--json").stdout)["content"]["templates"]
    data = {"ngay": "28/11/2026", "noi_dung": "{noi_dung}"}
    assert shown == [{"account": "phu-thong", "id": "301", "data": data, "promotional": False, "price": 120}]
    preview = announce(run, "preview", number).output
    assert "[Mẫu tin 301 của tài khoản phu-thong, cho người ngoài 7 ngày]" in preview
    for given, said in (("cam-giang", 'Không có tài khoản Zalo OA "cam-giang"'), ("phu-thong=mẫu 9", "Mã mẫu tin")):
        refused = announce(run, "draft", "--unit", "phu-thong", "--text-file", "-", "--template", given)
        assert said in refused.output, refused.output


def test_an_article_needs_an_account_of_the_unit_and_a_yes(run: Run) -> None:
    number = drafted(run)
    refused = announce(run, "article", number, "--account", "phu-thong")
    assert (refused.exit_code, "chỉ phát bài viết của thông báo đã duyệt" in refused.output) == (1, True), (
        refused.output
    )


def test_the_command_ends_when_only_the_days_limit_holds_somebody(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would wait until the next day, with nothing on the screen that says so."""
    real = datetime.now(UTC)
    shift = real.replace(hour=2, minute=0) + timedelta(days=1) - real  # nine in the morning in Vietnam
    monkeypatch.setattr("congdanso.announcing.utc_now", lambda: datetime.now(UTC) + shift)
    for text in ("Tin một.", "Tin hai.", "Tin ba."):
        sent = announce(run, "--unit", "phu-thong", "--text-file", "-", text=text)
        assert "đã xong" in sent.output, sent.output
    held = announce(run, "--unit", "phu-thong", "--text-file", "-", text="Tin bốn.")
    assert held.exit_code == 0, held.output
    assert "Còn 3 người đã nhận ba thông báo trong ngày; tin của họ chờ đến 09:0" in held.output, held.output


def test_whom_it_does_not_reach_is_told_with_reasons(run: Run, tmp_path: Path) -> None:
    number = drafted(run, "--audience", '{"topics": ["tam-tru"]}')
    book = tmp_path / "khong-toi.xlsx"
    told = announce(run, "unreached", number, "--xlsx", str(book))
    assert told.exit_code == 0, told.output
    assert f"Thông báo số {number}, nếu gửi lúc này thì 3 người trong phạm vi không nhận được:" in told.output
    assert "Xã Phủ Thông, Trang web: chưa đồng ý cho ghi việc đã hỏi" in told.output
    assert book.read_bytes().startswith(b"PK")
    found = json.loads(announce(run, "unreached", number, "--json", "--limit", "1").output)
    assert (found["total"], len(found["people"])) == (3, 1)
    assert announce(run, "unreached", "999").exit_code == 1
