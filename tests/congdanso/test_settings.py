"""Settings come from code, the environment and a file, in this order; secrets stay hidden."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from congdanso.settings import Settings


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CONGDANSO_DATA_DIR", raising=False)


def test_code_before_environment_before_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(
        "CONGDANSO_PROVINCE=cao-bang\nCONGDANSO_PUBLIC_URL=https://file.vn\nKHAC=1\nCONGDANSO_OFFICER='lê an'\n",
        "utf-8",
    )
    monkeypatch.setenv("CONGDANSO_PUBLIC_URL", "https://environment.vn")
    monkeypatch.setenv("CONGDANSO_TELEGRAM_MODE", "webhook")
    found = Settings(telegram_mode="polling")
    assert (found.province, found.public_url, found.telegram_mode) == ("cao-bang", "https://environment.vn", "polling")
    assert found.officer == "lê an"


def test_defaults_need_nothing() -> None:
    found = Settings()
    assert found.data_dir == Path("var")
    assert found.url() == "sqlite:///var/congdanso.db"


def test_a_value_that_cannot_be_is_refused_and_secrets_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONGDANSO_TELEGRAM_TOKEN", "123:hush-hush")
    assert "hush-hush" not in repr(Settings())
    monkeypatch.setenv("CONGDANSO_TELEGRAM_MODE", "pigeon")
    with pytest.raises(ValidationError, match="telegram_mode"):
        Settings()


def test_the_key_is_made_once_and_is_its_owners_alone(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "var")
    assert settings.key() == settings.key() == Settings(data_dir=tmp_path / "var").key()
    assert (tmp_path / "var" / "secret_key").stat().st_mode & 0o077 == 0


def test_the_sites_that_may_embed_the_chat_stand_on_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings().embed_origins == ()
    monkeypatch.setenv("CONGDANSO_EMBED_ORIGINS", " https://PhuThong.vn/, https://*.thainguyen.gov.vn ")
    assert Settings().embed_origins == ("https://phuthong.vn", "https://*.thainguyen.gov.vn")
    assert Settings(embed_origins=("https://a.vn",)).embed_origins == ("https://a.vn",)


def test_a_site_that_is_none_stops_the_start_and_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONGDANSO_EMBED_ORIGINS", "https://phuthong.vn phuthong.gov.vn")
    with pytest.raises(ValidationError, match=r"Địa chỉ trang phải có dạng .* Đã ghi: phuthong\.gov\.vn"):
        Settings()
