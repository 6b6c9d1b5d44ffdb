"""The terminal's view of a study: a live board on a terminal, a line now and then in a pipe."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.syntax import Syntax
from rich.table import Table

from optselect.records import TrialRecord

if TYPE_CHECKING:
    from optselect.api import Result

__all__ = ["Board"]

_STAGES = {
    "start": "Starting the training process",
    "search": "Searching",
    "confirm": "Confirming on fresh seeds",
    "check": "Training once with plain model.fit",
}
_QUIET_SECONDS = 10.0  # between two lines in a pipe


class Board:
    """A `Listener` that draws on standard error and reports on standard output."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._live: Live | None = None
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=self._console,
        )
        self._task: Any = None
        self._stage, self._done, self._total = "", 0, 0
        self._arms: dict[str, list[TrialRecord]] = {}
        self._said = 0.0
        self._headline, self._sign = "loss", 1.0

    def say(self, text: str) -> None:
        self._console.print(text, markup=False, soft_wrap=not self._console.is_terminal)

    def ready(self, description: Mapping[str, Any]) -> None:
        self._headline = description["headline"]
        self._sign = -1.0 if description["objective_maximize"] else 1.0
        for line in description["lines"]:
            self.say(line)

    def stage(self, name: str, done: int, total: int | None) -> None:
        self._stage, self._done, self._total = name, done, total or 0
        if self._task is not None:
            self._progress.remove_task(self._task)
        self._task = self._progress.add_task(_STAGES[name], total=total, completed=done)
        if self._console.is_terminal:
            if self._live is None:
                self._live = Live(self._draw(), console=self._console, refresh_per_second=4, transient=True)
                self._live.start()
        else:
            self.say(f"{_STAGES[name]} ..." if not total else f"{_STAGES[name]}: {done} of {total} ...")
        self._said = time.monotonic()

    def restored(self, records: Sequence[TrialRecord]) -> None:
        self.say(f"Going on with this study: {len(records)} trials are there already.")
        for record in records:
            self._keep(record)

    def _keep(self, record: TrialRecord) -> None:
        if record.stage == "search":
            self._arms.setdefault(record.arm, []).append(record)

    def trial(self, record: TrialRecord) -> None:
        self._done += 1
        self._keep(record)
        self._progress.advance(self._task)
        if self._live is not None:
            self._live.update(self._draw())
        elif time.monotonic() - self._said > _QUIET_SECONDS:
            self._said = time.monotonic()
            best = self._best([record for records in self._arms.values() for record in records])
            so_far = f"; best so far {best.arm} {best.value:.4g}" if best else ""
            self.say(f"  {self._done}{f' of {self._total}' if self._total else ''}{so_far}")

    def close(self) -> None:
        """Take the live board off the screen."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def report(self, result: Result) -> None:
        """The verdict, on standard output."""
        out = Console(highlight=False)
        out.print(_ranking(result))
        out.print()
        out.print(Panel(result.verdict.text(), title="Verdict", title_align="left"))
        out.print()
        out.print("Paste it after your `model = ...`:\n", markup=False)
        if out.is_terminal:
            out.print(Syntax(result.snippet, "python", background_color="default", word_wrap=True))
        else:
            out.print(result.snippet, markup=False, soft_wrap=True)
        files = f"{result.directory}/: best.keras (trained, takes raw rows), snippet.py, recommendation.json, study.db"
        out.print(files, markup=False, soft_wrap=True)
        if result.dashboard:
            out.print(f"MLflow: {result.dashboard}", markup=False, soft_wrap=True)

    def _draw(self) -> Group:
        table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold", expand=True)
        table.add_column("optimizer", no_wrap=True)
        for column in ("trials", "diverged", "best", self._headline):
            table.add_column(column, justify="right", min_width=len(column), no_wrap=True)
        table.add_column("with", ratio=1, no_wrap=True, overflow="ellipsis")
        for arm, records in sorted(self._arms.items(), key=lambda item: self._rank(item[1])):
            best = self._best(records)
            bad = sum(r.outcome == "diverged" for r in records)
            shown = (f"{best.value:.4g}", f"{best.metrics.get(f'val_{self._headline}', 0.0):.4g}") if best else ("", "")
            settings = str(best.configuration).split("(", 1)[1].rstrip(")") if best else ""
            table.add_row(arm, str(len(records)), str(bad) if bad else "", *shown, settings)
        return Group(table, self._progress)

    def _best(self, records: list[TrialRecord]) -> TrialRecord | None:
        return min((r for r in records if r.value is not None), key=lambda r: self._rank([r]), default=None)

    def _rank(self, records: list[TrialRecord]) -> float:
        """The best objective among records, smaller is better whatever its direction."""
        return min((self._sign * r.value for r in records if r.value is not None), default=math.inf)


def _ranking(result: Result) -> Table:
    verdict = result.verdict
    table = Table(title="Finalists on fresh seeds", title_justify="left", header_style="bold")
    table.add_column("configuration", ratio=1)
    table.add_column(verdict.objective, justify="right", no_wrap=True)
    table.add_column(f"held-out {verdict.headline}", justify="right", no_wrap=True)
    table.add_column("95 % interval", justify="right", no_wrap=True)
    for standing in verdict.ranking:
        held = standing.held_out
        mark = " (Keras's default)" if standing.configuration == verdict.baseline else ""
        table.add_row(
            f"{standing.configuration}{mark}",
            f"{standing.objective.mean:.4g}",
            f"{held.mean:.4g}",
            f"{held.low:.4g} to {held.high:.4g}",
        )
    return table
