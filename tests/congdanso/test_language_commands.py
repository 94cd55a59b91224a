"""`train`, `evaluate`, `understand` with another model, and `bench nlu`, as somebody types them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from congdanso.cli import cli
from congdanso.model import model_file
from congdanso.settings import Settings
from content.places import load_places

FLIGHTS = Path(__file__).parents[1] / "nlu" / "foreign" / "chuyen-bay.yml"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CONGDANSO_DATA_DIR", str(tmp_path / "var"))

    def run_command(*arguments: str, stdin: str = "") -> Result:
        return CliRunner().invoke(cli, list(arguments), input=stdin)

    return run_command


def test_a_model_of_another_field_is_trained_measured_and_asked(run: Any, tmp_path: Path) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    shutil.copyfile(FLIGHTS, folder / "nlu.yml")
    (folder / "domain.yml").write_text('version: "3.1"\nintents: []\n', encoding="utf-8")
    (folder / "test.tsv.txt").write_text("not read", encoding="utf-8")
    trained = run("train", "--data", str(folder), "--model", "flights.tar.gz")
    assert trained.exit_code == 0, trained.output
    assert "6 ý định" in trained.stderr
    assert (tmp_path / "var" / "models" / "vectors.npz").is_file()

    (tmp_path / "asked.tsv").write_text(
        "vé đi Vinh giá bao nhiêu\tgiá vé\nxách tay mấy cân\thành lý\n", encoding="utf-8"
    )
    measured = run("evaluate", "--model", "flights.tar.gz", "--file", "asked.tsv", "--json")
    assert measured.exit_code == 0, measured.output
    report = json.loads(measured.stdout)
    assert report["accuracy"]["clean"] == {"count": 2, "first": 1.0, "first_three": 1.0}
    assert report["aspect"] is None

    asked = run("understand", "--model", "flights.tar.gz", stdin="hoàn vé thì bao lâu có tiền\n")
    answer = json.loads(asked.stdout)
    assert (answer["topic"], answer["intent"], answer["aspect"]) == ("hoàn vé", "hoàn vé", None)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("train", "--data", "."), "--data và --model đi cùng nhau"),
        (("train", "--model", "x.tar.gz"), "--data và --model đi cùng nhau"),
        (("train", "--data", ".", "--model", "x.tar.gz"), "ít nhất 2 ý định"),
        (("evaluate", "--model", "x.tar.gz"), "--model cần kèm --file"),
        (("understand", "--model", "missing.tar.gz"), "không có tệp mô hình"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(run: Any, arguments: tuple[str, ...], told: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 1
    assert told in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_a_file_that_is_no_model_is_refused(run: Any, tmp_path: Path) -> None:
    (tmp_path / "broken.tar.gz").write_bytes(b"nothing of the kind")
    result = run("understand", "--model", "broken.tar.gz", stdin="x\n")
    assert result.exit_code == 1
    assert "không phải mô hình" in result.stderr


def test_a_quick_bench_tells_figures_and_targets(run: Any, model_archive: Path) -> None:
    target = model_file(Settings(), load_places())
    target.parent.mkdir(parents=True)
    shutil.copyfile(model_archive, target)
    result = run("bench", "nlu", "--quick", "--sample", "10", "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert (told["bench"], told["ratios"]) == ("nlu", {})
    assert told["figures"]["ours: messages a second"] > 0
    assert told["targets"]["memory, MB"]["target"] == 300
    assert {"value", "target", "holds"} == set(told["targets"]["one message, median, ms"])
