"""What our graph components share: creation by Rasa, and a state that is saved to and loaded from the model's storage."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, ClassVar, Self

from rasa.engine.graph import ExecutionContext, GraphComponent
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.shared.nlu.training_data.message import Message

from nlu import state as states

if TYPE_CHECKING or "rasa.engine.validation" in sys.modules:
    # Rasa's own command line resolves the annotations of our methods.
    from rasa.shared.nlu.training_data.training_data import TrainingData
else:
    # Serving does not: this import brings SciPy, a fifth of the whole start.
    TrainingData = Any

__all__ = ["Component", "TrainedComponent", "TrainingData"]


class Component(GraphComponent):
    """A component without trained state. Subclasses implement `understand`, which changes one message in place."""

    defaults: ClassVar[dict[str, Any]] = {}

    def __init__(self, config: dict[str, Any]) -> None:
        self.config = config

    @classmethod
    def get_default_config(cls) -> dict[str, Any]:
        return dict(cls.defaults)

    @classmethod
    def create(
        cls,
        config: dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
    ) -> Self:
        del model_storage, resource, execution_context
        return cls(config)

    def understand(self, message: Message) -> None:
        """Add this component's findings to the message."""
        raise NotImplementedError(type(self).__name__)

    def process(self, messages: list[Message]) -> list[Message]:
        """Rasa's entry point at prediction time."""
        for message in messages:
            self.understand(message)
        return messages

    def process_training_data(self, training_data: TrainingData) -> TrainingData:
        """Rasa's entry point at training time, for components that later ones train on."""
        self.process(training_data.training_examples)
        return training_data


class TrainedComponent(Component):
    """A component with state: `learn` sets it, `dump` and `restore` carry it through the model archive."""

    def __init__(self, config: dict[str, Any], storage: ModelStorage, resource: Resource) -> None:
        super().__init__(config)
        self._storage = storage
        self._resource = resource

    @classmethod
    def create(
        cls,
        config: dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
    ) -> Self:
        del execution_context
        return cls(config, model_storage, resource)

    @classmethod
    def load(
        cls,
        config: dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
        **kwargs: Any,
    ) -> Self:
        del execution_context, kwargs
        component = cls(config, model_storage, resource)
        with model_storage.read_from(resource) as folder:
            component.restore(states.load(folder))
        return component

    def train(self, training_data: TrainingData) -> Resource:
        """Rasa's entry point: learn, then persist."""
        self.learn(training_data)
        with self._storage.write_to(self._resource) as folder:
            states.save(folder, self.dump())
        return self._resource

    def learn(self, training_data: TrainingData) -> None:
        """Set the component's state from the training data."""
        raise NotImplementedError(type(self).__name__)

    def dump(self) -> dict[str, Any]:
        """Return the state as nested dicts of arrays and JSON values."""
        raise NotImplementedError(type(self).__name__)

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a state that `dump` returned."""
        raise NotImplementedError(type(self).__name__)
