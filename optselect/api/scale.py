"""A tuned configuration for another batch size, more rows or more epochs; if data are given, tried at three rates."""

from __future__ import annotations

import dataclasses
import math
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from optselect.api.studies import answer
from optselect.errors import NoResult
from optselect.model.objective import Objective
from optselect.optim.configuration import Configuration
from optselect.session.rerun import run_all
from optselect.study.warm_start import known_good
from optselect.task import TaskSpec
from optselect.trainer.messages import Job
from optselect.util.seeds import derive
from optselect.verdict.numbers import number
from optselect.verdict.scaled import around, rescaled

__all__ = ["Scaled", "Tried", "scale"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Tried:
    """One of the three learning rates that were tried.

    Parameters
    ----------
    configuration : Configuration
        The configuration with that rate.
    mean : float
        Mean of the objective over the seeds, NaN if a run diverged.
    """

    configuration: Configuration
    mean: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class Scaled:
    """A configuration scaled to another batch size: a starting point.

    Parameters
    ----------
    before : Configuration
        The configuration as it was.
    after : Configuration
        The scaled configuration.
    around : tuple of Configuration
        `after` with a third, one and three times its learning rate.
    tried : tuple of Tried, default ()
        Those three with their results, if a task was given.
    objective : Objective, optional
        The metric that was measured, if a task was given.
    """

    before: Configuration
    after: Configuration
    around: tuple[Configuration, ...]
    tried: tuple[Tried, ...] = ()
    objective: Objective | None = None

    @property
    def best(self) -> Configuration:
        """The best of those tried; `after` where nothing was. Raises `NoResult` where all broke down."""
        if self.objective is None:
            return self.after
        sign = self.objective.sign
        whole = [t for t in self.tried if not math.isnan(t.mean)]
        if not whole:
            raise NoResult("All three learning rates broke down: search anew, at lower rates.")
        return min(whole, key=lambda t: sign * t.mean).configuration

    def text(self) -> str:
        """Format the result.

        Returns
        -------
        str
            Several lines.
        """
        rates = [f"{c.learning_rate:.3g}" for c in self.around]
        lines = [f"was: {self.before}", f"now: {self.after}"]
        if not self.tried:
            lines.append(
                f"A starting point. Before you trust it, train at the learning rates {', '.join(rates)}: `check=` does."
            )
            return "\n".join(lines)
        for tried in self.tried:
            said = "broke down" if math.isnan(tried.mean) else f"{self.objective} {number(tried.mean)}"
            lines.append(f"  learning_rate {tried.configuration.learning_rate:.3g}: {said}")
        if self.best == self.after:
            lines.append("The rescaled rate is the best of the three.")
        else:
            lines.append(
                f"Take learning_rate {self.best.learning_rate:.3g}. It is the last of the three on its side: one "
                "beyond it may be better still."
            )
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Describe the result with JSON types.

        Returns
        -------
        dict
            Fields by name; None where a run diverged.
        """
        tried = [
            {"configuration": t.configuration.to_dict(), "mean": None if math.isnan(t.mean) else t.mean}
            for t in self.tried
        ]
        return {
            "text": self.text(),
            "before": self.before.to_dict(),
            "after": self.after.to_dict(),
            "best": self.best.to_dict(),
            "around": [c.to_dict() for c in self.around],
            "objective": str(self.objective or ""),
            "tried": tried,
        }


def scale(
    configuration: Configuration | str | Path,
    *,
    batch_size: int,
    rows: float = 1.0,
    epochs: float = 1.0,
    check: TaskSpec | None = None,
    seeds: int = 2,
    out: str | Path | None = None,
    told: Callable[[int], None] = lambda done: None,
) -> Scaled:
    """Scale a configuration to another batch size, another number of rows or other epochs.

    Parameters
    ----------
    configuration : Configuration or str or Path
        A configuration; a file that contains one (JSON or YAML); or a finished study, by name or folder, whose
        recommended configuration is taken.
    batch_size : int
        The new batch size, in rows per step.
    rows : float, default 1.0
        Number of training rows divided by the number before.
    epochs : float, default 1.0
        Number of epochs divided by the number before.
    check : TaskSpec, optional
        A task on which the learning rate is tried at a third, one and three times the scaled rate, by its objective on
        the validation set.
    seeds : int, default 2
        Seeds per learning rate.
    out : str or Path, optional
        Folder of the studies. Default: `optselect-studies`.
    told : callable, optional
        Called with the number of runs that are done.

    Returns
    -------
    Scaled
        The configuration that should train alike.

    Raises
    ------
    InvalidValue
        If a number is outside its domain.
    UnknownName
        If there is no such file or study.
    NoResult
        If the study is not finished.

    Notes
    -----
    The scaling rules are those of `optselect.verdict.scaling`, with their sources.

    Examples
    --------
    >>> from optselect.optim.rules.sgd import SGD
    >>> print(scale(Configuration(rule=SGD(learning_rate=0.1)), batch_size=128).text())
    was: SGD (learning_rate 0.1, batch 32)
    now: SGD (learning_rate 0.4, batch 128)
    A starting point. Before you trust it, train at the learning rates 0.133, 0.4, 1.2: `check=` does.
    """
    before = _configuration(configuration, out)
    after = rescaled(before, batch_size=batch_size, rows=rows, epochs=epochs)
    found = Scaled(before=before, after=after, around=tuple(around(after)))
    return found if check is None else _tried(found, check, seeds, told)


def _configuration(given: Configuration | str | Path, out: str | Path | None) -> Configuration:
    if isinstance(given, Configuration):
        return given
    if Path(given).is_file():
        return known_good(given, studies=Path())[0]
    return answer(given, out).configuration


def _tried(scaled: Scaled, spec: TaskSpec, seeds: int, told: Callable[[int], None]) -> Scaled:
    objective = Objective.parse(spec.objective)
    fresh = [derive(spec.seed, "scale", k) for k in range(seeds)]
    jobs = [Job(configuration=c, seed=s, epochs=spec.epochs) for c in scaled.around for s in fresh]
    with tempfile.TemporaryDirectory() as folder:
        runs = run_all(spec, jobs, log=Path(folder) / "worker.log", told=told)
    values = [run.metrics.get(objective.name, math.nan) if run.finite else math.nan for run in runs]
    tried = tuple(
        Tried(configuration=c, mean=_mean(values[i * seeds : (i + 1) * seeds])) for i, c in enumerate(scaled.around)
    )
    return dataclasses.replace(scaled, tried=tried, objective=objective)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
