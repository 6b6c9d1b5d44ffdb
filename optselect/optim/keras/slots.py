"""The variables in which a Keras optimizer keeps the state of its rule, in the order that Keras's class has."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from optselect.optim import stepping
from optselect.optim.rule import Rule, State, Variable
from optselect.util.lazy import ops

__all__ = ["Slots", "read"]

Tensor = Any


class Slots:
    """State of a rule over the variables of a model, group by group.

    A group is one variable, or all of them for a rule that looks at the whole model. Only shapes and dtypes of the
    model's variables are read here: in a model that is built by its first training step they have no values yet.

    anew: names of each group's slots that depend on the values of the weights, which are taken from them at the first
    step. shared: names of slots that are one variable for all groups. positions: the optimizer's variables by the
    index that they have in Keras's class.
    """

    def __init__(self, optimizer: Any, rule: Rule, variables: Sequence[Any], facts: Sequence[Variable]) -> None:
        zeros = [tf.zeros(tuple(v.shape), keras.backend.standardize_dtype(v.dtype)) for v in variables]
        states = stepping.init(rule, zeros, facts) if zeros else []
        others = stepping.init(rule, [tf.ones_like(zero) for zero in zeros], facts) if zeros else []
        self.anew = [
            tuple(name for name in state if bool(ops.any(state[name] != other[name])))
            for state, other in zip(states, others, strict=True)
        ]
        self.unused = stepping.unused(rule, zeros, facts) if zeros else []
        self.shared = stepping.shared(rule)
        self._forms = [{name: (value.shape, value.dtype) for name, value in state.items()} for state in states]
        self._optimizer = optimizer
        self._variables: list[dict[str, Any]] = [{} for _ in states]
        self.positions: dict[int, Any] = dict(enumerate(optimizer.variables))
        self._place = len(self.positions)
        self._now: dict[str, Tensor] = {}
        if states:
            self._make(rule, states, [None] if rule.reach == "model" else variables)

    def __len__(self) -> int:
        return len(self._forms)

    def read(self, group: int, rows: Tensor | None = None) -> State:
        """The state of a group as tensors; a slot that the rule does not depend on is zero.

        rows: indices along the first axis of the variable; of slots of its shape these alone.
        """
        kept, now = self._variables[group], self._now
        state = {}
        for name, (shape, dtype) in self._forms[group].items():
            value = now[name] if name in now else kept.get(name)
            if rows is not None and len(shape) > 0:
                short = tf.concat([tf.shape(rows), shape[1:]], 0)
                state[name] = tf.zeros(short, dtype) if value is None else read(value, rows)
            else:
                state[name] = tf.zeros(shape, dtype) if value is None else tf.cast(read(value), dtype)
        return state

    @contextlib.contextmanager
    def one_step(self) -> Iterator[None]:
        """While variables are stepped one after the other: each sees the shared slots as they were before the step."""
        self._now = {name: read(self._variables[0][name]) for name in self.shared if self._variables}
        try:
            yield
        finally:
            self._now = {}

    def write(self, group: int, state: Mapping[str, Tensor], rows: Tensor | None = None) -> None:
        """Keep a new state of a group, or of the rows for which it was read."""
        for name, variable in self._variables[group].items():
            by_row = rows is not None and len(variable.shape) > 0
            self._optimizer.assign(variable, tf.IndexedSlices(state[name], rows) if by_row else state[name])

    def _make(self, rule: Rule, states: Sequence[State], owners: Sequence[Any]) -> None:
        for names in _in_order(rule, states):
            for group, (state, owner) in enumerate(zip(states, owners, strict=True)):
                for name in names:
                    if name in state and name not in self.unused[group] | self.shared:
                        self._variables[group][name] = self._variable(owner, name, state[name])
                    elif name not in state and name in rule.twin_fills:
                        self._place += 1
        for name in sorted(self.shared):
            one = self._variable(None, name, states[0][name])
            for kept in self._variables:
                kept[name] = one

    def _variable(self, owner: Any, name: str, value: Tensor) -> Any:
        def initializer(shape: Any, dtype: Any = None) -> Tensor:
            return ops.cast(value, dtype)

        if owner is not None and tuple(owner.shape) == tuple(value.shape):
            made = self._optimizer.add_variable_from_reference(owner, name=name, initializer=initializer)
        else:
            dtype = keras.backend.standardize_dtype(value.dtype)
            made = self._optimizer.add_variable(tuple(value.shape), initializer=initializer, dtype=dtype, name=name)
        self.positions[self._place] = made
        self._place += 1
        return made


def read(variable: Any, rows: Tensor | None = None) -> Tensor:
    """The value of a variable now, or of some rows: a tensor of its own, which later assignments leave alone."""
    value = variable.value if isinstance(variable, keras.Variable) else variable
    return tf.convert_to_tensor(value) if rows is None else tf.gather(value, rows)


def _in_order(rule: Rule, states: Sequence[State]) -> Iterator[tuple[str, ...]]:
    """Names of slots; those of one tuple are made variable by variable."""
    yield from rule.twin_slots
    placed = {name for names in rule.twin_slots for name in names}
    rest = tuple(dict.fromkeys(name for state in states for name in state if name not in placed))
    if rest:
        yield rest
