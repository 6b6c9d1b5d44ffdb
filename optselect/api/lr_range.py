"""The learning-rate range test of every rule on a data set and a model, as one call."""

from __future__ import annotations

import dataclasses
import math
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from optselect.data import DataOptions, SplitOptions
from optselect.errors import InvalidModel, InvalidValue
from optselect.optim.configuration import Configuration
from optselect.options import Settings
from optselect.spaces import Space, load_space
from optselect.study import range_test
from optselect.study.listener import Listener, Silent
from optselect.task import TaskSpec
from optselect.trainer.messages import Plan, Probe, ProbeRun
from optselect.util.option_fields import fill
from optselect.util.seeds import derive
from optselect.workers.local import LocalExecutor

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["RangeTest", "Sweep", "lr_range"]

_AROUND = 100.0  # a rate that the space fixes is tried this much lower, and as much higher


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sweep:
    """The range test of one optimizer.

    Parameters
    ----------
    optimizer : str
        Key of the optimizer.
    declared : tuple of 2 float or None
        Range of learning rates in the search space; None if the space fixes the rate.
    default : float
        Learning rate by default.
    run : ProbeRun
        Losses by learning rate.
    reading : range_test.Reading
        What they say: where the optimizer learns, where it diverges, what to try first.
    """

    optimizer: str
    declared: tuple[float, float] | None
    default: float
    run: ProbeRun
    reading: range_test.RangeReading

    def to_dict(self) -> dict[str, Any]:
        """Describe the test with JSON types.

        Returns
        -------
        dict
            Fields by name; None where training diverged.
        """
        return {
            "optimizer": self.optimizer,
            "declared": self.declared,
            "default": self.default,
            "rates": list(self.run.rates),
            "start": _plain(self.run.start),
            "losses": [_plain(v) for v in self.run.losses],
            "val_losses": [_plain(v) for v in self.run.val_losses],
            "seconds": self.run.seconds,
            **dataclasses.asdict(self.reading),
        }


@dataclasses.dataclass(frozen=True, kw_only=True)
class RangeTest:
    """The range tests of some optimizers.

    Parameters
    ----------
    data : str
        Name of the data set.
    steps : int
        Training steps per learning rate.
    batch_size : int
        Rows per step.
    sweeps : tuple of Sweep
        One test per optimizer.
    """

    data: str
    steps: int
    batch_size: int
    sweeps: tuple[Sweep, ...]

    @property
    def frame(self) -> pd.DataFrame:
        """A row for every rule and rate: optimizer, learning_rate, loss, val_loss (NaN where it diverged)."""
        import pandas as pd

        rows = [
            {"optimizer": s.optimizer, "learning_rate": rate, "loss": loss, "val_loss": val_loss}
            for s in self.sweeps
            for rate, loss, val_loss in zip(s.run.rates, s.run.losses, s.run.val_losses, strict=True)
        ]
        return pd.DataFrame(rows)

    def svg(self) -> str:
        """Draw the tests, one panel per optimizer.

        Returns
        -------
        str
            An SVG image.
        """
        from optselect.api.range_picture import picture

        return picture(self)

    def to_dict(self) -> dict[str, Any]:
        """Describe the tests with JSON types.

        Returns
        -------
        dict
            Fields by name.
        """
        return {
            "data": self.data,
            "steps": self.steps,
            "batch_size": self.batch_size,
            "sweeps": [sweep.to_dict() for sweep in self.sweeps],
        }


