"""A multinomial or multi-label logistic regression over sparse rows, trained by Adagrad in mini-batches.

Small enough to own: it must train in seconds on two cores, predict one row in microseconds without scikit-learn in memory, take
sample weights, and give probabilities that a temperature can calibrate. Each step touches only the rows of `weights` whose
features occur in the batch; a dense optimiser spends nine tenths of its time on the others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

Floats = NDArray[np.float32]

_EPSILON: Final = 1e-8
_DENSE_SCALE: Final = 8.0
_DENSE_DECAY: Final = 1e-4
_TEMPERATURES: Final = np.geomspace(0.2, 3.0, 60)
_MANY: Final = 1024
"""Of more classes, a step of the training looks at a batch's own and at so many others.

Measured with 6,000 synthetic topics: all of them at every step take hours."""


class LinearModel:
    """`weights` has shape (features, classes), 8-bit with one scale a feature; `bias` (classes,).

    Eight bits cost no measurable accuracy and a quarter of the memory.
    """

    def __init__(self, weights: NDArray[np.int8], scales: Floats, bias: Floats, temperature: float = 1.0) -> None:
        self.weights = weights
        self.scales = scales
        self.bias = bias
        self.temperature = temperature

    @classmethod
    def of(cls, weights: Floats, bias: Floats, temperature: float = 1.0) -> LinearModel:
        """Round full weights to eight bits."""
        scales = (np.abs(weights).max(axis=1) / 127 + 1e-12).astype(np.float32)
        return cls(np.round(weights / scales[:, None]).astype(np.int8), scales, bias, temperature)

    def logits(self, columns: NDArray[np.intp], values: Floats) -> Floats:
        """Return the scores of one sparse row, shape (classes,)."""
        scaled = values * self.scales.take(columns)
        scores: Floats = scaled @ self.weights.take(columns, axis=0).astype(np.float32) + self.bias
        return scores

    def softmax(self, columns: NDArray[np.intp], values: Floats) -> Floats:
        """Return calibrated probabilities of one sparse row, shape (classes,), summing to 1."""
        logits = self.logits(columns, values)
        shifted = np.exp((logits - logits.max()) * np.float32(1 / self.temperature))
        probabilities: Floats = shifted / shifted.sum()
        return probabilities

    def as_dict(self) -> dict[str, Any]:
        return {"weights": self.weights, "scales": self.scales, "bias": self.bias, "temperature": self.temperature}

    @classmethod
    def from_dict(cls, state: dict[str, Any]) -> LinearModel:
        return cls(state["weights"], state["scales"], state["bias"], float(state["temperature"]))


def softmax(logits: Floats) -> Floats:
    """Return row-wise probabilities, shape as given (rows, classes)."""
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities: Floats = shifted / shifted.sum(axis=1, keepdims=True)
    return probabilities


def sigmoid(logits: Floats) -> Floats:
    """Return element-wise probabilities; large logits of either sign do not overflow."""
    result: Floats = 0.5 * (1 + np.tanh(0.5 * logits))
    return result


def train(
    rows: csr_matrix,
    targets: csr_matrix,
    *,
    multilabel: bool = False,
    sample_weights: Floats | None = None,
    epochs: int = 6,
    least_steps: int = 0,
    batch: int = 256,
    rate: float = 0.3,
    seed: int = 0,
) -> tuple[Floats, Floats]:
    """Fit and return `weights` (features, classes) and `bias` (classes,).

    Of thousands of classes each step sees the right ones of its batch and a random sample of the others, which stands for all of
    them (sampled softmax: Jean et al., 2015, section 3).

    Args:
        rows: (samples, features).
        targets: (samples, classes), sparse; rows that sum to 1 for softmax, ones for `multilabel`.
        sample_weights: (samples,), default all 1.
        least_steps: more epochs are made of few samples, until there are so many mini-batches.
        rate: first step length; falls to 0 in a straight line.
    """
    from scipy.sparse import csr_matrix

    samples, features = rows.shape
    classes = targets.shape[1]
    rng = np.random.default_rng(seed)
    weights = np.zeros((features, classes), dtype=np.float32)
    squares = np.full((features, classes), _EPSILON, dtype=np.float32)
    bias = np.zeros(classes, dtype=np.float32)
    bias_squares = np.full(classes, _EPSILON, dtype=np.float32)
    importance = np.ones(samples, np.float32) if sample_weights is None else sample_weights
    batches = -(-samples // batch)
    epochs = max(epochs, -(-least_steps // batches))
    steps = epochs * batches
    step = 0
    for _ in range(epochs):
        order = rng.permutation(samples)
        for begin in range(0, samples, batch):
            picked = order[begin : begin + batch]
            part = rows[picked]
            touched, inverse = np.unique(part.indices, return_inverse=True)
            part = csr_matrix((part.data, inverse.astype(np.int32), part.indptr), shape=(len(picked), len(touched)))
            right = targets[picked]
            at: Any = touched
            asked: Any = slice(None)
            lift: Any = 0.0
            if classes > _MANY and not multilabel:
                asked, lift = _rivals(right.indices, classes, rng)
                right = right[:, asked]
                at = np.ix_(touched, asked)
            here = weights[at]
            logits = part @ here + bias[asked] + lift
            predicted = sigmoid(logits) if multilabel else softmax(logits)
            error = (predicted - right.toarray()) * (importance[picked, None] / np.float32(len(picked)))
            speed = np.float32(rate * (1 - step / steps))
            step += 1
            gradient = part.T @ error
            moved = squares[at] + gradient * gradient
            squares[at] = moved
            np.sqrt(moved, out=moved)
            weights[at] = here - speed * gradient / moved
            slope = error.sum(axis=0)
            bias_squares[asked] += slope * slope
            bias[asked] -= speed * slope / np.sqrt(bias_squares[asked])
    return weights, bias


def _rivals(right: NDArray[Any], classes: int, rng: np.random.Generator) -> tuple[NDArray[np.intp], Floats]:
    """Return the classes that one step looks at, ascending, and what to add to the logits of each, shape as theirs.

    A sampled class stands for all that were not: its share of the sum of exponentials counts for theirs.
    """
    own = np.unique(right)
    others = np.setdiff1d(rng.choice(classes, _MANY, replace=False), own)
    asked = np.concatenate([own, others])
    lift = np.zeros(len(asked), np.float32)
    lift[len(own) :] = np.log((classes - len(own)) / max(len(others), 1))
    order = np.argsort(asked)
    return asked[order], lift[order]


def train_dense(
    rows: Floats,
    labels: NDArray[Any],
    classes: int,
    *,
    epochs: int = 30,
    batch: int = 256,
    rate: float = 0.02,
    seed: int = 0,
) -> tuple[Floats, Floats]:
    """Fit a softmax over dense rows by Adam (Kingma and Ba, 2015); return weights (features, classes) and bias (classes,).

    Args:
        rows: (samples, features), centred; differences between sentence vectors are small, hence the inner scale.
        labels: (samples,), class numbers.
    """
    scaled = rows * np.float32(_DENSE_SCALE)
    samples, features = rows.shape
    rng = np.random.default_rng(seed)
    weights = np.zeros((features + 1, classes), np.float32)
    first, second = np.zeros_like(weights), np.zeros_like(weights)
    scaled = np.hstack([scaled, np.ones((samples, 1), np.float32)])
    sizes = np.maximum(np.bincount(labels, minlength=classes), 1)
    importance = np.sqrt(sizes.mean() / sizes)[labels].astype(np.float32)
    steps = epochs * -(-samples // batch)
    step = 0
    for _ in range(epochs):
        order = rng.permutation(samples)
        for begin in range(0, samples, batch):
            picked = order[begin : begin + batch]
            error = softmax(scaled[picked] @ weights)
            error[np.arange(len(picked)), labels[picked]] -= 1
            gradient = scaled[picked].T @ (error * (importance[picked, None] / np.float32(len(picked))))
            gradient += np.float32(_DENSE_DECAY) * weights
            speed = rate * (1 - step / steps)
            step += 1
            first += np.float32(0.1) * (gradient - first)
            second += np.float32(0.001) * (gradient * gradient - second)
            root = np.sqrt(second / np.float32(1 - 0.999**step)) + np.float32(_EPSILON)
            weights -= np.float32(speed / (1 - 0.9**step)) * first / root
    return weights[:-1] * np.float32(_DENSE_SCALE), weights[-1]


def best_temperature(logits: Floats, classes: NDArray[Any]) -> float:
    """Return the temperature with the least log loss (Guo et al., 2017) on examples that were not trained on.

    Args:
        logits: (samples, classes).
        classes: (samples,), the right class of each.
    """
    rows = np.arange(len(classes))

    def loss(temperature: float) -> float:
        return float(-np.log(softmax(logits / np.float32(temperature))[rows, classes] + 1e-9).mean())

    return float(min(_TEMPERATURES, key=loss))
