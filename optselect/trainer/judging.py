"""Loss and metrics of a part of the data as TensorFlow operations."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from optselect.stepping import split
from optselect.trainer.feeding import Part
from optselect.trainer.step import Step

__all__ = ["Judge"]

Tensor = Any
_CHUNK = 2048  # rows a call of the model: large enough to amortise, small enough for any memory


class Judge:
    """Judges parameters on rows, piece by piece. names: of what it gives: "loss", then the metrics."""

    def __init__(self, step: Step) -> None:
        self._step = step
        self._metrics = step.task.metrics()
        self.names = ["loss", *(metric.name for metric in self._metrics)]

    def nothing(self) -> Any:
        """Rows, loss and metrics before any row: what `add` adds to."""
        states = tuple(tuple(tf.zeros_like(v.value) for v in metric.variables) for metric in self._metrics)
        return tf.constant(0.0), tf.constant(0.0), states

    def add(self, flat: Tensor, others: Any, data: Part, totals: Any, chunk: Tensor | int = _CHUNK) -> Any:
        """Totals with the rows of `data` added, `chunk` at a time.

        flat, others: all trainable variables in one vector, and the rest.
        """
        weights = split(flat, self._step.variables)
        rows = tf.shape(tf.nest.flatten(data)[0])[0]

        def one_chunk(start: Tensor, seen: Tensor, total: Tensor, states: Any) -> Any:
            stop = tf.minimum(start + chunk, rows)
            x, y, w = (*tf.nest.map_structure(lambda a: a[start:stop], data), None)[:3]
            outputs, _, extra = self._step.model.stateless_call(
                weights, list(others), x, training=False, return_losses=True
            )
            count = tf.cast(stop - start, tf.float32)
            total += tf.cast(self._step.loss(y, outputs, w, extra), tf.float32) * count
            states = tuple(
                tuple(metric.stateless_update_state(list(state), y, outputs, sample_weight=w))
                for metric, state in zip(self._metrics, states, strict=True)
            )
            return stop, seen + count, total, states

        return tf.while_loop(lambda start, *_: start < rows, one_chunk, (tf.constant(0), *totals))[1:]

    def results(self, totals: Any) -> Tensor:
        """What came out, in the order of `names`: float32, shape (1 + metrics,)."""
        seen, total, states = totals
        results = [
            tf.cast(metric.stateless_result(list(state)), tf.float32)
            for metric, state in zip(self._metrics, states, strict=True)
        ]
        return tf.stack([total / seen, *results])
