"""Rasa's own command line with the components of this project: `python ours.py train nlu --config ../../nlu/config.yml …`.

Rasa's default recipe asks each component for its type. Registering imports TensorFlow, so it is done here and not in `nlu/`.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import rasa.engine.validation  # noqa: F401 - before our components, which then name the types that it checks
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

if __name__ == "__main__":
    main()
