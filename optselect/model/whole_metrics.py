"""Metrics of all rows of a part at once: those that every task offers, and a function of the user's."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import tensorflow as tf

from optselect.data.target import Target
from optselect.model.formulas import Rows, formula
from optselect.model.offered_metrics import Offered
from optselect.model.output_scoring import Judging
from optselect.user_code.functions import where_it_failed

__all__ = ["CalledMetric", "FormulaMetric", "JudgedOutput", "WholeMetric", "lacking"]

Tensor = Any


class WholeMetric(Protocol):
    """A metric that must see all rows of a part.

    name: as in "val_NAME". maximize: whether larger is better. places: of the outputs that it compares, in
    `keras.tree.flatten`, each with the shape of a row of it.
    """

    @property
    def name(self) -> str: ...

    @property
    def maximize(self) -> bool: ...

    @property
    def places(self) -> Mapping[int, tuple[int, ...]]: ...

    def __call__(self, y: Sequence[Tensor], outputs: Mapping[int, Tensor], weights: Tensor | None) -> Tensor:
        """The metric, a float64 scalar; NaN where it is not defined.

        y: targets by place, as the loss takes them. outputs: by place, those of `places` at least. weights: of the
        rows, shape (rows,).
        """
        ...


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class JudgedOutput:
    """An output with its target. moments: mean and deviation of a target that is standardized, else (0, 1)."""

    place: int
    name: str
    target: Target
    judging: Judging
    moments: tuple[float, float] = (0.0, 1.0)

    def numbers(self, y: Tensor) -> Tensor:
        """The target as class numbers, int64, or as numbers of its own unit, float64; shape (rows, ...)."""
        shape = (-1, *self.target.shape)
        if self.target.kind == "classification":
            y = tf.argmax(y, axis=-1) if self.judging.labels == "one-hot" else y
            return tf.reshape(tf.cast(y, tf.int64), shape)
        return self._in_units(tf.reshape(tf.cast(y, tf.float64), shape))

    def predicted(self, output: Tensor) -> Tensor:
        """The same of the model."""
        shape = (-1, *self.target.shape)
        if self.target.kind == "regression":
            return self._in_units(tf.reshape(tf.cast(output, tf.float64), shape))
        if self.judging.labels == "column":
            edge = 0.0 if self.judging.activation else 0.5
            return tf.reshape(tf.cast(output > edge, tf.int64), shape)
        return tf.argmax(output, axis=-1)

    def probabilities(self, output: Tensor) -> Tensor:
        """Of the classes, float64, (rows, ..., classes); as the model answers them where these are none."""
        output = tf.cast(output, tf.float64)
        if self.judging.labels == "column":
            second = tf.reshape(output, (-1, *self.target.shape))
            second = tf.sigmoid(second) if self.judging.activation else second
            return tf.stack([1 - second, second], axis=-1)
        return tf.nn.softmax(output) if self.judging.activation else output

    def _in_units(self, values: Tensor) -> Tensor:
        mean, deviation = self.moments
        return values * deviation + mean if self.moments != (0.0, 1.0) else values


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class FormulaMetric:
    """An offered metric at an output."""

    offered: Offered
    output: JudgedOutput

    @property
    def name(self) -> str:
        """With the name of the output in front if there are several."""
        return f"{self.output.name}_{self.offered.name}" if self.output.name else self.offered.name

    @property
    def maximize(self) -> bool:
        """Whether larger is better."""
        return self.offered.maximize

    @property
    def places(self) -> Mapping[int, tuple[int, ...]]:
        """Its output's."""
        return {self.output.place: self.output.judging.shape}

    def __call__(self, y: Sequence[Tensor], outputs: Mapping[int, Tensor], weights: Tensor | None) -> Tensor:
        at, target, answer = self.output, y[self.output.place], outputs[self.output.place]
        numbers = at.numbers(target)
        rows = Rows(
            y=numbers,
            predicted=at.predicted(answer),
            probabilities=at.probabilities(answer) if at.target.kind == "classification" else None,
            weights=tf.ones(tf.shape(numbers), tf.float64) if weights is None else tf.cast(weights, tf.float64),
        )
        return formula(self.offered.name)(rows)


class CalledMetric:
    """A function of the user's, called in Python with all rows of a part.

    function: of the target and the answers as `JudgedOutput` tells them, as arrays, of several outputs in dicts by the
    name of the target; of two classes the answer is the probability of the second. It gets `sample_weight` too if rows
    have weights and it takes them. problem: why it gave no number the last time, "" if it gave one.
    """

    def __init__(
        self, function: Callable[..., Any], *, name: str, maximize: bool, outputs: Sequence[JudgedOutput], path: Path
    ) -> None:
        self.name, self.maximize, self.problem = name, maximize, ""
        self._function, self._outputs, self._path = function, tuple(outputs), path
        self._weighs = _takes_weights(function)

    @property
    def places(self) -> Mapping[int, tuple[int, ...]]:
        """Of all judged outputs."""
        return {output.place: output.judging.shape for output in self._outputs}

    def __call__(self, y: Sequence[Tensor], outputs: Mapping[int, Tensor], weights: Tensor | None) -> Tensor:
        given = []
        for at in self._outputs:
            answer = outputs[at.place]
            if at.target.kind == "regression":
                answer = at.predicted(answer)
            else:
                answer = at.probabilities(answer)
                answer = answer[..., 1] if len(at.target.classes) == 2 else answer
            given += [at.numbers(y[at.place]), answer]
        if weights is not None:
            given.append(weights)
        # Stateless, so that it is not taken for a layer of the model that calls Python.
        value = tf.numpy_function(self._value, given, tf.float64, stateful=False)
        return tf.ensure_shape(value, ())

    def _value(self, *given: np.ndarray) -> np.ndarray:
        names, count = [at.target.name for at in self._outputs], 2 * len(self._outputs)
        y, answers = (dict(zip(names, given[start:count:2], strict=True)) for start in (0, 1))
        named = {"sample_weight": given[count]} if self._weighs and len(given) > count else {}
        try:
            found = self._function(*(each if len(names) > 1 else each[names[0]] for each in (y, answers)), **named)
        except Exception as problem:  # the user's function may raise anything
            self.problem = f"it failed: {where_it_failed(self._path, problem)}"
            return np.asarray(np.nan)
        self.problem = lacking(found)
        return np.asarray(np.nan if self.problem else found, "float64").reshape(())


def lacking(value: Any) -> str:
    """What is wrong with what a metric gave; "" if it is a finite number.

    >>> lacking(0.5), lacking(float("nan")), lacking([0.5, 0.25])
    ('', 'it gave nan', 'it must give one number, and gave list of shape (2,)')
    """
    array = np.asarray(value)
    if array.size != 1 or array.dtype.kind not in "biuf":
        shape = f" of shape {array.shape}" if array.ndim else ""
        return f"it must give one number, and gave {type(value).__name__}{shape}"
    return "" if np.isfinite(array).all() else f"it gave {array.reshape(())}"


def _takes_weights(function: Callable[..., Any]) -> bool:
    try:
        return "sample_weight" in inspect.signature(function).parameters
    except (TypeError, ValueError):  # of C code
        return False
