"""The regression over sparse rows: of a few classes it looks at all, of thousands at a sample that stands for all."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from nlu import linear


@pytest.mark.parametrize("classes", [40, 1500])
def test_what_tells_classes_apart_is_learnt(classes: int) -> None:
    """Each class has a feature of its own and shares another with every tenth class."""
    labels = np.repeat(np.arange(classes), 3)
    places = np.stack([labels, classes + labels % 10], axis=1).ravel()
    rows = csr_matrix((np.ones(len(places), np.float32), places, np.arange(0, len(places) + 1, 2)))
    ones = np.ones(len(labels), np.float32)
    targets = csr_matrix((ones, labels, np.arange(len(labels) + 1)), shape=(len(labels), classes))
    weights, bias = linear.train(rows, targets, epochs=20, rate=0.5)
    found = (rows @ weights + bias).argmax(axis=1)
    assert (found == labels).mean() >= 0.99


@given(right=st.lists(st.integers(0, 1999), min_size=1, max_size=300), seed=st.integers(0, 99))
def test_a_sample_holds_the_right_classes_and_stands_for_all(right: list[int], seed: int) -> None:
    asked, lift = linear._rivals(np.array(right), 2000, np.random.default_rng(seed))
    assert set(right) <= set(asked.tolist())
    assert np.all(np.diff(asked) > 0)
    assert np.all(lift[np.isin(asked, right)] == 0)
    assert np.exp(lift.astype(np.float64)).sum() == pytest.approx(2000, rel=1e-4)
