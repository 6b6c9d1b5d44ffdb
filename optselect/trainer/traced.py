"""What a model's trainings have in common whatever their rows are: its step, its loops, its evaluation, as traced."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

import keras
import tensorflow as tf

from optselect.optim.rule import Rule, Variable
from optselect.task.agreement import Agreement
from optselect.task.prepared import Task
from optselect.trainer.compilable import own_loss
from optselect.trainer.evaluation import Judge, of_all_rows
from optselect.trainer.feeding import few_rows, is_on_disk, parts
from optselect.trainer.forward import prepare_loss
from optselect.trainer.loops import Loops
from optselect.trainer.step import Step
from optselect.trainer.watching import ran_at, watched

__all__ = ["Batches", "Form", "Traced", "facts"]

Tensor = Any
Batches = tuple[int, int] | None
"""What a function is traced for: batch size and rows, which XLA wants fixed; None for all of them."""
Form = Batches | tuple[Batches, int]
"""The same, and how many arrays are kept of the best epoch, where epochs are watched."""


class Traced:
    """A step with its loops and its evaluation, and the functions that were traced of them, for all tasks of one form.

    It holds no rows of any task and is never rebound to another one: programs of several tasks use it side by side.
    Calling it adds functions to its cache, and nothing else.

    task: any of the form. rules: one of each kind that will be trained; their hyperparameters do not matter. device:
    where it runs, as TensorFlow names devices; None leaves that to TensorFlow. first_seconds: of the first epoch with
    the function that was traced last, tracing and compilation included; noted by whoever calls it. agreement: with
    `model.fit`, None until it was compared.
    """

    def __init__(self, task: Task, rules: Iterable[Rule], *, device: str | None = None) -> None:
        rules = list(rules)
        self.device, self._form = device, _form(task, rules)
        self.model = task.build(0)
        self.variables = facts(self.model)
        with tf.device(device):
            self.step = Step(task.loss, self.model, self.variables, rules)
            if own_loss(self.model):
                prepare_loss(task, self.model, few_rows(task))
        self.loops = Loops(self.step)
        self.judge = Judge(self.step, task.ready_metrics(), task.epoch_metrics, task.whole_metrics)
        self.functions: dict[Form, Any] = {}
        weights = {id(v) for v in self.model.non_trainable_weights}
        # Keras restores weights, and lets random numbers go on.
        self._restored = [id(v) in weights for v in self.model.non_trainable_variables]
        self.batches = tf.function(self.loops.graph, autograph=False, reduce_retracing=True)
        self._add = tf.function(partial(self.judge.add, further=True), autograph=False, reduce_retracing=True)
        self._results = tf.function(self.judge.results, autograph=False)
        self.first_seconds = 0.0
        self.agreement: Agreement | None = None

    @property
    def rules(self) -> list[Rule]:
        """One of each kind that it can train."""
        return [layout.rule for layout in self.step.layouts.values()]

    @property
    def result_names(self) -> list[str]:
        """The names of what an evaluation gives: loss, then the metrics."""
        return self.judge.names

    def serves(self, task: Task, rules: Iterable[Rule] | None = None) -> bool:
        """Whether tracing for another task would give the same again, but for the names of layers.

        rules: None for those that it has.
        """
        return bool(self._form == _form(task, self.rules if rules is None else rules))

    def operations(self) -> Counter[str]:
        """How many TensorFlow operations of each kind have been traced."""
        graphs = [
            call.graph.as_graph_def()
            for function in self.functions.values()
            for call in function._list_all_concrete_functions()
        ]
        nodes = [node for graph in graphs for part in (graph, *graph.library.function) for node in _nodes(part)]
        return Counter(node.op for node in nodes)

    def form(self, fixed: Batches, watch: Any) -> Form:
        """Which of `functions` trains whole epochs. watch: what callbacks saw so far, empty where there are none."""
        return (fixed, len(watch.kept)) if watch else fixed

    def epochs(self, fixed: Batches, given: Any) -> Any:
        """Train and judge whole epochs of a part in memory; see `_epochs`."""
        form = self.form(fixed, given[1])
        if form not in self.functions:
            self.functions[form] = self._epochs(fixed, given)
        return self.functions[form](*given)

    def kept(self, point: Tensor, others: Any) -> tuple[Tensor, ...]:
        """The weights that a model is judged with, as `Watch.kept` has them."""
        return point, *(other for other, restored in zip(others, self._restored, strict=True) if restored)

    def restored(self, kept: tuple[Tensor, ...], others: Any) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Where the model is judged with weights that were kept, and its other variables. others: as they are now."""
        point, *then = kept
        left = iter(then)
        return point, tuple(
            next(left) if restored else now for now, restored in zip(others, self._restored, strict=True)
        )

    def chunk(self, fixed: Batches, carried: Any, data: Any, order: Tensor, size: int, rates: Any, choice: Any) -> Any:
        """Train on all batches of a piece of an epoch; what `Loops` gives."""
        if fixed not in self.functions:
            loop = self.loops.xla if fixed else self.loops.graph
            self.functions[fixed] = tf.function(loop, autograph=False, reduce_retracing=True)
        length = fixed or (tf.constant(size),)
        return self.functions[fixed](carried, data, order, *length, rates, choice)

    def evaluate(
        self, point: Tensor, others: Any, chunks: Iterable[Any], *, further: bool = False
    ) -> tuple[dict[str, float], Any]:
        """Loss and metrics over all chunks by name, and the model's other variables after them.

        further: the metrics of all rows that not every epoch asks for too.
        """
        totals, pieces = self.judge.nothing(others), []
        for data in chunks:
            totals, outputs = self._add(point, data, totals)
            pieces.append((data[1:], outputs))
        found = dict(zip(self.judge.summed, self._results(totals).numpy().tolist(), strict=True))
        if wanted := self.judge.further if further else self.judge.whole:
            data, outputs = tf.nest.map_structure(lambda *parts: tf.concat(parts, 0), *pieces)
            values = of_all_rows(wanted, (None, *data), outputs)
            found |= {metric.name: float(value) for metric, value in zip(wanted, values, strict=True)}
        return found, totals[-1]

    def _epochs(self, fixed: Batches, given: Any) -> Any:
        """The traced function for such data: one for all batch sizes, but for XLA, which wants batch and rows fixed."""

        def run(
            carried: Any,
            watch: Any,
            data: Any,
            orders: Tensor,
            size: Tensor,
            rates: Tensor,
            selection: Any,
            validation: Any,
            terms: Any,
        ) -> Any:
            epochs, width = tf.shape(orders)[0], 4 + len(self.result_names) + bool(watch)

            def results(carried: Any, rates: Tensor) -> tuple[Tensor, Any, Any]:
                point = self.step.judged(carried, rates, selection)
                totals, outputs = self.judge.add(point, validation, self.judge.nothing(carried.others))
                whole = of_all_rows(self.judge.whole, validation, outputs)
                now = self.kept(point, totals[-1]) if watch and watch.kept else ()
                return tf.concat([self.judge.results(totals), *_row(whole)], 0), totals[-1], now

            def one(epoch: Tensor, _: Tensor, steps: Tensor, carried: Any, watch: Any, table: Any) -> Any:
                order, now = orders[epoch], ran_at(watch, rates) if watch else rates
                if fixed is None:
                    after = self.loops.graph(carried, data, order, size, now, selection)
                else:
                    after = self.loops.xla(carried, data, order, *fixed, now, selection)
                carried, sums, done, finite = after
                nothing = tf.fill([len(self.result_names)], float("nan"))
                found, others, weights = tf.cond(
                    finite,
                    lambda: results(carried, now),
                    lambda: (nothing, carried.others, watch.kept if watch else ()),
                )
                carried = carried._replace(others=others)
                line = [sums, [tf.cast(done, tf.float32)], found]
                if watch:
                    line.append([watch.rate])
                    loss = sums[:1] / tf.cast(tf.shape(orders)[1], tf.float32)
                    watch = watched(watch, terms, tf.concat([loss, found], 0), weights)
                good = finite & tf.math.is_finite(found[0])
                return epoch + 1, good, steps + done, carried, watch, table.write(epoch, tf.concat(line, 0))

            def goes_on(epoch: Tensor, finite: Tensor, _: Tensor, __: Any, watch: Any, ___: Any) -> Tensor:
                going = (epoch < epochs) & finite
                return going & ~watch.stopped if watch else going

            table = tf.TensorArray(tf.float32, size=epochs, element_shape=(width,))
            done, finite, steps, carried, watch, table = tf.while_loop(
                goes_on, one, (tf.constant(0), tf.constant(True), tf.constant(0), carried, watch, table)
            )
            return carried, watch, table.stack(), done, steps, finite

        carried, watch, data, orders, size, rates, selection, validation, terms = given
        exact = (_as_given(carried), _as_given(watch), _as_given(data) if fixed else _free(data))
        order = tf.TensorSpec((None, fixed[1] if fixed else None), orders.dtype)
        signature = (*exact, order, _as_given(size), _free(rates), _as_given(selection), _free(validation))
        return tf.function(run, autograph=False, input_signature=(*signature, _as_given(terms)))


def _row(values: Sequence[Tensor]) -> list[Tensor]:
    """Scalars as one vector of float32; nothing of none."""
    return [tf.cast(tf.stack(values), tf.float32)] if values else []


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
        [metric.name for metric in task.epoch_metrics],
        task.spec.metric and (task.spec.metric.function.digest, task.moments),  # it is called in units of the target
    )


def _as_given(tree: Any) -> Any:
    return tf.nest.map_structure(lambda a: tf.TensorSpec(a.shape, a.dtype), tree)


def _free(tree: Any) -> Any:
    """Of any length: one trace serves every number of epochs and rows."""
    return tf.nest.map_structure(lambda a: tf.TensorSpec((None, *a.shape[1:]), a.dtype), tree)


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


def _nodes(part: Any) -> Iterable[Any]:
    """Of a graph, or of a function in its library."""
    return list(part.node if hasattr(part, "node") else part.node_def)
