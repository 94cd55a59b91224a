"""Long messages are read in parts, and messages put into one at training time are labelled with what they ask for."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from rasa.engine.storage.local_model_storage import LocalModelStorage
from rasa.engine.storage.resource import Resource
from rasa.shared.nlu.constants import INTENT, METADATA, TEXT
from rasa.shared.nlu.training_data.message import Message

from nlu import linear
from nlu.components.classifiers import AspectClassifier
from nlu.components.keys import CORRUPTED
from nlu.components.text import LONG, PART, Augmenter, labelled_aspects, parts_of, shares_of
from nlu.understanding import ASPECTS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nlu.linear import Floats


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


def odds(**aspects: float) -> Floats:
    found = np.full(len(ASPECTS), -8, np.float32)
    for name, value in aspects.items():
        found[ASPECTS.index(name.replace("_", "-"))] = value
    return found


def asked_of(whole: Floats, *parts: Floats) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        storage = LocalModelStorage(Path(folder))
        classifier = AspectClassifier(AspectClassifier.get_default_config(), storage, Resource("aspects"))
    together = classifier._together([whole, *parts])
    return [ASPECTS[i] for i in classifier._choose(linear.sigmoid(together).tolist())]


def test_a_part_that_asks_for_something_outweighs_a_whole_that_seems_not_to() -> None:
    telling, asking = odds(tong_quan=6), odds(tong_quan=-3, cach_lam=4)
    assert asked_of(odds(tong_quan=1, cach_lam=-1), telling, telling, asking) == ["cach-lam"]
    assert asked_of(odds(tong_quan=1, cach_lam=-1), telling, telling, telling) == ["tong-quan"]


def test_one_part_that_surely_asks_for_more_than_the_whole_is_enough_though_what_it_asks_is_unsure() -> None:
    telling, asking = odds(tong_quan=6), odds(tong_quan=-3, cach_lam=0.5)
    assert asked_of(odds(tong_quan=1, cach_lam=-1), telling, asking) == ["cach-lam"]


def test_each_of_several_questions_counts_by_the_part_that_asks_it() -> None:
    whole = odds(tong_quan=-1, le_phi=-0.5, noi_nop=-0.5)
    assert set(asked_of(whole, odds(tong_quan=-4, le_phi=3), odds(tong_quan=-4, noi_nop=3))) == {"le-phi", "noi-nop"}


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
