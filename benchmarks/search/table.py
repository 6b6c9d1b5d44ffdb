"""The table of results: every configuration of the grid on every task, trained once with every seed."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.search import grid
from optselect.trainer.messages import ProbeRun

__all__ = ["COLUMNS", "SWEEPS", "TABLE", "Results", "load"]

_DATA = Path(__file__).parents[1] / "data"
TABLE, SWEEPS = _DATA / "search_table.parquet", _DATA / "search_sweeps.parquet"
COLUMNS = {
    "task": "object",
    "rule": "object",
    "learning_rate": "float64",
    "second": "object",
    "value": "float64",
    "schedule": "object",
    "batch_size": "int16",
    "seed": "int8",
    "epochs": "int8",
    "val_loss": "object",
    "test_loss": "float32",
    "seconds": "float32",
}


@dataclasses.dataclass(frozen=True)
class Results:
    """All results of one task.

    rows: of the training part. curves: the validation loss by epoch, by configuration, seed and length of the
    training. tests: the held-out loss at the end of the longest training by configuration, shape (seeds,), infinite
    where it broke down. sweeps: range tests by rule and seed, with the steps of each.
    """

    task: grid.TableTask
    rows: int
    curves: dict[tuple[grid.Key, int, int], np.ndarray]
    tests: dict[grid.Key, np.ndarray]
    sweeps: dict[tuple[str, int], tuple[ProbeRun, int]]

    def curve(self, key: grid.Key, seed: int, total: int) -> np.ndarray:
        """Of a training whose schedule spans `total` epochs, to its end."""
        longest = self.task.epochs
        if key[3] == "constant":
            return self.curves[key, seed, longest][:total]
        return self.curves[key, seed, total]

    def regret(self, key: grid.Key, seeds: Sequence[int]) -> float:
        """The held-out loss over these seeds: 0 for the best of the grid, 1 for the median, 2 at most."""
        best, median = self._anchors(tuple(seeds))
        loss = float(self.tests[key][list(seeds)].mean())
        return min(2.0, (loss - best) / (median - best)) if math.isfinite(loss) else 2.0

    @functools.cache  # noqa: B019 - a handful of tasks that live as long as the process
    def _anchors(self, seeds: tuple[int, ...]) -> tuple[float, float]:
        losses = np.asarray([found[list(seeds)].mean() for found in self.tests.values()])
        return float(losses.min()), float(np.median(losses))

    def __hash__(self) -> int:
        return hash(self.task)


def load() -> dict[str, Results]:
    """By the name of the data set. Raises `FileNotFoundError` where the table has not been made."""
    table, sweeps = pd.read_parquet(TABLE), pd.read_parquet(SWEEPS)
    tasks = {task.data: task for task in grid.TASKS}
    return {
        name: _results(tasks[name], rows, sweeps[sweeps.task == name])
        for name, rows in table.groupby("task", observed=True)
    }


def _results(task: grid.TableTask, table: pd.DataFrame, sweeps: pd.DataFrame) -> Results:
    curves, tests = {}, {}
    for row in table.itertuples():
        key = row.rule, row.learning_rate, row.value, row.schedule, int(row.batch_size)
        curves[key, int(row.seed), int(row.epochs)] = np.asarray(row.val_loss, float)
        if row.epochs == task.epochs:
            test = tests.setdefault(key, np.full(len(grid.SEEDS), np.inf))
            test[row.seed] = row.test_loss if math.isfinite(row.test_loss) else np.inf
    probed = {
        (row.rule, int(row.seed)): (
            ProbeRun(
                rates=tuple(row.rates),
                start=row.start,
                losses=[float(v) for v in row.losses],
                val_losses=[float(v) for v in row.val_losses],
                seconds=0.0,
            ),
            int(row.steps),
        )
        for row in sweeps.itertuples()
    }
    return Results(task, int(sweeps["rows"].iloc[0]), curves, tests, probed)
