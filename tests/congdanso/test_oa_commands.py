"""`congdanso channel quota, followers, tags, connect`: as an operator types them, against Zalo's emulator on a real socket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import insert

from bot.accounts import AccountBook, Vault
from bot.channels.zalo_oa.oauth import pkce
from bot.conversation.model import Session
from bot.storage.database import Database
from bot.storage.tables import conversation
from congdanso.app import utc_now
from congdanso.cli import cli
from congdanso.commands import oa
from congdanso.settings import Settings
from content.places import load_places
from tests.emulators.server import serve
from tests.emulators.zalo_oa import APP_ID, APP_SECRET, OA_ID, OA_SECRET, Fault, ZaloOaEmulator

Run = Callable[..., Result]


@pytest.fixture
def zalo() -> Iterator[tuple[ZaloOaEmulator, str]]:
    emulator = ZaloOaEmulator()
    with serve(emulator.app()) as url:
        yield emulator, url


@pytest.fixture
def run(zalo: tuple[ZaloOaEmulator, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The command over an installation with the OA of Phủ Thông."""
    monkeypatch.setenv("CONGDANSO_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("CONGDANSO_SECRET_KEY", "a-key-of-this-test-only")
    monkeypatch.setenv("CONGDANSO_PUBLIC_URL", "https://cds.example.vn")
    monkeypatch.chdir(tmp_path)
    emulator, url = zalo

    def go(*arguments: str, text: str = "") -> Result:
        return CliRunner().invoke(cli, [str(a) for a in arguments], input=text)

    access, refresh = emulator.pair()
    options = (f"app_id={APP_ID}", f"api_url={url}", f"business_url={url}", f"oauth_url={url}")
    added = go(
        *("channel", "add", "zalo-oa", "phu-thong", "--unit", "phu-thong", "--title", "OA xã Phủ Thông"),
        *(part for option in options for part in ("--option", option)),
        text=f"{OA_SECRET}\n{APP_SECRET}\n{access}\n{refresh}\n",
    )
    assert added.exit_code == 0, added.output
    return go


def talked(chat: str, ward: str | None) -> None:
    """A citizen has a conversation with the OA, and chose a commune there (by slug)."""

    async def write() -> None:
        database = Database(Settings().url())
        code = None if ward is None else load_places().by_slug(ward).code
        now = datetime.now(UTC)
        async with database.write() as connection:
            await connection.execute(
                insert(conversation).values(
                    channel="zalo-oa", account="phu-thong", chat=chat, session=Session().as_dict(), ward=code,
                    subscribed=True, created_at=now, last_seen_at=now,
                )
            )  # fmt: skip
        await database.close()

    asyncio.run(write())


def stored() -> tuple[dict[str, str], dict[str, object]]:
    """What the book keeps of the account."""

    async def read() -> tuple[dict[str, str], dict[str, object]]:
        settings = Settings()
        database = Database(settings.url())
        book = AccountBook(database, Vault([settings.key()]), utc_now)
        found = await book.secrets("zalo-oa", "phu-thong"), dict((await book.get("zalo-oa", "phu-thong")).options)
        await database.close()
        return found

    return asyncio.run(read())


def test_the_quota_is_what_zalo_says(run: Run, zalo: tuple[ZaloOaEmulator, str]) -> None:
    zalo[0].paid = 120
    assert "cs\tsub_quota\tcòn 120/2000, dùng đến 30/04/2027" in run("channel", "quota", "phu-thong").output
    [entry] = json.loads(run("channel", "quota", "phu-thong", "--json").output)["quotas"]
    assert (entry["remaining"], entry["total"]) == (120, 2000)


def test_followers_are_counted_over_all_pages_and_never_named(run: Run, zalo: tuple[ZaloOaEmulator, str]) -> None:
    for number in range(120):
        zalo[0].citizen(f"u{number:03}")
    talked("u000", "phu-thong")
    talked("u119", None)
    found = run("channel", "followers", "phu-thong")
    assert "Người quan tâm: 120; đã trò chuyện với kênh: 2; chưa: 118" in found.output
    assert "  u001" in found.output
    assert "  u119" not in found.output
    asked = json.loads(run("channel", "followers", "phu-thong", "--json").output)
    assert (asked["followers"], asked["known"], asked["complete"]) == (120, 2, True)
    assert len(asked["unknown"]) == 118
    assert zalo[0].asked("/v3.0/oa/user/detail") == 0, "who a follower is was asked"


def test_tags_follow_the_communes_and_a_second_time_changes_nothing(run: Run, zalo: tuple[ZaloOaEmulator, str]) -> None:
    emulator = zalo[0]
    emulator.citizen("lan")
    emulator.citizen("moved", tags={"xa-phuong:cam-giang", "cán bộ thôn"})
    emulator.citizen("unsaid", tags={"hội viên"})
    emulator.citizen("blocked", blocked=True)
    for chat, ward in (("lan", "phu-thong"), ("moved", "phu-thong"), ("unsaid", None), ("blocked", "phu-thong")):
        talked(chat, ward)
    first = run("channel", "tags", "phu-thong")
    assert "Gắn 2 nhãn, gỡ 1, đã đúng 0, Zalo không nhận 1" in first.output
    assert emulator.people["lan"].tags == {"xa-phuong:phu-thong"}
    assert emulator.people["moved"].tags == {"xa-phuong:phu-thong", "cán bộ thôn"}, "an officer's own tag is theirs"
    assert emulator.people["unsaid"].tags == {"hội viên"}
    calls = len(emulator.calls)
    assert "Gắn 0 nhãn, gỡ 0, đã đúng 2" in run("channel", "tags", "phu-thong").output
    written = [c.path for c in emulator.calls[calls:] if c.path.startswith("/v2.0/oa/tag/") and c.method == "POST"]
    assert written == ["/v2.0/oa/tag/tagfollower"], "only the one whom Zalo refuses is tried again"


def test_consent_brings_the_first_pair_into_the_book(
    run: Run, zalo: tuple[ZaloOaEmulator, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    randomness = bytes(range(48))
    monkeypatch.setattr(oa.secrets, "token_bytes", lambda _: randomness)
    zalo[0].codes["code-1"] = pkce(randomness[:32])[1]
    state = randomness[32:].hex()
    back = f"https://cds.example.vn/?code=code-1&oa_id={OA_ID}&state={state}"
    done = run("channel", "connect", "phu-thong", text=f"{back}\n")
    assert "Đã nối zalo-oa:phu-thong" in done.output
    link = next(line.strip() for line in done.output.splitlines() if "/v4/oa/permission?" in line)
    asked = parse_qs(urlsplit(link).query)
    assert (asked["app_id"], asked["redirect_uri"], asked["state"]) == ([APP_ID], ["https://cds.example.vn"], [state])
    secrets, options = stored()
    assert secrets["access_token"] in zalo[0].access
    assert secrets["refresh_token"] == zalo[0].refresh
    assert secrets["secret_key"] == OA_SECRET, "what was there stays"
    assert options["oa_id"] == OA_ID
    assert secrets["access_token"] not in done.output
    assert run("channel", "quota", "phu-thong").exit_code == 0, "the new pair works"


@pytest.mark.parametrize(
    ("pasted", "said"),
    [
        ("https://cds.example.vn/?code=code-1&state=0123", "một lần cấp quyền khác"),
        ("https://cds.example.vn/?error=denied", "không thấy mã"),
        ("", "không thấy mã"),
        ("spent", "Zalo chưa cấp khoá truy cập: -14003"),
    ],
)
def test_what_is_no_consent_changes_nothing(run: Run, pasted: str, said: str) -> None:
    before = stored()
    refused = run("channel", "connect", "phu-thong", text=f"{pasted}\n")
    assert (refused.exit_code, said in refused.output) == (1, True), refused.output
    assert stored() == before


def test_refusals_are_one_line(run: Run, zalo: tuple[ZaloOaEmulator, str]) -> None:
    assert "không có Official Account tên 'bach-thong'" in run("channel", "quota", "bach-thong").output
    zalo[0].faults["/v3.0/oa/quota/message"] = [Fault(-224, "OA needs to upgrade its package")]
    refused = run("channel", "quota", "phu-thong")
    assert (refused.exit_code, refused.output) == (
        1,
        "congdanso: tài khoản chưa dùng được: -224 OA needs to upgrade its package\n",
    )
