"""The compiled trainer: whole epochs of every rule in one traced program, hyperparameters as tensors.

A trial calls it with data: which rule, its numbers, the learning rates of all steps, how to clip, the batch
size, the order of the rows. Nothing is built or traced anew, so a trial costs its arithmetic.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from optselect.clipping import CLIPPINGS
from optselect.configuration import Configuration
from optselect.rule import Rule, Scalar
from optselect.rules import RULES
from optselect.tasks.task import Task

__all__ = ["Program", "TrialState", "row_order"]

Tensor = Any
_CHUNK = 2048  # rows a call of the model in evaluation: large enough to amortise, small enough for any memory


@dataclasses.dataclass(frozen=True)
class TrialState:
    """Everything that a paused trial needs to go on: tensors and counts.

    parameters: all trainable variables in one flat vector. others: the model's non-trainable variables (batch
    norm statistics, seed generators ...). slots, scalars: the rule's state, vectors like `parameters` and single
    numbers. step, epoch: done so far. finite: False once a loss was not; such a trial does not go on.
    """

    parameters: Tensor
    others: tuple[Tensor, ...]
    slots: tuple[Tensor, ...]
    scalars: tuple[Tensor, ...]
    step: int
    epoch: int
    finite: bool


def row_order(seed: int, epoch: int, rows: int) -> np.ndarray:
    """The order of the training rows in an epoch (counts from 0), the same for all trials of a seed.

    int32, shape (rows,).
    """
    return np.random.default_rng((seed, epoch)).permutation(rows).astype(np.int32)


class Program:
    """One task's traced program. It is traced at the first call and then serves every configuration."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.model = task.build(0)
        self.rows = len(tf.nest.flatten(task.y_train)[0])
        self._parts = {
            part: tf.nest.map_structure(tf.convert_to_tensor, data)
            for part, data in (
                ("train", (task.x_train, task.y_train)),
                ("validation", (task.x_validation, task.y_validation)),
                ("test", (task.x_test, task.y_test)),
            )
        }
        variables = self.model.trainable_variables
        self._shapes = [tuple(v.shape) for v in variables]
        self._sizes = [int(np.prod(shape)) for shape in self._shapes]
        self._metrics = task.metrics()
        self._initial: dict[int, tuple[Tensor, tuple[Tensor, ...]]] = {}
        self._widest = _widest()
        self._evaluate = tf.function(self._evaluate_impl, reduce_retracing=True)
        self._epochs = tf.function(self._epochs_impl, input_signature=self._signature())

    # -- what a trial calls -----------------------------------------------------------------------------------

    def start(self, configuration: Configuration, seed: int) -> TrialState:
        """A trial before its first step: the model initialised as `task.build(seed)` does it."""
        if seed not in self._initial:
            # Keras keeps some memory of every model it builds, so one is built a seed, not one a trial.
            self._initial[seed] = _flat(self.task.build(seed))
        parameters, others = self._initial[seed]
        slots, scalars = _padded(configuration.rule.init(parameters), parameters, self._widest)
        return TrialState(parameters, others, slots, scalars, step=0, epoch=0, finite=True)

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
        rates = configuration.schedule.rates(configuration.rule.values()["learning_rate"], total_epochs * steps)
        rates = np.asarray(rates)[first * steps : (first + epochs) * steps]
        orders = np.stack([row_order(seed, first + e, self.rows) for e in range(epochs)])
        parameters, others, slots, scalars, done, finite, losses, results = self._epochs(
            state.parameters,
            state.others,
            state.slots,
            state.scalars,
            tf.constant(state.step, tf.int64),
            tf.convert_to_tensor(rates),
            tf.constant(orders),
            tf.constant(size, tf.int32),
            _selection(configuration),
        )
        finite = bool(finite)
        epochs_done = int(done) // steps if finite else min(epochs, int(done - 1) // steps + 1)
        after = TrialState(parameters, others, slots, scalars, state.step + int(done), first + epochs_done, finite)
        names = ["loss", *(f"val_{name}" for name in self.result_names)]
        table = np.concatenate([losses.numpy()[:, None], results.numpy()], axis=1)[:epochs_done]
        curves = {name: [float(v) for v in table[:, i]] for i, name in enumerate(names)}
        curves["learning_rate"] = [float(r) for r in rates[steps - 1 :: steps][:epochs_done]]
        return after, curves

    def evaluate(self, state: TrialState, part: str) -> dict[str, float]:
        """Loss and metrics on "train", "validation" or "test"."""
        values = self._evaluate(state.parameters, state.others, *self._parts[part])
        return dict(zip(self.result_names, map(float, values), strict=True))

    @property
    def result_names(self) -> list[str]:
        """The names of what an evaluation gives: loss, then the metrics."""
        return ["loss", *(metric.name for metric in self._metrics)]

    def load(self, state: TrialState, model: Any) -> None:
        """Put a state's weights into a model that the task has built."""
        for variable, value in zip(model.trainable_variables, self._unflatten(state.parameters), strict=True):
            variable.assign(value)
        for variable, value in zip(model.non_trainable_variables, state.others, strict=True):
            variable.assign(value)

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
            (spec,) * self._widest[0],
            (tf.TensorSpec((), flat.dtype),) * self._widest[1],
            tf.TensorSpec((), tf.int64),
            tf.TensorSpec((None,), tf.float32),
            tf.TensorSpec((None, self.rows), tf.int32),
            tf.TensorSpec((), tf.int32),
            numbers,
        )

    def _unflatten(self, flat: Tensor) -> list[Tensor]:
        pieces = tf.split(flat, self._sizes)
        return [tf.reshape(piece, shape) for piece, shape in zip(pieces, self._shapes, strict=True)]

    def _loss(self, y: Tensor, outputs: Tensor, extra: Sequence[Tensor]) -> Tensor:
        loss = self.task.loss(y, outputs)
        return tf.add_n([loss, *(tf.cast(term, loss.dtype) for term in extra)]) if extra else loss

    def _gradient(self, flat: Tensor, others: Any, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, list[Tensor]]:
        with tf.GradientTape() as tape:
            tape.watch(flat)
            outputs, others, extra = self.model.stateless_call(
                self._unflatten(flat), list(others), x, training=True, return_losses=True
            )
            loss = self._loss(y, outputs, extra)
        return loss, tape.gradient(loss, flat), others

    def _clip(self, grad: Tensor, selection: Mapping[str, Tensor]) -> Tensor:
        def branch(kind: Any) -> Any:
            fields = {h.name: Scalar(selection["clip_values"][i]) for i, h in enumerate(kind.hypers())}
            if not fields:
                return lambda: grad
            clip = kind.unchecked(**fields)
            return lambda: tf.concat([tf.reshape(g, [-1]) for g in clip.apply(self._unflatten(grad))], 0)

        return tf.switch_case(selection["clip"], [branch(kind) for kind in CLIPPINGS.values()])

    def _update(
        self, grad: Tensor, flat: Tensor, slots: Any, scalars: Any, step: Tensor, rate: Tensor, selection: Any
    ) -> Any:
        def branch(kind: type[Rule]) -> Any:
            def run() -> Any:
                numbers = selection["values"]
                fields = {
                    h.name: Scalar(numbers[i] > 0.5 if h.domain.boolean else numbers[i])
                    for i, h in enumerate(kind.hypers())
                }
                rule = kind.unchecked(**{**fields, "learning_rate": rate})
                names = _state_names(kind)
                state = {
                    **dict(zip(names.slots, slots, strict=False)),
                    **dict(zip(names.scalars, scalars, strict=False)),
                }
                param, state = rule.update(grad, flat, state, step)
                return (
                    param,
                    tuple(state[n] for n in names.slots) + tuple(slots[len(names.slots) :]),
                    tuple(state[n] for n in names.scalars) + tuple(scalars[len(names.scalars) :]),
                )

            return run

        return tf.switch_case(selection["rule"], [branch(kind) for kind in RULES.values()])

    def _epochs_impl(
        self,
        flat: Tensor,
        others: Any,
        slots: Any,
        scalars: Any,
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
            flat, others, slots, scalars = state
            index = order[i * size : tf.minimum((i + 1) * size, rows)]
            x, y = tf.nest.map_structure(lambda a: tf.gather(a, index), (x_all, y_all))
            loss, grad, others = self._gradient(flat, others, x, y)
            grad = self._clip(grad, selection)
            rate = tf.cast(rates[done], flat.dtype)
            flat, slots, scalars = self._update(
                grad, flat, slots, scalars, step + tf.cast(done, tf.int64) + 1, rate, selection
            )
            total += tf.cast(loss, tf.float32) * tf.cast(tf.shape(index)[0], tf.float32)
            return i + 1, done + 1, total, tf.math.is_finite(loss), order, (flat, tuple(others), slots, scalars)

        def one_epoch(e: Tensor, done: Tensor, _: Tensor, losses: Any, results: Any, state: Any) -> Any:
            _, done, total, finite, _, state = tf.while_loop(
                lambda i, done, total, finite, order, state: (i < steps) & finite,
                one_step,
                (tf.constant(0), done, tf.constant(0.0), tf.constant(True), orders[e], state),
            )
            values = self._evaluate_impl(state[0], state[1], *self._parts["validation"])
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
                (flat, tuple(others), tuple(slots), tuple(scalars)),
            ),
        )
        return *state, done, finite, losses.stack(), results.stack()

    def _evaluate_impl(self, flat: Tensor, others: Any, x_all: Tensor, y_all: Tensor) -> Tensor:
        """Loss and metrics over all rows: float32, shape (1 + metrics,)."""
        variables = self._unflatten(flat)
        rows = tf.shape(tf.nest.flatten(y_all)[0])[0]

        def one_chunk(start: Tensor, total: Tensor, states: Any) -> Any:
            stop = tf.minimum(start + _CHUNK, rows)
            x, y = tf.nest.map_structure(lambda a: a[start:stop], (x_all, y_all))
            outputs, _, extra = self.model.stateless_call(
                variables, list(others), x, training=False, return_losses=True
            )
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


