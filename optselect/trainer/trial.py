"""One trial from start to end, by the compiled program or, where a model cannot run so, by `model.fit`."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import keras
import numpy as np
import tensorflow as tf

from optselect.errors import InvalidModel, InvalidState, OptselectError
from optselect.optim.configuration import BASELINE, Configuration
from optselect.optim.keras.derived import Derived
from optselect.optim.keras.swap import SwapEvaluated
from optselect.optim.rule import Rule
from optselect.optim.schedules import SCHEDULES
from optselect.task.prepared import Task
from optselect.trainer.backend import choose
from optselect.trainer.compilable import (
    CannotCompile,
    NoGradient,
    cannot_compile,
    check_fit,
    hidden_state,
    no_gradient,
    own_hooks,
    without_gradient,
)
from optselect.trainer.evaluation import CHUNK
from optselect.trainer.failure import out_of_memory
from optselect.trainer.feeding import Feed, batch_rows, few_rows, is_on_disk, parts
from optselect.trainer.memory import gpu_of
from optselect.trainer.messages import Job, Plan, Population, Probe, ProbeRun, Run
from optselect.trainer.population import Member, Populations
from optselect.trainer.program import Kept, Program
from optselect.trainer.state import TrialState, load_state, save_state
from optselect.user_code.functions import where_it_failed

__all__ = ["CompiledTrainer", "FitTrainer", "Trainer", "make_trainer"]


_AT_ONCE = CHUNK  # rows that are evaluated at once: in some models it matters how many
_AT_ONCE_FROM_DISK = 1024
_EAGER = " A layer that works on numbers instead of tensors needs a model compiled with `run_eagerly=True`."


class Trainer(Protocol):
    """Trains a task with any configuration."""

    task: Task

    def run(self, job: Job) -> Run:
        """Train and evaluate."""
        ...

    def population(self, population: Population) -> list[Run]:
        """Train and evaluate several side by side, where that is possible."""
        ...

    def probe(self, probe: Probe) -> ProbeRun:
        """Train a little at each of some learning rates."""
        ...


class CompiledTrainer:
    """All trials of a task through one traced program.

    rules, seeds: those that will be asked for. device: as TensorFlow names devices; None leaves it to TensorFlow.
    program: one that serves the task.
    """

    def __init__(
        self,
        task: Task,
        rules: Sequence[Rule],
        seeds: Sequence[int] = (),
        *,
        device: str | None = None,
        program: Program | None = None,
    ) -> None:
        self.task = task
        self.program = program or Program.of(task, rules, seeds, device=device)
        self._beside: Populations | None = None

    def prepare(self, plan: Plan, seed: int) -> str:
        """Choose the fastest way for what is to come; what was found, in words, or ""."""
        self.program.time_evaluation(self.program.start(BASELINE, seed), BASELINE)
        return choose(self.program, plan, seed)

    def run(self, job: Job) -> Run:
        started = time.perf_counter()
        program, state = self._begun(job)
        state, curves, step_seconds = program.train(
            state,
            job.configuration,
            seed=job.seed,
            epochs=job.epochs - state.epoch,
            total_epochs=job.total_epochs or job.epochs,
        )
        return self._ended(job, state, curves, time.perf_counter() - started, step_seconds)

    def population(self, population: Population) -> list[Run]:
        """Run jobs side by side; each gets an equal share of the time that its group took."""
        runs: dict[int, Run] = {}
        groups: dict[tuple[int, int, int | None], list[int]] = {}
        for job in population.jobs:  # a rule that nobody announced changes the form of all states
            self._program_for(job.configuration)
        begun = [self._begun(job)[1] for job in population.jobs]
        for n, (job, state) in enumerate(zip(population.jobs, begun, strict=True)):
            groups.setdefault((job.epochs - state.epoch, job.total_epochs or job.epochs, job.split), []).append(n)
        for (epochs, total, split), numbers in groups.items():
            self._split(self.program, split)
            jobs, started = [population.jobs[n] for n in numbers], time.perf_counter()
            members = [
                Member(configuration=job.configuration, seed=job.seed, state=begun[n])
                for n, job in zip(numbers, jobs, strict=True)
            ]
            trained = self._populations().train(members, epochs=epochs, total_epochs=total)
            seconds = time.perf_counter() - started
            steps = sum(state.step - begun[n].step for n, (state, _) in zip(numbers, trained, strict=True))
            for n, job, (state, curves) in zip(numbers, jobs, trained, strict=True):
                runs[n] = self._ended(job, state, curves, seconds / len(jobs), seconds / max(1, steps))
        return [runs[n] for n in range(len(runs))]

    def probe(self, probe: Probe) -> ProbeRun:
        started = time.perf_counter()
        configuration, seed, steps = probe.configuration, probe.seed, probe.steps
        program = self._program_for(configuration)
        self._split(program, None)
        fresh = program.start(configuration, seed)
        if gpu_of(program.traced.device):  # on a CPU the rates side by side are no faster than one after the other
            found = self._populations().try_rates(fresh, configuration, seed=seed, rates=probe.rates, steps=steps)
        else:
            found = [program.try_rate(fresh, configuration, seed=seed, rate=r, steps=steps) for r in probe.rates]
        return ProbeRun(
            rates=probe.rates,
            start=program.evaluate(fresh, configuration, "validation")["loss"],
            losses=[loss for loss, _ in found],
            val_losses=[val_loss for _, val_loss in found],
            seconds=time.perf_counter() - started,
        )

    def _begun(self, job: Job) -> tuple[Program, TrialState]:
        """The state that a job starts from."""
        program = self._program_for(job.configuration)
        self._split(program, job.split)
        state = program.start(job.configuration, job.seed)
        return program, load_state(job.start, state, _about(job)) if job.start else state

    def _ended(
        self, job: Job, state: TrialState, curves: dict[str, list[float]], seconds: float, step_seconds: float
    ) -> Run:
        """What came of a job: the state kept and tested, if that was asked."""
        started = time.perf_counter()
        metrics = {name: values[-1] for name, values in curves.items() if name.startswith("val_") and values}
        if job.keep and state.finite:
            save_state(job.keep, state, _about(job))
        if job.test and state.finite:
            metrics |= {f"test_{k}": v for k, v in self.program.evaluate(state, job.configuration, "test").items()}
        if job.save and state.finite:
            body = self.task.build(job.seed)
            self.program.load(state, job.configuration, body)
            self.task.save(body, job.save)
        return Run(
            curves=_in_units(self.task, curves),
            metrics=_in_units(self.task, metrics),
            epochs=state.epoch,
            finite=state.finite,
            seconds=seconds + time.perf_counter() - started,
            step_seconds=step_seconds,
            memory=self.program.memory(job.configuration),
        )

    def _populations(self) -> Populations:
        """Of the program as it is now; what was traced for it is kept with it."""
        if self._beside is None or self._beside.program is not self.program:
            self._beside = Populations(self.program)
        return self._beside

    def _split(self, program: Program, split: int | None) -> None:
        """Have the program train on the rows of a split; those of a seed come one after the other, so one is kept."""
        with tf.device(program.traced.device):
            program.feed = program.feed.of(split)

    def _program_for(self, configuration: Configuration) -> Program:
        """The program, traced anew if nobody announced this kind of rule."""
        traced, way = self.program.traced, self.program.way
        if configuration.rule.key not in traced.step.layouts:
            self.program = Program.of(self.task, [*traced.rules, configuration.rule], device=traced.device)
            self.program.way = way
        return self.program


class FitTrainer:
    """Each trial builds its model anew and calls `model.fit` with the stock Keras optimizer.

    Rows on disk come in the order in which the compiled program takes them, others in that of `model.fit`.
    """

    def __init__(self, task: Task) -> None:
        self.task = task

    def run(self, job: Job) -> Run:
        if job.start or job.keep:
            raise InvalidState("A training by `model.fit` cannot be paused: it builds its model anew.")
        task, started = self.task, time.perf_counter()
        model, data = task.build(job.seed), parts(task, job.split)
        rows = len(tf.nest.flatten(data["train"][1])[0])
        size = min(job.configuration.batch_size, rows)
        steps = job.configuration.steps_per_epoch(rows)
        optimizer = job.configuration.optimizer(total_steps=steps * job.epochs)
        self._compile(model, optimizer)
        swap = [SwapEvaluated()] if isinstance(optimizer, Derived) else []  # validate where the model is judged
        given, reading = self._given(job, size, data)
        history = model.fit(
            **given, epochs=job.epochs, callbacks=[*reading, *swap, keras.callbacks.TerminateOnNaN()], verbose=0
        ).history
        if missing := [name for name in ("loss", "val_loss") if name not in history]:
            raise InvalidModel(
                f"{task.who}: `model.fit` reports {', '.join(history) or 'nothing'} and no {' and no '.join(missing)}, "
                "which a study compares: return `loss` from its own train_step and from its test_step."
            )
        names = ["loss", "val_loss", *(f"val_{name}" for name in task.metric_names)]
        curves = {name: [float(v) for v in history[name]] for name in names if name in history}
        epochs = len(curves["loss"])
        rates = job.configuration.schedule.rates(job.configuration.learning_rate, steps * job.epochs)
        curves["learning_rate"] = [float(r) for r in np.asarray(rates)[steps - 1 :: steps][:epochs]]
        metrics = {name: values[-1] for name, values in curves.items() if name.startswith("val_")}
        finite = all(math.isfinite(curves[name][-1]) for name in ("loss", "val_loss"))
        if job.test and finite:
            metrics |= {f"test_{name}": value for name, value in self._evaluate(model, "test").items()}
        if job.save and finite:
            task.save(model, job.save)
        return Run(
            curves=_in_units(task, curves),
            metrics=_in_units(task, metrics),
            epochs=epochs,
            finite=finite,
            seconds=time.perf_counter() - started,
        )

    def population(self, population: Population) -> list[Run]:
        return [self.run(job) for job in population.jobs]

    def probe(self, probe: Probe) -> ProbeRun:
        started, task = time.perf_counter(), self.task
        model = task.build(probe.seed)
        self._compile(model)
        first, start = model.get_weights(), self._evaluate(model, "validation")["loss"]
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
        size = min(configuration.batch_size, len(tf.nest.flatten(task.y_train)[0]))
        order = batch_rows(probe.seed, size, probe.steps, len(tf.nest.flatten(task.y_train)[0]))
        data = (task.x_train, task.y_train) if task.w_train is None else (task.x_train, task.y_train, task.w_train)
        losses = []
        for rows in np.split(order, probe.steps):
            batch = tf.nest.map_structure(lambda a, rows=rows: a[rows], data)
            losses.append(float(model.train_on_batch(*batch, return_dict=True)["loss"]))
            if not math.isfinite(losses[-1]):
                return math.nan, math.nan
        return float(np.mean(losses[probe.steps * 3 // 4 :])), self._evaluate(model, "validation")["loss"]

    def _given(
        self, job: Job, size: int, data: dict[str, Any]
    ) -> tuple[dict[str, Any], list[keras.callbacks.Callback]]:
        """The data for `model.fit`, and what tells a stream from disk which epoch has begun."""
        if not is_on_disk(data["train"]):
            x, y, *weights = data["train"]
            given = {"x": x, "y": y, "sample_weight": weights[0] if weights else None, "batch_size": size}
            return given | {"validation_data": data["validation"], "validation_batch_size": _AT_ONCE}, []
        feed, epoch = Feed(self.task, split=job.split), [0]
        begun = keras.callbacks.LambdaCallback(on_epoch_begin=lambda number, _: epoch.__setitem__(0, number))
        train = feed.stream("train", size, lambda: (job.seed, epoch[0]))
        given = {"x": train, "shuffle": False, "validation_data": feed.stream("validation", _AT_ONCE_FROM_DISK)}
        return given, [begun]

    def _compile(self, model: Any, optimizer: Any = "sgd") -> None:
        eager = model.run_eagerly  # what the user compiled it with: a layer may need it
        self.task.compile(model, optimizer)
        model.run_eagerly = eager

    def _evaluate(self, model: Any, part: str) -> dict[str, float]:
        """Loss and metrics on "validation" or "test"."""
        x, y, *weights = parts(self.task)[part]
        given: dict[str, Any] = {"x": x, "y": y, "sample_weight": weights[0] if weights else None}
        given["batch_size"] = _AT_ONCE
        if is_on_disk((x, y)):
            given = {"x": Feed(self.task).stream(part, _AT_ONCE_FROM_DISK)}
        found = model.evaluate(**given, verbose=0, return_dict=True)
        return {name: float(value) for name, value in found.items()}


def make_trainer(
    task: Task, rules: Sequence[Rule], seeds: Sequence[int], probe: Job, before: Kept | None = None
) -> tuple[Trainer, str]:
    """The fastest trainer that can train this task, and what there is to say of it: where that is `model.fit`, why.

    rules: one of each kind that will be trained. seeds: with which. probe: a short job; it is run once, so that a
    model which does not trace is found here. before: of an earlier task, used again if it serves.
    """
    # In a model of the user's own any code may be: no two traces of it need be alike.
    if before is not None and task.spec.model is None and before.traced.serves(task, rules):
        return CompiledTrainer(task, rules, program=before.over(task, seeds)), ""
    model = task.build(0)
    check_fit(task, model)
    reason = cannot_compile(task, model)
    if not reason:
        try:
            trainer = CompiledTrainer(task, rules, seeds)
            return trainer, _try_out(trainer, model, probe)
        except CannotCompile as found:
            reason = str(found)
        except OptselectError:
            raise
        except Exception as error:  # whatever a user's layers raise while they are traced
            if out_of_memory(error):  # `model.fit` needs no less
                raise
            reason = f"it does not run as one traced program: {_where(task, error)}"
    return _by_fit(task, model, probe, reason)


def _try_out(trainer: CompiledTrainer, model: Any, probe: Job) -> str:
    """Run a short job; what there is to say of the gradients.

    model: a fresh one. Raises CannotCompile where the program would do something else than `model.fit`, InvalidModel
    where no gradient reaches any weight.
    """
    task, traced = trainer.task, trainer.program.traced
    with contextlib.suppress(NoGradient):
        trainer.run(probe)
    if hidden := hidden_state(traced.operations()):
        raise CannotCompile(hidden)
    if not traced.step.still:
        return ""
    paths = [v.path for v in model.trainable_variables]
    unreached = without_gradient(task, model, few_rows(task))
    if unreached != traced.step.still:
        raise CannotCompile("the gradients of some weights are lost in a traced program (a custom gradient does that)")
    if len(unreached) == len(paths):
        raise InvalidModel(no_gradient(task, model))
    named = ", ".join(f"`{paths[i]}`" for i in unreached[:5]) + ", ..." * (len(unreached) > 5)
    return f"No gradient reaches {len(unreached)} of {len(paths)} arrays of weights ({named}): they stay as they are."


def _by_fit(task: Task, model: Any, probe: Job, reason: str) -> tuple[Trainer, str]:
    """The trainer by `model.fit`, tried out, and why it is taken. model: a fresh one."""
    fallback = FitTrainer(task)
    try:
        run = fallback.run(probe)
    except Exception as error:
        if out_of_memory(error) or isinstance(error, OptselectError):
            raise
        if "No gradients provided for any variable" in str(error):
            raise InvalidModel(no_gradient(task, model)) from error
        raise InvalidModel(
            f"{task.who}: cannot be trained, since {reason}; nor by `model.fit`: {_where(task, error)}"
            + _EAGER * isinstance(error, (TypeError, AttributeError, NotImplementedError))
        ) from error
    if run.metrics["val_loss"] == 0.0 and "train_step" in own_hooks(model) and "test_step" not in own_hooks(model):
        raise InvalidModel(
            f"{task.who}: `val_loss` is 0 whatever the training does: the model has its own train_step and no "
            "test_step, and Keras's test_step knows nothing of its loss. Give it a test_step that returns its `loss`."
        )
    task.keep_metrics([name for name in task.metric_names if f"val_{name}" in run.metrics])
    return fallback, f"Trials use `model.fit`, since {reason}: correct, but slower by far."


def _about(job: Job) -> dict[str, Any]:
    """What a paused training of this job says of itself."""
    total = job.total_epochs or job.epochs
    return {"configuration": job.configuration.to_dict(), "seed": job.seed, "total_epochs": total}


def _in_units(task: Task, values: Any) -> Any:
    """Metrics of a standardised target in the target's own units; curves or single numbers by name."""

    def scaled(name: str, value: Any) -> Any:
        scale = task.scales.get(name.removeprefix("val_").removeprefix("test_"), 1.0)
        if scale == 1.0:
            return value
        return [v * scale for v in value] if isinstance(value, list) else value * scale

    return {name: scaled(name, value) for name, value in values.items()}


def _where(task: Task, error: BaseException) -> str:
    """What failed, and at which line of the user's file."""
    return where_it_failed(getattr(task.spec.model, "path", Path(task.who)), error)
