"""Features of pairs are those that a plain count of strings would find."""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nlu.features import TwoViewVectorizer
from nlu.pairs import Group, PairTable, counted

GROUPS = (Group(0, (0, 1)), Group(1, (0,)), Group(0, (2, 3)))
words = st.lists(st.sampled_from(["giấy", "khai", "sinh", "ở", "đâu", "mất"]), max_size=9)
documents = st.lists(words, max_size=8)


def in_words(syllables: list[str]) -> Counter[tuple[int, str, str]]:
    """The same features as strings."""
    texts = (syllables, [s[0] for s in syllables])
    return Counter(
        (number, texts[group.text][i], texts[group.text][i + d] if d else "")
        for number, group in enumerate(GROUPS)
        for i in range(len(syllables))
        for d in group.distances
        if i + d < len(syllables)
    )


def texts_of(syllables: list[str]) -> tuple[list[str], list[str]]:
    return syllables, [s[0] for s in syllables]


def numbers_of(table: PairTable, syllables: list[str]) -> list[list[int]]:
    return [[table.number(text, symbol) for symbol in symbols] for text, symbols in enumerate(texts_of(syllables))]


@given(documents, words, st.integers(1, 3))
def test_what_is_found_is_what_a_plain_count_finds(learnt: list[list[str]], asked: list[str], least: int) -> None:
    table = PairTable(GROUPS)
    counts = table.fit((texts_of(d) for d in learnt), least)

    seen = Counter(feature for d in learnt for feature in in_words(d))
    known = {feature: n for feature, n in seen.items() if n >= least}
    numbers = numbers_of(table, asked)
    columns = table.find(numbers)
    expected = Counter({f: n for f, n in in_words(asked).items() if f in known})
    assert sorted(counts.tolist()) == sorted(known.values())
    assert len(columns) == expected.total()
    assert sorted(Counter(columns.tolist()).values()) == sorted(expected.values())
    assert Counter(table.groups_of(columns).tolist()) == Counter(group for group, _, _ in expected.elements())
    again, left = table.find_at(numbers)
    assert again.tolist() == columns.tolist()
    assert left.tolist() == sorted(left.tolist())
    joined = [symbol for text in texts_of(asked) for symbol in text]
    assert Counter(joined[at] for at in left.tolist()) == Counter(symbol for _, symbol, _ in expected.elements())


@given(documents, words)
def test_a_table_that_was_written_down_finds_the_same(learnt: list[list[str]], asked: list[str]) -> None:
    table, again = PairTable(GROUPS), PairTable(GROUPS)
    table.fit((texts_of(d) for d in learnt), 1)
    again.restore(table.as_dict())
    assert table.find(numbers_of(table, asked)).tolist() == again.find(numbers_of(again, asked)).tolist()


@given(st.lists(st.integers(0, 5)))
def test_columns_are_counted_as_numpy_would(columns: list[int]) -> None:
    for ours, theirs in zip(counted(np.array(columns, np.intp)), np.unique(columns, return_counts=True), strict=True):
        assert ours.tolist() == theirs.tolist()


def test_each_view_of_a_message_weighs_what_it_should() -> None:
    vectorizer = TwoViewVectorizer().fit([["khai", "sinh", "cho", "con"]] * 2)
    _, values = vectorizer.row(["khai", "sinh", "cho", "con"])
    # Views of 7, 7, 3 and 7 features, each scaled to its weight.
    assert np.isclose((values**2).sum(), 1.2**2 + 0.8**2 + 0.6**2 + 0.5**2)


def test_a_message_of_unknown_words_has_no_feature() -> None:
    vectorizer = TwoViewVectorizer().fit([["khai", "sinh"]] * 2)
    columns, values = vectorizer.row(["hoa", "hồng", "hoa"])
    assert (columns.tolist(), values.tolist()) == ([], [])


def test_a_token_that_is_no_syllable_is_known_by_its_characters() -> None:
    vectorizer = TwoViewVectorizer().fit([["etax", "mobile"]] * 2)
    columns, _ = vectorizer.row(["etaxx"])
    assert len(columns) > 0
