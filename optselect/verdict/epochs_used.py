"""How many epochs trainings took with early stopping; where they were fixed, whether too many or too few."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence
from statistics import median, median_low

from optselect.model.objective import Objective
from optselect.optim.configuration import Configuration
from optselect.record.entries import TrialRecord

__all__ = ["EpochsUsed", "by_optimizer", "kept", "misjudged"]

_FEWEST = 4  # trainings, and epochs of each, that say something of all
_EARLY = 1 / 3  # of a training: where its best epoch lies there, fewer would do
_LATE = 0.03  # of a loss: more than that in the last quarter, and it was still falling


@dataclasses.dataclass(frozen=True, kw_only=True)
class EpochsUsed:
    """Of the trainings of an optimizer with early stopping. median, fewest, most: epochs trained. best_epoch: the
    median of those whose weights were kept, the first and the last of them. stopped: how many trainings ended before
    their last epoch, of `trainings`."""

    arm: str
    median: float
    fewest: int
    most: int
    best_epoch: float
    first_best: int
    last_best: int
    stopped: int
    trainings: int

    @classmethod
    def of(cls, arm: str, records: Iterable[TrialRecord]) -> EpochsUsed | None:
        """From trainings, those aside that broke down; None where none of them could stop early."""
        found = [r for r in records if r.outcome == "complete" and r.best_epoch]
        if not found:
            return None
        trained, best = [r.epochs for r in found], [r.best_epoch for r in found]
        return cls(
            arm=arm,
            median=float(median(trained)),
            fewest=min(trained),
            most=max(trained),
            best_epoch=float(median(best)),
            first_best=min(best),
            last_best=max(best),
            stopped=sum(r.stopped for r in found),
            trainings=len(found),
        )

    @property
    def spread(self) -> str:
        """The epochs trained, for a table.

        >>> EpochsUsed(arm="adam", median=23.0, fewest=17, most=31, best_epoch=18.0, first_best=12, last_best=26,
        ...            stopped=5, trainings=5).spread
        '23 (17 to 31)'
        """
        return f"{self.median:g}" if self.fewest == self.most else f"{self.median:g} ({self.fewest} to {self.most})"


def by_optimizer(search: Sequence[TrialRecord]) -> tuple[EpochsUsed, ...]:
    """Of every optimizer in the order in which they began; none without early stopping."""
    arms = dict.fromkeys(r.configuration.rule.key for r in search)
    found = (EpochsUsed.of(arm, (r for r in search if r.configuration.rule.key == arm)) for arm in arms)
    return tuple(one for one in found if one is not None)


def kept(records: Iterable[TrialRecord], configuration: Configuration) -> int | None:
    """For how many epochs to train where nothing can be watched: the median of the epochs that fresh seeds kept.

    Those of the confirmation, else of the race; None without early stopping.
    """
    own = [r for r in records if r.configuration == configuration and r.outcome == "complete" and r.best_epoch]
    for stage in ("confirm", "race"):
        if found := [r.best_epoch for r in own if r.stage == stage]:
            return int(median_low(found))
    return None


def misjudged(records: Sequence[TrialRecord], baseline: Configuration, objective: Objective) -> str:
    """What the curves say against the number of epochs, in a sentence: too many or too few; "" where it was right."""
    watched = [r for r in records if r.best_epoch and r.outcome == "complete"]
    if watched:
        late = sum(not r.stopped for r in watched)
        most = f"{late} of {len(watched)} trainings reached the last epoch before they stopped: raise `epochs`."
        return most if late > len(watched) / 2 else ""
    search = [r.curves.get(objective.name, []) for r in records if r.stage == "search" and r.outcome == "complete"]
    long = [curve for curve in search if len(curve) >= _FEWEST]
    early = sum(_best(curve, objective) <= _EARLY * len(curve) for curve in long)
    if len(long) >= _FEWEST and early > len(long) / 2:
        return (
            f"`{objective}` was best in the first third of the epochs in {early} of {len(long)} trials: fewer epochs "
            "would do, or early stopping, `patience=5`."
        )
    default = [r for r in records if r.configuration == baseline and r.stage in ("race", "confirm")]
    falls = [_late(r.curves.get("val_loss", [])) for r in default if r.outcome == "complete"]
    if falls and median(falls) > _LATE:
        return (
            f"Keras's default was still learning at the last epoch (`val_loss` fell by {median(falls):.0%} in the last "
            "quarter): more epochs may change the answer; with early stopping, `patience=5`, each takes what it needs."
        )
    return ""


def _best(curve: Sequence[float], objective: Objective) -> int:
    """The epoch, from 1, of the best value."""
    values = [objective.sign * v if math.isfinite(v) else math.inf for v in curve]
    return values.index(min(values)) + 1


def _late(curve: Sequence[float]) -> float:
    """By which share a loss fell in the last quarter of its epochs; 0.0 for a short curve."""
    if len(curve) < _FEWEST:
        return 0.0
    before = curve[-1 - len(curve) // 4]
    return (before - curve[-1]) / abs(before) if before and math.isfinite(before - curve[-1]) else 0.0
