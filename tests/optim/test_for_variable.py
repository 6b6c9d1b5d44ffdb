"""Which variables a rule steps in which way."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from optselect.optim.rule import Variable
from optselect.optim.rules import RULES
from optselect.testing import gradients, near, walk

KERNEL, TALL = Variable("dense/kernel", (4, 3)), Variable("dense/kernel", (5, 2))
BIAS, SCALE = Variable("dense/bias", (3,)), Variable("scale", ())
CONVOLUTION, SEQUENCE = Variable("conv/kernel", (2, 2, 3, 4)), Variable("conv1d/kernel", (2, 3, 4))
DEPTHWISE = Variable("depthwise/kernel", (3, 3, 4, 1))
TABLE = Variable("embedding/embeddings", (5, 3), embedding=True)
HEAD, HEAD_BIAS = Variable("out/kernel", (4, 2), head=True), Variable("out/bias", (2,), head=True)

# A matrix step's size does not depend on that of the gradient; Adam's entries are then all of one size.
MUON = {"learning_rate": 0.1, "weight_decay": 0.3, "adam_lr_ratio": 0.5, "adam_weight_decay": 0.2}
AS_ADAMW = {"learning_rate": 0.05, "weight_decay": 0.4, "epsilon": 1e-7}
LAMB, LARS = {"weight_decay": 0.5, "epsilon": 0.0}, {"learning_rate": 0.1, "weight_decay": 0.5}
# rule, its numbers, the variables, whether it steps them as the next rule does, that rule and its numbers
CASES: list[tuple[str, dict[str, Any], list[Variable], bool, str, dict[str, Any]]] = [
    ("muon", MUON, [BIAS, SCALE, HEAD_BIAS, SEQUENCE, TABLE, HEAD, DEPTHWISE], True, "adamw", AS_ADAMW),
    ("muon", {**MUON, "conv": False}, [CONVOLUTION, DEPTHWISE, BIAS], True, "adamw", AS_ADAMW),
    ("muon", MUON, [KERNEL, TALL, CONVOLUTION], False, "adamw", AS_ADAMW),
    ("muon", {**MUON, "head": True}, [KERNEL, HEAD], False, "adamw", AS_ADAMW),
    ("muon", {**MUON, "head": True, "nesterov": False}, [TABLE], True, "adamw", AS_ADAMW),
    ("muon", {**MUON, "exclude_embeddings": False}, [TABLE, KERNEL], False, "adamw", AS_ADAMW),
    ("muon", {**MUON, "exclude_embeddings": False, "conv": False}, [HEAD, CONVOLUTION], True, "adamw", AS_ADAMW),
    ("muon", {**MUON, "conv": False, "nesterov": False}, [KERNEL], False, "adamw", AS_ADAMW),
    ("lazy_adam", {}, [KERNEL, BIAS, SCALE, CONVOLUTION, HEAD], True, "adam", {}),
    ("lazy_adam", {}, [TABLE], False, "adam", {}),
    ("muon", {**MUON, "exclude_layers": ["^dense/"]}, [KERNEL, TALL, BIAS], True, "adamw", AS_ADAMW),
    ("muon", {**MUON, "exclude_layers": ["^dense/"]}, [CONVOLUTION], False, "adamw", AS_ADAMW),
    ("lamb", {**LAMB, "exclude_1d": True}, [BIAS, SCALE], True, "adam", {"epsilon": 0.0}),
    ("lamb", {**LAMB, "exclude_1d": True}, [KERNEL], False, "adam", {"epsilon": 0.0}),
    ("lamb", LAMB, [BIAS], False, "adam", {"epsilon": 0.0}),
    ("lars", {**LARS, "exclude_1d": True}, [BIAS, SCALE], True, "sgd", {"learning_rate": 0.1, "momentum": 0.9}),
    ("lars", {**LARS, "exclude_1d": True}, [KERNEL], False, "sgd", {"learning_rate": 0.1, "momentum": 0.9}),
]


@pytest.mark.parametrize(("name", "numbers", "variables", "same", "other", "others"), CASES)
def test_variable_is_stepped_as_it_should(
    name: str, numbers: dict[str, Any], variables: list[Variable], same: bool, other: str, others: dict[str, Any]
) -> None:
    """A rule steps a variable that does not fit it exactly as another rule would, and any other in its own way."""
    for variable in variables:
        start, grads = np.ones(variable.shape), gradients(variable.shape, 4)
        grads[2] = 0  # a step without a gradient parts the lazy from the others
        got = np.asarray(walk(RULES[name](**numbers).for_variable(variable), start, grads))
        wanted = np.asarray(walk(RULES[other](**others), start, grads))
        if same:
            near(got, wanted)
        else:
            assert np.abs(got - wanted).max() > 1e-5 * np.abs(wanted).max(), variable


@pytest.mark.parametrize(
    ("variable", "max_dim", "sides"),
    [(KERNEL, 10_000, {"left", "right"}), (KERNEL, 3, {"right"}), (TABLE, 10_000, {"right"}), (TABLE, 2, set())],
)
def test_soap_keeps_no_basis_for_rows_of_a_table_and_long_sides(
    variable: Variable, max_dim: int, sides: set[str]
) -> None:
    """SOAP finds a basis for each side of a matrix up to `max_dim`, and none for the rows of an embedding."""
    state = RULES["soap"](max_dim=max_dim).for_variable(variable).init(np.ones(variable.shape, "float32"))
    assert {name for name in state if not name.endswith("_basis")} - {"momentum", "velocity"} == sides


# A rule that leaves rows without a gradient alone, and the one as which it steps the others.
LAZY = [("lazy_adam", "adam")]


@pytest.mark.parametrize(("name", "other"), LAZY)
@pytest.mark.parametrize("shape", [(4, 3), (2, 4, 3), (3, 2, 5)])
def test_lazy_rule_leaves_alone_rows_without_any_gradient(name: str, other: str, shape: tuple[int, ...]) -> None:
    """A row, along the last axis, is stepped in full if one entry has a gradient, and stays if none has."""
    start, grads = np.ones(shape), gradients(shape, 2)
    grads[1, ..., 0, :] = 0  # rows that stay
    grads[1, ..., -1, 1:] = 0  # rows of which one entry counts
    rule = RULES[name]().for_variable(Variable("embedding/embeddings", shape, embedding=True))
    once, twice = (np.asarray(walk(rule, start, grads[:n])) for n in (1, 2))
    wanted = np.asarray(walk(RULES[other](), start, grads))
    touched = grads[1].any(axis=-1)
    np.testing.assert_array_equal(twice[~touched], once[~touched])
    near(twice[touched], wanted[touched])
