"""The kit for other packages finds what is wrong with a rule, and nothing wrong with a right one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest

from optselect import optimizers, testing
from optselect.optim.hyperparameters import NON_NEGATIVE, POSITIVE, UNIT, hyper, linear, log
from optselect.optim.rule import Rule, cast
from optselect.util.lazy import ops


def _formula(w: Any, grads: Any, *, learning_rate: float, momentum: float) -> Any:
    v = np.zeros_like(w)
    for g in grads:
        v = momentum * v + g
        w = w - learning_rate * v
    return w


def _right(rule: Any, grad: Any, param: Any, state: Any, step: Any) -> Any:
    v = rule.momentum * state["velocity"] + grad
    return param - cast(rule.learning_rate, param.dtype) * v, {"velocity": v}


def _rule(update: Any = _right, *, init: Any = None, **changes: Any) -> type[Rule]:
    """Momentum as a package of its own would bring it, with something changed."""
    fields = {
        "learning_rate": hyper(default=0.01, domain=POSITIVE, search=log(1e-3, 1.0), doc="Step size."),
        "momentum": hyper(default=0.5, domain=UNIT, search=linear(0.5, 0.9), doc="What stays."),
    }
    body = {
        "name": "from_elsewhere",
        "__module__": __name__,
        "__annotations__": dict.fromkeys(fields, "float"),
        **fields,
        "init": init or (lambda self, param: {"velocity": ops.zeros_like(param)}),
        "update": lambda self, *arguments: update(self, *arguments),
        **changes,
    }
    return type("FromElsewhere", (Rule,), body)


def _forgets(rule: Any, grad: Any, param: Any, state: Any, step: Any) -> Any:
    return _right(rule, grad, param, {"velocity": state["velocity"] * 0}, step)


def _branches(rule: Any, grad: Any, param: Any, state: Any, step: Any) -> Any:
    rate = rule.learning_rate if isinstance(rule.momentum, float) else cast(rule.learning_rate, param.dtype) * 2
    return param - rate * grad, state


def _renames(rule: Any, grad: Any, param: Any, state: Any, step: Any) -> Any:
    return param - cast(rule.learning_rate, param.dtype) * grad, {"v": state["velocity"]}


def _looks_at_all(rule: Any, grad: Any, param: Any, state: Any, step: Any) -> Any:
    return param - cast(rule.learning_rate, param.dtype) * grad / (1 + ops.max(ops.abs(grad))), state


def _divides_by_nothing(rule: Any, grad: Any, param: Any, state: Any, step: Any) -> Any:
    return param - cast(rule.learning_rate, param.dtype) * grad / ops.abs(grad), state


def _climbs(rule: Any, grad: Any, param: Any, state: Any, step: Any) -> Any:
    return param + cast(rule.learning_rate, param.dtype) * grad, state


def _flags_decide_slots(rule: Any, param: Any) -> Any:
    velocity = ops.zeros_like(param)
    return {"velocity": velocity, **({"more": velocity} if rule.momentum > 0.5 else {})}


def _one_shape_only(rule: Any, param: Any) -> Any:
    return {"velocity": ops.zeros((2, 3), dtype=param.dtype)}


def _nothing_for_biases(rule: Any, variable: Any) -> Any:
    return rule if variable.shape else None


def _norms(rule: Any, grad: Any, param: Any, state: Any, step: Any) -> Any:
    norm = state["norm"] + ops.sum(ops.abs(grad))
    return param - cast(rule.learning_rate, param.dtype) * grad / norm, {"norm": norm}


def _decays(rule: Any, grad: Any, param: Any, state: Any, step: Any) -> Any:
    moved, state = _right(rule, grad, param, state, step)
    return moved * 0.9, state


def _delayed(rule: Any, grad: Any, param: Any, state: Any, step: Any) -> Any:
    """By the gradient of two steps ago: each slot takes the value that another had."""
    moved = param - cast(rule.learning_rate, param.dtype) * state["older"]
    return moved, {"last": grad, "older": state["last"], "before": param}


def _two_slots(rule: Any, param: Any) -> Any:
    return {name: ops.zeros_like(param) for name in ("last", "older", "before")}


WRONG: dict[str, tuple[str, Callable[[], type[Rule]]]] = {
    "state forgotten": ("equals_its_reference", lambda: _rule(_forgets)),
    "branch on a number": ("takes_tensors_as_hyperparameters", lambda: _rule(_branches)),
    "slot renamed": ("keeps_shapes_and_dtypes", lambda: _rule(_renames)),
    "not elementwise": ("moves_variables_apart_as_together", lambda: _rule(_looks_at_all)),
    "zero over zero": ("rests_without_gradient", lambda: _rule(_divides_by_nothing)),
    "wrong sign": ("converges_on_a_parabola", lambda: _rule(_climbs)),
    "slots by flag": ("has_the_same_slots_in_every_form", lambda: _rule(init=_flags_decide_slots)),
    "slots of one shape": ("keeps_shapes_and_dtypes", lambda: _rule(init=_one_shape_only)),
    "no rule for a scalar": ("serves_every_variable", lambda: _rule(for_variable=_nothing_for_biases)),
    "slot called unused": (
        "depends_on_no_slot_that_it_calls_unused",
        lambda: _rule(unused=lambda self, param: ("velocity",)),
    ),
    "said to rest": ("leaves_rows_without_gradient_alone", lambda: _rule(_decays, rests=lambda self: True)),
    "not the same for all": (
        "is_stepped_alike_by_its_keras_optimizer",
        lambda: _rule(
            _norms,
            init=lambda self, param: {"norm": ops.ones((), dtype=param.dtype)},
            scope="variable",
            shared=("norm",),
        ),
    ),
    "search outside": (
        "is_declared_in_full",
        lambda: _rule(momentum=hyper(default=0.5, domain=UNIT, search=linear(0.5, 1.5), doc="What stays.")),
    ),
    "default outside": (
        "is_declared_in_full",
        lambda: _rule(momentum=hyper(default=-1.0, domain=NON_NEGATIVE, doc="What stays.")),
    ),
    "other default": ("equals_its_twin", lambda: _rule(twin="keras.optimizers.SGD")),
}


def test_slots_that_take_each_other_s_values_are_stepped_right() -> None:
    """A rule that keeps in one slot what stood in another, or in the weights, is right in its Keras class too."""
    delayed = _rule(_delayed, init=_two_slots)
    testing.CHECKS["is_stepped_alike_by_its_keras_optimizer"](testing.Subject(delayed))
    optimizer, variable = optimizers.get(delayed(learning_rate=1.0)), keras.Variable([8.0])
    seen = []
    for gradient in (1.0, 2.0, 4.0, 0.0):
        optimizer.apply([ops.convert_to_tensor([gradient])], [variable])
        seen.append(float(variable[0]))
    assert seen == [8.0, 8.0, 7.0, 5.0]


def test_right_rule_passes() -> None:
    """A rule that is right passes every check, alone and in a suite."""
    rule = _rule()
    testing.check_rule(rule, _formula)
    suite = testing.rule_suite(rule, references={rule.name: _formula})
    [mark] = suite.pytestmark  # type: ignore[attr-defined]
    cases = [case.values for case in mark.args[1]]
    assert [check for check, _ in cases] == list(testing.CHECKS.values())
    for check, subject in cases:
        suite(check, subject)


@pytest.mark.parametrize("what", WRONG)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_wrong_rule_is_found(what: str) -> None:
    """A rule with one fault fails the check that is for it, which says what should hold."""
    name, made = WRONG[what]
    subject = testing.Subject(made(), _formula, made().twin)
    with pytest.raises((AssertionError, ValueError, AttributeError)):
        testing.CHECKS[name](subject)


def test_every_check_has_found_something() -> None:
    """No check is there that no fault above has turned red, but the one that the family's constructor keeps."""
    assert {name for name, _ in WRONG.values()} == set(testing.CHECKS) - {"refuses_what_is_outside_its_domains"}


def test_failure_says_who_and_what() -> None:
    """The message names the rule, the check and its claim."""
    with pytest.raises(AssertionError, match=r"FromElsewhere, equals_its_reference: In float64 a rule ends where"):
        testing.check_rule(_rule(_forgets), _formula)
