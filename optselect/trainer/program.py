"""Whole trainings of a task with any of a study's rules by one traced program, hyperparameters as tensors.

A trial calls it with data: which rule, its numbers, the learning rates of all steps, how to clip, the batch
size, the order of the rows. Nothing is built or traced anew, so a trial costs its arithmetic.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from optselect.optim.configuration import Configuration
from optselect.optim.rule import Rule
from optselect.optim.stepping import join, split
from optselect.task.prepared import Task
from optselect.trainer.feeding import Feed, row_order, rows_of
from optselect.trainer.messages import Way
from optselect.trainer.state import Carried, TrialState
from optselect.trainer.step import FIRST_SCALE
from optselect.trainer.traced import Traced
from optselect.trainer.watching import Terms, Watch, begun, ran_at, terms, watched

__all__ = ["Kept", "Program", "Weights"]

Tensor = Any
Weights = tuple[Tensor, tuple[Tensor, ...]]
"""A model's trainable variables in one vector, and its other variables."""

_ORDERED = 2**24  # row numbers that a call gets at once: epochs times rows


class Kept(NamedTuple):
    """What outlives a task: the traced functions, and the initial weights by seed."""

    traced: Traced
    initial: Mapping[int, Weights]

    def over(self, task: Task, seeds: Iterable[int] = ()) -> Program:
        """The program of a task that `traced` serves."""
        with tf.device(self.traced.device):
            return Program(self.traced, Feed(task), _initial(task, seeds, self.initial))


