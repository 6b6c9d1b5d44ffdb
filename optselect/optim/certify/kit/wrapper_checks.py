"""Checks of a rule inside every wrapper, and of a wrapper around rules of every nature."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from optselect.optim import wrapping
from optselect.optim.certify import altered
from optselect.optim.certify.kit.subject import Subject, collected, does_not_apply, near
from optselect.optim.rule import Rule, Variable
from optselect.optim.rules import RULES
from optselect.util.lazy import tf

__all__ = ["CHECKS"]

VARIABLES = [
    Variable("dense/kernel", (3, 3)),
    Variable("dense/bias", (3,)),
    Variable("embedding/embeddings", (4, 2), embedding=True),
    Variable("head/kernel", (3, 2), head=True),
]


def _around(wrapper: type[Rule], inner: Rule, **numbers: Any) -> Any:
    """The wrapper around a rule, with nothing at its default but what `numbers` says."""
    values: dict[str, Any] = {**altered(wrapper).values(), **numbers}
    return wrapper(**values, rule=inner)  # type: ignore[call-arg]


def _holds(wrapper: type[Rule], inner: Rule) -> None:
    """Inside the wrapper the rule keeps its slots, numbers and variables, and is judged where it starts."""
    both, param = _around(wrapper, inner), tf.ones((6,) if inner.reach == "model" else (2, 3), "float64")
    state, own = both.init(param), inner.init(param)
    assert wrapping.inner(state).keys() == own.keys(), f"{both.key}: slots {sorted(state)}"
    near(both.evaluated(param, state), inner.evaluated(param, own))
    _, after = both.update(param, param, state, 1)
    assert after.keys() == state.keys(), f"{both.key}: after a step the slots {sorted(after)}"
    assert both.with_numbers(both.numbers()) == both
    assert Rule.from_dict(json.loads(json.dumps(both.to_dict()))).to_dict() == both.to_dict()
    for variable in VARIABLES:
        given = both.for_variable(variable)
        assert given.rule == inner.for_variable(variable), f"{both.key}: {variable.path}"
        assert (type(given), given.values()) == (wrapper, both.values())


def _is_undone(wrapper: type[Rule], inner: Rule) -> None:
    """With its neutral numbers the wrapper steps as the rule inside, and is judged where that is."""
    both = _around(wrapper, inner, **wrapper.neutral)
    rng, shape = np.random.default_rng(5), (6,) if inner.reach == "model" else (3, 2)
    start, grads = rng.normal(size=shape), rng.normal(size=(4, *shape))
    ends = []
    for rule in (both, inner):
        param = tf.constant(start)
        state = rule.init(param)
        for step, grad in enumerate(grads, start=1):
            param, state = rule.update(tf.constant(grad), param, state, step)
        ends.append((param, rule.evaluated(param, state)))
    for got, wanted in zip(*ends, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-9 * np.abs(wanted).max() + 1e-14, err_msg=both.key)


def _natures() -> list[Rule]:
    """One rule of each nature: how far it looks, whether it wraps, where it is judged, whether variables differ."""
    found: dict[Any, Rule] = {}
    for kind in RULES.values():
        apart = kind.for_variable is not Rule.for_variable
        found.setdefault((kind().reach, kind.wraps(), Subject(kind).judged_elsewhere(), apart), altered(kind))
    return list(found.values())


def _stands_inside_every_wrapper(subject: Subject) -> None:
    """Inside each wrapper the rule keeps its slots, its numbers, its config and what it does with each variable."""
    for wrapper in RULES.values():
        if wrapper.wraps():
            _holds(wrapper, altered(subject.rule))


def _steps_inside_a_neutral_wrapper_as_alone(subject: Subject) -> None:
    """Inside a wrapper with its neutral numbers the rule steps as alone, and is judged where it would be."""
    for wrapper in RULES.values():
        if wrapper.neutral:
            _is_undone(wrapper, subject.rule())


def _wraps_rules_of_every_nature(subject: Subject) -> None:
    """A wrapper keeps the slots, numbers and variables of any rule; its neutral numbers, if it has some, undo it."""
    if not subject.rule.wraps():
        does_not_apply("it wraps no rule")
    for inner in _natures():
        _holds(subject.rule, inner)
        if subject.rule.neutral:
            _is_undone(subject.rule, inner)


CHECKS = collected(
    _stands_inside_every_wrapper,
    _steps_inside_a_neutral_wrapper_as_alone,
    _wraps_rules_of_every_nature,
)
