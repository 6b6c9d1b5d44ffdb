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
from rich.text import Text

from optselect.records import TrialRecord
from optselect.verdict.numbers import number

if TYPE_CHECKING:
    from optselect.api import Result

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
        out.print(_optimizers(result))
        if mattered := _importance(result):
            out.print(mattered, markup=False)
        out.print()
        out.print(Panel(Text(result.verdict.text()), title="Verdict", title_align="left"))
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
    where = "held-out" if verdict.confirmed else "validation"
    table = Table(title="Finalists on fresh seeds", title_justify="left", header_style="bold")
    table.add_column("configuration", ratio=1)
    for column in (verdict.objective, f"{where} {verdict.headline}", "95 % interval", "P(best)"):
        table.add_column(column, justify="right")
    for place, standing in enumerate(verdict.ranking):
        held = standing.held_out
        said = [str(standing.configuration)]
        said += ["(Keras's default)"] * (standing.configuration == verdict.baseline)
        said += ["← recommended"] * (place == verdict.chosen)
        table.add_row(
            Text(" ".join(said)),
            number(standing.objective.mean),
            number(held.mean),
            f"{number(held.low)} to {number(held.high)}",
            f"{standing.p_best:.2f}",
        )
    return table


def _optimizers(result: Result) -> Table:
    """What every other optimizer cost and what stood against it."""
    lost = {loss.arm: loss for loss in result.verdict.lost}
    table = Table(title="Optimizers", title_justify="left", header_style="bold")
    table.add_column("optimizer", no_wrap=True)
    table.add_column("a step", justify="right", no_wrap=True)
    table.add_column("memory", justify="right", no_wrap=True)
    table.add_column("why not", ratio=1)
    for cost in result.verdict.costs:
        against = "; ".join(lost[cost.arm].reasons) if cost.arm in lost else "recommended"
        step = f"{cost.step_seconds * 1000:.2g} ms" if cost.step_seconds else ""
        table.add_row(cost.arm, step, f"{cost.memory / 1e6:.2g} MB", Text(against))
    return table


def _importance(result: Result) -> str:
    """One line: what mattered in the ranges that were searched."""
    found = result.verdict.importance
    if not found:
        return ""
    said = [f"{arm}: " + ", ".join(f"{name} {share:.0%}" for name, share in list(shares.items())[:3] if share >= 0.01)
            for arm, shares in found.items()]  # fmt: skip
    return f"What mattered, in the ranges that were searched (elsewhere it may be otherwise): {'; '.join(said)}."
