"""The offered metrics as TensorFlow operations in float64; each function is named like its metric."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

__all__ = [
    "Formula", "Rows", "accuracy", "auc", "balanced_accuracy", "f1", "formula", "log_loss", "mae", "r2", "rmse",
]  # fmt: skip

Tensor = Any
_EPS = 2.0**-52  # scikit-learn keeps probabilities in float64 that far from 0 and 1


class Rows(NamedTuple):
    """All rows of a part.

    y: class numbers, int64, or numbers, float64, shape (rows,). predicted: the same of the model. probabilities:
    float64, (rows, classes); None in regression. weights: float64, (rows,).
    """

    y: Tensor
    predicted: Tensor
    probabilities: Tensor
    weights: Tensor

    @property
    def classes(self) -> int:
        """How many there are."""
        return int(self.probabilities.shape[-1])


Formula = Callable[[Rows], Tensor]


def formula(name: str) -> Formula:
    """The function of a metric."""
    return globals()[name]  # type: ignore[no-any-return]


def accuracy(rows: Rows) -> Tensor:
    """The share of the rows whose class is right."""
    return _mean(tf.cast(rows.y == rows.predicted, tf.float64), rows.weights)


def balanced_accuracy(rows: Rows) -> Tensor:
    """The mean share of right rows over the classes that have rows."""
    support, _, right = _counts(rows)
    return _mean(tf.math.divide_no_nan(right, support), tf.cast(support > 0, tf.float64))


def f1(rows: Rows) -> Tensor:
    """Of the second class; from three classes on the mean over those that are in the target or predicted."""
    support, predicted, right = _counts(rows)
    scores = tf.math.divide_no_nan(2 * right, support + predicted)
    return scores[1] if rows.classes == 2 else _mean(scores, tf.cast(support + predicted > 0, tf.float64))


def auc(rows: Rows) -> Tensor:
    """The area under the ROC curve; from three classes on the mean over each class against the rest.

    NaN where a class has no row or has all of them.
    """
    if rows.classes == 2:
        return _area(rows.y == 1, rows.probabilities[:, 1], rows.weights)
    each = tf.map_fn(
        lambda c: _area(rows.y == tf.cast(c, rows.y.dtype), tf.gather(rows.probabilities, c, axis=1), rows.weights),
        tf.range(rows.classes),
        fn_output_signature=tf.float64,
    )
    return tf.reduce_mean(each)


def log_loss(rows: Rows) -> Tensor:
    """The mean of minus the logarithm of the probability of the right class."""
    kept = tf.clip_by_value(tf.gather(rows.probabilities, rows.y, axis=1, batch_dims=1), _EPS, 1 - _EPS)
    return _mean(-tf.math.log(kept), rows.weights)


def r2(rows: Rows) -> Tensor:
    """The share of the variance that is predicted; of a target that does not vary 1 if all is right, else 0."""
    left = tf.reduce_sum(rows.weights * tf.square(rows.y - rows.predicted))
    spread = tf.reduce_sum(rows.weights * tf.square(rows.y - _mean(rows.y, rows.weights)))
    constant = tf.where(left > 0, tf.zeros_like(left), tf.ones_like(left))
    return tf.where(spread > 0, 1 - tf.math.divide_no_nan(left, spread), constant)


def rmse(rows: Rows) -> Tensor:
    """The root of the mean squared error."""
    return tf.sqrt(_mean(tf.square(rows.y - rows.predicted), rows.weights))


def mae(rows: Rows) -> Tensor:
    """The mean absolute error."""
    return _mean(tf.abs(rows.y - rows.predicted), rows.weights)


def _mean(values: Tensor, weights: Tensor) -> Tensor:
    return tf.reduce_sum(values * weights) / tf.reduce_sum(weights)


def _counts(rows: Rows) -> tuple[Tensor, Tensor, Tensor]:
    """Weights by class: of its rows, of those predicted to be of it, of those that rightly are: (classes,) each."""
    right = tf.where(rows.y == rows.predicted, rows.weights, tf.zeros_like(rows.weights))

    def sums(weights: Tensor, where: Tensor) -> Tensor:
        return tf.math.unsorted_segment_sum(weights, where, rows.classes)

    return sums(rows.weights, rows.y), sums(rows.weights, rows.predicted), sums(right, rows.y)


def _area(positive: Tensor, scores: Tensor, weights: Tensor) -> Tensor:
    """The chance that a positive row has a higher score than a negative one; a tie counts half."""
    order = tf.argsort(scores, stable=True)
    ordered = tf.gather(scores, order)
    against = tf.gather(tf.where(positive, tf.zeros_like(weights), weights), order)
    below = tf.concat([tf.zeros((1,), tf.float64), tf.cumsum(against)], 0)
    lower, upper = (tf.gather(below, tf.searchsorted(ordered, scores, side=side)) for side in ("left", "right"))
    beaten = tf.where(positive, weights, tf.zeros_like(weights)) * (lower + upper) / 2
    pairs = below[-1] * tf.reduce_sum(tf.where(positive, weights, tf.zeros_like(weights)))
    return tf.reduce_sum(beaten) / pairs
