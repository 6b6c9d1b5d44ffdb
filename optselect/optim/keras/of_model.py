"""The optimizers that a model holds: one as Keras's `compile` has it, or several under names of the user's own."""

from __future__ import annotations

from typing import Any

import keras

__all__ = ["optimizers_of"]


def optimizers_of(model: Any) -> dict[str, Any]:
    """The Keras optimizers among the attributes of a model, by name.

    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    >>> model.compile("sgd", loss="mse")
    >>> list(optimizers_of(model))
    ['optimizer']
    """
    return {name: value for name, value in vars(model).items() if isinstance(value, keras.optimizers.Optimizer)}
