"""Training with a look at the result: a model that understands less than the last one is not put to use."""

from __future__ import annotations

import json
import re
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from content.places import Places

if TYPE_CHECKING:
    from nlu.engine import Engine
    from nlu.evaluation import Report

TOLERANCE: Final = 0.01
"""A share this much lower on the held-out split counts as worse; less is noise."""
KEPT: Final = 20
"""How many reports are kept."""
FEWEST_INTENTS: Final = 2
_NLU: Final = re.compile(r"(?m)^nlu:")


class Worse(Exception):
    """The new model is worse on the held-out split."""


def held_out() -> list[Path]:
    """Return the files of the held-out split."""
    from nlu.engine import DATA

    return sorted((DATA / "heldout").glob("*.yml"))


def measure(engine: Engine, file: Path | None = None, *, quick: bool = False) -> Report:
    """Evaluate on the held-out split, or on a TSV file.

    Raises:
        ValueError: the file is not what it must be.
    """
    from nlu.dataset import read
    from nlu.evaluation import CORRUPTIONS, evaluate

    examples = read([file] if file else held_out())
    return evaluate(engine, examples, corruptions=("no_accents",) if quick else CORRUPTIONS)


def train_other(data: Path, archive: Path, vectors: Path) -> str:
    """Train a model on data of another field, any intents; nothing of the bot changes.

    Args:
        data: a folder with files of Rasa's NLU format (`*.yml`, `*.yaml`) or `text<TAB>intent` (`*.tsv`), or one such file.
        archive: where the model goes.
        vectors: keeps the sentence vectors for the next time.

    Returns:
        One line with what was trained and how long it took.

    Raises:
        ValueError: there are no files, or one is not what it must be.
    """
    from nlu.dataset import DataError, read, read_lookups
    from nlu.engine import train

    found = [data] if data.is_file() else _training_files(data)
    examples = read(found)
    intents = len({example.intent for example in examples})
    if intents < FEWEST_INTENTS:
        raise DataError(f"{data}: cần câu mẫu của ít nhất {FEWEST_INTENTS} ý định, mới có {intents}")
    began = time.monotonic()
    train(found, read_lookups(found), archive.absolute(), vectors=vectors)
    return f"Đã huấn luyện: {archive} ({intents} ý định, {len(examples)} câu, {time.monotonic() - began:.0f} giây)"


def _training_files(folder: Path) -> list[Path]:
    """The training files of a folder itself, else of all below it: beside them may lie others that are for measuring."""
    return [p for p in sorted(folder.glob("*")) if _holds_utterances(p)] or [
        p for p in sorted(folder.rglob("*")) if _holds_utterances(p)
    ]


def _holds_utterances(path: Path) -> bool:
    """Whether a file of a Rasa project is training data: its folder also holds domains, stories, settings."""
    if path.suffix == ".tsv":
        return True
    return path.suffix in (".yml", ".yaml") and _NLU.search(path.read_text(encoding="utf-8")) is not None


def train_checked(places: Places, archive: Path, *, force: bool) -> str:
    """Train, measure, keep the report, and activate the model unless it is worse than the last one.

    Returns:
        One line with the figures and, where there was a model before, their change.

    Raises:
        Worse: and `force` is false; the model in use stays.
    """
    from congdanso.model import lookups
    from nlu.engine import Engine, train, training_files

    candidate = archive.with_name(f"candidate-{archive.name}")
    train(training_files(), lookups(places), candidate)
    report = measure(Engine.load(candidate), quick=True)
    folder = archive.parent / "reports"
    last = _last(folder)
    figures = {
        "clean": report.accuracy["clean"].first,
        "no_accents": report.accuracy["no_accents"].first,
        "aspect": report.aspect or 0.0,
    }
    changes = {name: value - last[name] for name, value in figures.items()} if last else {}
    line = ", ".join(f"{n} {v:.3f}" + (f" ({changes[n]:+.3f})" if n in changes else "") for n, v in figures.items())
    if any(change < -TOLERANCE for change in changes.values()) and not force:
        candidate.unlink()
        raise Worse(f"mô hình mới kém hơn trên phần để riêng ({line}); giữ mô hình cũ, hoặc dùng --force")
    _keep(folder, figures, report.as_markdown())
    candidate.replace(archive)
    return line


def _last(folder: Path) -> dict[str, Any] | None:
    reports = sorted(folder.glob("[0-9]*.json"))
    return dict(json.loads(reports[-1].read_text(encoding="utf-8"))) if reports else None


def _keep(folder: Path, figures: dict[str, float], markdown: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    (folder / f"{stamp}.json").write_text(json.dumps(figures), encoding="utf-8")
    (folder / f"{stamp}.md").write_text(markdown, encoding="utf-8")
    for old in sorted(folder.glob("[0-9]*.json"))[:-KEPT]:
        old.unlink()
        old.with_suffix(".md").unlink(missing_ok=True)
