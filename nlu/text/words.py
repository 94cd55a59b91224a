"""Words of several syllables, by underthesea's segmenter, over syllables that keep their offsets.

underthesea's own `word_tokenize` splits and rewrites the raw text first, so that its tokens cannot be found again in it
(hoà, Uỷ, NFD). Here its CRF tagger sees our syllables and only says where a word begins.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from importlib.resources import files
from typing import Any

_MODEL = "ws_crf_vlsp2013_20230727"


@lru_cache(maxsize=1)
def _tagger() -> Any:
    from underthesea.models.fast_crf_sequence_tagger import FastCRFSequenceTagger

    tagger = FastCRFSequenceTagger()
    tagger.load(str(files("underthesea.pipeline.word_tokenize") / "models" / _MODEL))
    return tagger


def segment(syllables: Sequence[str]) -> list[tuple[int, int]]:
    """Return the words as half-open ranges of syllable indices, in order and without gaps."""
    if not syllables:
        return []
    tags = _tagger().predict([[syllable] for syllable in syllables])
    starts = [i for i, tag in enumerate(tags) if i == 0 or tag != "I-W"]
    return list(zip(starts, [*starts[1:], len(syllables)], strict=True))
