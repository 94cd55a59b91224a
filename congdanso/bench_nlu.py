"""`congdanso bench nlu`: our pipeline and the stock one on the same data, the same messages, one core each, in one run.

Stock Rasa lives in a uv project of its own (`bench/rasa-stock/`), so both run as subprocesses that speak the same lines: a
message in, its ranking and time out. Numbers are printed with their ratio; a machine's speed cancels out of the ratio.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[1]
STOCK: Final = ROOT / "bench" / "rasa-stock"
SAMPLE: Final = 300
"""Messages of each kind of writing."""
SEED: Final = 20261201
Say = Callable[[str], None]


class CannotMeasure(Exception):
    """The bench cannot run here; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One pipeline's figures. Times in milliseconds but `start` (seconds); memory in MB."""

    accuracy: dict[str, float]
    start: float
    memory: float
    p50: float
    p95: float
    throughput: float
    """Messages a second, one after the other."""


def messages(sample: int) -> dict[str, list[tuple[str, str]]]:
    """Return (text, topic) pairs of the held-out split by kind of writing, the same ones for each kind."""
    from congdanso.training import held_out
    from nlu import corrupt
    from nlu.dataset import read
    from nlu.evaluation import CORRUPTIONS, names_topic

    rng = random.Random(SEED)
    plain = [e for e in read(held_out()) if names_topic(e) and e.kind == "plain"]
    chosen = rng.sample(plain, min(sample, len(plain)))
    found = {"clean": [(e.text, e.intent) for e in chosen]}
    for name in CORRUPTIONS:
        rng = random.Random(SEED)
        found[name] = [(corrupt.CORRUPTIONS[name](e.text, rng), e.intent) for e in chosen]
    return found


def stock_python(folder: Path, say: Say) -> Path:
    """Return the Python of the stock environment, made on first use.

    Raises:
        CannotMeasure: uv is missing or the environment cannot be made.
    """
    uv = shutil.which("uv")
    if uv is None:
        raise CannotMeasure("cần lệnh uv để dựng môi trường Rasa gốc (pip install uv)")
    python = folder / "bin" / "python"
    if not python.is_file():
        say("Dựng môi trường Rasa gốc (TensorFlow), một lần…")
        environment = os.environ | {"UV_PROJECT_ENVIRONMENT": str(folder)}
        made = subprocess.run([uv, "sync", "--quiet"], cwd=STOCK, env=environment, check=False, timeout=3600)
        if made.returncode != 0:
            raise CannotMeasure(
                "không dựng được môi trường Rasa gốc; chạy `uv sync` trong bench/rasa-stock để xem lý do"
            )
    return python


def train_stock(python: Path, folder: Path, epochs: int, say: Say) -> Path:
    """Train the stock pipeline on the same files; a model that is there for these files is used again.

    Raises:
        CannotMeasure: training failed.
    """
    from nlu.engine import DATA, training_files

    digest = hashlib.sha256()
    for path in (*training_files(), STOCK / "config.yml"):
        digest.update(path.read_bytes())
    name = f"{digest.hexdigest()[:12]}-{epochs}"
    model = folder / name / "model.tar.gz"
    if not model.is_file():
        say(f"Huấn luyện Rasa gốc ({epochs} vòng)…")
        command = [str(python), "run.py", "train", "--data", str(DATA), "--config", "config.yml"]
        command += ["--out", str(model.parent), "--epochs", str(epochs)]
        quiet = os.environ | {"RASA_TELEMETRY_ENABLED": "false"}
        done = subprocess.run(
            command, cwd=STOCK, env=quiet, check=False, capture_output=True, text=True, timeout=12 * 3600
        )
        if done.returncode != 0 or not model.is_file():
            raise CannotMeasure(f"Rasa gốc không huấn luyện được: {done.stderr[-500:]}")
    return model


