"""How a rule's state lies in the few tensors that the traced loop carries for all rules."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from optselect.optim import stepping
from optselect.optim.rule import Rule, Scalar, Variable

__all__ = ["Layout"]

Tensor = Any


class Layout:
    """One kind of rule over one model.

    A rule whose reach is "entry" or "model" steps the flat vector itself; one that looks at its variable gets views
    of it. Slots that have the shape of the flat vector are carried as they are, all other state joined in one vector.
    slots, rest: how many vectors, and how many entries in that one.
    """

    def __init__(self, rule: Rule, flat: Tensor, variables: Sequence[Variable]) -> None:
        self.rule = rule
        self.variables = variables
        self.flags = [h.domain.boolean for part in rule.parts for h in part.hypers()]
        self._apart = rule.reach == "variable"
        example = self.init(rule, flat)
        self._structure, self._flat = example, tf.TensorSpec(flat.shape, flat.dtype)
        leaves = tf.nest.flatten(example)
        self._whole = [tuple(leaf.shape) == tuple(flat.shape) and not self._apart for leaf in leaves]
        self._rest = [
            (tuple(leaf.shape), leaf.dtype) for leaf, whole in zip(leaves, self._whole, strict=True) if not whole
        ]
        self._dtype = flat.dtype
        self.slots = sum(self._whole)
        self.rest = sum(math.prod(shape) for shape, _ in self._rest)

    def traced(self, numbers: Tensor, rate: Tensor) -> Rule:
        """The rule with hyperparameters from a float64 vector and the learning rate of the step."""
        values = [Scalar(numbers[i] > 0.5 if flag else numbers[i]) for i, flag in enumerate(self.flags)]
        return self.rule.with_numbers(values, learning_rate=rate)

    def used(self, rule: Rule) -> int:
        """Entries of the state that a rule with these numbers depends on: what a Keras optimizer keeps of it."""
        if self._apart:
            states, idle = self._structure, stepping.unused(rule, self.variables, self.variables)
        else:
            states, idle = [self._structure], [stepping.idle(rule, self._flat)]
        return sum(
            math.prod(slot.shape)
            for state, names in zip(states, idle, strict=True)
            for name, slot in state.items()
            if name not in names
        )

    def init(self, rule: Rule, flat: Tensor) -> Any:
        """The rule's state at step 0."""
        if self._apart:
            return stepping.init(rule, stepping.split(flat, self.variables), self.variables)
        return rule.init(flat)

    def update(
        self, rule: Rule, grad: Tensor, flat: Tensor, states: Any, step: Tensor, still: Sequence[int] = ()
    ) -> tuple[Tensor, Any]:
        """One step of the flat vector; `step` counts from 1. still: numbers of variables that stay where they are."""
        if not self._apart:
            moved, after = rule.update(grad, flat, states, step)
            return self._without(still, rule, (flat, states), (moved, after)) if still else (moved, after)
        grads, params = (stepping.split(whole, self.variables) for whole in (grad, flat))
        pieces, slots = stepping.update(rule, grads, params, states, step, self.variables)
        for i in still:
            pieces[i], slots[i] = params[i], states[i]
        return stepping.join(pieces), slots

    def _without(self, still: Sequence[int], rule: Rule, before: Any, after: Any) -> Any:
        """After a step, with the entries of some variables as they were.

        Slots of a rule that steps the whole model at once go on, as in the class of Keras.
        """
        sizes = [math.prod(v.shape) for v in self.variables]
        mask = np.repeat([i in still for i in range(len(sizes))], sizes)

        def kept(old: Tensor, new: Tensor) -> Tensor:
            return tf.where(mask, old, new) if old.shape == new.shape == mask.shape else new

        slots = after[1] if rule.reach == "model" else tf.nest.map_structure(kept, before[1], after[1])
        return kept(before[0], after[0]), slots

    def evaluated(self, rule: Rule, flat: Tensor, states: Any) -> Tensor:
        """Where the model is judged, as a flat vector."""
        if not self._apart:
            return rule.evaluated(flat, states)
        params = stepping.split(flat, self.variables)
        return stepping.join(stepping.evaluated(rule, params, states, self.variables))

    def pack(self, states: Any) -> tuple[tuple[Tensor, ...], Tensor]:
        """State as the loop carries it: the slots like the flat vector, and the rest in one vector."""
        leaves = tf.nest.flatten(states)
        slots = tuple(leaf for leaf, whole in zip(leaves, self._whole, strict=True) if whole)
        rest = [
            tf.reshape(tf.cast(leaf, self._dtype), [-1])
            for leaf, whole in zip(leaves, self._whole, strict=True)
            if not whole
        ]
        return slots, tf.concat(rest, 0) if rest else tf.zeros((0,), self._dtype)

    def unpack(self, slots: Sequence[Tensor], rest: Tensor) -> Any:
        """The inverse of `pack`; `slots` and `rest` may be longer."""
        vectors, leaves, start = iter(slots), [], 0
        shapes = iter(self._rest)
        for whole in self._whole:
            if whole:
                leaves.append(next(vectors))
                continue
            shape, dtype = next(shapes)
            stop = start + math.prod(shape)
            leaves.append(tf.cast(tf.reshape(rest[start:stop], shape), dtype))
            start = stop
        return tf.nest.pack_sequence_as(self._structure, leaves)
