"""Is a study's number right? Its recommendation under seeds that the study never saw, beside what was stated."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from optselect.api.studies import answer, folder
from optselect.errors import InvalidValue, StudyConflict
from optselect.optim.configuration import Configuration
from optselect.options import Settings, from_objects
from optselect.record import StudyLog
from optselect.session.rerun import run_all
from optselect.study.conflict import differences
from optselect.task import TaskSpec
from optselect.trainer.messages import Job
from optselect.util.intervals import Estimate, estimate, limits
from optselect.util.json_types import plain
from optselect.util.seeds import derive, on_fold
from optselect.verdict.numbers import number
from optselect.verdict.statistics import prediction

__all__ = ["Replay", "replay"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Replay:
    """What a study stated, and what new seeds say.

    Parameters
    ----------
    study : str
        Name of the study.
    configuration : Configuration
        The recommended configuration.
    headline : str
        The metric.
    part : str
        The rows on which it was computed: "held-out" or "validation".
    stated : Estimate
        Mean and interval that the study stated.
    found : Estimate
        Mean and interval over the new seeds; NaN except for the number of seeds if a run diverged.
    low : float
        Lower end of the interval in which the mean of so many new runs lies in 95 of 100 replays. It is wider than the
        stated interval, since the new mean varies too.
    high : float
        Upper end of that interval.
    broken : int
        New runs that diverged.
    """

    study: str
    configuration: Configuration
    headline: str
    part: str
    stated: Estimate
    found: Estimate
    low: float
    high: float
    broken: int

    @property
    def inside(self) -> bool:
        """Whether the new mean lies where it should; of numbers that never vary the last bits do not count."""
        slack = 1e-6 * abs(self.stated.mean)
        return self.low - slack <= self.found.mean <= self.high + slack

    def text(self) -> str:
        """Format the result.

        Returns
        -------
        str
            One or two sentences.
        """
        name = self.headline.replace("_", " ")
        stated = (
            f"{self.configuration}: the study states {name} {number(self.stated.mean)} on {self.part} data over "
            f"{self.stated.seeds} seeds."
        )
        if self.broken:
            return f"{stated} Of {self.found.seeds} new seeds {self.broken} broke down."
        word = "as stated" if self.inside else "not as stated"
        return (
            f"{stated} {self.found.seeds} new seeds give {number(self.found.mean)}; their mean should lie in "
            f"{number(self.low)} to {number(self.high)}: {word}."
        )

    def to_dict(self) -> dict[str, Any]:
        """Describe the result with JSON types.

        Returns
        -------
        dict
            Fields by name; None where a number is not finite.
        """
        fields = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        return {"text": self.text(), "inside": self.inside, **plain(fields)}


def replay(
    study: str | Path,
    *,
    seeds: int = 10,
    seed: int = 0,
    spec: TaskSpec | None = None,
    out: str | Path | None = None,
    workers: int | None = None,
    told: Callable[[int], None] = lambda done: None,
) -> Replay:
    """Train the recommendation of a finished study on new seeds and check that its metric is as stated.

    The record of the study does not change.

    Parameters
    ----------
    study : str or Path
        Name or folder of the study.
    seeds : int, default 10
        Number of new seeds.
    seed : int, default 0
        Random seed from which the new seeds are derived.
    spec : TaskSpec, optional
        The task, if it was made from Python objects (`Result.spec`). Default: data and model are read again from where
        the study found them.
    out : str or Path, optional
        Folder of the studies. Default: `optselect-studies`.
    workers : int, optional
        Training processes. Default: one per GPU, or one.
    told : callable, optional
        Called with the number of runs that are done.

    Returns
    -------
    Replay
        The result.

    Raises
    ------
    UnknownName
        If the study does not exist.
    NoResult
        If the study is not finished.
    DamagedFile
        If its answer is torn, or belongs to other trainings.
    StudyConflict
        If data or model have changed, or if the ledger is damaged.
    InvalidValue
        If `seeds` is less than 1, or if the task came from Python objects and `spec` is missing.

    Examples
    --------
    >>> from optselect import api
    >>> api.replay("digits", seeds=10).inside  # doctest: +SKIP
    True
    """
    if seeds < 1:
        raise InvalidValue(f"replay: `seeds` must be at least 1, got {seeds}.")
    found = answer(study, out)
    place = folder(study, out)
    spec = _same(place, spec)
    verdict = found.verdict
    part, prefix = ("held-out", "test") if verdict.confirmed else ("validation", "val")
    stated = verdict.recommended.held_out
    job = Job(configuration=found.configuration, seed=0, epochs=spec.epochs, test=True, redraw=verdict.redrawn)
    folds = spec.partition.folds if verdict.redrawn else 0
    jobs = [dataclasses.replace(job, seed=on_fold(derive(seed, "replay", k), k, folds)) for k in range(seeds)]
    runs = run_all(spec, jobs, log=place / "replay.log", workers=workers, told=told)
    values = [run.metrics.get(f"{prefix}_{verdict.headline}", math.nan) if run.finite else math.nan for run in runs]
    within = limits(verdict.headline)
    low, high = prediction(stated, seeds, within=within)
    return Replay(
        study=found.study,
        configuration=found.configuration,
        headline=verdict.headline,
        part=part,
        stated=stated,
        found=estimate(values, within=within),
        low=low,
        high=high,
        broken=sum(map(math.isnan, values)),
    )


def _same(place: Path, spec: TaskSpec | None) -> TaskSpec:
    """The study's task, given or read anew, after a look at whether it is still the same."""
    log = StudyLog.read(place / "ledger.jsonl")
    started = log.begun
    if spec is None:
        if from_objects(log.settings):
            raise InvalidValue(
                f"{place}: data or model of this study were objects in Python, which no file holds. Call `tune` as "
                "before, which trains nothing, and then `.replay()` of what it gives."
            )
        spec = Settings.from_record(log.settings).spec()
    now = spec.fingerprint()
    before = {**started.to_dict(), "fingerprint": {key: started.fingerprint.get(key) for key in now}}
    about = {"model": None if spec.model is None else spec.model.to_dict()}
    changed = differences(before, {"fingerprint": now, "description": about})
    if changed:
        lines = "\n".join(changed)
        raise StudyConflict(f"{place}: the study was about something else, so its number cannot be checked:\n{lines}")
    return spec
