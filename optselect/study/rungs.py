"""Rungs: training lengths at which a trial pauses, and goes on or ends.

A short training has the schedule of a short training: a cosine cut in half is not a short cosine, and would lose to
every constant rate. So a trial whose rates depend on the length is trained again from the start where it is promoted;
one whose rates do not goes on from where it paused. Either way a promoted trial is the unpaused training of its length.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

from optselect.optim.configuration import Configuration
from optselect.record.entries import TrialRecord
from optselect.study.stage import Planned

__all__ = ["Rungs", "endures", "family", "lengths", "reported"]

_SHARES = (0.25, 0.5)  # of a training; below a fifth of the steps ranks say little about the end
_FEWEST = 4  # epochs; shorter trainings have no rungs

Curves = Mapping[str, Sequence[float]]


def lengths(epochs: int) -> tuple[int, ...]:
    """The rungs of a training in epochs, without its end; none for a short one.

    >>> lengths(20), lengths(4), lengths(3)
    ((5, 10), (1, 2), ())
    """
    return () if epochs < _FEWEST else tuple(sorted({max(1, round(share * epochs)) for share in _SHARES}))


def family(configuration: Configuration) -> str:
    """Whom a trial may be compared with at a rung: those of its optimizer and schedule.

    >>> from optselect.optim.configuration import BASELINE
    >>> family(BASELINE)
    'adam constant'
    """
    return f"{configuration.rule.key} {configuration.schedule.key}"


def endures(configuration: Configuration, steps: int, short: int, epochs: int) -> bool:
    """Whether a training of `short` epochs has the rates with which one of all `epochs` begins. steps: of an epoch.

    >>> from optselect.optim.configuration import BASELINE
    >>> endures(BASELINE, 10, 5, 20)
    True
    """
    schedule, rate = configuration.schedule, configuration.learning_rate
    return schedule.timed(rate, steps * short) == schedule.timed(rate, steps * epochs)


class Rungs:
    """Plans the parts of a trial.

    epochs: of a whole training. rows: of the training part. objective: a metric, as in "val_loss". folder: where
    states are kept; None where a training cannot be paused (`model.fit`): all are then trained again. kept: with early
    stopping, the epoch, from 1, whose weights a training with these curves has kept.
    """

    def __init__(
        self,
        epochs: int,
        *,
        rows: int,
        objective: str,
        folder: Path | None,
        kept: Callable[[Curves], int] | None = None,
    ) -> None:
        self.lengths, self._epochs = lengths(epochs), epochs
        self._rows, self._objective, self._folder, self._kept = rows, objective, folder, kept

    def first(self, planned: Planned, at: Collection[int]) -> Planned:
        """The first part of a trial. planned: the whole of it, with its number. at: the rungs where it pauses."""
        return self._part(planned, at, None) if at else planned

    def after(self, planned: Planned, at: Collection[int]) -> Planned:
        """The part that follows `planned`."""
        kept = planned.job.keep if planned.job.keep is not None and planned.job.keep.exists() else None
        return self._part(planned, [length for length in at if length > planned.job.epochs], kept)

    def endures(self, configuration: Configuration) -> bool:
        """Whether a training with this configuration can be looked at midway: its rates ask nothing of its end."""
        steps = configuration.steps_per_epoch(self._rows)
        return all(endures(configuration, steps, length, self._epochs) for length in self.lengths)

    def values(self, record: TrialRecord) -> dict[int, float]:
        """The objective at the rungs that a finished trial came by, by epochs: as reported, or off its curve.

        One that stopped early has come by all rungs after that with what it kept.
        """
        seen = self._off_curve(record) if self.endures(record.configuration) else {}
        last = {self._ended_at(record): record.metrics[self._objective]} if record.outcome == "pruned" else {}
        return seen | reported(record) | last

    def tidy(self, number: int | None, *, but: Path | None = None) -> None:
        """Remove the states of a trial. but: one that is still needed."""
        for path in list(self._folder.glob(f"{number}-*")) if self._folder else []:
            if path != but:
                path.unlink(missing_ok=True)

    def _off_curve(self, record: TrialRecord) -> dict[int, float]:
        curve = record.curves.get(self._objective, [])
        if record.stopped and record.outcome == "complete":
            reached: Collection[int] = self.lengths
        else:
            reached = [length for length in self.lengths if length <= len(curve)]
        if not curve or self._kept is None:
            return {length: curve[length - 1] for length in reached if curve}
        until = {length: {name: values[:length] for name, values in record.curves.items()} for length in reached}
        return {length: curve[self._kept(curves) - 1] for length, curves in until.items()}

    def _ended_at(self, record: TrialRecord) -> int:
        """The rung at which a trial was ended; it may have stopped early on the way there."""
        return next((length for length in self.lengths if length >= record.epochs), record.epochs)

    def _part(self, planned: Planned, at: Collection[int], kept: Path | None) -> Planned:
        epochs = min(at, default=self._epochs)
        if not self.endures(planned.job.configuration):
            job = dataclasses.replace(planned.job, epochs=epochs)
            return dataclasses.replace(planned, job=job, until=self._epochs)
        if self._folder is None:
            job = dataclasses.replace(planned.job, epochs=epochs, total_epochs=self._epochs)
            return dataclasses.replace(planned, job=job, until=self._epochs)
        keep = None if epochs == self._epochs else self._folder / f"{planned.number}-{epochs}.npz"
        job = dataclasses.replace(planned.job, epochs=epochs, total_epochs=self._epochs, start=kept, keep=keep)
        return dataclasses.replace(planned, job=job, until=self._epochs)


def reported(record: TrialRecord) -> dict[int, float]:
    """The objective at the rungs after which a trial went on, by epochs."""
    return {int(epochs): value for epochs, value in record.attributes.get("reports", {}).items()}
