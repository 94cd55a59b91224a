"""The project as a whole: fixed versions, no addresses of package indexes, settings and commands that are documented."""

from __future__ import annotations

import importlib.metadata
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from congdanso.cli import cli
from congdanso.settings import Settings

ROOT = Path(__file__).parent.parent


def tracked() -> list[Path]:
    if not (ROOT / ".git").exists() or shutil.which("git") is None:
        pytest.skip("not a git checkout: nothing says which files belong to the project")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True).stdout
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def test_the_hashed_list_is_the_resolution() -> None:
    """`uv export` of the environment in use equals requirements.lock."""
    if shutil.which("uv") is None or not (ROOT / "uv.lock").is_file():
        pytest.skip("not run through uv: there is no resolution to compare with")
    export = [
        "uv", "export", "--frozen", "--format", "requirements.txt", "--no-emit-project", "--no-annotate", "--no-header", "-q",
    ]  # fmt: skip
    made = subprocess.run(export, cwd=ROOT, capture_output=True, check=True, text=True).stdout
    assert made == (ROOT / "requirements.lock").read_text(encoding="utf-8"), "run .ci/pin"


def test_tensorflow_is_not_in_the_environment() -> None:
    names = {str(d.metadata["Name"]).lower() for d in importlib.metadata.distributions()}
    assert "rasa" in names
    assert not [name for name in names if name.startswith(("tensorflow", "keras", "torch"))]


def test_no_file_names_a_package_index_or_is_too_large() -> None:
    forbidden = re.compile(r"https?://[^\s\"']*(?:pypi\.|pythonhosted|registry\.npm|/simple/)")
    for path in tracked():
        assert path.stat().st_size < 900_000, path
        if path.suffix in {".py", ".toml", ".yml", ".yaml", ".md", ".lock", ".txt", ".json", ".js", ".css", ".html"}:
            assert not forbidden.search(path.read_text(encoding="utf-8")), path


def test_every_setting_is_in_the_handbook() -> None:
    text = (ROOT / "docs" / "guides" / "settings.md").read_text(encoding="utf-8")
    for name in Settings.model_fields:
        assert f"`CONGDANSO_{name.upper()}`" in text, name
    known = {f"CONGDANSO_{name.upper()}" for name in Settings.model_fields}
    assert set(re.findall(r"`(CONGDANSO_[A-Z_]+)`", text)) <= known


def test_every_command_is_in_the_readme_and_explains_itself() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for name, command in cli.commands.items():
        assert f"congdanso {name}" in text, name
        assert command.help or command.short_help, name


@pytest.mark.parametrize("document", ["README.md", "README.vi.md", "docs/guides/settings.md"])
def test_documents_point_to_files_that_exist(document: str) -> None:
    path = ROOT / document
    for target in re.findall(r"\]\(([^)#\s]+)\)", path.read_text(encoding="utf-8")):
        if not target.startswith("http"):
            assert (path.parent / target).exists(), target
