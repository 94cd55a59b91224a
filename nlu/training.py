"""The two graphs of `config.yml`, and what Rasa's trainer wants to be given. Not imported when serving.

Rasa 3.6's default recipe would build the same graphs, but importing it pulls in TensorFlow.
"""

from __future__ import annotations

import tarfile
import tempfile
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import yaml
from rasa.engine.caching import TrainingCache
from rasa.engine.graph import GraphModelConfiguration, GraphSchema, SchemaNode
from rasa.engine.storage.local_model_storage import MODEL_ARCHIVE_COMPONENTS_DIR, LocalModelStorage
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelMetadata
from rasa.graph_components.providers.nlu_training_data_provider import NLUTrainingDataProvider
from rasa.shared.core.domain import Domain
from rasa.shared.core.training_data.structures import StoryGraph
from rasa.shared.data import TrainingType
from rasa.shared.importers.importer import TrainingDataImporter
from rasa.shared.nlu.constants import INTENT, METADATA, TEXT
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData
from rasa.shared.utils.common import class_from_module_path

from nlu import dataset
from nlu.components.base import Component, TrainedComponent
from nlu.graph import PREDICT_INPUT


class NoCache(TrainingCache):
    """Trains everything each time: Rasa's fingerprints do not see a changed lexicon or helper module."""

    def cache_output(self, *args: Any, **kwargs: Any) -> None:
        """Keep nothing."""

    def get_cached_output_fingerprint(self, fingerprint_key: str) -> str | None:
        return None

    def get_cached_result(self, *args: Any, **kwargs: Any) -> Any:
        return None


class UncachedData(TrainingData):
    """Training data that Rasa need not hash after every node: nothing is cached, and hashing costs more than training."""

    def fingerprint(self) -> str:
        return uuid.uuid4().hex


class QuickStorage(LocalModelStorage):
    """Packs a model with the least compression: the best one takes six seconds and saves a fifth of the file."""

    def create_model_package(
        self, model_archive_path: str | Path, model_configuration: GraphModelConfiguration, domain: Domain
    ) -> ModelMetadata:
        metadata = self._create_model_metadata(domain, model_configuration)
        with tempfile.TemporaryDirectory() as folder, tarfile.open(model_archive_path, "w:gz", compresslevel=1) as tar:
            self._persist_metadata(metadata, Path(folder))
            tar.add(folder, arcname="")
            tar.add(self._storage_path, arcname=MODEL_ARCHIVE_COMPONENTS_DIR)
        return metadata


class FilesImporter(TrainingDataImporter):
    """Training data from given files and lookup tables; no domain, no stories."""

    def __init__(self, files: Sequence[Path], lookups: dict[str, list[str]]) -> None:
        self._files = files
        self._lookups = lookups

    def get_nlu_data(self, language: str | None = "en") -> Any:
        del language
        messages = [
            Message(
                data={
                    TEXT: example.text,
                    INTENT: example.intent,
                    METADATA: {
                        "intent": {
                            "aspects": list(example.aspects),
                            "near": example.near,
                            "kind": example.kind,
                            "topics": list(example.topics),
                        }
                    },
                }
            )
            for example in dataset.read(self._files)
        ]
        return UncachedData(
            messages, lookup_tables=[{"name": name, "elements": names} for name, names in self._lookups.items()]
        )

    def get_domain(self) -> Any:
        return Domain.empty()

    def get_stories(self, exclusion_percentage: int | None = None) -> Any:
        return StoryGraph([])

    def get_config(self) -> dict[str, Any]:
        return {}

    def get_config_file_for_auto_config(self) -> str | None:
        return None


def model_configuration(config_file: Path, vectors: Path | None = None) -> GraphModelConfiguration:
    """Build the training and prediction graphs of a pipeline, as Rasa's default recipe does.

    Args:
        vectors: a file for sentence vectors, so that the next training need not make them again.
    """
    config = yaml.safe_load(config_file.read_text(encoding="utf-8"))
    train: dict[str, SchemaNode] = {
        "data": SchemaNode(
            needs={"importer": "__importer__"},
            uses=NLUTrainingDataProvider,
            constructor_name="create",
            fn="provide",
            config={"language": config["language"], "persist": False},
            is_target=False,
            is_input=True,
        )
    }
    predict: dict[str, SchemaNode] = {}
    data, messages = "data", PREDICT_INPUT
    for position, entry in enumerate(config["pipeline"]):
        settings = {key: value for key, value in entry.items() if key != "name"}
        uses = cast("type[Component]", class_from_module_path(entry["name"]))
        if vectors is not None and "vectors" in uses.get_default_config():
            settings["vectors"] = str(vectors)
        name = f"{position}_{uses.__name__}"
        trained = issubclass(uses, TrainedComponent)
        if trained:
            train[f"train_{name}"] = SchemaNode(
                needs={"training_data": data},
                uses=uses,
                constructor_name="create",
                fn="train",
                config=settings,
                is_target=True,
            )
        if _feeds_training(uses):
            needs = {"training_data": data} | ({"resource": f"train_{name}"} if trained else {})
            train[f"run_{name}"] = SchemaNode(
                needs=needs,
                uses=uses,
                constructor_name="load" if trained else "create",
                fn="process_training_data",
                config=settings,
            )
            data = f"run_{name}"
        predict[f"run_{name}"] = SchemaNode(
            needs={"messages": messages},
            uses=uses,
            constructor_name="load" if trained else "create",
            fn="process",
            config=settings,
            eager=True,
            resource=Resource(f"train_{name}") if trained else None,
        )
        messages = f"run_{name}"
    predict[messages].is_target = True
    return GraphModelConfiguration(
        train_schema=GraphSchema(train),
        predict_schema=GraphSchema(predict),
        training_type=TrainingType.NLU,
        assistant_id=config["assistant_id"],
        language=config["language"],
        core_target=None,
        nlu_target=messages,
    )


def _feeds_training(uses: type[Component]) -> bool:
    """Whether later components train on what this one adds."""
    return uses.__module__ == "nlu.components.text"
