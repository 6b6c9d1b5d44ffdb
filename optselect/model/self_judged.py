"""How a model is judged that trains and tests itself: by what its own steps return, on targets as they were given."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np

from optselect.errors import InvalidModel
from optselect.model.outputs import Compiled, compiled_of
from optselect.model.own_methods import own_compile
from optselect.optim.keras.of_model import optimizers_of

__all__ = ["OwnLoss", "SelfJudged", "self_judged"]


class OwnLoss(NamedTuple):
    """Stands for a loss that only the model's own steps can compute."""

    name: str = "of its own steps"


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class SelfJudged:
    """Has the face of `Composed`, without outputs that belong to targets.

    answers: of the model to a few rows, None where it has no `call`. compiled: what the user gave to `compile()`.
    held: names of the optimizers that the model's own `compile()` has stored in it; empty where `compile()` takes
    what Keras's takes. targetless: whether there is nothing to predict.
    """

    answers: Any
    compiled: Compiled
    held: tuple[str, ...] = ()
    targetless: bool = False

    outputs: tuple[Any, ...] = ()
    judged: tuple[tuple[int, Any, Any, Any], ...] = ()
    loss: OwnLoss = dataclasses.field(default_factory=OwnLoss)

    def metrics(self) -> list[Any]:
        """None: what its steps return has names, and no object that another could update."""
        return []

    def arranged(self, arrays: Sequence[Any]) -> Any:
        """One thing an output in the structure of the outputs."""
        return keras.tree.pack_sequence_as(self.answers, list(arrays))

    def encode(self, values: Mapping[str, np.ndarray]) -> Any:
        """The targets as `model.fit` gets them from the user: an array, or several by name, or no array at all."""
        if self.targetless:
            return ()
        return next(iter(values.values())) if len(values) == 1 else dict(values)

    def weights(self, each: np.ndarray) -> Any:
        """What each row counts, as it is."""
        return each

    def compile(self, model: Any, optimizer: Any) -> None:
        """Compile the model as the user did, with the optimizer of a trial in the place of the user's.

        Several optimizers are equal and each has its own state.
        """
        if not self.held:
            model.compile(optimizer=optimizer, jit_compile=False, **vars(self.compiled))
            return
        asked = keras.optimizers.get(optimizer)
        for name in self.held:
            setattr(model, name, type(asked).from_config(asked.get_config()))
        model.jit_compile = False
        model.train_function = model.test_function = None  # they hold the optimizers of before


def self_judged(model: Any, answers: Any, who: str, *, targetless: bool = False) -> SelfJudged:
    """How a model is judged that trains and tests itself, or whose own `compile()` takes something else than Keras's.

    Raises InvalidModel where no optimizer is found that a trial could replace.
    """
    held: tuple[str, ...] = ()
    if reason := own_compile(model):
        held = tuple(optimizers_of(model)) if model.compiled else ()
        if not held:
            raise InvalidModel(
                f"{who}: its own compile() cannot be called as Keras's ({reason}), and the model holds no optimizer "
                "that a trial could replace. Call compile() in the function that builds it, and keep each optimizer "
                "as an attribute, as in `self.g_optimizer = g_optimizer`."
            )
    return SelfJudged(answers=answers, compiled=compiled_of(model), held=held, targetless=targetless)
