"""The API as its own description has it, asked by schemathesis: what is allowed works, what is not is refused, nothing breaks."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import SecretStr
from sqlalchemy import create_engine, func, select

from bot.channels.web.access import Tokens
from bot.storage.tables import conversation, inbox, outbox
from congdanso.app import create
from congdanso.settings import Settings
from tests.emulators import zalo_bot, zalo_oa
from tests.emulators.server import serve
from tests.emulators.telegram import TOKEN, TelegramEmulator

if TYPE_CHECKING:
    from congdanso.brain import Brain

KEY = "a key of the tests " * 3
SECRET = "a-secret-of-the-tests"
WEBHOOKS = (
    "/channels/telegram/default/webhook",
    "/channels/zalo-bot/default/webhook",
    "/channels/zalo-oa/webhook",
)
COMMAND = str(Path(sys.executable).with_name("schemathesis"))


@dataclass
class Running:
    """The whole server on a socket."""

    url: str
    folder: Path
    answers: dict[str, set[int]] = field(default_factory=dict)
    """By path: the statuses that were answered."""

    def asked(self, *options: str) -> str:
        """Let schemathesis ask, of the account that there is; return what it says."""
        (self.folder / "schemathesis.toml").write_text('[parameters]\n"path.account" = "default"\n', encoding="utf-8")
        command = [
            COMMAND, "run", f"{self.url}/api/openapi.json", "--phases", "coverage,fuzzing", "--max-examples", "12",
            "--generation-deterministic", "--continue-on-failure", "--request-timeout", "10", "--warnings", "off", *options,
        ]  # fmt: skip
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-1000:]
        return done.stdout

    def stored(self) -> list[int]:
        engine = create_engine(f"sqlite:///{self.folder / 'congdanso.db'}")
        with engine.connect() as connection:
            counts = [
                connection.scalar(select(func.count()).select_from(t)) or 0 for t in (conversation, inbox, outbox)
            ]
        engine.dispose()
        return counts


@pytest.fixture
def running(tmp_path: Path, brain: Brain) -> Iterator[Running]:
    oa = zalo_oa.ZaloOaEmulator()
    access, refresh = oa.pair()
    with ExitStack() as ends:
        emulators = (TelegramEmulator(), oa, zalo_bot.ZaloBotEmulator())
        telegram_url, oa_url, bot_url = (ends.enter_context(serve(emulator.app())) for emulator in emulators)
        settings = Settings(
            data_dir=tmp_path,
            secret_key=SecretStr(KEY),
            public_url="https://congdanso.example.vn",
            telegram_token=SecretStr(TOKEN),
            telegram_api_url=telegram_url,
            telegram_mode="webhook",
            telegram_webhook_secret=SecretStr(SECRET),
            zalo_oa_app_id=zalo_oa.APP_ID,
            zalo_oa_secret_key=SecretStr(zalo_oa.OA_SECRET),
            zalo_oa_app_secret=SecretStr(zalo_oa.APP_SECRET),
            zalo_oa_access_token=SecretStr(access),
            zalo_oa_refresh_token=SecretStr(refresh),
            zalo_oa_api_url=oa_url,
            zalo_oa_oauth_url=oa_url,
            zalo_bot_token=SecretStr(zalo_bot.TOKEN),
            zalo_bot_api_url=bot_url,
            zalo_bot_webhook_secret=SecretStr(SECRET),
        )
        app = create(settings, brain)
        tokens = Tokens(KEY)
        made = Running("", tmp_path)

        async def door(scope: Any, receive: Any, send: Any) -> None:
            """Give each request that knocks in the right way a conversation of its own: one may only speak so often."""

            async def noted(event: Any) -> None:
                if event["type"] == "http.response.start":
                    made.answers.setdefault(scope["path"], set()).add(event["status"])
                await send(event)

            if scope["type"] == "http":
                given = (
                    (k, f"Bearer {tokens.new()}".encode() if v == b"Bearer mine" else v) for k, v in scope["headers"]
                )
                scope = scope | {"headers": list(given)}
            await app(scope, receive, noted)

        made.url = ends.enter_context(serve(door, lifespan="on"))
        yield made


def test_the_chat_keeps_every_promise_of_its_description(running: Running) -> None:
    """All of schemathesis' checks: statuses, shapes, headers, what must be refused, who must show a token."""
    # The stream never ends; tests/bot/channels/test_web_stream.py reads it.
    said = running.asked(
        "--include-tag", "chat", "--exclude-path", "/api/chat/stream", "--checks", "all", "--header", "Authorization: Bearer mine"
    )  # fmt: skip
    assert "2 selected" in said
    assert running.stored()[1] > 0, "it really got in"


def test_whoever_shows_no_token_breaks_nothing_and_leaves_nothing(running: Running) -> None:
    """And every answer they get is one that the description names."""
    # With a token from `sessions` in its hands it would be let in.
    said = running.asked(
        "--exclude-path", "/api/chat/stream", "--exclude-path", "/api/chat/sessions",
        "--checks", "not_a_server_error,status_code_conformance",
    )  # fmt: skip
    assert int(re.findall(r"(\d+) selected", said)[0]) >= 6, "the messengers' webhooks among them"
    assert running.stored() == [0, 0, 0]
    assert [running.answers[path] & {200, 403, 404} for path in WEBHOOKS[:2]] == [{403}, {403}], "the secret is missing"
    # Zalo's own unsigned question, an empty object, is answered; whose event it would be is not in these bodies.
    assert running.answers[WEBHOOKS[2]] <= {200, 400, 404, 405}


def test_whoever_knows_the_secret_breaks_nothing_either(running: Running) -> None:
    """Objects that are no updates get past the door and end in the parsers."""
    running.asked(
        "--include-tag", "channels", "--checks", "not_a_server_error,status_code_conformance",
        "--header", f"X-Telegram-Bot-Api-Secret-Token: {SECRET}", "--header", f"X-Bot-Api-Secret-Token: {SECRET}",
    )  # fmt: skip
    assert [200 in running.answers[path] for path in WEBHOOKS] == [True] * 3