def ask(command: Sequence[str], cwd: Path, asked: dict[str, list[tuple[str, str]]]) -> Measured:
    """Run a pipeline on one core over all messages.

    Raises:
        CannotMeasure: the process ended early.
    """
    environment = os.environ | {
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "TF_NUM_INTRAOP_THREADS": "1",
        "TF_NUM_INTEROP_THREADS": "1",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "RASA_TELEMETRY_ENABLED": "false",
        "PYTHONPATH": str(ROOT),
    }
    core = min(os.sched_getaffinity(0))
    began = time.perf_counter()
    process = subprocess.Popen(
        list(command),
        cwd=cwd,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        preexec_fn=lambda: os.sched_setaffinity(0, {core}),  # noqa: PLW1509 - no threads yet
    )
    assert process.stdin is not None
    assert process.stdout is not None

    def answer(text: str) -> dict[str, Any]:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(text) + "\n")
        process.stdin.flush()
        return _line(process)

    try:
        first, _ = next(iter(asked.values()))[0]
        memory = float(answer(first)["memory"])
        start = time.perf_counter() - began
        _line(process)
        times: list[float] = []
        accuracy: dict[str, float] = {}
        for kind, pairs in asked.items():
            right = 0
            for text, topic in pairs:
                told = answer(text)
                times.append(float(told["ms"]))
                right += told["ranking"][:1] == [topic]
            accuracy[kind] = right / len(pairs)
    finally:
        process.stdin.close()
        process.kill()
        process.wait(10)
    times.sort()
    return Measured(
        accuracy,
        start,
        memory,
        times[len(times) // 2],
        times[int(len(times) * 0.95)],
        1000 * len(times) / sum(times),
    )


def _line(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout is not None
    while line := process.stdout.readline():
        if line.startswith("{"):
            return dict(json.loads(line))
    raise CannotMeasure("tiến trình đo dừng giữa chừng")


def ours(archive: Path, asked: dict[str, list[tuple[str, str]]]) -> Measured:
    """Measure our pipeline."""
    return ask([sys.executable, str(ROOT / "bench" / "ours.py"), "--model", str(archive.resolve())], ROOT, asked)


def stock(python: Path, model: Path, asked: dict[str, list[tuple[str, str]]]) -> Measured:
    """Measure the stock pipeline."""
    return ask([str(python), "run.py", "ask", "--model", str(model.resolve())], STOCK, asked)


def table(mine: Measured, other: Measured | None) -> list[str]:
    """Return the figures as lines of Markdown, each with its ratio."""
    lines = ["| figure | ours | stock Rasa | ratio |", "| --- | ---: | ---: | ---: |"]

    def row(name: str, value: float, theirs: float | None, form: str, *, less: bool = False) -> None:
        ratio = "" if theirs is None else f"{(theirs / value if less else value / theirs):.1f} ×"
        told = "" if theirs is None else format(theirs, form)
        lines.append(f"| {name} | {value:{form}} | {told} | {ratio} |")

    for kind, share in mine.accuracy.items():
        row(f"first topic right, {kind}", share, other.accuracy[kind] if other else None, ".3f")
    row("start to first answer, s", mine.start, other.start if other else None, ".2f", less=True)
    row("memory, MB", mine.memory, other.memory if other else None, ".0f", less=True)
    row("one message, median, ms", mine.p50, other.p50 if other else None, ".2f", less=True)
    row("one message, 95th percentile, ms", mine.p95, other.p95 if other else None, ".2f", less=True)
    row("messages a second", mine.throughput, other.throughput if other else None, ".0f")
    return lines


# growth


def synthetic(topics: int, folder: Path) -> list[Path]:
    """Write training files with so many topics: the official names of the services, each at the communes of the province."""
    import yaml

    from content.library import load
    from content.places import load_places
    from nlu.engine import training_files

    names = [topic.title for topic in load().values()]
    places = [ward.name for ward in load_places().wards()]
    rng = random.Random(SEED)
    frames = ("{} ở {}", "làm {} tại {}", "{} {} cần gì", "hỏi {} {}", "{} ở {} mất bao lâu", "thủ tục {} {}")
    entries = []
    for number in range(topics):
        name, place = names[number % len(names)].lower(), places[number // len(names) % len(places)].lower()
        words = [rng.choice(frames).format(name, place) for _ in range(4)] + [
            frame.format(name, place) for frame in frames
        ]
        lines = "".join(f"- {text}\n" for text in dict.fromkeys(words))
        entries.append({"intent": f"topic-{number}", "metadata": {"aspects": ["tong-quan"]}, "examples": lines})
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"synthetic-{topics}.yml"
    path.write_text(yaml.safe_dump({"version": "3.1", "nlu": entries}, allow_unicode=True), encoding="utf-8")
    outside = [p for p in training_files() if p.name in ("ngoai-pham-vi.yml", "hoi-tiep.yml", "khia-canh.yml")]
    return [path, *outside]


GROW: Final = """
import json, resource, sys, time
from pathlib import Path
from nlu.engine import Engine, train
files, archive = [Path(p) for p in sys.argv[2:]], Path(sys.argv[1])
began = time.perf_counter()
train(files, {"place": []}, archive)
trained, memory = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"seconds": trained, "memory": memory, "archive": archive.stat().st_size / 1e6}))
"""


def grow(sizes: Sequence[int], folder: Path, say: Say) -> list[str]:
    """Train and ask models of growing size, each in processes of their own; return lines of Markdown."""
    lines = [
        "| topics | train, s | train, MB | archive, MB | answer, MB | start, s | median, ms | 95th percentile, ms |"
    ]
    lines.append("| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    asked = messages(100)
    for size in sizes:
        say(f"Huấn luyện {size} chủ đề…")
        files = synthetic(size, folder)
        archive = folder / f"synthetic-{size}.tar.gz"
        command = [sys.executable, "-c", GROW, str(archive), *map(str, files)]
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=3 * 3600)
        if done.returncode != 0:
            raise CannotMeasure(f"{size} chủ đề: {done.stderr[-500:]}")
        told = json.loads(done.stdout.strip().splitlines()[-1])
        found = ours(archive, asked)
        lines.append(
            f"| {size} | {told['seconds']:.0f} | {told['memory']:.0f} | {told['archive']:.1f} | {found.memory:.0f} "
            f"| {found.start:.1f} | {found.p50:.2f} | {found.p95:.2f} |"
        )
    return lines
