"""Understanding Vietnamese as it is typed: a Rasa project with its own graph components, and the engine that asks it."""
