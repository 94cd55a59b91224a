"""The training data: every topic well provided, nothing of the held-out split in it, only names that exist."""

from __future__ import annotations

import csv
import re
from collections import Counter

from content.library import DATA as CONTENT
from nlu.dataset import Example, read
from nlu.engine import DATA, training_files
from nlu.text.normalizer import Normalizer
from nlu.understanding import FOLLOW_UP, OUT_OF_SCOPE

TRAINING = read(training_files())
HELD_OUT = read(sorted((DATA / "heldout").glob("*.yml")))
REGULAR = Normalizer.from_lexicons()


def topics() -> dict[str, str]:
    with (CONTENT / "topics.tsv").open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader((line for line in file if not line.startswith("#")), delimiter="\t")
        return {row["topic"]: row["kind"] for row in rows}


def test_every_topic_has_at_least_forty_utterances_and_ten_held_out() -> None:
    trained = Counter(e.intent for e in TRAINING)
    held = Counter(e.intent for e in HELD_OUT)
    assert len(topics()) == 157
    assert {slug: trained[slug] for slug in topics() if trained[slug] < 40} == {}
    assert {slug: held[slug] for slug in topics() if held[slug] < 10} == {}


def test_only_known_topics_are_named() -> None:
    assert {e.intent for e in TRAINING + HELD_OUT} - set(topics()) == {OUT_OF_SCOPE, FOLLOW_UP}


def test_there_are_at_least_six_hundred_out_of_scope_utterances_near_and_far() -> None:
    outside = Counter(e.near for e in TRAINING if e.out_of_scope)
    assert sum(outside.values()) >= 600
    assert min(outside[True], outside[False]) >= 200


def test_services_are_asked_about_in_all_ten_aspects() -> None:
    asked = {a for e in TRAINING if topics().get(e.intent) == "service" for a in e.aspects}
    assert len(asked) == 10


def key(example: Example) -> str:
    return " ".join(re.sub(r"\W+", " ", REGULAR(example.text).bare).split())


def test_the_measured_part_of_the_held_out_split_is_not_in_the_training_data() -> None:
    """A few one-word courtesies ("ok", "không") cannot be said in another way; everything longer must differ."""
    trained = {key(e) for e in TRAINING}
    shared = [e.text for e in HELD_OUT if key(e) in trained and topics().get(e.intent) != "smalltalk"]
    assert len(shared) <= 0.03 * len(HELD_OUT), shared
