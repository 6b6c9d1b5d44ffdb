"""What a model's class defines itself of what Keras's trainer has."""

from __future__ import annotations

import inspect
from typing import Any

import keras

__all__ = ["has_call", "is_own", "lacks_test_step", "names_figures_itself", "own_compile", "trains_and_tests_itself"]

_GIVEN = ("optimizer", "loss", "metrics", "weighted_metrics", "jit_compile")  # to `compile` in every trial
_NAMING = ("test_step", "metrics", "compute_metrics", "get_metrics_result")
_NO_CALL = (keras.Model.call, keras.Layer.call)


def is_own(model: Any, name: str) -> bool:
    """Whether a class that is not Keras's defines it, or somebody has set it on the model itself."""
    if name in vars(model) and callable(vars(model)[name]):
        return True
    owner = next((cls for cls in type(model).__mro__ if name in vars(cls)), None)
    return owner is not None and not owner.__module__.startswith("keras.")


def own_compile(model: Any) -> str:
    """Why the model's compile() cannot be called as Keras's; "" where it can."""
    try:
        inspect.signature(model.compile).bind(**dict.fromkeys(_GIVEN))
    except TypeError as problem:
        return str(problem)
    return ""


def trains_and_tests_itself(model: Any) -> bool:
    """Whether `loss` and `val_loss` are what its own methods return, whatever it is compiled with."""
    return is_own(model, "train_step") and is_own(model, "test_step")


def lacks_test_step(model: Any) -> bool:
    """Whether it trains itself, and `val_loss` comes from Keras's test_step."""
    return is_own(model, "train_step") and not is_own(model, "test_step")


def names_figures_itself(model: Any) -> bool:
    """Whether its own methods decide which figures `model.fit` reports, so that one must train it to know them."""
    return any(is_own(model, name) for name in _NAMING)


def has_call(model: Any) -> bool:
    """Whether the model itself can be called: some with their own steps have only parts that can."""
    return type(model).call not in _NO_CALL
