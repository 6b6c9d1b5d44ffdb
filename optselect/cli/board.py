"""The terminal's view of a study while it runs: a live board on a terminal, a line now and then in a pipe."""

from __future__ import annotations

import math
import statistics
import time
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn
from rich.table import Table

from optselect.cli.argument_names import in_options
from optselect.cli.bands import WIDTH, Band, BandScale
from optselect.model.objective import Objective
from optselect.optim.configuration import Configuration
from optselect.record.entries import TrialRecord
from optselect.study.listener import Outlook
from optselect.task import TaskDescription
from optselect.verdict.numbers import number, seconds, signed

__all__ = ["Board"]

_STAGES = {
    "start": "Starting the training process",
    "search": "Searching",
    "race": "Racing on fresh seeds, at most",
    "confirm": "Confirming on fresh seeds",
    "basin": "Trying other learning rates",
    "check": "Training once with plain model.fit",
    "refit": "Training the model to keep",
}
_RERUNS = ("race", "confirm")  # one configuration under several seeds
_QUIET_SECONDS = 10.0  # between two lines in a pipe
_LATEST = 30  # trials by which the pace is told
_ROWS = 14  # of the table: with the lines around it, a terminal of 24 lines


class Board:
    """A `Listener` that draws on `console`, standard error if None."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True, highlight=False)
        self._live: Live | None = None
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TextColumn("{task.fields[pace]}"),
            console=self._console,
            expand=True,
        )
        self._task: Any = None
        self._stage, self._done, self._total = "", 0, 0
        self._arms: dict[str, list[TrialRecord]] = {}
        self._finalists: dict[Configuration, dict[int, float]] = {}  # the objective by seed
        self._followed = 0  # trainings after the search
        self._ends: deque[float] = deque(maxlen=_LATEST)
        self._said = 0.0
        self._outlook = Outlook()
        self._objective, self._headline = Objective("objective"), Objective("loss")

    # -- told by the study --------------------------------------------------------------------------------------

    def say(self, text: str) -> None:
        self._console.print(in_options(text), markup=False, soft_wrap=not self._console.is_terminal)

    def ready(self, description: TaskDescription, outlook: Outlook) -> None:
        self._outlook = outlook
        self._objective, self._headline = description.objective, description.headline
        for line in description.lines:
            self.say(line)

    def stage(self, name: str, done: int, total: int | None) -> None:
        self._stage, self._done, self._total = name, done, total or 0
        self._ends.clear()
        self._ends.append(time.monotonic())
        if self._task is not None:
            self._progress.remove_task(self._task)
        self._task = self._progress.add_task(_STAGES[name], total=total, completed=done, pace="")
        if not self._console.is_terminal:
            self.say(f"{_STAGES[name]} ..." if not total else f"{_STAGES[name]}: {done} of {total} ...")
        elif self._live is None:
            self._live = Live(self.drawn(), console=self._console, refresh_per_second=4, transient=True)
            self._live.start()
        else:
            self._live.update(self.drawn())
        self._said = time.monotonic()

    def restored(self, records: Sequence[TrialRecord]) -> None:
        self.say(f"Going on with this study: {len(records)} trials are there already.")
        for record in records:
            self._keep(record)

    def trial(self, record: TrialRecord) -> None:
        self._done += 1
        self._ends.append(time.monotonic())
        self._keep(record)
        self._progress.update(self._task, advance=1, pace=self._pace(short=True))
        if self._live is not None:
            self._live.update(self.drawn())
        elif time.monotonic() - self._said > _QUIET_SECONDS:
            self._said = time.monotonic()
            best = self._best([record for records in self._arms.values() for record in records])
            so_far = f"; best so far {best.arm} {best.value:.4g}" if best else ""
            self.say(f"  {self._done}{f' of {self._total}' if self._total else ''}{so_far}; {self._pace()}")

    def interrupted(self) -> str:
        """What to say to somebody who stopped the study."""
        trials = self._followed + sum(map(len, self._arms.values()))
        return f"Interrupted. {trials} finished trial{'' if trials == 1 else 's'} of the study are safe."

    def close(self) -> None:
        """Take the live board off the screen."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    # -- what is drawn ------------------------------------------------------------------------------------------

    def drawn(self) -> Group:
        """The board as it is now: the arms while they are searched, then the configurations that are run again."""
        if self._finalists and self._stage not in ("start", "search"):
            return Group(self._runners(), self._progress)
        return Group(*([self._searched()] if self._arms else []), self._progress)

    def _searched(self) -> Table:
        names = (self._objective.name, self._headline.name)
        table = self._table("optimizer", "trials", "diverged", *names, band="best ● to median")
        ranked = sorted(self._arms.items(), key=lambda item: self._rank(item[1]))
        best_of = max if self._objective.maximize else min
        bands = {arm: Band.of([r.value for r in records], best=best_of) for arm, records in ranked}
        scale = BandScale.of([band for band in bands.values() if band], falling=self._objective.maximize)
        for arm, records in ranked[:_ROWS]:
            best, bad = self._best(records), sum(r.outcome == "diverged" for r in records)
            shown = (
                (f"{best.value:.4g}", number(best.metrics.get(f"val_{self._headline}", math.nan))) if best else ("", "")
            )
            table.add_row(arm, str(len(records)), str(bad or ""), *shown, scale.drawn(bands[arm]))
        if len(ranked) > _ROWS:
            table.add_row(f"and {len(ranked) - _ROWS} more", *[""] * 5, style="dim")
        best = self._best([r for records in self._arms.values() for r in records])
        if best:
            table.caption = f"best so far: {best.configuration}"
        return table

    def _runners(self) -> Table:
        """The first has its mean; the others how they differ from it under the seeds that both have had."""
        table = self._table("configuration", "seeds", self._objective.name, band="difference by seed")
        runners = sorted(
            self._finalists.items(), key=lambda item: (-len(item[1]), self._objective.sign * _mean(item[1]))
        )
        (first, values), *others = runners
        differences = {
            who: [value - values[seed] for seed, value in found.items() if seed in values] for who, found in others
        }
        bands = {who: Band.of(found) for who, found in differences.items()}
        scale = BandScale.of([Band(0.0, 0.0, 0.0), *filter(None, bands.values())], falling=self._objective.maximize)
        table.add_row(str(first), str(len(values)), f"{_mean(values):.4g}", scale.drawn(Band(0.0, 0.0, 0.0)))
        for who, found in others[: _ROWS - 1]:
            mean = signed(statistics.fmean(differences[who])) if differences[who] else ""
            table.add_row(str(who), str(len(found)), mean, scale.drawn(bands[who]))
        return table

    def _table(self, first: str, *columns: str, band: str) -> Table:
        table = Table(
            box=None, padding=(0, 1, 0, 0), header_style="bold", expand=True, caption_justify="left", caption_style=""
        )
        table.add_column(first, no_wrap=True, overflow="ellipsis", ratio=1)
        for column in columns:
            table.add_column(column, justify="right", no_wrap=True)
        table.add_column(band, no_wrap=True, min_width=WIDTH)
        return table

    # -- what is kept -------------------------------------------------------------------------------------------

    def _keep(self, record: TrialRecord) -> None:
        if record.stage == "search":
            self._arms.setdefault(record.arm, []).append(record)
            return
        self._followed += 1
        if record.stage in _RERUNS and record.value is not None:
            self._finalists.setdefault(record.configuration, {})[record.seed] = record.value

    def _pace(self, *, short: bool = False) -> str:
        """How fast trials end, and when all will have, at this pace."""
        passed = self._ends[-1] - self._ends[0]
        rate = (len(self._ends) - 1) / passed if passed > 0 else 0.0
        if not rate:
            return ""
        pace = f"{rate:.1f} trials/s" if rate >= 1 else f"{1 / rate:.1f} s a trial"
        searching = max(0, self._total - self._done) if self._stage == "search" else 0
        follow = max(0, self._outlook.after - self._followed)
        unknown = self._stage == "search" and not self._total
        left = min(math.inf if unknown else (searching + follow) / rate, self._outlook.left())
        if math.isinf(left):
            return pace
        return f"{pace}, ≤ {seconds(left)} left" if short else f"{pace}, at most {seconds(left)} left at this pace"

    def _best(self, records: Sequence[TrialRecord]) -> TrialRecord | None:
        return min((r for r in records if r.value is not None), key=lambda r: self._rank([r]), default=None)

    def _rank(self, records: Sequence[TrialRecord]) -> float:
        """The best objective among records, smaller is better whatever its direction."""
        return min((self._objective.sign * r.value for r in records if r.value is not None), default=math.inf)


def _mean(values: Mapping[int, float]) -> float:
    return statistics.fmean(values.values())
