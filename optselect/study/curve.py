"""Best value against budget: "with 10 trials Adam, with 60 SGD"."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

from optselect.model.objective import Objective
from optselect.record.entries import TrialRecord

__all__ = ["Curve", "curves", "expected_best"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Curve:
    """What an arm reaches with 1, 2, 3 ... trials, in the objective's direction.

    expected: the expected best of n trials drawn at random from those of the start-up part, in which no trial
    depends on others, so the order in which they fell is averaged out. reached: the running best of all its trials in
    their order, None before the first value; `reached[n - 1]` is that of n trials.
    """

    expected: list[float]
    reached: list[float | None]

    def to_dict(self) -> dict[str, Any]:
        """JSON types only."""
        return {"expected": self.expected, "reached": self.reached}


def expected_best(values: Sequence[float], n: int) -> float:
    """The mean over all subsets of n values of their minimum: unbiased for the best of n fresh draws.

    Dodge et al. 2019, Show Your Work (arXiv:1909.03004), estimate it from subsets with replacement, which is biased
    (Tang et al. 2020, arXiv:2004.14500); without replacement, as here, it is not.

    >>> expected_best([3.0, 1.0, 2.0], 1), expected_best([3.0, 1.0, 2.0], 3)
    (2.0, 1.0)
    >>> round(expected_best([3.0, 1.0, 2.0], 2), 3)  # of {3,1}, {3,2}, {1,2}
    1.333
    >>> round(expected_best(range(5000), 2500), 4)  # 5001 / 2501 - 1
    0.9996
    """
    total, found = len(values), 0.0
    share = n / total  # of the subsets in which the value of this rank is the best; their numbers would be too large
    for rank, value in enumerate(sorted(values)):
        found += share * value
        share *= (total - rank - n) / max(1, total - rank - 1)
    return found


def curves(records: Iterable[TrialRecord], objective: Objective) -> dict[str, Curve]:
    """The curve of every arm. records: trials of the search.

    Trials that gave no value count as trials: with a worst value where others are averaged they would have no mean,
    so `expected` is of those with one.
    """
    arms: dict[str, list[TrialRecord]] = {}
    for record in sorted(records, key=lambda r: r.number):
        arms.setdefault(record.arm, []).append(record)
    return {arm: _curve(found, objective) for arm, found in arms.items()}


def _curve(records: Sequence[TrialRecord], objective: Objective) -> Curve:
    sign = objective.sign
    drawn = [sign * r.value for r in records if r.value is not None and r.attributes.get("startup")]
    best: float | None = None
    reached = []
    for record in records:
        if record.value is not None and (best is None or objective.better(record.value, best)):
            best = record.value
        reached.append(best)
    return Curve(expected=[sign * expected_best(drawn, n) for n in range(1, len(drawn) + 1)], reached=reached)
