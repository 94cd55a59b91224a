"""The life of an OA's tokens: given, renewed in time, by one process at once, and through crashes at the worst moments."""

from __future__ import annotations

import asyncio
import logging
import signal
import subprocess
import sys
import textwrap
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.accounts import AccountBook, SecretKeeper, Vault
from bot.channels.zalo_oa import seeded
from bot.channels.zalo_oa.oauth import Granted, OAuth, Refused, Unavailable, pkce
from bot.channels.zalo_oa.tokens import BEGAN, EXPIRES_AT, LOST, NO_REFRESH, REFUSED, UNSAVED, Tokens, due, granted
from bot.conversation.model import Reply
from bot.messages import Misconfigured, Transient
from bot.storage.database import Database
from tests.builders import MORNING, Clock
from tests.emulators.zalo_oa import APP_ID, APP_SECRET, OAUTH, Fault, ZaloOaEmulator

from .conftest import Setting
from .stores import MemorySecrets

pytestmark = pytest.mark.anyio
ROOT = Path(__file__).parents[4]


def oauth(setting: Setting, secret: str = APP_SECRET) -> OAuth:
    return OAuth(setting.http, APP_ID, secret, url=setting.url)


def process(setting: Setting) -> Tokens:
    """The tokens as one more process has them."""
    return Tokens("default", setting.secrets, oauth(setting), setting.clock, pauses=(0.0, 0.0))


def later(setting: Setting, **span: float) -> None:
    setting.clock.pass_(**span)
    setting.zalo.now = setting.clock.now


@pytest.fixture
async def tokens(setting: Setting) -> Tokens:
    """A pair that Zalo has given, just now."""
    made = process(setting)
    await made.keep_fresh()
    setting.zalo.calls.clear()
    return made


class TestTheFirstPair:
    async def test_a_pair_given_by_hand_is_used_and_soon_renewed_since_nobody_knows_its_age(
        self, setting: Setting
    ) -> None:
        made = process(setting)
        assert await made.access() == "access-1"
        await made.keep_fresh()
        assert await made.access() == "access-2"
        assert setting.zalo.asked(OAUTH) == 1

    async def test_settings_that_have_not_changed_do_not_bring_back_an_old_pair(
        self, setting: Setting, tokens: Tokens
    ) -> None:
        assert seeded(await setting.secrets.read(), "access-1", "refresh-1") is None
        assert seeded(await setting.secrets.read(), "", "") is None
        assert seeded(await setting.secrets.read(), "access-9", "refresh-9") is not None

    async def test_consent_brings_a_pair(self, setting: Setting) -> None:
        verifier, challenge = pkce(b"\x07" * 32)
        setting.zalo.codes["code-1"] = challenge
        made = process(setting)
        assert isinstance(await made.authorise("code-1", verifier), Granted)
        assert await made.access() == "access-2"
        assert isinstance(await made.authorise("code-1", verifier), Refused)

    async def test_a_code_needs_its_verifier(self, setting: Setting) -> None:
        setting.zalo.codes["code-1"] = pkce(b"\x07" * 32)[1]
        assert isinstance(await process(setting).authorise("code-1", pkce(b"\x08" * 32)[0]), Refused)

    async def test_where_an_administrator_consents(self, setting: Setting) -> None:
        url = httpx.URL(oauth(setting).consent_url("https://cds.vn/console/zalo?x=1", "abc", "s1"))
        assert url.path == "/v4/oa/permission"
        assert dict(url.params) == {
            "app_id": APP_ID,
            "redirect_uri": "https://cds.vn/console/zalo?x=1",
            "code_challenge": "abc",
            "state": "s1",
        }

    @given(st.binary(min_size=32, max_size=32))
    def test_a_verifier_has_43_characters(self, randomness: bytes) -> None:
        verifier, challenge = pkce(randomness)
        assert len(verifier) == len(challenge) == 43
        assert "=" not in verifier + challenge

    def test_the_example_of_rfc_7636(self) -> None:
        octets = [116, 24, 223, 180, 151, 153, 224, 37, 79, 250, 96, 125, 216, 173, 187, 186, 22, 212, 37, 77, 105]
        octets += [214, 191, 240, 91, 88, 5, 88, 83, 132, 141, 121]
        assert pkce(bytes(octets)) == (
            "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
        )

    def test_other_lengths_are_an_error(self) -> None:
        with pytest.raises(ValueError, match="32"):
            pkce(b"short")