@fill(Settings)
def lr_range(
    model: Any,
    data: Any,
    *,
    target: str | Sequence[str] | None = None,
    kind: str | Mapping[str, str] | None = None,
    optimizers: Sequence[str] | None = None,
    space: str | Path | None = None,
    batch_size: int = 32,
    steps: int = 100,
    count: int = 13,
    seed: int = 0,
    workers: int | None = None,
    splits: SplitOptions | None = None,
    data_options: DataOptions | None = None,
    listener: Listener | None = None,
) -> RangeTest:
    """Learning-rate range test of every optimizer.

    Each optimizer is trained for a few steps at each of some learning
    rates: where it learns, where it diverges, what to try first.

    Parameters
    ----------
    {model}
    {data}
    {target}
    {kind}
    {optimizers}
    {space}
    batch_size : int, default 32
        Rows per step; all training rows if they are fewer.
    steps : int, default 100
        Training steps per learning rate.
    count : int, default 13
        Learning rates per optimizer, from the bottom of its range in the
        search space to ten times the top.
    {seed}
    workers : int, optional
        Training processes. Default: 1.
    splits : SplitOptions, optional
        Which rows train, validate and test.
    data_options : DataOptions, optional
        How the data set is written, which columns are used, and what its
        rows and classes count.
    listener : Listener, optional
        Gets the notes on data and model.

    Returns
    -------
    RangeTest
        One sweep per optimizer, in the order of the search space.

    Raises
    ------
    OptselectError
        One of its subclasses for whatever is wrong with the input.

    Examples
    --------
    >>> import optselect
    >>> found = optselect.lr_range(
    ...     None, "sklearn:digits", optimizers=["adam"]
    ... )  # doctest: +SKIP
    >>> found.sweeps[0].reading.suggested  # doctest: +SKIP
    (0.00121, 0.000178)
    """
    listener = listener or Silent()
    for name, value, least in (("batch_size", batch_size, 1), ("steps", steps, 4), ("count", count, 9)):
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise InvalidValue(f"lr_range: `{name}` must be a whole number from {least}, got {value!r}.")
    if workers is not None and workers < 1:
        raise InvalidValue(f"lr_range: `workers` must be at least 1, got {workers}.")
    settings = Settings(
        model=model,
        data=data,
        target=target,
        kind=kind,
        epochs=1,
        optimizers=optimizers,
        space=space,
        seed=seed,
        splits=splits or SplitOptions(),
        data_options=data_options or DataOptions(),
    )
    chosen = load_space(settings.space)
    if settings.optimizers:
        chosen = chosen.only(settings.optimizers)
    spec = settings.spec()
    for line in spec.describe():
        listener.say(line)
    batch_size = min(batch_size, len(spec.split.train))
    probes = [_probe(chosen, arm, batch_size, steps, count, derive(seed, "range")) for arm in chosen.optimizers]
    runs = _answers(spec, probes, workers, listener)
    sweeps = [
        Sweep(
            optimizer=arm,
            declared=range_test.bounds(chosen, arm),
            default=probe.configuration.learning_rate,
            run=run,
            reading=range_test.read(run),
        )
        for arm, probe, run in zip(chosen.optimizers, probes, runs, strict=True)
    ]
    return RangeTest(data=spec.data.name, steps=steps, batch_size=batch_size, sweeps=tuple(sweeps))


def _probe(space: Space, arm: str, batch_size: int, steps: int, count: int, seed: int) -> Probe:
    rule = space.defaults(arm)
    rate = rule.rate
    low, high = range_test.bounds(space, arm) or (rate / _AROUND, rate * _AROUND / 10)
    return Probe(
        configuration=Configuration(rule=rule, batch_size=batch_size),
        seed=seed,
        rates=range_test.rates(low, high, count),
        steps=steps,
    )


def _answers(spec: TaskSpec, probes: Sequence[Probe], workers: int | None, listener: Listener) -> list[ProbeRun]:
    """The probes' runs in their order, from worker processes. Raises `InvalidModel` where all of them fail."""
    found: dict[int, ProbeRun] = {}
    with tempfile.TemporaryDirectory() as folder:
        plan = Plan(steps=sum(len(probe.rates) * probe.steps for probe in probes))
        rules, seeds = [probe.configuration.rule for probe in probes], [probes[0].seed]
        log = Path(folder) / "worker.log"
        with LocalExecutor(spec, rules, seeds, log=log, plan=plan, workers=workers or 1) as executor:
            for line in executor.start().lines:
                listener.say(line)
            for number, probe in enumerate(probes):
                executor.submit(number, probe)
            while len(found) < len(probes):
                found.update(executor.results(timeout=1.0))
    if all(run.error for run in found.values()):
        raise InvalidModel(f"lr_range: no rule could be trained. {found[0].error}")
    return [found[number] for number in range(len(probes))]


def _plain(value: float) -> float | None:
    return value if math.isfinite(value) else None
