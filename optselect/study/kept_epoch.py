"""Which epoch's weights early stopping has kept, midway in a training too: read off its curves."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from optselect.model.objective import Objective, larger_by_name
from optselect.task import EarlyStopping

__all__ = ["kept_epoch"]


def kept_epoch(stopping: EarlyStopping, objective: Objective, curves: Mapping[str, Sequence[float]]) -> int:
    """The epoch, from 1, whose weights are kept after the last of those in `curves`.

    objective: of the study, whose direction is known; that of another figure goes by `mode` or by its name.

    >>> curve = {"val_loss": [0.9, 0.5, 0.49, 0.7]}
    >>> kept_epoch(EarlyStopping(patience=5), Objective("val_loss"), curve)
    3
    >>> kept_epoch(EarlyStopping(patience=5, min_delta=0.1), Objective("val_loss"), curve)
    2
    """
    watched = curves[stopping.monitor]
    first = stopping.start_from_epoch
    if not stopping.restore_best_weights or len(watched) <= first:
        return len(watched)
    sign = -1.0 if _maximizes(stopping, objective) else 1.0
    kept, best = first + 1, math.inf
    for epoch, value in enumerate(watched[first:], start=first + 1):
        if sign * value + abs(stopping.min_delta) < best:
            kept, best = epoch, sign * value
    return kept


def _maximizes(stopping: EarlyStopping, objective: Objective) -> bool:
    if stopping.mode != "auto":
        return stopping.mode == "max"
    if stopping.monitor == objective.name:
        return objective.maximize
    return bool(larger_by_name(stopping.monitor))
