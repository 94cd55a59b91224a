"""`congdanso bench nlu`: our pipeline and the stock one on the same data, the same messages, one core each, in one run.

Stock Rasa lives in a uv project of its own (`bench/rasa-stock/`), so both run as subprocesses that speak the same lines: a
message in, its ranking and time out. Numbers are printed with their ratio; a machine's speed cancels out of the ratio. Then
how time and memory grow with the number of topics, ours alone (`congdanso.bench_growth`).
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

from congdanso.benching import Benched, Target, dies_with_parent, ran
from congdanso.settings import Settings

ROOT: Final = Path(__file__).parents[1]
STOCK: Final = ROOT / "bench" / "rasa-stock"
SAMPLE: Final = 300
"""Messages of each kind of writing,"""
QUICK_SAMPLE: Final = 150
"""and of a quick look."""
LOSSES: Final = {"no_accents": 0.02, "typos": 0.06, "teencode": 0.06, "telex": 0.06, "mixed": 0.06}
"""How much less may be right than of the same messages as written."""
SEED: Final = 20261201
TOOK: Final = "took.json"
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

    def figures(self, whose: str) -> dict[str, float]:
        """All of them by name."""
        return {
            **{f"{whose}: first topic right, {kind}": share for kind, share in self.accuracy.items()},
            f"{whose}: start to first answer, s": self.start,
            f"{whose}: memory, MB": self.memory,
            f"{whose}: one message, median, ms": self.p50,
            f"{whose}: one message, 95th percentile, ms": self.p95,
            f"{whose}: messages a second": self.throughput,
        }


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


def train_stock(python: Path, folder: Path, epochs: int, say: Say) -> tuple[Path, float]:
    """Train the stock pipeline on the same files; a model that is there for these files is used again.

    Returns:
        The model, and how many seconds its training took.

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
        done = ran(command, 12 * 3600, cwd=STOCK, env=quiet)
        if done.returncode != 0 or not model.is_file():
            raise CannotMeasure(f"Rasa gốc không huấn luyện được: {done.stderr[-500:]}")
        model.with_name(TOOK).write_text(done.stdout.strip().splitlines()[-1], encoding="utf-8")
    took = model.with_name(TOOK)
    return model, float(json.loads(took.read_text(encoding="utf-8"))["seconds"]) if took.is_file() else 0.0


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
        preexec_fn=lambda: dies_with_parent(core),  # noqa: PLW1509 - no threads yet
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
        process.stdout.close()
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


def measure(
    settings: Settings, archive: Path, say: Say, *, quick: bool, sample: int, epochs: int, sizes: Sequence[int]
) -> Benched:
    """Measure ours; and, unless it has to be quick, the stock pipeline beside it, and how ours grows.

    Raises:
        CannotMeasure: the stock pipeline cannot be run here.
    """
    folder = (settings.data_dir / "bench").absolute()  # the peer runs in a folder of its own
    asked = messages(min(sample, QUICK_SAMPLE) if quick else sample)
    mine = ours(archive, asked)
    figures, ratios, notes = mine.figures("ours"), {}, []
    targets = _targets(mine)
    if not quick:
        python = stock_python(folder / "rasa-stock", say)
        model, took = train_stock(python, folder, epochs, say)
        say("Hỏi Rasa gốc…")
        peer = stock(python, model, asked)
        figures |= peer.figures("stock")
        figures["stock: training, s"] = took
        ratios = _ratios(mine, peer)
        targets["throughput against stock"] = Target(ratios["messages a second"], 5)
        notes.append(f"stock: Rasa 3.6.21, {STOCK.name}/config.yml, DIET with {epochs} epochs")
    if sizes:
        from congdanso.bench_growth import grow

        figures |= grow(sizes, folder, say)
    return Benched("nlu", figures, ratios, targets, notes)


def _targets(mine: Measured) -> dict[str, Target]:
    clean = mine.accuracy["clean"]
    targets = {"first topic right, clean": Target(clean, 0.93)}
    for kind, loss in LOSSES.items():
        targets[f"points lost, {kind}"] = Target(clean - mine.accuracy[kind], loss, at_most=True)
    return targets | {
        "one message, median, ms": Target(mine.p50, 1, at_most=True),
        "one message, 95th percentile, ms": Target(mine.p95, 20, at_most=True),
        "start to first answer, s": Target(mine.start, 2, at_most=True),
        "memory, MB": Target(mine.memory, 300, at_most=True),
    }


def _ratios(mine: Measured, peer: Measured) -> dict[str, float]:
    """How many times better ours is."""
    return {
        **{f"first topic right, {kind}": share / peer.accuracy[kind] for kind, share in mine.accuracy.items()},
        "start to first answer": peer.start / mine.start,
        "memory": peer.memory / mine.memory,
        "one message, median": peer.p50 / mine.p50,
        "one message, 95th percentile": peer.p95 / mine.p95,
        "messages a second": mine.throughput / peer.throughput,
    }
