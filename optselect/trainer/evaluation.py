"""Loss and metrics of a part of the data as TensorFlow operations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from optselect.optim.stepping import split
from optselect.trainer.compilable import CannotCompile
from optselect.trainer.feeding import Part
from optselect.trainer.step import Step

__all__ = ["CHUNK", "Judge"]

Tensor = Any
CHUNK = 2048  # rows a call of the model: large enough to amortise, small enough for any memory


class Judge:
    """Judges parameters on rows, piece by piece.

    metrics: keras.metrics.Metric, their variables made. names: of what it gives: "loss", then the metrics.
    """

    def __init__(self, step: Step, metrics: Sequence[Any]) -> None:
        self._step = step
        self._metrics = list(metrics)
        # Read now: inside a trace nothing can be reset.
        self._first = tuple(tuple(v.numpy() for v in metric.variables) for metric in self._metrics)
        self.names = ["loss", *(metric.name for metric in self._metrics)]
        self._advances: bool | None = None

    def nothing(self, others: Any) -> Any:
        """Before any row, what `add` adds to: rows, loss, metrics, and the model's other variables.

        A metric begins where it has been reset, which need not be at zero.
        """
        states = tf.nest.map_structure(tf.convert_to_tensor, self._first)
        return tf.constant(0.0), tf.constant(0.0), states, tuple(others)

    def add(self, flat: Tensor, data: Part, totals: Any, chunk: Tensor | int = CHUNK) -> Any:
        """Totals with the rows of `data` added, `chunk` at a time.

        flat: all trainable variables in one vector. The other variables are left as `model.fit` leaves them after it
        has validated: some layers draw random numbers that they do not use then.
        """
        weights = split(flat, self._step.variables)
        rows = tf.shape(tf.nest.flatten(data)[0])[0]

        def one_chunk(start: Tensor, seen: Tensor, total: Tensor, states: Any, others: Any) -> Any:
            stop = tf.minimum(start + chunk, rows)
            x, y, w = (*tf.nest.map_structure(lambda a: a[start:stop], data), None)[:3]
            after = self._step.forward(weights, others, (x, y, w), training=False)
            if after.moved:
                raise CannotCompile("one of its layers assigns to its weights while the model is evaluated")
            count = tf.cast(stop - start, tf.float32)
            total += tf.cast(after.loss, tf.float32) * count
            states = tuple(
                tuple(metric.stateless_update_state(list(state), y, after.outputs, sample_weight=w))
                for metric, state in zip(self._metrics, states, strict=True)
            )
            return stop, seen + count, total, states, tuple(after.others)

        return tf.while_loop(lambda start, *_: start < rows, one_chunk, (tf.constant(0), *totals))[1:]

    def advances(self, flat: Tensor, others: Any, data: Part) -> bool:
        """Whether to judge changes the other variables, so that it matters in how many pieces."""
        if self._advances is None:
            few = tf.nest.map_structure(lambda a: a[:2], data)
            self._advances = self._step.forward(split(flat, self._step.variables), others, few, training=False).advanced
        return self._advances

    def results(self, totals: Any) -> Tensor:
        """What came out, in the order of `names`: float32, shape (1 + metrics,)."""
        seen, total, states, _ = totals
        results = [
            tf.cast(metric.stateless_result(list(state)), tf.float32)
            for metric, state in zip(self._metrics, states, strict=True)
        ]
        return tf.stack([total / seen, *results])
