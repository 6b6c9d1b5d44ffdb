"""The kit for other packages finds what is wrong with a rule, and nothing wrong with a right one."""

from __future__ import annotations

import unittest
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from optselect import optimizers, testing
from optselect.optim import wrapping
from optselect.optim.hyperparameters import NON_NEGATIVE, POSITIVE, UNIT, hyper, linear, log, wrapped
from optselect.optim.rule import Rule, cast, exact
from optselect.optim.rules import RULES
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


def _leans(rule: Any, grad: Any, param: Any, state: Any, step: Any) -> Any:
    return param - cast(rule.learning_rate, param.dtype) * (grad + ops.abs(grad)), state


def _changes_its_state(rule: Any, grad: Any, param: Any, state: Any, step: Any) -> Any:
    state["velocity"] = state["velocity"] + grad
    return param - cast(rule.learning_rate, param.dtype) * grad, state


CALLS: list[Any] = []


def _counts_in_python(rule: Any, grad: Any, param: Any, state: Any, step: Any) -> Any:
    CALLS.append(step)
    return param - cast(rule.learning_rate, param.dtype) * grad / len(CALLS), state


def _branches_on_the_step(rule: Any, grad: Any, param: Any, state: Any, step: Any) -> Any:
    return (param if step == 1 else param - cast(rule.learning_rate, param.dtype) * grad), state


def _rounds_to_one(rule: Any, grad: Any, param: Any, state: Any, step: Any) -> Any:
    share = 1 - ops.cast(0.9999, param.dtype)
    return param - cast(rule.learning_rate, param.dtype) * share * grad / share, state


def _divides_by_the_rate(rule: Any, grad: Any, param: Any, state: Any, step: Any) -> Any:
    rate = cast(rule.learning_rate, param.dtype)
    return param - rate * grad * (rate / rate), state


def _asks_for_a_python_number(rule: Any, grad: Any, param: Any, state: Any, step: Any) -> Any:
    first = 0.5 if isinstance(step, int) else 1.0
    return param - first * cast(rule.learning_rate, param.dtype) * grad, state


def _leaves_the_program(rule: Any, grad: Any, param: Any, state: Any, step: Any) -> Any:
    mean = ops.reshape(tf.numpy_function(lambda g: g, [grad], grad.dtype), param.shape)
    return param - cast(rule.learning_rate, param.dtype) * mean, state


def _halves(self: Any) -> None:
    Rule.__post_init__(self)
    object.__setattr__(self, "momentum", self.momentum / 2)


def _wrapper(update: Any = None, **changes: Any) -> type[Rule]:
    """A wrapper of a package of its own that halves each gradient, with something changed."""

    def right(self: Any, grad: Any, param: Any, state: Any, step: Any) -> Any:
        param, rest = self.rule.update(grad * exact(self.factor, grad.dtype), param, wrapping.inner(state), step)
        return param, wrapping.beside({}, rest)

    body = {
        "name": "around_from_elsewhere",
        "__module__": __name__,
        "__annotations__": {"rule": "Rule", "factor": "float"},
        "rule": wrapped(lambda: RULES["sgd"]()),
        "factor": hyper(default=0.5, domain=POSITIVE, search=linear(0.1, 1.0), doc="Of the gradient."),
        "neutral": {"factor": 1.0},
        "init": lambda self, param: wrapping.beside({}, self.rule.init(param)),
        "update": update or right,
        "evaluated": lambda self, param, state: self.rule.evaluated(param, wrapping.inner(state)),
        "for_variable": wrapping.fitted,
        **changes,
    }
    return type("AroundFromElsewhere", (Rule,), body)


def _forgets_the_rule_inside(self: Any, grad: Any, param: Any, state: Any, step: Any) -> Any:
    return self.rule.update(grad, param, wrapping.inner(state), step)


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
    "no constructor of the family": (
        "refuses_what_is_outside_its_domains",
        lambda: _rule(__post_init__=lambda self: None),
    ),
    "knows up and down": ("mirrors_mirrored_gradients", lambda: _rule(_leans)),
    "hidden decay": ("stays_without_gradient_and_decay", lambda: _rule(_decays)),
    "its state changed in place": ("changes_nothing_but_what_it_returns", lambda: _rule(_changes_its_state)),
    "a count in Python": ("changes_nothing_but_what_it_returns", lambda: _rule(_counts_in_python)),
    "uphill": ("goes_downhill_first", lambda: _rule(_climbs)),
    "branch on the step": ("agrees_in_eager_mode_graph_and_xla", lambda: _rule(_branches_on_the_step)),
    "one less almost one": ("keeps_bfloat16", lambda: _rule(_rounds_to_one)),
    "zero over zero in a row": ("stays_finite_in_corners", lambda: _rule(_divides_by_nothing)),
    "division by the rate": ("stays_finite_where_the_rate_begins_at_zero", lambda: _rule(_divides_by_the_rate)),
    "slot renamed in a wrapper": ("stands_inside_every_wrapper", lambda: _rule(_renames)),
    "a count over several rules": ("steps_inside_a_neutral_wrapper_as_alone", lambda: _rule(_counts_in_python)),
    "slots of the rule inside lost": ("wraps_rules_of_every_nature", lambda: _wrapper(_forgets_the_rule_inside)),
    "numbers that undo nothing": ("wraps_rules_of_every_nature", lambda: _wrapper(neutral={"factor": 0.9})),
    "hyperparameter changed once made": ("comes_back_from_its_config", lambda: _rule(__post_init__=_halves)),
    "branch in a function": ("is_built_and_stepped_inside_a_function", lambda: _rule(_branches_on_the_step)),
    "Python step": ("fits_eagerly_as_the_rule", lambda: _rule(_asks_for_a_python_number)),
    "branch in fit": ("fits_a_model_that_is_not_built", lambda: _rule(_branches_on_the_step)),
    "NumPy inside": ("fits_under_xla", lambda: _rule(_leaves_the_program)),
    "a count that is not saved": ("goes_on_after_a_model_is_saved", lambda: _rule(_counts_in_python)),
    "other default": ("equals_its_twin", lambda: _rule(twin="keras.optimizers.SGD")),
}


