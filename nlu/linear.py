"""A multinomial or multi-label logistic regression over sparse rows, trained by Adam in mini-batches.

Small enough to own: it must train in seconds on two cores, predict one row in microseconds without scikit-learn in memory,
take sample weights, and give probabilities that a temperature can calibrate.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

Floats = NDArray[np.float32]


class LinearModel:
    """`weights` has shape (features, classes), `bias` (classes,)."""

    def __init__(self, weights: Floats, bias: Floats, temperature: float = 1.0) -> None:
        self.weights = weights
        self.bias = bias
        self.temperature = temperature

    def logits(self, columns: NDArray[np.int32], values: Floats) -> Floats:
        """Return the scores of one sparse row, shape (classes,)."""
        scores: Floats = values @ self.weights[columns] + self.bias
        return scores

    def softmax(self, columns: NDArray[np.int32], values: Floats) -> Floats:
        """Return calibrated probabilities of one sparse row, shape (classes,), summing to 1."""
        return softmax(self.logits(columns, values)[None, :] / self.temperature)[0]

    def as_dict(self) -> dict[str, Any]:
        return {"weights": self.weights, "bias": self.bias, "temperature": self.temperature}

    @classmethod
    def from_dict(cls, state: dict[str, Any]) -> LinearModel:
        return cls(np.asarray(state["weights"]), np.asarray(state["bias"]), float(state["temperature"]))


def softmax(logits: Floats) -> Floats:
    """Return row-wise probabilities, shape as given (rows, classes)."""
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities: Floats = shifted / shifted.sum(axis=1, keepdims=True)
    return probabilities


def train(
    rows: csr_matrix,
    targets: Floats,
    *,
    multilabel: bool = False,
    sample_weights: Floats | None = None,
    epochs: int = 12,
    batch: int = 512,
    rate: float = 0.02,
    decay: float = 1e-5,
    seed: int = 0,
) -> LinearModel:
    """Fit a model.

    Args:
        rows: (samples, features).
        targets: (samples, classes); rows that sum to 1 for softmax, zeros and ones for `multilabel`.
        sample_weights: (samples,), default all 1.
        decay: L2 pull on the weights at each step.
    """
    samples, features = rows.shape
    classes = targets.shape[1]
    rng = np.random.default_rng(seed)
    weights = np.zeros((features, classes), dtype=np.float32)
    bias = np.zeros(classes, dtype=np.float32)
    first, second = np.zeros_like(weights), np.zeros_like(weights)
    bias_first, bias_second = np.zeros_like(bias), np.zeros_like(bias)
    importance = np.ones(samples, np.float32) if sample_weights is None else sample_weights
    steps = epochs * -(-samples // batch)
    step = 0
    for _ in range(epochs):
        order = rng.permutation(samples)
        for begin in range(0, samples, batch):
            picked = order[begin : begin + batch]
            part = rows[picked]
            logits = part @ weights + bias
            predicted = 1 / (1 + np.exp(-logits)) if multilabel else softmax(logits)
            error = (predicted - targets[picked]) * importance[picked, None] / len(picked)
            step += 1
            speed = rate * (1 - (step - 1) / steps)
            gradient = np.asarray(part.T @ error) + decay * weights
            _adam(weights, gradient, first, second, speed, step)
            _adam(bias, error.sum(axis=0), bias_first, bias_second, speed, step)
    return LinearModel(weights, bias)


def _adam(value: Floats, gradient: Floats, first: Floats, second: Floats, rate: float, step: int) -> None:
    """One Adam step in place (Kingma and Ba, 2015)."""
    first *= 0.9
    first += 0.1 * gradient
    second *= 0.999
    np.square(gradient, out=gradient)
    second += 0.001 * gradient
    np.sqrt(second / (1 - 0.999**step), out=gradient)
    gradient += 1e-8
    value -= (rate / (1 - 0.9**step)) * first / gradient
