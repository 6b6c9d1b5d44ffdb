"""The compiled trainer: whole epochs of all of a study's rules in one traced program, hyperparameters as tensors.

A trial calls it with data: which rule, its numbers, the learning rates of all steps, how to clip, the batch
size, the order of the rows. Nothing is built or traced anew, so a trial costs its arithmetic.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from optselect.clipping import CLIPPINGS
from optselect.configuration import Configuration
from optselect.rule import Rule, Scalar, Variable
from optselect.stepping import split
from optselect.tasks.task import Task
from optselect.trainer.layout import Layout

__all__ = ["Program", "TrialState", "facts", "row_order"]

Tensor = Any
_CHUNK = 2048  # rows a call of the model in evaluation: large enough to amortise, small enough for any memory


@dataclasses.dataclass(frozen=True)
class TrialState:
    """Everything that a paused trial needs to go on: tensors and counts.

    parameters: all trainable variables in one flat vector. others: the model's non-trainable variables (batch
    norm statistics, seed generators ...). slots: those of the rule's slots that are vectors like `parameters`;
    rest: everything else of its state in one vector. step, epoch: done so far. finite: False once a loss was not;
    such a trial does not go on.
    """

    parameters: Tensor
    others: tuple[Tensor, ...]
    slots: tuple[Tensor, ...]
    rest: Tensor
    step: int
    epoch: int
    finite: bool


def row_order(seed: int, epoch: int, rows: int) -> np.ndarray:
    """The order of the training rows in an epoch (counts from 0), the same for all trials of a seed.

    int32, shape (rows,).
    """
    return np.random.default_rng((seed, epoch)).permutation(rows).astype(np.int32)


class Program:
    """One task's traced program. It is traced at the first call and then serves every configuration of its rules.

    rules: one of each kind that will be trained; their hyperparameters do not matter. seeds: those whose initial
    weights are made now; others are made when they are asked for, at a cost: seeding TensorFlow throws away its
    compiled functions, and the program is optimised anew.
    """

    def __init__(self, task: Task, rules: Iterable[Rule], seeds: Iterable[int] = ()) -> None:
        self.task = task
        self.model = task.build(0)
        self.variables = facts(self.model)
        flat, _ = _flat(self.model)
        self.layouts = {rule.key: Layout(rule, flat, self.variables) for rule in rules}
        self._slots = max(layout.slots for layout in self.layouts.values())
        self._numbers = max(len(layout.flags) for layout in self.layouts.values())
        self.rows = len(tf.nest.flatten(task.y_train)[0])
        self._parts = {
            part: tf.nest.map_structure(tf.convert_to_tensor, data)
            for part, data in (
                ("train", (task.x_train, task.y_train)),
                ("validation", (task.x_validation, task.y_validation)),
                ("test", (task.x_test, task.y_test)),
            )
        }
        self._metrics = task.metrics()
        # Keras keeps some memory of every model it builds, so one is built a seed, not one a trial.
        self._initial = {seed: _flat(task.build(seed)) for seed in seeds}
        self._evaluate = tf.function(self._evaluate_impl, reduce_retracing=True, autograph=False)
        self._epochs = tf.function(self._epochs_impl, input_signature=self._signature(), autograph=False)

    # -- what a trial calls -----------------------------------------------------------------------------------

    def start(self, configuration: Configuration, seed: int) -> TrialState:
        """A trial before its first step: the model initialised as `task.build(seed)` does it."""
        if seed not in self._initial:
            self._initial[seed] = _flat(self.task.build(seed))
        parameters, others = self._initial[seed]
        layout = self.layouts[configuration.rule.key]
        slots, rest = layout.pack(layout.init(configuration.rule, parameters))
        return TrialState(parameters, others, self._padded(slots, parameters), rest, step=0, epoch=0, finite=True)

    def train(
        self, state: TrialState, configuration: Configuration, *, seed: int, epochs: int, total_epochs: int
    ) -> tuple[TrialState, dict[str, list[float]]]:
        """Train `epochs` more of a training of `total_epochs`; the new state and the curves, one entry an epoch.

        Stops at the first batch whose loss is not finite; that epoch's entries are NaN.
        """
        size = min(configuration.batch_size, self.rows)
        steps = -(-self.rows // size)
        first = state.epoch
        # Of the whole training, then cut: a part computed by itself can differ in the last bit.
        rates = configuration.schedule.rates(configuration.rule.base.values()["learning_rate"], total_epochs * steps)
        rates = np.asarray(rates)[first * steps : (first + epochs) * steps]
        orders = np.stack([row_order(seed, first + e, self.rows) for e in range(epochs)])
        parameters, others, slots, rest, done, finite, losses, results = self._epochs(
            state.parameters,
            state.others,
            state.slots,
            state.rest,
            tf.constant(state.step, tf.int64),
            tf.convert_to_tensor(rates),
            tf.constant(orders),
            tf.constant(size, tf.int32),
            self._selection(configuration),
        )
        finite = bool(finite)
        epochs_done = int(done) // steps if finite else min(epochs, int(done - 1) // steps + 1)
        after = TrialState(
            parameters, others, slots, rest, step=state.step + int(done), epoch=first + epochs_done, finite=finite
        )
        names = ["loss", *(f"val_{name}" for name in self.result_names)]
        table = np.concatenate([losses.numpy()[:, None], results.numpy()], axis=1)[:epochs_done]
        curves = {name: [float(v) for v in table[:, i]] for i, name in enumerate(names)}
        curves["learning_rate"] = [float(r) for r in rates[steps - 1 :: steps][:epochs_done]]
        return after, curves

    def evaluate(self, state: TrialState, configuration: Configuration, part: str) -> dict[str, float]:
        """Loss and metrics on "train", "validation" or "test"."""
        point = self._point(state, configuration)
        values = self._evaluate(point, state.others, *self._parts[part])
        return dict(zip(self.result_names, map(float, values), strict=True))

    def load(self, state: TrialState, configuration: Configuration, model: Any) -> None:
        """Put a state's weights, where the model is judged, into a model that the task has built."""
        point = split(self._point(state, configuration), self.variables)
        for variable, value in zip(model.trainable_variables, point, strict=True):
            variable.assign(value)
        for variable, value in zip(model.non_trainable_variables, state.others, strict=True):
            variable.assign(value)

    @property
    def result_names(self) -> list[str]:
        """The names of what an evaluation gives: loss, then the metrics."""
        return ["loss", *(metric.name for metric in self._metrics)]

    def _point(self, state: TrialState, configuration: Configuration) -> Tensor:
        layout = self.layouts[configuration.rule.key]
        return layout.evaluated(configuration.rule, state.parameters, layout.unpack(state.slots, state.rest))

    def _padded(self, slots: Sequence[Tensor], like: Tensor) -> tuple[Tensor, ...]:
        return (*slots, *[tf.zeros_like(like)] * (self._slots - len(slots)))

    def _selection(self, configuration: Configuration) -> dict[str, Tensor]:
        """A configuration as tensors: which rule and clipping, and their numbers in float64."""
        widest = max(len(kind.hypers()) for kind in CLIPPINGS.values())
        return {
            "rule": tf.constant(list(self.layouts).index(configuration.rule.key)),
            "values": _numbers(configuration.rule.numbers(), self._numbers),
            "clip": tf.constant(list(CLIPPINGS).index(configuration.clipping.name)),
            "clip_values": _numbers(configuration.clipping.values().values(), widest),
        }

    # -- what is traced ---------------------------------------------------------------------------------------

    def _signature(self) -> tuple[Any, ...]:
        """Shapes known, lengths free: one trace serves every number of epochs and every batch size."""
        flat, others = _flat(self.model)
        spec = tf.TensorSpec(flat.shape, flat.dtype)
        numbers = {
            "rule": tf.TensorSpec((), tf.int32),
            "values": tf.TensorSpec((None,), tf.float64),
            "clip": tf.TensorSpec((), tf.int32),
            "clip_values": tf.TensorSpec((None,), tf.float64),
        }
        return (
            spec,
            tuple(tf.TensorSpec(v.shape, v.dtype) for v in others),
            (spec,) * self._slots,
            tf.TensorSpec((None,), flat.dtype),
            tf.TensorSpec((), tf.int64),
            tf.TensorSpec((None,), tf.float32),
            tf.TensorSpec((None, self.rows), tf.int32),
            tf.TensorSpec((), tf.int32),
            numbers,
        )

    def _loss(self, y: Tensor, outputs: Tensor, extra: Sequence[Tensor]) -> Tensor:
        loss = self.task.loss(y, outputs)
        return tf.add_n([loss, *(tf.cast(term, loss.dtype) for term in extra)]) if extra else loss

    def _gradient(self, flat: Tensor, others: Any, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, list[Tensor]]:
        with tf.GradientTape() as tape:
            tape.watch(flat)
            outputs, others, extra = self.model.stateless_call(
                split(flat, self.variables), list(others), x, training=True, return_losses=True
            )
            loss = self._loss(y, outputs, extra)
        return loss, tape.gradient(loss, flat), others

    def _clip(self, grad: Tensor, selection: Mapping[str, Tensor]) -> Tensor:
        def branch(kind: Any) -> Any:
            fields = {h.name: Scalar(selection["clip_values"][i]) for i, h in enumerate(kind.hypers())}
            if not fields:
                return lambda: grad
            clip = kind.unchecked(**fields)
            return lambda: tf.concat([tf.reshape(g, [-1]) for g in clip.apply(split(grad, self.variables))], 0)

        return tf.switch_case(selection["clip"], [branch(kind) for kind in CLIPPINGS.values()])

    def _switch(self, selection: Any, rate: Tensor, run: Callable[[Layout, Rule], Any]) -> Any:
        """What `run` gives for the selected rule, its hyperparameters taken from the selection."""

        def branch(layout: Layout) -> Any:
            return lambda: run(layout, layout.traced(selection["values"], rate))

        return tf.switch_case(selection["rule"], [branch(layout) for layout in self.layouts.values()])

    def _update(
        self, grad: Tensor, flat: Tensor, slots: Any, rest: Tensor, step: Tensor, rate: Tensor, selection: Any
    ) -> Any:
        def run(layout: Layout, rule: Rule) -> Any:
            moved, states = layout.update(rule, grad, flat, layout.unpack(slots, rest), step)
            new, left = layout.pack(states)
            return moved, (*new, *slots[len(new) :]), left

        return self._switch(selection, rate, run)

    def _judged(self, flat: Tensor, slots: Any, rest: Tensor, rate: Tensor, selection: Any) -> Tensor:
        """Where the model is judged."""
        return self._switch(
            selection, rate, lambda layout, rule: layout.evaluated(rule, flat, layout.unpack(slots, rest))
        )

    def _epochs_impl(
        self,
        flat: Tensor,
        others: Any,
        slots: Any,
        rest: Tensor,
        step: Tensor,
        rates: Tensor,
        orders: Tensor,
        size: Tensor,
        selection: Any,
    ) -> Any:
        x_all, y_all = self._parts["train"]
        rows = tf.constant(self.rows, tf.int32)
        steps = -(-rows // size)
        epochs = tf.shape(orders)[0]

        def one_step(i: Tensor, done: Tensor, total: Tensor, _: Tensor, order: Tensor, state: Any) -> Any:
            flat, others, slots, rest = state
            index = order[i * size : tf.minimum((i + 1) * size, rows)]
            x, y = tf.nest.map_structure(lambda a: tf.gather(a, index), (x_all, y_all))
            loss, grad, others = self._gradient(flat, others, x, y)
            grad = self._clip(grad, selection)
            rate = tf.cast(rates[done], flat.dtype)
            flat, slots, rest = self._update(
                grad, flat, slots, rest, step + tf.cast(done, tf.int64) + 1, rate, selection
            )
            total += tf.cast(loss, tf.float32) * tf.cast(tf.shape(index)[0], tf.float32)
            return i + 1, done + 1, total, tf.math.is_finite(loss), order, (flat, tuple(others), slots, rest)

        def one_epoch(e: Tensor, done: Tensor, _: Tensor, losses: Any, results: Any, state: Any) -> Any:
            _, done, total, finite, _, state = tf.while_loop(
                lambda i, done, total, finite, order, state: (i < steps) & finite,
                one_step,
                (tf.constant(0), done, tf.constant(0.0), tf.constant(True), orders[e], state),
            )
            flat, others, slots, rest = state
            point = self._judged(flat, slots, rest, tf.cast(rates[done - 1], flat.dtype), selection)
            values = self._evaluate_impl(point, others, *self._parts["validation"])
            losses = losses.write(e, total / tf.cast(rows, tf.float32))
            results = results.write(e, values)
            return e + 1, done, finite & tf.math.is_finite(values[0]), losses, results, state

        _, done, finite, losses, results, state = tf.while_loop(
            lambda e, done, finite, losses, results, state: (e < epochs) & finite,
            one_epoch,
            (
                tf.constant(0),
                tf.constant(0),
                tf.constant(True),
                tf.TensorArray(tf.float32, size=epochs, element_shape=()),
                tf.TensorArray(tf.float32, size=epochs, element_shape=(len(self.result_names),)),
                (flat, tuple(others), tuple(slots), rest),
            ),
        )
        return *state, done, finite, losses.stack(), results.stack()

    def _evaluate_impl(self, flat: Tensor, others: Any, x_all: Tensor, y_all: Tensor) -> Tensor:
        """Loss and metrics over all rows: float32, shape (1 + metrics,)."""
        weights = split(flat, self.variables)
        rows = tf.shape(tf.nest.flatten(y_all)[0])[0]

        def one_chunk(start: Tensor, total: Tensor, states: Any) -> Any:
            stop = tf.minimum(start + _CHUNK, rows)
            x, y = tf.nest.map_structure(lambda a: a[start:stop], (x_all, y_all))
            outputs, _, extra = self.model.stateless_call(weights, list(others), x, training=False, return_losses=True)
            count = tf.cast(stop - start, tf.float32)
            total += tf.cast(self._loss(y, outputs, extra), tf.float32) * count
            states = tuple(
                tuple(metric.stateless_update_state(list(state), y, outputs))
                for metric, state in zip(self._metrics, states, strict=True)
            )
            return stop, total, states

        fresh = tuple(tuple(tf.zeros_like(v.value) for v in metric.variables) for metric in self._metrics)
        _, total, states = tf.while_loop(
            lambda start, total, states: start < rows, one_chunk, (tf.constant(0), tf.constant(0.0), fresh)
        )
        results = [
            tf.cast(metric.stateless_result(list(state)), tf.float32)
            for metric, state in zip(self._metrics, states, strict=True)
        ]
        return tf.stack([total / tf.cast(rows, tf.float32), *results])


def _flat(model: Any) -> tuple[Tensor, tuple[Tensor, ...]]:
    """A model's trainable variables in one vector, and copies of the others."""
    flat = tf.concat([tf.reshape(v.value, [-1]) for v in model.trainable_variables], 0)
    return flat, tuple(tf.identity(v.value) for v in model.non_trainable_variables)


def _numbers(values: Iterable[Any], width: int) -> Tensor:
    given = [float(value) for value in values]
    return tf.constant(given + [0.0] * (width - len(given)), tf.float64)


def facts(model: Any) -> list[Variable]:
    """What a rule may know of a model's trainable variables, in their order."""
    layers = [layer for layer in model._flatten_layers(include_self=True) if layer._trainable_variables]
    owner = {id(v): layer for layer in layers for v in layer._trainable_variables}
    return [
        Variable(
            path=v.path,
            shape=tuple(v.shape),
            head=owner.get(id(v)) is layers[-1],
            embedding=isinstance(owner.get(id(v)), keras.layers.Embedding),
        )
        for v in model.trainable_variables
    ]
