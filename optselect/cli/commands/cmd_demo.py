"""optselect demo [RULE...] --on SURFACE"""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from optselect.cli.quiet import load_tensorflow_quietly

if TYPE_CHECKING:
    from optselect.demo import Descent

_WIDTH = 110


@click.command("demo")
@click.argument("rules", nargs=-1, metavar="[RULE]...")
@click.option("--on", metavar="SURFACE", help="A surface (--list), FILE.py:FUNCTION of x and y, or a data set.")
@click.option("--classic", metavar="NAME", help="A well-known comparison (--list): surface and rules at once.")
@click.option("--list", "show_list", is_flag=True, help="Show the surfaces and the classic comparisons.")
@click.option(
    "--out-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The animation: .gif, .mp4 or .html (interactive).  [default: demo.gif]",
)
@click.option(
    "--learning-rate",
    "--same-rate",
    type=float,
    help="Of all rules that set none themselves; each gets its best on the surface else.",
)
@click.option("--steps", type=int, help="As many as the surface needs else.")
@click.option("--start", type=float, nargs=2, metavar="X Y", help="Where the rules are put down.")
@click.option("--window", type=float, nargs=4, metavar="LEFT RIGHT BOTTOM TOP", help="What is drawn of the surface.")
@click.option("--noise", type=float, help="Standard deviation of the noise on every gradient, the same for all rules.")
@click.option("--seconds", type=float, default=7.0, show_default=True, help="From the first step to the last.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of noise; of data also of split and weights.")
@click.option("--target", help="Of a data set: the column to predict.")
@click.option("--model", help="Of a data set: FILE.py:FUNCTION that returns a keras.Model, or .keras; a default else.")
@click.option("--plane", help="Of a data set: paths (through what the rules went, default) or random.")
@click.option("--batch-size", type=int, help="Of a data set: rows a step.  [default: 32]")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, with every path.")
def command(
    rules: tuple[str, ...], show_list: bool, out_file: Path | None, seconds: float, as_json: bool, **options: Any
) -> None:
    """Let optimizers go down a surface side by side, as an animation.

    RULE is one of `optselect optimizers`, with settings if you want: "sgd(momentum=0.9)", "lookahead(adam, k=10)".
    Every rule gets its best learning rate on the surface, out of four a decade over the range that it declares and a
    decade beyond, unless you set one. What you see is two numbers being moved: it says how rules move, not which is
    best for a network. On a data set they train a real model, seen on a plane through its weights.

    \b
    Examples:
      optselect demo --classic saddle
      optselect demo sgd "sgd(momentum=0.9)" adam --on rosenbrock --out-file demo.html
      optselect demo adam lion soap --on beale --same-rate 0.01 --out-file demo.mp4
      optselect demo sgd adam --on my_surface.py:bumps --window -3 3 -3 3 --start -2 2
      optselect demo sgd adam muon --on sklearn:digits --out-file digits.gif
    """
    from optselect import demo

    if show_list:
        click.echo(json.dumps(demo.CATALOG) if as_json else "\n".join(_listed(demo.CATALOG)))
        return
    path = out_file or Path("demo.gif")
    demo.check_film(path, seconds)
    load_tensorflow_quietly()
    found = demo.descend(rules or None, **{name: value for name, value in options.items() if value is not None})
    found.save(path, seconds=seconds)
    if as_json:
        click.echo(json.dumps({**found.to_dict(), "file": str(path)}))
        return
    click.echo(
        "\n".join(
            [*_table(found), "", *(textwrap.fill(note, _WIDTH) for note in found.notes), f"The animation: {path}"]
        )
    )


def _listed(catalog: Any) -> list[str]:
    width = max(len(name) for names in catalog.values() for name in names)
    lines = []
    for title, names in catalog.items():
        lines += [f"{title}:", *(f"  {name:<{width}}  {summary}" for name, summary in names.items()), ""]
    return lines[:-1]


def _table(found: Descent) -> list[str]:
    """A row a rule."""
    rows = [("rule", "learning rate", "start", "end", "last quarter", "outcome")]
    for runner in found.runners:
        tried = f", best of {len(runner.tried)}" if runner.tried else ""
        end, late = runner.heights[-1], runner.late
        shown = ("-", "-") if late is None else (f"{end:.4g}", f"{late:.4g}")
        rate = f"{runner.learning_rate:.3g}{tried}"
        rows.append((runner.label, rate, f"{runner.heights[0]:.4g}", *shown, found.outcome(runner)))
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ["  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    arrived = f"arrives: the {found.height_name} stays at {found.within:.4g} or below"
    return [f"{found.on}: {found.about}", "", *lines, "", f"{arrived}; last quarter: the mean over it."]
