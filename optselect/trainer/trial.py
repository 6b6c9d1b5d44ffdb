"""What trains a task with one configuration after the other, however it does so."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Protocol

from optselect.task.checking import undefined
from optselect.task.prepared import Task
from optselect.trainer.messages import Job, Population, Probe, ProbeRun, Run

__all__ = ["Trainer", "defined", "in_units"]


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


def in_units(task: Task, values: Any) -> Any:
    """Metrics of a standardised target in the target's own units; curves or single numbers by name."""

    def scaled(name: str, value: Any) -> Any:
        scale = task.scales.get(name.removeprefix("val_").removeprefix("test_"), 1.0)
        if scale == 1.0:
            return value
        return [v * scale for v in value] if isinstance(value, list) else value * scale

    return {name: scaled(name, value) for name, value in values.items()}


def defined(task: Task, metrics: Mapping[str, float]) -> dict[str, float]:
    """The metrics after a training that did not diverge, without those of all rows that are not defined on a part.

    Raises InvalidData or InvalidModel where one of them is what the study improves.
    """
    for metric in task.epoch_metrics:
        if math.isnan(metrics.get(f"val_{metric.name}", 0.0)):
            raise undefined(metric, task.spec.data.name)
    names = {f"{part}_{metric.name}" for metric in task.whole_metrics for part in ("val", "test")}
    return {name: value for name, value in metrics.items() if not (name in names and math.isnan(value))}
