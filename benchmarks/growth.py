"""Time a trial and memory of both processes, training and parent, over thousands of trials.

uv run --extra bench python -m benchmarks.growth --trials 5000 --out examples/records/2026-11-26_growth
uv run --extra bench python -m benchmarks.growth --study --trials 5000 --out examples/records/2026-11-26_growth
"""

from __future__ import annotations

import collections
import dataclasses
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click
import psutil

from optselect.data import read
from optselect.optim.configuration import Configuration
from optselect.optim.rules import RULES
from optselect.task import make_spec
from optselect.trainer.messages import Job, Plan
from optselect.util.machine import resident_memory
from optselect.workers.local import LocalExecutor

_SHOWN = 50  # points of a curve
_FAST = 10  # the time at each is that of the fastest tenth of the trials since the one before: others use the cores too


@dataclasses.dataclass
class Curve:
    """What was seen after some trials: their number, seconds a trial, of them in the training process, bytes."""

    points: list[tuple[Any, ...]] = dataclasses.field(default_factory=list)
    whole: list[float] = dataclasses.field(default_factory=list)
    inside: list[float] = dataclasses.field(default_factory=list)
    trials: int = 0
    last: float = dataclasses.field(default_factory=time.perf_counter)

    def add(self, inside: float, every: int) -> None:
        """One more trial has ended that took so many seconds in its process."""
        now = time.perf_counter()
        self.whole.append(now - self.last)
        self.inside.append(inside)
        self.last, self.trials = now, self.trials + 1
        if self.trials == 10 or self.trials % every == 0:
            worker = sum(resident_memory(child.pid) for child in psutil.Process().children())
            figures = [sorted(seconds)[len(seconds) // _FAST] for seconds in (self.whole, self.inside)]
            self.points.append((self.trials, *figures, worker, resident_memory(psutil.Process().pid)))
            self.whole, self.inside = [], []

    def table(self, marks: Sequence[int]) -> Iterator[str]:
        """Lines of the points nearest to some numbers of trials."""
        yield f"{'trial':>6}{'ms a trial':>12}{'in training':>13}{'worker MB':>11}{'parent MB':>11}"
        for mark in marks:
            trial, whole, inside, worker, parent = min(self.points, key=lambda p: abs(p[0] - mark))
            yield f"{trial:>6}{1e3 * whole:>12.2f}{1e3 * inside:>13.2f}{worker / 1e6:>11.0f}{parent / 1e6:>11.0f}"
        first, last = self.points[0], self.points[-1]
        grown = ", ".join(f"{who} {(last[k] - first[k]) / 1e6:+.0f} MB" for k, who in ((3, "worker"), (4, "parent")))
        yield f"from trial {first[0]} to {last[0]}: {grown}"

    def draw(self, path: Path) -> None:
        """Time and memory over the trials."""
        from matplotlib.figure import Figure

        figure = Figure(figsize=(7, 4), layout="constrained")
        above, below = figure.subplots(2, sharex=True)
        trials, whole, inside, worker, parent = zip(*self.points, strict=True)
        above.plot(trials, [1e3 * s for s in whole], label="a trial, all in all")
        above.plot(trials, [1e3 * s for s in inside], label="of it in training")
        below.plot(trials, [b / 1e6 for b in worker], label="training process")
        below.plot(trials, [b / 1e6 for b in parent], label="parent")
        for axes, name in ((above, "ms"), (below, "MB")):
            axes.set_ylim(0)
            axes.set_ylabel(name)
            axes.legend(frameon=False)
            axes.grid(alpha=0.3)
        below.set_xlabel("trials")
        figure.savefig(path)


class Watch:
    """A study's listener that keeps the curve."""

    def __init__(self, curve: Curve, every: int) -> None:
        self._curve, self._every = curve, every
        self.began = self.ended = 0.0

    def say(self, text: str) -> None:
        print(text)

    def ready(self, description: Any, outlook: Any) -> None: ...

    def restored(self, records: Any) -> None: ...

    def stage(self, name: str, done: int, total: int | None) -> None:
        self._curve.last = time.perf_counter()
        if name == "search":
            self.began = time.perf_counter()

    def trial(self, record: Any) -> None:
        if record.stage == "search":
            self.ended = time.perf_counter()
            self._curve.add(record.seconds, self._every)


def by_executor(trials: int, curve: Curve, folder: Path) -> None:
    """One job after the other: sklearn's iris, the default model, one epoch, all common rules in turn."""
    every = max(1, trials // _SHOWN)
    spec = make_spec(read("sklearn:iris"), epochs=1, seed=0)
    rules = [rule for rule in RULES.values() if rule.common]
    plan = Plan(steps=0, way="graph")
    with LocalExecutor(spec, [r() for r in rules], [1], log=folder / "log", plan=plan, workers=1, threads=1) as crew:
        crew.start()
        curve.last = time.perf_counter()
        for number in range(trials):
            rule = rules[number % len(rules)](learning_rate=10 ** -(1 + number % 4))
            job = Job(configuration=Configuration(rule=rule, batch_size=16 << number % 3), seed=1, epochs=1)
            curve.add(crew.run(job).seconds, every)


def by_study(trials: int, curve: Curve, folder: Path) -> None:
    """A whole study on iris, one epoch a trial, one worker, nothing sent to MLflow."""
    from optselect import Evaluation, RunOptions, Tracking, tune

    watch = Watch(curve, max(1, trials // _SHOWN))
    result = tune(
        None,
        "sklearn:iris",
        trials=trials,
        epochs=1,
        evaluation=Evaluation(confirm=0),
        run=RunOptions(workers=1, out=folder),
        tracking=Tracking(mlflow=None),
        listener=watch,
    )
    outcomes = collections.Counter(record.outcome for record in result.records if record.stage == "search")
    print(", ".join(f"{count} {outcome}" for outcome, count in outcomes.items()))
    seconds = sum(record.seconds for record in result.records if record.stage == "search")
    search = watch.ended - watch.began
    print(f"the search took {search:.0f} s, {seconds:.0f} s of them in training: {1 - seconds / search:.0%} outside")


@click.command()
@click.option("--trials", default=5000, show_default=True)
@click.option("--study", is_flag=True, help="A whole study instead of bare jobs.")
@click.option("--out", type=click.Path(path_type=Path), help="Where the log and the picture go.")
def main(trials: int, study: bool, out: Path | None) -> None:
    """How time a trial and memory grow."""
    curve, name = Curve(), "study" if study else "jobs"
    with tempfile.TemporaryDirectory() as folder:
        (by_study if study else by_executor)(trials, curve, Path(folder))
    print("\n".join(curve.table(sorted({mark for mark in (10, 100, 1000, trials) if mark <= trials}))))
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        curve.draw(out / f"{name}.png")


if __name__ == "__main__":
    main()
