"""`model.fit` in the program's order of rows, with callbacks; and Keras's callbacks over figures without a model."""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from optselect.optim.configuration import Configuration
from optselect.optim.keras.derived import Derived
from optselect.optim.keras.swap import SwapEvaluated
from optselect.task.early_stopping import EarlyStopping
from optselect.task.prepared import Task
from optselect.trainer.feeding import row_order

__all__ = ["Fitted", "fitted", "played"]


class _Rows(keras.utils.PyDataset):  # type: ignore[misc]
    """Batches of the training rows in the order of a seed, another one in every epoch."""

    def __init__(self, task: Task, seed: int, size: int) -> None:
        super().__init__()
        self._task, self._seed, self._size, self.epoch = task, seed, size, 0

    def __len__(self) -> int:
        return -(-len(self._task.y_train) // self._size)

    def __getitem__(self, index: int) -> Any:
        order = row_order(self._seed, self.epoch, len(self._task.y_train))
        rows = order[index * self._size : (index + 1) * self._size]
        return self._task.x_train[rows], self._task.y_train[rows]


class Fitted(types.SimpleNamespace):
    """history: of `fit`. judged: the model at the end on the validation part. stopping: the callback."""

    history: dict[str, list[float]]
    judged: dict[str, float]
    stopping: Any


def fitted(
    task: Task,
    configuration: Configuration,
    epochs: int,
    stopping: EarlyStopping | None,
    seed: int = 7,
    *,
    eagerly: bool = True,
) -> Fitted:
    """A training with the stock optimizer.

    eagerly: tracing a training step takes longer than a hundred of them; but rules that decompose matrices come to
    another end where the last bit of a step is another.
    """
    model = task.build(seed)
    optimizer = configuration.optimizer(total_steps=configuration.steps_per_epoch(len(task.y_train)) * epochs)
    model.compile(optimizer, loss=task.loss, metrics=task.metrics(), run_eagerly=eagerly)
    swap = [SwapEvaluated(swap_on_epoch=True)] if isinstance(optimizer, Derived) else []
    callback = stopping.callback() if stopping else None
    validation, rows = (task.x_validation, task.y_validation), _Rows(task, seed, configuration.batch_size)
    begun = keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, _: setattr(rows, "epoch", epoch))
    history = model.fit(
        rows,
        epochs=epochs,
        shuffle=False,
        verbose=0,
        validation_data=validation,
        callbacks=[begun, *swap, *configuration.callbacks(), *([callback] if callback else [])],
    ).history
    judged = model.evaluate(*validation, verbose=0, return_dict=True)
    return Fitted(history=history, judged=judged, stopping=callback)


def played(callback: Any, curves: Mapping[str, Sequence[float]], rate: float = 0.0) -> tuple[int, list[float]]:
    """After how many epochs with such figures a callback ends the training, and the learning rate of each epoch."""
    model: Any = types.SimpleNamespace(stop_training=False, metrics=[], get_weights=list, set_weights=lambda _: None)
    model.optimizer = types.SimpleNamespace(learning_rate=np.float32(rate))
    callback._model, rates = model, []  # what `set_model` does
    callback.on_train_begin()
    for epoch in range(len(next(iter(curves.values())))):
        rates.append(float(model.optimizer.learning_rate))
        callback.on_epoch_end(epoch, {name: float(values[epoch]) for name, values in curves.items()})
        model.optimizer.learning_rate = np.float32(model.optimizer.learning_rate)  # as a variable of Keras has it
        if model.stop_training:
            break
    callback.on_train_end()
    return len(rates), rates
