"""The frame of a question is what is said about every topic; what lies between is left open."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nlu.frames import FrameVectorizer

TOPICS = [f"chu-de-{i}" for i in range(40)]
ASKED = (["làm", "{}", "cần", "giấy", "tờ", "gì"], ["{}", "mất", "bao", "nhiêu", "tiền"])
DOCUMENTS = [[word.format(topic) for word in asked] for topic in TOPICS for asked in ASKED]
FRAMES = FrameVectorizer().fit(DOCUMENTS, [topic for topic in TOPICS for _ in ASKED])
WORDS = ["làm", "cần", "giấy", "tờ", "gì", "mất", "bao", "nhiêu", "tiền", "hộ", "chiếu"]


def test_words_of_one_topic_are_left_open() -> None:
    passport, licence = (FRAMES.row(["làm", topic, "cần", "giấy", "tờ", "gì"]) for topic in ("hộ-chiếu", "bằng-lái"))
    assert passport[0].tolist() == licence[0].tolist()
    assert passport[1].tolist() == licence[1].tolist()


@given(st.lists(st.sampled_from(WORDS), max_size=12))
def test_a_column_comes_once_and_stands_where_it_first_did(syllables: list[str]) -> None:
    columns, values = FRAMES.row(syllables)
    assert len(set(columns.tolist())) == len(columns) == len(values)
    places = FRAMES.places(syllables)
    assert set(places) == set(columns.tolist())
    assert all(0 <= place <= len(syllables) for place in places.values())
    pairs = values[: len(columns) - sum(column >= len(FRAMES) - 21 for column in columns.tolist())]
    assert not len(pairs) or np.isclose((pairs**2).sum(), 1)


def test_what_is_asked_first_stands_first() -> None:
    places = FRAMES.places(["mất", "bao", "nhiêu", "tiền", "và", "cần", "giấy", "tờ", "gì"])
    cues = sorted(place for column, place in places.items() if column >= len(FRAMES) - 21)
    assert cues[0] < 4 < cues[-1]
