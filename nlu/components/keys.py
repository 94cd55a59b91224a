"""Names under which components leave their results on a Rasa `Message`."""

from typing import Final

NORMALIZED: Final = "normalized"
"""nlu.text.normalizer.Normalized"""
WORDS: Final = "words"
"""list of half-open syllable ranges"""
ROW: Final = "row"
"""(columns, values) of the sparse feature row"""
TOPICS: Final = "topics"
"""list of (class, probability), best first"""
ASPECTS: Final = "aspects"
"""list of aspects, most probable first"""
ENTITIES: Final = "found_entities"
"""list of nlu.understanding.Entity"""
IN_SCOPE: Final = "in_scope"
"""bool"""
