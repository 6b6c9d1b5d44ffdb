"""What the rules that wrap another rule share: its slots beside their own, and the steps of a period."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from optselect.optim.rule import Rule, State, Variable, exact
from optselect.util.lazy import ops

__all__ = ["beside", "due", "fitted", "inner", "named"]

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
    made: Rule = type(wrapper).unchecked(
        **wrapper.values(), **wrapper.chosen(), rule=wrapper.rule.for_variable(variable)
    )
    return made


def named(rule: Rule, names: Callable[[Rule], Iterable[str]]) -> frozenset[str]:
    """Slots that `names` gives for a rule and for each that it wraps, under their names in the one state of them all.

    >>> from optselect.optim.rules import parse
    >>> sorted(named(parse("lookahead(nadam)"), lambda part: part.shared))
    ['rule.u_product']
    """
    return frozenset(prefix + name for prefix, part in rule.named_parts().items() for name in names(part))


def due(steps: Tensor, period: Any) -> Tensor:
    """Whether `steps` steps (integer scalar) end a period: at every `period`-th, and at 0.

    >>> [bool(due(steps, 5.0)) for steps in (0, 1, 4, 5, 6, 10)]
    [True, False, False, True, False, True]
    """
    return ops.mod(ops.cast(steps, "float64"), exact(period, "float64")) < 1
