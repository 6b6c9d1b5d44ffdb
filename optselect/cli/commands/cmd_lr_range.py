"""optselect lr-range DATA"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from optselect.cli.argument_names import in_options
from optselect.cli.options import DerivedCommand, options_of, taken

if TYPE_CHECKING:
    from optselect.api import RangeTest, Sweep

_BARS = "▁▂▃▄▅▆▇█"
_WIDTH = 80
_NAMES = 20  # columns in front of the curves, at most


_OWN = ("model", "target", "kind", "optimizers", "space", "seed")


def _options() -> list[click.Option]:
    from optselect.data import DataOptions, SplitOptions
    from optselect.options import Settings

    return [*options_of(Settings, only=_OWN), *options_of(SplitOptions), *options_of(DataOptions)]


@click.command("lr-range", cls=DerivedCommand, derive=_options)
@click.argument("data")
@click.option("--batch-size", type=int, default=32, show_default=True, help="Rows per step.")
@click.option("--steps", type=int, default=100, show_default=True, help="Training steps per learning rate.")
@click.option("--count", type=int, default=13, show_default=True, help="Learning rates per optimizer.")
@click.option("--workers", type=int, help="Training processes.  [default: 1]")
@click.option("--plot", type=click.Path(dir_okay=False, path_type=Path), help="Write a picture too: FILE.svg.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and no progress.")
def command(data: str, plot: Path | None, as_json: bool, **given: Any) -> None:
    """Learning-rate range test: where each optimizer learns on DATA, and where it diverges.

    Every optimizer is trained for a few steps from the same initial weights at each of some constant learning rates,
    from the bottom of its range to ten times the top. DATA is as in `optselect tune`.

    \b
    Examples:
      optselect lr-range sklearn:digits
      optselect lr-range houses.csv --target price --optimizers adam,sgd --plot rates.svg
      optselect lr-range data.npz --model my_model.py:build --batch-size 128 --steps 200
    """
    from optselect import api
    from optselect.data import DataOptions, SplitOptions
    from optselect.util import whole_files

    if plot and plot.suffix != ".svg":
        raise click.UsageError(f"--plot writes SVG, got {plot.name!r}: name it {plot.stem}.svg.")
    splits, data_options = taken(SplitOptions, given), taken(DataOptions, given)
    listener = None if as_json else _listener()
    found = api.lr_range(data=data, splits=splits, data_options=data_options, listener=listener, **given)
    if plot:
        whole_files.write(plot, found.svg())
    if as_json:
        click.echo(json.dumps(found.to_dict()))
        return
    click.echo("\n".join([*_drawing(found), "", *_table(found)]))
    if plot:
        click.echo(f"\nThe picture: {plot}")


def _listener() -> Any:
    from optselect.study.listener import Silent

    class Said(Silent):
        """Says lines on standard error."""

        def say(self, text: str) -> None:
            click.echo(in_options(text), err=True)

    return Said()


def _drawing(found: RangeTest) -> list[str]:
    """The curves over one axis of rates, 80 columns wide; below each the marks."""
    rates = [rate for sweep in found.sweeps for rate in sweep.run.rates]
    names = min(_NAMES, max(len(sweep.optimizer) for sweep in found.sweeps)) + 2
    first, last = math.log10(min(rates)), math.log10(max(rates))
    columns = _WIDTH - names

    def column(rate: float) -> int:
        share = (math.log10(rate) - first) / max(last - first, 1e-9)
        return min(columns - 1, max(0, round(share * (columns - 1))))

    lines = [
        f"Validation loss after {found.steps} steps of {found.batch_size} rows at each rate; full height: no",
        "better than before. Below: l learns from here, * try (and l), x diverges here",
        "",
    ]
    for sweep in found.sweeps:
        lines.append(f"{sweep.optimizer[: names - 2]:<{names}}{_bars(sweep, column, columns)}")
        lines.append(" " * names + _marks(sweep, column, columns))
    return [*(line.rstrip() for line in lines), *_axis(first, last, column, names, columns)]


def _bars(sweep: Sweep, column: Any, columns: int) -> str:
    """Each rate's bar fills the columns halfway to its neighbours."""
    run = sweep.run
    finite = [loss for loss in run.val_losses if math.isfinite(loss)]
    if not finite or not math.isfinite(run.start):
        return sweep.reading.note
    low, cells = min(*finite, run.start), [" "] * columns
    places = [column(rate) for rate in run.rates]
    for i, (place, loss) in enumerate(zip(places, run.val_losses, strict=True)):
        left = place if i == 0 else (places[i - 1] + place) // 2 + 1
        right = place if i == len(places) - 1 else (place + places[i + 1]) // 2
        share = (min(loss, run.start) - low) / (run.start - low) if run.start > low else 1.0
        bar = _BARS[round(share * (len(_BARS) - 1))] if math.isfinite(loss) else "x"
        cells[left : right + 1] = bar * (right + 1 - left)
    return "".join(cells)


def _marks(sweep: Sweep, column: Any, columns: int) -> str:
    cells = [" "] * columns
    reading = sweep.reading
    for mark, rates in (("x", [reading.edge]), ("*", reading.suggested), ("l", [reading.low])):
        for rate in rates:
            if rate is not None:
                cells[column(rate)] = mark
    return "".join(cells)


def _axis(first: float, last: float, column: Any, names: int, columns: int) -> list[str]:
    ticks, labels = ["─"] * columns, [" "] * (columns + 4)
    for decade in range(math.ceil(first - 1e-9), math.floor(last + 1e-9) + 1):
        place, text = column(10.0**decade), f"{10.0**decade:g}"
        ticks[place] = "┴"
        start = max(0, min(place - len(text) // 2, columns - len(text)))
        labels[start : start + len(text)] = text
    return [" " * names + "".join(ticks), " " * names + "".join(labels).rstrip()]


def _table(found: RangeTest) -> list[str]:
    """A row a rule."""
    names = min(_NAMES, max(9, *(len(sweep.optimizer) for sweep in found.sweeps)))
    lines = [f"{'optimizer':<{names}}  {'learns from':<13}{'try first':<20}{'diverges':<10}{'declared':<16}default"]
    for sweep in found.sweeps:
        reading = sweep.reading
        tried = ", ".join(f"{rate:.3g}" for rate in reading.suggested) or "-"
        low, edge = (_shown(rate) for rate in (reading.low, reading.edge))
        declared = f"{sweep.declared[0]:.3g} to {sweep.declared[1]:.3g}" if sweep.declared else "fixed"
        row = f"{sweep.optimizer[:names]:<{names}}  {low:<13}{tried:<20}{edge:<10}{declared:<16}{sweep.default:g}"
        lines.append(row.rstrip())
        if reading.low is None:
            lines.append(f"{'':<{names}}  {reading.note}")
    return lines


def _shown(rate: float | None) -> str:
    return "-" if rate is None else f"{rate:.3g}"
