"""Metrics of all rows for trainings by `model.fit`: computed of what the model predicts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from optselect.model.whole_metrics import WholeMetric
from optselect.trainer.evaluation import CHUNK, of_all_rows
from optselect.trainer.feeding import Part

__all__ = ["AllRows", "predicted"]


def predicted(
    model: Any, data: Part, metrics: Iterable[WholeMetric], *, x: Any = None, callbacks: Sequence[Any] = ()
) -> dict[str, float]:
    """Metrics by name.

    data: all rows. x: the same features as `predict` takes them, where they lie on disk.
    """
    wanted = tuple(metrics)
    if not wanted:
        return {}
    given = {"x": data[0], "batch_size": CHUNK} if x is None else {"x": x}
    answers = model.predict(**given, callbacks=list(callbacks), verbose=0)
    outputs = {place: tf.convert_to_tensor(leaf) for place, leaf in enumerate(keras.tree.flatten(answers))}
    rows = keras.tree.map_structure(lambda a: tf.convert_to_tensor(np.asarray(a[:])), data[1:])
    values = of_all_rows(wanted, (None, *rows), outputs)
    return {metric.name: float(value) for metric, value in zip(wanted, values, strict=True)}


class AllRows(keras.callbacks.Callback):  # type: ignore[misc]
    """Adds metrics of all validation rows to what the callbacks after it, and the history, get of an epoch.

    compute: gives them by name.
    """

    def __init__(self, compute: Callable[[Any], dict[str, float]]) -> None:
        super().__init__()
        self._compute = compute

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Compute them."""
        logs |= {f"val_{name}": value for name, value in self._compute(self.model).items()}
