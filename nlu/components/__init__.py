"""Rasa graph components: normalise, cut, describe, classify, find entities, decide on scope.

None of these modules imports TensorFlow; `nlu.rasa_recipe` registers them for people who run the full Rasa.
What one component leaves on a `Message` for the next is named in `nlu.components.keys`.
"""
