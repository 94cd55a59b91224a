"""What was imported is compiled once, where Python may not keep it by itself."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from congdanso import bytecode


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """A module that was imported where Python keeps nothing."""
    file = tmp_path / "never_compiled_before.py"
    file.write_text("ANSWER = 42\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield importlib.import_module("never_compiled_before")
    del sys.modules["never_compiled_before"]


def test_what_is_missing_is_compiled_beside_the_program(module: ModuleType) -> None:
    assert bytecode.missing([module]) == [Path(str(module.__file__))]
    process = bytecode.keep([module])
    assert process is not None
    assert process.wait(30) == 0
    assert Path(importlib.util.cache_from_source(str(module.__file__))).is_file()
    assert bytecode.missing([module]) == []
    assert bytecode.keep([module]) is None


def test_all_imported_modules_are_looked_at(module: ModuleType) -> None:
    assert Path(str(module.__file__)) in bytecode.missing()


def test_where_python_keeps_its_own_nothing_is_done(module: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    assert bytecode.keep([module]) is None