def test_slots_that_take_each_other_s_values_are_stepped_right() -> None:
    """A rule that keeps in one slot what stood in another, or in the weights, is right in its Keras class too."""
    delayed = _rule(_delayed, init=_two_slots)
    testing.run_check("is_stepped_alike_by_its_keras_optimizer", testing.Subject(delayed))
    optimizer, variable = optimizers.get(delayed(learning_rate=1.0)), keras.Variable([8.0])
    seen = []
    for gradient in (1.0, 2.0, 4.0, 0.0):
        optimizer.apply([ops.convert_to_tensor([gradient])], [variable])
        seen.append(float(variable[0]))
    assert seen == [8.0, 8.0, 7.0, 5.0]


def test_right_rule_passes() -> None:
    """A rule that is right passes every check; those that do not apply are skipped, each with a reason."""
    skipped = testing.check_rule(_rule(), _formula)
    assert set(skipped) == {
        "depends_on_no_slot_that_it_calls_unused",
        "leaves_rows_without_gradient_alone",
        "equals_its_twin",
        "wraps_rules_of_every_nature",
    }
    assert all(skipped.values())


def test_right_wrapper_passes() -> None:
    """A wrapper that is right passes what concerns wrappers, and needs no formula for it."""
    checks = ["has_the_same_slots_in_every_form", "wraps_rules_of_every_nature", "comes_back_from_its_config"]
    assert testing.check_rule(_wrapper(), checks=checks) == {}


def test_suite_has_a_test_a_check() -> None:
    """Every check of every rule is a test of its own, with the rule's formula; a check that does not apply skips."""
    rule = _rule()
    suite = testing.rule_suite(rule, references={rule.name: _formula})
    [mark] = suite.pytestmark  # type: ignore[attr-defined]
    cases = [case.values for case in mark.args[1]]
    assert [check for check, _ in cases] == list(testing.CHECKS)
    assert {subject for _, subject in cases} == {testing.Subject(rule, _formula)}
    suite("equals_its_reference", cases[0][1])
    with pytest.raises(unittest.SkipTest, match="no Keras class equals it"):
        suite("equals_its_twin", cases[0][1])
    assert len(testing.rule_suite(rule, checks=testing.KERAS_CHECKS).pytestmark[0].args[1]) == len(testing.KERAS_CHECKS)  # type: ignore[attr-defined]


@pytest.mark.parametrize("what", WRONG)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_wrong_rule_is_found(what: str) -> None:
    """A rule with one fault fails the check that is for it, which names the rule, the check and its claim."""
    name, made = WRONG[what]
    rule = made()
    with pytest.raises(AssertionError) as failure:
        testing.run_check(name, testing.Subject(rule, _formula, rule.twin))
    assert str(failure.value).startswith(f"{rule.__name__}, {name}: ")


def test_every_check_has_found_something() -> None:
    """No check is there that no fault above has turned red."""
    assert {name for name, _ in WRONG.values()} == set(testing.CHECKS)


def test_exemption_must_be_needed_and_known() -> None:
    """A check that a rule breaks by design is skipped with its reason; one that it passes, or that is none, fails."""
    name, why = "mirrors_mirrored_gradients", "its mean begins above zero"
    with pytest.raises(unittest.SkipTest, match=why):
        testing.run_check(name, testing.Subject(_rule(_leans, exempt={name: why})))
    with pytest.raises(AssertionError, match="take it out of `exempt`"):
        testing.run_check(name, testing.Subject(_rule(exempt={name: why})))
    with pytest.raises(AssertionError, match=r"`exempt` names \['mirrors'\]"):
        testing.run_check(name, testing.Subject(_rule(exempt={"mirrors": why})))
