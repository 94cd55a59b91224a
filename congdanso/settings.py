"""Every setting, from the environment or a `.env` file, prefix CONGDANSO_."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """What an operator may set. Secrets never appear in a representation of this object."""

    model_config = SettingsConfigDict(env_prefix="CONGDANSO_", env_file=".env", extra="ignore")

    data_dir: Path = Field(default=Path("var"), description="database, secret key, trained models")
    database_url: str = Field(default="", description="default: SQLite in the data folder; postgresql+psycopg://…")
    secret_key: SecretStr = Field(default=SecretStr(""), description="made and kept in the data folder if absent")
    public_url: str = Field(default="", description="where citizens reach this server, https://…")
    province: str = Field(default="thai-nguyen", description="slug of the province whose places are used")
    officer: str = Field(default="", description="login of the officer as whom `announce` acts, instead of --as")
    telegram_token: SecretStr = Field(default=SecretStr(""), description="of the account `default`")
    telegram_api_url: str = Field(default="https://api.telegram.org", description="without /bot<token>")
    telegram_mode: Literal["polling", "webhook"] = "polling"
    telegram_webhook_secret: SecretStr = Field(default=SecretStr(""), description="1 to 256 of A-Z a-z 0-9 _ -")

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
