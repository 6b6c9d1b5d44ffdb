"""What a search found beside its best: budgets' worth, what speed and memory cost, range tests, who was eliminated."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from optselect.model.objective import Objective
from optselect.optim.configuration import Configuration
from optselect.record.entries import TrialRecord
from optselect.record.notes import Eliminated
from optselect.study.curve import Curve

__all__ = ["Findings", "Tradeoff", "tradeoffs"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Tradeoff:
    """A trial that no other beats in value, time and memory at once.

    number: of the trial. value: the objective. seconds: of training and evaluation, as measured. memory: bytes of the
    parameters and the rule's slots.
    """

    number: int
    configuration: Configuration
    value: float
    seconds: float
    memory: int

    def to_dict(self) -> dict[str, Any]:
        """JSON types only."""
        shallow = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        return {**shallow, "configuration": self.configuration.to_dict()}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Findings:
    """curves: best value against budget by arm. tradeoffs: best value first. eliminated: in their order.

    range_tests: by arm what was measured (`ProbeRun`) and what it says (`RangeReading`), JSON types.
    """

    curves: Mapping[str, Curve]
    tradeoffs: Sequence[Tradeoff]
    eliminated: Sequence[Eliminated]
    range_tests: Mapping[str, Mapping[str, Any]]

    def to_dict(self) -> dict[str, Any]:
        """JSON types only."""
        return {
            "curves": {arm: curve.to_dict() for arm, curve in self.curves.items()},
            "tradeoffs": [one.to_dict() for one in self.tradeoffs],
            "eliminated": [one.to_dict() for one in self.eliminated],
            "range_tests": {arm: dict(found) for arm, found in self.range_tests.items()},
        }


def tradeoffs(records: Iterable[TrialRecord], objective: Objective) -> list[Tradeoff]:
    """The Pareto front of objective, seconds and memory among trials that gave a value, best value first.

    records: all trained for the same number of epochs.
    """
    good = sorted(
        (r for r in records if r.value is not None),
        key=lambda r: (objective.sign * (r.value or 0.0), r.seconds, r.memory),
    )
    front: list[TrialRecord] = []
    for record in good:  # whoever beats it in value stands before it
        if not any(other.seconds <= record.seconds and other.memory <= record.memory for other in front):
            front.append(record)
    return [
        Tradeoff(
            number=r.number, configuration=r.configuration, value=r.value or 0.0, seconds=r.seconds, memory=r.memory
        )
        for r in front
    ]
