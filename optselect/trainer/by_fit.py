"""Trials by `model.fit`, for models that no traced program holds."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from optselect.errors import InvalidState
from optselect.model.whole_metrics import WholeMetric
from optselect.optim.keras.derived import Derived
from optselect.optim.keras.swap import SwapEvaluated
from optselect.optim.schedules import SCHEDULES
from optselect.task.prepared import Task
from optselect.trainer.by_predict import AllRows, predicted
from optselect.trainer.evaluation import CHUNK
from optselect.trainer.feeding import Feed, Part, as_given, batch_rows, is_on_disk, parts, rows_of
from optselect.trainer.fit_probe import check_reported
from optselect.trainer.messages import Job, Population, Probe, ProbeRun, Run
from optselect.trainer.trial import defined, in_units

__all__ = ["FitTrainer"]

_AT_ONCE = CHUNK  # rows that are evaluated at once: in some models it matters how many
_AT_ONCE_FROM_DISK = 1024


class FitTrainer:
    """Each trial builds its model anew and calls `model.fit` with the stock Keras optimizer.

    Rows on disk come in the order in which the compiled program takes them, others in that of `model.fit`.
    """

    def __init__(self, task: Task) -> None:
        self.task = task

    def run(self, job: Job, *, watch: keras.callbacks.Callback | None = None) -> Run:
        """Train and evaluate. watch: sees the training, after every other callback."""
        if job.start or job.keep:
            raise InvalidState("A training by `model.fit` cannot be paused: it builds its model anew.")
        task, started = self.task, time.perf_counter()
        model, data = task.build(job.seed), parts(task, job.split)
        rows = rows_of(data["train"])
        size = min(job.configuration.batch_size, rows)
        steps = job.configuration.steps_per_epoch(rows)
        total_steps = steps * (job.total_epochs or job.epochs)
        optimizer = job.configuration.optimizer(total_steps=total_steps)
        self._compile(model, optimizer)
        given, reading = self._given(job, size, data)
        stopping = self._stopping(job)
        swap = [SwapEvaluated(bool(stopping))] if isinstance(optimizer, Derived) else []  # where the model is judged
        whole = AllRows(lambda model: self._predicted(model, "validation", job.split, task.epoch_metrics, swap))
        own = [*job.configuration.callbacks(), *stopping]
        callbacks = [*reading, *swap, whole, *own, keras.callbacks.TerminateOnNaN(), *([watch] if watch else [])]
        history = model.fit(**given, epochs=job.epochs, callbacks=callbacks, verbose=0).history
        check_reported(task, model, history)
        names = ["loss", "val_loss", *(f"val_{name}" for name in task.metric_names)]
        names += [f"val_{metric.name}" for metric in task.epoch_metrics]
        curves = {name: [float(v) for v in history[name]] for name in names if name in history}
        epochs = len(curves["loss"])
        rates = job.configuration.schedule.rates(job.configuration.learning_rate, total_steps)
        planned = [float(r) for r in np.asarray(rates)[steps - 1 :: steps][:epochs]]
        curves["learning_rate"] = [float(r) for r in history.get("learning_rate", planned)]  # a callback may set it
        metrics = {name: values[-1] for name, values in curves.items() if name.startswith("val_")}
        finite = all(math.isfinite(curves[name][-1]) for name in ("loss", "val_loss"))
        if stopping and finite:  # the weights may be those of an earlier epoch
            found = self.evaluate(model, "validation", job.split)
            found |= self._predicted(model, "validation", job.split, task.epoch_metrics)
            metrics = {name: found.get(name.removeprefix("val_"), value) for name, value in metrics.items()}
        if job.test and finite:
            found = self.evaluate(model, "test") | self._predicted(model, "test", None, task.whole_metrics)
            metrics |= {f"test_{name}": value for name, value in found.items()}
        if job.save and finite:
            task.save(model, job.save)
        return Run(
            curves=in_units(task, curves),
            metrics=in_units(task, defined(task, metrics) if finite else metrics),
            epochs=epochs,
            finite=finite,
            seconds=time.perf_counter() - started,
            **_stop(stopping, epochs),
        )

    def population(self, population: Population) -> list[Run]:
        return [self.run(job) for job in population.jobs]

    def probe(self, probe: Probe) -> ProbeRun:
        started, task = time.perf_counter(), self.task
        model = task.build(probe.seed)
        self._compile(model)
        first, start = model.get_weights(), self.evaluate(model, "validation")["loss"]
        found = [self._try_rate(model, first, probe, rate) for rate in probe.rates]
        return ProbeRun(
            rates=probe.rates,
            start=start,
            losses=[loss for loss, _ in found],
            val_losses=[val_loss for _, val_loss in found],
            seconds=time.perf_counter() - started,
        )

    def _try_rate(self, model: Any, first: Any, probe: Probe, rate: float) -> tuple[float, float]:
        task, configuration = self.task, probe.configuration
        rule = configuration.rule.replaced(learning_rate=rate)
        constant = dataclasses.replace(configuration, rule=rule, schedule=SCHEDULES["constant"]())
        model.set_weights(first)
        self._compile(model, constant.optimizer(total_steps=probe.steps))
        data = parts(task)["train"]
        size = min(configuration.batch_size, rows_of(data))
        order = batch_rows(probe.seed, size, probe.steps, rows_of(data))
        losses = []
        for rows in np.split(order, probe.steps):
            batch = tf.nest.map_structure(lambda a, rows=rows: a[rows], data)
            losses.append(float(_step(model, as_given(batch))["loss"]))
            if not math.isfinite(losses[-1]):
                return math.nan, math.nan
        return float(np.mean(losses[probe.steps * 3 // 4 :])), self.evaluate(model, "validation")["loss"]

    def _given(
        self, job: Job, size: int, data: dict[str, Any]
    ) -> tuple[dict[str, Any], list[keras.callbacks.Callback]]:
        """The data for `model.fit`, and what tells a stream from disk which epoch has begun."""
        if not is_on_disk(data["train"]):
            x, y, weights = (*as_given(data["train"]), None)[:3]
            given = {"x": x, "y": y, "sample_weight": weights, "batch_size": size}
            return given | {"validation_data": as_given(data["validation"]), "validation_batch_size": _AT_ONCE}, []
        feed, epoch = Feed(self.task, split=job.split), [0]
        begun = keras.callbacks.LambdaCallback(on_epoch_begin=lambda number, _: epoch.__setitem__(0, number))
        train = feed.stream("train", size, lambda: (job.seed, epoch[0]))
        given = {"x": train, "shuffle": False, "validation_data": feed.stream("validation", _AT_ONCE_FROM_DISK)}
        return given, [begun]

    def _compile(self, model: Any, optimizer: Any = "sgd") -> None:
        eager = model.run_eagerly  # what the user compiled it with: a layer may need it
        self.task.compile(model, optimizer)
        model.run_eagerly = eager

    def _predicted(
        self, model: Any, part: str, split: int | None, metrics: Sequence[WholeMetric], callbacks: Sequence[Any] = ()
    ) -> dict[str, float]:
        """Metrics of all rows of "validation" or "test"."""
        data = parts(self.task, split)[part]
        x = Feed(self.task, split=split).stream(part, _AT_ONCE_FROM_DISK) if metrics and is_on_disk(data) else None
        return predicted(model, data, metrics, x=x, callbacks=callbacks)

    def _stopping(self, job: Job) -> list[keras.callbacks.Callback]:
        """Fresh callbacks after which a model need not have the weights of its last epoch.

        A training on the validation rows has nothing to stop by.
        """
        spec = self.task.spec
        own = spec.callbacks.made() if spec.callbacks else []
        kept = [one for one in own if not (job.refit and isinstance(one, keras.callbacks.EarlyStopping))]
        stopping = self.task.stopping
        return [*([stopping.callback()] if stopping else []), *kept]

    def evaluate(self, model: Any, part: str, split: int | None = None) -> dict[str, float]:
        """Loss and metrics on "validation" or "test". split: the seed of a redrawn split."""
        x, y, weights = (*as_given(parts(self.task, split)[part]), None)[:3]
        given: dict[str, Any] = {"x": x, "y": y, "sample_weight": weights, "batch_size": _AT_ONCE}
        if is_on_disk((x, y)):
            given = {"x": Feed(self.task, split=split).stream(part, _AT_ONCE_FROM_DISK)}
        found = model.evaluate(**given, verbose=0, return_dict=True)
        return {name: float(value) for name, value in found.items()}


def _step(model: Any, batch: Part) -> Any:
    """One step; what the model's train_step returns."""
    if batch[1] is not None:
        return model.train_on_batch(*batch, return_dict=True)
    model.make_train_function()  # `train_on_batch` would hand on None for targets, `fit` the rows alone
    return model.train_function(iter([tf.nest.map_structure(tf.convert_to_tensor, batch[0])]))


def _stop(callbacks: Sequence[keras.callbacks.Callback], epochs: int) -> dict[str, Any]:
    """What early stopping did in so many epochs, as a `Run` tells it."""
    for callback in callbacks:
        if isinstance(callback, keras.callbacks.EarlyStopping):
            restored = callback.best_weights is not None
            return {
                "best_epoch": callback.best_epoch + 1 if restored else epochs,
                "stopped": callback.stopped_epoch > 0,
            }
    return {}
