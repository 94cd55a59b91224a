"""Rasa graph components: normalise, cut, describe, classify, find entities, decide on scope.

None of these modules imports TensorFlow or Rasa's default recipe: `nlu.training` builds the graphs from `config.yml`.
What one component leaves on a `Message` for the next is named in `nlu.components.keys`.
"""