# -- how rules and clippings lie in the program's tensors -------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class _StateNames:
    slots: tuple[str, ...]
    scalars: tuple[str, ...]


def _state_names(kind: type[Rule]) -> _StateNames:
    """Which of a rule's state are vectors like the variable, and which single numbers."""
    state = kind().init(tf.zeros((2,)))
    slots = tuple(name for name, value in state.items() if len(value.shape) == 1)
    return _StateNames(slots, tuple(name for name in state if name not in slots))


def _widest() -> tuple[int, int]:
    """How many vectors and numbers the greediest rule keeps."""
    names = [_state_names(kind) for kind in RULES.values()]
    return max(len(n.slots) for n in names), max(len(n.scalars) for n in names)


def _padded(state: Mapping[str, Tensor], like: Tensor, widest: tuple[int, int]) -> tuple[Any, Any]:
    slots = [v for v in state.values() if len(v.shape) == 1]
    scalars = [v for v in state.values() if len(v.shape) == 0]
    slots += [tf.zeros_like(like)] * (widest[0] - len(slots))
    scalars += [tf.zeros((), like.dtype)] * (widest[1] - len(scalars))
    return tuple(slots), tuple(scalars)


def _selection(configuration: Configuration) -> dict[str, Tensor]:
    """A configuration as tensors: which rule and clipping, and their numbers in float64."""

    def numbers(part: Any, family: Mapping[str, Any]) -> Tensor:
        width = max(len(kind.hypers()) for kind in family.values())
        values = [float(v) for v in part.values().values()]
        return tf.constant(values + [0.0] * (width - len(values)), tf.float64)

    return {
        "rule": tf.constant(list(RULES).index(configuration.rule.name)),
        "values": numbers(configuration.rule, RULES),
        "clip": tf.constant(list(CLIPPINGS).index(configuration.clipping.name)),
        "clip_values": numbers(configuration.clipping, CLIPPINGS),
    }
