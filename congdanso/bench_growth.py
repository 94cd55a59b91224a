"""How training and answering grow from the project's topics to ten and forty times as many.

The topics are synthetic: the official names of the services, each at a commune of the province. Ours alone, without the semantic
stage: a head of its own for thousands of classes would only measure the encoder.
"""

from __future__ import annotations

import json
import os
import random
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from congdanso.bench_nlu import ROOT, SEED, CannotMeasure, Say, messages, ours
from congdanso.benching import ran

FRAMES: Final = ("{} ở {}", "làm {} tại {}", "{} {} cần gì", "hỏi {} {}", "{} ở {} mất bao lâu", "thủ tục {} {}")


def grow(sizes: Sequence[int], folder: Path, say: Say) -> dict[str, float]:
    """Train and ask models of growing size, each in processes of their own.

    Raises:
        CannotMeasure: a training failed.
    """
    figures: dict[str, float] = {}
    asked = messages(50)
    config = _without_semantics(folder)
    for size in sizes:
        say(f"Huấn luyện {size} chủ đề…")
        archive = folder / f"synthetic-{size}.tar.gz"
        files = [str(path) for path in synthetic(size, folder)]
        command = [sys.executable, "-c", _TRAIN, str(archive), str(config), *files]
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        done = ran(command, 3 * 3600, env=environment)
        if done.returncode != 0:
            raise CannotMeasure(f"{size} chủ đề: {done.stderr[-500:]}")
        told = json.loads(done.stdout.strip().splitlines()[-1])
        found = ours(archive, asked)
        figures |= {
            f"{size} topics: training, s": told["seconds"],
            f"{size} topics: training, MB": told["memory"],
            f"{size} topics: archive, MB": told["archive"],
            f"{size} topics: start to first answer, s": found.start,
            f"{size} topics: answering, MB": found.memory,
            f"{size} topics: one message, median, ms": found.p50,
            f"{size} topics: one message, 95th percentile, ms": found.p95,
        }
    return figures


def synthetic(topics: int, folder: Path) -> list[Path]:
    """Write training files with so many topics; the project's own out-of-scope messages and follow-ups join them."""
    from content.library import load
    from content.places import load_places
    from nlu.engine import training_files

    names = [topic.title for topic in load().values()]
    places = [ward.name for ward in load_places().wards()]
    rng = random.Random(SEED)
    entries = []
    for number in range(topics):
        name, place = names[number % len(names)].lower(), places[number // len(names) % len(places)].lower()
        texts = [frame.format(name, place) for frame in FRAMES]
        texts += [rng.choice(FRAMES).format(name, place) for _ in range(4)]
        lines = "".join(f"- {text}\n" for text in dict.fromkeys(texts))
        entries.append({"intent": f"topic-{number}", "metadata": {"aspects": ["tong-quan"]}, "examples": lines})
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"synthetic-{topics}.yml"
    path.write_text(yaml.safe_dump({"version": "3.1", "nlu": entries}, allow_unicode=True), encoding="utf-8")
    return [path, *(p for p in training_files() if p.name in ("ngoai-pham-vi.yml", "hoi-tiep.yml"))]


def _without_semantics(folder: Path) -> Path:
    from nlu.engine import CONFIG

    config: dict[str, Any] = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
    config["pipeline"] = [step for step in config["pipeline"] if not step["name"].endswith(".SemanticStage")]
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "growth.yml"
    path.write_text(yaml.safe_dump(config, allow_unicode=True), encoding="utf-8")
    return path


_TRAIN: Final = """
import json, resource, sys, time
from pathlib import Path
from nlu.engine import train
archive, config, *files = map(Path, sys.argv[1:])
began = time.perf_counter()
train(files, {"place": []}, archive, config=config)
took = time.perf_counter() - began
memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"seconds": took, "memory": memory, "archive": archive.stat().st_size / 1e6}))
"""