class TestRenewing:
    async def test_a_fresh_pair_is_left_alone(self, setting: Setting, tokens: Tokens) -> None:
        later(setting, hours=19, minutes=59)
        await tokens.keep_fresh()
        assert setting.zalo.asked(OAUTH) == 0

    async def test_after_twenty_hours_a_new_one_is_fetched(self, setting: Setting, tokens: Tokens) -> None:
        later(setting, hours=20)
        await tokens.keep_fresh()
        assert await tokens.access() == "access-3"
        assert setting.zalo.asked(OAUTH) == 1

    async def test_an_expired_one_is_renewed_before_it_is_used(self, setting: Setting, tokens: Tokens) -> None:
        later(setting, hours=26)
        assert await tokens.access() == "access-3"

    async def test_both_are_written_down_in_one_commit_with_a_note_before(
        self, setting: Setting, tokens: Tokens
    ) -> None:
        before = len(setting.secrets.versions)
        later(setting, hours=20)
        await tokens.keep_fresh()
        note, pair = setting.secrets.versions[before:]
        assert (note["access_token"], note["refresh_token"], BEGAN in note) == ("access-2", "refresh-2", True)
        assert (pair["access_token"], pair["refresh_token"], BEGAN in pair) == ("access-3", "refresh-3", False)

    async def test_many_at_once_ask_once(self, setting: Setting, tokens: Tokens) -> None:
        found = await asyncio.gather(*(tokens.renewed("access-2") for _ in range(50)))
        assert set(found) == {"access-3"}
        assert setting.zalo.asked(OAUTH) == 1

    async def test_two_processes_ask_once(self, setting: Setting, tokens: Tokens) -> None:
        other = process(setting)
        await other.access()
        later(setting, hours=20)
        await asyncio.gather(tokens.keep_fresh(), other.keep_fresh())
        assert setting.zalo.asked(OAUTH) == 1
        assert await tokens.access() == await other.access() == "access-3"

    async def test_a_process_that_slept_takes_over_what_others_fetched(self, setting: Setting, tokens: Tokens) -> None:
        other = process(setting)
        await other.access()
        later(setting, hours=20)
        await tokens.keep_fresh()
        assert await other.access() == "access-2"  # dead, but this process does not know
        assert await other.renewed("access-2") == "access-3"
        assert setting.zalo.asked(OAUTH) == 1

    async def test_what_others_fetched_is_renewed_if_it_is_too_old_as_well(
        self, setting: Setting, tokens: Tokens
    ) -> None:
        other = process(setting)
        await other.access()
        later(setting, hours=20)
        await tokens.keep_fresh()
        later(setting, hours=26)
        assert await other.renewed("access-2") == "access-4"

    async def test_a_caller_that_gives_up_does_not_stop_the_renewal(self, setting: Setting, tokens: Tokens) -> None:
        setting.zalo.faults[OAUTH] = [Fault(delay=0.3)]
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await tokens.renewed("access-2")
        await tokens.close()
        assert (await setting.secrets.read())["access_token"] == "access-3"
        assert setting.zalo.asked(OAUTH) == 1

    @pytest.mark.parametrize(
        ("seconds", "expected"),
        [("90000", 25), (90000, 25), ("3600", 1), ("", 25), ("soon", 25), ("0", 25), (None, 25)],
    )
    async def test_how_long_a_token_lives(self, setting: Setting, seconds: object, expected: int) -> None:
        page = httpx.Response(200, json={"access_token": "a", "refresh_token": "r", "expires_in": seconds}).text
        setting.zalo.faults[OAUTH] = [Fault(page=page)]
        assert await oauth(setting).renew("refresh-1") == Granted("a", "r", timedelta(hours=expected))

    @given(st.integers(min_value=1, max_value=90 * 24 * 3600), st.floats(min_value=0, max_value=2))
    def test_due_after_four_fifths_of_its_life(self, seconds: int, share: float) -> None:
        stored = granted({}, Granted("a", "r", timedelta(seconds=seconds)), MORNING)
        assert due(stored, MORNING + timedelta(seconds=seconds * share)) == (share >= 0.8) or abs(share - 0.8) < 1e-3
        assert due({**stored, BEGAN: MORNING.isoformat()}, MORNING)
        assert due({**stored, EXPIRES_AT: "2026-11-22T09:00:00"}, MORNING)  # nobody's time


