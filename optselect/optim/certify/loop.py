"""A step taken many times in one traced loop.

The graph optimizer is off: it may fold the same arithmetic in two ways, and without it a graph computes to the bit what
eager Keras computes.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from optselect.util.lazy import tf

__all__ = ["Loop"]

Tensor = Any


class Loop:
    """`step(index, state)` taken `steps` times, `index` from 0; traced once, and run again at every call.

    step gives its results, one vector for each of `rows` (dtype and length), and the next state. Every call starts
    from `first`, and from what all variables held when the loop was traced.
    eager: without a graph, several times slower; such a loop can be run only once.
    """

    def __init__(
        self,
        step: Callable[[Tensor, Any], tuple[Sequence[Tensor], Any]],
        first: Any,
        rows: Sequence[tuple[str, int]],
        *,
        steps: int,
        eager: bool = False,
    ) -> None:
        self._step, self._first, self._rows, self._steps = step, first, rows, steps
        self._run: Callable[[], list[Tensor]] = self._loop
        self._before: list[tuple[Any, np.ndarray]] = []
        if not eager:
            traced = tf.function(self._loop, autograph=False).get_concrete_function()
            self._run, self._before = traced, [(v, v.numpy()) for v in traced.graph.variables]

    def __call__(self, given: Iterable[tuple[Any, np.ndarray]] = ()) -> list[np.ndarray]:
        """The results of all steps, (steps, length) each.

        given: variables that `step` reads, and what they hold in this run.
        """
        for variable, value in itertools.chain(self._before, given):
            variable.assign(value)
        with _unoptimized_graphs():
            return [rows.numpy() for rows in self._run()]

    def _loop(self) -> list[Tensor]:
        arrays = [tf.TensorArray(dtype, self._steps, element_shape=(length,)) for dtype, length in self._rows]
        begin = (tf.constant(0, "int64"), self._first, arrays)
        *_, arrays = tf.while_loop(lambda index, *_: index < self._steps, self._body, begin)
        return [array.stack() for array in arrays]

    def _body(self, index: Tensor, state: Any, arrays: Any) -> Any:
        results, state = self._step(index, state)
        row = tf.cast(index, "int32")
        return index + 1, state, [array.write(row, r) for array, r in zip(arrays, results, strict=True)]


@contextlib.contextmanager
def _unoptimized_graphs() -> Iterator[None]:
    key = "disable_meta_optimizer"
    before = tf.config.optimizer.get_experimental_options().get(key, False)
    tf.config.optimizer.set_experimental_options({key: True})
    try:
        yield
    finally:
        tf.config.optimizer.set_experimental_options({key: before})
