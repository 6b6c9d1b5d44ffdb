"""One trial from start to end, by the compiled program or, where a model cannot run so, by `model.fit`."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import Any, Protocol

import keras
import numpy as np
import tensorflow as tf

from optselect.optimizers.derived import Derived
from optselect.optimizers.swap import SwapEvaluated
from optselect.rule import Rule
from optselect.tasks.task import Task
from optselect.trainer.jobs import Job, Run
from optselect.trainer.program import Program

__all__ = ["CompiledTrainer", "FitTrainer", "Trainer", "make_trainer"]

_ORDER_ENTRIES = 5_000_000  # row numbers handed to the program in one call: 20 MB


class Trainer(Protocol):
    """Trains a task with any configuration."""

    def run(self, job: Job) -> Run:
        """Train and evaluate."""
        ...


class CompiledTrainer:
    """All trials of a task through one traced program. rules, seeds: those that will be asked for."""

    def __init__(self, task: Task, rules: Sequence[Rule], seeds: Sequence[int] = ()) -> None:
        self.task = task
        self.program = Program(task, rules, seeds)

    def run(self, job: Job) -> Run:
        started = time.perf_counter()
        if job.configuration.rule.key not in self.program.layouts:  # a kind that nobody announced: trace anew
            known = [layout.rule for layout in self.program.layouts.values()]
            self.program = Program(self.task, [*known, job.configuration.rule])
        state = self.program.start(job.configuration, job.seed)
        curves: dict[str, list[float]] = {}
        at_once = max(1, _ORDER_ENTRIES // self.program.rows)
        while state.epoch < job.epochs and state.finite:
            state, more = self.program.train(
                state,
                job.configuration,
                seed=job.seed,
                epochs=min(at_once, job.epochs - state.epoch),
                total_epochs=job.epochs,
            )
            for name, values in more.items():
                curves.setdefault(name, []).extend(values)
        metrics = {name: values[-1] for name, values in curves.items() if name.startswith("val_")}
        if job.test and state.finite:
            metrics |= {f"test_{k}": v for k, v in self.program.evaluate(state, job.configuration, "test").items()}
        return Run(
            curves=_in_units(self.task, curves),
            metrics=_in_units(self.task, metrics),
            epochs=state.epoch,
            finite=state.finite,
            seconds=time.perf_counter() - started,
        )


class FitTrainer:
    """Each trial builds its model anew and calls `model.fit` with the stock Keras optimizer."""

    def __init__(self, task: Task) -> None:
        self.task = task

    def run(self, job: Job) -> Run:
        task, started = self.task, time.perf_counter()
        model = task.build(job.seed)
        rows = len(tf.nest.flatten(task.y_train)[0])
        steps = -(-rows // min(job.configuration.batch_size, rows))
        optimizer = job.configuration.optimizer(total_steps=steps * job.epochs)
        model.compile(optimizer=optimizer, loss=task.loss, metrics=task.metrics(), jit_compile=False)
        swap = [SwapEvaluated()] if isinstance(optimizer, Derived) else []  # validate where the model is judged
        history = model.fit(
            task.x_train,
            task.y_train,
            batch_size=min(job.configuration.batch_size, rows),
            epochs=job.epochs,
            validation_data=(task.x_validation, task.y_validation),
            validation_batch_size=1024,
            callbacks=[*swap, keras.callbacks.TerminateOnNaN()],
            verbose=0,
        ).history
        names = ["loss", "val_loss", *(f"val_{metric.name}" for metric in task.metrics())]
        curves = {name: [float(v) for v in history[name]] for name in names if name in history}
        epochs = len(curves["loss"])
        rates = job.configuration.schedule.rates(
            job.configuration.rule.base.values()["learning_rate"], steps * job.epochs
        )
        curves["learning_rate"] = [float(r) for r in np.asarray(rates)[steps - 1 :: steps][:epochs]]
        metrics = {name: values[-1] for name, values in curves.items() if name.startswith("val_")}
        finite = all(math.isfinite(curves[name][-1]) for name in ("loss", "val_loss"))
        if job.test and finite:
            results = model.evaluate(task.x_test, task.y_test, batch_size=1024, verbose=0, return_dict=True)
            metrics |= {f"test_{name}": float(value) for name, value in results.items()}
        if job.save and finite:
            task.full_model(model).save(job.save)
        return Run(
            curves=_in_units(task, curves),
            metrics=_in_units(task, metrics),
            epochs=epochs,
            finite=finite,
            seconds=time.perf_counter() - started,
        )


def make_trainer(task: Task, rules: Sequence[Rule], seeds: Sequence[int], probe: Job) -> tuple[Trainer, str]:
    """The fastest trainer that can train this task, and, where that is `model.fit`, the reason; else "".

    rules: one of each kind that will be trained. seeds: with which. probe: a short job; it is run once, so that a
    model which does not trace is found here.
    """
    reason = _cannot_compile(task)
    if not reason:
        try:
            trainer = CompiledTrainer(task, rules, seeds)
            trainer.run(probe)
        except Exception as error:  # whatever a user's layers raise while they are traced
            reason = f"it does not run as one traced program ({type(error).__name__}: {_first_line(error)})"
        else:
            return trainer, ""
    fallback = FitTrainer(task)
    fallback.run(probe)
    return fallback, f"Trials use `model.fit`, since {reason}: correct, but slower by far."


def _cannot_compile(task: Task) -> str:
    model = task.build(0)
    if type(model).train_step is not keras.Model.train_step and not isinstance(model, keras.Sequential):
        return "the model has its own `train_step`"
    arrays = tf.nest.flatten((task.x_train, task.y_train))
    if any(a.dtype.kind in "OUS" for a in map(np.asarray, arrays)):
        return "the model takes strings"
    if len({v.dtype for v in model.trainable_variables}) > 1:
        return "its variables have different dtypes"
    if not model.trainable_variables:
        return "it has no trainable variables"
    return ""


def _in_units(task: Task, values: Any) -> Any:
    """Metrics of a standardised target in the target's own units; curves or single numbers by name."""

    def scaled(name: str, value: Any) -> Any:
        scale = task.scales.get(name.removeprefix("val_").removeprefix("test_"), 1.0)
        if scale == 1.0:
            return value
        return [v * scale for v in value] if isinstance(value, list) else value * scale

    return {name: scaled(name, value) for name, value in values.items()}


def _first_line(error: BaseException) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), "no message")[:200]
