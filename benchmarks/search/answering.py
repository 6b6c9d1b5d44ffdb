"""Answers trainings from the table, and keeps count of what they would have cost."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from typing import Any

from benchmarks.search import grid
from benchmarks.search.table import Results
from optselect.optim.configuration import Configuration
from optselect.trainer.messages import Job, Probe, ProbeRun, Run
from optselect.workers.executor import Executor

__all__ = ["Bought", "Shop", "TableExecutor"]


@dataclasses.dataclass(frozen=True)
class Bought:
    """A training that a contender paid for. paid: epochs so far, of everything. loss: its last validation loss,
    infinite if it broke down. whole: whether it was trained to its end.
    """

    key: grid.Key
    loss: float
    paid: float
    whole: bool


class Shop:
    """Sells the results of one task as one seed found them.

    history: what was bought, in order. paid: epochs. A learning rate between two of the grid gets the result of the
    nearer one.
    """

    def __init__(self, results: Results, seed: int) -> None:
        self.results, self.seed = results, seed
        self.history: list[Bought] = []
        self.paid = 0.0

    def train(self, configuration: Configuration, epochs: int, *, begun: int = 0, total: int | None = None) -> Any:
        """The validation loss by epoch from `begun` to `epochs` of a training whose schedule spans `total`."""
        longest = self.results.task.epochs
        key = grid.nearest(configuration)
        curve = self.results.curve(key, self.seed, total or epochs)
        upto = curve[:epochs]
        broke = len(upto) < epochs or not math.isfinite(upto[-1])
        self.paid += max(0, len(upto) - begun)
        loss = math.inf if broke else float(upto[-1])
        self.history.append(Bought(key, loss, self.paid, whole=broke or epochs >= longest))
        return upto[begun:]

    def sweep(self, probe: Probe) -> ProbeRun:
        """A range test. It costs the epochs that its steps would make."""
        found, steps = self.results.sweeps[probe.configuration.rule.key, self.seed]
        if (found.rates, steps) != (probe.rates, probe.steps):
            raise LookupError("The table's range tests are others than a study makes now: run benchmarks.search.make.")
        an_epoch = probe.configuration.steps_per_epoch(self.results.rows)
        self.paid += len(probe.rates) * probe.steps / an_epoch
        return found


class TableExecutor(Executor):
    """What a study takes for its workers: one of them, which has every answer ready."""

    capacity = 1

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self._waiting: list[tuple[int, Job | Probe]] = []

    def submit(self, ticket: int, job: Job | Probe) -> None:
        """Queue a job or a range test."""
        self._waiting.append((ticket, job))

    def results(self, timeout: float) -> Iterator[tuple[int, Any]]:
        """The oldest of what was asked."""
        ticket, job = self._waiting.pop(0)
        yield ticket, self._shop.sweep(job) if isinstance(job, Probe) else self._run(job)

    def close(self) -> None:
        """There is nothing to end."""

    def _run(self, job: Job) -> Run:
        begun = int(job.start.read_text()) if job.start else 0
        total = job.total_epochs or job.epochs
        losses = [float(v) for v in self._shop.train(job.configuration, job.epochs, begun=begun, total=total)]
        finite = begun + len(losses) == job.epochs and math.isfinite(losses[-1])
        if job.keep and finite:
            job.keep.parent.mkdir(parents=True, exist_ok=True)
            job.keep.write_text(str(job.epochs))
        return Run(
            curves={"val_loss": losses},
            metrics={"val_loss": losses[-1]},
            epochs=begun + len(losses),
            finite=finite,
            seconds=float(len(losses)),
        )