class TestTrouble:
    async def test_zalo_out_of_reach_leaves_the_old_token_in_use(self, setting: Setting, tokens: Tokens) -> None:
        later(setting, hours=20)
        setting.zalo.faults[OAUTH] = [Fault(status=503)]
        await tokens.keep_fresh()
        assert (await tokens.access(), tokens.problem) == ("access-2", "")
        await tokens.keep_fresh()
        assert await tokens.access() == "access-3"

    async def test_no_connection_leaves_no_note(self, setting: Setting) -> None:
        lost = OAuth(setting.http, APP_ID, APP_SECRET, url="http://127.0.0.1:9")
        made = Tokens("default", setting.secrets, lost, setting.clock)
        assert await made.renewed("access-1") == Transient("ConnectError")
        assert BEGAN not in await setting.secrets.read()

    @pytest.mark.parametrize(
        "answer",
        [
            '{"error_name":"Invalid refresh token","error_reason":"refresh token is invalid","error":-14014}',
            '{"error_name":"Invalid refresh token"}',
            '{"access_token":"access-9"}',
            '{"access_token":"","refresh_token":""}',
            '{"access_token":null,"refresh_token":7}',
            "{}",
        ],
    )
    async def test_an_answer_without_two_tokens_is_a_refusal_and_overwrites_nothing(
        self, setting: Setting, tokens: Tokens, answer: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        before = await setting.secrets.read()
        later(setting, hours=20)
        setting.zalo.faults[OAUTH] = [Fault(page=answer)]
        await tokens.keep_fresh()
        assert tokens.problem == REFUSED
        assert await tokens.access() == "access-2"  # until Zalo says otherwise
        assert await setting.secrets.read() == before
        assert [r.levelno for r in caplog.records if r.levelno >= logging.ERROR] == [logging.CRITICAL]

    async def test_a_refused_token_is_not_tried_again_for_an_hour(self, setting: Setting, tokens: Tokens) -> None:
        setting.zalo.refresh = "somebody else's"
        for _ in range(3):
            assert await tokens.renewed("access-2") == Misconfigured(REFUSED)
        assert setting.zalo.asked(OAUTH) == 1
        setting.zalo.refresh = "refresh-2"
        later(setting, minutes=61)
        assert await tokens.renewed("access-2") == "access-3"
        assert tokens.problem == ""

    async def test_a_new_pair_of_the_operators_ends_the_trouble(self, setting: Setting, tokens: Tokens) -> None:
        setting.zalo.refresh = "somebody else's"
        await tokens.renewed("access-2")
        given = seeded(await setting.secrets.read(), *setting.zalo.pair())
        assert given is not None
        await setting.secrets.write(given)
        assert await tokens.renewed("access-2") == "access-3"
        assert tokens.problem == ""

    async def test_a_page_from_the_way_is_no_refusal(self, setting: Setting, tokens: Tokens) -> None:
        for status in (200, 403, 502):
            setting.zalo.faults[OAUTH] = [Fault(status=status, page="<html>chặn</html>")]
            assert isinstance(await oauth(setting).renew("refresh-2"), Unavailable)

    async def test_without_a_refresh_token_the_operator_hears_of_it_at_once(self, setting: Setting) -> None:
        await setting.secrets.write({"access_token": "access-1"})
        made = process(setting)
        await made.keep_fresh()
        assert (await made.access(), made.problem) == ("access-1", NO_REFRESH)

    async def test_nothing_at_all(self, setting: Setting) -> None:
        await setting.secrets.write({})
        assert await process(setting).access() == Misconfigured(NO_REFRESH)

    async def test_a_wrong_app_secret(self, setting: Setting) -> None:
        made = Tokens("default", setting.secrets, oauth(setting, "wrong"), setting.clock)
        assert await made.renewed("access-1") == Misconfigured(REFUSED)

    async def test_a_database_that_fails_before_zalo_is_asked_costs_nothing(
        self, setting: Setting, tokens: Tokens
    ) -> None:
        setting.secrets.fails = 1
        assert isinstance(await tokens.renewed("access-2"), Transient)
        assert setting.zalo.asked(OAUTH) == 0
        assert await tokens.renewed("access-2") == "access-3"

    async def test_a_pair_that_cannot_be_saved_is_kept_until_it_can_and_not_used_before(
        self, setting: Setting, tokens: Tokens, caplog: pytest.LogCaptureFixture
    ) -> None:
        class Failing(MemorySecrets):
            async def write(self, secrets: object) -> None:
                if BEGAN not in secrets:  # type: ignore[operator]
                    raise OSError("disk full")
                await MemorySecrets.write(self, secrets)  # type: ignore[arg-type]

        broken = Failing(setting.secrets.versions)
        made = Tokens("default", broken, oauth(setting), setting.clock, pauses=(0.0, 0.0))
        assert await made.renewed("access-2") == Transient(UNSAVED)
        assert await made.access() == Transient(UNSAVED)
        assert made.problem == UNSAVED
        made._secrets = setting.secrets
        await made.keep_fresh()
        assert (await made.access(), made.problem) == ("access-3", "")
        assert (await setting.secrets.read())["refresh_token"] == "refresh-3"
        assert setting.zalo.asked(OAUTH) == 1

    async def test_no_token_is_ever_told(
        self, setting: Setting, tokens: Tokens, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        setting.zalo.refresh = "somebody else's"
        told = repr([await tokens.renewed("access-2"), Granted("access-2", "refresh-2", timedelta(1)), tokens])
        setting.secrets.fails = 1
        told += repr(await process(setting).renewed("access-2")) + caplog.text
        assert not [secret for secret in ("access-2", "refresh-2", APP_SECRET) if secret in told]


class TestCrash:
    """Between the request and the commit."""

    async def crashed(self, setting: Setting) -> None:
        """A process asks Zalo, which answers; the process dies before it has written that down."""
        note = {**await setting.secrets.read(), BEGAN: setting.clock.now.isoformat()}
        await setting.secrets.write(note)

    async def test_if_zalo_never_heard_the_question_the_next_start_simply_asks_again(
        self, setting: Setting, tokens: Tokens, caplog: pytest.LogCaptureFixture
    ) -> None:
        await self.crashed(setting)
        restarted = process(setting)
        assert (await restarted.access(), restarted.problem) == ("access-3", "")
        assert "a renewal of the tokens was cut off; asking once more" in caplog.text
        assert BEGAN not in await setting.secrets.read()

    async def test_if_zalo_has_taken_the_token_the_loss_is_said_aloud_with_what_to_do(
        self, setting: Setting, tokens: Tokens, caplog: pytest.LogCaptureFixture
    ) -> None:
        await self.crashed(setting)
        setting.zalo.pair()  # the answer that nobody wrote down
        restarted = setting.channel()
        assert await restarted.send("77", Reply("Xin chào")) == Misconfigured(LOST)
        assert restarted.problem == LOST
        assert "a new pair of tokens from Zalo's API Explorer" in LOST
        assert [r.message for r in caplog.records if r.levelno == logging.CRITICAL] == [LOST]
        assert setting.zalo.asked(OAUTH) == 1
        assert setting.zalo.sent == []

    async def test_the_start_after_that_says_the_same(self, setting: Setting, tokens: Tokens) -> None:
        await self.crashed(setting)
        setting.zalo.pair()
        for _ in range(2):
            restarted = process(setting)
            await restarted.keep_fresh()
            assert restarted.problem == LOST

    async def test_an_answer_that_got_lost_on_the_line_is_a_cut_off_renewal_too(
        self, setting: Setting, tokens: Tokens
    ) -> None:
        setting.zalo.faults[OAUTH] = [Fault(drop=True)]
        assert isinstance(await tokens.renewed("access-2"), Transient)
        assert await tokens.renewed("access-2") == Misconfigured(LOST)

    async def test_somebody_else_who_is_asking_right_now_has_not_crashed(
        self, setting: Setting, tokens: Tokens
    ) -> None:
        setting.zalo.faults[OAUTH] = [Fault(delay=0.3)]
        asking = asyncio.create_task(tokens.renewed("access-2"))
        while not setting.zalo.asked(OAUTH):
            await asyncio.sleep(0.01)
        assert BEGAN in await setting.secrets.read()
        started = process(setting)
        assert await started.access() == "access-3"
        assert await asking == "access-3"
        assert setting.zalo.asked(OAUTH) == 1


KILLED = """
    import asyncio, os, signal, sys
    from datetime import UTC, datetime, timedelta
    import bot.accounts.secrets
    from bot.accounts import AccountBook, SecretKeeper, Vault
    from bot.channels.zalo_oa.api import http_client
    from bot.channels.zalo_oa.oauth import OAuth
    from bot.channels.zalo_oa.tokens import BEGAN, Tokens
    from bot.storage.database import Database
    from tests.builders import Clock

    url, database_url, when = sys.argv[1:]
    if when != "not":
        bot.accounts.secrets.LEASE = timedelta(seconds=2)

    class Killed(SecretKeeper):
        async def write(self, secrets):
            if when == "before the commit" and BEGAN not in secrets:
                os.kill(os.getpid(), signal.SIGKILL)
            await super().write(secrets)

    async def main():
        database = Database(database_url)
        book = AccountBook(database, Vault([b"the installation's key"]), lambda: datetime.now(UTC))
        async with http_client() as http:
            oauth = OAuth(http, "360846524940903967", "emulated-app-secret", url=url)
            keeper = Killed(book, "zalo-oa", "default", f"p{os.getpid()}")
            tokens = Tokens("default", keeper, oauth, Clock())
            await tokens.keep_fresh()
            print(await tokens.access())
        await database.close()

    asyncio.run(main())
"""


def other_process(setting: Setting, database_url: str, when: str) -> subprocess.Popen[str]:
    code = textwrap.dedent(KILLED)
    return subprocess.Popen(
        [sys.executable, "-c", code, setting.url, database_url, when], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )


async def finished(process: subprocess.Popen[str]) -> tuple[int, str]:
    told, _ = await asyncio.to_thread(process.communicate, timeout=120)
    return process.returncode, told.strip()


@pytest.fixture
async def keeper(database: Database, zalo: ZaloOaEmulator) -> SecretKeeper:
    """The secrets of one account in the book, as this process keeps them."""
    book = AccountBook(database, Vault([b"the installation's key"]), lambda: datetime.now(UTC))
    given = seeded({}, *zalo.pair())
    assert given is not None
    await book.add("zalo-oa", "default", unit="phu-thong", title="OA xã Phủ Thông", secrets=given)
    return SecretKeeper(book, "zalo-oa", "default", "test")


async def test_real_processes_ask_once(
    setting: Setting, zalo: ZaloOaEmulator, keeper: SecretKeeper, database_url: str
) -> None:
    zalo.faults[OAUTH] = [Fault(delay=0.5)]
    several = [other_process(setting, database_url, "not") for _ in range(3)]
    ended = [await finished(p) for p in several]
    assert [code for code, _ in ended] == [0, 0, 0]
    assert {told for _, told in ended} == {(await keeper.read())["access_token"]}
    assert zalo.asked(OAUTH) == 1


async def test_a_process_killed_between_answer_and_commit_is_noticed_by_the_next(
    setting: Setting, zalo: ZaloOaEmulator, keeper: SecretKeeper, database_url: str
) -> None:
    code, _ = await finished(other_process(setting, database_url, "before the commit"))
    assert code == -signal.SIGKILL
    assert BEGAN in await keeper.read()
    assert zalo.asked(OAUTH) == 1
    restarted = Tokens("default", keeper, oauth(setting), Clock())
    await restarted.keep_fresh()  # waits until the dead process's lease has ended
    assert restarted.problem == LOST
    assert zalo.asked(OAUTH) == 2
