"""What a user gets from a call."""

from __future__ import annotations

from typing import Any

import pytest

from optselect.api.tune import _batches
from optselect.optim.configuration import Configuration
from optselect.optim.rules import RULES
from optselect.session.snippet import snippet
from optselect.spaces import load_space
from optselect.task import TaskDescription


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
    code = snippet(Configuration(rule=RULES[rule](), batch_size=16), 100, 5, description)
    exec(code, {"model": model, "x_train": None, "y_train": None})
    assert model.fitted == {"batch_size": 16, "epochs": 5}
    assert type(model.compiled["optimizer"]).__name__ == RULES[rule].__name__
