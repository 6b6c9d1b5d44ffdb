"""The answer of a study on standard output: finalists, optimizers, verdict, snippet, where its files are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.panel import Panel
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from optselect.cli.argument_names import in_options
from optselect.verdict.further import further_metrics
from optselect.verdict.numbers import number

if TYPE_CHECKING:
    from optselect.api import Result

__all__ = ["show"]


def show(result: Result) -> None:
    """Print it."""
    out = Console(highlight=False)
    out.print(_ranking(result))
    if further := _further(result):
        out.print(further)
    out.print()
    out.print(_optimizers(result))
    if mattered := _importance(result):
        out.print(mattered, markup=False)
    out.print()
    out.print(Panel(Text(in_options(result.verdict.text())), title="Verdict", title_align="left"))
    out.print()
    out.print("Paste it after your `model = ...`:\n", markup=False)
    if out.is_terminal:
        out.print(Syntax(result.snippet, "python", background_color="default", word_wrap=True))
    else:
        out.print(result.snippet, markup=False, soft_wrap=True)
    files = "report.html (pictures), best.keras (trained, takes raw rows), snippet.py, recommendation.json, study.db"
    out.print(f"{result.directory}/: {files}", markup=False, soft_wrap=True)
    if result.dashboard:
        out.print(f"MLflow: {result.dashboard}", markup=False, soft_wrap=True)


def _ranking(result: Result) -> Table:
    verdict = result.verdict
    where = "held-out" if verdict.confirmed else "validation"
    table = Table(title="Finalists on fresh seeds", title_justify="left", header_style="bold")
    table.add_column("configuration", ratio=1)
    for column in (verdict.objective, f"{where} {verdict.headline}", "95 % interval", "P(best)"):
        table.add_column(column, justify="right")
    for place, standing in enumerate(verdict.ranking):
        held = standing.held_out
        said = [standing.label]
        said += ["(Keras's default)"] * (standing.is_default)
        said += ["← recommended"] * (place == verdict.chosen)
        table.add_row(
            Text(" ".join(said)),
            number(standing.objective.mean),
            number(held.mean),
            f"{number(held.low)} to {number(held.high)}",
            f"{standing.p_best:.2f}",
        )
    return table


def _further(result: Result) -> Table | None:
    """The other metrics on the test set, beside those of Keras's default."""
    found = further_metrics(result.verdict)
    if not found:
        return None
    table = Table(title="Further metrics, held-out", title_justify="left", header_style="bold")
    who = ("recommended", "Keras's default")[: 1 if result.verdict.is_default else 2]
    for column in ("metric", *(name for one in who for name in (one, "95 % interval"))):
        table.add_column(column, justify="left" if column == "metric" else "right", no_wrap=column == "metric")
    for metric in found:
        table.add_row(metric.name, *metric.cells[: 2 * len(who)])
    return table


def _optimizers(result: Result) -> Table:
    """What every other optimizer cost and what stood against it."""
    lost = {loss.arm: loss for loss in result.verdict.lost}
    table = Table(title="Optimizers", title_justify="left", header_style="bold")
    table.add_column("optimizer", no_wrap=True)
    table.add_column("a step", justify="right", no_wrap=True)
    table.add_column("memory", justify="right", no_wrap=True)
    epochs = {used.arm: used.spread for used in result.verdict.epochs}
    if epochs:
        table.add_column("epochs", justify="right", no_wrap=True)
    table.add_column("why not", ratio=1)
    for cost in result.verdict.costs:
        against = "; ".join(lost[cost.arm].reasons) if cost.arm in lost else "recommended"
        step = f"{cost.step_seconds * 1000:.2g} ms" if cost.step_seconds else ""
        took = [epochs.get(cost.arm, "")] if epochs else []
        table.add_row(cost.arm, step, f"{cost.memory / 1e6:.2g} MB", *took, Text(against))
    return table


def _importance(result: Result) -> str:
    """One line: what mattered in the ranges that were searched."""
    found = result.verdict.importance
    if not found:
        return ""
    said = [f"{arm}: " + ", ".join(f"{name} {share:.0%}" for name, share in list(shares.items())[:3] if share >= 0.01)
            for arm, shares in found.items()]  # fmt: skip
    return f"What mattered, in the ranges that were searched (elsewhere it may be otherwise): {'; '.join(said)}."
