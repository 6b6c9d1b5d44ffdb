"""The loops around a step: the batches of an epoch, in TensorFlow's graph or compiled by XLA."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from optselect.trainer.feeding import Part
from optselect.trainer.step import Step

__all__ = ["Loops"]

Tensor = Any


class Loops:
    """All batches of an order of rows, the last perhaps a smaller one.

    What they give: carried, sums (loss times rows, norms of the gradient, clipped steps), steps taken, whether all
    losses were finite. They stop after the first that is not.
    """

    def __init__(self, step: Step) -> None:
        self._step = step
        self._compiled = tf.function(self._whole_batches, autograph=False, jit_compile=True)

    def graph(
        self,
        carried: Any,
        data: Part,
        order: Tensor,
        size: Tensor,
        rates: Tensor,
        selection: Any,
        finite: Tensor | bool = True,
    ) -> Any:
        """Everything dynamic: one trace serves every batch size and length."""
        rows = tf.shape(order)[0]

        def take(i: Tensor, carried: Any) -> tuple[Part, Tensor, Tensor]:
            index = order[i * size : tf.minimum((i + 1) * size, rows)]
            batch = tf.nest.map_structure(lambda a: tf.gather(a, index), data)
            return batch, tf.shape(index)[0], rates[tf.cast(carried.updates, tf.int32)]

        return self._run(-(-rows // size), carried, take, selection, tf.convert_to_tensor(finite))

    def xla(self, carried: Any, data: Part, order: Tensor, size: int, rows: int, rates: Tensor, selection: Any) -> Any:
        """Whole batches by XLA, what is left over by the graph; size, rows: fixed numbers.

        The rows are gathered before the compiled loop: inside, a gather makes a step twenty times slower.
        """
        whole = rows // size
        batches = tf.nest.map_structure(
            lambda a: tf.reshape(tf.gather(a, order[: whole * size]), (whole, size, *a.shape[1:])), data
        )
        # Of a fixed length, whatever that of the training: another one would be compiled anew.
        start = tf.cast(carried.updates, tf.int32)
        ahead = tf.ensure_shape(rates[start : start + whole], (whole,))
        carried, sums, done, finite = self._compiled(carried, batches, ahead, selection)
        if rows % size == 0:
            return carried, sums, done, finite
        carried, more, last, finite = self.graph(
            carried, data, order[whole * size :], tf.constant(size), rates, selection, finite
        )
        return carried, sums + more, done + last, finite

    def _whole_batches(self, carried: Any, batches: Part, rates: Tensor, selection: Any) -> Any:
        whole, size = tf.nest.flatten(batches)[0].shape[:2]
        start = carried.updates

        def take(i: Tensor, carried: Any) -> tuple[Part, Tensor, Tensor]:
            # A slice would make XLA take the count as a constant and compile anew for every epoch.
            rate = tf.gather(rates, tf.cast(carried.updates - start, tf.int32))
            return tf.nest.map_structure(lambda a: a[i], batches), tf.constant(size), rate

        return self._run(whole, carried, take, selection, tf.constant(True))

    def _run(
        self,
        steps: Tensor | int,
        carried: Any,
        take: Callable[[Tensor, Any], tuple[Part, Tensor, Tensor]],
        selection: Any,
        finite: Tensor,
    ) -> Any:
        """So many steps at most. take: from the number of a step and what is carried to a batch, its rows, its rate."""

        def body(i: Tensor, _: Tensor, sums: Tensor, carried: Any) -> Any:
            batch, rows, rate = take(i, carried)
            carried, figures, good = self._step(carried, batch, rows, rate, selection)
            return i + 1, good, sums + figures, carried

        done, finite, sums, carried = tf.while_loop(
            lambda i, good, *_: (i < steps) & good, body, (tf.constant(0), finite, tf.zeros(3), carried)
        )
        return carried, sums, done, finite
