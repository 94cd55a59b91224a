"""What was imported is compiled once, where Python may not keep it by itself."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path

import pytest

from congdanso import bytecode


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module that was imported where Python keeps nothing."""
    file = tmp_path / "never_compiled_before.py"
    file.write_text("ANSWER = 42\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    importlib.import_module("never_compiled_before")
    monkeypatch.setattr(sys, "modules", {"never_compiled_before": sys.modules.pop("never_compiled_before")})
    return file


def test_what_is_missing_is_compiled_beside_the_program(module: Path) -> None:
    assert bytecode.missing() == [module]
    process = bytecode.keep()
    assert process is not None
    assert process.wait(30) == 0
    assert Path(importlib.util.cache_from_source(str(module))).is_file()
    assert bytecode.missing() == []
    assert bytecode.keep() is None


def test_where_python_keeps_its_own_nothing_is_done(module: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    assert bytecode.keep() is None