class Program:
    """A task's rows and initial weights for what was traced. Programs of several tasks share one `Traced`.

    feed: of the task; that of another split of it may take its place between trainings. initial: weights by seed,
    where they are known; others are made when they are asked for, at a cost: seeding TensorFlow throws away its
    compiled functions, and the program is optimised anew. way: may be changed between trainings; the last bits of a
    result depend on it. keeps: whether what is traced keeps the weights of the best epoch, where epochs are watched;
    None where they are not, but for a schedule. A task without early stopping can use what was traced for one with it.
    """

    def __init__(self, traced: Traced, feed: Feed, initial: Mapping[int, Weights] | None = None) -> None:
        self.traced, self.feed = traced, feed
        self.way: Way = "graph"
        self._stopping = feed.task.stopping
        self.keeps: bool | None = self._stopping.restore_best_weights if self._stopping else None
        # Keras keeps some memory of every model it builds, so one is built a seed, not one a trial.
        self._initial = dict(initial or {})
        self._evaluation_seconds = 0.0

    @classmethod
    def of(cls, task: Task, rules: Iterable[Rule], seeds: Iterable[int] = (), *, device: str | None = None) -> Program:
        """A program with everything of its own; the rest is as in `Traced`. seeds: those whose weights are made now."""
        return Kept(Traced(task, rules, device=device), {}).over(task, seeds)

    @property
    def task(self) -> Task:
        """The one that is trained."""
        return self.feed.task

    @property
    def kept(self) -> Kept:
        """What another task of the same form can use."""
        return Kept(self.traced, self._initial)

    def start(self, configuration: Configuration, seed: int) -> TrialState:
        """A trial before its first step: the model initialised as `task.build(seed)` does it."""
        with tf.device(self.traced.device):
            if seed not in self._initial:
                self._initial[seed] = _flat(self.task.build(seed))
            step, (parameters, others) = self.traced.step, self._initial[seed]
            layout = step.layouts[configuration.rule.key]
            slots, rest = step.packed(layout, layout.init(configuration.rule, parameters))
            slots = (*slots, *[tf.zeros_like(parameters)] * (step.slots - len(slots)))
            scale = tf.constant([FIRST_SCALE if step.scaled else 1.0, 0.0])
            carried = Carried(parameters, others, slots, rest, tf.constant(0, tf.int64), scale)
            return TrialState(carried, watch=self._begun(configuration, carried))

    def train(
        self, state: TrialState, configuration: Configuration, *, seed: int, epochs: int, total_epochs: int
    ) -> tuple[TrialState, dict[str, list[float]], float]:
        """Train `epochs` more of a training of `total_epochs`.

        The new state; the curves, one entry an epoch; the seconds of one step. Stops at the first batch whose loss
        is not finite, that epoch's entries are NaN; and where early stopping has it.
        """
        size = min(configuration.batch_size, self.feed.rows)
        rates = self.rates(configuration, total_epochs)
        end = min(state.epoch + epochs, total_epochs)
        table, seconds = [], []
        with tf.device(self.traced.device):
            given, selection = tf.convert_to_tensor(rates), self.traced.step.selection(configuration)
            asked = self.terms(configuration) if state.watch else ()
            while state.epoch < end and state.going:
                began, before, traced = time.perf_counter(), state.epoch, len(self.traced.functions)
                if self.feed.on_disk:
                    state, found = self._from_disk(state, seed, size, given, selection, asked)
                else:
                    state, found = self._in_memory(state, end, seed, size, given, selection, asked)
                table.extend(found)
                took = (time.perf_counter() - began) / (state.epoch - before)
                if len(self.traced.functions) > traced:
                    self.traced.first_seconds = took
                seconds.append(max(0.0, took - self._evaluation_seconds) / self.steps(configuration))
        return state, self.curves(configuration, rates, table, state.epoch), min(seconds, default=0.0)

    def steps(self, configuration: Configuration) -> int:
        """How many an epoch has."""
        return configuration.steps_per_epoch(self.feed.rows)

    def rates(self, configuration: Configuration, total_epochs: int) -> np.ndarray:
        """The learning rate of every step of a whole training: a part computed by itself can differ in the last bit."""
        base = configuration.learning_rate
        return np.asarray(configuration.schedule.rates(base, total_epochs * self.steps(configuration)))

    def curves(
        self, configuration: Configuration, rates: np.ndarray, lines: Sequence[Any], end: int
    ) -> dict[str, list[float]]:
        """The figures of the epochs up to `end`, a line each: sums over the steps, how many steps, results, and, where
        epochs are watched, the rate to which the schedule's was reduced, NaN where it was not.
        """
        names = self.traced.result_names
        table = np.asarray(lines, float).reshape(len(lines), -1 if lines else 4 + len(names))
        steps = np.maximum(table[:, 3], 1)
        found = {"loss": table[:, 0] / self.feed.rows, "gradient_norm": table[:, 1] / steps}
        if configuration.clipping.hypers():
            found["clipped"] = table[:, 2] / steps
        found |= {f"val_{name}": table[:, 4 + i] for i, name in enumerate(names)}
        last = np.arange(end - len(table) + 1, end + 1) * self.steps(configuration) - 1
        found["learning_rate"] = rates[np.minimum(last, len(rates) - 1)]
        for reduced in table.T[4 + len(names) :]:
            found["learning_rate"] = np.where(np.isnan(reduced), found["learning_rate"], reduced)
        return {name: [float(value) for value in values] for name, values in found.items()}

    def try_rate(
        self, state: TrialState, configuration: Configuration, *, seed: int, rate: float, steps: int
    ) -> tuple[float, float]:
        """`steps` whole batches from `state` at a constant rate: the mean loss over their last quarter, and the
        validation loss after them.

        NaN where a loss was not finite. Of data on disk it sees no more than one chunk.
        """
        size = min(configuration.batch_size, self.feed.rows)
        late = steps - steps * 3 // 4
        with tf.device(self.traced.device):
            data, orders = self.feed.batches(seed, size, steps)
            rates = tf.fill([state.step + steps], tf.constant(rate, tf.float32))
            selection = self.traced.step.selection(configuration)
            carried, sums, finite = state.carried, tf.zeros(3), tf.constant(True)
            for order in (orders[: (steps - late) * size], orders[(steps - late) * size :]):
                carried, sums, _, finite = self.traced.batches(
                    carried, data, order, tf.constant(size), rates, selection, finite
                )
            if not finite:
                return float("nan"), float("nan")
            after = TrialState(carried)
        return float(sums[0]) / (late * size), self.evaluate(after, configuration, "validation")["loss"]

    def evaluate(
        self, state: TrialState, configuration: Configuration, part: str, *, further: bool = False
    ) -> dict[str, float]:
        """Loss and metrics on "train", "validation" or "test"; further: those too that not every epoch asks for."""
        with tf.device(self.traced.device):
            point, others = self.weights(state, configuration)
            return self.traced.evaluate(point, others, self.feed.chunks(part), further=further)[0]

    def time_evaluation(self, state: TrialState, configuration: Configuration) -> None:
        """Measure what an epoch's evaluation costs, so that the time of a step can be told without it."""
        taken = []
        for _ in range(3):
            began = time.perf_counter()
            self.evaluate(state, configuration, "validation")
            taken.append(time.perf_counter() - began)
        self._evaluation_seconds = min(taken)

    def load(self, state: TrialState, configuration: Configuration, model: Any) -> None:
        """Put a state's weights, where the model is judged, into a model that the task has built."""
        point, others = self.weights(state, configuration)
        for variable, value in zip(model.trainable_variables, split(point, self.traced.variables), strict=True):
            variable.assign(value)
        for variable, value in zip(model.non_trainable_variables, others, strict=True):
            variable.assign(value)

    def weights(self, state: TrialState, configuration: Configuration) -> Weights:
        """Where the model is judged: those of the best epoch where early stopping restores them."""
        now, watch = state.carried, state.watch
        if watch and watch.kept and watch.best_epoch:
            return self.traced.restored(watch.kept, now.others)
        layout = self.traced.step.layouts[configuration.rule.key]
        return layout.evaluated(configuration.rule, now.parameters, layout.unpack(now.slots, now.rest)), now.others

    def terms(self, configuration: Configuration) -> Terms:
        """The numbers of what watches its epochs."""
        return terms(self._stopping, configuration.schedule, self.traced.result_names)

    def best_epoch(self, state: TrialState) -> int:
        """The epoch whose weights a training keeps, counted from 1; 0 without early stopping."""
        restored = int(state.watch.best_epoch) if state.watch and state.watch.kept else 0
        return (restored or state.epoch) if self._stopping else 0

    def judged(self, state: TrialState) -> dict[str, float]:
        """What validation says of the weights that are kept; empty where no epoch was watched."""
        found = state.watch.figures.numpy() if state.watch and state.epoch else ()
        return {f"val_{name}": float(value) for name, value in zip(self.traced.result_names, found, strict=False)}

    def memory(self, configuration: Configuration) -> int:
        """Bytes of the parameters and of the state that the rule depends on with these hyperparameters."""
        entries = sum(int(np.prod(v.shape)) for v in self.traced.variables)
        return int(4 * (entries + self.traced.step.layouts[configuration.rule.key].used(configuration.rule)))

    def _begun(self, configuration: Configuration, carried: Carried) -> Watch | tuple[()]:
        """What callbacks have seen before the first epoch; empty where there are none."""
        watches = bool(configuration.schedule.watcher)
        if self.keeps is None and not watches:
            return ()
        kept = self.traced.kept(carried.parameters, carried.others) if self.keeps else ()
        return begun(kept, len(self.traced.result_names), configuration.learning_rate if watches else None)

    def _in_memory(
        self, state: TrialState, end: int, seed: int, size: int, rates: Tensor, selection: Any, asked: Any
    ) -> tuple[TrialState, list[Any]]:
        """Train and judge all epochs before `end`, as many as one call takes; a line of figures an epoch.

        A function that is called for the first time gets one epoch: tracing is not to be taken for steps.
        """
        rows, data = self.feed.rows, next(self.feed.chunks("train"))
        fixed = (size, rows) if self.way == "xla" else None
        form = self.traced.form(fixed, state.watch)
        last = min(end, state.epoch + (max(1, _ORDERED // rows) if form in self.traced.functions else 1))
        orders = np.stack([row_order(seed, epoch, rows) for epoch in range(state.epoch, last)])
        validation = next(self.feed.chunks("validation"))
        begun = state.carried, state.watch, data, tf.convert_to_tensor(orders), tf.constant(size), rates
        carried, watch, table, epochs, steps, finite = self.traced.epochs(fixed, (*begun, selection, validation, asked))
        count = int(epochs)
        done = {"step": state.step + int(steps), "epoch": state.epoch + count}
        return TrialState(carried, **done, finite=bool(finite), watch=watch), list(table.numpy()[:count])

    def _from_disk(
        self, state: TrialState, seed: int, size: int, rates: Tensor, selection: Any, asked: Any
    ) -> tuple[TrialState, list[Any]]:
        """Train and judge one epoch, chunk by chunk; one line of figures."""
        carried: Any = state.carried
        watch, weights = state.watch, state.watch and state.watch.kept
        rates = ran_at(watch, rates) if watch else rates
        sums, steps, finite = np.zeros(3), 0, True
        for data, order, _ in self.feed.epoch(seed, state.epoch, size):
            rows = rows_of(data)
            fixed = (size, rows) if self.way == "xla" and rows >= size else None
            carried, more, done, good = self.traced.chunk(fixed, carried, data, order, size, rates, selection)
            sums, steps, finite = sums + more.numpy(), steps + int(done), bool(good)
            if not finite:
                break
        results = [float("nan")] * len(self.traced.result_names)
        if finite:
            point = self.traced.step.judged(carried, rates, selection)
            found, others = self.traced.evaluate(point, carried.others, self.feed.chunks("validation"))
            results = [found[name] for name in self.traced.result_names]
            carried = carried._replace(others=others)
            weights = self.traced.kept(point, others) if weights else ()
        finite = finite and bool(np.isfinite(results[0]))
        line = [*sums, steps, *results]
        if watch:
            line.append(float(watch.rate))
            watch = watched(watch, asked, tf.constant([sums[0] / self.feed.rows, *results], tf.float32), weights)
        done = {"step": state.step + steps, "epoch": state.epoch + 1}
        return TrialState(carried, **done, finite=finite, watch=watch), [line]


def _initial(task: Task, seeds: Iterable[int], known: Mapping[int, Weights]) -> dict[int, Weights]:
    """The initial weights of some seeds, those that are not known made now."""
    return {seed: known[seed] if seed in known else _flat(task.build(seed)) for seed in seeds}


def _flat(model: Any) -> Weights:
    """Copies of a model's variables."""
    return join([v.value for v in model.trainable_variables]), tuple(
        tf.identity(v.value) for v in model.non_trainable_variables
    )
