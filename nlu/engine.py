"""Train a language model from data files; load one; ask it what a message means."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Self

from nlu.archive import open_archive  # first, since it says how Rasa is imported

# isort: split
from rasa.engine.graph import ExecutionContext
from rasa.shared.nlu.constants import INTENT, TEXT
from rasa.shared.nlu.training_data.message import Message

from nlu.components.keys import ASPECTS as ASPECTS_KEY
from nlu.components.keys import AT_ONCE, ENTITIES, IN_SCOPE, NAMES_NOTHING, NEAR, OPEN, TOPICS
from nlu.graph import PREDICT_INPUT, SequentialRunner
from nlu.understanding import FOLLOW_UP, OUT_OF_SCOPE, Alternative, Understanding

ROOT: Final = Path(__file__).parent
CONFIG: Final = ROOT / "config.yml"
DATA: Final = ROOT / "data"
_NO_TOPICS: Final = frozenset({OUT_OF_SCOPE, FOLLOW_UP})
ALTERNATIVES: Final = 5
"""How many topics an understanding offers besides the best one."""


def training_files(data: Path = DATA) -> list[Path]:
    """Return the training files of a folder; what lies in `heldout/` below it is never trained on."""
    return sorted(data.glob("*.yml"))


def fingerprint(files: Sequence[Path], lookups: dict[str, list[str]]) -> str:
    """Return a hash over everything a trained model depends on: data, lookups, configuration, lexicons and our code."""
    digest = hashlib.sha256()
    code = sorted(p for p in ROOT.rglob("*") if p.suffix in {".py", ".npz"} or p.parent.name == "lexicon")
    for path in [*files, CONFIG, *code]:
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    digest.update(repr(sorted(lookups.items())).encode())
    return digest.hexdigest()


class Engine:
    """A loaded model. Safe to ask from several threads: asking changes nothing."""

    def __init__(self, runner: SequentialRunner, target: str) -> None:
        self._runner = runner
        self._target = target

    @classmethod
    def load(cls, archive: Path) -> Self:
        """Load a model archive.

        Raises:
            FileNotFoundError: there is no such file.
        """
        storage, metadata, schema = open_archive(archive)
        runner = SequentialRunner.create(
            schema, storage, ExecutionContext(graph_schema=schema, model_id=metadata["model_id"])
        )
        return cls(runner, metadata["nlu_target"])

    def understand(self, text: str) -> Understanding:
        """Return what one message means. Never raises for any text."""
        return _told(text, self._ran(Message(data={TEXT: text})))

    def at_once(self, text: str) -> Understanding | None:
        """Return the same within a millisecond or two; None where `understand` would ask the sentence encoder, which takes twenty."""
        message = self._ran(Message(data={TEXT: text, AT_ONCE: True}))
        return None if message.get(OPEN) else _told(text, message)

    def _ran(self, message: Message) -> Message:
        self._runner.run(inputs={PREDICT_INPUT: [message]}, targets=[self._target])
        return message


def _told(text: str, message: Message) -> Understanding:
    """Read a message that went through all components."""
    ranking: dict[str, float] = dict(message.get(TOPICS))
    topics = [(name, p) for name, p in ranking.items() if name not in _NO_TOPICS]
    in_scope: bool = message.get(IN_SCOPE)
    intent: str = message.get(INTENT)["name"]
    follow_up = in_scope and intent == FOLLOW_UP
    topic = None if follow_up or not in_scope or not topics else topics[0][0]
    confidence = ranking[FOLLOW_UP] if follow_up else (topics[0][1] if topics else 0.0)
    others = topics[1:] if topic else topics
    return Understanding(
        text=text,
        intent=intent if intent in (OUT_OF_SCOPE, FOLLOW_UP) or topic is None else topic,
        topic=topic,
        aspects=tuple(message.get(ASPECTS_KEY)),
        entities=tuple(message.get(ENTITIES)),
        confidence=confidence,
        in_scope=in_scope,
        alternatives=tuple(Alternative(name, p) for name, p in others[:ALTERNATIVES]),
        near=message.get(NEAR),
        follow_up=ranking.get(FOLLOW_UP, 0.0),
        outside=ranking.get(OUT_OF_SCOPE, 0.0),
        names_nothing=message.get(NAMES_NOTHING),
    )


def train(
    files: Sequence[Path],
    lookups: dict[str, list[str]],
    archive: Path,
    *,
    config: Path = CONFIG,
    vectors: Path | None = None,
) -> Path:
    """Train a model and write it as a Rasa archive; an archive that exists is replaced only when training succeeded.

    Any intents will do, not only the project's topics (see docs/guides/rasa.md).

    Args:
        files: training files in Rasa's YAML format, or TSV files `text<TAB>intent`.
        lookups: names by kind for the entity extractor, e.g. {"place": ["Phủ Thông", …]}.
        archive: where the model goes, ending in `.tar.gz`.
        vectors: a file that keeps sentence vectors from one training to the next; only data of another field need them.

    Raises:
        nlu.dataset.DataError: a file is not what it must be.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from rasa.engine.training.graph_trainer import GraphTrainer

        from nlu.training import FilesImporter, NoCache, QuickStorage, model_configuration

        archive.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "storage").mkdir()
            storage = QuickStorage(Path(folder) / "storage")
            written = Path(folder) / "model.tar.gz"
            GraphTrainer(storage, NoCache(), SequentialRunner).train(
                model_configuration(config, vectors), FilesImporter(files, lookups), written, force_retraining=True
            )
            partial = archive.with_suffix(".partial")
            shutil.copyfile(written, partial)
            partial.replace(archive)
    return archive
