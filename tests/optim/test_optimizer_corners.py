"""Corners of the optimizer classes: numbers set after construction, variables that no rule steps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

keras = pytest.importorskip("keras")

from optselect import optimizers  # noqa: E402
from optselect.optim.keras.derived import derive  # noqa: E402
from optselect.optim.rule import Rule  # noqa: E402
from optselect.optim.rules import RULES  # noqa: E402

TOLD = [n for n, kind in RULES.items() if kind.for_variable is not Rule.for_variable and not kind.wraps()]
DECAYING = [kind for kind in RULES.values() if "weight_decay" in kind().values()]


@pytest.mark.parametrize("kind", [*DECAYING, RULES["sgd"]], ids=lambda kind: kind.name)
def test_weight_decay_set_later_is_in_the_config(kind: Any) -> None:
    """`optimizer.weight_decay = x`, a number or a variable, is what `get_config` tells and a copy decays by."""
    optimizer = derive(kind)(weight_decay=0.1)
    for value in (0.25, keras.Variable(0.5)):
        optimizer.weight_decay = value
        config = optimizer.get_config()
        assert config["weight_decay"] == float(value)
        assert type(config["weight_decay"]) is float
        copied = derive(kind).from_config(config)
        assert copied.weight_decay == float(value)
        assert copied.get_config() == config


def _stepped(optimizer: Any, extra: bool) -> list[np.ndarray]:
    """Three steps of a table, a matrix of a hidden layer, its bias and the head, perhaps after a variable that takes
    its gradient as its value.
    """
    rng = np.random.default_rng(4)
    paths = [("table", "embeddings", (5, 2)), ("hidden", "kernel", (4, 3)), ("hidden", "bias", (3,))]
    variables = []
    for layer, name, shape in [*paths, ("out", "kernel", (3, 2))]:
        with keras.name_scope(layer):
            variables.append(keras.Variable(rng.normal(size=shape), name=name))
    own = []
    if extra:
        with keras.name_scope("hidden"):
            own = [keras.Variable(np.ones((2, 2)), name="scale")]
        own[0].overwrite_with_gradient = True
    optimizer.build([*own, *variables])
    for step in range(1, 4):
        grads = [tf.constant(rng.normal(size=v.shape), "float32") for v in variables]
        optimizer.apply([*(tf.fill((2, 2), float(step)) for _ in own), *grads], [*own, *variables])
    for variable in own:
        np.testing.assert_array_equal(variable, np.full((2, 2), 3.0))
    return [v.numpy() for v in variables]


@pytest.mark.parametrize("name", TOLD)
def test_variable_that_takes_its_gradient_shifts_no_facts(name: str) -> None:
    """A variable that the rule does not step, first in the list, leaves the others their shape, head and table."""
    made = [_stepped(optimizers.get(name), extra) for extra in (False, True)]
    for plain, beside in zip(*made, strict=True):
        np.testing.assert_array_equal(plain, beside)
