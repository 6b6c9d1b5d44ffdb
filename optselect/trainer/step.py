"""One update of a task's model as TensorFlow operations; which rule and which clipping is data."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import tensorflow as tf

from optselect.errors import InvalidValue
from optselect.optim.clipping import CLIPPINGS
from optselect.optim.configuration import Configuration
from optselect.optim.rule import Rule, Scalar, Variable
from optselect.optim.stepping import join, split
from optselect.trainer.compilable import NoGradient
from optselect.trainer.feeding import Part
from optselect.trainer.forward import Forward, Loss, forward
from optselect.trainer.state import Carried
from optselect.trainer.state_layout import Layout

__all__ = ["FIRST_SCALE", "Step"]

Tensor = Any
FIRST_SCALE, _GROWTH_STEPS = 2.0**15, 2000  # keras.optimizers.LossScaleOptimizer's


class Step:
    """The update that every loop of a program takes, traced into each of them.

    loss: of targets, outputs and weights; a model with one of its own goes by that. layouts: of the rules that can be
    selected, by key. variables: the model's trainable ones. slots, rest: of the rule with the most. scaled: the loss
    is scaled, since the model computes in float16. still: the numbers of the variables that no gradient reaches, known
    once a step was traced; they stay where they are.
    """

    def __init__(self, loss: Loss, model: Any, variables: Sequence[Variable], rules: Iterable[Rule]) -> None:
        self.model, self.variables, self._loss = model, variables, loss
        self.scaled = model.dtype_policy.name == "mixed_float16"  # as `compile(auto_scale_loss=True)` has it
        self.still: tuple[int, ...] = ()
        self._constraints = [v.constraint for v in model.trainable_variables]
        flat = join([v.value for v in model.trainable_variables])
        self.layouts = {rule.key: Layout(rule, flat, variables) for rule in rules}
        self.slots = max(layout.slots for layout in self.layouts.values())
        self.rest = max(layout.rest for layout in self.layouts.values())
        self._numbers = max(len(layout.flags) for layout in self.layouts.values())

    def selection(self, configuration: Configuration) -> dict[str, Tensor]:
        """A configuration as tensors: which rule and clipping, and their numbers in float64."""
        widest = max(len(kind.hypers()) for kind in CLIPPINGS.values())
        traced, asked = self.layouts[configuration.rule.key].rule, configuration.rule
        if any(a.chosen() != b.chosen() for a, b in zip(asked.parts, traced.parts, strict=True)):
            raise InvalidValue(
                f"{asked.key}: the program was made for {traced}, and settings cannot change inside it, got {asked}."
            )
        return {
            "rule": tf.constant(list(self.layouts).index(configuration.rule.key)),
            "values": _numbers(configuration.rule.numbers(), self._numbers),
            "clip": tf.constant(list(CLIPPINGS).index(configuration.clipping.name)),
            "clip_values": _numbers(configuration.clipping.values().values(), widest),
        }

    def __call__(self, carried: Any, batch: Part, rows: Tensor, rate: Tensor, selection: Any) -> Any:
        """One update: carried, (loss times rows, norm of the gradient, whether it was clipped), whether finite."""
        flat, others, slots, rest, updates, scale = carried
        loss, grad, (flat, others) = self.gradient(flat, others, batch, scale)
        short, clipped = self.clip(grad, selection)
        rate = tf.cast(rate, flat.dtype)

        def update(layout: Layout, rule: Rule) -> Any:
            moved, states = layout.update(rule, short, flat, layout.unpack(slots, rest), updates + 1, self.still)
            new, left = self.packed(layout, states)
            return self._constrained(moved), (*new, *slots[len(new) :]), left

        after = (*self.switch(selection, rate, update), updates + 1)
        if self.scaled:
            after, scale = _if_finite(grad, after, (flat, tuple(slots), rest, updates), scale)
        flat, slots, rest, updates = after
        # `l2_loss` is the faster, but `tf.vectorized_map` makes a loop of it.
        squares = tf.reduce_sum(tf.square(grad)) if "among" in selection else 2 * tf.nn.l2_loss(grad)
        norm = tf.cast(tf.sqrt(squares), tf.float32)
        figures = tf.stack([tf.cast(loss, tf.float32) * tf.cast(rows, tf.float32), norm, clipped])
        return Carried(flat, tuple(others), tuple(slots), rest, updates, scale), figures, tf.math.is_finite(loss)

    def gradient(self, flat: Tensor, others: Any, batch: Part, scale: Tensor) -> tuple[Tensor, Tensor, Any]:
        """The loss of a batch, its gradient as a flat vector, and all variables as the call has left them.

        These are a flat vector too, the same unless a layer assigns to its weights, and the model's other variables.
        Raises NoGradient where the loss depends on no weight.
        """
        # Not through the split: the gradient of each piece would be a vector as long as all of them.
        pieces = split(flat, self.variables)
        with tf.GradientTape() as tape:
            tape.watch(pieces)
            after = self.forward(pieces, others, batch, training=True)
            loss = after.loss
            scaled = loss * tf.cast(scale[0], loss.dtype) if self.scaled else loss
        found = tape.gradient(scaled, pieces)
        self.still = tuple(i for i, g in enumerate(found) if g is None)
        if len(self.still) == len(pieces):
            raise NoGradient
        found = [tf.zeros_like(p) if g is None else g for g, p in zip(found, pieces, strict=True)]
        # An embedding's gradient comes as rows, and its shape is lost on the way to a tensor.
        grad = join([tf.reshape(tf.convert_to_tensor(g), v.shape) for g, v in zip(found, self.variables, strict=True)])
        left = (join(after.weights) if after.moved else flat), after.others
        return loss, grad / tf.cast(scale[0], grad.dtype) if self.scaled else grad, left

    def forward(self, pieces: Sequence[Tensor], others: Any, batch: Part, *, training: bool) -> Forward:
        """A call of the model on a batch with such variables, and its loss."""
        x, y, w = (*batch, None)[:3]
        return forward(self._loss, self.model, pieces, list(others), x, y, w, training=training)

    def clip(self, grad: Tensor, selection: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """The clipped gradient, and 1.0 if that is another than the given one."""

        def branch(kind: Any) -> Any:
            fields = {h.name: Scalar(selection["clip_values"][i]) for i, h in enumerate(kind.hypers())}
            if not fields:
                return lambda: (grad, tf.constant(0.0))

            def run() -> Any:
                apart = split(grad, self.variables) if kind.scope == "variable" else [grad]
                kept = kind.unchecked(**fields).apply(apart)
                short = join(kept) if kind.scope == "variable" else kept[0]
                return short, tf.cast(tf.reduce_any(short != grad), tf.float32)

            return run

        found: tuple[Tensor, Tensor] = _picked(selection, "clip", [branch(kind) for kind in CLIPPINGS.values()])
        return found

    def _constrained(self, flat: Tensor) -> Tensor:
        """Variables after their constraints; one that has no gradient is not moved, and not constrained either."""
        wanted = {i: c for i, c in enumerate(self._constraints) if c is not None and i not in self.still}
        if not wanted:
            return flat
        pieces = split(flat, self.variables)
        return join([tf.cast(wanted[i](p), p.dtype) if i in wanted else p for i, p in enumerate(pieces)])

    def switch(self, selection: Any, rate: Tensor, run: Callable[[Layout, Rule], Any]) -> Any:
        """What `run` gives for the selected rule, its hyperparameters taken from the selection."""

        def branch(layout: Layout) -> Any:
            return lambda: run(layout, layout.traced(selection["values"], rate))

        return _picked(selection, "rule", [branch(layout) for layout in self.layouts.values()])

    def packed(self, layout: Layout, states: Any) -> tuple[tuple[Tensor, ...], Tensor]:
        """`layout.pack`, the rest as long as that of the longest rule."""
        slots, rest = layout.pack(states)
        missing = self.rest - layout.rest
        return slots, tf.concat([rest, tf.zeros((missing,), rest.dtype)], 0) if missing else rest

    def judged(self, carried: Any, rates: Tensor, selection: Any) -> Tensor:
        """Where the model is judged after the step that was taken last, as a flat vector."""
        flat, _, slots, rest, updates, _ = carried
        rate = tf.cast(rates[tf.cast(updates, tf.int32) - 1], flat.dtype)
        return self.switch(
            selection, rate, lambda layout, rule: layout.evaluated(rule, flat, layout.unpack(slots, rest))
        )


def _picked(selection: Any, name: str, branches: Sequence[Callable[[], Any]]) -> Any:
    """What the selected branch gives.

    Where `selection["among"]` says which branches may be asked for, these are all computed and the selected one's
    results taken: in a population each member selects for itself.
    """
    index, among = selection[name], selection.get("among")
    if among is None:
        return tf.switch_case(index, branches)
    first, *others = among[name]
    found = branches[first]()
    for other in others:
        chosen = index == other
        found = tf.nest.map_structure(lambda new, old, c=chosen: tf.where(c, new, old), branches[other](), found)
    return found


def _if_finite(grad: Tensor, after: Any, before: Any, scale: Tensor) -> tuple[Any, Tensor]:
    """Float16: skip an update whose gradient overflowed and halve the factor of the loss; double it at times."""
    good = tf.reduce_all(tf.math.is_finite(grad))
    kept = tf.nest.map_structure(lambda new, old: tf.where(good, new, old), after, before)
    factor, count = scale[0], scale[1] + 1.0
    grown = count >= _GROWTH_STEPS
    better = tf.stack([tf.where(grown, factor * 2.0, factor), tf.where(grown, 0.0, count)])
    return kept, tf.where(good, better, tf.stack([factor / 2.0, 0.0]))


def _numbers(values: Iterable[Any], width: int) -> Tensor:
    given = [float(value) for value in values]
    return tf.constant(given + [0.0] * (width - len(given)), tf.float64)
