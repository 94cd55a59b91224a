"""Accounts of officers: one-time links, passwords, sessions, and what is kept of them."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from bot.storage.database import Database
from console import permissions
from console.accounts import PER_LOGIN, AccountError, Accounts, LoginRefusal
from console.passwords import fault_of
from console.permissions import Officer, may
from console.tables import audit, login_attempt, officer_link, officer_session
from content.places import Places, load_places
from tests.builders import MORNING, Clock

pytestmark = pytest.mark.anyio
PASSWORD = "rừng xanh suối trong 12"


@pytest.fixture(scope="module")
def places() -> Places:
    return load_places()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def accounts(database: Database, places: Places, clock: Clock) -> Accounts:
    return Accounts(database, places, clock, key=b"a key")


async def made(
    accounts: Accounts, name: str = "Nguyễn Thị Lan", unit: str = "phu-thong", role: str = "officer"
) -> Officer:
    _, link = await accounts.add(name, unit, role)
    return await accounts.use_link(link, PASSWORD)


class TestLinks:
    async def test_the_first_link_makes_the_administrator_and_then_there_is_no_other(self, accounts: Accounts) -> None:
        link = await accounts.first_link()
        assert link is not None
        first = await accounts.use_link(link, PASSWORD, "Hà Văn Bình")
        assert (first.login, first.unit, first.role) == ("ha-van-binh", "thai-nguyen", "admin")
        assert await accounts.first_link() is None
        with pytest.raises(AccountError) as again:
            await accounts.use_link(link, PASSWORD, "Ai Đó")
        assert again.value.key == "link"

    async def test_a_newer_first_link_ends_the_older(self, accounts: Accounts) -> None:
        older, newer = await accounts.first_link(), await accounts.first_link()
        assert older is not None
        assert newer is not None
        assert await accounts.link(older) is None
        assert await accounts.link(newer) is not None

    async def test_a_link_lasts_a_day(self, accounts: Accounts, clock: Clock) -> None:
        _, link = await accounts.add("Lan", "phu-thong", "officer")
        clock.pass_(hours=23, minutes=59)
        assert await accounts.link(link) is not None
        clock.pass_(minutes=1)
        assert await accounts.link(link) is None

    async def test_a_new_link_ends_password_and_sessions(self, accounts: Accounts) -> None:
        officer = await made(accounts)
        token = await accounts.login(officer.login, PASSWORD, "::1")
        assert await accounts.session(token) is not None
        await accounts.reset_link(officer.login)
        assert await accounts.session(token) is None
        assert await accounts.login(officer.login, PASSWORD, "::1") is LoginRefusal.WRONG

    async def test_only_hashes_are_kept(self, accounts: Accounts, database: Database) -> None:
        _, link = await accounts.add("Lan", "phu-thong", "officer")
        await accounts.use_link(link, PASSWORD)
        token = await accounts.login("lan", PASSWORD, "203.0.113.7")
        await accounts.login("lan", "sai bét mật khẩu", "203.0.113.7")
        kept = ""
        async with database.read() as connection:
            for table in (officer_link, officer_session, login_attempt, audit):
                kept += repr((await connection.execute(select(table))).all())
        for secret in (link, str(token), PASSWORD, "sai bét", "203.0.113.7"):
            assert secret not in kept


class TestSessions:
    async def test_a_session_ends_when_idle_at_its_end_and_by_logout(self, accounts: Accounts, clock: Clock) -> None:
        officer = await made(accounts)
        idle = str(await accounts.login(officer.login, PASSWORD, "::1"))
        clock.pass_(hours=2)
        assert await accounts.session(idle) is None
        busy = str(await accounts.login(officer.login, PASSWORD, "::1"))
        for _ in range(11):
            clock.pass_(hours=1)
            assert await accounts.session(busy) is not None
        clock.pass_(hours=1)
        assert await accounts.session(busy) is None
        left = str(await accounts.login(officer.login, PASSWORD, "::1"))
        await accounts.logout(left)
        assert await accounts.session(left) is None

    async def test_an_account_switched_off_is_out_at_once(self, accounts: Accounts) -> None:
        officer = await made(accounts)
        token = str(await accounts.login(officer.login, PASSWORD, "::1"))
        await accounts.disable(officer.login)
        assert await accounts.session(token) is None
        assert await accounts.login(officer.login, PASSWORD, "::1") is LoginRefusal.WRONG

    async def test_guessing_is_stopped_and_time_heals(self, accounts: Accounts, clock: Clock) -> None:
        officer = await made(accounts)
        for _ in range(PER_LOGIN):
            assert await accounts.login(officer.login, "sai", "::1") is LoginRefusal.WRONG
        assert await accounts.login(officer.login, PASSWORD, "::2") is LoginRefusal.TOO_MANY
        clock.pass_(minutes=15)
        assert isinstance(await accounts.login(officer.login, PASSWORD, "::2"), str)

    @pytest.mark.parametrize("forged", ["", "x", "' OR 1=1 --", "á" * 50])
    async def test_a_forged_session_is_none(self, accounts: Accounts, forged: str) -> None:
        assert await accounts.session(forged) is None


class TestMaking:
    async def test_two_people_of_one_name_get_two_logins(self, accounts: Accounts) -> None:
        logins = [(await accounts.add("Nguyễn Thị Lan", "phu-thong", "officer"))[0].login for _ in range(3)]
        assert logins == ["nguyen-thi-lan", "nguyen-thi-lan-2", "nguyen-thi-lan-3"]

    @pytest.mark.parametrize(
        ("name", "unit", "role", "key"),
        [
            (" ", "phu-thong", "officer", "name"),
            ("x" * 121, "phu-thong", "officer", "name"),
            ("!!!", "phu-thong", "officer", "name"),
            ("Lan", "khong-co", "officer", "unit"),
            ("Lan", "phu-thong", "king", "role"),
        ],
    )
    async def test_what_does_not_exist_is_refused(
        self, accounts: Accounts, name: str, unit: str, role: str, key: str
    ) -> None:
        with pytest.raises(AccountError) as refused:
            await accounts.add(name, unit, role)
        assert refused.value.key == key
        assert await accounts.list() == []

    @pytest.mark.parametrize(
        ("password", "fault"),
        [
            ("ngắn quá", "short"),
            ("1234567890123", "digits"),
            ("aaaaaaaaaaaaaa", "simple"),
            ("x" * 201, "long"),
            ("nguyenthilan", "common"),
            (PASSWORD, None),
        ],
    )
    def test_what_is_no_password(self, password: str, fault: str | None) -> None:
        assert fault_of(password, "Nguyễn Thị Lan", "nguyen-thi-lan") == fault


class TestWhoMay:
    @pytest.mark.parametrize(
        ("role", "unit", "where", "announces"),
        [
            ("officer", "phu-thong", "phu-thong", True),
            ("officer", "phu-thong", "duc-xuan", False),
            ("officer", "phu-thong", "thai-nguyen", False),
            ("officer", "thai-nguyen", "phu-thong", True),
            ("viewer", "phu-thong", "phu-thong", False),
            ("admin", "phu-thong", "na-ri", False),
            ("king", "phu-thong", "phu-thong", False),
            ("officer", "phu-thong", "", False),
            ("officer", "", "", False),
        ],
    )
    def test_only_in_ones_own_unit_and_below(
        self, places: Places, role: str, unit: str, where: str, announces: bool
    ) -> None:
        somebody = Officer(1, "Lan", "lan", unit, role, True, True, MORNING, None)
        assert may(somebody, permissions.ANNOUNCE, where, places) is announces

    def test_switched_off_may_nothing(self, places: Places) -> None:
        off = Officer(1, "Lan", "lan", "phu-thong", "admin", False, True, MORNING, None)
        assert not may(off, permissions.SEE_FIGURES, "phu-thong", places)
