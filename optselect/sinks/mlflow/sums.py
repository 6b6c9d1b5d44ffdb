"""What the runs above the trials say in MLflow: counts and bests of an arm, means and intervals of a configuration."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from optselect.record.entries import TrialRecord
from optselect.sinks.mlflow.run_contents import Point, finite, key, milliseconds
from optselect.util.intervals import estimate, limits

__all__ = ["arm_points", "configuration_points", "improvements", "mean_curves"]


def improvements(trials: Sequence[TrialRecord], sign: float) -> list[TrialRecord]:
    """The trials of the search that were the best when they came. sign: -1 where the objective is maximised."""
    best, found = math.inf, []
    for trial in trials:
        value = math.inf if trial.value is None or trial.stage != "search" else sign * trial.value
        if value < best:
            best = value
            found.append(trial)
    return found


def arm_points(trials: Sequence[TrialRecord], sign: float) -> list[Point]:
    """How an arm stands after these trials of it: counts and the best objective of its search, all its trainings.

    The step is the number of trainings, the time that of the last: said twice it changes nothing.
    """
    search = [trial for trial in trials if trial.stage == "search"]
    said: dict[str, float] = {"trials": len(search), "trainings": len(trials)}
    for outcome in ("diverged", "pruned", "failed"):
        said[outcome] = sum(trial.outcome == outcome for trial in search)
    if best := improvements(search, sign):
        said["best_objective"] = float(best[-1].value or 0.0)
    return _points(said, trials)


def configuration_points(trials: Sequence[TrialRecord]) -> list[Point]:
    """How a configuration stands after these seeds of it, those of the search aside: they have chosen it.

    A mean has the name that the figure has on a trial, so that one column of MLflow's table sorts both; beside it are
    the ends of its 95 % interval, `..._low` and `..._high`, as the verdict has them. Figures with a curve are told by
    `mean_curves`. The step is the number of trainings.
    """
    fresh = [trial for trial in trials if trial.stage != "search"]
    whole = [trial for trial in fresh if trial.value is not None]
    broken = sum(trial.outcome == "diverged" for trial in fresh)
    said: dict[str, float] = {"seeds": len(whole), "diverged": broken, "trainings": len(trials)}
    figures: dict[str, list[float]] = {"objective": [float(trial.value or 0.0) for trial in whole]}
    for trial in whole:
        for name, value in trial.metrics.items():
            if finite(value) and name not in trial.curves:
                figures.setdefault(name, []).append(float(value))
    for name, values in figures.items():
        if values:
            found = estimate(values, within=limits(name))
            said |= {name: found.mean, f"{name}_low": found.low, f"{name}_high": found.high}
    return _points(said, trials)


def mean_curves(trials: Sequence[TrialRecord]) -> list[Point]:
    """The mean curves of a configuration over its seeds, those of the search aside, by epoch from 1."""
    whole = [trial for trial in trials if trial.stage != "search" and trial.value is not None]
    end = _end(trials)
    points = []
    for name in dict.fromkeys(name for trial in whole for name in trial.curves):
        curves = [trial.curves[name] for trial in whole if name in trial.curves]
        for epoch, values in enumerate(zip(*curves, strict=False), start=1):
            if all(map(finite, values)):
                points.append(Point(key(name), float(np.mean(values)), end, epoch))
    return points


def _points(said: dict[str, float], trials: Sequence[TrialRecord]) -> list[Point]:
    end = _end(trials)
    return [Point(key(name), float(value), end, len(trials)) for name, value in said.items() if finite(value)]


def _end(trials: Sequence[TrialRecord]) -> int:
    return max((milliseconds(trial.started + trial.seconds) for trial in trials), default=0)
