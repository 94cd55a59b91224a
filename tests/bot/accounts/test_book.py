"""Accounts are data: added, changed and switched off; their secrets are sealed, their health is seen, one process polls."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from bot.accounts import AccountBook, AccountExists, NoAccount, SecretKeeper, Unreadable, Vault
from bot.accounts.book import Given
from bot.storage.database import Database
from bot.storage.tables import channel_account
from tests.builders import Clock

pytestmark = pytest.mark.anyio
TOKEN = "12345:very-secret-token"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def book(database: Database, clock: Clock) -> AccountBook:
    return AccountBook(database, Vault([b"the installation's key"]), clock)


async def added(book: AccountBook, account: str = "phu-thong") -> None:
    await book.add("telegram", account, unit="phu-thong", title="Bot xã Phủ Thông", secrets={"token": TOKEN})


async def test_secrets_are_sealed_and_come_back(book: AccountBook, database: Database) -> None:
    await added(book)
    assert await book.secrets("telegram", "phu-thong") == {"token": TOKEN}
    async with database.read() as connection:
        row = (await connection.execute(select(channel_account))).mappings().one()
    assert "secret-token" not in repr(dict(row))
    assert "secret-token" not in repr(await book.get("telegram", "phu-thong"))


async def test_another_key_opens_nothing(book: AccountBook, database: Database, clock: Clock) -> None:
    await added(book)
    with pytest.raises(Unreadable):
        await AccountBook(database, Vault([b"another key"]), clock).secrets("telegram", "phu-thong")
    changed_key = Vault([b"another key", b"the installation's key"])
    assert await AccountBook(database, changed_key, clock).secrets("telegram", "phu-thong") == {"token": TOKEN}


async def test_one_name_is_one_account(book: AccountBook) -> None:
    await added(book)
    with pytest.raises(AccountExists):
        await added(book)
    with pytest.raises(ValueError, match="a-z"):
        await added(book, "Xã Phủ Thông/../")


async def test_what_there_is_not_is_said(book: AccountBook) -> None:
    with pytest.raises(NoAccount):
        await book.get("telegram", "phu-thong")
    with pytest.raises(NoAccount):
        await book.change("telegram", "phu-thong", active=False)
    with pytest.raises(NoAccount):
        await book.renew_secrets("telegram", "phu-thong", {})


async def test_a_change_is_seen_by_its_version(book: AccountBook) -> None:
    await added(book)
    assert await book.versions() == {("telegram", "phu-thong"): 1}
    await book.change("telegram", "phu-thong", title="Bot xã")
    assert await book.versions() == {("telegram", "phu-thong"): 2}
    await book.renew_secrets("telegram", "phu-thong", {"token": "renewed"})
    assert await book.versions() == {("telegram", "phu-thong"): 2}
    await book.change("telegram", "phu-thong", active=False)
    assert await book.versions() == {}


async def test_units_see_their_own(book: AccountBook) -> None:
    await added(book)
    await book.add("telegram", "cho-don", unit="cho-don", title="Bot xã Chợ Đồn", secrets={"token": "x"})
    assert [a.account for a in await book.accounts(["cho-don"])] == ["cho-don"]
    assert [a.account for a in await book.accounts()] == ["cho-don", "phu-thong"]


async def test_the_environments_account_is_taken_and_forgotten(book: AccountBook) -> None:
    given = Given("zalo-oa", "default", "thai-nguyen", "Tỉnh Thái Nguyên", {"refresh_token": "first"})
    assert (await book.take_given(given)).from_environment
    await book.renew_secrets("zalo-oa", "default", {"refresh_token": "second, the first is used up"})
    again = await book.take_given(given)
    assert again.version == 1
    assert await book.secrets("zalo-oa", "default") == {"refresh_token": "second, the first is used up"}
    other = Given("zalo-oa", "default", "thai-nguyen", "Tỉnh Thái Nguyên", {"refresh_token": "given anew"})
    assert (await book.take_given(other)).version == 2
    assert await book.secrets("zalo-oa", "default") == {"refresh_token": "given anew"}
    await book.forget_given({("telegram", "default")})
    assert await book.versions() == {}
    assert (await book.take_given(other)).active


async def test_officers_accounts_are_not_the_environments_to_forget(book: AccountBook) -> None:
    await added(book)
    await book.forget_given(set())
    assert await book.versions() == {("telegram", "phu-thong"): 1}


async def test_health_tells_since_when_and_when_last_it_worked(book: AccountBook, clock: Clock) -> None:
    await added(book)
    await book.report("telegram", "phu-thong", receiving="", sending="")
    worked = clock()
    clock.pass_(minutes=5)
    await book.report("telegram", "phu-thong", receiving="InvalidToken", sending="")
    broke = clock()
    clock.pass_(minutes=5)
    await book.report("telegram", "phu-thong", receiving="InvalidToken", sending="Forbidden")
    account = await book.get("telegram", "phu-thong")
    assert (account.problem, account.problem_at, account.worked_at) == ("InvalidToken", broke, worked)
    await book.change("telegram", "phu-thong", secrets={"token": "another"})
    assert (await book.get("telegram", "phu-thong")).problem == ""


async def test_a_longer_wait_is_kept(book: AccountBook, clock: Clock) -> None:
    await added(book)
    until = clock() + timedelta(seconds=30)
    await book.hold("telegram", "phu-thong", until)
    await book.hold("telegram", "phu-thong", clock() + timedelta(seconds=5))
    assert (await book.get("telegram", "phu-thong")).held_until == until


async def test_one_process_receives_until_it_leaves_or_dies(book: AccountBook, clock: Clock) -> None:
    await added(book)
    span = timedelta(seconds=30)
    assert await book.take("telegram", "phu-thong", "a", span)
    assert await book.take("telegram", "phu-thong", "a", span)
    assert not await book.take("telegram", "phu-thong", "b", span)
    await book.leave("telegram", "phu-thong", "a")
    assert await book.take("telegram", "phu-thong", "b", span)
    clock.pass_(seconds=31)
    assert await book.take("telegram", "phu-thong", "a", span)
    await book.leave("telegram", "phu-thong", "b")
    assert not await book.take("telegram", "phu-thong", "b", span)


async def test_one_at_a_time_renews_and_a_dead_one_is_waited_for(book: AccountBook, clock: Clock) -> None:
    await added(book)
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        clock.pass_(seconds=40)

    died = SecretKeeper(book, "telegram", "phu-thong", "dead").lease()
    await died.__aenter__()
    keeper = SecretKeeper(book, "telegram", "phu-thong", "b", sleep=sleep)
    async with keeper.lease():
        await keeper.write({"token": "renewed"})
    assert len(slept) == 4
    assert await keeper.read() == {"token": "renewed"}
    async with SecretKeeper(book, "telegram", "phu-thong", "c", sleep=sleep).lease():
        assert len(slept) == 4
