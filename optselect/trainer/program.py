"""The compiled trainer: whole epochs of all of a study's rules in one traced program, hyperparameters as tensors.

A trial calls it with data: which rule, its numbers, the learning rates of all steps, how to clip, the batch
size, the order of the rows. Nothing is built or traced anew, so a trial costs its arithmetic.
"""

from __future__ import annotations

import time
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
from optselect.trainer.feeding import Feed, Part, rows_of
from optselect.trainer.jobs import Way
from optselect.trainer.layout import Layout
from optselect.trainer.state import Carried, TrialState

__all__ = ["Program", "facts"]

Tensor = Any
_CHUNK = 2048  # rows a call of the model in evaluation: large enough to amortise, small enough for any memory
_FIRST_SCALE, _GROWTH_STEPS = 2.0**15, 2000  # keras.optimizers.LossScaleOptimizer's


class Program:
    """One task's traced program. It is traced at the first call and then serves every configuration of its rules.

    rules: one of each kind that will be trained; their hyperparameters do not matter. seeds: those whose initial
    weights are made now; others are made when they are asked for, at a cost: seeding TensorFlow throws away its
    compiled functions, and the program is optimised anew. device: where it runs, as TensorFlow names devices; None
    leaves that to TensorFlow. way: may be changed between trainings; the last bits of a result depend on it.
    """

    def __init__(
        self, task: Task, rules: Iterable[Rule], seeds: Iterable[int] = (), *, device: str | None = None
    ) -> None:
        self.task, self.device = task, device
        self.way: Way = "graph"
        self.model = task.build(0)
        self.variables = facts(self.model)
        self._metrics = task.metrics()
        self._scaled = any(getattr(layer, "compute_dtype", "") == "float16" for layer in self.model._flatten_layers())
        with tf.device(device):
            flat, _ = _flat(self.model)
            self.layouts = {rule.key: Layout(rule, flat, self.variables) for rule in rules}
            self.slots = max(layout.slots for layout in self.layouts.values())
            self.rest = max(layout.rest for layout in self.layouts.values())
            self._numbers = max(len(layout.flags) for layout in self.layouts.values())
            self.feed = Feed(task)
            # Keras keeps some memory of every model it builds, so one is built a seed, not one a trial.
            self._initial = {seed: _flat(task.build(seed)) for seed in seeds}
        self._epochs: dict[Any, Any] = {}
        self._steps_xla = tf.function(self._steps_xla_impl, autograph=False, jit_compile=True)
        self._few = tf.function(self._steps, autograph=False, reduce_retracing=True)
        self._evaluate = tf.function(self.add_rows, autograph=False, reduce_retracing=True)
        self._results = tf.function(self.results, autograph=False)
        self._evaluation_seconds = 0.0

    # -- what a trial calls -----------------------------------------------------------------------------------

    def start(self, configuration: Configuration, seed: int) -> TrialState:
        """A trial before its first step: the model initialised as `task.build(seed)` does it."""
        with tf.device(self.device):
            if seed not in self._initial:
                self._initial[seed] = _flat(self.task.build(seed))
            parameters, others = self._initial[seed]
            layout = self.layouts[configuration.rule.key]
            slots, rest = self._packed(layout, layout.init(configuration.rule, parameters))
            slots = (*slots, *[tf.zeros_like(parameters)] * (self.slots - len(slots)))
            scale = tf.constant([_FIRST_SCALE if self._scaled else 1.0, 0.0])
            return TrialState(Carried(parameters, others, slots, rest, tf.constant(0, tf.int64), scale))

    def train(
        self, state: TrialState, configuration: Configuration, *, seed: int, epochs: int, total_epochs: int
    ) -> tuple[TrialState, dict[str, list[float]], float]:
        """Train `epochs` more of a training of `total_epochs`.

        The new state; the curves, one entry an epoch; the seconds of one step. Stops at the first batch whose loss
        is not finite; that epoch's entries are NaN.
        """
        rows = self.feed.rows
        size = min(configuration.batch_size, rows)
        steps = -(-rows // size)
        # Of the whole training: a part computed by itself can differ in the last bit.
        rates = np.asarray(
            configuration.schedule.rates(configuration.rule.base.values()["learning_rate"], total_epochs * steps)
        )
        names = ["loss", "gradient_norm", "clipped", *(f"val_{name}" for name in self.result_names)]
        table, seconds = [], []
        with tf.device(self.device):
            given, selection = tf.convert_to_tensor(rates), self.selection(configuration)
            for epoch in range(state.epoch, min(state.epoch + epochs, total_epochs)):
                began = time.perf_counter()
                state, row = self._one_epoch(state, epoch, seed, size, given, selection)
                table.append(row)
                seconds.append((time.perf_counter() - began - self._evaluation_seconds) / steps)
                if not state.finite:
                    break
        curves = {name: [float(row[i]) for row in table] for i, name in enumerate(names)}
        if not configuration.clipping.hypers():
            del curves["clipped"]
        last = [min(steps * (state.epoch - k), len(rates)) - 1 for k in range(len(table))][::-1]
        curves["learning_rate"] = [float(rates[i]) for i in last]
        return state, curves, max(0.0, float(np.median(seconds))) if seconds else 0.0

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
            rates, selection = (
                tf.fill([state.step + steps], tf.constant(rate, tf.float32)),
                self.selection(configuration),
            )
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
            point, totals = self.point(state, configuration), self.no_totals()
            for data in self.feed.chunks(part):
                totals = self._evaluate(point, state.carried.others, data, totals)
            return dict(zip(self.result_names, map(float, self._results(totals)), strict=True))

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
        """Bytes of the parameters and of the rule's state."""
        layout = self.layouts[configuration.rule.key]
        entries = sum(int(np.prod(v.shape)) for v in self.variables)
        return int(4 * (entries * (1 + layout.slots) + layout.rest))

    def operations(self) -> set[str]:
        """The kinds of TensorFlow operations in what has been traced."""
        graphs = [
            concrete.graph.as_graph_def()
            for call in self._epochs.values()
            for concrete in call._list_all_concrete_functions()
        ]
        nested = [function for graph in graphs for function in graph.library.function]
        return {node.op for graph in graphs for node in graph.node} | {n.op for f in nested for n in f.node_def}

    @property
    def result_names(self) -> list[str]:
        """The names of what an evaluation gives: loss, then the metrics."""
        return ["loss", *(metric.name for metric in self._metrics)]

    def selection(self, configuration: Configuration) -> dict[str, Tensor]:
        """A configuration as tensors: which rule and clipping, and their numbers in float64."""
        widest = max(len(kind.hypers()) for kind in CLIPPINGS.values())
        return {
            "rule": tf.constant(list(self.layouts).index(configuration.rule.key)),
            "values": _numbers(configuration.rule.numbers(), self._numbers),
            "clip": tf.constant(list(CLIPPINGS).index(configuration.clipping.name)),
            "clip_values": _numbers(configuration.clipping.values().values(), widest),
        }

    # -- an epoch ---------------------------------------------------------------------------------------------

    def _one_epoch(
        self, state: TrialState, epoch: int, seed: int, size: int, rates: Tensor, selection: Any
    ) -> tuple[TrialState, list[float]]:
        """Train and judge; the curves' entries as in `train`."""
        carried: Any = state.carried
        sums, done, finite, totals = np.zeros(3), 0, True, self.no_totals()
        validation = self.feed.chunks("validation")
        first = next(validation)
        for data, order, last in self.feed.epoch(seed, epoch, size):
            # The last piece of the epoch and the first of the validation part go in one call: mostly the only one.
            given = (carried, data, order, tf.constant(size), rates, selection, first, totals)
            carried, more, steps, good, totals = self._epoch_function(size, given, judge=last)(*given)
            sums, done, finite = sums + more.numpy(), done + int(steps), bool(good)
            if not finite:
                break
        results = [float("nan")] * len(self.result_names)
        if finite:
            point = self.judged(carried, rates, selection)
            for data in validation:
                totals = self._evaluate(point, carried.others, data, totals)
            results = [float(v) for v in self._results(totals)]
        state = TrialState(
            carried, step=state.step + done, epoch=epoch + 1, finite=finite and bool(np.isfinite(results[0]))
        )
        return state, [sums[0] / self.feed.rows, sums[1] / max(done, 1), sums[2] / max(done, 1), *results]

    def _epoch_function(self, size: int, given: Any, *, judge: bool) -> Any:
        """The traced function for such pieces of data: one for all batch sizes, but for XLA, which wants them fixed."""
        rows = rows_of(given[1])
        fixed = (size, rows) if self.way == "xla" and rows >= size else None
        key = (fixed, judge)
        if key not in self._epochs:

            def run(
                carried: Any, data: Any, order: Any, size: Any, rates: Any, selection: Any, ahead: Any, totals: Any
            ) -> Any:
                if fixed is None:
                    after = self._steps(carried, data, order, size, rates, selection)
                else:
                    after = self._steps_fixed(carried, data, order, *fixed, rates, selection)
                carried, sums, done, finite = after
                if judge:
                    totals = tf.cond(
                        finite,
                        lambda: self.add_rows(self.judged(carried, rates, selection), carried.others, ahead, totals),
                        lambda: totals,
                    )
                return carried, sums, done, finite, totals

            self._epochs[key] = tf.function(run, autograph=False, input_signature=self._signature(given, fixed))
        return self._epochs[key]

    def _signature(self, given: Any, fixed: Any) -> Any:
        """Shapes known, lengths free: one trace serves every number of epochs and every batch size."""

        def free(tree: Any) -> Any:
            return tf.nest.map_structure(lambda a: tf.TensorSpec((None, *a.shape[1:]), a.dtype), tree)

        carried, data, order, size, rates, selection, ahead, totals = given
        exact = tf.nest.map_structure(lambda a: tf.TensorSpec(a.shape, a.dtype), (carried, size, selection, totals))
        rows = tf.nest.map_structure(lambda a: tf.TensorSpec(a.shape, a.dtype), (data, order))
        data, order = rows if fixed else free((data, order))
        return exact[0], data, order, exact[1], free(rates), exact[2], free(ahead), exact[3]

    def _steps(
        self,
        carried: Any,
        data: Part,
        order: Tensor,
        size: Tensor,
        rates: Tensor,
        selection: Any,
        finite: Tensor | bool = True,
    ) -> Any:
        """All batches of `order`, the last perhaps a smaller one: carried, sums, steps, whether all was finite."""
        rows = tf.shape(order)[0]
        steps = -(-rows // size)

        def body(i: Tensor, _: Tensor, sums: Tensor, carried: Any) -> Any:
            index = order[i * size : tf.minimum((i + 1) * size, rows)]
            batch = tf.nest.map_structure(lambda a: tf.gather(a, index), data)
            rate = rates[tf.cast(carried.updates, tf.int32)]
            carried, figures, good = self.advance(carried, batch, tf.shape(index)[0], rate, selection)
            return i + 1, good, sums + figures, carried

        done, finite, sums, carried = tf.while_loop(
            lambda i, good, *_: (i < steps) & good,
            body,
            (tf.constant(0), tf.convert_to_tensor(finite), tf.zeros(3), carried),
        )
        return carried, sums, done, finite

    def _steps_fixed(
        self, carried: Any, data: Part, order: Tensor, size: int, rows: int, rates: Tensor, selection: Any
    ) -> Any:
        """The same: whole batches by XLA, what is left over by the graph.

        The rows are gathered before the compiled loop: inside, a gather makes a step twenty times slower.
        """
        whole = rows // size
        batches = tf.nest.map_structure(
            lambda a: tf.reshape(tf.gather(a, order[: whole * size]), (whole, size, *a.shape[1:])), data
        )
        # Of a fixed length, whatever that of the training: another one would be compiled anew.
        start = tf.cast(carried.updates, tf.int32)
        ahead = tf.ensure_shape(rates[start : start + whole], (whole,))
        carried, sums, done, finite = self._steps_xla(carried, batches, ahead, selection)
        if rows % size == 0:
            return carried, sums, done, finite
        carried, more, last, finite = self._steps(
            carried, data, order[whole * size :], tf.constant(size), rates, selection, finite
        )
        return carried, sums + more, done + last, finite

    def _steps_xla_impl(self, carried: Any, batches: Part, rates: Tensor, selection: Any) -> Any:
        whole, size = tf.nest.flatten(batches)[0].shape[:2]
        start = carried.updates

        def body(i: Tensor, _: Tensor, sums: Tensor, carried: Any) -> Any:
            batch = tf.nest.map_structure(lambda a: a[i], batches)
            # A slice would make XLA take the count as a constant and compile anew for every epoch.
            rate = tf.gather(rates, tf.cast(carried.updates - start, tf.int32))
            carried, figures, good = self.advance(carried, batch, tf.constant(size), rate, selection)
            return i + 1, good, sums + figures, carried

        done, finite, sums, carried = tf.while_loop(
            lambda i, good, *_: (i < whole) & good,
            body,
            (tf.constant(0), tf.constant(True), tf.zeros(3), carried),
        )
        return carried, sums, done, finite

    # -- a step -----------------------------------------------------------------------------------------------

    def advance(self, carried: Any, batch: Part, rows: Tensor, rate: Tensor, selection: Any) -> Any:
        """One update: carried, (loss times rows, norm of the gradient, whether it was clipped), whether finite."""
        flat, others, slots, rest, updates, scale = carried
        loss, grad, others = self._gradient(flat, others, batch, scale)
        short, clipped = self._clip(grad, selection)
        rate = tf.cast(rate, flat.dtype)

        def update(layout: Layout, rule: Rule) -> Any:
            moved, states = layout.update(rule, short, flat, layout.unpack(slots, rest), updates + 1)
            new, left = self._packed(layout, states)
            return moved, (*new, *slots[len(new) :]), left

        after = (*self._switch(selection, rate, update), updates + 1)
        if self._scaled:
            after, scale = _if_finite(grad, after, (flat, tuple(slots), rest, updates), scale)
        flat, slots, rest, updates = after
        figures = tf.stack([tf.cast(loss, tf.float32) * tf.cast(rows, tf.float32), _norm(grad), clipped])
        return Carried(flat, tuple(others), tuple(slots), rest, updates, scale), figures, tf.math.is_finite(loss)

    def _gradient(self, flat: Tensor, others: Any, batch: Part, scale: Tensor) -> tuple[Tensor, Tensor, list[Tensor]]:
        x, y, w = (*batch, None)[:3]
        with tf.GradientTape() as tape:
            tape.watch(flat)
            outputs, others, extra = self.model.stateless_call(
                split(flat, self.variables), list(others), x, training=True, return_losses=True
            )
            loss = self._loss(y, outputs, w, extra)
            scaled = loss * tf.cast(scale[0], loss.dtype) if self._scaled else loss
        grad = tape.gradient(scaled, flat)
        return loss, grad / tf.cast(scale[0], grad.dtype) if self._scaled else grad, others

    def _loss(self, y: Tensor, outputs: Tensor, weights: Tensor | None, extra: Sequence[Tensor]) -> Tensor:
        loss = self.task.loss(y, outputs, sample_weight=weights)
        return tf.add_n([loss, *(tf.cast(term, loss.dtype) for term in extra)]) if extra else loss

    def _clip(self, grad: Tensor, selection: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """The clipped gradient, and 1.0 if that is another than the given one."""

        def branch(kind: Any) -> Any:
            fields = {h.name: Scalar(selection["clip_values"][i]) for i, h in enumerate(kind.hypers())}
            if not fields:
                return lambda: (grad, tf.constant(0.0))

            def run() -> Any:
                kept = kind.unchecked(**fields).apply(split(grad, self.variables))
                short = tf.concat([tf.reshape(g, [-1]) for g in kept], 0)
                return short, tf.cast(tf.reduce_any(short != grad), tf.float32)

            return run

        found: tuple[Tensor, Tensor] = _picked(selection, "clip", [branch(kind) for kind in CLIPPINGS.values()])
        return found

    def _switch(self, selection: Any, rate: Tensor, run: Callable[[Layout, Rule], Any]) -> Any:
        """What `run` gives for the selected rule, its hyperparameters taken from the selection."""

        def branch(layout: Layout) -> Any:
            return lambda: run(layout, layout.traced(selection["values"], rate))

        return _picked(selection, "rule", [branch(layout) for layout in self.layouts.values()])

    def _packed(self, layout: Layout, states: Any) -> tuple[tuple[Tensor, ...], Tensor]:
        """`layout.pack`, the rest as long as that of the longest rule."""
        slots, rest = layout.pack(states)
        missing = self.rest - layout.rest
        return slots, tf.concat([rest, tf.zeros((missing,), rest.dtype)], 0) if missing else rest

    # -- judging ----------------------------------------------------------------------------------------------

    def judged(self, carried: Any, rates: Tensor, selection: Any) -> Tensor:
        """Where the model is judged after the step that was taken last."""
        flat, _, slots, rest, updates, _ = carried
        rate = tf.cast(rates[tf.cast(updates, tf.int32) - 1], flat.dtype)
        return self._switch(
            selection, rate, lambda layout, rule: layout.evaluated(rule, flat, layout.unpack(slots, rest))
        )

    def no_totals(self) -> Any:
        """Rows, loss and metrics before any row: what evaluation adds to."""
        states = tuple(tuple(tf.zeros_like(v.value) for v in metric.variables) for metric in self._metrics)
        return tf.constant(0.0), tf.constant(0.0), states

    def add_rows(self, flat: Tensor, others: Any, data: Part, totals: Any, chunk: Tensor | int = _CHUNK) -> Any:
        """Totals with the rows of `data` added, `chunk` at a time."""
        weights = split(flat, self.variables)
        rows = tf.shape(tf.nest.flatten(data)[0])[0]

        def one_chunk(start: Tensor, seen: Tensor, total: Tensor, states: Any) -> Any:
            stop = tf.minimum(start + chunk, rows)
            x, y, w = (*tf.nest.map_structure(lambda a: a[start:stop], data), None)[:3]
            outputs, _, extra = self.model.stateless_call(weights, list(others), x, training=False, return_losses=True)
            count = tf.cast(stop - start, tf.float32)
            total += tf.cast(self._loss(y, outputs, w, extra), tf.float32) * count
            states = tuple(
                tuple(metric.stateless_update_state(list(state), y, outputs, sample_weight=w))
                for metric, state in zip(self._metrics, states, strict=True)
            )
            return stop, seen + count, total, states

        return tf.while_loop(lambda start, *_: start < rows, one_chunk, (tf.constant(0), *totals))[1:]

    def results(self, totals: Any) -> Tensor:
        """float32, shape (1 + metrics,)."""
        seen, total, states = totals
        results = [
            tf.cast(metric.stateless_result(list(state)), tf.float32)
            for metric, state in zip(self._metrics, states, strict=True)
        ]
        return tf.stack([total / seen, *results])


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


def _norm(grad: Tensor) -> Tensor:
    return tf.cast(tf.sqrt(tf.reduce_sum(tf.square(grad))), tf.float32)


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
