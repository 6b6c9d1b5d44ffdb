"""Trials through one traced program."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from optselect.optim.configuration import BASELINE, Configuration
from optselect.optim.rule import Rule
from optselect.task.prepared import Task
from optselect.trainer.backend import choose
from optselect.trainer.memory import gpu_of
from optselect.trainer.messages import Job, Plan, Population, Probe, ProbeRun, Run
from optselect.trainer.population import Member, Populations
from optselect.trainer.program import Program
from optselect.trainer.state import TrialState, load_state, save_state
from optselect.trainer.trial import defined, in_units

__all__ = ["CompiledTrainer"]


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
        return program, load_state(job.start, state, self._about(job)) if job.start else state

    def _ended(
        self, job: Job, state: TrialState, curves: dict[str, list[float]], seconds: float, step_seconds: float
    ) -> Run:
        """What came of a job: the state kept and tested, if that was asked."""
        started = time.perf_counter()
        metrics = {name: values[-1] for name, values in curves.items() if name.startswith("val_") and values}
        if state.finite:
            metrics |= self.program.judged(state)
        if job.keep and state.finite:
            save_state(job.keep, state, self._about(job))
        if job.test and state.finite:
            found = self.program.evaluate(state, job.configuration, "test", further=True)
            metrics |= {f"test_{name}": value for name, value in found.items()}
        if job.save and state.finite:
            body = self.task.build(job.seed)
            self.program.load(state, job.configuration, body)
            self.task.save(body, job.save)
        return Run(
            curves=in_units(self.task, curves),
            metrics=in_units(self.task, defined(self.task, metrics) if state.finite else metrics),
            epochs=state.epoch,
            finite=state.finite,
            seconds=seconds + time.perf_counter() - started,
            step_seconds=step_seconds,
            memory=self.program.memory(job.configuration),
            best_epoch=self.program.best_epoch(state),
            stopped=state.stopped,
        )

    def _about(self, job: Job) -> dict[str, Any]:
        """What a paused training of this job says of itself."""
        about = {"configuration": job.configuration.to_dict(), "seed": job.seed}
        stopping = self.task.spec.stopping
        if stopping:
            about["stopping"] = stopping.to_dict()
        return {**about, "total_epochs": job.total_epochs or job.epochs}

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
