"""Validation at the point where a rule is judged, if that is not the point where it takes gradients."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras

from optselect.errors import InvalidValue
from optselect.optim.keras.derived import Derived
from optselect.optim.keras.of_model import optimizers_of

__all__ = ["SwapEvaluated"]


class SwapEvaluated(keras.callbacks.Callback):  # type: ignore[misc]
    """Evaluate the model with the weights at which its rule is judged, and restore the others for training.

    It matters for rules that are evaluated at other weights than those at which they take gradients: schedule-free
    rules, averages, Lookahead. With any other rule it does nothing. A second `fit` with this callback continues exactly
    where the first ended; without it the second begins at the evaluated weights, as with Keras's `use_ema`.

    Parameters
    ----------
    swap_on_epoch : bool, default False
        Keep the evaluated weights from the end of an epoch to the beginning of the next, for callbacks after this one,
        such as `ModelCheckpoint`.

    Examples
    --------
    >>> import keras, numpy as np
    >>> from optselect import optimizers
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    >>> model.compile(optimizers.ScheduleFreeAdamW(), loss="mse")
    >>> data = {"x": np.ones((8, 2)), "y": np.ones((8, 1))}
    >>> history = model.fit(**data, validation_data=tuple(data.values()), callbacks=[SwapEvaluated()], verbose=0)
    >>> bool(np.isclose(history.history["val_loss"][-1], model.evaluate(**data, verbose=0)))
    True
    """

    def __init__(self, swap_on_epoch: bool = False) -> None:
        super().__init__()
        self.swap_on_epoch = swap_on_epoch
        self._swapped = False

    def on_train_begin(self, logs: Any = None) -> None:
        self._to_training()

    def on_train_end(self, logs: Any = None) -> None:
        self._to_evaluated()  # `fit` has done so for the optimizer of `compile`, not for others that the model holds

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._to_training()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if self.swap_on_epoch:
            self._to_evaluated()

    def on_test_begin(self, logs: Any = None) -> None:
        self._swapped = self._to_evaluated()

    def on_test_end(self, logs: Any = None) -> None:
        if self._swapped:
            self._to_training()

    def on_predict_begin(self, logs: Any = None) -> None:
        self._swapped = self._to_evaluated()

    def on_predict_end(self, logs: Any = None) -> None:
        if self._swapped:
            self._to_training()

    def _to_evaluated(self) -> bool:
        return sum(optimizer.to_evaluated() for optimizer in self._optimizers()) > 0

    def _to_training(self) -> None:
        for optimizer in self._optimizers():
            optimizer.to_training()

    def _optimizers(self) -> list[Derived]:
        found = [ours for held in optimizers_of(self.model).values() for ours in _ours(held)]
        if not found:
            who = type(self.model.optimizer).__name__
            raise InvalidValue(f"SwapEvaluated: the model's optimizer, {who}, is none of optselect.optimizers.")
        return found


def _ours(optimizer: Any) -> Iterator[Derived]:
    """The optimizer, or those inside Keras's `LossScaleOptimizer` or `MultiOptimizer`, that are of this package."""
    if isinstance(optimizer, Derived):
        yield optimizer
    for inside in (getattr(optimizer, "inner_optimizer", None), *getattr(optimizer, "optimizers", ())):
        if inside is not None:
            yield from _ours(inside)
