"""Loss and metrics of a part of the data as TensorFlow operations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from optselect.model.whole_metrics import WholeMetric
from optselect.optim.stepping import split
from optselect.trainer.compilable import CannotCompile
from optselect.trainer.feeding import Part
from optselect.trainer.step import Step

__all__ = ["CHUNK", "Judge", "of_all_rows"]

Tensor = Any
CHUNK = 2048  # rows a call of the model: large enough to amortise, small enough for any memory


class Judge:
    """Judges parameters on rows, piece by piece.

    metrics: keras.metrics.Metric, their variables made. whole: metrics of all rows at once that every evaluation
    gives; further: those that are given where they are asked for. names: of what it gives: "loss", the metrics,
    `whole`; summed: without the last.
    """

    def __init__(
        self, step: Step, metrics: Sequence[Any], whole: Iterable[WholeMetric] = (), further: Iterable[WholeMetric] = ()
    ) -> None:
        self._step = step
        self.whole, self.further = tuple(whole), tuple(further)
        self._metrics = list(metrics)
        # Read now: inside a trace nothing can be reset.
        self._first = tuple(tuple(v.numpy() for v in metric.variables) for metric in self._metrics)
        self.summed = ["loss", *(metric.name for metric in self._metrics)]
        self.names = [*self.summed, *(metric.name for metric in self.whole)]
        self._advances: bool | None = None

    def nothing(self, others: Any) -> Any:
        """Before any row, what `add` adds to: rows, loss, metrics, and the model's other variables.

        A metric begins where it has been reset, which need not be at zero.
        """
        states = tf.nest.map_structure(tf.convert_to_tensor, self._first)
        return tf.constant(0.0), tf.constant(0.0), states, tuple(others)

    def add(
        self, flat: Tensor, data: Part, totals: Any, chunk: Tensor | int = CHUNK, *, further: bool = False
    ) -> tuple[Any, dict[int, Tensor]]:
        """Totals with the rows of `data` added, `chunk` at a time; and, by place, the outputs that `whole` compares.

        flat: all trainable variables in one vector. further: whether the outputs suffice for further metrics. The
        other variables are left as `model.fit` leaves them after it has validated: some layers draw random numbers that
        they do not use then.
        """
        weights, places = split(flat, self._step.variables), _places(self.further if further else self.whole)
        rows = tf.shape(tf.nest.flatten(data)[0])[0]

        def one_chunk(start: Tensor, seen: Tensor, total: Tensor, states: Any, others: Any, kept: Any) -> Any:
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
            outputs = keras.tree.flatten(after.outputs)
            kept = tuple(
                table.write(start // chunk, _lengthened(outputs[place], chunk - (stop - start)))
                for place, table in zip(places, kept, strict=True)
            )
            return stop, seen + count, total, states, tuple(after.others), kept

        # Of equal length, the last one filled up, since chunks of several lengths cannot be vectorized.
        count = -(-rows // chunk)
        tables = tuple(tf.TensorArray(tf.float32, size=count) for _ in places)
        found = tf.while_loop(lambda start, *_: start < rows, one_chunk, (tf.constant(0), *totals, tables))
        kept = {
            place: tf.reshape(table.stack(), (count * chunk, *shape))[:rows]
            for (place, shape), table in zip(places.items(), found[5], strict=True)
        }
        return found[1:5], kept

    def advances(self, flat: Tensor, others: Any, data: Part) -> bool:
        """Whether to judge changes the other variables, so that it matters in how many pieces."""
        if self._advances is None:
            few = tf.nest.map_structure(lambda a: a[:2], data)
            self._advances = self._step.forward(split(flat, self._step.variables), others, few, training=False).advanced
        return self._advances

    def results(self, totals: Any) -> Tensor:
        """What came out, in the order of `summed`: float32, shape (1 + metrics,)."""
        seen, total, states, _ = totals
        results = [
            tf.cast(metric.stateless_result(list(state)), tf.float32)
            for metric, state in zip(self._metrics, states, strict=True)
        ]
        return tf.stack([total / seen, *results])


def of_all_rows(metrics: Iterable[WholeMetric], data: Part, outputs: Mapping[int, Tensor]) -> list[Tensor]:
    """Metrics of all rows at once, float64 scalars.

    data: all rows; their features do not matter. outputs: by place, as `Judge.add` gives them.
    """
    y, weights = keras.tree.flatten(data[1]), None
    if len(data) > 2:
        weights = tf.reshape(keras.tree.flatten(data[2])[0], (-1,))
    return [metric(y, outputs, weights) for metric in metrics]


def _places(metrics: Iterable[WholeMetric]) -> dict[int, tuple[int, ...]]:
    """The outputs that metrics compare, with the shape of a row of each."""
    return {place: shape for metric in metrics for place, shape in metric.places.items()}


def _lengthened(rows: Tensor, by: Tensor) -> Tensor:
    """float32, with so many rows more."""
    return tf.pad(tf.cast(rows, tf.float32), [[0, by], *[[0, 0]] * (rows.shape.rank - 1)])
