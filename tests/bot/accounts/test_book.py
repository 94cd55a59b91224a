"""Accounts are data: added, changed and switched off; their secrets are sealed, their health is seen, one process polls."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from bot.accounts import AccountBook, AccountExists, NoAccount, SecretKeeper, Unreadable, Vault
from bot.accounts.given import NOTES, Given
from bot.channels.zalo_oa.tokens import BEGAN, EXPIRES_AT, GRANTED_AT, LOST, SEED
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


OA = ("zalo-oa", "default")
FIRST = {"secret_key": "k1", "app_secret": "", "access_token": "a1", "refresh_token": "r1"}
RENEWED = {"secret_key": "k1", "access_token": "a2", "refresh_token": "r2, r1 is used up", EXPIRES_AT: "tomorrow"}


def described(title: str = "Tỉnh Thái Nguyên", options: dict[str, str] | None = None, **secrets: str) -> Given:
    """The OA as the environment describes it."""
    return Given(*OA, "thai-nguyen", title, FIRST | secrets, options or {"app_id": "1"})


async def test_the_environments_account_is_taken_and_its_renewed_tokens_stay(book: AccountBook) -> None:
    assert (await book.take_given(described())).from_environment
    await book.renew_secrets(*OA, RENEWED)
    assert (await book.take_given(described())).version == 1
    assert await book.secrets(*OA) == RENEWED


async def test_another_description_changes_no_secret(book: AccountBook) -> None:
    await book.take_given(described())
    await book.renew_secrets(*OA, RENEWED)
    told = await book.take_given(described("Tỉnh Bắc Kạn và Thái Nguyên", {"app_id": "2"}))
    assert (told.title, told.options, told.version) == ("Tỉnh Bắc Kạn và Thái Nguyên", {"app_id": "2"}, 2)
    assert await book.secrets(*OA) == RENEWED


async def test_only_the_secret_that_is_given_otherwise_is_replaced(book: AccountBook) -> None:
    await book.take_given(described())
    await book.renew_secrets(*OA, RENEWED)
    assert (await book.take_given(described(secret_key="k2", app_secret="s2"))).version == 2
    assert await book.secrets(*OA) == RENEWED | {"secret_key": "k2", "app_secret": "s2"}
    await book.report(*OA, receiving=LOST)
    assert (await book.take_given(described(access_token="a9", refresh_token="r9"))).problem == ""
    # what was noted of the renewed pair is not true of the new one
    assert await book.secrets(*OA) == {
        "secret_key": "k1",
        "app_secret": "s2",
        "access_token": "a9",
        "refresh_token": "r9",
    }


async def test_what_the_channel_notes_is_known_by_the_same_names(book: AccountBook) -> None:
    assert {GRANTED_AT, EXPIRES_AT, BEGAN, SEED} == NOTES


async def test_a_variable_that_is_missing_takes_nothing_away(book: AccountBook) -> None:
    await book.take_given(described())
    await book.renew_secrets(*OA, RENEWED)
    without = described(secret_key="", access_token="", refresh_token="")
    assert (await book.take_given(without)).active
    assert await book.secrets(*OA) == RENEWED
    await book.take_given(described())
    assert await book.secrets(*OA) == RENEWED


async def test_what_an_earlier_version_stored_of_the_environment_is_understood(
    book: AccountBook, database: Database
) -> None:
    given = described()
    await book.take_given(given)
    await book.renew_secrets(*OA, RENEWED)

    async def as_of_old() -> None:
        digest = given.digest_of_old(given.unit, given.title, given.options)
        async with database.write() as connection:
            await connection.execute(update(channel_account).values(given=digest, given_secrets=None))

    await as_of_old()
    await book.change(*OA, options={"app_id": "1", "native_buttons": "on"})
    told = await book.take_given(given)
    assert (told.version, told.options["native_buttons"]) == (2, "on")
    assert await book.secrets(*OA) == RENEWED
    await book.change(*OA, options=given.options)
    await as_of_old()
    assert (await book.take_given(described("Tỉnh mới"))).title == "Tỉnh mới"
    assert await book.secrets(*OA) == RENEWED
    await as_of_old()
    await book.take_given(described("Tỉnh mới", refresh_token="r9"))
    assert (await book.secrets(*OA))["refresh_token"] == "r9"


async def test_a_process_with_the_wrong_key_breaks_nothing_for_the_others(
    book: AccountBook, database: Database, clock: Clock
) -> None:
    await book.take_given(described())
    await AccountBook(database, Vault([b"another key"]), clock).take_given(described(refresh_token="r9"))
    assert (await book.secrets(*OA))["refresh_token"] == "r1"


async def test_what_an_officer_switched_off_stays_off(book: AccountBook) -> None:
    await book.take_given(described())
    await book.change(*OA, active=False)
    assert not (await book.take_given(described())).active
    assert not (await book.take_given(described("Tỉnh mới", refresh_token="r9"))).active
    await book.change(*OA, active=True)
    assert (await book.take_given(described())).active


async def test_secrets_that_are_not_named_stay_and_an_empty_one_goes(book: AccountBook) -> None:
    await book.add(*OA, unit="phu-thong", title="OA", secrets={**RENEWED, "app_secret": ""})
    await book.change(*OA, secrets={"secret_key": "k2"})
    assert await book.secrets(*OA) == RENEWED | {"secret_key": "k2"}
    await book.change(*OA, secrets={"access_token": "a9", "refresh_token": "r9", "secret_key": ""})
    assert await book.secrets(*OA) == {"access_token": "a9", "refresh_token": "r9"}


async def test_new_secrets_mend_those_that_another_key_sealed(
    book: AccountBook, database: Database, clock: Clock
) -> None:
    await added(book)
    other = AccountBook(database, Vault([b"another key"]), clock)
    await other.change("telegram", "phu-thong", secrets={"token": "2:new"})
    assert await other.secrets("telegram", "phu-thong") == {"token": "2:new"}


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


async def test_one_side_is_told_of_without_the_other(book: AccountBook, clock: Clock) -> None:
    await added(book)
    await book.report("telegram", "phu-thong", receiving="Conflict")
    broke = clock()
    clock.pass_(minutes=5)
    await book.report("telegram", "phu-thong", sending="Forbidden")
    account = await book.get("telegram", "phu-thong")
    assert (account.receiving_problem, account.sending_problem, account.problem_at) == ("Conflict", "Forbidden", broke)
    await book.report("telegram", "phu-thong", receiving="")
    account = await book.get("telegram", "phu-thong")
    assert (account.problem, account.problem_at, account.worked_at) == ("Forbidden", broke, None)
    await book.report("telegram", "phu-thong", sending="")
    account = await book.get("telegram", "phu-thong")
    assert (account.problem, account.problem_at, account.worked_at) == ("", None, clock())


async def test_a_problem_is_told_with_what_to_do(book: AccountBook) -> None:
    await added(book)
    await book.report("telegram", "phu-thong", receiving=LOST, sending="x" * 1000)
    account = await book.get("telegram", "phu-thong")
    assert (account.problem, account.sending_problem) == (LOST, "x" * 400)


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
