"""One-time codes, linked conversations, keys of the API."""

from __future__ import annotations

import pytest

from bot.announcements.people import ANNOUNCE, APPROVE
from bot.storage.database import Database
from console.accounts import AccountError, Accounts
from console.chats import CODE_LASTS, GUESSES, KEY_LASTS, Chats
from console.roster import Roster
from content.places import load_places
from tests.builders import Clock

pytestmark = pytest.mark.anyio


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def accounts(database: Database, clock: Clock) -> Accounts:
    return Accounts(database, load_places(), clock)


@pytest.fixture
def chats(accounts: Accounts) -> Chats:
    return Chats.of(accounts)


async def test_a_code_links_once_and_for_a_quarter_of_an_hour(accounts: Accounts, chats: Chats, clock: Clock) -> None:
    await accounts.add("Lan", "phu-thong", "officer")
    code = await chats.make_code("lan")
    linked = await chats.use_code(f" {code.upper()} ", 7)
    assert linked is not None
    assert linked.login == "lan"
    assert await chats.use_code(code, 8) is None
    late = await chats.make_code("lan")
    clock.pass_(seconds=CODE_LASTS.total_seconds())
    assert await chats.use_code(late, 8) is None
    first = await chats.make_code("lan")
    await chats.make_code("lan")
    assert await chats.use_code(first, 8) is None, "a newer code ends it"


async def test_guessing_is_stopped(accounts: Accounts, chats: Chats, clock: Clock) -> None:
    await accounts.add("Lan", "phu-thong", "officer")
    code = await chats.make_code("lan")
    for _ in range(GUESSES):
        assert await chats.use_code("bbbbbbbbbb", 7) is None
    assert await chats.use_code(code, 7) is None
    assert await chats.use_code(code, 8) is not None, "another conversation is not punished"
    clock.pass_(minutes=16)
    assert await chats.use_code(await chats.make_code("lan"), 7) is not None


async def test_one_account_one_conversation(accounts: Accounts, chats: Chats) -> None:
    for name in ("Lan", "Minh"):
        await accounts.add(name, "phu-thong", "approver")
    await chats.use_code(await chats.make_code("lan"), 7)
    await chats.use_code(await chats.make_code("lan"), 8)
    assert await chats.officer_of(7) is None
    await chats.use_code(await chats.make_code("minh"), 8)
    found = await chats.officer_of(8)
    assert found is not None
    assert found.login == "minh"
    assert await chats.unlink(8)
    assert not await chats.unlink(8)


@pytest.mark.parametrize("end", ["disable", "reset_link"])
async def test_who_is_switched_off_has_neither_chat_nor_key(accounts: Accounts, chats: Chats, end: str) -> None:
    await accounts.add("Lan", "phu-thong", "officer")
    await chats.use_code(await chats.make_code("lan"), 7)
    key, code = await chats.make_key("lan"), await chats.make_code("lan")
    await getattr(accounts, end)("lan")
    assert await chats.officer_of(7) is None
    assert await chats.officer_of_key(key) is None
    assert await chats.use_code(code, 7) is None


async def test_a_key_ends_after_its_time(accounts: Accounts, chats: Chats, clock: Clock) -> None:
    await accounts.add("Lan", "phu-thong", "officer")
    key = await chats.make_key("lan")
    assert (found := await chats.officer_of_key(key)) is not None
    assert found.login == "lan"
    clock.pass_(seconds=KEY_LASTS.total_seconds())
    assert await chats.officer_of_key(key) is None
    with pytest.raises(AccountError):
        await chats.make_key("khong-ai")


async def test_the_roster_answers_from_the_accounts_as_they_are_now(accounts: Accounts, chats: Chats) -> None:
    roster = Roster(accounts, chats, load_places())
    await accounts.add("Lan", "phu-thong", "officer")
    await accounts.add("Minh", "phu-thong", "approver")
    await accounts.add("Bình", "thai-nguyen", "admin")
    assert await roster.may("lan", ANNOUNCE, "phu-thong")
    assert not await roster.may("lan", APPROVE, "phu-thong")
    assert not await roster.may("khong-ai", ANNOUNCE, "phu-thong")
    assert [a.login for a in await roster.superiors("phu-thong")] == ["minh", "binh"]
    assert [a.login for a in await roster.superiors("duc-xuan")] == ["binh"]
    await accounts.disable("minh")
    assert await roster.find("minh") is None
    assert [a.login for a in await roster.superiors("phu-thong")] == ["binh"]
