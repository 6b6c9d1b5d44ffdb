"""What an optimizer costs: the time of a step, the memory of its slots, the time to the default's loss."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence
from statistics import median

from optselect.model.objective import Objective
from optselect.record.entries import TrialRecord

__all__ = ["Cost", "costs", "time_to"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Cost:
    """Of an optimizer. step_seconds: median of its trials, at whatever batch sizes they had; 0.0 where the trainer does
    not tell. memory: bytes of the parameters and the rule's slots, the most of its trials."""

    arm: str
    step_seconds: float
    memory: int


def costs(records: Sequence[TrialRecord]) -> list[Cost]:
    """The cost of every optimizer, in the order in which they began."""
    found = []
    for arm in dict.fromkeys(r.configuration.rule.key for r in records):
        own = [r for r in records if r.configuration.rule.key == arm]
        steps = [r.step_seconds for r in own if r.step_seconds > 0]
        memory = max(r.memory for r in own)
        found.append(Cost(arm=arm, step_seconds=median(steps) if steps else 0.0, memory=memory))
    return found


def time_to(runs: Iterable[TrialRecord], reference: Iterable[TrialRecord], objective: Objective) -> float:
    """Seconds of training until the objective is as good as that of the reference at its end, under the same seed.

    The median over the seeds; infinite where less than half of them get there, or where the reference came to no end
    under any of them. The time goes evenly over the epochs of a run.
    """
    goals = {r.seed: r.value for r in reference if r.value is not None}
    times = []
    for run in runs:
        if run.seed in goals:
            goal, curve = goals[run.seed], run.curves.get(objective.name, [])
            reached = (k for k, v in enumerate(curve, start=1) if v == goal or objective.better(v, goal))
            epoch = next(reached, math.inf) if run.outcome == "complete" else math.inf
            times.append(run.seconds * epoch / max(len(curve), 1))
    return median(times) if times else math.inf
