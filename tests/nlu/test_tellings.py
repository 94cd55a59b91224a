"""Long messages are read in parts, and messages put into one at training time are labelled with what they ask for."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st
from rasa.shared.nlu.constants import INTENT, METADATA, TEXT
from rasa.shared.nlu.training_data.message import Message

from nlu.components.keys import CORRUPTED
from nlu.components.text import LONG, PART, Augmenter, labelled_aspects, parts_of, shares_of

if TYPE_CHECKING:
    from collections.abc import Iterable


def message(text: str, intent: str, *aspects: str, topics: Iterable[str] = ()) -> Message:
    labels = {"aspects": list(aspects), "topics": list(topics)}
    return Message(data={TEXT: text, INTENT: intent, METADATA: {"intent": labels}})


@given(st.integers(0, 90))
def test_the_parts_hold_every_syllable_of_a_long_message_and_end_with_its_end(length: int) -> None:
    syllables = [str(i) for i in range(length)]
    parts = parts_of(syllables)
    if length <= LONG:
        assert parts == []
        return
    assert {s for part in parts for s in part} == set(syllables)
    assert parts[-1] == syllables[-PART:]
    assert all(len(part) <= PART for part in parts)


def test_what_happened_and_questions_behind_it_ask_for_what_the_questions_do() -> None:
    written = [
        message("bố tôi mới mất", "a", "tong-quan", topics=("a", "b")),
        message("ở đâu", "hoi-tiep", "noi-nop"),
        message("bao nhiêu tiền", "hoi-tiep", "le-phi"),
    ]
    augmenter = Augmenter({**Augmenter.defaults, "recipes": [], "told": 40})
    told = [m for m in augmenter._joined(written, random.Random(7)) if m.get(CORRUPTED) == "told"]
    assert len(told) == 40
    for one in told:
        asked = {"noi-nop": "ở đâu", "le-phi": "bao nhiêu tiền"}
        assert labelled_aspects(one) == sorted(labelled_aspects(one), key=lambda a: one.get(TEXT).index(asked[a]))
        assert {a for a, words in asked.items() if words in one.get(TEXT)} == set(labelled_aspects(one))
        assert shares_of(one) == {"a": 0.5, "b": 0.5}, "it is as doubtful as what happened"
    assert {len(labelled_aspects(m)) for m in told} == {1, 2}
