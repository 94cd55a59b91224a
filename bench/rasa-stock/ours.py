"""Rasa's own command line with the components of this project: `python ours.py train nlu --config ../../nlu/config.yml …`.

Rasa's default recipe asks each component for its type. Registering imports TensorFlow, so it is done here and not in `nlu/`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import rasa.engine.validation  # noqa: F401 - before our components, which then name the types that it checks
import rasa.shared.data
from rasa.__main__ import main
from rasa.engine.recipes.default_recipe import DefaultV1Recipe

from nlu.components import classifiers, entities, follow_up, scope, semantic, text

Kind = DefaultV1Recipe.ComponentType

PREPARES = (text.Augmenter, text.VietnameseNormalizer, text.Speller, text.UndertheseaTokenizer, text.TwoViewFeaturizer)
JUDGES = (
    classifiers.TopicClassifier,
    semantic.SemanticStage,
    classifiers.AspectClassifier,
    entities.EntityExtractor,
    follow_up.FollowUpGuard,
    scope.ScopeGate,
)


def is_trained(component: type) -> bool:
    """Whether a component learns from the training data."""
    from nlu.components.base import TrainedComponent

    return issubclass(component, TrainedComponent)


for component in PREPARES:
    DefaultV1Recipe.register([Kind.MESSAGE_FEATURIZER], is_trainable=is_trained(component))(component)
for component in JUDGES:
    DefaultV1Recipe.register([Kind.INTENT_CLASSIFIER], is_trainable=is_trained(component))(component)

HELD_OUT = "heldout"
"""A folder of this name inside the data is for testing: Rasa, which reads folders to the bottom, would train on it."""
_all_files = rasa.shared.data.get_data_files


def without_held_out(paths: str | Iterable[str] | None, chosen: Callable[[str], bool]) -> list[str]:
    """Return the data files below some paths; those that are held out only where a path leads into their folder."""
    given = [paths] if isinstance(paths, str) else list(paths or ())
    inside = any(HELD_OUT in Path(path).resolve().parts for path in given)
    return [file for file in _all_files(given, chosen) if inside or HELD_OUT not in Path(file).resolve().parts]


rasa.shared.data.get_data_files = without_held_out

if __name__ == "__main__":
    main()
