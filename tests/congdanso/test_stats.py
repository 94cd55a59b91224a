"""`congdanso stats` writes what it was asked for, and says clearly what it cannot."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from congdanso.cli import cli


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CONGDANSO_DATA_DIR", str(tmp_path / "var"))
    return lambda *arguments: CliRunner().invoke(cli, ["stats", *arguments])


def test_an_empty_installation_has_figures_too(run: Any, tmp_path: Path) -> None:
    result = run("--days", "7", "--unit", "phu-thong", "--xlsx", "a.xlsx", "--png", "a.png")
    assert result.exit_code == 0, result.output
    assert "Xã Phủ Thông" in result.output
    assert zipfile.is_zipfile(tmp_path / "a.xlsx")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(("--unit", "khong-co"), "khong-co"), (("--xlsx", "khong-co/a.xlsx"), "khong-co"), (("--days", "0"), "--days")],
)
def test_what_cannot_be_done_is_said_in_one_line(run: Any, arguments: tuple[str, ...], said: str) -> None:
    result = run(*arguments)
    assert result.exit_code != 0
    assert said in result.stderr
    assert "Traceback" not in result.stderr
