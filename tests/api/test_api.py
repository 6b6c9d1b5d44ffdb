"""What a user gets from a call."""

from __future__ import annotations

from typing import Any

import pytest

from optselect.api.tune import _batches
from optselect.optim.configuration import Configuration
from optselect.optim.rules import RULES
from optselect.session.snippet import snippet
from optselect.spaces import load_space
from optselect.task import EarlyStopping, TaskDescription


def test_batches_that_are_all_larger_than_the_data_are_said() -> None:
    """The trainer takes all rows at once then; a space with one batch that fits needs no word."""
    space = load_space(None)
    smallest = min(size for size in space.batch_size.choices if isinstance(size, int))
    [said] = _batches(space, smallest - 1)
    assert f"{smallest}, is larger than the {smallest - 1} training rows" in said
    assert not _batches(space, smallest)


class Recorder:
    """Stands where the user's model is and keeps what the pasted code asks of it."""

    def compile(self, **arguments: Any) -> None:
        self.compiled = arguments

    def fit(self, x: Any, y: Any, **arguments: Any) -> None:
        self.fitted = arguments


@pytest.mark.parametrize("rule", RULES)
def test_the_snippet_runs_as_pasted(rule: str) -> None:
    """With nothing but `model`, `x_train` and `y_train` around it, for every rule: all its imports are there."""
    description = TaskDescription.from_dict(
        {
            "compile_code": "loss=keras.losses.SparseCategoricalCrossentropy(), metrics=['accuracy']",
            "weighted": False,
        }
    )
    model = Recorder()
    configuration = Configuration(rule=RULES[rule](), batch_size=16)
    around = {"model": model, "x_train": None, "y_train": None, "x_val": 1, "y_val": 2}
    exec(snippet(configuration, 100, 5, description), around)
    assert model.fitted == {"batch_size": 16, "epochs": 5}
    assert type(model.compiled["optimizer"]).__name__ == RULES[rule].__name__
    exec(snippet(configuration, 100, 5, description, EarlyStopping(patience=3, min_delta=0.01)), around)
    *swap, stop = model.fitted.pop("callbacks")
    assert model.fitted == {"batch_size": 16, "epochs": 5, "validation_data": (1, 2)}
    assert (stop.monitor, stop.patience, stop.min_delta) == ("val_loss", 3, 0.01)
    assert stop.restore_best_weights
    assert all(callback.swap_on_epoch for callback in swap)
