"""The compiled trainer: whole trainings with any of a study's rules in one traced program, hyperparameters as tensors.

A trial calls it with data: which rule, its numbers, the learning rates of all steps, how to clip, the batch
size, the order of the rows. Nothing is built or traced anew, so a trial costs its arithmetic.
"""

from __future__ import annotations

import copy
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from optselect.optim.configuration import Configuration
from optselect.optim.rule import Rule, Variable
from optselect.optim.stepping import join, split
from optselect.task.prepared import Task
from optselect.trainer.agreement import Agreement
from optselect.trainer.compilable import own_loss
from optselect.trainer.evaluation import Judge
from optselect.trainer.feeding import Feed, is_on_disk, parts, row_order, rows_of
from optselect.trainer.forward import prepare_loss
from optselect.trainer.loops import Loops
from optselect.trainer.messages import Way
from optselect.trainer.state import Carried, TrialState
from optselect.trainer.step import FIRST_SCALE, Step

__all__ = ["Program", "facts"]

Tensor = Any
_ORDERED = 2**24  # row numbers that a call gets at once: epochs times rows


class Program:
    """One task's traced program. It is traced at the first call and then serves every configuration of its rules.

    rules: one of each kind that will be trained; their hyperparameters do not matter. seeds: those whose initial
    weights are made now; others are made when they are asked for, at a cost: seeding TensorFlow throws away its
    compiled functions, and the program is optimised anew. device: where it runs, as TensorFlow names devices; None
    leaves that to TensorFlow. way: may be changed between trainings; the last bits of a result depend on it.
    first_seconds: of the first epoch with the function that was traced last, tracing and compilation included.
    agreement: with `model.fit`, None until it was compared.
    """

    def __init__(
        self, task: Task, rules: Iterable[Rule], seeds: Iterable[int] = (), *, device: str | None = None
    ) -> None:
        rules = list(rules)
        self.task, self.device, self._form = task, device, _form(task, rules)
        self.way: Way = "graph"
        self.model = task.build(0)
        self.variables = facts(self.model)
        with tf.device(device):
            self.step = Step(task, self.model, self.variables, rules)
            self.layouts = self.step.layouts
            self.feed = Feed(task)
            if own_loss(self.model):
                prepare_loss(task, self.model, self.feed.few())
            # Keras keeps some memory of every model it builds, so one is built a seed, not one a trial.
            self._initial = {seed: _flat(task.build(seed)) for seed in seeds}
        self._loops, self._judge = Loops(self.step), Judge(self.step)
        self._traced: dict[Any, Any] = {}
        self._few = tf.function(self._loops.graph, autograph=False, reduce_retracing=True)
        self._add = tf.function(self._judge.add, autograph=False, reduce_retracing=True)
        self._results = tf.function(self._judge.results, autograph=False)
        self._evaluation_seconds = self.first_seconds = 0.0
        self.agreement: Agreement | None = None

    def rest(self) -> None:
        """Let go of the task's data; what is traced stays for a task of the same form."""
        del self.task, self.step.task, self.feed

    def serves(self, task: Task, rules: Iterable[Rule] | None = None) -> bool:
        """Whether tracing for another task would give the same again, but for the names of layers.

        rules: None for those that it has.
        """
        return bool(self._form == _form(task, [x.rule for x in self.layouts.values()] if rules is None else rules))

    def over(self, task: Task, seeds: Iterable[int] = ()) -> Program:
        """The program of a task that it `serves`, with nothing traced anew; this one is not to be used any more
        beside it, unless that differs in its rows alone.
        """
        other = copy.copy(self)
        other.task = other.step.task = task
        with tf.device(self.device):
            other.feed = Feed(task)
            other._initial = {s: self._initial[s] if s in self._initial else _flat(task.build(s)) for s in seeds}
        return other

    def start(self, configuration: Configuration, seed: int) -> TrialState:
        """A trial before its first step: the model initialised as `task.build(seed)` does it."""
        with tf.device(self.device):
            if seed not in self._initial:
                self._initial[seed] = _flat(self.task.build(seed))
            parameters, others = self._initial[seed]
            layout = self.layouts[configuration.rule.key]
            slots, rest = self.step.packed(layout, layout.init(configuration.rule, parameters))
            slots = (*slots, *[tf.zeros_like(parameters)] * (self.step.slots - len(slots)))
            scale = tf.constant([FIRST_SCALE if self.step.scaled else 1.0, 0.0])
            return TrialState(Carried(parameters, others, slots, rest, tf.constant(0, tf.int64), scale))

    def train(
        self, state: TrialState, configuration: Configuration, *, seed: int, epochs: int, total_epochs: int
    ) -> tuple[TrialState, dict[str, list[float]], float]:
        """Train `epochs` more of a training of `total_epochs`.

        The new state; the curves, one entry an epoch; the seconds of one step. Stops at the first batch whose loss
        is not finite; that epoch's entries are NaN.
        """
        size = min(configuration.batch_size, self.feed.rows)
        rates = self.rates(configuration, total_epochs)
        end = min(state.epoch + epochs, total_epochs)
        table, seconds = [], []
        with tf.device(self.device):
            given, selection = tf.convert_to_tensor(rates), self.step.selection(configuration)
            while state.epoch < end and state.finite:
                began, before, traced = time.perf_counter(), state.epoch, len(self._traced)
                if self.feed.on_disk:
                    state, found = self._from_disk(state, seed, size, given, selection)
                else:
                    state, found = self._in_memory(state, end, seed, size, given, selection)
                table.extend(found)
                took = (time.perf_counter() - began) / (state.epoch - before)
                if len(self._traced) > traced:
                    self.first_seconds = took
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
        """The figures of the epochs up to `end`, a line each: sums over the steps, how many steps, results."""
        table = np.asarray(lines, float).reshape(-1, 4 + len(self.result_names))
        steps = np.maximum(table[:, 3], 1)
        found = {"loss": table[:, 0] / self.feed.rows, "gradient_norm": table[:, 1] / steps}
        if configuration.clipping.hypers():
            found["clipped"] = table[:, 2] / steps
        found |= {f"val_{name}": table[:, 4 + i] for i, name in enumerate(self.result_names)}
        last = np.arange(end - len(table) + 1, end + 1) * self.steps(configuration) - 1
        found["learning_rate"] = rates[np.minimum(last, len(rates) - 1)]
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
        with tf.device(self.device):
            data, orders = self.feed.batches(seed, size, steps)
            rates = tf.fill([state.step + steps], tf.constant(rate, tf.float32))
            selection = self.step.selection(configuration)
            carried, sums, finite = state.carried, tf.zeros(3), tf.constant(True)
            for order in (orders[: (steps - late) * size], orders[(steps - late) * size :]):
                carried, sums, _, finite = self._few(carried, data, order, tf.constant(size), rates, selection, finite)
            if not finite:
                return float("nan"), float("nan")
            after = TrialState(carried)
        return float(sums[0]) / (late * size), self.evaluate(after, configuration, "validation")["loss"]

    def evaluate(self, state: TrialState, configuration: Configuration, part: str) -> dict[str, float]:
        """Loss and metrics on "train", "validation" or "test"."""
        with tf.device(self.device):
            found, _ = self._evaluated(self.point(state, configuration), state.carried.others, part)
            return dict(zip(self.result_names, found, strict=True))

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
        point = split(self.point(state, configuration), self.variables)
        for variable, value in zip(model.trainable_variables, point, strict=True):
            variable.assign(value)
        for variable, value in zip(model.non_trainable_variables, state.carried.others, strict=True):
            variable.assign(value)

    def point(self, state: TrialState, configuration: Configuration) -> Tensor:
        """Where the model is judged, as a flat vector."""
        layout = self.layouts[configuration.rule.key]
        now = state.carried
        return layout.evaluated(configuration.rule, now.parameters, layout.unpack(now.slots, now.rest))

    def memory(self, configuration: Configuration) -> int:
        """Bytes of the parameters and of the state that the rule depends on with these hyperparameters."""
        entries = sum(int(np.prod(v.shape)) for v in self.variables)
        return int(4 * (entries + self.layouts[configuration.rule.key].used(configuration.rule)))

    def operations(self) -> Counter[str]:
        """How many TensorFlow operations of each kind have been traced."""
        graphs = [
            concrete.graph.as_graph_def()
            for call in self._traced.values()
            for concrete in call._list_all_concrete_functions()
        ]
        functions = [function for graph in graphs for function in graph.library.function]
        return Counter(
            [node.op for graph in graphs for node in graph.node] + [n.op for f in functions for n in f.node_def]
        )

    @property
    def result_names(self) -> list[str]:
        """The names of what an evaluation gives: loss, then the metrics."""
        return self._judge.names

    def _in_memory(
        self, state: TrialState, end: int, seed: int, size: int, rates: Tensor, selection: Any
    ) -> tuple[TrialState, list[Any]]:
        """Train and judge all epochs before `end`, as many as one call takes; a line of figures an epoch.

        A function that is called for the first time gets one epoch: tracing is not to be taken for steps.
        """
        rows, data = self.feed.rows, next(self.feed.chunks("train"))
        fixed = (size, rows) if self.way == "xla" else None
        last = min(end, state.epoch + (max(1, _ORDERED // rows) if fixed in self._traced else 1))
        orders = np.stack([row_order(seed, epoch, rows) for epoch in range(state.epoch, last)])
        validation = next(self.feed.chunks("validation"))
        given = (state.carried, data, tf.convert_to_tensor(orders), tf.constant(size), rates, selection, validation)
        if fixed not in self._traced:
            self._traced[fixed] = self._epochs(fixed, given)
        carried, table, epochs, steps, finite = self._traced[fixed](*given)
        count = int(epochs)
        after = TrialState(carried, step=state.step + int(steps), epoch=state.epoch + count, finite=bool(finite))
        return after, list(table.numpy()[:count])

    def _epochs(self, fixed: tuple[int, int] | None, given: Any) -> Any:
        """The traced function for such data: one for all batch sizes, but for XLA, which wants batch and rows fixed."""

        def run(
            carried: Any, data: Any, orders: Tensor, size: Tensor, rates: Tensor, selection: Any, validation: Any
        ) -> Any:
            epochs, width = tf.shape(orders)[0], 4 + len(self.result_names)

            def results(carried: Any) -> tuple[Tensor, Any]:
                point = self.step.judged(carried, rates, selection)
                totals = self._judge.add(point, validation, self._judge.nothing(carried.others))
                return self._judge.results(totals), totals[-1]

            def one(epoch: Tensor, _: Tensor, steps: Tensor, carried: Any, table: Any) -> Any:
                order = orders[epoch]
                if fixed is None:
                    after = self._loops.graph(carried, data, order, size, rates, selection)
                else:
                    after = self._loops.xla(carried, data, order, *fixed, rates, selection)
                carried, sums, done, finite = after
                nothing = tf.fill([width - 4], float("nan"))
                found, others = tf.cond(finite, lambda: results(carried), lambda: (nothing, carried.others))
                carried = carried._replace(others=others)
                line = tf.concat([sums, [tf.cast(done, tf.float32)], found], 0)
                return epoch + 1, finite & tf.math.is_finite(found[0]), steps + done, carried, table.write(epoch, line)

            table = tf.TensorArray(tf.float32, size=epochs, element_shape=(width,))
            done, finite, steps, carried, table = tf.while_loop(
                lambda epoch, finite, *_: (epoch < epochs) & finite,
                one,
                (tf.constant(0), tf.constant(True), tf.constant(0), carried, table),
            )
            return carried, table.stack(), done, steps, finite

        carried, data, orders, size, rates, selection, validation = given
        exact = (_as_given(carried), _as_given(data) if fixed else _free(data))
        order = tf.TensorSpec((None, fixed[1] if fixed else None), orders.dtype)
        signature = (*exact, order, _as_given(size), _free(rates), _as_given(selection), _free(validation))
        return tf.function(run, autograph=False, input_signature=signature)

    def _from_disk(
        self, state: TrialState, seed: int, size: int, rates: Tensor, selection: Any
    ) -> tuple[TrialState, list[Any]]:
        """Train and judge one epoch, chunk by chunk; one line of figures."""
        carried: Any = state.carried
        sums, steps, finite = np.zeros(3), 0, True
        for data, order, _ in self.feed.epoch(seed, state.epoch, size):
            rows = rows_of(data)
            fixed = (size, rows) if self.way == "xla" and rows >= size else None
            loop = self._loops.xla if fixed else self._loops.graph
            if fixed not in self._traced:
                self._traced[fixed] = tf.function(loop, autograph=False, reduce_retracing=True)
            length = fixed or (tf.constant(size),)
            found = self._traced[fixed](carried, data, order, *length, rates, selection)
            carried, more, done, good = found
            sums, steps, finite = sums + more.numpy(), steps + int(done), bool(good)
            if not finite:
                break
        results = [float("nan")] * len(self.result_names)
        if finite:
            point = self.step.judged(carried, rates, selection)
            results, others = self._evaluated(point, carried.others, "validation")
            carried = carried._replace(others=others)
        finite = finite and bool(np.isfinite(results[0]))
        after = TrialState(carried, step=state.step + steps, epoch=state.epoch + 1, finite=finite)
        return after, [[*sums, steps, *results]]

    def _evaluated(self, point: Tensor, others: Any, part: str) -> tuple[list[float], Any]:
        """Loss and metrics, and the model's other variables after them."""
        totals = self._judge.nothing(others)
        for data in self.feed.chunks(part):
            totals = self._add(point, data, totals)
        return [float(value) for value in self._results(totals)], totals[-1]


def _form(task: Task, rules: Iterable[Rule]) -> Any:
    """All that a program depends on but for the rows of its data."""
    targets = [(t.name, t.kind, len(t.classes), t.shape) for t in task.spec.targets]
    data = parts(task)  # weights of classes are in the training part alone
    arrays = tf.nest.map_structure(lambda a: (str(a.dtype), *a.shape[1:]), data)
    return (
        [(rule.key, [part.chosen() for part in rule.parts]) for rule in rules],
        task.spec.model,
        task.spec.precision,
        targets,
        arrays,
        is_on_disk(data["train"]),
    )


def _as_given(tree: Any) -> Any:
    return tf.nest.map_structure(lambda a: tf.TensorSpec(a.shape, a.dtype), tree)


def _free(tree: Any) -> Any:
    """Of any length: one trace serves every number of epochs and rows."""
    return tf.nest.map_structure(lambda a: tf.TensorSpec((None, *a.shape[1:]), a.dtype), tree)


def _flat(model: Any) -> tuple[Tensor, tuple[Tensor, ...]]:
    """A model's trainable variables in one vector, and copies of the others."""
    return join([v.value for v in model.trainable_variables]), tuple(
        tf.identity(v.value) for v in model.non_trainable_variables
    )


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
