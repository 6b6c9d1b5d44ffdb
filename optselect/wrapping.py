"""What the rules that wrap another rule share: its slots beside their own, and the steps of a period."""

from __future__ import annotations

from typing import Any

from optselect.lazy import ops
from optselect.rule import Rule, State, Variable, exact

__all__ = ["beside", "due", "fitted", "inner"]

Tensor = Any
_PREFIX = "rule."


def beside(own: State, wrapped: State) -> State:
    """A wrapper's own slots and those of the rule that it wraps, in one state.

    >>> beside({"slow": 1}, beside({"slow": 2}, {"momentum": 3}))
    {'slow': 1, 'rule.slow': 2, 'rule.rule.momentum': 3}
    """
    return {**own, **{_PREFIX + name: slot for name, slot in wrapped.items()}}


def inner(state: State) -> State:
    """The slots of the wrapped rule, under its own names.

    >>> inner({"slow": 1, "rule.slow": 2, "rule.rule.momentum": 3})
    {'slow': 2, 'rule.momentum': 3}
    """
    return {name.removeprefix(_PREFIX): slot for name, slot in state.items() if name.startswith(_PREFIX)}


def fitted(wrapper: Any, variable: Variable) -> Rule:
    """The wrapper around the rule that steps this variable."""
    made: Rule = type(wrapper).unchecked(**wrapper.values(), rule=wrapper.rule.for_variable(variable))
    return made


def due(steps: Tensor, period: Any) -> Tensor:
    """Whether `steps` steps (integer scalar) end a period: at every `period`-th, and at 0.

    >>> [bool(due(steps, 5.0)) for steps in (0, 1, 4, 5, 6, 10)]
    [True, False, False, True, False, True]
    """
    return ops.mod(ops.cast(steps, "float64"), exact(period, "float64")) < 1
