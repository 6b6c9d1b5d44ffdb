"""What trains: it answers messages about one task at a time, whatever carries them, a process or a remote actor."""

from __future__ import annotations

import dataclasses
import gc
import os
import sys
import sysconfig
from pathlib import Path

import keras

from optselect.errors import InvalidState
from optselect.optim.configuration import BASELINE
from optselect.task.description import TaskDescription
from optselect.task.prepared import Task
from optselect.trainer.by_fit import FitTrainer
from optselect.trainer.compiled import CompiledTrainer
from optselect.trainer.failure import described, disk_refusal, failed, print_trace
from optselect.trainer.first_look import FirstLook
from optselect.trainer.messages import (
    Answer,
    Done,
    Job,
    Probe,
    ProbeRun,
    Ready,
    Request,
    Rest,
    Rested,
    Run,
    SetUp,
    Way,
    Work,
    broken,
)
from optselect.trainer.program import Kept
from optselect.trainer.trainer_choice import make_trainer
from optselect.trainer.trial import Trainer
from optselect.util.machine import resident_memory

__all__ = ["Worker"]


class Worker:
    """Trains a task that it was given by `SetUp`. After a `Rest` it takes the next one, with what it has traced."""

    def __init__(self) -> None:
        self._trainer: Trainer | None = None
        self._plain: FitTrainer | None = None
        self._kept: Kept | None = None

    def answer(self, request: Request) -> Answer:
        """What comes of a request; `Failed` where data, model or disk are at fault, and no error is raised."""
        try:
            match request:
                case SetUp():
                    return self._set_up(request)
                case Work(job=job, way=way):
                    return Done(result=self._work(job, way))
                case Rest():
                    return self._rest()
        except Exception as error:
            return failed(error)

    def _set_up(self, asked: SetUp) -> Ready:
        """Build the task and trace its program."""
        task, plan, seeds = Task.from_spec(asked.spec), asked.plan, asked.seeds
        kinds = {rule.key: rule for rule in (*asked.rules, BASELINE.rule)}
        probe = Job(configuration=BASELINE, seed=seeds[0] if seeds else 0, epochs=1, test=True)
        kept, self._kept = self._kept, None
        look = FirstLook(task, probe.seed, plan, kept)
        trainer: Trainer
        trainer, note = FitTrainer(task), ""
        if plan.way != "fit":
            trainer, note = look.checked(*make_trainer(task, list(kinds.values()), seeds, probe, kept, plan))
        self._trainer, self._plain = trainer, FitTrainer(task)
        way, how, step_seconds = "", "", 0.0
        if isinstance(trainer, CompiledTrainer):
            how = trainer.prepare(plan, probe.seed)
            way = trainer.program.way
            if not plan.way:  # nobody has decided how many train at once
                step_seconds = trainer.run(probe).step_seconds
        about = look.described()
        lines = tuple(line for line in (_summary(about), note, *look.notes, how) if line)
        return Ready(
            description=dataclasses.replace(about, way=way, lines=lines),
            memory=resident_memory(os.getpid()),
            step_seconds=step_seconds,
        )

    def _work(self, job: Job | Probe, way: Way | None) -> Run | ProbeRun:
        """Train; an answer that says why where the model or the machine did not let it."""
        plain = isinstance(job, Job) and job.plain
        trainer = self._plain if plain or way == "fit" else self._trainer
        assert trainer is not None
        try:
            if isinstance(job, Job) and job.refit:
                trainer = _refitting(trainer, whole=job.whole)
            if way and isinstance(trainer, CompiledTrainer):
                trainer.program.way = way
            return _train(trainer, job) if isinstance(job, Job) else trainer.probe(job)
        except Exception as error:
            if refused := disk_refusal(error):  # no fault of this trial: nothing that is written now would be whole
                raise refused from error
            print_trace()
            return broken(job, described(error, f" at batch {job.configuration.batch_size}"))

    def _rest(self) -> Rested:
        """Forget the task, but for the traced program, until the next one."""
        self._kept = self._trainer.program.kept if isinstance(self._trainer, CompiledTrainer) else None
        self._trainer = self._plain = None
        keras.utils.clear_session(free_memory=False)  # layers are numbered from 1 again, as in a new process
        gc.collect()
        installed = tuple(sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib"))
        files = {getattr(module, "__file__", None) or "" for module in list(sys.modules.values())}
        own = [Path(file) for file in files if not file.startswith(installed)]
        return Rested(files={str(file): file.stat().st_mtime_ns for file in own if file.is_file()})


def _summary(about: TaskDescription) -> str:
    prepared = " and ".join(" x ".join(map(str, shape)) for shape in about.prepared_features)
    return (
        f"Model: {about.model} on {prepared} prepared features, {about.parameters:,} parameters; "
        f"loss {about.loss}, metrics {', '.join(about.metrics)}"
    )


def _train(trainer: Trainer, job: Job) -> Run:
    """Run a job; one whose paused state is lost is trained from the start, and then tells of all its epochs."""
    try:
        return trainer.run(job)
    except InvalidState as error:
        if job.start is None:
            raise
        print(f"{error} The trial is trained from its start.", file=sys.stderr)  # noqa: T201  the worker's log
        return trainer.run(dataclasses.replace(job, start=None))


def _refitting(trainer: Trainer, *, whole: bool) -> Trainer:
    """A trainer of the same task whose training part holds the validation rows too, prepared anew.

    whole: and the test rows.
    """
    task = Task.from_spec(trainer.task.spec.joined(whole=whole))
    # A category that only validation rows have is one feature more.
    if isinstance(trainer, CompiledTrainer) and trainer.program.traced.serves(task):
        program = trainer.program.kept.over(task)
        program.keeps = trainer.program.keeps  # nothing is left to stop on, but what is traced will do
        return CompiledTrainer(task, [], program=program)
    return FitTrainer(task)
