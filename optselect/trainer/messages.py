"""What is asked of a worker and what it answers: plain data that crosses the process border."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, cast

from optselect.errors import OptselectError
from optselect.optim.configuration import Configuration
from optselect.optim.rule import Rule
from optselect.task import TaskDescription, TaskSpec

__all__ = [
    "Answer",
    "Done",
    "Failed",
    "Job",
    "Plan",
    "Population",
    "Probe",
    "ProbeRun",
    "Ready",
    "Renew",
    "Request",
    "Rest",
    "Rested",
    "Run",
    "SetUp",
    "Way",
    "Work",
    "broken",
    "decided",
]

Way = Literal["graph", "xla", "fit"]
"""How the steps run: TensorFlow's executor, or compiled by XLA: one compilation a batch size, other random numbers; or
`model.fit`, where a comparison has shown that the compiled program does not do the same."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Job:
    """Train one configuration with one seed, from scratch or from where an earlier job paused.

    epochs: train until so many are done. total_epochs: the length of the whole training, which the schedule spans;
    `epochs` if None. start: the file of a paused training of this configuration, seed and total_epochs to go on with;
    the answer then tells of the new epochs only. keep: a file for the state at the end, to go on with later (not
    written if the training broke down). test: also evaluate on the test part. plain: with the stock Keras optimizer
    and `model.fit` instead of the compiled program. save: where to write the trained model, in front of it the layers
    that take raw columns. refit: train on the validation rows too, features prepared by them too; val_* then tell of
    rows that were trained on. whole: with `refit`, on the test rows as well. redraw: training and validation rows are
    split anew, by the seed.
    """

    configuration: Configuration
    seed: int
    epochs: int
    total_epochs: int | None = None
    start: Path | None = None
    keep: Path | None = None
    test: bool = False
    plain: bool = False
    save: Path | None = None
    refit: bool = False
    whole: bool = False
    redraw: bool = False

    @property
    def split(self) -> int | None:
        """The seed of the split of training and validation rows, None for the task's own."""
        return self.seed if self.redraw else None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Population:
    """Jobs to be run side by side in one process, those of one rule and one batch size in one step.

    It pays where a step leaves the device idle: on a GPU with small models. Answered by a list, a Run for each.
    """

    jobs: tuple[Job, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Run:
    """What came of a job.

    curves: loss, val_loss, val_<metric> and learning_rate, one entry an epoch begun in this job. metrics: val_* and,
    if asked, test_* of the weights that are kept: after the last epoch, or of the best one where early stopping
    restores them. epochs: done in all, those before `Job.start` included. best_epoch: the one whose weights are kept,
    counted from 1; 0 without early stopping. stopped: whether early stopping ended the training. finite: whether the
    training stayed finite. error: why it gave no result. seconds: of training and evaluation. step_seconds: of one
    step, evaluation and setting up not counted. memory: bytes of the parameters and the rule's slots.
    """

    curves: Mapping[str, list[float]]
    metrics: Mapping[str, float]
    epochs: int
    finite: bool
    seconds: float
    error: str = ""
    step_seconds: float = 0.0
    memory: int = 0
    best_epoch: int = 0
    stopped: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class Probe:
    """A learning-rate range test: the configuration trained a little from scratch at each of some constant rates.

    rates: the learning rates; the configuration's own and its schedule are set aside. steps: of each training.
    """

    configuration: Configuration
    seed: int
    rates: tuple[float, ...]
    steps: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class ProbeRun:
    """What came of a probe; lists have an entry a rate, NaN where it diverged.

    start: the validation loss before any step. losses: the mean training loss over the last quarter of the steps.
    val_losses: the validation loss after the last step.
    """

    rates: tuple[float, ...]
    start: float
    losses: list[float]
    val_losses: list[float]
    seconds: float
    error: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Plan:
    """What a study, or one process of it, will have to do, as far as that is known beforehand.

    steps: how many, at the default batch size. seconds: how long at most. sizes: how many batch sizes. way: decided
    before, None if not. compare: whether the process compares its program with `model.fit`, and scores what answers
    without a network; one process does it for all.
    """

    steps: float
    seconds: float = float("inf")
    sizes: int = 1
    way: Way | None = None
    compare: bool = True


@dataclasses.dataclass(frozen=True, kw_only=True)
class SetUp:
    """Prepare a task and trace its program; answered by `Ready`.

    rules: one of each kind that will be trained. seeds: those that will be asked for; others cost a second each.
    """

    spec: TaskSpec
    rules: tuple[Rule, ...]
    seeds: tuple[int, ...]
    plan: Plan


@dataclasses.dataclass(frozen=True, kw_only=True)
class Ready:
    """A task is set up. memory: bytes of the process. step_seconds: of one step at the
    default batch size, 0 where it was not measured.
    """

    description: TaskDescription
    memory: int
    step_seconds: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class Work:
    """Train; answered by `Done`. way: how the steps run, None for the one that the worker found."""

    job: Job | Probe
    way: Way | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Done:
    """What came of a `Job` or of a `Probe`."""

    result: Run | ProbeRun


@dataclasses.dataclass(frozen=True)
class Rest:
    """Forget the task, but for what the next one can use; answered by `Rested`."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rested:
    """files: from which modules were loaded, those aside that were installed, and when they were written."""

    files: Mapping[str, int]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Renew:
    """Be as a process that starts now, with this file to print to and this environment; not answered."""

    log: str
    environment: Mapping[str, str]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Failed:
    """A request that could not be answered, as the error to raise: the fault is not that of one training."""

    error: OptselectError


Request = SetUp | Work | Rest
Answer = Ready | Done | Rested | Failed


def decided(description: TaskDescription, asked: Way | None = None) -> Way | None:
    """How the steps of a study run; None where each process finds that out, which comes to the same.

    description: of the task, by the first process. asked: of that process.
    """
    differs = description.comparison is not None and not description.comparison.equal
    return "fit" if differs or asked == "fit" else cast("Way | None", description.way or None)


def broken(asked: Job | Probe, error: str) -> Run | ProbeRun:
    """The answer where the process or the model failed. error: why, for people.

    >>> from optselect.optim.configuration import BASELINE
    >>> broken(Job(configuration=BASELINE, seed=0, epochs=1), "out of memory").finite
    False
    """
    if isinstance(asked, Probe):
        nothing = [math.nan] * len(asked.rates)
        return ProbeRun(rates=asked.rates, start=math.nan, losses=nothing, val_losses=nothing, seconds=0.0, error=error)
    return Run(curves={}, metrics={}, epochs=0, finite=False, seconds=0.0, error=error)
