"""The commands as somebody types them: a process's streams and its exit status."""

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


@pytest.fixture
def run(tmp_path: Path, model_archive: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run a command in an empty folder that already has a trained model."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CONGDANSO_DATA_DIR", str(tmp_path / "var"))
    target = model_file(Settings(), load_places())
    target.parent.mkdir(parents=True)
    shutil.copyfile(model_archive, target)

    def run_command(*arguments: str, stdin: str = "") -> Result:
        return CliRunner().invoke(cli, list(arguments), input=stdin)

    return run_command


def objects(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_understand_answers_each_line_in_order(run: Any) -> None:
    result = run("understand", stdin="lam giay khai sinh cho con can gi\nthoi tiet hom nay\n\n")
    assert result.exit_code == 0
    first, second, empty = objects(result)
    assert set(first) >= {"text", "intent", "topic", "aspect", "entities", "confidence", "in_scope", "alternatives"}
    assert (first["topic"], first["aspect"], first["in_scope"]) == ("khai-sinh", "giay-to", True)
    assert (second["topic"], second["in_scope"]) == (None, False)
    assert (empty["topic"], empty["in_scope"]) == (None, False)
    assert 0 <= second["confidence"] <= first["confidence"] <= 1


def test_talk_keeps_each_conversation_apart(run: Any) -> None:
    lines = [
        {"conversation": "a", "text": "đăng ký tạm trú hết bao nhiêu tiền"},
        {"conversation": "b", "text": "làm hộ chiếu cần gì"},
        {"conversation": "a", "text": "thế nộp ở đâu"},
        {"conversation": "b", "text": "mất mấy ngày"},
    ]
    result = run("talk", stdin="\n".join(json.dumps(line, ensure_ascii=False) for line in lines))
    got = [(o["conversation"], o["topic"], o["aspect"], o["status"]) for o in objects(result)]
    assert got == [
        ("a", "tam-tru", "le-phi", "answered"),
        ("b", "ho-chieu", "giay-to", "answered"),
        ("a", "tam-tru", "noi-nop", "answered"),
        ("b", "ho-chieu", "thoi-gian", "answered"),
    ]


@pytest.mark.parametrize("line", ["no json", "[]", '{"conversation": "a"}'])
def test_talk_names_the_line_it_cannot_read(run: Any, line: str) -> None:
    result = run("talk", stdin=line + "\n")
    assert result.exit_code == 1
    assert result.stderr.startswith("congdanso: dòng 1: ")
    assert len(result.stderr.splitlines()) == 1


def test_ask_prints_the_answer_and_its_source(run: Any) -> None:
    result = run("ask", "đăng ký tạm trú hết bao nhiêu tiền")
    assert "7.000 đồng" in result.stdout.splitlines()[0]
    assert "Theo Cổng Dịch vụ công quốc gia" in result.stdout
    as_json = json.loads(run("ask", "đăng ký tạm trú hết bao nhiêu tiền", "--json").stdout)
    assert as_json["status"] == "answered"
    assert as_json["replies"][0]["source"]["seen_on"]


def test_chat_over_a_pipe_answers_a_block_a_line(run: Any) -> None:
    result = run("chat", stdin="xin chào\nđăng ký kết hôn ở đâu\n")
    assert result.exit_code == 0
    assert "Theo " in result.stdout


def test_place_knows_old_and_new_names(run: Any) -> None:
    [one] = objects(run("place", "vi huong bach thong"))
    assert (one["ward"], one["old_ward"]) == ("Xã Phủ Thông", "Xã Vi Hương")
    many = objects(run("place", "--jsonl", stdin="Đức Xuân\nHà Nội\n"))
    assert [o["ward"] for o in many] == ["Phường Đức Xuân", None]


def test_place_of_another_province(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONGDANSO_PROVINCE", "tuyen-quang")
    [one] = objects(run("place", "xã Tân Trào"))
    assert one["ward"] == "Xã Tân Trào"
    monkeypatch.setenv("CONGDANSO_PROVINCE", "atlantis")
    result = run("place", "Tân Trào")
    assert result.exit_code == 1
    assert "atlantis" in result.stderr


def test_evaluate_measures_a_file(run: Any, tmp_path: Path) -> None:
    file = tmp_path / "questions.tsv"
    file.write_text(
        "làm giấy khai sinh cần gì\tkhai-sinh\tgiay-to\nđổi bằng lái xe ở đâu\tdoi-giay-phep-lai-xe\n", encoding="utf-8"
    )
    result = json.loads(run("evaluate", "--file", str(file), "--json").stdout)
    assert result["accuracy"]["clean"]["count"] == 2
    assert result["accuracy"]["clean"]["first"] == 1.0


def test_evaluate_refuses_a_file_of_another_shape(run: Any, tmp_path: Path) -> None:
    file = tmp_path / "bad.tsv"
    file.write_text("only text\n", encoding="utf-8")
    result = run("evaluate", "--file", str(file))
    assert result.exit_code == 1
    assert "bad.tsv" in result.stderr


def test_the_shipped_library_passes_its_check(run: Any) -> None:
    result = run("content", "check")
    assert result.exit_code == 0, result.output


def test_a_broken_library_fails_its_check(run: Any, tmp_path: Path) -> None:
    folder = tmp_path / "data" / "services"
    folder.mkdir(parents=True)
    (folder / "khai-sinh.yml").write_text("slug: khai-sinh\n", encoding="utf-8")
    result = run("content", "check", "--folder", str(tmp_path / "data"))
    assert result.exit_code == 1
    assert "khai-sinh.yml" in result.output


def test_the_database_is_made_and_the_doctor_is_content(run: Any) -> None:
    assert run("db", "upgrade").exit_code == 0
    result = run("doctor")
    assert result.exit_code == 0, result.output
    assert "HỎNG" not in result.output


def test_the_doctor_says_what_is_wrong(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONGDANSO_PROVINCE", "atlantis")
    result = run("doctor")
    assert result.exit_code == 1
    assert "CONGDANSO_PROVINCE" in result.output


@pytest.mark.parametrize("command", [[], *([name] for name in cli.commands)])
def test_every_command_has_help(command: list[str]) -> None:
    result = CliRunner().invoke(cli, [*command, "--help"])
    assert result.exit_code == 0
    assert "Usage:" in result.output
