"""Every setting, from the environment or a `.env` file, prefix CONGDANSO_.

pydantic checks, python-dotenv reads the file. pydantic-settings would do both; its import alone is a sixth of the time in
which `congdanso understand` has to be ready.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

PREFIX: Final = "CONGDANSO_"
FILE: Final = Path(".env")


class Settings(BaseModel):
    """What an operator may set. Secrets never appear in a representation of this object."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    data_dir: Path = Field(default=Path("var"), description="database, secret key, trained models")
    database_url: str = Field(default="", description="default: SQLite in the data folder; postgresql+psycopg://…")
    secret_key: SecretStr = Field(default=SecretStr(""), description="made and kept in the data folder if absent")
    public_url: str = Field(default="", description="where citizens reach this server, https://…")
    province: str = Field(default="thai-nguyen", description="slug of the province whose places are used")
    officer: str = Field(default="", description="login of the officer as whom `announce` acts, instead of --as")
    embed_origins: tuple[str, ...] = Field(
        default=(), description="sites that may show the chat inside their pages, separated by spaces or commas"
    )
    telegram_token: SecretStr = Field(default=SecretStr(""), description="of the account `default`")
    telegram_api_url: str = Field(default="https://api.telegram.org", description="without /bot<token>")
    telegram_mode: Literal["polling", "webhook"] = "polling"
    telegram_webhook_secret: SecretStr = Field(default=SecretStr(""), description="1 to 256 of A-Z a-z 0-9 _ -")
    zalo_oa_app_id: str = Field(default="", description="of the Zalo app that the Official Account is linked with")
    zalo_oa_secret_key: SecretStr = Field(default=SecretStr(""), description="signs the webhook's events")
    zalo_oa_app_secret: SecretStr = Field(default=SecretStr(""), description="renews the tokens")
    zalo_oa_access_token: SecretStr = Field(
        default=SecretStr(""), description="of the first pair; renewed ones are kept"
    )
    zalo_oa_refresh_token: SecretStr = Field(default=SecretStr(""), description="of the first pair; works once")
    zalo_oa_api_url: str = Field(default="https://openapi.zalo.me")
    zalo_oa_oauth_url: str = Field(default="https://oauth.zaloapp.com")
    zalo_bot_token: SecretStr = Field(default=SecretStr(""), description="of the account `default`")
    zalo_bot_api_url: str = Field(default="https://bot-api.zaloplatforms.com")
    zalo_bot_webhook_secret: SecretStr = Field(
        default=SecretStr(""), description="8 to 256; with it updates come by webhook"
    )

    @model_validator(mode="before")
    @classmethod
    def _from_environment(cls, given: dict[str, Any]) -> dict[str, Any]:
        """What is given in code comes first, then the environment, then the file."""
        found: dict[str, Any] = {}
        if FILE.is_file():
            from dotenv import dotenv_values

            found |= {name: value for name, value in dotenv_values(FILE, encoding="utf-8").items() if value is not None}
        found |= os.environ
        named = {name: found[key] for name in cls.model_fields if (key := PREFIX + name.upper()) in found}
        return named | given

    @field_validator("embed_origins", mode="before")
    @classmethod
    def _origins(cls, given: Any) -> Any:
        """Take a list from one line of the environment; an entry that is no origin stops the start and is named."""
        entries = given.replace(",", " ").split() if isinstance(given, str) else given
        if not entries:
            return ()
        from bot.channels.web.embed import origin

        return tuple(origin(entry) for entry in entries)

    def url(self) -> str:
        """Return the database's URL."""
        return self.database_url or f"sqlite:///{(self.data_dir / 'congdanso.db').as_posix()}"

    def system_url(self) -> str:
        """Return where the durable workflows keep their own tables: beside the database, or in a schema of it."""
        from bot.storage.database import async_url

        if self.database_url and not self.database_url.startswith("sqlite"):
            return async_url(self.database_url)
        return f"sqlite:///{(self.data_dir / 'workflows.db').as_posix()}"

    def key(self) -> bytes:
        """Return the secret key; on first use it is made and kept in the data folder, readable by its owner alone."""
        if given := self.secret_key.get_secret_value():
            return given.encode()
        self.data_dir.mkdir(parents=True, exist_ok=True)
        path = self.data_dir / "secret_key"
        try:
            with path.open("x", encoding="ascii") as file:
                path.chmod(0o600)
                file.write(secrets.token_urlsafe(48))
        except FileExistsError:
            pass
        return path.read_text(encoding="ascii").strip().encode()
