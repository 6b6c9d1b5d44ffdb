"""A rule over all variables of a model, whatever its scope."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

from optselect.errors import UnknownName
from optselect.optim.rule import Rule, State, Variable
from optselect.optim.wrapping import named
from optselect.util.lazy import ops
from optselect.util.suggestion import suggestion

__all__ = ["evaluated", "facts", "idle", "init", "join", "shared", "split", "unused", "update"]

Tensor = Any


def facts(variables: Sequence[Any], head_layers: Sequence[str] = ()) -> list[Variable]:
    """What a rule may know of a model's trainable variables, given in the model's order.

    head_layers: names of the layers that are the head. Without them it is the layer of the last variable, which in
    a sequential or functional model is the output layer; of several outputs it is only the last.

    Raises `UnknownName` for a layer that has no variable here.
    """
    paths = [str(getattr(v, "path", v.name)) for v in variables]
    layers = [path.rpartition("/")[0] for path in paths]
    for name in head_layers:
        known = {part for layer in layers for part in layer.split("/")}
        if name not in known:
            raise UnknownName(f"`head_layers`: no variable belongs to a layer {name!r}. {suggestion(name, known)}")
    return [
        Variable(
            path=path,
            shape=tuple(v.shape),
            head=not set(head_layers).isdisjoint(layer.split("/")) if head_layers else layer == layers[-1] != "",
            embedding=path.endswith("embeddings"),
        )
        for v, path, layer in zip(variables, paths, layers, strict=True)
    ]


def init(rule: Rule, params: Sequence[Tensor], variables: Sequence[Variable]) -> list[State]:
    """Slots at step 0: one state a variable, or one in all for a rule that reaches over the model."""
    if rule.reach == "model":
        return [rule.init(join(params))]
    return [rule.for_variable(v).init(p) for v, p in zip(variables, params, strict=True)]


def unused(rule: Rule, params: Sequence[Tensor], variables: Sequence[Variable]) -> list[frozenset[str]]:
    """Slots of each state of `init` that a rule of these numbers, wrapped rules included, never depends on."""
    if rule.reach == "model":
        return [idle(rule, join(params))]
    return [idle(rule.for_variable(v), p) for v, p in zip(variables, params, strict=True)]


def idle(rule: Rule, param: Tensor) -> frozenset[str]:
    """`Rule.unused` of a rule and of those that it wraps; only the shape of `param` matters."""
    return named(rule, functools.partial(_unused, param))


def _unused(param: Tensor, part: Rule) -> tuple[str, ...]:
    return part.unused(param)


def shared(rule: Rule) -> frozenset[str]:
    """Slots that are one number for all variables, wrapped rules included."""
    return named(rule, lambda part: part.shared)


def update(
    rule: Rule,
    grads: Sequence[Tensor],
    params: Sequence[Tensor],
    states: Sequence[State],
    step: Tensor,
    variables: Sequence[Variable],
) -> tuple[list[Tensor], list[State]]:
    """One step of all variables; `step` counts from 1."""
    if rule.reach == "model":
        joined, state = rule.update(join(grads), join(params), states[0], step)
        return split(joined, variables), [state]
    moved = [
        rule.for_variable(v).update(g, p, s, step) for v, g, p, s in zip(variables, grads, params, states, strict=True)
    ]
    return [param for param, _ in moved], [state for _, state in moved]


def evaluated(
    rule: Rule, params: Sequence[Tensor], states: Sequence[State], variables: Sequence[Variable]
) -> list[Tensor]:
    """Where the model is to be judged: `Rule.evaluated` of all variables."""
    if rule.reach == "model":
        return split(rule.evaluated(join(params), states[0]), variables)
    return [rule.for_variable(v).evaluated(p, s) for v, p, s in zip(variables, params, states, strict=True)]


def join(params: Sequence[Tensor]) -> Tensor:
    """All entries in one vector."""
    return ops.concatenate([ops.reshape(p, (-1,)) for p in params], axis=0)


def split(vector: Tensor, variables: Sequence[Variable]) -> list[Tensor]:
    """The inverse of `join`."""
    sizes = [math.prod(v.shape) for v in variables]
    ends = [sum(sizes[: k + 1]) for k in range(len(sizes))]
    return [ops.reshape(vector[end - size : end], v.shape) for v, size, end in zip(variables, sizes, ends, strict=True)]
